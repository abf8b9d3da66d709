"""Where stacks run: threads or processes of this machine, or a Dask cluster, all through joblib."""

import contextlib
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import joblib
from joblib.externals.loky.process_executor import TerminatedWorkerError
from threadpoolctl import threadpool_limits

from src.errors import UserError
from src.sweep.stacks import Stack, StackResult, failed, job_by_job, run_workload, workloads

if TYPE_CHECKING:  # a worker process imports this module, and has no use for the schema
    from src.config.schema import SweepConfig

# What makes a call fit to travel to the workers.
Sending = Callable[[Callable[[], Any]], Callable[[], Any]]
# How often a job that runs by itself may lose its worker (killed, out of memory) before it is told as failed.
LARGEST_LOSSES = 2
# Seconds between a worker process's looks at whether the sweep's process still lives.
ORPHAN_SECONDS = 1.0


class BackendError(UserError):
    """A backend that cannot be used."""


def run_stacks(
    stacks: Sequence[Stack], sweep: "SweepConfig", on_epochs: Callable[[int], None] | None = None
) -> Generator[StackResult]:
    """Run every stack on the backend of the `sweep` section and yield what each gave, as its workload is completed.

    When a worker is lost, what the workers may have had is run again, each workload by itself, and if it loses its
    worker again each of its jobs by itself: so a job that kills its workers takes no other with it. `on_epochs` is told
    the network epochs as they pass, where the backend shares this process.

    Raises BackendError if the cluster does not answer.
    """
    workers = workers_of(sweep)
    waiting: dict[int, Sequence[Stack]] = dict(enumerate(workloads(stacks, workers)))
    with _backend(sweep) as sending, threadpool_limits(limits=1), _stopping(on_epochs) as passed:
        callback = passed if sweep.backend == "threads" else None
        while waiting:
            try:
                yield from _at_once(waiting, sending, callback)
            except _worker_lost():  # nobody says whose; workloads are begun in their order
                for number in list(waiting)[:workers]:
                    yield from _by_itself(waiting.pop(number), sending)


def _at_once(
    waiting: dict[int, Sequence[Stack]], sending: Sending, on_epochs: Callable[[int], None] | None = None
) -> Generator[StackResult]:
    """Run workloads, each of which is taken out of `waiting` when it is completed; end those that are left."""
    calls = [
        joblib.delayed(sending(partial(_numbered, number, workload, on_epochs)))()
        for number, workload in waiting.items()
    ]
    outputs = joblib.Parallel(return_as="generator_unordered", batch_size=1)(calls)
    try:
        for number, results in outputs:
            del waiting[number]
            yield from results
    finally:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=UserWarning, module="joblib")  # that work was cut off
            outputs.close()


def _by_itself(workload: Sequence[Stack], sending: Sending, losses: int = 0) -> Generator[StackResult]:
    """Run a workload alone that may have lost its worker; if it does, job by job, and then each job again."""
    try:
        yield from _at_once({0: workload}, sending)
    except _worker_lost() as error:
        jobs = list(job_by_job(workload))
        losses += len(jobs) == 1
        if losses == LARGEST_LOSSES:
            yield failed(workload, error)
        else:
            for job in jobs:
                yield from _by_itself(job, sending, losses)


def workers_of(sweep: "SweepConfig") -> int:
    """Return how many stacks are trained at a time."""
    return int(joblib.cpu_count()) if sweep.n_jobs == -1 else sweep.n_jobs


def _numbered(
    number: int, workload: Sequence[Stack], on_epochs: Callable[[int], None] | None
) -> tuple[int, list[StackResult]]:
    return number, run_workload(workload, on_epochs)


class _Stopped(BaseException):
    """Ends a stack in a thread of this process; no Exception, as it is no failure of a job."""


@contextlib.contextmanager
def _stopping(on_epochs: Callable[[int], None] | None) -> Iterator[Callable[[int], None]]:
    """Give a callback for threads that passes on the epochs, and ends what they train once the block is left."""
    left = threading.Event()

    def passed(epochs: int) -> None:
        if left.is_set():
            raise _Stopped
        if on_epochs is not None:
            on_epochs(epochs)

    try:
        yield passed
    finally:
        left.set()


def _worker_lost() -> tuple[type[BaseException], ...]:
    """The exceptions by which the backends in use say that a worker is gone."""
    try:
        from distributed.scheduler import KilledWorker
    except ImportError:
        return (TerminatedWorkerError,)
    return (TerminatedWorkerError, KilledWorker)


@contextlib.contextmanager
def _backend(sweep: "SweepConfig") -> Iterator[Sending]:
    if sweep.backend == "dask":
        from src.sweep.cluster import connected  # Dask is not always installed, and takes a second to import

        with connected(sweep) as sending:
            yield sending
        return
    settings: dict[str, Any] = {"backend": "threading"}
    if sweep.backend == "processes":
        of_worker = {"initializer": _begin_worker, "initargs": (os.getpid(),)}
        settings = {"backend": "loky", "inner_max_num_threads": 1, **of_worker}
    with joblib.parallel_config(n_jobs=sweep.n_jobs, **settings):
        yield lambda call: call


def _begin_worker(driver: int) -> None:
    """Prepare a process of loky: Ctrl-C is the driver's to answer, and a worker ends when the driver is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(driver,), daemon=True).start()


def _end_with(driver: int) -> None:
    while os.getppid() == driver:
        time.sleep(ORPHAN_SECONDS)
    os._exit(1)
