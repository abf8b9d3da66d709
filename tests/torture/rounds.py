"""The disturbances: each does its worst to one sweep, at moments drawn from a seed."""

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.processes import Commands, Running
from tests.torture.record import Record, read_record

# Stacks of three jobs, so that results come little by little; every candidate's best job keeps its figures.
GRID = ("-m", "training.l2=0,1e-3,1e-2", "training.epochs=300", "cv.folds=3", "sweep.max_stack_memory=300KB")
RATES = 20  # learning rates, each with three jobs
BACKENDS = {
    "threads": ("sweep.n_jobs=2",),
    "processes": ("sweep.backend=processes", "sweep.n_jobs=2"),
    "dask": ("sweep.backend=dask", "sweep.n_jobs=2"),
}
WITH_WORKERS = ("processes", "dask")
MARK = "TORTURED_IN"  # a variable by which every process of a sweep is known, whoever its parent is
SECONDS_TO_END = 15.0
LONGEST = 600.0  # seconds after which a command hangs
DAY = 86400.0
Disturb = Callable[["Sweep", int], tuple[int, list[str]]]


@dataclass
class Sweep:
    """A sweep in a store of its own, and the moments at which it is disturbed."""

    folder: Path
    commands: Commands
    backend: str
    seconds: float  # that it takes undisturbed
    seed: str
    rates: int = RATES
    moments: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.disk.mkdir(parents=True)
        self.moments = random.Random(self.seed)

    @property
    def jobs(self) -> int:
        return 3 * self.rates

    @property
    def disk(self) -> Path:
        """Where the store is."""
        return self.folder / "disk"

    @property
    def database(self) -> Path:
        return self.disk / "store.db"

    def start(self, *, largest_file: int | None = None, clock: float = 0.0) -> Running:
        rates = ",".join(f"{number / 20:g}" for number in range(1, self.rates + 1))
        arguments = (
            *(*GRID, f"training.learning_rate={rates}", *BACKENDS[self.backend]),
            f"tracking.uri=sqlite:///{self.database}",
        )
        environment = {MARK: str(self.folder)}
        return self.commands.start(
            self.folder, *arguments, environment=environment, largest_file=largest_file, clock=clock
        )

    def wait_a_part(self, running: Running, most: float = 0.9) -> bool:
        """Wait for a moment in the sweep; say whether it is still running."""
        until = time.monotonic() + self.moments.uniform(0.02, most) * self.seconds
        while time.monotonic() < until:
            if running.ended():
                return False
            time.sleep(0.01)
        return not running.ended()

    def finish(self) -> list[str]:
        """Type the command again, which must complete the sweep, and look for what was left behind."""
        found = []
        running = self.start()
        if (status := ended(running)) != 0:
            found.append(f"the same command again ended with status {status}: {last(running)}")
        return found + self.left_behind()

    def left_behind(self) -> list[str]:
        until = time.monotonic() + SECONDS_TO_END
        while (left := self.processes()) and time.monotonic() < until:
            time.sleep(0.1)
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        return [f"{len(left)} processes are left"] if left else []

    def processes(self) -> list[psutil.Process]:
        """Every process that was started for this sweep and lives."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get(MARK) == str(self.folder) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def workers(self, running: Running) -> list[psutil.Process]:
        with contextlib.suppress(psutil.Error):
            return psutil.Process(running.pid).children(recursive=True)
        return []

    def recorded(self) -> int:
        """How many jobs are recorded, as far as can be seen from outside at the moment."""
        with (
            contextlib.suppress(sqlite3.Error),
            closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as at,
        ):
            (number,) = at.execute("SELECT COUNT(*) FROM tags WHERE key = 'job_digest'").fetchone()
            return int(number)
        return 0

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def undisturbed(
    folder: Path, commands: Commands, backends: list[str], rates: int = RATES
) -> dict[str, tuple[Record, float]]:
    """What a sweep records that nobody disturbs, and the seconds it takes, on each backend."""
    made: dict[str, tuple[Record, float]] = {}
    for backend in backends:
        sweep = Sweep(folder / f"undisturbed-{backend}", commands, backend, 0.0, "", rates)
        began = time.monotonic()
        running = sweep.start()
        if (status := ended(running)) != 0:
            raise RuntimeError(f"an undisturbed sweep on {backend} ended with status {status}: {running.err}")
        made[backend] = read_record(sweep.database), time.monotonic() - began
        print(f"undisturbed, {backend}: {made[backend][1]:.1f} s", flush=True)
        if len(made[backend][0].finished) != sweep.jobs or made[backend][0].metrics != made[backends[0]][0].metrics:
            raise RuntimeError(f"an undisturbed sweep on {backend} is not that on {backends[0]}")
    return made


def ended(running: Running) -> int | str:
    """The exit status of a command, or that it hangs: then it is ended."""
    until = time.monotonic() + LONGEST
    while not running.ended():
        if time.monotonic() > until:
            running.send(signal.SIGKILL, to_all=True)
            return "hang"
        time.sleep(0.02)
    return running.wait()


def last(running: Running) -> str:
    lines = [line for line in running.err.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "nothing said"


def in_a_sentence(running: Running, status: int | str, allowed: tuple[int, ...]) -> list[str]:
    """What is wrong with how a disturbed command ended."""
    found = [] if status in allowed else [f"ended with status {status}: {last(running)}"]
    if "Traceback" in running.err:
        found.append(f"a traceback: {last(running)}")
    if status in (1, 2) and not any(line.startswith("error: ") for line in running.err.splitlines()):
        found.append(f"no sentence: {last(running)}")
    return found


def kill(sweep: Sweep, limit: int) -> tuple[int, list[str]]:
    """SIGKILL for the command, or for it and its workers, until the sweep is through or has been killed five times."""
    kills = 0
    for _ in range(min(5, limit)):
        running = sweep.start()
        if not sweep.wait_a_part(running):
            break
        running.send(signal.SIGKILL, to_all=sweep.moments.random() < 0.3)
        running.wait()
        kills += 1
    return kills, sweep.left_behind()


def kill_workers(sweep: Sweep, _: int) -> tuple[int, list[str]]:
    """SIGKILL for a worker, three times in a sweep: no job is lost by it."""
    running, kills = sweep.start(), 0
    for _ in range(3):
        if sweep.wait_a_part(running, 0.4) and (workers := sweep.workers(running)):
            with contextlib.suppress(psutil.Error):
                sweep.moments.choice(workers).kill()
                kills += 1
    return kills, in_a_sentence(running, ended(running), (0,))


def stop(sweep: Sweep, _: int) -> tuple[int, list[str]]:
    """SIGSTOP and, some time later, SIGCONT for a worker or the command."""
    running, stops = sweep.start(), 0
    for _ in range(3):
        if sweep.wait_a_part(running, 0.4):
            chosen = sweep.moments.choice([psutil.Process(running.pid), *sweep.workers(running)])
            with contextlib.suppress(psutil.Error):
                chosen.suspend()
                time.sleep(sweep.moments.uniform(0.1, 2))
                chosen.resume()
                stops += 1
    return stops, in_a_sentence(running, ended(running), (0,))


def remove_store(sweep: Sweep, _: int) -> tuple[int, list[str]]:
    """The store's files go while jobs run; what was in it is lost, nothing else."""
    running = sweep.start()
    if not _recorded_some(sweep, running):
        return 0, in_a_sentence(running, ended(running), (0,))
    for file in sweep.disk.glob("store.db*"):
        file.unlink(missing_ok=True)
    shutil.rmtree(sweep.disk / "mlartifacts", ignore_errors=True)
    return 1, in_a_sentence(running, ended(running), (0, 1))


def fill_disk(sweep: Sweep, _: int) -> tuple[int, list[str]]:
    """A disk that is full in the middle; then there is room again. Without root, no file may grow instead."""
    if os.geteuid() != 0:
        running = sweep.start(largest_file=1_500_000 + sweep.moments.randrange(1_000_000))
        return 1, in_a_sentence(running, ended(running), (0, 1, 2))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", sweep.disk], check=True)
    kept = sweep.folder / "kept"
    try:
        running = sweep.start()
        if not _recorded_some(sweep, running):
            return 0, in_a_sentence(running, ended(running), (0,))
        filler = sweep.disk / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 14))
        found = in_a_sentence(running, ended(running), (0, 1))
        filler.unlink()
        shutil.copytree(sweep.disk, kept)
    finally:
        subprocess.run(["umount", sweep.disk], check=True)
    if kept.exists():
        sweep.disk.rmdir()
        kept.rename(sweep.disk)
    return 1, found


def set_clock(sweep: Sweep, limit: int) -> tuple[int, list[str]]:
    """Killed, and typed again where the time of day is two days earlier, or later, than it was."""
    running = sweep.start(clock=sweep.moments.choice([-2, 2]) * DAY)
    if sweep.wait_a_part(running):
        running.send(signal.SIGKILL)
    running.wait()
    found = sweep.left_behind()
    running = sweep.start(clock=sweep.moments.choice([-4, 4]) * DAY)
    return 1, found + in_a_sentence(running, ended(running), (0,))


def three_at_once(sweep: Sweep, _: int) -> tuple[int, list[str]]:
    """The same sweep typed three times: the work is shared, or one waits for another."""
    all_three = []
    for _ in range(3):
        all_three.append(sweep.start())
        time.sleep(sweep.moments.uniform(0, 0.2) * sweep.seconds)
    return 1, [text for running in all_three for text in in_a_sentence(running, ended(running), (0,))]


def _recorded_some(sweep: Sweep, running: Running) -> bool:
    """Wait until some jobs are recorded, a number drawn; say whether the command is still running."""
    after = sweep.moments.randrange(1, sweep.jobs - 10)
    while sweep.recorded() < after and not running.ended():
        time.sleep(0.005)
    return not running.ended()


DISTURBANCES: dict[str, tuple[Disturb, tuple[str, ...]]] = {
    "kill": (kill, tuple(BACKENDS)),
    "kill workers": (kill_workers, WITH_WORKERS),
    "stop": (stop, tuple(BACKENDS)),
    "remove store": (remove_store, tuple(BACKENDS)),
    "fill disk": (fill_disk, tuple(BACKENDS)),
    "set clock": (set_clock, tuple(BACKENDS)),
    "three at once": (three_at_once, tuple(BACKENDS)),
}
