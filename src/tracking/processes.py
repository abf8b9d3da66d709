"""Whether the process that started a sweep still lives, and setting right what a dead one left RUNNING."""

import os
import socket
import time

import psutil

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
