"""Runs in a database, without the objects that MLflow's client builds: 15 ms for a run written, 2 to 4 for one read.

The tables are MLflow's own definitions of its installed version, for SQLite and PostgreSQL alike. What is written is
what the client writes, row for row (a test compares every table): a run is there whole or not at all, its files first.
Where a table of a later MLflow asks for more than is known here, the client is used, and that is said once.
"""

import functools
import logging
import math
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from mlflow.store.tracking.dbmodels import models
from mlflow.utils.uri import append_to_uri_path
from sqlalchemy.dialects import postgresql, sqlite

from src.tracking.artifacts import local_folder, write_files
from src.tracking.records import DATASET_CONTEXT, RunRecord

LARGEST = 1.7976931348623157e308  # what MLflow stores for an infinity
BUSY_SECONDS = 20  # how long another writer is waited for

RUNS, TAGS, PARAMS = models.SqlRun.__table__, models.SqlTag.__table__, models.SqlParam.__table__
METRICS, LATEST = models.SqlMetric.__table__, models.SqlLatestMetric.__table__
EXPERIMENTS, DATASETS = models.SqlExperiment.__table__, models.SqlDataset.__table__
INPUTS, INPUT_TAGS = models.SqlInput.__table__, models.SqlInputTag.__table__

# The columns of each table that a run fills.
_METRIC = {"key", "value", "timestamp", "step", "is_nan", "run_uuid"}
_FILLED = {
    RUNS: {
        *("run_uuid", "name", "source_type", "source_name", "entry_point_name", "user_id", "status", "start_time"),
        *("end_time", "deleted_time", "source_version", "lifecycle_stage", "artifact_uri", "experiment_id"),
    },
    TAGS: {"key", "value", "run_uuid"},
    PARAMS: {"key", "value", "run_uuid"},
    METRICS: _METRIC,
    LATEST: _METRIC,
    DATASETS: {
        *("dataset_uuid", "experiment_id", "name", "digest", "dataset_source_type", "dataset_source"),
        *("dataset_schema", "dataset_profile"),
    },
    INPUTS: {"input_uuid", "source_type", "source_id", "destination_type", "destination_id"},
    INPUT_TAGS: {"input_uuid", "name", "value"},
}
_INSERT: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def engine_of(address: str) -> sa.Engine | None:
    """Connect to a store that is a database of a kind and with tables that are known here; None for any other."""
    if address.split(":")[0].split("+")[0] not in _INSERT or not _knows_tables():
        return None
    if not address.startswith("sqlite"):
        return sa.create_engine(address)
    engine = sa.create_engine(address, connect_args={"timeout": BUSY_SECONDS}, poolclass=sa.NullPool)

    @sa.event.listens_for(engine, "connect")
    def settle(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA foreign_keys = ON")
        # With write-ahead logging (src.tracking.address) NORMAL keeps every commit through the death of this process
        # and a consistent file through a power cut; only the last moments before the cut can be lost.
        connection.execute("PRAGMA synchronous = NORMAL")

    return engine


@contextmanager
def snapshot(engine: sa.Engine) -> Iterator[sa.Connection]:
    """One state of the store for all statements within."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN")  # Python's driver begins a transaction before a write only
            yield connection
        else:
            yield connection.execution_options(isolation_level="REPEATABLE READ")


@functools.cache
def _knows_tables() -> bool:
    """Whether MLflow's tables have the columns that are filled here, and ask for no others."""
    for table, filled in _FILLED.items():
        columns = {column.name: column for column in table.columns}
        asked = {name for name, column in columns.items() if not (column.nullable or column.server_default)}
        strange = (filled - set(columns)) | {name for name in asked - filled if columns[name].default is None}
        if strange:
            logging.getLogger(__name__).warning(
                "MLflow's table %s has other columns than are known here (%s): runs are written by MLflow's client, "
                "which is slower.",
                table.name,
                ", ".join(sorted(strange)),
            )
            return False
    return True


def artifact_location(engine: sa.Engine, experiment_id: str) -> str | None:
    """Where an experiment keeps its artifacts; None if it is not there, or was deleted."""
    query = sa.select(EXPERIMENTS.c.artifact_location).where(
        EXPERIMENTS.c.experiment_id == int(experiment_id), EXPERIMENTS.c.lifecycle_stage == "active"
    )
    with engine.connect() as connection:
        found: str | None = connection.execute(query).scalar()
    return found


def insert_run(engine: sa.Engine, run: RunRecord) -> str | None:
    """Write an ended run: its files first, then all its rows at once.

    A process that dies in between leaves files that no run refers to, never a run without its files.

    Returns
    -------
    str or None
        The run's id; None where the experiment's artifacts are not kept on this machine, and nothing is written.

    Raises
    ------
    sqlalchemy.exc.SQLAlchemyError, OSError
        If the store refuses; nothing of the run is in the database then.
    """
    run_id = uuid.uuid4().hex
    location = artifact_location(engine, run.experiment_id)
    if location is None:
        return None  # the client says what is wrong
    artifact_uri: str = append_to_uri_path(location, run_id, "artifacts")  # type: ignore[no-untyped-call]
    folder = local_folder(artifact_uri)
    if folder is None:
        return None
    write_files(folder, run.files)
    tags = {**run.tags, "mlflow.runName": run.name}
    points = [_point(run, run_id, *metric) for metric in run.metrics]
    last: dict[str, dict[str, Any]] = {}
    for point in points:
        if point["key"] not in last or point["step"] > last[point["key"]]["step"]:
            last[point["key"]] = point
    with engine.begin() as connection:
        connection.execute(sa.insert(RUNS), _run_row(run, run_id, artifact_uri))
        for table, texts in ((TAGS, tags), (PARAMS, run.params)):
            rows = [{"key": key, "value": value, "run_uuid": run_id} for key, value in texts.items()]
            if rows:
                connection.execute(sa.insert(table), rows)
        if points:
            connection.execute(sa.insert(METRICS), points)
            connection.execute(sa.insert(LATEST), list(last.values()))
        _insert_dataset(connection, run, run_id)
    return run_id


def _run_row(run: RunRecord, run_id: str, artifact_uri: str) -> dict[str, Any]:
    return {
        "run_uuid": run_id,
        "name": run.name,
        "source_type": "UNKNOWN",
        "source_name": "",
        "entry_point_name": "",
        "user_id": run.tags.get("mlflow.user", "unknown"),
        "status": run.status,
        "start_time": run.started,
        "end_time": run.ended,
        "deleted_time": None,
        "source_version": "",
        "lifecycle_stage": "active",
        "artifact_uri": artifact_uri,
        "experiment_id": int(run.experiment_id),
    }


def _point(run: RunRecord, run_id: str, name: str, value: float, step: int) -> dict[str, Any]:
    """A metric's row; MLflow stores NaN as 0 with a mark, and an infinity as the largest float."""
    is_nan = math.isnan(value)
    stored = 0.0 if is_nan else max(-LARGEST, min(LARGEST, value))
    return {
        "key": name,
        "value": stored,
        "timestamp": run.ended,
        "step": step,
        "is_nan": is_nan,
        "run_uuid": run_id,
    }


def _insert_dataset(connection: sa.Connection, run: RunRecord, run_id: str) -> None:
    """Insert the data set unless the experiment knows it, and the run's use of it."""
    dataset = run.dataset
    identity = {"experiment_id": int(run.experiment_id), "name": dataset.name, "digest": dataset.digest}
    known = sa.select(DATASETS.c.dataset_uuid).where(*(DATASETS.c[key] == value for key, value in identity.items()))
    dataset_id = connection.execute(known).scalar()
    if dataset_id is None:
        described = {
            "dataset_source_type": dataset.source_type,
            "dataset_source": dataset.source,
            "dataset_schema": dataset.schema,
            "dataset_profile": dataset.profile,
        }
        insert = _INSERT[connection.dialect.name](DATASETS).on_conflict_do_nothing()  # another process may be as quick
        connection.execute(insert, {"dataset_uuid": uuid.uuid4().hex, **identity, **described})
        dataset_id = connection.execute(known).scalar_one()
    used = {
        "input_uuid": uuid.uuid4().hex,
        "source_type": "DATASET",
        "source_id": dataset_id,
        "destination_type": "RUN",
        "destination_id": run_id,
    }
    connection.execute(sa.insert(INPUTS), used)
    context = {"input_uuid": used["input_uuid"], "name": "mlflow.data.context", "value": DATASET_CONTEXT}
    connection.execute(sa.insert(INPUT_TAGS), context)
