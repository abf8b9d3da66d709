"""The tables of a database that are used, for SQLite and PostgreSQL alike, as they are found there.

Where a table of a later MLflow asks for more than is known here, its client is used, and that is said once.
"""

import functools
import logging
from importlib.metadata import distribution, version
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from src.escaping import masked
from src.tracking.errors import TrackingError
from src.tracking.sqlite_file import BUSY_SECONDS
from src.words import runnable

# A row of the table runs: where each field of a `RunRow` stands, and what is the same for every new run.
RUN = {
    **{"run_uuid": "run_id", "experiment_id": "experiment_id", "name": "name", "status": "status"},
    **{"start_time": "started", "end_time": "ended", "artifact_uri": "artifact_uri"},
}
NEW_RUN = {
    **{"source_type": "UNKNOWN", "source_name": "", "source_version": "", "entry_point_name": ""},
    **{"lifecycle_stage": "active", "deleted_time": None},
}
DATASET = {name: f"dataset_{name}" for name in ("source_type", "source", "schema", "profile")}
METRIC = ("key", "value", "timestamp", "step", "is_nan", "run_uuid")
# The columns of each table that are filled or read here.
COLUMNS = {
    "experiments": (
        *("experiment_id", "name", "workspace", "artifact_location", "lifecycle_stage"),
        *("creation_time", "last_update_time"),
    ),
    "experiment_tags": ("key", "value", "experiment_id"),
    "runs": (*RUN, *NEW_RUN, "user_id"),
    "tags": ("key", "value", "run_uuid"),
    "params": ("key", "value", "run_uuid"),
    "metrics": METRIC,
    "latest_metrics": METRIC,
    "datasets": ("dataset_uuid", "experiment_id", "name", "digest", *DATASET.values()),
    "inputs": ("input_uuid", "source_type", "source_id", "destination_type", "destination_id"),  # and outputs
    "input_tags": ("input_uuid", "name", "value"),
    "logged_models": (
        *("model_id", "experiment_id", "name", "artifact_location", "creation_timestamp_ms"),
        *("last_updated_timestamp_ms", "status", "lifecycle_stage", "model_type", "source_run_id"),
    ),
}
_DIALECTS = ("sqlite", "postgresql")


def known_tables(address: str) -> tuple[sa.Engine, dict[str, sa.TableClause]] | None:
    """Return a way into a database, and its tables that are used; None unless kind, version and tables are known here.

    Raises
    ------
    sqlalchemy.exc.SQLAlchemyError
        If it cannot be read.
    """
    if address.split(":")[0].split("+")[0] not in _DIALECTS:
        return None
    engine = _engine(address)
    with engine.connect() as connection:
        inspector = sa.inspect(connection)
        existing = set(inspector.get_table_names())
        if "alembic_version" not in existing or not _is_of_this_version(connection, address):
            return None  # it is empty, and the client fills it
        tables = {}
        for name, filled in COLUMNS.items():
            columns = {column["name"]: column for column in inspector.get_columns(name)} if name in existing else {}
            asked = {key for key, column in columns.items() if not (column["nullable"] or column["default"])}
            if strange := (set(filled) - set(columns)) | (asked - set(filled)):
                _say_unknown(name, ", ".join(sorted(strange)))
                return None
            tables[name] = sa.table(name, *(sa.column(key, columns[key]["type"]) for key in filled))
    return engine, tables


def _engine(address: str) -> sa.Engine:
    if not address.startswith("sqlite"):
        return sa.create_engine(address)
    engine = sa.create_engine(
        address, connect_args={"timeout": BUSY_SECONDS}, poolclass=sa.NullPool, paramstyle="named"
    )

    @sa.event.listens_for(engine, "connect")
    def settle(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA foreign_keys = ON")
        # With write-ahead logging (src.tracking.address) NORMAL keeps every commit through the death of this process
        # and a consistent file through a power cut; only the last moments before the cut can be lost.
        connection.execute("PRAGMA synchronous = NORMAL")

    return engine


def _is_of_this_version(connection: sa.Connection, address: str) -> bool:
    """Whether the tables are those of the installed MLflow, told by its migrations, which are files; none are not.

    A database of another version is refused: MLflow itself would change some without a word, which no other client of
    an older version could then open.
    """
    revision = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    wrong = f"tracking.uri: {masked(address)} was written by"
    if revision is not None and f'revision = "{revision}"' not in _revisions():
        raise TrackingError(
            f"{wrong} a newer version of MLflow than {version('mlflow')}; install that, or choose another store."
        )
    if f'down_revision = "{revision}"' in _revisions():
        upgrade = runnable(f"mlflow db upgrade {masked(address)}")
        raise TrackingError(
            f"{wrong} an older version of MLflow; keep a copy of it and run `{upgrade}`, or choose another store."
        )
    return revision is not None


@functools.cache
def _revisions() -> frozenset[str]:
    """The lines in which the migrations of the installed MLflow name themselves and those they follow."""
    files = Path(str(distribution("mlflow").locate_file("mlflow/store/db_migrations"))).glob("versions/*.py")
    return frozenset(line for file in files for line in file.read_text().splitlines() if "revision = " in line)


@functools.cache
def _say_unknown(table: str, columns: str) -> None:
    logging.getLogger(__name__).warning(
        "MLflow's table %s has other columns than are known here (%s): runs are written by MLflow's client, "
        "which is slower.",
        table,
        columns,
    )
