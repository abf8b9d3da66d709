"""The two ways to write a run leave the same rows in every table."""

import dataclasses
import sqlite3

import pytest
from mlflow.entities import ViewType

from src.tracking import database, query, reading
from src.tracking.database import engine_of, insert_run
from src.tracking.query import finished_jobs
from src.tracking.records import JOB_DIGEST
from src.tracking.runs import run_record
from src.tracking.store import open_store
from src.tracking.writing import write_with_client
from tests.tracking.conftest import logged

IDS = {"run_uuid", "artifact_uri", "input_uuid", "dataset_uuid", "source_id", "destination_id"}


def rows(database):
    """Every row of every table, without the ids that are drawn at random."""
    with sqlite3.connect(database) as connection:
        connection.row_factory = sqlite3.Row
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {
            table: [
                {key: value for key, value in dict(row).items() if key not in IDS}
                for row in connection.execute(f"SELECT * FROM {table}")
            ]
            for table in tables
        }
    return {table: sorted(map(repr, content)) for table, content in found.items()}


@pytest.mark.parametrize("case", ["plain", "diverged", "failed", "no curve"])
def test_one_transaction_writes_what_the_client_writes(store, sweep, make_job, make_result, case, tmp_path):
    from src.tracking.records import Failure

    jobs = {
        "plain": make_job(),
        "diverged": make_job(result=make_result(diverged=True)),
        "failed": make_job(status="FAILED", result=None, failure=Failure("ValueError", "x", "trace")),
        "no curve": make_job(result=make_result(curve=False), note="n"),
    }
    record = run_record(sweep, jobs[case])
    before = tmp_path / "before.db"
    with sqlite3.connect(store.database) as source, sqlite3.connect(before) as copy:
        source.backup(copy)

    first = write_with_client(store, record)
    by_client = rows(store.database)
    client_files = {path.name: path.read_bytes() for path in tmp_path.glob(f"mlartifacts/bp/{first}/artifacts/*")}

    with sqlite3.connect(before) as source, sqlite3.connect(store.database) as target:
        source.backup(target)
    second = insert_run(store.engine, record)
    assert rows(store.database) == by_client
    local_files = {path.name: path.read_bytes() for path in tmp_path.glob(f"mlartifacts/bp/{second}/artifacts/*")}
    assert local_files == client_files == record.files


def test_infinities_and_metrics_of_one_name_are_stored_as_the_client_stores_them(store, sweep, make_job):
    record = run_record(sweep, make_job())
    record.metrics.extend([("inf", float("inf"), 0), ("inf", float("-inf"), 1), ("inf", float("nan"), 2)])
    histories = []
    for run_id in (write_with_client(store, record), insert_run(store.engine, record)):
        points = store.client.get_metric_history(run_id, "inf")
        histories.append(sorted((point.step, repr(point.value)) for point in points))
        assert repr(store.client.get_run(run_id).data.metrics["inf"]) == "nan"
    assert histories[0] == histories[1]


def test_this_mlflow_has_the_tables_that_are_written_directly(store):
    # If this fails after an upgrade of MLflow: runs are then written by the slower client. Look at what changed in the
    # tables, and adapt src/tracking/database.py.
    assert store.engine is not None


@pytest.fixture
def other_tables(monkeypatch):
    """As after an upgrade of MLflow whose metrics have one more column that has to be filled."""
    known = {**database._FILLED, database.METRICS: database._FILLED[database.METRICS] - {"value"}}
    monkeypatch.setattr(database, "_FILLED", known)
    database._knows_tables.cache_clear()
    yield
    database._knows_tables.cache_clear()


def test_unknown_tables_are_written_and_read_by_the_client_and_that_is_said_once(
    store, sweep, make_job, make_result, other_tables, caplog
):
    opened = [open_store(store.address) for _ in range(2)]
    assert [each.engine for each in opened] == [None, None]
    (said,) = [line.getMessage() for line in caplog.records if line.name == database.__name__]
    assert said.startswith("MLflow's table metrics has other columns than are known here (value): runs are written by")
    ids = [logged(opened[0], sweep, make_job(digest=str(i), result=make_result(diverged=i == 1))) for i in range(2)]
    for reader in (opened[1], store):
        assert finished_jobs(reader, [sweep.experiment_id]) == {"0": ids[0], "1": ids[1]}
        found = query.find_runs(reader, [sweep.experiment_id], {JOB_DIGEST: "1"})
        assert [run.run_id for run in found] == [ids[1]]


def test_an_address_that_is_no_known_database_is_left_to_the_client(store):
    assert engine_of("http://127.0.0.1:5000") is None
    assert engine_of("mysql://user@host/name") is None
    assert engine_of(store.address).dialect.name == "sqlite"


def test_artifacts_that_are_not_kept_on_this_machine_are_left_to_the_client(store, sweep, make_job):
    elsewhere = store.client.create_experiment("elsewhere", artifact_location="s3://bucket/elsewhere")
    record = run_record(dataclasses.replace(sweep, experiment_id=elsewhere), make_job())
    assert insert_run(store.engine, record) is None
    assert query.find_runs(store, [elsewhere]) == []


def test_runs_are_the_same_asked_directly_and_by_the_client(store, sweep, make_job, make_result):
    now = make_job().started
    for number in range(3):
        logged(
            store, sweep, make_job(digest=str(number), result=make_result(diverged=number == 1), started=now + number)
        )
    deleted = logged(store, sweep, make_job(digest="deleted"))
    store.client.delete_run(deleted)
    direct = query.find_runs(store, [sweep.experiment_id])
    finished = finished_jobs(store, [sweep.experiment_id])
    assert finished.keys() == {"0", "1", "2"}
    by_client = dataclasses.replace(store, engine=None)
    ids = [run.run_id for run in direct[::-1]]
    assert repr(sorted(query.find_runs(by_client, [sweep.experiment_id]), key=lambda run: run.run_id)) == repr(
        sorted(map(with_sorted_keys(store), direct), key=lambda run: run.run_id)
    )
    assert finished_jobs(by_client, [sweep.experiment_id]) == finished
    for asked in (store, by_client):
        assert [run.run_id for run in query.runs_of_ids(asked, [*ids, deleted])] == ids


def with_sorted_keys(store):
    """The client returns keys in an order of its own; take each run's from there."""
    order = {run.info.run_id: run.data for run in store.client.search_runs(["1"], run_view_type=ViewType.ALL)}

    def arrange(run):
        data = order[run.run_id]
        return type(run)(
            **{
                **vars(run),
                "tags": {key: run.tags[key] for key in data.tags},
                "params": {key: run.params[key] for key in data.params},
                "metrics": {key: run.metrics[key] for key in data.metrics},
            }
        )

    return arrange


def test_the_newest_of_several_runs_of_a_job_is_found(store, sweep, make_job):
    now = make_job().started
    logged(store, sweep, make_job(started=now - 10))
    newest = logged(store, sweep, make_job(started=now))
    logged(store, sweep, make_job(started=now - 20))
    assert list(finished_jobs(store, [sweep.experiment_id]).values()) == [newest]


def test_an_experiment_or_run_that_is_not_there_is_told(store, sweep):
    from src.tracking.errors import TrackingError

    with pytest.raises(TrackingError, match=r"no MLflow experiment 'homwork' in .* \(Default, bp\)"):
        reading.sweeps(store, ["homwork"])
    with pytest.raises(TrackingError, match="there is no run 'abc'"):
        reading.get_run(store, "abc")
    store.client.delete_run(sweep.run_id)
    with pytest.raises(TrackingError, match="was deleted; restore it"):
        reading.get_run(store, sweep.run_id)
