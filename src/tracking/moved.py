"""A store that was moved, renamed or copied with its artifacts: MLflow's tables name their places in full.

They are set right where a command opens the store, so that this program, MLflow's page and its commands all find the
artifacts, and new runs keep theirs beside the database that they are in.
"""

import contextlib
import sqlite3
from pathlib import Path

from src.tracking.artifacts import local_folder

ARTIFACTS = "mlartifacts"  # the folder beside a database in which each experiment has one
BUSY_SECONDS = 20  # how long another writer is waited for
PLACES = (  # where the places of artifacts stand
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def follow_move(database: Path) -> None:
    """Let an SQLite file name the artifacts beside it where it names those of a folder that it was moved from.

    Only where an experiment's folder is beside it, or the folder that held both is gone: artifacts that were put
    elsewhere on purpose stay there. The caller holds the lock of the file.

    Raises
    ------
    sqlite3.Error
        If it cannot be written.
    """
    root = database.parent / ARTIFACTS
    with contextlib.closing(sqlite3.connect(database, timeout=BUSY_SECONDS)) as connection, connection:
        for (place,) in connection.execute("SELECT artifact_location FROM experiments").fetchall():
            before, found, name = (place or "").rpartition(f"/{ARTIFACTS}/")
            here = f"{root.as_uri() if '://' in before else root}/{name}"
            former, there, own = map(local_folder, (before, place or "", here))
            if not found or here == place or former is None or there is None or own is None:
                continue
            if own.is_dir() and there.is_dir() and own.samefile(there):  # by another path, as through a link
                continue
            if own.is_dir() or not former.is_dir():
                for table, column in PLACES:
                    connection.execute(
                        f"UPDATE {table} SET {column} = ? || substr({column}, ?) "
                        f"WHERE {column} = ? OR substr({column}, 1, ?) = ?",
                        (here, len(place) + 1, place, len(place) + 1, f"{place}/"),
                    )
