"""The opened store: MLflow's client for one address, and what is known of where it keeps things."""

import contextlib
import hashlib
import logging
import os
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from src.tracking.address import (
    REACH_SECONDS,
    check_server,
    database_path,
    first_line,
    is_empty,
    prepared_database,
    remove_database,
    replace_database,
    resolve_address,
    shown,
)
from src.tracking.database import engine_of
from src.tracking.errors import TrackingError

# MLflow greets every new database with two lines of its own and prints a traceback for each database error, which
# reaches the user as a sentence anyway.
logging.getLogger("mlflow").setLevel(logging.WARNING)
logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
logging.getLogger("alembic").setLevel(logging.WARNING)


@dataclass(frozen=True)
class Store:
    """An MLflow store that answered and can be written.

    Attributes
    ----------
    address
        Its absolute address.
    client
        MLflow's client for it.
    database
        The SQLite file, None for a server.
    engine
        The database, where its tables are known; None for a server that speaks HTTP.
    """

    address: str
    client: MlflowClient
    database: Path | None
    engine: Engine | None


def open_store(uri: str | None = None) -> Store:
    """Open the store that `uri` (``tracking.uri``), MLFLOW_TRACKING_URI or else the default means.

    The default is mlflow.db in the repository's root. An SQLite file that does not exist is created; processes that
    start at once wait for each other.

    Raises
    ------
    TrackingError
        In one sentence and within seconds: a wrong address, a missing folder, a file that is no database or cannot
        be written, a server that does not answer.
    """
    address = resolve_address(uri)
    database = database_path(address)
    if database is not None:
        with prepared_database(database):
            if is_empty(database):
                _create_tables(database, address)
            client = _client(address)
    elif address.startswith("http"):
        client = MlflowClient(address, registry_uri=address)
        _check_answer(client, address)
    else:
        check_server(address)
        client = _client(address)
    return Store(address, client, database, engine_of(address))


def _create_tables(database: Path, address: str) -> None:
    """Create MLflow's tables beside the database and move them there whole.

    It takes MLflow seconds, and a process that is interrupted in between would leave a store that nobody can use.
    """
    growing = database.with_name(f"{database.name}.new")
    remove_database(growing)
    client = _client(f"{address.partition('?')[0]}.new")
    client._tracking_client.store.engine.dispose()
    replace_database(growing, database)


def existing_store(uri: str | None = None) -> Store | None:
    """Open the store as `open_store` does, but only to read: None where there is no file yet, and none is created.

    Raises
    ------
    TrackingError
        As `open_store` does, but for a file that cannot be written.
    """
    address = resolve_address(uri)
    database = database_path(address)
    if database is None:
        return open_store(uri)
    if not database.is_file() or is_empty(database):
        return None
    return Store(address, _client(address), database, engine_of(address))


def _client(address: str) -> MlflowClient:
    """Connect to a store."""
    try:
        client = MlflowClient(address, registry_uri=address)
        client.search_experiments(max_results=1)
    except (MlflowException, SQLAlchemyError) as error:
        if "out-of-date database schema" in str(error):
            raise TrackingError(
                f"tracking.uri: {shown(address)} was written by another version of MLflow; "
                f"keep a copy of it and run `mlflow db upgrade {shown(address)}`, or choose another store."
            ) from error
        raise TrackingError(f"tracking.uri: {shown(address)} cannot be used: {first_line(error)}.") from error
    return client


def _check_answer(client: MlflowClient, address: str) -> None:
    limits = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": str(REACH_SECONDS)}
    try:
        with _environment(limits):
            client.search_experiments(max_results=1)
    except MlflowException as error:
        raise TrackingError(f"tracking.uri: no MLflow server answers at {shown(address)}: {_short(error)}.") from error


def _short(error: MlflowException) -> str:
    """Return the reason from a message that may hold an address, a retry count and a whole page of HTML."""
    text = first_line(error)
    for pattern, reason in (
        ("Connection refused", "connection refused"),
        (
            "Name or service not known|name resolution|nodename nor servname|getaddrinfo|NameResolutionError",
            "unknown host",
        ),
        ("timed out|Timeout", f"no answer within {REACH_SECONDS} s"),
        ("401|403", "access denied (MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD give the account)"),
    ):
        if re.search(pattern, str(error)):
            return reason
    return text[:200]


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Set variables that MLflow reads anew for each request, and put them back."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def experiment_id(store: Store, name: str) -> str:
    """Return the id of the experiment called `name`, creating it if there is none.

    Beside an SQLite file artifacts go to ``mlartifacts/NAME``; a server has its own place.

    Raises
    ------
    TrackingError
        If an experiment of that name was deleted, or the name is refused.
    """
    with telling("the experiment cannot be opened"):
        found = store.client.get_experiment_by_name(name)
    if found is None:
        found_id = _create_experiment(store, name)
        if found_id is not None:
            return found_id
        found = store.client.get_experiment_by_name(name)
    if found is None or found.lifecycle_stage != "active":
        raise TrackingError(
            f"tracking.experiment: {name!r} was deleted; choose another name, "
            f"or restore it with `mlflow experiments restore --experiment-id {found.experiment_id if found else '?'}`."
        )
    return str(found.experiment_id)


def _create_experiment(store: Store, name: str) -> str | None:
    """Create an experiment; None if another process did so first."""
    location = None if store.database is None else (store.database.parent / "mlartifacts" / _folder_name(name)).as_uri()
    try:
        return str(store.client.create_experiment(name, artifact_location=location))
    except MlflowException as error:
        if error.error_code == "RESOURCE_ALREADY_EXISTS":
            return None
        raise TrackingError(f"tracking.experiment: {name!r} cannot be created: {first_line(error)}.") from error


def _folder_name(name: str) -> str:
    """Turn an experiment's name into a folder's: as it is where plain, else with a digest so that no two meet."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", name)[:60]
    return plain if plain == name else f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


@contextlib.contextmanager
def telling(what: str) -> Iterator[None]:
    """Turn a failure of the store into one sentence that begins with `what`.

    Raises
    ------
    TrackingError
        For an error of MLflow, its database or its files.
    """
    try:
        yield
    except (MlflowException, SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise TrackingError(f"MLflow: {what}: {first_line(error)}.") from error
