"""A Dask cluster of a command's own, on this machine or where a queue gives it workers: started and closed."""

import contextlib
import importlib
import inspect
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import dask
import distributed

from src.config.schema import SweepConfig
from src.kernels import VARIABLE
from src.language import say
from src.sweep.backends import BackendError, workers_of
from src.words import did_you_mean

ASK_AGAIN_SECONDS = 20  # after a job was refused
# Dask's setting of the variables that a worker process starts with.
WORKER_ENVIRONMENT = "distributed.nanny.pre-spawn-environ"
# No lines of its own on the terminal, and no look at the stack every ten milliseconds.
QUIET_WORKER = {"DASK_LOGGING__DISTRIBUTED": "error", "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "false"}
DASHBOARD = "127.0.0.1:0"  # which everybody could read otherwise
# What a cluster's class is told unless sweep.dask.options says otherwise. Under a nanny a worker gives freed memory
# back at once, and training, which waits for the kernel to clear it anew, takes longer.
SCHEDULER = {"dashboard_address": DASHBOARD}
QUEUE = {"cores": 1, "memory": "4GB", "processes": 1, "nanny": False, "scheduler_options": SCHEDULER}
KUBERNETES = {"name": "bp", "n_workers": 1, "quiet": True, "worker_command": ["dask", "worker", "--no-nanny"]}
# A worker is asked for as soon as there is a stack to train; Dask would wait until there is this much work for each.
ADAPT = {"target_duration": "100ms", "interval": "1s", "wait_count": 10}


@contextlib.contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Let what is started within, threads and processes, leave Ctrl-C to the driver."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def elsewhere(kind: str, sweep: SweepConfig) -> Iterator[Any]:
    """Start a cluster elsewhere, with at least one worker and at most `sweep.n_jobs`; close it in any case."""
    make, options = cluster_class(kind, sweep)
    refusals: list[str] = []
    begun = threading.Event()

    def refused(worker: str, error: Exception) -> None:
        refusals.append(_said(error))
        if begun.is_set():
            cluster.loop.call_later(ASK_AGAIN_SECONDS, cluster.workers.pop, worker, None)
            if len(refusals) == 1:
                caution = say(
                    "caution: {cluster} cannot start another worker: {reason}. The sweep goes on with those that are "
                    "there, and asks again every {seconds} s.",
                    cluster=make.__name__,
                    reason=refusals[0],
                    seconds=ASK_AGAIN_SECONDS,
                )
                print(caution, flush=True)

    adapting: Mapping[str, Any] = {}
    if kind != "kubernetes":
        options |= {"n_workers": 1, "job_cls": _refusable(make.job_cls, refused)}
        adapting = ADAPT
    with contextlib.ExitStack() as stack:
        try:
            with _deaf_to_ctrl_c():
                cluster = make(**options)
            stack.enter_context(cluster)
            cluster.adapt(minimum=1, maximum=sweep.n_jobs, **adapting)
        except Exception as error:  # of a library that raises what it likes
            refusals.append(_said(error))
        if refusals:
            raise BackendError(f"sweep.dask.cluster: {make.__name__} cannot be started: {refusals[0]}")
        begun.set()
        yield cluster


def _refusable(job: Any, refused: Callable[[str, Exception], None]) -> Any:
    """A class of jobs, any of which a queue may refuse; Dask would say nothing and count it as a worker to come."""

    class Refusable(job):  # type: ignore[misc]
        async def start(self) -> None:
            try:
                await super().start()
            except Exception as error:  # of a library that raises what it likes
                refused(self.name, error)
                self.status = distributed.Status.running

    return Refusable


def _said(error: Exception) -> str:
    """What a command that starts a job said, in one line."""
    return "; ".join(str(error).rpartition("stderr:")[2].strip().splitlines()) or type(error).__name__


def cluster_class(kind: str, sweep: SweepConfig) -> tuple[Any, dict[str, Any]]:
    """The class of a kind of cluster, and what it is told.

    Raises BackendError if it is not installed, or has no such options.
    """
    package, name = "dask_jobqueue", f"{kind.upper()}Cluster"
    defaults: Mapping[str, Any] = QUEUE
    if kind == "kubernetes":
        package, name, defaults = "dask_kubernetes.operator", "KubeCluster", KUBERNETES
    try:
        make = getattr(importlib.import_module(package), name)
    except ImportError as error:
        missing = package.partition(".")[0].replace("_", "-")
        raise BackendError(
            f"sweep.dask.cluster: {missing} is not installed; install it with pip install {missing}."
        ) from error
    known = _options(make)
    for option in sweep.dask.options:
        if option not in known:
            hint = did_you_mean(option, known) or f" ({', '.join(sorted(known))})"
            raise BackendError(f"sweep.dask.options.{option}: {name} has no such option.{hint}")
    options = {**defaults, **sweep.dask.options}
    if isinstance(given := sweep.dask.options.get("scheduler_options"), dict):
        options["scheduler_options"] = {**SCHEDULER, **given}
    if sweep.blas is not None and kind == "kubernetes":
        options["env"] = {**options.get("env", {}), VARIABLE: sweep.blas}
    elif sweep.blas is not None:
        options["job_script_prologue"] = [*options.get("job_script_prologue", []), f"export {VARIABLE}={sweep.blas}"]
    return make, options


def _options(make: Any) -> set[str]:
    """The names of what a cluster's class, or its class of jobs, can be told; how many workers is ours to say."""
    classes = [*make.__mro__, *getattr(make, "job_cls", object).__mro__]
    specs = [inspect.getfullargspec(vars(one)["__init__"]) for one in classes if "__init__" in vars(one)]
    named = {name for spec in specs for name in (*spec.args, *spec.kwonlyargs)}
    return named - {"self", "n_workers", "asynchronous", "loop", "job_cls", "scheduler", "worker", "workers"}


@contextlib.contextmanager
def here(sweep: SweepConfig) -> Iterator[Any]:
    """Start a cluster on this machine, quiet, deaf to Ctrl-C (which is the driver's), and ended at once on an error."""
    local_cluster: Any = distributed.LocalCluster
    environment = {**dask.config.get(WORKER_ENVIRONMENT), **QUIET_WORKER}
    # Dask's worker gives freed memory back at once, and training then waits for the kernel to clear it anew.
    environment.pop("MALLOC_TRIM_THRESHOLD_", None)
    with _deaf_to_ctrl_c(), dask.config.set({WORKER_ENVIRONMENT: environment}):
        cluster = local_cluster(n_workers=workers_of(sweep), threads_per_worker=1, dashboard_address=DASHBOARD)
    try:
        yield cluster
    except BaseException:
        for nanny in cluster.workers.values():
            nanny.auto_restart = False
            if nanny.pid:
                os.kill(nanny.pid, signal.SIGKILL)
        raise
    finally:
        cluster.close()
