"""Whether the process that started a sweep still lives, and setting right what a dead one left RUNNING."""

import getpass
import os
import socket
from collections.abc import Mapping

import psutil

from src.tracking.errors import telling
from src.tracking.records import SWEEP_DIGEST, RunRow
from src.tracking.store import Store

PROCESS_ID = "process_id"
PROCESS_HOST = "process_host"
PROCESS_STARTED = "process_started"
PROCESS_CLAIM = "process_claim"  # "true" where a claim says whether it still lives (src.tracking.claims)

SECONDS_APART = 1.0  # start times are read from a clock that may be set while the process lives


def process_tags(*, claimed: bool = False) -> dict[str, str]:
    """Identify this process, so that another can tell later whether it still lives: by its claim, if it has one."""
    return {
        PROCESS_ID: str(os.getpid()),
        PROCESS_HOST: socket.gethostname(),
        PROCESS_STARTED: repr(psutil.Process().create_time()),
        **({PROCESS_CLAIM: "true"} if claimed else {}),
    }


def is_dead(tags: Mapping[str, str]) -> bool:
    """Say whether the process of these tags is known to be gone.

    One of another machine, or without the tags of `process_tags`, is not known to be dead. A process id is used
    again by the system, so the start time has to agree as well.
    """
    if not {PROCESS_ID, PROCESS_HOST, PROCESS_STARTED} <= set(tags) or tags[PROCESS_HOST] != socket.gethostname():
        return False
    try:
        process = psutil.Process(int(tags[PROCESS_ID]))
        gone = process.status() == psutil.STATUS_ZOMBIE
        return gone or abs(process.create_time() - float(tags[PROCESS_STARTED])) > SECONDS_APART
    except psutil.NoSuchProcess:
        return True


def user() -> str:
    """Return the name of who runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no name for this user id, as in some containers
        return "unknown"


def repair_dead_sweeps(store: Store, *experiment_ids: str, held: str | None = None) -> tuple[RunRow, ...]:
    """Set every sweep that claims to be RUNNING though its process is gone to KILLED, and its unfinished runs with it.

    `held` is the digest of a sweep that this process has claimed: nobody else who claimed it is alive.

    Returns the runs of these sweeps, as they were.

    Raises TrackingError if the store fails.
    """

    def left(run: RunRow) -> bool:
        return run.tags.get(SWEEP_DIGEST) == held and PROCESS_CLAIM in run.tags

    with telling("dead sweeps cannot be set right"):
        running = store.find_runs(experiment_ids, status="RUNNING")
        dead = {run.run_id: run for run in running if run.parent_id is None and (is_dead(run.tags) or left(run))}
        for run in [*(run for run in running if run.parent_id in dead), *dead.values()]:
            store.change_run(run.run_id, status="KILLED")
        return tuple(dead.values())
