"""The comparison as files to pass on: one HTML page, Markdown, CSV and JSON, all from one object."""

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic_core import to_jsonable_python

from src.comparison.candidates import Candidate
from src.comparison.held_out import HeldOut
from src.comparison.outcome import Outcome
from src.escaping import json_text
from src.language import say
from src.report.across import across_tables
from src.report.answer import answer
from src.report.held_out import held_out_cells
from src.report.html import filled
from src.report.method import term
from src.report.tables import best_line, candidate_cells, leaderboard_cells, leaderboard_csv, setting_rows
from src.report.terminal import Cells, cells_markdown
from src.report.verdicts import comparison_cells, comparison_csv
from src.report.words import markdown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ROWS_AT_FIRST = 25
# What programs know the columns of `published_cells` by.
_PUBLISHED = ("data", "model", "metric", "published", "here", "verdict", "published where, and how")


@dataclass(frozen=True, eq=False)
class Picture:
    """A figure of a report.

    Attributes
    ----------
    name : file name without its ending, letters, digits and dashes: ``learning-curves``.
    title : what it shows, in a few words.
    description : for those who cannot see it, and as the caption: what is drawn and what to look for.
    """

    name: str
    title: str
    description: str
    figure: "Figure"

    @property
    def data_uri(self) -> str:
        """The SVG file as an address that holds it."""
        return f"data:image/svg+xml;base64,{base64.b64encode(self.svg).decode()}"

    @cached_property
    def svg(self) -> bytes:
        """The figure as an SVG file, drawn once for all that shows it."""
        from src.report.style import to_svg  # imports matplotlib

        return _bytes(to_svg(self.figure))

    def __getstate__(self) -> dict[str, Any]:
        """What another process is given: the picture as it was drawn, without Matplotlib's own objects."""
        return {"name": self.name, "title": self.title, "description": self.description, "svg": self.svg}

    def _repr_html_(self) -> str:
        return notebook_html(pictures=[self])

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9-]+", self.name):
            raise ValueError(f"a figure's file cannot be called {self.name!r}; use small letters, digits and dashes.")


class Figures(tuple[Picture, ...]):
    """Figures that a notebook shows where it shows a result."""

    def _repr_html_(self) -> str:
        return notebook_html(pictures=self)


@dataclass(frozen=True, eq=False, repr=False)
class ComparisonReport:
    """All that a report says; its forms only lay it out.

    Attributes
    ----------
    title : the study's name.
    figure_note : what is to be known of the figures.
    class_scores : the best candidates' scores by class.
    published : scores that others have published, beside ours.
    held_out : what the kept models score on the file `data.test` of each data set that has one.
    method : how it was done, as terms and their descriptions: data, folds, grid, versions, ...
    commands : what to type to do it again.
    notes : what a reader has to know besides: jobs left out, rows that stand twice.
    reused : the number of jobs that were recorded already.
    """

    title: str
    question: str
    outcome: Outcome
    pictures: tuple[Picture, ...] = ()
    figure_note: str | None = None
    class_scores: Cells | None = None
    published: Cells | None = None
    held_out: tuple[HeldOut, ...] = ()
    method: Mapping[str, str] = field(default_factory=dict)
    commands: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    reused: int = 0

    @property
    def answer(self) -> str:
        """What was found, in a sentence or two, or why nothing can be told."""
        return answer(self.outcome)

    @property
    def caveats(self) -> tuple[str, ...]:
        """What keeps the numbers from being taken at their face value."""
        return (*self.notes, *self.outcome.left_out, *self.outcome.cautions)

    def __repr__(self) -> str:
        return f"<ComparisonReport {self.title}: {self.answer}>"

    def tables(self) -> Iterator[tuple[str, str, Cells]]:
        """Heading, caption and content of each table but the leaderboard, in the order to show them."""
        outcome = self.outcome
        if outcome.candidates:
            caption = say("Models: each by settings that were chosen without the fold they score")
            yield say("Models"), caption, candidate_cells(outcome)
        for found in self.held_out:
            caption = say("Held out: the kept models on rows they have not seen")
            yield say("Held out"), caption, held_out_cells(found)
        if outcome.comparisons:
            caption = say("Comparisons: each model against each baseline on the same folds")
            yield say("Comparisons"), caption, comparison_cells(outcome)
        if outcome.across is not None:
            ranks, pairs = across_tables(outcome)
            yield say("Over all data sets"), say("Mean ranks over the data sets"), ranks
            yield say("Pairs over all data sets"), say("Pairs of models over the data sets"), pairs
        if self.published is not None:
            caption = say("Scores that others have published, beside those measured here")
            yield say("Published scores"), caption, self.published
        if self.class_scores is not None:
            yield say("Classes"), say("Scores by class of each model at its best setting"), self.class_scores


def to_html(report: ComparisonReport) -> str:
    """One page that needs no other file and no network: light and dark, printable, for narrow screens too."""
    return filled(
        "comparison.html",
        command=_command,
        term=term,
        report=report,
        board=leaderboard_cells(report.outcome, report.reused),
        best=best_line(report.outcome),
        rows_at_first=_ROWS_AT_FIRST,
    )


def notebook_html(
    title: str = "",
    answer: str = "",
    caveats: Iterable[str] = (),
    tables: Iterable[tuple[str, Cells]] = (),
    pictures: Iterable[Picture] = (),
) -> str:
    """What a notebook shows of a result: a piece of a page, in the notebook's own looks.

    A table with a heading is folded up under it.
    """
    return filled("notebook.html", title=title, answer=answer, caveats=caveats, tables=tables, pictures=pictures)


def to_markdown(report: ComparisonReport) -> str:
    """The report in Markdown (GitHub's form); its figures are the files of `files`."""
    parts = [
        f"# {markdown(report.title)}",
        markdown(report.question),
        f"**{markdown(report.answer)}**",
        *(f"> {markdown(caveat)}" for caveat in report.caveats),
    ]
    for heading, _, cells in report.tables():
        parts += [f"## {heading}", cells_markdown(cells)]
    parts += [
        f"## {say('Leaderboard')}",
        cells_markdown(leaderboard_cells(report.outcome, report.reused)),
        markdown(best_line(report.outcome)),
    ]
    if report.pictures:
        parts.append(f"## {say('Figures')}")
    if report.figure_note is not None:
        parts.append(markdown(report.figure_note))
    for picture in report.pictures:
        parts.append(f"### {markdown(picture.title)}")
        parts.append(f"![{markdown(picture.description)}](figures/{picture.name}.svg)")
        parts.append(markdown(picture.description))
    if report.method:
        parts.append(f"## {say('How it was done')}")
        parts.append("\n".join(f"- {markdown(term(name))}: {markdown(text)}" for name, text in report.method.items()))
    if report.commands:
        parts += [say("To do it again:"), "\n".join(f"    {_command(command)}" for command in report.commands)]
    return "\n\n".join(parts) + "\n"


def to_json(report: ComparisonReport) -> str:
    """The report for programs: numbers at full precision, null for what is missing."""
    outcome, published = report.outcome, report.published
    content = {
        "title": report.title,
        "question": report.question,
        "metric": outcome.metric,
        "answer": report.answer,
        "caveats": report.caveats,
        "settings": setting_rows(outcome),
        "models": [_candidate_json(candidate, outcome.metric) for candidate in outcome.candidates],
        "comparisons": outcome.comparisons,
        "published": [dict(zip(_PUBLISHED, row, strict=True)) for row in published.rows] if published else [],
        "held_out": report.held_out,
        "across": outcome.across,
        "method": dict(report.method),
        "commands": report.commands,
    }
    plain_content = to_jsonable_python(content, inf_nan_mode="null", fallback=lambda array: array.tolist())
    return json_text(plain_content) + "\n"


def files(report: ComparisonReport) -> dict[str, bytes]:
    """All files of a report by their paths: the page, Markdown, CSV and JSON, and the figures as SVG."""
    texts = {
        "comparison.html": to_html(report),
        "comparison.md": to_markdown(report),
        "comparison.json": to_json(report),
        "leaderboard.csv": leaderboard_csv(report.outcome),
    }
    if report.outcome.comparisons:
        texts["comparison.csv"] = comparison_csv(report.outcome)
    made = {path: _bytes(text) for path, text in texts.items()}
    return made | {f"figures/{picture.name}.svg": picture.svg for picture in report.pictures}


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")  # a lone surrogate, from a name, has no UTF-8


def _candidate_json(candidate: Candidate, metric: str) -> dict[str, Any]:
    return {
        "name": candidate.name,
        "data": candidate.data,
        "model": candidate.model,
        "best_setting": candidate.best_text,
        "best_setting_score": candidate.best.score(metric),
        "settings_tried": len(candidate.settings),
        "selection": candidate.selection,
        "mean": candidate.mean,
        "low": candidate.low,
        "high": candidate.high,
        "fold_scores": candidate.scores,
    }


def _command(text: str) -> str:
    """A command on one line, its spaces as they are."""
    return "".join(char if char.isprintable() else " " for char in text)
