"""``python -m src.predict MODEL ROWS.csv``: a kept model's class and probabilities for each row of a file.

Exit status: 0 answered, 2 it cannot be (the reason is told in one sentence).
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from src.arguments import Arguments, entry
from src.escaping import escaped
from src.folders import writing
from src.language import say


@entry
def main(arguments: Sequence[str] | None = None) -> int:
    """The program. Returns the exit status."""
    given = _given(arguments)

    from src.command.predict import predict

    answers, notes = predict(
        given.model, given.rows, uri=given.uri, separator=given.separator, header=given.header, allow=given.allow
    )
    if given.output is None:
        sys.stdout.write(answers.decode())
    else:
        with writing("--output", given.output, "; choose another file"):
            given.output.write_bytes(answers)
        print(say("Written to {path}", path=given.output))
    sys.stderr.writelines(f"{escaped(line)}\n" for line in notes)
    return 0


def _given(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Arguments(
        "src.predict",
        say("Let a model that a run has kept answer to the rows of a CSV file."),
        {
            "src.predict RUN_ID rows.csv": say("the model that a run keeps; of a sweep's, that of its best"),
            "src.predict models:/NAME/1 rows.csv": say("a registered model, by version (models:/NAME@ALIAS: by alias)"),
            "src.predict FOLDER rows.csv -o answers.csv": say("a model's folder; the answers go to a file"),
        },
    )
    add = parser.add_argument
    add("model", metavar="MODEL", help=say("a run's id, models:/NAME/VERSION, or a folder with MLmodel"))
    add("rows", type=Path, metavar="ROWS.csv", help=say("a file with the model's columns, by name"))
    add("-o", "--output", type=Path, metavar="FILE", help=say("where the answers go (default: printed)"))
    of_separator = say(r"what stands between two values of a row, '\t' for a tab (default: a comma)")
    add("--separator", type=_separator, default=",", help=of_separator)
    of_header = say("the first line is a row; columns are x0, x1, ...")
    add("--no-header", dest="header", action="store_false", help=of_header)
    parser.add_allow()
    parser.add_store()
    return parser.parse_args(arguments)


def _separator(text: str) -> str:
    return "\t" if text == r"\t" else text  # which a shell does not make of it


if __name__ == "__main__":
    sys.exit(main())
