"""The error that is meant for the user, and how a command tells it."""

import argparse
import contextlib
import functools
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NoReturn, TextIO

from src.escaping import escaped, masked
from src.words import did_you_mean


class UserError(Exception):
    """A problem the user can mend: bad configuration, bad input data, a store that cannot be reached.

    Its text is the complete message: one sentence that names the key or row, what was found, what is allowed and how
    to mend it; several problems are several lines. The commands `tell` it without a traceback and end with its exit
    status.
    """

    exit_status = 2

    def _render_traceback_(self) -> list[str]:  # the hook of IPython: a notebook shows this instead of a traceback
        return _lines(str(self))


class Arguments(argparse.ArgumentParser):
    """A command's arguments; what is wrong with them is told as everything else is."""

    def add_store(self) -> None:
        """Take the address of the store."""
        self.add_argument("--uri", help="address of the store; if absent, MLFLOW_TRACKING_URI or the repository's own")

    def add_allowed(self) -> None:
        """Take the modules whose code may be run."""
        self.add_argument(
            "--allow",
            metavar="MODULE",
            action="append",
            default=[],
            help="a module beside scikit-learn that the model is made of, such as xgboost: its code is run",
        )

    def error(self, message: str) -> NoReturn:
        """Print what is wrong, and how the command is used unless that is a misspelt flag; end with status 2."""
        unknown = unknown_flag(self, message)
        if unknown is None:
            self.print_usage(sys.stderr)
        sys.exit(tell(unknown or message))


def unknown_flag(parser: argparse.ArgumentParser, message: str) -> str | None:
    """The sentence for a flag that there is not; None if that is not what argparse's message says."""
    typed = re.match(r"unrecognized arguments: (--?[^\s=]+)", message)
    flags = sorted(flag for action in parser._actions for flag in action.option_strings if flag.startswith("--"))
    return typed and f"{typed[1]}: there is no such flag.{did_you_mean(typed[1], flags)} ({', '.join(flags)})"


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


def command(main: Callable[[Sequence[str] | None], int]) -> Callable[..., int]:
    """Let a program `tell` a UserError: its exit status is that of the program."""

    @functools.wraps(main)
    def telling(arguments: Sequence[str] | None = None) -> int:
        try:
            return main(arguments)
        except UserError as error:
            return tell(str(error), error.exit_status)

    return telling


def tell(message: str, exit_status: int = UserError.exit_status) -> int:
    """Print each line after ``error: `` on stderr; return the exit status."""
    sys.stderr.writelines(f"{line}\n" for line in _lines(message))
    return exit_status


def _lines(message: str) -> list[str]:
    return [f"error: {escaped(line)}" for line in masked(message).split("\n")]
