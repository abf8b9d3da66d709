"""``python -m src.rerun RUN_ID``: a recorded run is rebuilt from MLflow, trained again, and compared to the last bit.

Exit status: 0 every metric is equal, 1 some differ, 2 it cannot be run again.
"""

import sys
from collections.abc import Sequence

from src.arguments import Arguments, entry
from src.language import say


@entry
def main(arguments: Sequence[str] | None = None) -> int:
    """The program. Returns the exit status."""
    parser = Arguments("src.rerun", say("Train a recorded run again, from MLflow alone, and compare to the last bit."))
    parser.add_argument("run_id", metavar="RUN_ID", help=say("a job's run in MLflow"))
    parser.add_allow()
    parser.add_store()
    given = parser.parse_args(arguments)

    from src.command.rerun import report, rerun
    from src.kernels import NotLoadedError

    try:
        outcome = rerun(given.run_id, given.uri, given.allow)
    except NotLoadedError as error:
        error.restart()
    print("\n".join(report(outcome)))
    return 1 if outcome.different else 0


if __name__ == "__main__":
    sys.exit(main())
