"""Runs on their way to a server: each waits on disk until it is written there, while the next jobs are trained.

What waits outlives this process: the next command of the same sweep finds it.
"""

import contextlib
import hashlib
import json
import shutil
import threading
import time
import uuid
import zipfile
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from itertools import islice
from pathlib import Path

from filelock import FileLock, Timeout

from src.escaping import masked
from src.folders import own_folder
from src.tracking.errors import telling
from src.tracking.patience import Patience
from src.tracking.records import JOB_DIGEST, DatasetRow, NewRun, RunRow
from src.tracking.store import Store

FOLDER = own_folder() / "waiting"
TOGETHER = 32  # runs that are given to the store at once: what is looked for again where an answer was lost
_RUN = "run.json"  # in a file that waits, beside the run's artifacts
_LOOK_SECONDS = 0.2


def write_run(file: Path, run: NewRun) -> None:
    """Write a run into a ZIP file, which is there whole or not at all."""
    growing = file.with_suffix(".part")
    known = {"run": asdict(run.run), "points": list(run.points), "dataset": run.dataset and asdict(run.dataset)}
    with zipfile.ZipFile(growing, "w") as archive:
        archive.writestr(_RUN, json.dumps(known, ensure_ascii=False))
        for path, content in run.files.items():
            archive.writestr(f"artifacts/{path}", content)
    growing.replace(file)


def read_run(file: Path) -> NewRun:
    """Read back what `write_run` wrote, equal and of the same types."""
    with zipfile.ZipFile(file) as archive:
        known = json.loads(archive.read(_RUN))
        files = {name.removeprefix("artifacts/"): archive.read(name) for name in archive.namelist() if name != _RUN}
    dataset = None if known["dataset"] is None else DatasetRow(**known["dataset"])
    return NewRun(
        RunRow(**known["run"]), [(name, value, step) for name, value, step in known["points"]], dataset, files
    )


class Sender:
    """Writes runs to a server in a thread of its own, in the order they are given; close it at the end.

    Parameters
    ----------
    store, patience : the server, and how long it may be gone.
    experiment_id, digest : identify the sweep; what earlier commands of it could not send is sent first.
    check : None, or raises TrackingError where this command may no longer write, as another has taken the sweep over.

    Raises TrackingError if nothing can be kept on disk.
    """

    def __init__(
        self, store: Store, patience: Patience, experiment_id: str, digest: str, check: Callable[[], None] | None
    ) -> None:
        self._store = store
        self._patience = patience
        self._check = check
        self._waiting: deque[Path] = deque()
        self._known: set[Path] = set()  # files of earlier commands, whose runs may be there in part
        self._written: dict[str, RunRow] = {}
        self._error: Exception | None = None
        self._closed = False
        self._changed = threading.Condition()
        place = f"{masked(store.address)} {experiment_id} {digest}"
        self._of_sweep = FOLDER / hashlib.sha256(place.encode()).hexdigest()[:16]
        self.folder = self._of_sweep / uuid.uuid4().hex[:16]
        with telling(f"jobs that are to be sent cannot wait in {self.folder}"):
            self.folder.mkdir(parents=True)
            self._lock = FileLock(self.folder / "lock", timeout=0)
            self._lock.acquire()
            self._adopt()
        self._thread = threading.Thread(target=self._send, name="sending", daemon=True)
        self._thread.start()

    def _adopt(self) -> None:
        """Take over the files of commands that live no longer."""
        for folder in self._of_sweep.iterdir():
            if folder == self.folder:
                continue
            try:
                with FileLock(folder / "lock", timeout=0):
                    for file in sorted(folder.glob("*.zip")):
                        taken = file.replace(self.folder / file.name)
                        self._known.add(taken)
                        self._waiting.append(taken)
                    shutil.rmtree(folder)
            except Timeout:
                pass  # of a command that is at it

    @property
    def count(self) -> int:
        """How many runs wait."""
        return len(self._waiting)

    def send(self, runs: Sequence[NewRun]) -> None:
        """Take in runs to be written; when this returns they outlive this process.

        Raises TrackingError if the disk cannot hold them, or an earlier run could not be written.
        """
        for run in runs:
            if self._error is not None:
                raise self._error
            file = self.folder / f"{time.time_ns()}.zip"
            with telling(f"the run {run.run.name!r} cannot wait in {self.folder}"):
                write_run(file, run)
            with self._changed:
                self._waiting.append(file)
                self._changed.notify_all()

    def sent(self) -> dict[str, RunRow]:
        """Wait until all runs are written; return those that were since the last call, by their jobs' digests.

        Raises TrackingError if one cannot be written; it and those after it stay on disk.
        """
        with self._changed:
            while self._waiting and self._error is None:
                self._changed.wait(_LOOK_SECONDS)
            if self._error is not None:
                raise self._error
            written, self._written = self._written, {}
        return written

    def close(self) -> None:
        """End the thread; what still waits stays on disk for the next command."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()
        self._lock.release()
        if not self._waiting:
            shutil.rmtree(self.folder, ignore_errors=True)
            for folder in (self._of_sweep, FOLDER):
                with contextlib.suppress(OSError):  # it holds others
                    folder.rmdir()

    def _send(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                files = list(islice(self._waiting, TOGETHER))
            try:
                with telling(f"the runs that wait in {self.folder} cannot be written"):
                    rows = self._patience.trying(partial(self._write, files))
            except Exception as error:
                with self._changed:
                    self._error = error
                    self._changed.notify_all()
                return
            with self._changed:
                for file, row in zip(files, rows, strict=True):
                    file.unlink()
                    self._waiting.remove(file)
                    self._written[row.tags[JOB_DIGEST]] = row
                self._changed.notify_all()

    def _write(self, files: Sequence[Path], again: bool) -> list[RunRow]:
        if self._check is not None:
            self._check()
        return self._store.add_runs([read_run(file) for file in files], again or not self._known.isdisjoint(files))
