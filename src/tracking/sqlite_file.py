"""A store that is an SQLite file: whether it can be written, the tables in it, and the artifacts beside it.

MLflow itself creates missing folders silently, and lets two processes that create the same file at once break it.
"""

import contextlib
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from src.folders import reason
from src.tracking.artifacts import local_folder
from src.tracking.errors import TrackingError
from src.words import special_file

LOCK_SECONDS = 120  # another process creating the same file needs one or two seconds, on a slow disk more
BUSY_SECONDS = 20  # how long another writer is waited for
SQLITE_HEADER = b"SQLite format 3\x00"
ARTIFACTS = "mlartifacts"  # the folder beside a database in which each experiment has one
PLACES = (  # where the places of artifacts stand
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def lock_of(database: Path) -> FileLock:
    """Return the lock that processes take for what only one of them may do to an SQLite store."""
    return FileLock(f"{database}.lock", timeout=LOCK_SECONDS)


@contextlib.contextmanager
def prepared_database(database: Path) -> Iterator[None]:
    """Check that an SQLite file can be written, and hold its lock while the caller lets MLflow create its tables.

    Raises TrackingError if the folder is missing, the file is no database, or either is read-only.
    """
    folder = database.parent
    try:
        if not folder.is_dir():
            raise TrackingError(f"tracking.uri: the folder {folder} does not exist; create it or choose another file.")
        _check_file(database)
        with tempfile.TemporaryFile(dir=folder):  # whoever takes a lock where no file can be made tries again and again
            pass
        with lock_of(database):
            _check_writing(database)
            yield
    except Timeout as error:
        raise TrackingError(
            f"tracking.uri: another process has held {database}.lock for {LOCK_SECONDS} s; "
            "end it, or remove the file if no such process lives."
        ) from error
    except OSError as error:
        raise TrackingError(f"tracking.uri: {database} cannot be written: {reason(error)}.") from error


def _check_file(database: Path) -> None:
    """Refuse what is there and is no database, nor empty; a pipe, which would wait, and a device are not opened."""
    try:
        mode = database.stat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        raise TrackingError(
            f"tracking.uri: {database} is a folder; name a file in it, such as {database / 'mlflow.db'}."
        )
    if not stat.S_ISREG(mode):
        raise TrackingError(f"tracking.uri: {database} is no regular file ({special_file(mode)}); choose another file.")
    with database.open("rb") as file:
        start = file.read(len(SQLITE_HEADER))
    if start not in (b"", SQLITE_HEADER):
        raise TrackingError(f"tracking.uri: {database} is no SQLite database; choose another file.")


def _check_writing(database: Path) -> None:
    """Write once, and take it back: all that every later write needs; creates the file if it is missing."""
    try:
        with contextlib.closing(sqlite3.connect(database, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
            # Write-ahead logging: whoever reads (MLflow's page) no longer stops the writer, and a commit costs no
            # more than an append. The mode stays with the file; where the file system cannot do it nothing changes.
            connection.execute("PRAGMA journal_mode = WAL")
            # BEGIN IMMEDIATE alone succeeds on a read-only file: SQLite then takes a lock for reading.
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("CREATE TABLE may_this_be_written (answer)")
            connection.execute("ROLLBACK")
    except sqlite3.Error as error:
        raise TrackingError(f"tracking.uri: {database} cannot be written: {error}.") from error


def holds_tables(database: Path) -> bool:
    """Say whether there is an SQLite file with tables; nothing is created.

    Raises TrackingError for a file of any other kind.
    """
    try:
        _check_file(database)
    except OSError as error:
        raise TrackingError(f"tracking.uri: {database} cannot be read: {reason(error)}.") from error
    if not database.is_file():
        return False
    with contextlib.closing(sqlite3.connect(database)) as connection:
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return int(tables) > 0


def follow_move(database: Path) -> None:
    """Let an SQLite file name the artifacts beside it where it names those of a folder that it was moved from.

    MLflow's tables name their places in full. They are set right where a command opens the store, so that this
    program, MLflow's page and its commands all find the artifacts, and new runs keep theirs beside the database that
    they are in. Only where an experiment's folder is beside it, or the folder that held both is gone: artifacts that
    were put elsewhere on purpose stay there. The caller holds the lock of the file.

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
