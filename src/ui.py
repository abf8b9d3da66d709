"""``python -m src.ui``: MLflow's pages over the runs, for one person on this machine; `make ui`.

Exit status: 0 ended by Ctrl-C, 2 it cannot be opened (the reason is told in one sentence).
"""

import sys
from collections.abc import Sequence
from functools import partial

from src.arguments import Arguments, entry, port
from src.language import say


@entry
def main(arguments: Sequence[str] | None = None) -> int:
    """The program. Returns the exit status."""
    parser = Arguments("src.ui", say("Open the runs in MLflow, on this machine only."))
    parser.add_argument("--port", type=port, help=say("of 127.0.0.1; if absent, the first from 5000 on that is free"))
    parser.add_store()
    given = parser.parse_args(arguments)

    from src.tracking.pages import serve

    return serve(given.uri, given.port, partial(print, flush=True))


if __name__ == "__main__":
    sys.exit(main())
