"""Where the program keeps what it writes unless it is told otherwise, and why a file cannot be written or read."""

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from src.errors import UserError

ROOT = Path(__file__).resolve().parents[1]


def own_folder() -> Path:
    """The checkout or, where that can only be read, the folder in which the command is typed."""
    return ROOT if os.access(ROOT, os.W_OK) else Path.cwd()


def reason(error: OSError) -> str:
    """What is wrong with a file in a few words, and what to do about it where the whole checkout can only be read."""
    told = (error.strerror or str(error)).lower()
    if os.access(ROOT, os.W_OK) or not Path(os.path.abspath(error.filename or "/")).is_relative_to(ROOT):
        return told
    here = shlex.quote(str(ROOT))
    return f"{told} (this checkout can only be read: `export PYTHONPATH={here}` and work in a folder of your own)"


@contextmanager
def writing(key: str, place: Path, mend: str = "") -> Iterator[None]:
    """Tell what keeps a place, which `key` names, from being written, and how to `mend` it, as a UserError."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{key}: {place} cannot be written: {reason(error)}{mend}.") from error
