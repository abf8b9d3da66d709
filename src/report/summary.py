"""What a command prints at its end."""

import shlex
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.text import Text

from src.comparison.held_out import HeldOut
from src.comparison.outcome import Outcome
from src.escaping import masked
from src.folders import ROOT
from src.language import say
from src.report.across import across_tables
from src.report.held_out import held_out_cells
from src.report.method import RUN_BY
from src.report.page import ComparisonReport
from src.report.tables import SCREENFUL, best_line, leaderboard
from src.report.terminal import Cells, paragraph
from src.words import runnable

_CHECK = "check/gradient_error"
SHOWN_JOBS = 12  # of a leaderboard beside other tables; the files hold it whole


def print_summary(
    console: Console,
    outcome: Outcome,
    *,
    title: str | None = None,
    report: ComparisonReport | None = None,
    cautions: Iterable[str] = (),
    reused: int = 0,
) -> None:
    """Print what a run says when its jobs have ended: leaderboard, best, answer, cautions.

    A job alone has no `report`; what is to be known of its rows is in `cautions`. Whose sweep it was is told where jobs
    were `reused`, as it may have been another's.
    """
    console.print(leaderboard(outcome, reused, title or "", SCREENFUL))
    if reused and report is not None:
        _say_whose(console, report)
    console.print()
    _print_tables(console, across_tables(outcome))
    _print(console, best_line(outcome), "bold" if report is None else "")
    if checked := [job.metrics[_CHECK] for job in outcome.jobs if _CHECK in job.metrics]:
        error = f"{max(checked):.1e}"
        _print(console, say("Gradient check: largest relative error against central differences {error}.", error=error))
    if report is not None:
        _print(console, report.answer, "bold")
    for caution in cautions if report is None else report.caveats:
        _print(console, caution, "yellow")


def print_end(
    console: Console,
    address: str,
    *,
    published: Cells | None = None,
    held_out: Iterable[HeldOut] = (),
    model_of: str | None = None,
    uri: str | None = None,
    is_served: bool = False,
    note: str | None = None,
    page: Path | None = None,
) -> None:
    """Print what a run says when all of it is on disk.

    Scores published elsewhere, those on files that were held out, how to ask its model, where it is.

    `model_of` is the run that keeps the model, if one does; `uri` the store, where a command has to be told; it
    `is_served` by a server at `address`, or by a command that is named. `note` is what is to be known of the figures.
    `page` is the comparison's file, where it is on this machine; one within the working folder is named from there.
    """

    def typed(command: str) -> str:
        if uri is None:
            return command
        if masked(uri) != uri:  # what is printed would not connect
            return say("{command} (with MLFLOW_TRACKING_URI set)", command=command)
        return f"{command} --uri {shlex.quote(uri)}"

    _print_tables(console, [published])
    for place, found in enumerate(held_out):
        if not place:
            console.print()
        console.print(replace(held_out_cells(found), title=say("Held out: {file}", file=found.file)))
        console.print()
    if note is not None:
        _print(console, note, "yellow")
    if model_of is not None:
        predict = typed(runnable(f"python -m src.predict {model_of} rows.csv"))
        console.print(Text(say("New rows: {command}", command=predict)), soft_wrap=True)
    if page is not None:
        here = page.relative_to(Path.cwd()) if page.is_relative_to(Path.cwd()) else page
        console.print(Text(say("The page: {path}", path=here)), soft_wrap=True)
    made = uri is None and Path.cwd() == ROOT and shutil.which("make")
    opening = "make ui" if made else typed(runnable("python -m src.ui"))
    opened = say("Open the result:") if is_served else say("Open the result: {command}", command=opening)
    console.print(Text(opened), soft_wrap=True)
    # Never folded or cut: a terminal makes a whole address clickable.
    console.print(Text(address), soft_wrap=True)


def print_report(console: Console, report: ComparisonReport, folder: Path) -> None:
    """Print the question, the leaderboard, the comparisons, the answer and what qualifies it."""
    _print(console, report.title, "bold")
    _print(console, report.question)
    console.print()
    console.print(leaderboard(report.outcome, report.reused, limit=SHOWN_JOBS))
    _say_whose(console, report)
    console.print()
    _print_tables(console, [cells for _, _, cells in report.tables() if cells is not report.class_scores])
    _print(console, report.answer, "bold")
    for caveat in report.caveats:
        _print(console, caveat, "yellow")
    if report.figure_note is not None:
        _print(console, report.figure_note, "yellow")
    console.print()
    console.print(Text(say("Written to {path}", path=folder / "comparison.html")), soft_wrap=True)


def _print_tables(console: Console, tables: Iterable[Cells | None]) -> None:
    for cells in tables:
        if cells is not None:
            console.print(cells)
            console.print()


def _say_whose(console: Console, report: ComparisonReport) -> None:
    if RUN_BY in report.method:
        _print(console, say("Run by {whose}.", whose=report.method[RUN_BY]))


def _print(console: Console, text: str, style: str = "") -> None:
    console.print(paragraph(text, console.options, style))
