"""A Dask cluster: connected to, sent our code, compared with this process, and watched."""

import asyncio
import contextlib
import io
import logging
import socket
import sys
import threading
import time
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial, update_wrapper
from hashlib import sha256
from importlib.metadata import version
from typing import Any

import cloudpickle
import distributed
import joblib
from distributed.comm.addressing import get_address_host_port
from joblib._dask import DaskDistributedBackend

from src.config.identity import SRC
from src.config.schema import SweepConfig
from src.kernels import VARIABLE
from src.language import listed, say_number
from src.sweep import remote, starting
from src.sweep.backends import BackendError, workers_of
from src.words import counted, first_of

# Seconds to wait for a Dask scheduler, or for all workers to compare, before saying that there is no answer.
SCHEDULER_SECONDS = 10
ENVIRONMENT_SECONDS = 60
LOOK_SECONDS = 1  # between looks at whether there is a worker
MOST_NAMED = 3  # workers, and what they have, that a sentence names
# Packages without whose equal versions scheduler, workers and this process do not understand each other.
LANGUAGE = ("python", "dask", "distributed")
LOCKED = "Start it in the environment of requirements.lock."
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

    Raises BackendError if it cannot be started, has no worker in time, or its environment is not this process's;
    ClusterLostError if its scheduler ends, or it has no worker for `sweep.dask.timeout` seconds.
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
                _tell_kernels(found, expected.pop("kernels"))
            check_environments(found, expected)
            alone = _watched(client, sweep.dask.timeout)
            try:
                with joblib.parallel_config(backend=Backend(client, workers_of(sweep)), n_jobs=-1):
                    yield partial(Sent, digest, expected)
            except Exception as error:
                if client.status == "running":
                    raise
                lost, back = "the scheduler is gone", "scheduler"
                if alone.is_set():
                    lost, back = f"no worker for {sweep.dask.timeout:g} s", "worker"
                raise ClusterLostError(
                    f"sweep.dask: {lost}. What is recorded is safe; the same command goes on with the others when "
                    f"there is a {back} again."
                ) from error


def _watched(client: Any, seconds: float) -> threading.Event:
    """Close the client once there has been no worker for so long; the event tells that it was for this."""
    alone = threading.Event()

    async def watch() -> None:
        seen = time.monotonic()
        with contextlib.suppress(OSError):  # the scheduler is gone, which others notice
            while time.monotonic() < seen + seconds:
                await asyncio.sleep(LOOK_SECONDS)
                if client.status != "running":  # the sweep is over
                    return
                if await client.scheduler.ncores():
                    seen = time.monotonic()
            alone.set()
            await client.close()

    client.loop.add_callback(watch)
    return alone


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

    def language(versions: Mapping[str, Any]) -> dict[str, str]:
        packages = versions["packages"]
        return {name: packages[name] for name in LANGUAGE} | {"python": packages["python"].rpartition(".")[0]}

    versions = client.get_versions()
    here = language(versions["client"])
    workers = {f"worker {address}": told for address, told in versions["workers"].items()}
    for who, told in {"the scheduler": versions["scheduler"], **workers}.items():
        for name, found in language(told).items():
            if found != here[name]:
                raise BackendError(
                    f"sweep.dask: {who} has {name} {found}, this command {here[name]}: they do not understand each "
                    f"other. {LOCKED}"
                )


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
                f"sweep.dask: worker {worker} cannot import the code it was sent ({told}). {LOCKED}"
            ) from told
    return found


def _tell_kernels(found: Mapping[str, Mapping[str, str]], here: str) -> None:
    """Caution of workers with other kernels than this process."""
    if others := _others(found, "kernels", here):
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
            here=here,
        )
        print(caution, flush=True)


def check_environments(found: Mapping[str, Mapping[str, str]], expected: Mapping[str, str]) -> None:
    """Refuse workers whose results would not be what their record says.

    Raises BackendError if one has other code, libraries or kernels than expected.
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
        if address is None:
            cluster = stack.enter_context(starting.here(sweep) if kind is None else starting.elsewhere(kind, sweep))
            there = stack.enter_context(client(cluster))
        else:
            try:
                _look_for_scheduler(address)
                there = stack.enter_context(client(address, timeout=SCHEDULER_SECONDS))
            except ValueError as error:  # which may quote a password
                raise BackendError(
                    f"sweep.dask.scheduler: {address} is not the address of a scheduler, such as tcp://10.0.0.1:8786."
                ) from error
            except OSError as error:  # a TimeoutError is one
                raise BackendError(
                    f"sweep.dask.scheduler: {address} does not answer ({error}); start one with `dask scheduler`, "
                    "or leave the key out for a cluster on this machine."
                ) from error
            except Exception as error:  # whatever is said by another version, or by what is no scheduler
                raise BackendError(
                    f"sweep.dask.scheduler: {address} does not understand distributed {version('distributed')} "
                    f"({type(error).__name__}: {error}). {LOCKED}"
                ) from error
            _check_versions(there)  # before workers are waited for, who may not understand it either
        try:
            there.wait_for_workers(1, timeout=sweep.dask.timeout)
        except TimeoutError as error:
            how = f"start one with `dask worker {address}`" if kind is None else "see whether its queue is full"
            raise BackendError(
                f"sweep.dask: no worker within {sweep.dask.timeout:g} s; {how}, or wait longer (sweep.dask.timeout)."
            ) from error
        yield there


def _look_for_scheduler(address: str) -> None:
    """Raise OSError if nothing listens, though it had time to start, or it is silent: Dask would wait for ever."""
    deadline = time.monotonic() + SCHEDULER_SECONDS
    while True:
        try:
            with socket.create_connection(get_address_host_port(address), timeout=SCHEDULER_SECONDS) as connection:
                if address.startswith("tcp://") and not connection.recv(1):
                    raise OSError("it is no scheduler")
            return
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
