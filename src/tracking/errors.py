"""The room's error, and what becomes one."""

import contextlib
import sqlite3
from collections.abc import Iterator

from src.errors import UserError


class TrackingError(UserError):
    """A store that cannot be reached, read or written, or a run, sweep or experiment that is not in it."""


@contextlib.contextmanager
def telling(what: str, of: str = "MLflow") -> Iterator[None]:
    """Turn a failure of the store into one sentence that begins with `of` and `what`.

    Raises TrackingError for an error of MLflow, its database or its files.
    """
    try:
        yield
    except Exception as error:
        # By their names: none of these is imported to ask.
        rooms = {base.__module__.partition(".")[0] for base in type(error).__mro__}
        of_store = rooms & {"mlflow", "sqlalchemy", "boto3", "botocore"} or isinstance(error, sqlite3.Error | OSError)
        if not of_store:
            raise
        raise TrackingError(f"{of}: {what}: {first_line(error)}.") from error


def first_line(error: BaseException) -> str:
    """Return what an error says first, without a closing stop."""
    cause = getattr(error, "orig", None) or error  # what the driver says, without SQLAlchemy's name for it
    lines = str(cause).strip().splitlines()
    return lines[0].strip().rstrip(".") if lines else type(error).__name__
