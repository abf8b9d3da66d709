"""Names of runs and sweeps: what varies, the most first."""

from itertools import product

from src.command.names import run_names, sweep_name
from src.sweep.compose import Composed
from src.sweep.jobs import make_jobs


def test_runs_are_named_by_what_varies_the_most_first() -> None:
    configs = [
        {"model": {"name": model}, "training": {"learning_rate": rate}}
        for model, rate in product(("bp", "softmax"), (0.1, 0.3, 1))
    ]
    jobs = make_jobs([Composed((), config) for config in configs]).distinct
    assert run_names(jobs)[0] == "0.1 learning_rate, bp"
    assert len(set(run_names(jobs))) == len(jobs)
    assert sweep_name(jobs) == "3 learning_rate × 2 model"
    assert run_names(jobs[:1]) == ["bp"]


def test_keys_of_one_last_word_are_named_in_full() -> None:
    tree = {"name": "sklearn", "estimator": "sklearn.tree.DecisionTreeClassifier"}
    configs = [{"model": {**tree, "params": {"max_depth": depth}}, "seed": seed} for depth, seed in ((2, 1), (3, 0))]
    assert "2 max_depth" in run_names(make_jobs([Composed((), config) for config in configs]).distinct)[0]
