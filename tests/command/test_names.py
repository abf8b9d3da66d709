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
    assert sweep_name(jobs) == "3 learning_rate × 2 models"
    assert run_names(jobs[:1]) == ["bp, 0.1 learning_rate"]


def test_what_is_no_product_is_named_by_its_count_and_models_by_their_estimators() -> None:
    estimators = ("sklearn.tree.DecisionTreeClassifier", "sklearn.neighbors.KNeighborsClassifier")
    bp: list[dict[str, object]] = [{"training": {"learning_rate": rate}} for rate in (0.1, 0.3)]
    others: list[dict[str, object]] = [{"model": {"name": "sklearn", "estimator": path}} for path in estimators]
    jobs = make_jobs([Composed((), config) for config in [*bp, *others]]).distinct
    assert sweep_name(jobs) == "4 jobs: model, learning_rate"
    assert sweep_name(jobs[1:]) == "3 models"


def test_a_job_alone_is_named_by_its_model_and_what_is_not_as_by_default() -> None:
    def name(**config: object) -> str:
        return run_names(make_jobs([Composed((), config)]).distinct)[0]

    assert name() == "bp"
    forest = {"name": "sklearn", "estimator": "sklearn.ensemble.RandomForestClassifier"}
    assert name(model=forest, data={"name": "iris"}, seed=3) == "random_forest, 3 seed, iris"
    assert name(model={"name": "softmax"}, training={"l2": 0.1, "epochs": 500}) == "softmax, 0.1 l2"
    assert name(model={"hidden_layer_sizes": [8, 4]}, cv={"folds": 10}) == "bp, 10 folds, [8,4] hidden_layer_sizes"


def test_keys_of_one_last_word_are_named_in_full() -> None:
    tree = {"name": "sklearn", "estimator": "sklearn.tree.DecisionTreeClassifier"}
    configs = [{"model": {**tree, "params": {"max_depth": depth}}, "seed": seed} for depth, seed in ((2, 1), (3, 0))]
    assert "2 max_depth" in run_names(make_jobs([Composed((), config) for config in configs]).distinct)[0]


def test_a_sweeps_name_counts_in_the_plural() -> None:
    def name(*configs: dict[str, object]) -> str:
        return sweep_name(make_jobs([Composed((), config) for config in configs]).distinct)

    assert name({"data": {"name": "ex4"}}, {"data": {"name": "iris"}}) == "2 data sets"
    assert name(*({"seed": seed} for seed in range(12))) == "12 seeds"
    sigmoid = {"activation": "sigmoid", "output": "sigmoid"}
    assert name(*({"model": {**sigmoid, "loss": loss}} for loss in ("cross_entropy", "squared_error"))) == "2 losses"
    assert name({"training": {"l2": 0.1}}, {"training": {"l2": 0.2}}) == "2 l2"
    assert name({"training": {"epochs": 1}}, {"training": {"epochs": 2}}) == "2 epochs"
