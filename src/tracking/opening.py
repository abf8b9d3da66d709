"""Opening a store, and an experiment in it, which are created where they are not there yet."""

import hashlib
import re
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from src.escaping import masked
from src.tracking.access import check_answer, check_server
from src.tracking.address import database_path, resolve_address, sqlite_address
from src.tracking.errors import TrackingError, telling
from src.tracking.sqlite_file import ARTIFACTS, follow_move, holds_tables, prepared_database
from src.tracking.store import Store
from src.words import runnable


def open_store(uri: str | None = None) -> Store:
    """Open the store that `uri` (``tracking.uri``), MLFLOW_TRACKING_URI or else the default means.

    The default is mlflow.db in the repository's root. An SQLite file that does not exist is created; processes that
    start at once wait for each other.

    Raises TrackingError in one sentence and within seconds: a wrong address, a missing folder, a file that is no
    database or cannot be written, a server that does not answer.
    """
    address = resolve_address(uri)
    database = database_path(address)
    if database is not None:
        with telling(f"{masked(address)} cannot be used", of="tracking.uri"), prepared_database(database):
            if not holds_tables(database):
                _create_tables(database)
            store = _opened(address)
            follow_move(database)
            return store
    if address.startswith("http"):
        store = Store(address)
        check_answer(store)
        return store
    check_server(address)
    return _opened(address)


def existing_store(uri: str | None = None) -> Store | None:
    """Open the store as `open_store` does, but only to read: None where there is no file yet, and none is created.

    Raises TrackingError as `open_store` does, but for a file that cannot be written.
    """
    address = resolve_address(uri)
    database = database_path(address)
    if database is None:
        return open_store(uri)
    return _opened(address) if holds_tables(database) else None


def _opened(address: str) -> Store:
    """Open a database by its tables, or through the client, which creates them on a server and tells what is wrong."""
    from src.tracking.database import known_database

    with telling(f"{masked(address)} cannot be used", of="tracking.uri"):
        known = known_database(address)
        if known is not None:
            return known
        store = Store(address)
        store.experiments()
        return known_database(address) or store


def _create_tables(database: Path) -> None:
    """Let MLflow create its tables elsewhere, and copy them into the database in one transaction.

    It takes MLflow seconds, and a process that is interrupted in between would leave a store that nobody can use.
    """
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, database.name)
        store = Store(sqlite_address(made))
        store.experiments()
        store.client._tracking_client.store.engine.dispose()
        with closing(sqlite3.connect(made)) as source, closing(sqlite3.connect(database)) as target:
            source.backup(target)


def experiment_id(store: Store, name: str) -> str:
    """Return the id of the experiment called `name`, creating it if there is none.

    Beside an SQLite file artifacts go to ``mlartifacts/NAME``; a server has its own place.

    Raises TrackingError if an experiment of that name was deleted, or the name is refused.
    """
    with telling("the experiment cannot be opened"):
        known = store.experiments()
        if name not in known:
            folder = None if store.database is None else store.database.parent / ARTIFACTS / _folder_name(name)
            store.create_experiment(name, None if folder is None else folder.as_uri())
            known = store.experiments()  # another process may have been as quick
    identity, deleted = known[name]
    if deleted:
        restore = runnable(f"mlflow experiments restore --experiment-id {identity}")
        raise TrackingError(
            f"tracking.experiment: {name!r} was deleted; choose another name, or restore it with `{restore}`."
        )
    return identity


def _folder_name(name: str) -> str:
    """Turn an experiment's name into a folder's: as it is where plain, else with a digest so that no two meet."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", name)[:60]
    return plain if plain == name else f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
