"""Whether a store over the network answers and may be written to: asked before anything is trained, within seconds.

MLflow itself retries for minutes, and what it then tells holds addresses, counts and whole pages of HTML.
"""

import contextlib
import logging
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import sqlalchemy

from src.escaping import masked
from src.language import say
from src.tracking.artifacts import local_folder
from src.tracking.errors import TrackingError, first_line
from src.tracking.store import Store, repository
from src.words import not_installed, runnable

REACH_SECONDS = 5  # how long a server may take to answer the first question
DRIVER = "psycopg"  # of PostgreSQL, which requirements.lock holds
PROBE = "may-be-written"  # an empty file, and a tag that no experiment has
ACCOUNT = "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
CERTIFICATE = "MLFLOW_TRACKING_SERVER_CERT_PATH names the file of one that is to be trusted"
_LIMITS = {  # MLflow and boto3 read them anew for each request
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": str(REACH_SECONDS),
    "AWS_MAX_ATTEMPTS": "1",
}
# What is to be found in an error's text, and what it means; the first counts.
_REASONS = (
    ("Invalid Host header", "it does not know itself by that name, which `mlflow server --allowed-hosts` tells it"),
    ("certificate has expired", "its certificate has expired"),
    (r"certificate verify failed: ([^(\n]*\w)", rf"its certificate is not trusted (\1); {CERTIFICATE}"),
    (r"TLS CA certificate bundle, invalid path: (\S*[^\s.])", r"there is no file of certificates \1"),
    ("plain HTTP request was sent to HTTPS", "it speaks TLS; write https://"),
    ("WRONG_VERSION_NUMBER|wrong version number|record layer failure", "it speaks no TLS; write http://"),
    ("Connection refused|ConnectionRefusedError", "connection refused"),
    ("Name or service not known|name resolution|nodename nor servname|getaddrinfo|NameResolutionError", "unknown host"),
    (r"timed out|[Tt]imeout", f"no answer within {REACH_SECONDS} s"),
    ("NoSuchBucket", "the bucket does not exist"),
    ("Unable to locate credentials|NoCredentials", "no account for S3 is given, as AWS_ACCESS_KEY_ID does"),
    (r"InvalidAccessKeyId|SignatureDoesNotMatch", "the account for S3 or its secret is wrong"),
    ("error code 403|403 Client Error|AccessDenied|[Pp]ermission denied|PERMISSION_DENIED", "permission denied"),
    ("tracking URI must be a valid http", "only MLflow's server reaches that place; write its http:// address"),
    (
        r"too many \d+ error responses|error code 5\d\d|\b5\d\d Server Error",
        "the server answers with an error, which its own lines tell",
    ),
    (r"error code 404|404 Client Error|Response body: '\s*<|BadStatusLine", "that is no MLflow server"),
    ("RemoteDisconnected|Connection aborted|Connection reset|Connection was closed", "it closes the connection"),
)


@contextlib.contextmanager
def _hasty() -> Iterator[None]:
    """Ask once and for a short time only."""
    before = {name: os.environ[name] for name in _LIMITS if name in os.environ}
    os.environ.update(_LIMITS)
    try:
        yield
    finally:
        for name in _LIMITS:
            del os.environ[name]
        os.environ.update(before)


def check_answer(store: Store) -> None:
    """Ask a server one thing.

    Raises TrackingError if it does not answer, is no MLflow server or lets this account not in.
    """
    with _told(f"tracking.uri: {masked(store.address)} cannot be used", store.address), _hasty():
        store.client.search_experiments(max_results=1)


def check_server(address: str) -> None:
    """Check that a database server accepts a connection; MLflow would try ten times, for minutes.

    Raises TrackingError if the driver is not installed, or the server refuses or does not answer.
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


def check_writing(store: Store, experiment_id: str, told: Callable[[str], None]) -> None:
    """Check that runs and artifacts can be added to an experiment; nothing is left behind.

    But for an empty file, where an account may add artifacts and not delete them. A folder on this machine is not
    tried; where it is not beside the database that leaves the artifacts to it, that is said with `told`.

    Raises TrackingError if either is refused.
    """
    what = f"tracking.uri: {masked(store.address)} cannot be written to"
    with _told(f"{what}: no run can be added to the experiment", store.address), _hasty():
        if store.address.startswith("postgresql"):
            _check_privilege(store.address)
        elif store.database is None:  # a file was tried by `prepared_database`
            _check_permission(store, experiment_id)
        location = store.artifact_location(experiment_id)
    folder, database = local_folder(location), store.database
    if folder is None:
        check_artifacts(what, location, store.address)
    elif store.address.startswith("postgresql"):
        told(
            say(
                "caution: {store} holds no artifacts; those of this experiment are kept in {folder}, which other "
                "machines may not have (SERVER.md).",
                store=masked(store.address),
                folder=location,
            )
        )
    elif database is not None and not folder.resolve().is_relative_to(database.parent.resolve()):
        told(
            say(
                "caution: the artifacts of this experiment are kept in {folder}, not beside {database}. Whoever copies "
                "mlflow.db copies mlartifacts, which lies beside it, too.",
                folder=folder,
                database=database,
            )
        )


def _check_privilege(address: str) -> None:
    engine = sqlalchemy.create_engine(address)
    with engine.connect() as connection:
        allowed = connection.exec_driver_sql("SELECT has_table_privilege('runs', 'INSERT')").scalar()
    engine.dispose()
    if not allowed:
        raise PermissionError("permission denied")


def _check_permission(store: Store, experiment_id: str) -> None:
    """Ask for what whoever may add runs may do, and what changes nothing: to delete a tag that is not there."""
    from mlflow.exceptions import MlflowException

    try:
        store.client.delete_experiment_tag(experiment_id, PROBE)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise


def check_artifacts(what: str, location: str, address: str) -> None:
    """Add an empty file to a folder, a bucket or a server's place for artifacts, and remove it.

    Raises TrackingError if that fails; the sentence begins with `what`. `address` is the store's.
    """
    with _told(f"{what}: no artifact can be added at {masked(location)}", address), _hasty():
        place = repository(location, address)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, PROBE)
            file.touch()
            place.log_artifact(str(file))
        with contextlib.suppress(Exception):  # some accounts may write and not delete, each store says so in its way
            place.delete_artifacts(PROBE)


@contextlib.contextmanager
def _told(what: str, address: str) -> Iterator[None]:
    """Say of any failure, boto3's among them, what is not possible and why."""
    try:
        yield
    except Exception as error:
        raise TrackingError(f"{what}: {_reason(error, address)}.") from error


def _reason(error: Exception, address: str) -> str:
    """Return in a few words what a message means that may hold an address, a retry count and a whole page of HTML."""
    if isinstance(error, ModuleNotFoundError):
        return f"it needs the Python package {error.name!r}; install it"
    if re.search("error code 401|401 Client Error", str(error)):
        from mlflow.utils.credentials import read_mlflow_creds

        account = urlsplit(address).username or read_mlflow_creds().username
        if account is None:
            return f"it asks for an account, which {ACCOUNT} give"
        return f"it refuses the account {account!r}: wrong name or password"
    for pattern, reason in _REASONS:
        if found := re.search(pattern, str(error)):
            return found.expand(reason)
    return first_line(error)[:200]
