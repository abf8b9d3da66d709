"""``python -m src.compare``: the models of finished runs side by side, on the terminal and as a folder to pass on.

Exit status: 0 the comparison is made, 2 it cannot be made (the reason is told in one sentence).
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from src.arguments import Arguments, entry
from src.errors import UserError, tell
from src.folders import writing
from src.language import LANGUAGES, choose, say
from src.words import no_such_user

if TYPE_CHECKING:
    from src.comparison.record import RecordedSweep
    from src.report.page import ComparisonReport
    from src.tracking.reading import StoredRecord

FOLDER = Path("outputs") / "compare"


@entry
def main(arguments: Sequence[str] | None = None) -> int:
    """The program. Returns the exit status."""
    given = _given(arguments)

    from rich.console import Console

    choose(given.lang)
    from src.report.page import files, to_json
    from src.report.summary import print_report
    from src.tracking.artifacts import write_files

    _, sweeps, report = compared(
        given.experiments, given.sweep, metric=given.metric, baselines=given.baseline, uri=given.uri
    )
    asked = [*(sweep.run_id for sweep in sweeps), report.outcome.options.model_dump_json()]
    folder = given.output or FOLDER / _folder_name(report.title, asked)
    with writing("--output", folder, "; choose another folder"):
        write_files(folder, files(report))
    if given.format == "json":
        sys.stdout.write(to_json(report))
    else:
        print_report(Console(), report, folder)
    refusal = report.outcome.refusal
    return 0 if refusal is None else tell(say("nothing is compared: {reason}", reason=refusal))


def _given(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Arguments(
        "src.compare",
        say("Compare the models of finished sweeps, or of single runs, on the same folds."),
        {
            "src.compare": say("the latest sweep"),
            "src.compare homework5 activations --metric log_loss": say("the latest sweep of each experiment"),
            "src.compare bp": say("its single runs on the folds of the latest one"),
            "src.compare --sweep RUN_ID --sweep RUN_ID": say("sweeps, or single runs, by their ids in MLflow"),
            "src.compare --format json": say("for programs"),
        },
    )
    add = parser.add_argument
    of_experiments = say("MLflow experiments; of each the latest sweep or, if one is newer, the single runs")
    add("experiments", nargs="*", metavar="EXPERIMENT", help=of_experiments)
    add("--sweep", action="append", default=[], metavar="RUN_ID", help=say("a sweep's run, or a single run"))
    add("--metric", help=say("accuracy, log_loss, roc_auc, ...; if absent, the sweep's own"))
    of_baseline = say("what the others are compared with; may be given again")
    add("--baseline", action="append", metavar="NAME", help=of_baseline)
    add("--format", choices=("text", "json"), default="text", help=say("what is printed (default: text)"))
    of_output = say("where the files go (default: {folder})", folder=f"{FOLDER}/NAME-ID")
    add("--output", type=_folder, metavar="FOLDER", help=of_output)
    add("--lang", choices=LANGUAGES, help=say("of what is printed, drawn and written; if absent, LANG's"))
    parser.add_store()
    return parser.parse_args(arguments)


def _folder(text: str) -> Path:
    if not text.strip():
        raise argparse.ArgumentTypeError("names no folder; leave it out for the usual one.")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise argparse.ArgumentTypeError(no_such_user(text)) from None


def compared(
    experiments: Sequence[str],
    run_ids: Sequence[str],
    *,
    metric: str | None = None,
    baselines: Sequence[str] | None = None,
    uri: str | None = None,
    drawn: bool = True,
) -> "tuple[StoredRecord, list[RecordedSweep], ComparisonReport]":
    """Compare recorded sweeps: the latest of each experiment, and those of `run_ids`; with neither, the latest.

    A single run is a sweep of one job, see `src.tracking.sweeps.find_sweeps`. A metric or baselines that are not given
    are the first sweep's own. The report has figures if `drawn`.

    Raises UserError if they cannot be compared so.
    """
    from src.comparison.outcome import compare_sweeps
    from src.config import check
    from src.report.comparison import build_report
    from src.tracking.opening import open_store
    from src.tracking.reading import StoredRecord
    from src.tracking.sweeps import find_sweeps, read_sweep

    for what, named in (("--sweep ", run_ids), ("", experiments)):
        if twice := [name for name, times in Counter(named).items() if times > 1]:
            raise UserError(f"{what}{twice[0]} is given twice; name each sweep once.")
    given = {"metric": metric, "baselines": list(baselines) if baselines else None}
    changed = {key: value for key, value in given.items() if value is not None}
    check({"comparison": changed})  # before the store is opened: a misspelt value is told at once
    record = StoredRecord(open_store(uri))
    sweeps = [read_sweep(record.store, run) for run in find_sweeps(record.store, experiments, run_ids)]
    options = check({"comparison": {**sweeps[0].options.model_dump(), **changed}}).comparison
    return record, sweeps, build_report(record, sweeps, compare_sweeps(sweeps, options), drawn=drawn)


def _folder_name(title: str, asked: Sequence[str]) -> str:
    """A sweep's name without what a file system or a shell gives a meaning to, and what tells it from its namesakes."""
    kept = "".join(char if char.isalnum() or char in "-_" else " " for char in title)
    return f"{'-'.join(kept.split())[:80] or 'sweep'}-{sha256(' '.join(asked).encode()).hexdigest()[:8]}"


if __name__ == "__main__":
    sys.exit(main())
