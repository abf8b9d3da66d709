"""Runs cases, each in a folder of its own with a copy of one store, and says what was wrong."""

import contextlib
import os
import shlex
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.fuzz.cases import Case
from tests.fuzz.check import Breach, Ended, breaches
from tests.fuzz.tables import valid_rows
from tests.processes import ENVIRONMENT, Commands, Limits, alone_in_temp

# The store that cases find: a finished sweep in the experiment `kept`, and a deleted experiment.
KEPT = (
    "-m",
    "model=bp,logistic",
    "training.epochs=2",
    "cv.folds=2",
    "tracking.models=none",
    "tracking.experiment=kept",
)
GONE = ("training.epochs=1", "cv.folds=2", "tracking.models=none", "tracking.experiment=gone")
STANDINS = ("RUN", "JOB")  # for the ids of a sweep and of a job in that store
SECONDS_TO_END = 5.0  # for a command's workers, which look once a second whether it lives


@dataclass(frozen=True)
class Template:
    """What each case's folder is made from."""

    folder: Path
    ids: dict[str, str]
    runs: int


@contextlib.contextmanager
def template(commands: Commands) -> Iterator[Template]:
    """Make the store once."""
    with tempfile.TemporaryDirectory(prefix="fuzz-store-") as name:
        folder = Path(name)
        for arguments in (KEPT, GONE):
            running = commands.start(folder, *arguments, environment=_environment(folder))
            if running.wait() != 0:
                raise RuntimeError(f"the store of the fuzzer cannot be made: {running.err}")
        with closing(sqlite3.connect(folder / "store.db")) as connection, connection:
            connection.execute("UPDATE experiments SET lifecycle_stage = 'deleted' WHERE name = 'gone'")
            jobs = "run_uuid IN (SELECT run_uuid FROM tags WHERE key = 'job_digest')"
            kept = "experiment_id = (SELECT experiment_id FROM experiments WHERE name = 'kept')"
            ids = {
                name: connection.execute(f"SELECT run_uuid FROM runs WHERE {kept} AND {which}").fetchone()[0]
                for name, which in zip(STANDINS, (f"NOT {jobs}", jobs), strict=True)
            }
            (runs,) = connection.execute("SELECT COUNT(*) FROM runs").fetchone()
        with closing(sqlite3.connect(folder / "store.db")) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        yield Template(folder, ids, runs)


def run(
    case: Case,
    commands: Commands,
    made: Template,
    *,
    limits: Limits | None = None,
    real: bool = False,
    keep: Path | None = None,
) -> tuple[Ended, list[Breach]]:
    """Run a case and look for what is wrong.

    Parameters
    ----------
    limits : None for the usual ones.
    real : run it in a new interpreter, without limits of memory and processor time.
    keep : a folder that is to stay.
    """
    with contextlib.nullcontext(keep) if keep else tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name)
        _furnish(folder, case, made)
        arguments = [made.ids.get(argument, argument) for argument in case.arguments]
        if real:
            ended = _as_process(case, arguments, folder)
        else:
            ended = _forked(case, arguments, folder, commands, limits or Limits())
        return ended, list(breaches(case, ended, folder, made.runs))


def _forked(case: Case, arguments: list[str], folder: Path, commands: Commands, limits: Limits) -> Ended:
    running = commands.start(folder, *arguments, module=case.module, environment=_environment(folder), limits=limits)
    status = running.wait()
    return Ended(status, running.out, running.err, running.stuck, _outlived(running.pid))


def _as_process(case: Case, arguments: list[str], folder: Path) -> Ended:
    process = subprocess.Popen(
        alone_in_temp([sys.executable, "-m", case.module, *arguments]),
        cwd=folder,
        env={**os.environ, **ENVIRONMENT, **_environment(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    stuck = ""
    try:
        out, err = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        (out, err), stuck = process.communicate(), "after 120 s"
    texts = (text.decode(errors="backslashreplace") for text in (out, err))
    return Ended(process.returncode, *texts, stuck, _outlived(process.pid))


def _environment(folder: Path) -> dict[str, str]:
    return {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/store.db", "HOME": str(folder)}


def _outlived(group: int) -> tuple[str, ...]:
    """Wait a little for the processes that a command has started, and end those that stay."""
    until = time.monotonic() + SECONDS_TO_END
    while (left := _members(group)) and time.monotonic() < until:
        time.sleep(0.05)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
    return tuple(left)


def _members(group: int) -> list[str]:
    found = []
    for process in psutil.process_iter(["name"]):
        with contextlib.suppress(ProcessLookupError, psutil.Error):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(str(process.info["name"]))
    return found


def _furnish(folder: Path, case: Case, made: Template) -> None:
    """Put the store and the files that paths may name into a case's folder."""
    shutil.copy(made.folder / "store.db", folder)
    good = "\n".join(",".join(row) for row in valid_rows(20, 2)).encode()
    files = {
        "good.csv": good,
        "locked.csv": good,
        "bad.csv.gz": b"\x1f\x8b no gzip",
        "bad.xz": b"\xfd7zXZ\x00 no xz",
        "image.png": b"\x89PNG\r\n\x1a\n" + bytes(200),
        "database.csv": b"SQLite format 3\x00" + bytes(200),
        **case.files,
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "folder").mkdir()
    (folder / "loop").symlink_to("loop")
    (folder / "link.csv").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "socket"))
    with (folder / "sparse.csv").open("wb") as sparse:
        sparse.truncate(3 << 30)


def again(case: Case) -> str:
    """The command that runs a case once more and shows everything."""
    return f"python -m tests.fuzz {shlex.quote(case.name)}"
