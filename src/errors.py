"""The error that is meant for the user, and how a command tells it."""

import sys


class UserError(Exception):
    """A problem the user can mend: bad configuration, bad input data, a store that cannot be reached.

    Its text is the complete message: one sentence that names the key or row, what was found, what is allowed and how
    to mend it; several problems are several lines. The commands `tell` it without a traceback and end with its exit
    status.
    """

    exit_status = 2


def tell(message: str, exit_status: int = UserError.exit_status) -> int:
    """Print each line after ``error: `` on stderr; return the exit status."""
    sys.stderr.writelines(f"error: {line}\n" for line in message.splitlines())
    return exit_status
