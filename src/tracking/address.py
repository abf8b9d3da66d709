"""Where the record lives, and whether it can be written there.

A store that cannot be used must be known within seconds and before anything is trained. MLflow itself retries an
unreachable server for minutes, creates missing folders silently, and lets two processes that create the same SQLite
file at once break it.
"""

import contextlib
import logging
import os
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import sqlalchemy
from filelock import FileLock, Timeout

from src.escaping import masked
from src.folders import own_folder, reason
from src.tracking.errors import TrackingError, first_line
from src.words import no_such_user, not_installed, runnable, special_file

VARIABLE = "MLFLOW_TRACKING_URI"
REACH_SECONDS = 5  # how long a server may take to answer the first question
LOCK_SECONDS = 120  # another process creating the same file needs one or two seconds, on a slow disk more
DRIVER = "psycopg"  # of PostgreSQL, which requirements.lock holds
SCHEMES = "sqlite:///FILE, http://HOST:PORT, https://HOST, postgresql://... or mysql://..."
SQLITE_HEADER = b"SQLite format 3\x00"


def resolve_address(uri: str | None) -> str:
    """Decide which store is meant: `uri`, else the environment's MLFLOW_TRACKING_URI, else mlflow.db in the repository
    (where that can only be read, in the working directory).

    The address of an SQLite file is made absolute; a relative one means the working directory.

    Raises
    ------
    TrackingError
        If the address is of no kind that MLflow writes to.
    """
    if uri is None:
        origin, uri = VARIABLE, os.environ.get(VARIABLE) or _sqlite_address(own_folder() / "mlflow.db")
    else:
        origin = "tracking.uri"
    scheme = uri.partition(":")[0].partition("+")[0] if ":" in uri else ""
    if scheme in {"http", "https", "postgresql", "mysql"}:
        if scheme.startswith("http") and not _named(uri, "hostname"):
            raise TrackingError(f"{origin}: {uri!r} names no host; write {scheme}://HOST:PORT.")
        if _named(uri, "port") is None:
            raise TrackingError(f"{origin}: {uri!r} names a port that is no whole number from 0 to 65535.")
        return uri.rstrip("/") if scheme.startswith("http") else uri
    if scheme == "sqlite":
        return _sqlite_address(_absolute(uri, origin))
    hint = "" if scheme else f" For a file write 'sqlite:///{_expanded(uri, origin).absolute()}'."
    raise TrackingError(f"{origin}: {uri!r} is no address of a store ({SCHEMES}).{hint}")


def database_path(address: str) -> Path | None:
    """Return the file of an SQLite address that `resolve_address` returned, None for any other store."""
    return Path(unquote(address.removeprefix("sqlite:///"))) if address.startswith("sqlite:///") else None


def _sqlite_address(path: Path) -> str:
    """Write a file as an address; the two characters that mean something else in one are escaped."""
    return "sqlite:///" + str(path).replace("%", "%25").replace("?", "%3F")


def _named(uri: str, part: str) -> str | None:
    """What an address names as its `part`, empty where it leaves that out; None where it names what cannot be one."""
    try:
        return str(getattr(urlsplit(uri), part) or "")
    except ValueError:
        return None


def _absolute(uri: str, origin: str) -> Path:
    path = unquote(uri.removeprefix("sqlite:///").partition("?")[0]) if uri.startswith("sqlite:///") else ""
    if not path or path == ":memory:":
        raise TrackingError(
            f"{origin}: {uri!r} names no file; write sqlite:///FILE (four slashes for an absolute path)."
        )
    if "\0" in path:
        raise TrackingError(f"{origin}: {uri!r} names no file: it holds a NUL byte; leave %00 out.")
    return Path(os.path.abspath(_expanded(path, origin)))


def _expanded(path: str, origin: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise TrackingError(f"{origin}: {no_such_user(path)}") from None


def lock_of(database: Path) -> FileLock:
    """Return the lock that processes take for what only one of them may do to an SQLite store."""
    return FileLock(f"{database}.lock", timeout=LOCK_SECONDS)


@contextlib.contextmanager
def prepared_database(database: Path) -> Iterator[None]:
    """Check that an SQLite file can be written, and hold its lock while the caller lets MLflow create its tables.

    Raises
    ------
    TrackingError
        If the folder is missing, the file is no database, or either is read-only.
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


def holds_tables(database: Path) -> bool:
    """Say whether there is an SQLite file with tables; nothing is created.

    Raises
    ------
    TrackingError
        For a file of any other kind.
    """
    try:
        _check_file(database)
    except OSError as error:
        raise TrackingError(f"tracking.uri: {database} cannot be read: {reason(error)}.") from error
    return database.is_file() and not is_empty(database)


def _check_writing(database: Path) -> None:
    """Write once, and take it back: all that every later write needs; creates the file if it is missing."""
    try:
        with contextlib.closing(sqlite3.connect(database, timeout=20, isolation_level=None)) as connection:
            # Write-ahead logging: whoever reads (MLflow's page) no longer stops the writer, and a commit costs no
            # more than an append. The mode stays with the file; where the file system cannot do it nothing changes.
            connection.execute("PRAGMA journal_mode = WAL")
            # BEGIN IMMEDIATE alone succeeds on a read-only file: SQLite then takes a lock for reading.
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("CREATE TABLE may_this_be_written (answer)")
            connection.execute("ROLLBACK")
    except sqlite3.Error as error:
        raise TrackingError(f"tracking.uri: {database} cannot be written: {error}.") from error


def is_empty(database: Path) -> bool:
    """Say whether an SQLite file holds no tables."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return int(tables) == 0


def remove_database(database: Path) -> None:
    """Remove an SQLite file and what belongs to it, if they are there."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)


def replace_database(new: Path, old: Path) -> None:
    """Put a closed SQLite file in the place of another, in one step; the caller holds the lock of `old`."""
    with contextlib.closing(sqlite3.connect(new)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")  # all of it in the one file
    remove_database(old)
    os.replace(new, old)
    with contextlib.closing(sqlite3.connect(old)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    remove_database(new)


def check_server(address: str) -> None:
    """Check that a database server accepts a connection; MLflow would try ten times, for minutes.

    Raises
    ------
    TrackingError
        If the driver is not installed, or the server refuses or does not answer.
    """
    logging.getLogger("psycopg").setLevel(logging.CRITICAL)  # of a server that goes away our own sentence tells
    try:
        engine = sqlalchemy.create_engine(address, connect_args={"connect_timeout": REACH_SECONDS})
        with engine.connect():
            pass
        engine.dispose()
    except ModuleNotFoundError as error:
        driver = str(error.name)
        other = f"{driver} is not installed: {runnable(f'python -m pip install {driver}')}"
        how = not_installed(driver) if driver == DRIVER else other
        raise TrackingError(f"tracking.uri: {masked(address)} needs its driver; {how}.") from error
    except (sqlalchemy.exc.SQLAlchemyError, OSError, ValueError, TypeError) as error:
        raise TrackingError(f"tracking.uri: cannot connect to {masked(address)}: {first_line(error)}.") from error
