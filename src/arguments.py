"""What the commands with arguments of their own share: how these are declared, helped with and refused."""

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import NoReturn

from src.errors import UserError, tell
from src.language import LANGUAGES, choose, say
from src.words import did_you_mean, runnable

_LANG = re.compile(r"(?<!\S)(?:--)?lang[= ](\S+)")


class Arguments(argparse.ArgumentParser):
    """A command's arguments; help is in the language that is spoken, what is wrong is told as everything else is.

    Parameters
    ----------
    module
        What stands after ``python -m``.
    description
        What the command does.
    examples
        What is typed after ``python -m``, and what it means.
    note
        Follows the examples.
    """

    def __init__(
        self, module: str, description: str, examples: Mapping[str, str] | None = None, note: str = ""
    ) -> None:
        shown = say("examples:") + "".join(
            f"\n  {runnable(f'python -m {typed}')}\n      {meaning}" for typed, meaning in (examples or {}).items()
        )
        super().__init__(
            prog=runnable(f"python -m {module}"),
            description=description,
            epilog=f"{shown}\n\n{note}" if examples else None,
            formatter_class=_Help,
            add_help=False,
        )
        self._positionals.title, self._optionals.title = say("positional arguments"), say("options")
        self.add_argument("-h", "--help", action="help", help=say("show this help and exit"))

    def add_store(self) -> None:
        """Add the option that names the store."""
        self.add_argument(
            "--uri", help=say("address of the store; if absent, MLFLOW_TRACKING_URI or the repository's own")
        )

    def add_allow(self) -> None:
        """Add the option that names modules whose code may be run."""
        self.add_argument(
            "--allow",
            metavar="MODULE",
            action="append",
            default=[],
            help=say("a module beside scikit-learn that the model is made of, such as xgboost: its code is run"),
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


class _Help(argparse.RawDescriptionHelpFormatter):
    """Says `usage` in the language that is spoken, and folds letters of double width in time."""

    def add_usage(
        self,
        usage: str | None,
        actions: Iterable[argparse.Action],
        groups: Iterable[argparse._MutuallyExclusiveGroup],
        prefix: str | None = None,
    ) -> None:
        super().add_usage(usage, actions, groups, say("usage: ") if prefix is None else prefix)

    def _split_lines(self, text: str, width: int) -> list[str]:
        return super()._split_lines(text, width if text.isascii() else width // 2)


def entry(main: Callable[[Sequence[str] | None], int]) -> Callable[..., int]:
    """Let a command's `main` speak the language that its arguments name, and tell what the user can mend.

    It then returns the exit status that the UserError means.
    """

    @wraps(main)
    def told(arguments: Sequence[str] | None = None) -> int:
        typed = sys.argv[1:] if arguments is None else arguments
        try:
            choose(next((lang for lang in _LANG.findall(" ".join(typed)) if lang in LANGUAGES), None))
            return main(typed)
        except UserError as error:
            return tell(str(error), error.exit_status)

    return told
