"""The error that is meant for the user, and how a command tells it."""

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from src.escaping import escaped, masked


class UserError(Exception):
    """A problem the user can mend: bad configuration, bad input data, a store that cannot be reached.

    Its text is the complete message: one sentence that names the key or row, what was found, what is allowed and how
    to mend it; several problems are several lines. The commands `tell` it without a traceback and end with its exit
    status.
    """

    exit_status = 2

    def _render_traceback_(self) -> list[str]:  # the hook of IPython: a notebook shows this instead of a traceback
        return _lines(str(self))


class _Deaf:
    """A stream that goes on after its reader has gone; what is written then is lost."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text."""
        with self._heard():
            self._stream.write(text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write texts."""
        self.write("".join(lines))

    def flush(self) -> None:
        """Write out what is buffered."""
        with self._heard():
            self._stream.flush()

    @contextlib.contextmanager
    def _heard(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def deaf_to_closed_pipes() -> None:
    """Let the program end its work, quietly and truthfully, when nobody reads on: as in ``... | head``."""
    sys.stdout, sys.stderr = _Deaf(sys.stdout), _Deaf(sys.stderr)


def tell(message: str, exit_status: int = UserError.exit_status) -> int:
    """Print each line after ``error: `` on stderr; return the exit status."""
    sys.stderr.writelines(f"{line}\n" for line in _lines(message))
    return exit_status


def _lines(message: str) -> list[str]:
    return [f"error: {escaped(line)}" for line in masked(message).split("\n")]
