"""By its tables or by MLflow's client: both ways leave the same rows in every table, and the same files."""

import dataclasses
import re
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mlflow.store.artifact.s3_artifact_repo import S3ArtifactRepository

from src.config.schema import ComparisonConfig
from src.evaluation.results import Failure
from src.folders import ROOT
from src.tracking import reading, tables
from src.tracking.database import Database, known_database
from src.tracking.opening import experiment_id, open_store
from src.tracking.processes import repair_dead_sweeps
from src.tracking.records import JOB_DIGEST, DatasetRow, NewRun, RunRow
from src.tracking.runs import (
    AskedSweep,
    NoSweep,
    Sweep,
    add_files,
    add_metrics,
    finish_sweep,
    list_jobs,
    reopen_sweep,
    start_sweep,
)
from src.tracking.store import Store
from tests.stores import empty_store
from tests.tracking.conftest import finished, logged, result

IDS = {"run_uuid", "input_uuid", "dataset_uuid", "source_id", "destination_id"}
NOW = 1_800_000_000.123


def rows(store):
    """Every row of every table, without the ids that are drawn at random, and every file."""
    folder = str(store.database.parent)

    def shown(row):
        return re.sub("[0-9a-f]{32}", "ID", repr({key: row[key] for key in row if key not in IDS})).replace(folder, "")

    with sqlite3.connect(store.database) as connection:
        connection.row_factory = sqlite3.Row
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {
            table: sorted(shown(dict(row)) for row in connection.execute(f"SELECT * FROM {table}")) for table in tables
        }
    files = sorted(
        (re.sub("[0-9a-f]{32}", "ID", str(path.relative_to(folder))), path.read_bytes())
        for path in (store.database.parent / "mlartifacts").rglob("*")
        if path.is_file()
    )
    return {**found, "files": files}


def a_sweep(store, **changes):
    given = {"name": "sweep", "digest": "s" * 64, "jobs": [{"digest": "a"}]}
    return start_sweep(store, experiment_id(store, "bp"), AskedSweep(**{**given, **changes}), {"git": "x"})


def an_experiment(store, make_job):
    assert experiment_id(store, "learning rate / λ") == experiment_id(store, "learning rate / λ")
    store.tag_experiment(experiment_id(store, "learning rate / λ"), {"one": "1", "mlflow.note.content": "é" * 9000})
    store.tag_experiment(experiment_id(store, "learning rate / λ"), {"one": "2"})
    assert store.experiment_tags(experiment_id(store, "learning rate / λ"))["one"] == "2"
    for _ in range(2):
        store.remove_experiment_tag(experiment_id(store, "learning rate / λ"), "one")


def a_sweep_that_ends_and_goes_on(store, make_job):
    sweep = a_sweep(store, options=ComparisonConfig(question=None, baselines=["a", "b é"]), searched=True)
    list_jobs(store, sweep, [{"digest": "a"}, {"digest": "b"}])
    failure = Failure("ValueError", "no luck", "Trace")
    finish_sweep(store, sweep, "FAILED", metrics={"test/accuracy": 0.5}, tags={"best_run": "r"}, failure=failure)
    again = reopen_sweep(store, sweep.run_id, {"git": "y"})
    logged(store, again, make_job())
    metrics = {"test/accuracy": 0.25, "test/log_loss": float("inf"), "std/accuracy": float("nan")}
    finish_sweep(store, again, "FINISHED", metrics=metrics, note="**bp** wins", files={"leaderboard.csv": b"x"})


def a_run_that_gets_more(store, make_job):
    run_id = logged(store, a_sweep(store), make_job())
    store.change_run(run_id, tags={"mlflow.note.content": "a note", "answer": "it does"})
    store.change_run(run_id, tags={"mlflow.note.content": "another note"})
    add_metrics(store, run_id, {"fitted/accuracy": 0.9, "fitted/log_loss": float("nan")})
    add_files(store, run_id, {"figures/a.png": b"a"})


def a_dead_sweep(store, make_job):
    sweep = a_sweep(store)
    cut_off = RunRow(sweep.experiment_id, "cut off", "RUNNING", 5, tags={"mlflow.parentRunId": sweep.run_id})
    store.add_runs([NewRun(cut_off)])
    store.change_run(sweep.run_id, tags={"process_id": "999999999"})
    assert len(repair_dead_sweeps(store, sweep.experiment_id)) == 1


def jobs_in_and_out_of_a_sweep(store, make_job):
    sweep = a_sweep(store)
    logged(store, sweep, make_job())
    logged(store, sweep, make_job(digest="d", outcome=result(diverged=True)))
    logged(store, sweep, make_job(digest="f", outcome=Failure("ValueError", "x" * 9000, "trace")))
    logged(store, sweep, make_job(digest="n", outcome=result(curve=False), overrides=["a=1", "b=[2,3]"]))
    logged(store, NoSweep(experiment_id(store, "alone"), {"git": "z"}), make_job())


def odd_metrics(store, make_job):
    points = [
        ("inf", float("inf"), 0),
        ("inf", float("-inf"), 1),
        ("inf", float("nan"), 2),
        ("b", -0.0, 3),
        ("b", 1e-320, 1),
    ]
    run = RunRow(experiment_id(store, "bp"), "odd, 優", "FINISHED", 1, 2, {"mlflow.user": "me"}, {"p": ""})
    for source in ("{}", "other"):
        store.add_runs([NewRun(run, points, DatasetRow("n", "d", "local", source, "{}", "{}"))])


def a_model(store, make_job):
    def write(model_id, folder):
        assert model_id.startswith("m-")
        (folder / "data").mkdir(parents=True)
        (folder / "data" / "weights").write_bytes(b"1")

    run = reading.get_run(store, logged(store, a_sweep(store), make_job()))
    model_id = store.add_model(run, write)
    kept, location = store.logged_model(run.run_id)
    assert kept == model_id
    assert location.endswith(f"/models/{model_id}/artifacts")


WRITES = [
    a_model,
    an_experiment,
    a_sweep_that_ends_and_goes_on,
    a_run_that_gets_more,
    a_dead_sweep,
    jobs_in_and_out_of_a_sweep,
    odd_metrics,
]


@pytest.mark.parametrize("write", WRITES, ids=lambda write: write.__name__)
def test_by_tables_everything_is_written_as_the_client_writes_it(write, make_job, tmp_path, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: NOW)
    written = []
    for kind in ("client", "tables"):
        (tmp_path / kind).mkdir()
        address = empty_store(tmp_path / kind)
        store = Store(address) if kind == "client" else open_store(address)
        assert isinstance(store, Database) == (kind == "tables")
        write(store, make_job)
        written.append(rows(store))
    for table, content in written[0].items():
        assert written[1][table] == content, table


def test_this_mlflow_has_the_tables_that_are_written_directly(store):
    # If this fails after an upgrade of MLflow: runs are then written by the slower client. Look at what changed in the
    # tables, and adapt src/tracking/tables.py.
    assert isinstance(store, Database)


def test_a_database_is_written_and_read_without_importing_mlflow(store):
    program = """
import sys
from src.tracking.reading import children, get_run
from src.tracking.runs import AskedSweep, finish_sweep, NoSweep, start_sweep
from src.tracking.opening import experiment_id, open_store
from src.tracking.view import prepare_view
sys.path.insert(0, "tests")  # another package has a module of this name
from sweeps import ended_of, model
store = open_store(sys.argv[1])
sweep = start_sweep(store, experiment_id(store, "new"), AskedSweep("d", "s", []), {})
job = ended_of(model("bp", (0.5, 0.75))).log(store, sweep)
prepare_view(store, sweep.experiment_id, sweep.run_id, [], ["test/accuracy"])
finish_sweep(store, sweep, "FINISHED", metrics={"test/accuracy": 0.5}, files={"a.txt": b"a"})
assert [run.run_id for run in children(store, get_run(store, sweep.run_id))] == [job.run_id]
print([name for name in ("mlflow", "alembic", "skops", "matplotlib") if name in sys.modules])
"""
    ended = subprocess.run(
        [sys.executable, "-c", program, store.address], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ended.stdout.strip() == "[]"


@pytest.fixture
def other_tables(store, monkeypatch):
    """As after an upgrade of MLflow whose metrics have one more column that has to be filled."""
    known = {**tables.COLUMNS, "metrics": tuple(set(tables.COLUMNS["metrics"]) - {"value"})}
    monkeypatch.setattr(tables, "COLUMNS", known)
    tables._say_unknown.cache_clear()


def test_unknown_tables_are_written_and_read_by_the_client_and_that_is_said_once(
    store, sweep, make_job, make_result, other_tables, caplog
):
    opened = [open_store(store.address) for _ in range(2)]
    assert [type(each) for each in opened] == [Store, Store]
    (said,) = [line.getMessage() for line in caplog.records if line.name == tables.__name__]
    assert said.startswith("MLflow's table metrics has other columns than are known here (value): runs are written by")
    ids = [logged(opened[0], sweep, make_job(digest=str(i), outcome=make_result(diverged=i == 1))) for i in range(2)]
    for reader in (opened[1], store):
        assert finished(reader, sweep.experiment_id) == {"0": ids[0], "1": ids[1]}
        found = reading.find_runs(reader, [sweep.experiment_id], {JOB_DIGEST: "1"})
        assert [run.run_id for run in found] == [ids[1]]


def test_an_address_that_is_no_known_database_is_left_to_the_client():
    assert known_database("http://127.0.0.1:5000") is None
    assert known_database("mysql://user@host/name") is None


def test_artifacts_that_are_not_kept_on_this_machine_are_left_to_the_client(store, sweep, make_job, monkeypatch):
    elsewhere = store.client.create_experiment("elsewhere", artifact_location="s3://bucket/elsewhere")
    uploaded = {}

    def upload(repository, file, folder=None):
        uploaded[f"{repository.artifact_uri}/{Path(file).name}"] = Path(file).read_bytes(), folder

    monkeypatch.setattr(S3ArtifactRepository, "log_artifact", upload)
    place = Sweep(dataclasses.replace(sweep.run, experiment_id=elsewhere), sweep.tags)
    job = make_job()
    run_id = logged(store, place, job)
    files = job.run(place).files
    there = f"s3://bucket/elsewhere/{run_id}/artifacts"
    assert uploaded == {f"{there}/{name}": (content, None) for name, content in files.items()}
    assert [run.run_id for run in store.find_runs([elsewhere])] == [run_id]


def test_runs_are_the_same_asked_directly_and_by_the_client(store, sweep, make_job, make_result):
    now = make_job().started
    for number in range(3):
        outcome = make_result(diverged=number == 1)
        logged(store, sweep, make_job(digest=str(number), outcome=outcome, started=now + number))
    deleted = logged(store, sweep, make_job(digest="deleted"))
    store.client.delete_run(deleted)
    by_client = Store(store.address)
    direct = store.find_runs([sweep.experiment_id])
    ids = [run.run_id for run in direct[::-1]]

    def in_order(runs):
        texts = ("tags", "params", "metrics")
        return sorted(
            repr({**vars(run), **{name: sorted(getattr(run, name).items()) for name in texts}}) for run in runs
        )

    assert in_order(by_client.find_runs([sweep.experiment_id])) == in_order(direct)
    assert in_order(by_client.runs([*ids, deleted, "none"])) == in_order(store.runs([*ids, deleted, "none"]))
    assert [run.run_id for run in store.runs([*ids, deleted, "none"])] == [*ids, deleted]
    wanted = {"0", "2", "never"}
    found = [each.finished_runs(sweep.experiment_id, wanted) for each in (store, by_client)]
    known = finished(store, sweep.experiment_id)
    assert known.keys() == {"0", "1", "2"}
    assert [{digest: run.run_id for digest, run in each.items()} for each in found] == [
        {digest: known[digest] for digest in ("0", "2")}
    ] * 2
    direct, by_client_too = (
        each.find_runs([sweep.experiment_id], {"mlflow.parentRunId": None}) for each in (store, by_client)
    )
    assert [run.run_id for run in direct] == [run.run_id for run in by_client_too] == [sweep.run_id]
    assert store.experiments() == by_client.experiments()
    assert store.dataset(ids[0]) == by_client.dataset(ids[0])
    assert store.logged_model(ids[0]) is by_client.logged_model(ids[0]) is None


def test_the_newest_of_several_runs_of_a_job_is_found(store, sweep, make_job):
    now = make_job().started
    logged(store, sweep, make_job(started=now - 10))
    newest = logged(store, sweep, make_job(started=now))
    logged(store, sweep, make_job(started=now - 20))
    digest = make_job().job.digest
    assert reading.finished_runs(store, sweep.experiment_id, {digest})[digest].run_id == newest


def test_an_experiment_or_run_that_is_not_there_is_told(store, sweep):
    from src.tracking.errors import TrackingError

    with pytest.raises(TrackingError, match=r"no MLflow experiment 'homwork' in .* \(Default, bp\)"):
        reading.sweeps(store, ["homwork"])
    with pytest.raises(TrackingError, match="there is no run 'abc'"):
        reading.get_run(store, "abc")
    store.client.delete_run(sweep.run_id)
    with pytest.raises(TrackingError, match="was deleted; restore it"):
        reading.get_run(store, sweep.run_id)
