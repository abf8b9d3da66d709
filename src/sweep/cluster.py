"""A Dask cluster: connected to or started, sent our code, compared with this process, and closed."""

import contextlib
import importlib
import inspect
import io
import logging
import os
import signal
import sys
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial, update_wrapper
from hashlib import sha256
from importlib.metadata import version
from typing import Any

import cloudpickle
import dask
import distributed
import joblib
from joblib._dask import DaskDistributedBackend

from src.config.identity import SRC
from src.config.schema import SweepConfig
from src.kernels import VARIABLE
from src.language import listed, say_number
from src.sweep import remote
from src.sweep.backends import BackendError, workers_of
from src.words import counted, did_you_mean, first_of

# Seconds to wait for a Dask scheduler, or for all workers to compare, before saying that there is no answer.
SCHEDULER_SECONDS = 10
ENVIRONMENT_SECONDS = 60
MOST_NAMED = 3  # workers, and what they have, that a sentence names
# Packages without whose equal versions scheduler, workers and this process do not understand each other.
LANGUAGE = ("python", "dask", "distributed")
# Dask's setting of the variables that a worker process starts with.
WORKER_ENVIRONMENT = "distributed.nanny.pre-spawn-environ"
# No lines of its own on the terminal, and no look at the stack every ten milliseconds.
QUIET_WORKER = {"DASK_LOGGING__DISTRIBUTED": "error", "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "false"}
# The class of each kind of cluster, and what it is told unless sweep.dask.options says otherwise. Under a nanny a
# worker gives freed memory back at once, and training, which waits for the kernel to clear it anew, takes longer.
QUEUE = {"cores": 1, "memory": "4GB", "processes": 1, "nanny": False, "scheduler_options": {"dashboard_address": ":0"}}
CLUSTERS: Mapping[str, tuple[str, str, Mapping[str, Any]]] = {
    "slurm": ("dask_jobqueue", "SLURMCluster", QUEUE),
    "pbs": ("dask_jobqueue", "PBSCluster", QUEUE),
    "lsf": ("dask_jobqueue", "LSFCluster", QUEUE),
    "sge": ("dask_jobqueue", "SGECluster", QUEUE),
    "kubernetes": (
        "dask_kubernetes.operator",
        "KubeCluster",
        {"name": "bp", "n_workers": 1, "quiet": True, "worker_command": ["dask", "worker", "--no-nanny"]},
    ),
}
# A worker is asked for as soon as there is a stack to train; Dask would wait until there is this much work for each.
ADAPT = {"target_duration": "100ms", "interval": "1s", "wait_count": 10}

cloudpickle.register_pickle_by_value(remote)


class ClusterLostError(BackendError):
    """A scheduler that is gone while jobs ran."""

    exit_status = 1


class Backend(DaskDistributedBackend):  # type: ignore[misc]  # joblib has no types
    """Dask as joblib knows it, for workers that come later too: joblib hands out as many calls as the first can do."""

    def __init__(self, client: Any = None, workers: int = 0) -> None:
        super().__init__(client=client)
        self.workers = workers

    def effective_n_jobs(self, n_jobs: int) -> int:
        """How many workers there may be; at least two, as joblib makes the calls itself where there is one."""
        there: int = sum(self.client.ncores().values())
        return max(2, self.workers, there)


class Sent:
    """A call that a cluster can make: a scheduler, which unpickles its tasks too, needs nothing of ours for it."""

    def __init__(self, digest: str, expected: Mapping[str, str], call: Callable[[], Any]) -> None:
        update_wrapper(self, remote.call)
        self._digest, self._expected, self._call = digest, expected, call

    def __call__(self) -> Any:
        """Make the call here."""
        return self._call()

    def __reduce__(self) -> Any:
        there = partial(remote.call, self._digest, self._expected, cloudpickle.dumps(self._call))
        return cloudpickle.loads, (cloudpickle.dumps(there),)


@contextlib.contextmanager
def connected(sweep: SweepConfig) -> Iterator[Callable[[Callable[[], Any]], Sent]]:
    """Have the cluster of `sweep.dask` ready, as joblib's backend; give what makes a call fit to travel to it.

    Raises
    ------
    BackendError
        If it cannot be started, has no worker in time, or its environment is not this process's.
    """
    for name in ("distributed", "distributed.client"):  # what matters is told in our words
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sending large graph")
        warnings.filterwarnings("ignore", "\nMismatched versions|Mismatched versions")  # told below
        with _client(sweep) as client:
            _check_versions(client)
            digest, archive = packed_code()
            client.register_plugin(remote.Code(digest, archive))
            expected = remote.environment(digest)
            found = _environments(client, digest)
            if sweep.blas is None:
                kernels = expected.pop("kernels")
                if others := _others(found, "kernels", kernels):
                    caution = say_number(
                        "caution: {number} worker of {count} ({workers}) with kernels {other}, this command with "
                        "{here}: the last bits of a result depend on which of them trains it. sweep.blas=NAME asks all "
                        "for the same.",
                        "caution: {number} workers of {count} ({workers}) with kernels {other}, this command with "
                        "{here}: the last bits of a result depend on which of them trains it. sweep.blas=NAME asks all "
                        "for the same.",
                        len(others),
                        count=len(found),
                        workers=listed(others, most=MOST_NAMED),
                        other=listed(sorted(set(others.values())), most=MOST_NAMED),
                        here=kernels,
                    )
                    print(caution, flush=True)
            check_environments(found, expected)
            try:
                with joblib.parallel_config(backend=Backend(client, workers_of(sweep)), n_jobs=-1):
                    yield partial(Sent, digest, expected)
            except Exception as error:
                if client.status == "running":
                    raise
                raise ClusterLostError(
                    "sweep.dask: the scheduler is gone. What is recorded is safe; the same command goes on with the "
                    "others when there is a scheduler again."
                ) from error


def packed_code() -> tuple[str, bytes]:
    """Our code as an archive, with its digest, by which this process knows it too."""
    files = {path.relative_to(SRC.parent).as_posix(): path.read_bytes() for path in sorted(SRC.rglob("*.py"))}
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in files.items():
            packed.writestr(name, text)
    digest = sha256(repr(files).encode()).hexdigest()[:16]
    setattr(sys.modules["src"], remote.MARK, digest)
    return digest, archive.getvalue()


def _check_versions(client: Any) -> None:
    """Refuse programs that do not understand each other."""
    versions = client.get_versions()
    here = _language(versions["client"])
    for who, there in {"the scheduler": versions["scheduler"], **versions["workers"]}.items():
        for name, found in _language(there).items():
            if found != here[name]:
                raise BackendError(
                    f"sweep.dask: {who if ' ' in who else f'worker {who}'} has {name} {found}, this command "
                    f"{here[name]}: they do not understand each other. Start it in the environment of "
                    "requirements.lock."
                )


def _language(versions: Mapping[str, Any]) -> dict[str, str]:
    packages = versions["packages"]
    return {name: packages[name] for name in LANGUAGE} | {"python": ".".join(packages["python"].split(".")[:2])}


def _environments(client: Any, digest: str) -> dict[str, dict[str, str]]:
    """Ask every worker for its environment, which it can tell when it has our code and can import what that needs."""

    async def asked() -> Any:
        return await client.run(remote.environment, digest, on_error="return")

    try:
        found: dict[str, Any] = client.sync(asked, callback_timeout=ENVIRONMENT_SECONDS)
    except TimeoutError as error:
        raise BackendError(f"sweep.dask: some worker does not answer within {ENVIRONMENT_SECONDS} s.") from error
    for worker, told in found.items():
        if isinstance(told, BaseException):
            raise BackendError(
                f"sweep.dask: worker {worker} cannot import the code it was sent ({told}). "
                "Start it in the environment of requirements.lock."
            ) from told
    return found


def check_environments(found: Mapping[str, Mapping[str, str]], expected: Mapping[str, str]) -> None:
    """Refuse workers whose results would not be what their record says.

    Raises
    ------
    BackendError
        If one has other code, libraries or kernels than expected.
    """
    for name, wanted in expected.items():
        if others := _others(found, name, wanted):
            how = f"{VARIABLE}={wanted.split()[-1]}" if name == "kernels" else "the packages of requirements.lock"
            raise BackendError(
                f"sweep.dask: {counted(len(others), 'worker')} of {len(found)} ({first_of(others, MOST_NAMED)}) with "
                f"{name} {first_of(sorted(set(others.values())), MOST_NAMED)}, this command with {wanted}, and its "
                f"results would have other bits. Start it with {how}."
            )


def _others(found: Mapping[str, Mapping[str, str]], name: str, here: str) -> dict[str, str]:
    """What each worker has that has not the same as this process."""
    return {worker: told[name] for worker, told in found.items() if told[name] != here}


@contextlib.contextmanager
def _client(sweep: SweepConfig) -> Iterator[Any]:
    """Connect to the scheduler at `sweep.dask.scheduler` or to a cluster of our own; wait for a worker."""
    address, kind = sweep.dask.scheduler, sweep.dask.cluster
    client: Any = distributed.Client  # distributed has no types
    with contextlib.ExitStack() as stack:
        if address is not None:
            there = stack.enter_context(_told_of_connecting(address, client))
        else:
            started = _own_cluster(sweep) if kind is None else _started(kind, sweep)
            there = stack.enter_context(client(stack.enter_context(started)))
        try:
            there.wait_for_workers(1, timeout=sweep.dask.timeout)
        except TimeoutError as error:
            how = f"start one with `dask worker {address}`" if kind is None else "see whether its queue is full"
            raise BackendError(
                f"sweep.dask: no worker within {sweep.dask.timeout:g} s; {how}, or wait longer (sweep.dask.timeout)."
            ) from error
        yield there


def _told_of_connecting(address: str, client: Any) -> Any:
    try:
        return client(address, timeout=SCHEDULER_SECONDS)
    except OSError as error:  # a TimeoutError is one
        raise BackendError(
            f"sweep.dask.scheduler: {address} does not answer ({error}); start one with `dask scheduler`, "
            "or leave the key out for a cluster on this machine."
        ) from error
    except Exception as error:  # whatever a scheduler says that speaks another version's language
        raise BackendError(
            f"sweep.dask.scheduler: {address} does not understand distributed {version('distributed')} "
            f"({type(error).__name__}: {error}); start it in the environment of requirements.lock."
        ) from error


@contextlib.contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Let what is started within, threads and processes, leave Ctrl-C to the driver."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _started(kind: str, sweep: SweepConfig) -> Iterator[Any]:
    """Start a cluster elsewhere, with at least one worker and at most `sweep.n_jobs`; close it in any case."""
    make, options = _class(kind, sweep)
    with contextlib.ExitStack() as stack:
        try:
            with _deaf_to_ctrl_c():
                cluster = make(**options)
            stack.callback(_close, cluster)
            if kind != "kubernetes":  # whose controller starts its first worker

                async def begun() -> None:
                    await cluster

                cluster.worker_spec.update(cluster.new_worker_spec())
                cluster.sync(begun)  # raises if the job is refused; `scale` would only log it
            cluster.adapt(minimum=1, maximum=sweep.n_jobs, **({} if kind == "kubernetes" else ADAPT))
        except Exception as error:  # of a library that raises what it likes
            said = str(error).rpartition("stderr:")[2].split()
            raise BackendError(
                f"sweep.dask.cluster: {make.__name__} cannot be started: {' '.join(said) or type(error).__name__}"
            ) from error
        yield cluster


def _close(cluster: Any) -> None:
    try:
        cluster.close()
    except AssertionError:  # about a worker whose job was refused
        cluster.shutdown_on_close = False  # or Dask would try for ten more seconds as Python ends


def check(sweep: SweepConfig) -> None:
    """Refuse a cluster whose class is not installed, or has no such options; raises BackendError."""
    if sweep.dask.cluster is not None:
        _class(sweep.dask.cluster, sweep)


def _class(kind: str, sweep: SweepConfig) -> tuple[Any, dict[str, Any]]:
    """The class of a kind of cluster, and what it is told."""
    package, name, defaults = CLUSTERS[kind]
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
        options["scheduler_options"] = {**defaults["scheduler_options"], **given}
    if sweep.blas is not None and kind == "kubernetes":
        options["env"] = {**options.get("env", {}), VARIABLE: sweep.blas}
    elif sweep.blas is not None:
        options["job_script_prologue"] = [*options.get("job_script_prologue", []), f"export {VARIABLE}={sweep.blas}"]
    return make, options


def _options(make: Any) -> set[str]:
    """The names of what a cluster's class, or its class of jobs, can be told; how many workers is ours to say."""
    classes = [*make.__mro__, *getattr(make, "job_cls", object).__mro__]
    inits = [vars(one)["__init__"] for one in classes if "__init__" in vars(one) and one is not object]
    named = {name for init in inits for name in inspect.signature(init).parameters}
    return named - {
        "self",
        "args",
        "kwargs",
        "job_kwargs",
        "base_class_kwargs",
        "n_workers",
        "asynchronous",
        "loop",
        "job_cls",
        "scheduler",
        "worker",
        "workers",
    }


@contextlib.contextmanager
def _own_cluster(sweep: SweepConfig) -> Iterator[Any]:
    """Start a cluster on this machine, quiet, deaf to Ctrl-C (which is the driver's), and ended at once on an error."""
    local_cluster: Any = distributed.LocalCluster
    environment = {**dask.config.get(WORKER_ENVIRONMENT), **QUIET_WORKER}
    # Dask's worker gives freed memory back at once, and training then waits for the kernel to clear it anew.
    environment.pop("MALLOC_TRIM_THRESHOLD_", None)
    with _deaf_to_ctrl_c(), dask.config.set({WORKER_ENVIRONMENT: environment}):
        cluster = local_cluster(n_workers=workers_of(sweep), threads_per_worker=1, dashboard_address=":0")
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
