"""Whether the process that started a sweep still lives, and setting right what a dead one left RUNNING."""

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator

import psutil
from filelock import FileLock, Timeout

from src.language import say
from src.tracking.records import RunRow
from src.tracking.store import Store, telling

PROCESS_ID = "process_id"
PROCESS_HOST = "process_host"
PROCESS_STARTED = "process_started"

SECONDS_APART = 1.0  # start times are read from a clock that may be set while the process lives


def process_tags() -> dict[str, str]:
    """Identify this process, so that another can tell later whether it still lives."""
    return {
        PROCESS_ID: str(os.getpid()),
        PROCESS_HOST: socket.gethostname(),
        PROCESS_STARTED: repr(psutil.Process().create_time()),
    }


def is_dead(run: RunRow) -> bool:
    """Say whether a RUNNING run's process is known to be gone.

    A run of another machine, or without the tags of `process_tags`, is not known to be dead. A process id is used
    again by the system, so the start time has to agree as well.
    """
    tags = run.tags
    if not {PROCESS_ID, PROCESS_HOST, PROCESS_STARTED} <= set(tags) or tags[PROCESS_HOST] != socket.gethostname():
        return False
    try:
        process = psutil.Process(int(tags[PROCESS_ID]))
        gone = process.status() == psutil.STATUS_ZOMBIE
        return gone or abs(process.create_time() - float(tags[PROCESS_STARTED])) > SECONDS_APART
    except psutil.NoSuchProcess:
        return True


@contextlib.contextmanager
def claimed(store: Store, digest: str, told: Callable[[str], None]) -> Iterator[None]:
    """Hold a sweep by its digest while it runs; if another command has it, say so with `told` and wait for its end.

    The same sweep typed twice at once is so trained once. A lock ends with its process, however that ends. Over the
    network there is none to hold.
    """
    if store.database is None:
        yield
        return
    lock = FileLock(store.database.with_name(f"{store.database.name}.{digest[:16]}.lock"), timeout=0)
    try:
        lock.acquire()
    except Timeout:
        told(say("Another command runs this very sweep on this store; waiting for its end."))
        lock.acquire(timeout=-1)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # where an open file cannot be removed
            os.unlink(lock.lock_file)
        lock.release()


def repair_dead_sweeps(store: Store, *experiment_ids: str) -> tuple[RunRow, ...]:
    """Set every sweep that claims to be RUNNING though its process is gone to KILLED, and its unfinished runs with it.

    Returns the runs of these sweeps, as they were.

    Raises
    ------
    TrackingError
        If the store fails.
    """
    with telling("dead sweeps cannot be set right"):
        running = store.find_runs(experiment_ids, status="RUNNING")
        dead = {run.run_id: run for run in running if run.parent_id is None and is_dead(run)}
        for run in [*(run for run in running if run.parent_id in dead), *dead.values()]:
            store.change_run(run.run_id, status="KILLED", now=int(time.time() * 1000))
        return tuple(dead.values())
