"""``python -m src.predict MODEL ROWS.csv``: a kept model's class and probabilities for each row of a file.

Exit status: 0 answered, 2 it cannot be (the reason is told in one sentence).
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from src.errors import Arguments, UserError, command, deaf_to_closed_pipes
from src.escaping import escaped
from src.language import say

EXAMPLES = """\
examples:
  python -m src.predict RUN_ID rows.csv                  the model that a run keeps; of a sweep's, that of its best
  python -m src.predict models:/NAME/1 rows.csv          a registered model, by version (models:/NAME@ALIAS: by alias)
  python -m src.predict FOLDER rows.csv -o answers.csv   a model's folder; the answers go to a file
"""


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """The program. Returns the exit status."""
    given = _parser().parse_args(arguments)

    from src.command.predict import predict, remarks

    how: dict[str, Any] = {"separator": given.separator, "header": given.header, "allow": given.allow}
    predicted = predict(given.model, given.rows, uri=given.uri, **how)
    if given.output is None:
        sys.stdout.write(predicted.csv.decode())
    else:
        try:
            given.output.write_bytes(predicted.csv)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise UserError(f"--output: {given.output} cannot be written: {reason}; choose another file.") from error
        print(say("Written to {path}", path=given.output))
    sys.stderr.writelines(f"{escaped(line)}\n" for line in remarks(predicted.unknown))
    return 0


def _parser() -> Arguments:
    parser = Arguments(
        prog="python -m src.predict",
        description="Let a model that a run has kept answer to the rows of a CSV file.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="MODEL", help="a run's id, models:/NAME/VERSION, or a folder with MLmodel")
    parser.add_argument("rows", type=Path, metavar="ROWS.csv", help="a file with the model's columns, by name")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="where the answers go (default: printed)")
    parser.add_argument(
        "--separator",
        type=lambda text: "\t" if text == r"\t" else text,  # which a shell does not make of it
        default=",",
        help=r"what stands between two values of a row, '\t' for a tab (default: a comma)",
    )
    parser.add_argument(
        "--no-header", dest="header", action="store_false", help="the first line is a row; columns are x0, x1, ..."
    )
    parser.add_allowed()
    parser.add_store()
    return parser


if __name__ == "__main__":
    deaf_to_closed_pipes()
    sys.exit(main())
