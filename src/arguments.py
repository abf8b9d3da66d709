"""How a command begins, and how those with arguments of their own declare them, help with them and refuse them."""

import argparse
import itertools
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import Any, NoReturn

from src.errors import UserError, deaf_to_closed_pipes, tell
from src.language import LANGUAGES, choose, say
from src.words import did_you_mean, runnable

_LANG = re.compile(r"(?<!\S)(?:--)?lang[= ](\S+)")


class Arguments(argparse.ArgumentParser):
    """A command's arguments; help is in the language that is spoken, what is wrong is told as everything else is.

    `module` stands after ``python -m``; `description` says what the command does; `examples` are what is typed after
    ``python -m``, and what it means; `note` follows them.
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

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """Parse as argparse does, but tell of a misspelt flag before anything else; it ends with status 2."""
        typed = sys.argv[1:] if args is None else args
        unknown = unknown_flag(self, typed)
        if unknown is not None and not {"-h", "--help"} & {*typed}:
            sys.exit(tell(unknown))
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Print how the command is used and what is wrong; end with status 2."""
        self.print_usage(sys.stderr)
        sys.exit(tell(message))


def port(text: str) -> int:
    """The number of a port, as an argument's type."""
    if not (text.isdecimal() and 0 < int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 to 65535.")
    return int(text)


def unknown_flag(parser: argparse.ArgumentParser, typed: Iterable[str], keys: Iterable[str] = ()) -> str | None:
    """The sentence for the first flag that there is not, None without one; `keys` are written without dashes."""
    known = [flag for action in parser._actions for flag in action.option_strings]
    flags = sorted(flag for flag in known if flag.startswith("--"))
    words = [*itertools.takewhile(lambda word: word != "--", typed)]
    for word, following in itertools.pairwise([*words, "VALUE"]):
        name, is_set, value = word.partition("=")
        meant = any(flag.startswith(name if name.startswith("--") else name[:2]) for flag in known)
        if name.startswith("-") and name != "-" and not meant:
            if (key := name.lstrip("-")) in keys:
                return (
                    f"{name}: there is no such flag. A key has no dashes: write {key}={value if is_set else following}."
                )
            return f"{name}: there is no such flag.{did_you_mean(name, flags)} ({', '.join(flags)})"
    return None


class _Help(argparse.RawDescriptionHelpFormatter):
    """Says `usage` in the language that is spoken, and folds letters of double width in time."""

    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: str | None = None) -> None:
        super().add_usage(usage, actions, groups, prefix or say("usage: "))

    def _split_lines(self, text: str, width: int) -> list[str]:
        if text.isascii():
            return super()._split_lines(text, width)
        from rich.console import Console
        from rich.text import Text

        return [line.plain.rstrip() for line in Text(text).wrap(Console(), width)]


def entry(main: Callable[[Sequence[str] | None], int]) -> Callable[..., int]:
    """Let a command's `main` speak the language that its arguments name, and tell what the user can mend.

    It then returns the exit status that the UserError means. That nobody reads what it prints ends nothing.
    """

    @wraps(main)
    def told(arguments: Sequence[str] | None = None) -> int:
        typed = sys.argv[1:] if arguments is None else arguments
        deaf_to_closed_pipes()
        try:
            choose(next((lang for lang in _LANG.findall(" ".join(typed)) if lang in LANGUAGES), None))
            return main(typed)
        except UserError as error:
            return tell(str(error), error.exit_status)

    return told
