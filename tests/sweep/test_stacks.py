"""Stacks: every fold of every job in exactly one, of networks that may share matrix products, within the limits."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.evaluation.crossval import StackKeys
from src.evaluation.results import Failure, JobResult
from src.sweep import stacks
from src.sweep.compose import Composed
from src.sweep.jobs import Jobs, curve_epochs, make_jobs
from src.sweep.stacks import Stack, StackResult, make_stacks, run_stack, run_workload, steps, workloads

MakeJobs = Callable[..., Jobs]

AXES: dict[str, dict[str, list[Any]]] = {
    "data": {"name": ["ex4", "iris"], "scale": ["standard", "none"]},
    "model": {
        "name": ["bp", "logistic", "softmax", "sklearn_logistic"],
        "hidden_layer_sizes": [[4], [8], [3, 2]],
        "activation": ["sigmoid", "relu"],
    },
    "training": {
        "optimizer": ["sgd", "adam"],
        "learning_rate": [0.1, 0.3],
        "epochs": [2, 3],
        "batch_size": ["full", 8],
        "early_stopping": [{"patience": 2}, {"patience": None}],
    },
    "cv": {"folds": [3, 7], "inner_folds": [None, 2]},
}
CONFIG = st.fixed_dictionaries(
    {
        section: st.fixed_dictionaries({}, optional={key: st.sampled_from(values) for key, values in keys.items()})
        for section, keys in AXES.items()
    }
)


@settings(max_examples=25)
@given(
    configs=st.lists(CONFIG, min_size=1, max_size=12),
    n_jobs=st.integers(1, 3),
    megabytes=st.sampled_from([0, 0.05, 0.5, 1000]),
)
def test_stacks_hold_every_fold_once_within_the_limits(
    configs: list[dict[str, Any]], n_jobs: int, megabytes: float
) -> None:
    jobs = make_jobs([Composed((), config) for config in configs])
    numbered = dict(enumerate(jobs.distinct))
    limit = int(megabytes * 1e6)
    made = make_stacks(numbered, n_jobs, limit)

    places = Counter(place for stack in made for place in stack.tasks)
    assert places == Counter((number, position) for number, job in numbered.items() for position in job.tasks)
    for stack in made:
        assert all(numbered[number].tasks[position] is task for (number, position), task in stack.tasks.items())
        members = {number for number, _ in stack.tasks}
        if not stack.networks:
            assert len(members) == 1
            continue
        assert stack.bytes <= limit or len(members) == 1
        assert len(stack.tasks) <= stacks.LARGEST_STACK or len(members) == 1
        assert len(stack.networks) == len(stack.tasks)
        assert len({StackKeys().of(task) for task in stack.networks}) == 1


def test_what_may_differ_inside_a_stack_does(jobs_of: MakeJobs) -> None:
    each = [["training.learning_rate=0.1"], ["training.l2=1"], ["seed=5"], ["model.init=he_normal"]]
    jobs = jobs_of(["data=iris"], *each)
    (stack,) = make_stacks(dict(enumerate(jobs.distinct)), 1, 10**9)
    assert len(stack.tasks) == 4 * 5


def test_several_workers_have_something_to_do(jobs_of: MakeJobs) -> None:
    jobs = jobs_of(["data=iris"], *([f"seed={seed}"] for seed in range(20)))
    sizes = [len(stack.tasks) for stack in make_stacks(dict(enumerate(jobs.distinct)), 2, 10**9)]
    assert len(sizes) >= 2 * 2
    assert max(sizes) - min(sizes) <= 5


def test_a_worker_is_handed_whole_jobs_in_equal_workloads(jobs_of: MakeJobs) -> None:
    jobs = jobs_of(["cv.folds=7"], *([f"training.l2={l2}"] for l2 in range(16)))  # 80 rows do not divide by 7
    made = make_stacks(dict(enumerate(jobs.distinct)), 2, 10**9)
    handed = workloads(made, 2)
    assert [stack for workload in handed for stack in workload] == made
    assert len(handed) == 8
    assert {sum(len(stack.tasks) for stack in workload) for workload in handed} == {2 * 7}
    assert workloads(made, len(made)) == [(stack,) for stack in made]  # more workers than workloads


def test_a_job_is_trained_even_where_its_networks_are_too_large_for_the_limit(jobs_of: MakeJobs) -> None:
    jobs = jobs_of(["model.hidden_layer_sizes=[500]", "training.epochs=1"], ["seed=0"], ["seed=1"])
    made = make_stacks(dict(enumerate(jobs.distinct)), 1, 1)
    assert [len({number for number, _ in stack.tasks}) for stack in made] == [1, 1]
    assert len(run_stack(made[0]).results) == 5


@given(epochs=st.integers(1, 2000), points=st.integers(2, 200))
def test_curves_have_evenly_spaced_points_and_end_with_the_last_epoch(epochs: int, points: int) -> None:
    chosen = curve_epochs(epochs, points)
    assert len(chosen) == min(epochs, points)
    assert chosen[0] == 1
    assert chosen[-1] == epochs
    steps = [later - earlier for earlier, later in pairwise(chosen)]
    assert all(step in (min(steps), min(steps) + 1) and step >= 1 for step in steps)


def run_all(made: Sequence[Stack], jobs: Jobs) -> list[Any]:
    results = run_workload(made)
    return [ended for step in steps(dict(enumerate(jobs.distinct)), results) for ended in step.ended]


def test_a_job_ends_once_with_all_its_folds_in_order(jobs_of: MakeJobs) -> None:
    jobs = jobs_of(["cv.repeats=2", "cv.inner_folds=3", "training.epochs=2"], ["cv.folds=5"], ["cv.folds=7"])
    made = make_stacks(dict(enumerate(jobs.distinct)), 2, 10**9)
    assert len(made) > 2  # 80 rows do not divide by 7: the job is spread over several stacks
    ended = run_all(made[::-1], jobs)
    assert {job.job.digest for job in ended} == {job.digest for job in jobs.distinct}
    for job in ended:
        folds = job.outcome.folds
        expected = job.job.folds
        assert [(fold.repeat, fold.fold) for fold in folds] == [(fold.repeat, fold.fold) for fold in expected]
        assert all(0 <= fold.inner_scores["accuracy"] <= 1 for fold in folds)
        assert job.started <= job.ended


def test_a_failing_job_takes_no_other_with_it(jobs_of: MakeJobs, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = jobs_of(["training.epochs=2"], *([f"seed={seed}"] for seed in range(3)))
    (stack,) = make_stacks(dict(enumerate(jobs.distinct)), 1, 10**9)
    fit = stacks.fit_stack

    def fail_for_seed_1(tasks: Any, *rest: Any) -> Any:
        if any(task.settings.seed == 1 for task in tasks):
            raise ArithmeticError("no such luck")
        return fit(tasks, *rest)

    monkeypatch.setattr(stacks, "fit_stack", fail_for_seed_1)
    outcomes = {job.job.checked.seed: job.outcome for job in run_all([stack], jobs)}
    failure = outcomes.pop(1)
    assert all(isinstance(outcome, JobResult) for outcome in outcomes.values())
    assert list(outcomes) == [0, 2]
    assert (failure.type, failure.message) == ("ArithmeticError", "no such luck")
    assert "fail_for_seed_1" in failure.traceback


def test_what_comes_of_a_job_after_it_has_failed_is_left_aside(jobs_of: MakeJobs) -> None:
    jobs = jobs_of(["cv.folds=7", "training.epochs=2"])
    first, second = make_stacks(dict(enumerate(jobs.distinct)), 1, 10**9)
    error = Failure("OSError", "gone", "")
    lost = StackResult({}, {0: error}, 1.0, 2.0)
    told, *after = steps(dict(enumerate(jobs.distinct)), [lost, run_stack(second), lost])
    assert [each.outcome for each in told.ended] == [error]
    assert [step.ended for step in after] == [(), ()]
    assert first.tasks
