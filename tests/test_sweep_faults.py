"""Sweeps that are interrupted, killed, run at once, or lose their store: what is recorded is true and can be continued.

The commands are processes of their own. When a fault strikes is decided by what is recorded, not by the clock, so that
it strikes in the middle on any machine.
"""

import itertools
import json
import random
import re
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import sqlalchemy
from mlflow import MlflowClient
from mlflow.entities import Run

from src.tracking.recorder import Recorder
from tests.processes import Commands, Running
from tests.stores import Record, empty_store

JOBS = 36
# Stacks of three jobs, so that results come little by little.
GRID = (
    *("-m", "training.learning_rate=range(0.05,0.61,0.05)", "training.l2=0,1e-3,1e-2", "training.epochs=150"),
    *("cv.folds=3", "tracking.models=none", "sweep.max_stack_memory=300KB"),
)
# Networks that take a second or two, or do not end while a test lasts.
LARGE = (
    *("-m", "data=digits", "model.hidden_layer_sizes=[64]", "training.learning_rate=0.1,0.2,0.3,0.4"),
    *("cv.folds=3", "tracking.models=none"),
)
SLOW = (*LARGE, "training.epochs=100")
ENDLESS = (*LARGE, "training.epochs=100000")


@dataclass(frozen=True)
class Store:
    folder: Path
    commands: Commands

    @property
    def database(self) -> Path:
        return self.folder / "store.db"

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.database}"

    def start(self, *arguments: str, **limits: int | bool) -> Running:
        return self.commands.start(self.folder, *arguments, f"tracking.uri={self.uri}", **limits)

    def count(self, status: str = "FINISHED") -> int:
        """How many jobs of any sweep have ended so, as far as can be seen from outside at the moment."""
        return self._ask("status = ? AND run_uuid IN (SELECT run_uuid FROM tags WHERE key = 'job_digest')", status)

    def opened(self, by: Running) -> bool:
        """Whether a command has opened its sweep, for the first time or again."""
        with_tag = "SELECT run_uuid FROM tags WHERE key = 'process_id' AND value = ?"
        return self._ask(f"status = 'RUNNING' AND run_uuid IN ({with_tag})", str(by.pid)) > 0

    def _ask(self, where: str, value: str) -> int:
        try:
            with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
                (number,) = connection.execute(f"SELECT COUNT(*) FROM runs WHERE {where}", [value]).fetchone()
                return int(number)
        except sqlite3.OperationalError:  # not there yet
            return 0

    def runs(self) -> list[Run]:
        client = MlflowClient(self.uri, registry_uri=self.uri)
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        return list(client.search_runs(experiments, max_results=10_000))

    def parents(self) -> list[Run]:
        runs = [run for run in self.runs() if "sweep_digest" in run.data.tags and "job_digest" not in run.data.tags]
        return sorted(runs, key=lambda run: run.info.start_time)

    def jobs(self) -> list[Run]:
        return [run for run in self.runs() if "job_digest" in run.data.tags]


@pytest.fixture
def store(tmp_path: Path, commands: Commands) -> Store:
    """An empty store."""
    empty_store(tmp_path, "store.db")
    return Store(tmp_path, commands)


@pytest.fixture
def no_store(tmp_path: Path, commands: Commands) -> Store:
    """A store that the first command has to make."""
    return Store(tmp_path, commands)


def until(happened: Callable[[], object], command: Running, pause: float = 0.02) -> None:
    """Wait for something that happens while a command runs, looking again after each pause (s)."""
    while not happened():
        assert psutil.Process(command.pid).status() != psutil.STATUS_ZOMBIE, f"ended before: {command.err}"
        time.sleep(pause)


def interrupted(recorded: int, jobs: int) -> str:
    return f"interrupted; recorded: {recorded} of {jobs} jobs; the same command goes on with the others"


def ended_well(command: Running) -> None:
    assert command.wait() == 0, command.err


def computed(runs: list[Run]) -> dict[str, str]:
    """The metrics of each job by its digest, to the last bit; no times."""
    return {
        run.data.tags["job_digest"]: repr(
            sorted((name, value) for name, value in run.data.metrics.items() if not name.startswith("time/"))
        )
        for run in runs
    }


def each_job_once(runs: list[Run], jobs: int = JOBS) -> None:
    counts = Counter(run.data.tags["job_digest"] for run in runs if run.info.status == "FINISHED")
    assert len(counts) == jobs
    assert set(counts.values()) == {1}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory, commands: Commands) -> dict[str, str]:
    """What the sweep computes if nobody interferes."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    empty_store(folder, "store.db")
    store = Store(folder, commands)
    ended_well(store.start(*GRID))
    each_job_once(store.jobs())
    return computed(store.jobs())


def test_a_sweep_interrupted_at_four_moments_is_the_sweep(store: Store, uninterrupted: dict[str, str]) -> None:
    """By each signal, and again where nobody is left to say what happened; `make torture` has a hundred moments."""
    moments = random.Random(4)
    signals = [signal.SIGKILL, signal.SIGTERM, signal.SIGKILL, signal.SIGINT]
    for after, number in zip(sorted(moments.sample(range(JOBS - 5), len(signals))), signals, strict=True):
        command = store.start(*GRID)
        until(lambda command=command, after=after: store.opened(command) and store.count() >= after, command)
        time.sleep(moments.uniform(0, 0.05))
        command.send(number)
        status = command.wait()
        (parent,) = store.parents()
        assert store.count("RUNNING") == 0
        if number == signal.SIGKILL:
            assert (status, parent.info.status) == (-number, "RUNNING")  # nobody was left to say otherwise
        else:
            assert (status, parent.info.status) == (128 + number, "KILLED")
            told = command.err.splitlines()[-1]
            assert told == interrupted(store.count(), JOBS)

    command = store.start(*GRID)
    ended_well(command)
    assert f"jobs of {JOBS} reused from the record" in command.out
    (parent,) = store.parents()
    assert parent.info.status == "FINISHED"
    assert {run.data.tags["mlflow.parentRunId"] for run in store.jobs()} == {parent.info.run_id}
    each_job_once(store.jobs())
    assert computed(store.jobs()) == uninterrupted


def test_a_sweep_that_was_killed_is_set_right_by_the_next_command(store: Store) -> None:
    command = store.start(*ENDLESS)
    until(lambda: store.opened(command), command)
    command.send(signal.SIGKILL)
    assert command.wait() == -signal.SIGKILL
    ended_well(store.start("-m", "training.epochs=1", "tracking.models=none"))
    assert [run.info.status for run in store.parents()] == ["KILLED", "FINISHED"]


def test_an_interruption_while_the_store_is_made_leaves_nothing_in_the_way(no_store: Store) -> None:
    command = no_store.start(*GRID)
    until(lambda: list(no_store.folder.glob("store.db*")), command)
    command.send(signal.SIGINT)
    assert command.wait() == 128 + signal.SIGINT
    assert "Traceback" not in command.err
    ended_well(no_store.start("-m", "training.epochs=1", "tracking.models=none"))


BACKENDS = {
    "one thread": ("sweep.n_jobs=1",),
    "threads": ("sweep.n_jobs=2",),
    "processes": ("sweep.backend=processes", "sweep.n_jobs=2"),
    "dask": ("sweep.backend=dask", "sweep.n_jobs=2"),
}
BEFORE_TRAINING = {"processes": 0.4, "dask": 1.0}


def workers_of(command: Running) -> list[psutil.Process]:
    return psutil.Process(command.pid).children(recursive=True)


def until_it_trains(store: Store, command: Running, backend: str) -> None:
    """Wait until networks are trained: before, a worker works for less than the seconds of `BEFORE_TRAINING`.

    It is asked now and then only, as it looks through all processes.
    """
    until(lambda: store.opened(command), command)
    if (most := BEFORE_TRAINING.get(backend)) is not None:
        until(lambda: sum(_seconds_worked(each) > most for each in workers_of(command)) >= 2, command, pause=0.1)
    else:
        process = psutil.Process(command.pid)
        begun = _seconds_worked(process)
        until(lambda: _seconds_worked(process) > begun + 0.5, command, pause=0.1)


def _seconds_worked(process: psutil.Process) -> float:
    try:
        return float(sum(process.cpu_times()[:2]))
    except psutil.NoSuchProcess:  # one of those that start the workers
        return 0.0


@pytest.mark.parametrize("backend", BACKENDS)
def test_ctrl_c_ends_everything_quietly(store: Store, backend: str) -> None:
    if backend == "dask":
        pytest.importorskip("distributed")
    command = store.start(*ENDLESS, *BACKENDS[backend], fork_workers=backend in BEFORE_TRAINING)
    until_it_trains(store, command, backend)
    workers = workers_of(command)
    command.send(signal.SIGINT, to_all=True)
    assert command.wait() == 128 + signal.SIGINT
    (parent,) = store.parents()
    assert parent.info.status == "KILLED"
    listed = MlflowClient(store.uri).download_artifacts(parent.info.run_id, "jobs.json")
    assert len(json.loads(Path(listed).read_text())) == 4, "the list of jobs is there before any has ended"
    assert store.jobs() == []
    *progress, told = command.err.splitlines()
    assert told == interrupted(0, 4)
    assert all(line.startswith("0/4 jobs | 0 networks") for line in progress)
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert not alive


@pytest.mark.parametrize("methods", [["written"], ["written", "close"]])
def test_ctrl_c_while_an_interrupted_sweep_ends_still_tells_what_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, methods: list[str]
) -> None:
    def interrupting(method: Callable[..., object]) -> Callable[..., object]:
        def called(*arguments: object, **keys: object) -> object:
            signal.raise_signal(signal.SIGINT)
            return method(*arguments, **keys)

        return called

    for name in methods:  # called when the last job has ended, and again while the record is ended
        monkeypatch.setattr(Recorder, name, interrupting(getattr(Recorder, name)))
    ended = Record.empty(tmp_path).sweep("seed=0,1", "training.epochs=2", "cv.folds=2")
    assert ended.status == 128 + signal.SIGINT
    assert ended.err.splitlines()[-1] == interrupted(2, 2)


def test_no_worker_outlives_a_sweep_that_was_killed(store: Store) -> None:
    command = store.start(*ENDLESS, *BACKENDS["processes"], fork_workers=True)
    until_it_trains(store, command, "processes")
    workers = workers_of(command)
    command.send(signal.SIGKILL)
    assert command.wait() == -signal.SIGKILL
    _, alive = psutil.wait_procs(workers, timeout=60)
    assert not alive


def test_a_worker_killed_in_the_middle_of_a_stack_costs_no_job(store: Store) -> None:
    """So it is with Dask's workers: tests/sweep/test_backends.py kills one of them."""
    command = store.start(*SLOW, *BACKENDS["processes"], fork_workers=True)
    until(lambda: store.count() >= 1, command)
    busiest = max(workers_of(command), key=_seconds_worked)
    busiest.kill()
    assert store.count() < 4  # it was in the middle
    ended_well(command)
    each_job_once(store.jobs(), 4)
    assert [run.info.status for run in store.parents()] == ["FINISHED"]


def test_two_sweeps_at_once_into_a_store_that_is_not_there_yet(no_store: Store, uninterrupted: dict[str, str]) -> None:
    other = ("-m", "model=logistic,softmax", "seed=range(10)", "training.epochs=50", "tracking.models=none")
    both = [no_store.start(*GRID), no_store.start(*other)]
    for command in both:
        ended_well(command)
    assert [run.info.status for run in no_store.parents()] == ["FINISHED"] * 2
    jobs = no_store.jobs()
    each_job_once(jobs, JOBS + 20)
    assert uninterrupted.items() <= computed(jobs).items()


def test_the_same_sweep_twice_at_once(store: Store, uninterrupted: dict[str, str]) -> None:
    first = store.start(*GRID)
    until(lambda: store.count() >= 10, first)
    first.send(signal.SIGINT)
    assert first.wait() == 128 + signal.SIGINT

    both = [store.start(*GRID), store.start(*GRID)]  # both find a sweep to go on with
    for command in both:
        ended_well(command)
    assert [run.info.status for run in store.parents()] == ["FINISHED"]
    each_job_once(store.jobs(), JOBS)
    assert computed(store.jobs()) == uninterrupted
    assert [file.name for file in store.folder.glob("*.lock")] in ([], ["store.db.lock"])


def lost(command: Running, store: Store, reason: str, others: int = 0) -> None:
    """The command has told, in one sentence, that it could not record everything, and how much it could.

    There are `others` in the store, of another sweep.
    """
    assert command.wait() == 1
    (told,) = [line for line in command.err.splitlines() if line.startswith("error: ")]
    assert told.startswith("error: MLflow: the run ")
    assert reason in told
    assert f"Recorded: {store.count() - others} of {JOBS} jobs; the others are lost" in told
    assert "Traceback" not in command.err
    assert {run.info.status for run in store.jobs()} == {"FINISHED"}


def whole_again(store: Store, uninterrupted: dict[str, str]) -> None:
    command = store.start(*GRID)
    ended_well(command)
    assert "reused from the record" in command.out
    assert {run.info.status for run in store.parents()} == {"FINISHED"}
    jobs = [run for run in store.jobs() if run.data.params["model.name"] == "bp"]
    each_job_once(jobs)
    assert computed(jobs) == uninterrupted


def test_a_full_disk_in_the_middle(store: Store, uninterrupted: dict[str, str]) -> None:
    ended_well(store.start("-m", "model=softmax", "tracking.experiment=before", "tracking.models=none"))
    with closing(sqlite3.connect(store.database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    command = store.start(*GRID, largest_file=store.database.stat().st_size + 250_000)
    lost(command, store, "", others=1)
    assert 1 < store.count() < JOBS
    whole_again(store, uninterrupted)


def test_a_store_that_becomes_read_only_in_the_middle(store: Store, uninterrupted: dict[str, str]) -> None:
    command = store.start(*GRID, powers=False)
    until(lambda: store.count() >= 10, command)
    files = [store.folder, *store.folder.glob("store.db*")]
    for file in files:
        file.chmod(0o555)
    lost(command, store, "readonly database")
    for file in files:
        file.chmod(0o755)
    whole_again(store, uninterrupted)


@pytest.mark.slow
def test_a_store_that_fails_at_any_moment_is_told_in_a_sentence(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Its file may turn read-only between any two looks at it: each of them fails once, and all that follow."""
    empty_store(tmp_path)  # so that MLflow's tables are there to be copied
    sound = opened = 0

    def connecting(*_: object) -> None:
        nonlocal opened
        opened += 1
        if opened > sound:
            raise sqlite3.OperationalError("attempt to write a readonly database")

    sqlalchemy.event.listen(sqlalchemy.Engine, "do_connect", connecting)
    request.addfinalizer(lambda: sqlalchemy.event.remove(sqlalchemy.Engine, "do_connect", connecting))
    for sound in itertools.count():
        folder, opened = tmp_path / str(sound), 0
        folder.mkdir()
        ended = Record.empty(folder).sweep("model=logistic", "seed=0,1", "cv.folds=2", "sweep.max_stack_memory=1KB")
        if opened <= sound:
            break
        told = [line for line in ended.err.splitlines() if line.startswith("error: ")]
        assert len(told) == 1
        assert re.match(r"error: (MLflow|tracking\.uri): .*: attempt to write a readonly database\.", told[0]), told[0]
    assert (ended.status, ended.err.count("error")) == (0, 0)
    assert sound > 10


def test_data_that_vanish_between_plan_and_run(store: Store) -> None:
    file = store.folder / "mine.csv"
    rows = [f"{number},{number * number % 7},{'yes' if number % 3 else 'no'}" for number in range(60)]
    file.write_text("\n".join(["a,b,label", *rows]))
    grid = ("-m", "data=csv", f"data.path={file}", "seed=range(6)", "training.epochs=300", "tracking.models=best")
    command = store.start(*grid, "sweep.max_stack_memory=1KB")
    until(lambda: store.opened(command), command)
    file.unlink()
    ended_well(command)  # the rows were read when the jobs were planned
    each_job_once(store.jobs(), 6)

    again = store.start(*grid)
    assert again.wait() == 2
    assert again.err.startswith("error: data.path: ")
    assert len(store.parents()) == 1
