"""The comparison as files to pass on: one HTML page, Markdown, CSV and JSON, all from one object."""

import base64
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure

from src.evaluation.significance import Comparison
from src.report.candidates import Candidate, candidate_cells, own_names, selection_caveat, single_answer
from src.report.style import to_svg
from src.report.tables import best_line, leaderboard_cells, leaderboard_csv, ranked
from src.report.terminal import Cells, cells_markdown
from src.report.verdicts import answer, comparison_cells, comparison_csv, selection_note
from src.report.words import markdown, plain

_TEMPLATES = Path(__file__).parent / "templates"
_ROWS_AT_FIRST = 25


@dataclass(frozen=True, eq=False)
class Picture:
    """A figure of a report.

    Attributes
    ----------
    name
        File name without its ending, letters, digits and dashes: ``learning-curves``.
    title
        What it shows, in a few words.
    description
        For those who cannot see it, and as the caption: what is drawn and what to look for.
    """

    name: str
    title: str
    description: str
    figure: Figure

    @cached_property
    def svg(self) -> bytes:
        """The figure as an SVG file, drawn once for all that shows it."""
        return _bytes(to_svg(self.figure))

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9-]+", self.name):
            raise ValueError(f"a figure's file cannot be called {self.name!r}; use small letters, digits and dashes.")


@dataclass(frozen=True, eq=False)
class ComparisonReport:
    """All that a report says; its forms only lay it out.

    Attributes
    ----------
    title, question
        The study's name, and what it asks.
    jobs
        A table of jobs as `src.report.tables` describes it.
    comparisons
        From `src.evaluation.significance.compare`; none where there is one model.
    pictures
        In the order to show them.
    method
        How it was done, as terms and their descriptions: data, folds, grid, versions, ...
    commands
        What to type to do it again.
    notes
        What a reader has to know besides: jobs left out, a sweep that was interrupted.
    metric
        The metric that ranks.
    candidates
        What is compared, each at its best setting.
    refusal
        Why nothing is compared although there is more than one candidate; None where the comparisons stand.
    """

    title: str
    question: str
    jobs: pd.DataFrame
    comparisons: tuple[Comparison, ...]
    pictures: tuple[Picture, ...] = ()
    method: Mapping[str, str] = field(default_factory=dict)
    commands: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    metric: str = "test/accuracy"
    candidates: tuple[Candidate, ...] = ()
    refusal: str | None = None

    @property
    def answer(self) -> str:
        """The comparisons in one sentence, or why there are none."""
        if self.refusal is not None:
            return f"Nothing is compared: {self.refusal}"
        if len(self.candidates) == 1:
            return single_answer(self.candidates[0], self.metric)
        return answer(self.comparisons, own_names(self.candidates))

    @property
    def caveats(self) -> tuple[str, ...]:
        """What keeps the numbers from being taken at their face value."""
        selection = selection_caveat(self.candidates) if self.candidates else selection_note(self.jobs)
        return (*self.notes, *([selection] if selection else []))


def to_html(report: ComparisonReport) -> str:
    """One page that needs no other file and no network: light and dark, printable, for narrow screens too."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"plain": plain, "command": _command}
    pictures = [
        {
            "id": picture.name,
            "title": picture.title,
            "description": picture.description,
            # A picture of its own, so that the ids of two figures cannot meet in one page.
            "source": Markup(f"data:image/svg+xml;base64,{base64.b64encode(picture.svg).decode()}"),
        }
        for picture in report.pictures
    ]
    board = leaderboard_cells(report.jobs, report.metric)
    return environment.get_template("comparison.html").render(
        report=report,
        board=board,
        best=best_line(report.jobs, report.metric),
        shown=_rows(board, 0, _ROWS_AT_FIRST),
        more=_rows(board, _ROWS_AT_FIRST, len(board.rows)),
        candidates=candidate_cells(report.candidates, report.metric),
        comparisons=comparison_cells(report.comparisons, own_names(report.candidates)),
        unmarked=lambda cells: _rows(cells, 0, len(cells.rows)),
        pictures=pictures,
    )


def to_markdown(report: ComparisonReport) -> str:
    """The report in Markdown (GitHub's form); its figures are the files of `files`."""
    parts = [
        f"# {markdown(report.title)}",
        markdown(report.question),
        f"**{markdown(report.answer)}**",
        *(f"> {markdown(caveat)}" for caveat in report.caveats),
    ]
    if report.candidates:
        parts += ["## Models", cells_markdown(candidate_cells(report.candidates, report.metric)).rstrip()]
    if report.comparisons:
        parts += [
            "## Comparisons",
            cells_markdown(comparison_cells(report.comparisons, own_names(report.candidates))).rstrip(),
        ]
    parts += [
        "## Leaderboard",
        cells_markdown(leaderboard_cells(report.jobs, report.metric)).rstrip(),
        markdown(best_line(report.jobs, report.metric)),
    ]
    if report.pictures:
        parts.append("## Figures")
    for picture in report.pictures:
        parts.append(f"### {markdown(picture.title)}")
        parts.append(f"![{markdown(picture.description)}](figures/{picture.name}.svg)")
        parts.append(markdown(picture.description))
    if report.method:
        parts.append("## How it was done")
        parts.append("\n".join(f"- {markdown(term)}: {markdown(text)}" for term, text in report.method.items()))
    if report.commands:
        parts += ["To do it again:", "\n".join(f"    {_command(command)}" for command in report.commands)]
    return "\n\n".join(parts) + "\n"


def to_json(report: ComparisonReport) -> str:
    """The report for programs: numbers at full precision, null for what is missing."""
    content = {
        "title": report.title,
        "question": report.question,
        "metric": report.metric,
        "answer": report.answer,
        "caveats": report.caveats,
        "jobs": ranked(report.jobs, report.metric).to_dict(orient="records"),
        "models": [_candidate_json(candidate) for candidate in report.candidates],
        "comparisons": [{**vars(comparison), "verdict": comparison.verdict} for comparison in report.comparisons],
        "method": dict(report.method),
        "commands": report.commands,
    }
    return json.dumps(_plain_json(content), ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def files(report: ComparisonReport) -> dict[str, bytes]:
    """All files of a report by their paths: the page, Markdown, CSV and JSON, and the figures as SVG."""
    texts = {
        "comparison.html": to_html(report),
        "comparison.md": to_markdown(report),
        "comparison.json": to_json(report),
        "leaderboard.csv": leaderboard_csv(report.jobs, report.metric),
    }
    if report.comparisons:
        texts["comparison.csv"] = comparison_csv(report.comparisons)
    made = {path: _bytes(text) for path, text in texts.items()}
    return made | {f"figures/{picture.name}.svg": picture.svg for picture in report.pictures}


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")  # a lone surrogate, from a name, has no UTF-8


def _candidate_json(candidate: Candidate) -> dict[str, Any]:
    return {
        "name": candidate.name,
        "data": candidate.data,
        "model": candidate.model,
        "setting": candidate.setting,
        "settings_tried": candidate.tried,
        "selection": candidate.selection,
        "mean": candidate.mean,
        "low": candidate.low,
        "high": candidate.high,
        "fold_scores": candidate.scores.scores.tolist(),
    }


def _rows(cells: Cells, start: int, stop: int) -> list[tuple[bool, tuple[str, ...]]]:
    """Rows from one place to another, each with whether it is the best."""
    return [(place == cells.best, row) for place, row in enumerate(cells.rows)][start:stop]


def _command(text: str) -> str:
    """A command on one line, its spaces as they are."""
    return "".join(char if char.isprintable() else " " for char in text)


def _plain_json(value: Any) -> Any:
    """What JSON can hold: NaN, infinities and pandas' missing values become null."""
    if isinstance(value, Mapping):
        return {str(key): _plain_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain_json(item) for item in value]
    if isinstance(value, str | bool) or value is None:
        return value
    if hasattr(value, "item"):
        return _plain_json(value.item())
    if isinstance(value, int | float):
        return value if math.isfinite(value) else None
    return None if pd.isna(value) else str(value)
