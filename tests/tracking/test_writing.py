"""The two ways to write a run leave the same rows in every table."""

import sqlite3

import pytest
from mlflow.entities import ViewType

from src.tracking import query, reading
from src.tracking.local import SCHEMA_REVISION, knows_schema, write_local
from src.tracking.query import finished_jobs
from src.tracking.records import JOB_DIGEST
from src.tracking.runs import run_record
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
    second = write_local(store.database, record)
    assert rows(store.database) == by_client
    local_files = {path.name: path.read_bytes() for path in tmp_path.glob(f"mlartifacts/bp/{second}/artifacts/*")}
    assert local_files == client_files == record.files


def test_infinities_and_metrics_of_one_name_are_stored_as_the_client_stores_them(store, sweep, make_job):
    record = run_record(sweep, make_job())
    record.metrics.extend([("inf", float("inf"), 0), ("inf", float("-inf"), 1), ("inf", float("nan"), 2)])
    histories = []
    for run_id in (write_with_client(store, record), write_local(store.database, record)):
        points = store.client.get_metric_history(run_id, "inf")
        histories.append(sorted((point.step, repr(point.value)) for point in points))
        assert repr(store.client.get_run(run_id).data.metrics["inf"]) == "nan"
    assert histories[0] == histories[1]


def test_this_mlflow_has_the_schema_that_is_written_directly(store):
    # If this fails after an upgrade of MLflow: runs are then written by the slower client. Look at what changed in the
    # tables, adapt src/tracking/local.py and query.py, and set SCHEMA_REVISION.
    assert knows_schema(store.database), f"MLflow's schema is no longer {SCHEMA_REVISION}"


@pytest.fixture
def other_schema(monkeypatch):
    """As after an upgrade of MLflow that changed its tables."""
    knows_schema.cache_clear()
    monkeypatch.setattr("src.tracking.local.SCHEMA_REVISION", "unknown")
    yield
    knows_schema.cache_clear()


def test_an_unknown_schema_is_written_and_read_by_the_client(store, sweep, make_job, make_result, other_schema):
    ids = [logged(store, sweep, make_job(digest=str(i), result=make_result(diverged=i == 1))) for i in range(2)]
    assert finished_jobs(store, [sweep.experiment_id]) == {"0": ids[0], "1": ids[1]}
    by_client = query.find_runs(store, [sweep.experiment_id], {JOB_DIGEST: "1"})
    assert [run.run_id for run in by_client] == [ids[1]]


def test_runs_are_the_same_asked_directly_and_by_the_client(store, sweep, make_job, make_result, monkeypatch):
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
    monkeypatch.setattr(query, "knows_schema", lambda database: False)
    assert repr(sorted(query.find_runs(store, [sweep.experiment_id]), key=lambda run: run.run_id)) == repr(
        sorted(map(with_sorted_keys(store), direct), key=lambda run: run.run_id)
    )
    assert finished_jobs(store, [sweep.experiment_id]) == finished


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
