"""Where the record lives: which store an address means."""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from src.folders import own_folder
from src.tracking.errors import TrackingError
from src.words import no_such_user

VARIABLE = "MLFLOW_TRACKING_URI"
SCHEMES = "sqlite:///FILE, http://HOST:PORT, https://HOST, postgresql://... or mysql://..."


def resolve_address(uri: str | None) -> str:
    """Decide which store is meant: `uri`, else the environment's MLFLOW_TRACKING_URI, else mlflow.db in the repository
    (where that can only be read, in the working directory).

    The address of an SQLite file is made absolute; a relative one means the working directory.

    Raises TrackingError if the address is of no kind that MLflow writes to.
    """
    if uri is None:
        origin, uri = VARIABLE, os.environ.get(VARIABLE) or sqlite_address(own_folder() / "mlflow.db")
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
        return sqlite_address(_absolute(uri, origin))
    hint = "" if scheme else f" For a file write 'sqlite:///{_expanded(uri, origin).absolute()}'."
    raise TrackingError(f"{origin}: {uri!r} is no address of a store ({SCHEMES}).{hint}")


def database_path(address: str) -> Path | None:
    """Return the file of an SQLite address that `resolve_address` returned, None for any other store."""
    return Path(unquote(address.removeprefix("sqlite:///"))) if address.startswith("sqlite:///") else None


def sqlite_address(path: Path) -> str:
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
