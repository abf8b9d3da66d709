"""The error that is meant for the user, and how a command tells it."""

import argparse
import sys
from typing import NoReturn

from src.escaping import escaped, masked


class UserError(Exception):
    """A problem the user can mend: bad configuration, bad input data, a store that cannot be reached.

    Its text is the complete message: one sentence that names the key or row, what was found, what is allowed and how
    to mend it; several problems are several lines. The commands `tell` it without a traceback and end with its exit
    status.
    """

    exit_status = 2


class Arguments(argparse.ArgumentParser):
    """A command's arguments; what is wrong with them is told as everything else is."""

    def error(self, message: str) -> NoReturn:
        """Print how the command is used and what is wrong; end with status 2."""
        self.print_usage(sys.stderr)
        sys.exit(tell(message))


def tell(message: str, exit_status: int = UserError.exit_status) -> int:
    """Print each line after ``error: `` on stderr; return the exit status."""
    sys.stderr.writelines(f"error: {escaped(line)}\n" for line in masked(message).split("\n"))
    return exit_status
