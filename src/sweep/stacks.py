"""Grouping the folds of all jobs into stacks, and running a stack.

This module is what a worker process imports: it knows nothing of Hydra, MLflow and the schema.
"""

import itertools
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from src.evaluation.crossval import FoldTask, StackKeys, fit_fold, fit_stack
from src.evaluation.results import Failure, FoldResult, JobResult
from src.models import network_bytes

if TYPE_CHECKING:
    from src.sweep.jobs import Job, Position

# A job (a key of the caller's) and a position in it.
Place = tuple[int, "Position"]

# More networks than this in one stack train no faster, and their results would come later.
LARGEST_STACK = 256
# Stacks for each worker, so that workers end at about the same time.
STACKS_PER_WORKER = 4


@dataclass(frozen=True, eq=False)
class Stack:
    """Folds that are fitted together: networks of one shape, or the folds of one model that is no network.

    Attributes
    ----------
    tasks
        What is fitted.
    places
        For each task, its job and its position in the job.
    networks
        Whether the engine trains them, as one stack.
    curve_epochs
        The epochs after which losses are recorded.
    bytes
        About how much memory it takes; 0 where nobody knows (models that are no networks).
    """

    tasks: tuple[FoldTask, ...]
    places: tuple[Place, ...]
    networks: bool
    curve_epochs: tuple[int, ...] = ()
    bytes: int = 0


@dataclass(frozen=True, eq=False)
class StackResult:
    """What running a stack gave: results by place, the error of each job that failed, when it ran (s since 1970)."""

    results: Mapping[Place, FoldResult]
    errors: Mapping[int, Failure]
    started: float
    ended: float


@dataclass(frozen=True, eq=False)
class EndedJob:
    """A job that has ended: with its result, or with its failure; times in seconds since 1970."""

    number: int
    result: JobResult | None
    error: Failure | None
    started: float
    ended: float


def make_stacks(jobs: Mapping[int, "Job"], n_jobs: int, max_bytes: int) -> list[Stack]:
    """Group the folds of these jobs into stacks, in an order in which jobs are completed one after the other.

    Jobs whose folds fall into the same stacks are cut into portions of at most LARGEST_STACK networks and `max_bytes`
    bytes, so that results come as the sweep goes on and several workers have something to do.
    """
    networks = {key: job for key, job in jobs.items() if job.is_network}
    others = {key: job for key, job in jobs.items() if not job.is_network}
    alike: dict[Hashable, list[int]] = {}
    keys = StackKeys()
    fold_keys = {number: [keys.of(task) for task in job.tasks.values()] for number, job in networks.items()}
    for number, job in networks.items():
        alike.setdefault((job.checked.tracking.curve_points, *fold_keys[number]), []).append(number)
    stacks = []
    for numbers in alike.values():
        numbers.sort(key=lambda number: jobs[number].checked.seed)  # same folds: their rows are prepared once a stack
        share = _ceil(sum(len(jobs[number].tasks) for number in numbers), STACKS_PER_WORKER * n_jobs)
        largest = LARGEST_STACK if n_jobs == 1 else min(LARGEST_STACK, share)
        for portion in _portions(numbers, networks, keys, largest, max_bytes):
            stacks += _network_stacks(portion, networks, fold_keys, keys)
    return stacks + [_other_stack(number, job) for number, job in others.items()]


def portions(stacks: Sequence[Stack], workers: int) -> list[tuple[Stack, ...]]:
    """Put stacks of the same jobs together, for one worker to run one after the other.

    Portions are equally large, the stacks in them are not: so workers end at about the same time, and every portion
    completes its jobs. Where there are fewer portions than workers, each stack is one.
    """
    same_jobs = itertools.groupby(stacks, key=lambda stack: {number for number, _ in stack.places})
    together = [tuple(group) for _, group in same_jobs]
    return together if len(together) >= workers else [(stack,) for stack in stacks]


def _ceil(amount: int, parts: int) -> int:
    return -(-amount // parts)


def _task_bytes(task: FoldTask, keys: StackKeys) -> int:
    samples = len(task.fold.train) + len(task.fold.test)
    return network_bytes(task.parameters, len(task.dataset.class_names), keys.inputs(task), samples)


def _portions(
    numbers: Sequence[int], jobs: Mapping[int, "Job"], keys: StackKeys, largest: int, max_bytes: int
) -> Iterator[Sequence[int]]:
    """Cut a list of jobs with alike folds into portions that keep to the limits (at least one job each)."""
    job = jobs[numbers[0]]
    job_bytes = sum(_task_bytes(task, keys) for task in job.tasks.values())
    size = max(1, min(largest // len(job.tasks), max_bytes // job_bytes))
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]


def _network_stacks(
    numbers: Sequence[int], jobs: Mapping[int, "Job"], fold_keys: Mapping[int, Sequence[Hashable]], keys: StackKeys
) -> list[Stack]:
    """Make the stacks of one portion: a stack for each size that the training parts have."""
    grouped: dict[Hashable, list[tuple[FoldTask, Place]]] = {}
    for number in numbers:
        for (position, task), key in zip(jobs[number].tasks.items(), fold_keys[number], strict=True):
            grouped.setdefault(key, []).append((task, (number, position)))
    checked = jobs[numbers[0]].checked
    epochs = curve_epochs(checked.training.epochs, checked.tracking.curve_points)
    return [
        Stack(
            tasks=tuple(task for task, _ in members),
            places=tuple(place for _, place in members),
            networks=True,
            curve_epochs=epochs,
            bytes=len(members) * _task_bytes(members[0][0], keys),
        )
        for members in grouped.values()
    ]


def _other_stack(number: int, job: "Job") -> Stack:
    return Stack(tuple(job.tasks.values()), tuple((number, position) for position in job.tasks), networks=False)


def curve_epochs(epochs: int, points: int) -> tuple[int, ...]:
    """Return at most `points` epochs from 1 to the last, evenly spaced, at which a curve is recorded."""
    return tuple(np.unique(np.linspace(1, epochs, min(points, epochs)).round().astype(int)).tolist())


def run_stack(stack: Stack, on_epochs: Callable[[int], None] | None = None) -> StackResult:
    """Fit and score a stack with one BLAS thread; a job that fails is told and does not take others with it."""
    started = time.time()
    with threadpool_limits(limits=1, user_api="blas"):
        try:
            return StackResult(_fit(stack, on_epochs), {}, started, time.time())
        except Exception as error:
            numbers = list(dict.fromkeys(number for number, _ in stack.places))
            if len(numbers) == 1:
                return StackResult({}, {numbers[0]: Failure.of(error)}, started, time.time())
            return _merged([run_stack(_only(stack, number), on_epochs) for number in numbers])


def run_portion(portion: Sequence[Stack], on_epochs: Callable[[int], None] | None = None) -> StackResult:
    """Run stacks one after the other; see `run_stack`."""
    return _merged([run_stack(stack, on_epochs) for stack in portion])


def failed(stacks: Iterable[Stack], error: BaseException) -> StackResult:
    """Return what is said of stacks that could not be run at all."""
    told, now = Failure.of(error), time.time()
    return StackResult({}, {number: told for stack in stacks for number, _ in stack.places}, now, now)


def _fit(stack: Stack, on_epochs: Callable[[int], None] | None) -> dict[Place, FoldResult]:
    if stack.networks:
        results = fit_stack(stack.tasks, curve_epochs=stack.curve_epochs, on_epochs=on_epochs)
    else:
        results = [fit_fold(task) for task in stack.tasks]
    return dict(zip(stack.places, results, strict=True))


def _only(stack: Stack, number: int) -> Stack:
    """Return the part of a stack that belongs to one job."""
    chosen = [position for position, (job, _) in enumerate(stack.places) if job == number]
    return Stack(
        tuple(stack.tasks[position] for position in chosen),
        tuple(stack.places[position] for position in chosen),
        stack.networks,
        stack.curve_epochs,
    )


def _merged(parts: Sequence[StackResult]) -> StackResult:
    return StackResult(
        {place: result for part in parts for place, result in part.results.items()},
        {number: error for part in parts for number, error in part.errors.items()},
        min(part.started for part in parts),
        max(part.ended for part in parts),
    )


class Collector:
    """Puts the folds that come back from stacks together to jobs."""

    def __init__(self, jobs: Mapping[int, "Job"]) -> None:
        self._expected = {number: len(job.tasks) for number, job in jobs.items()}
        self._folds: dict[int, dict[Position, FoldResult]] = {number: {} for number in jobs}
        self._started: dict[int, float] = {}

    def take(self, stack: StackResult) -> Iterator[EndedJob]:
        """Yield each job that this stack completes, and each that it shows to have failed; every job once."""
        for number in dict.fromkeys([*stack.errors, *(number for number, _ in stack.results)]):
            self._started[number] = min(stack.started, self._started.get(number, stack.started))
        for number, error in stack.errors.items():
            if self._folds.pop(number, None) is not None:
                yield EndedJob(number, None, error, self._started[number], stack.ended)
        for (number, position), fold in stack.results.items():
            if number not in self._folds:  # another of its folds has failed
                continue
            self._folds[number][position] = fold
            if len(self._folds[number]) == self._expected[number]:
                result = _job_result(self._folds.pop(number))
                yield EndedJob(number, result, None, self._started[number], stack.ended)


def _job_result(folds: Mapping["Position", FoldResult]) -> JobResult:
    """Put a job's folds in order, each with the mean scores of the folds inside its training part."""
    inner: dict[int, list[dict[str, float]]] = {}
    for (outer, place), fold in folds.items():
        if place is not None:
            inner.setdefault(outer, []).append(fold.test_scores)
    outer_folds = sorted(outer for outer, place in folds if place is None)
    return JobResult(tuple(replace(folds[outer, None], inner_scores=_mean(inner.get(outer))) for outer in outer_folds))


def _mean(scores: Sequence[Mapping[str, float]] | None) -> dict[str, float] | None:
    return None if scores is None else {name: float(np.mean([each[name] for each in scores])) for name in scores[0]}
