"""The error that is meant for the user, and how a command tells it."""

import re
import sys

# What a terminal obeys: control characters, and marks that turn the direction of what follows.
_OBEYED = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_LONG_WORD = re.compile(r"\S{300,}")  # no sentence has one but as a name that was typed


class UserError(Exception):
    """A problem the user can mend: bad configuration, bad input data, a store that cannot be reached.

    Its text is the complete message: one sentence that names the key or row, what was found, what is allowed and how
    to mend it; several problems are several lines. The commands `tell` it without a traceback and end with its exit
    status.
    """

    exit_status = 2


def tell(message: str, exit_status: int = UserError.exit_status) -> int:
    """Print each line after ``error: `` on stderr; return the exit status."""
    sys.stderr.writelines(f"error: {escaped(line)}\n" for line in message.split("\n"))
    return exit_status


def escaped(line: str) -> str:
    r"""A line with every character that a terminal would obey written out, as ``\x1b``, and no endless word."""
    plain = _OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode(), line)
    return _LONG_WORD.sub(lambda found: f"{found[0][:60]}... ({len(found[0]):,} characters)", plain)
