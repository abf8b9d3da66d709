"""Grouping the folds of all jobs into stacks, and running a stack.

This module is what a worker process imports: it knows nothing of Hydra, MLflow and the schema.
"""

import itertools
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from src import kernels
from src.evaluation.crossval import EstimatorTask, FoldTask, NetworkTask, StackKeys, fit_fold, fit_stack
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
    """Folds that are fitted together: networks that the engine trains as one stack, or an estimator's folds.

    Attributes
    ----------
    tasks : what is fitted, by its job and its position in the job.
    bytes : about how much memory it takes; 0 where nobody knows (estimators).
    """

    tasks: Mapping[Place, FoldTask]
    bytes: int = 0

    @property
    def networks(self) -> list[NetworkTask]:
        """The networks; none where an estimator is fitted."""
        return [task for task in self.tasks.values() if isinstance(task, NetworkTask)]


@dataclass(frozen=True, eq=False)
class StackResult:
    """What running a stack gave: results by place, the error of each job that failed, when it ran (s since 1970).

    `blas` are the linear algebra libraries that computed it (`src.kernels.loaded`).
    """

    results: Mapping[Place, FoldResult]
    errors: Mapping[int, Failure]
    started: float
    ended: float
    blas: str = field(default_factory=kernels.loaded)


@dataclass(frozen=True, eq=False)
class EndedJob:
    """A job that has ended: with its result, or with its failure; times in seconds since 1970.

    `blas` are the linear algebra libraries that computed it; of workers of several kinds, of each.
    """

    job: "Job"
    outcome: JobResult | Failure
    started: float
    ended: float
    blas: str


@dataclass(frozen=True, eq=False)
class Step:
    """What a worker has given back: how many networks and other models it has fitted, and the jobs that end by it."""

    networks: int
    others: int
    ended: tuple[EndedJob, ...]


def make_stacks(jobs: Mapping[int, "Job"], n_jobs: int, max_bytes: int) -> list[Stack]:
    """Group the folds of these jobs into stacks, in an order in which jobs are completed one after the other.

    Jobs whose folds fall into the same stacks are cut into chunks of at most LARGEST_STACK networks and `max_bytes`
    bytes (at least one job each), so that results come as the sweep goes on and several workers have something to do.
    """
    keys = StackKeys()
    alike: dict[Hashable, dict[int, list[Stack]]] = {}
    others = []
    for number, job in jobs.items():
        grouped: dict[tuple[Hashable, int], dict[Place, FoldTask]] = {}
        for position, task in job.tasks.items():
            kind: tuple[Hashable, int] = None, 0
            if isinstance(task, NetworkTask):
                samples = len(task.fold.train) + len(task.fold.test)
                kind = keys.of(task), network_bytes(task.settings, task.classes, keys.inputs(task), samples)
            grouped.setdefault(kind, {})[number, position] = task
        made = [Stack(tasks, len(tasks) * size) for (_, size), tasks in grouped.items()]
        if job.is_network:
            alike.setdefault(tuple((key, len(tasks)) for (key, _), tasks in grouped.items()), {})[number] = made
        else:
            others += made
    stacks = []
    for of_jobs in alike.values():
        numbers = sorted(of_jobs, key=lambda number: jobs[number].checked.seed)  # same folds: prepared once a stack
        own = of_jobs[numbers[0]]
        folds = sum(len(stack.tasks) for stack in own)
        share = -(-len(numbers) * folds // (STACKS_PER_WORKER * n_jobs))  # rounded up
        largest = LARGEST_STACK if n_jobs == 1 else min(LARGEST_STACK, share)
        size = max(1, min(largest // folds, max_bytes // sum(stack.bytes for stack in own)))
        for start in range(0, len(numbers), size):
            chunk = [of_jobs[number] for number in numbers[start : start + size]]
            for like in zip(*chunk, strict=True):
                tasks = {place: task for stack in like for place, task in stack.tasks.items()}
                stacks.append(Stack(tasks, sum(stack.bytes for stack in like)))
    return stacks + others


def workloads(stacks: Sequence[Stack], workers: int) -> list[tuple[Stack, ...]]:
    """Put stacks of the same jobs together, for one worker to run one after the other.

    Workloads are equally large, the stacks in them are not: so workers end at about the same time, and every workload
    completes its jobs. Where there are fewer workloads than workers, each stack is one.
    """
    same_jobs = itertools.groupby(stacks, key=lambda stack: {number for number, _ in stack.tasks})
    together = [tuple(group) for _, group in same_jobs]
    return together if len(together) >= workers else [(stack,) for stack in stacks]


def run_workload(workload: Iterable[Stack], on_epochs: Callable[[int], None] | None = None) -> list[StackResult]:
    """Run stacks one after the other; one that fails is run job by job, so that a job takes no other with it."""
    results = []
    for stack in workload:
        started = time.time()
        try:
            results.append(run_stack(stack, on_epochs))
        except Exception as error:
            jobs = list(job_by_job([stack]))
            if len(jobs) > 1:
                results += run_workload(itertools.chain(*jobs), on_epochs)
            else:
                results.append(failed([stack], error, started))
    return results


def run_stack(stack: Stack, on_epochs: Callable[[int], None] | None = None) -> StackResult:
    """Fit and score a stack with one thread of each library."""
    started = time.time()
    with threadpool_limits(limits=1):
        results = fit_stack(stack.networks, on_epochs) if stack.networks else []
        results += [fit_fold(task) for task in stack.tasks.values() if isinstance(task, EstimatorTask)]
    return StackResult(dict(zip(stack.tasks, results, strict=True)), {}, started, time.time())


def job_by_job(workload: Sequence[Stack]) -> Iterator[Sequence[Stack]]:
    """Split a workload into those of one job each; what is stacked has no effect on any result."""
    for number in dict.fromkeys(number for stack in workload for number, _ in stack.tasks):
        parts = [{place: task for place, task in stack.tasks.items() if place[0] == number} for stack in workload]
        yield [Stack(tasks) for tasks in parts if tasks]


def failed(stacks: Iterable[Stack], error: BaseException, started: float | None = None) -> StackResult:
    """Return what is said of stacks that could not be run; they `started` now if nobody knows when."""
    failure, now = Failure.of(error), time.time()
    numbers = {number: failure for stack in stacks for number, _ in stack.tasks}
    return StackResult({}, numbers, started or now, now)


def steps(jobs: Mapping[int, "Job"], results: Iterable[StackResult]) -> Iterator[Step]:
    """Put the folds that come back from stacks together to jobs; each job ends once, with its first failure if any."""
    folds: dict[int, dict[Position, FoldResult]] = {number: {} for number in jobs}
    started: dict[int, float] = {}
    blas: dict[int, set[str]] = {}
    for stack in results:
        others = sum(not jobs[number].is_network for number, _ in stack.results)
        for number in dict.fromkeys([*stack.errors, *(number for number, _ in stack.results)]):
            started[number] = min(stack.started, started.get(number, stack.started))
            blas.setdefault(number, set()).add(stack.blas)
        outcomes: dict[int, JobResult | Failure] = {
            number: error for number, error in stack.errors.items() if folds.pop(number, None) is not None
        }
        for (number, position), fold in stack.results.items():
            if number in folds:  # none other of its folds has failed
                folds[number][position] = fold
                if len(folds[number]) == len(jobs[number].tasks):
                    outcomes[number] = _job_result(folds.pop(number))
        ended = tuple(
            EndedJob(jobs[number], outcome, started[number], stack.ended, " and ".join(sorted(blas[number])))
            for number, outcome in outcomes.items()
        )
        yield Step(len(stack.results) - others, others, ended)


def _job_result(folds: Mapping["Position", FoldResult]) -> JobResult:
    """Put a job's folds in order, each with the mean scores and the warnings of the folds inside its training part."""
    made = []
    for outer in sorted(outer for outer, inner in folds if inner is None):
        fold = folds[outer, None]
        inside = [each for (number, inner), each in folds.items() if number == outer and inner is not None]
        means = {name: [each.test_scores[name] for each in inside] for name in fold.test_scores if inside}
        scores = {name: float(np.mean(values)) for name, values in means.items()} or None
        warnings = tuple(text for each in (fold, *inside) for text in each.warnings)
        made.append(replace(fold, inner_scores=scores, warnings=warnings))
    return JobResult(tuple(made))
