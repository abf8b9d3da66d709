"""``python -m src.compare``: the models of finished sweeps side by side, on the terminal and as a folder to pass on.

Exit status: 0 the comparison is made, 2 it cannot be made (the reason is told in one sentence).
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from src.report.page import ComparisonReport

FOLDER = Path("outputs") / "compare"
SHOWN_JOBS = 12  # of the leaderboard; the files hold it whole
EXAMPLES = """\
examples:
  python -m src.compare                                          the latest sweep
  python -m src.compare homework5 activations --metric log_loss  the latest sweep of each experiment
  python -m src.compare --sweep RUN_ID --sweep RUN_ID            sweeps by their runs in MLflow
  python -m src.compare --format json                            for programs
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """The program. Returns the exit status."""
    given = _parser().parse_args(arguments)

    from src.errors import UserError

    try:
        return _compare(given)
    except UserError as error:
        return _tell(str(error), error.exit_status)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m src.compare",
        description="Compare the models of finished sweeps on the same folds.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "experiments", nargs="*", metavar="EXPERIMENT", help="MLflow experiments; the latest sweep of each"
    )
    parser.add_argument("--sweep", action="append", default=[], metavar="RUN_ID", help="a sweep's own run in MLflow")
    parser.add_argument(
        "--metric", help="accuracy, balanced_accuracy, log_loss, macro_f1 or roc_auc; if absent, the sweep's own"
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="what is printed (default: text)")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help=f"where the files go (default: {FOLDER}/NAME)")
    parser.add_argument("--uri", help="address of the store; if absent, MLFLOW_TRACKING_URI or the repository's own")
    return parser


def _compare(given: argparse.Namespace) -> int:
    from src.report.comparison import build_report, full_metric
    from src.report.page import files, to_json
    from src.report.sweeps import find_sweeps
    from src.tracking.store import open_store

    metric = None if given.metric is None else full_metric(given.metric)
    store = open_store(given.uri)
    report = build_report(store, find_sweeps(store, given.experiments, given.sweep), metric)
    folder = given.output or FOLDER / _folder_name(report.title)
    _write(folder, files(report))
    if given.format == "json":
        sys.stdout.write(to_json(report))
    else:
        from rich.console import Console

        _show(Console(), report, folder)
    return 0 if report.refusal is None else _tell(f"nothing is compared: {report.refusal}", 2)


def _show(console: "Console", report: "ComparisonReport", folder: Path) -> None:
    """Print the question, the leaderboard, the comparisons, the answer and what qualifies it."""
    from rich.text import Text

    from src.report.candidates import candidate_table, own_names
    from src.report.tables import leaderboard
    from src.report.terminal import encodable
    from src.report.verdicts import comparison_table
    from src.report.words import plain

    def say(text: str, style: str = "") -> None:
        console.print(Text(encodable(plain(text), console.options), style=style))

    say(report.title, "bold")
    say(report.question)
    console.print()
    console.print(leaderboard(report.jobs, report.metric, limit=SHOWN_JOBS))
    if report.candidates:
        console.print()
        console.print(candidate_table(report.candidates, report.metric))
    if report.comparisons:
        console.print()
        console.print(comparison_table(report.comparisons, own_names(report.candidates)))
    console.print()
    say(report.answer, "bold")
    for caveat in report.caveats:
        say(caveat, "yellow")
    console.print()
    console.print(Text(f"Written to {folder / 'comparison.html'}"), soft_wrap=True)


def _folder_name(title: str) -> str:
    """A sweep's name as a folder's: without what a file system or a shell gives a meaning to."""
    kept = "".join(char if char.isalnum() or char in "-_" else " " for char in title)
    return "-".join(kept.split())[:80] or "sweep"


def _write(folder: Path, files: dict[str, bytes]) -> None:
    from src.report.errors import ReportError

    try:
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ReportError(f"--output: {folder} cannot be written: {reason}; choose another folder.") from error


def _tell(message: str, status: int) -> int:
    sys.stderr.writelines(f"error: {line}\n" for line in message.splitlines())
    return status


if __name__ == "__main__":
    sys.exit(main())
