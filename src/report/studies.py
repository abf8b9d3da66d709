"""The page of all studies in experiments/, from what they recorded; nothing on it is typed by hand."""

from collections.abc import Mapping
from pathlib import Path

from src.comparison.record import RecordedSweep
from src.report.page import ComparisonReport, Picture
from src.report.style import to_png
from src.report.terminal import cells_markdown
from src.report.words import duration, markdown
from src.words import counted

PAGE_DPI = 100  # small files: they are kept in git
FIRST = "homework5"
READING = (
    "How to read the tables: scores are means over test folds. Settings chosen *in each training part* were "
    "selected for each outer fold by the folds inside its training part (nested cross-validation), so that no score"
    " was measured on rows that had a say in it; *on all folds* is the score of the best setting on the folds that "
    "chose it. Intervals (95%) and p-values of differences are those of the corrected resampled t-test, which "
    "allows for training parts that overlap; p-values by Holm's method, intervals simultaneous, both for all "
    "comparisons that were looked at on a data set, which are all pairs where the baseline is the one that came out"
    " best. *Could show*: the smallest true difference that such folds find with a probability of 80%. [How often "
    "all this errs](statistics.md) is measured too. P(worse), P(equal) and P(better) are those of the Bayesian "
    "correlated t-test; equal is a difference within ±0.01, for shares. Equal in practice: P(equal) is at least "
    "95%. Undecided: the folds show neither a difference nor that there is none."
)
# The figure that shows a study's answer best, of those it has.
FIGURES = ("decision-regions", "heat-map", "differences", "models")


# Each study by its name: its latest sweep, and what that says.
Studies = Mapping[str, tuple[RecordedSweep, ComparisonReport]]


def study_names(folder: Path) -> list[str]:
    """The studies of a folder: the homework first, then by name."""
    return sorted((file.stem for file in folder.glob("*.yaml")), key=lambda name: (name != FIRST, name))


def page(studies: Studies) -> str:
    """All studies as a page of Markdown: question, command, answer, tables, figure."""
    tags = next(iter(studies.values()))[0].tags
    parts = [
        "# Studies",
        "Written by `make experiments`; nothing here is typed by hand. Each study is a file beside this page: what it "
        "asks, what it varies, on which data.",
        READING,
        markdown(f"Run at commit {tags.get('mlflow.source.git.commit', 'unknown')} with {tags.get('versions', '')}."),
        "\n".join(f"- [{name}](#{name}): {markdown(report.question)}" for name, (_, report) in studies.items()),
        *(text for name, (sweep, report) in studies.items() for text in _section(name, sweep, report)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def figures(studies: Studies) -> dict[str, bytes]:
    """Each study's figure as a PNG, by its file's name."""
    drawn = {name: _picture(report) for name, (_, report) in studies.items()}
    return {f"{name}.png": to_png(picture.figure, PAGE_DPI) for name, picture in drawn.items() if picture is not None}


def _section(name: str, sweep: RecordedSweep, report: ComparisonReport) -> list[str]:
    picture = _picture(report)
    parts = [
        f"## {name}",
        markdown(report.question),
        f"    python -m src.run experiments={name}",
        f"**{markdown(report.answer)}**",
        *(f"> {markdown(caveat)}" for caveat in report.caveats),
    ]
    if picture is not None:
        parts += [f"![{markdown(picture.description)}](figures/{name}.png)", markdown(picture.description)]
    # Without the tables' notes, which stand once at the top of the page.
    tables = [cells for _, _, cells in report.tables() if cells is not report.class_scores]
    parts += [cells_markdown(cells, with_notes=False) for cells in tables]
    facts = [f"{term}: {report.method[term]}" for term in ("Folds", "Varied") if term in report.method]
    if sweep.seconds is not None and not sweep.reused:
        facts.append(f"Time: {duration(sweep.seconds)} for {counted(len(report.outcome.jobs), 'job')}")
    parts.append("\n".join(f"- {markdown(fact)}" for fact in facts))
    return parts


def _picture(report: ComparisonReport) -> Picture | None:
    pictures = {picture.name: picture for picture in report.pictures}
    return next((pictures[name] for name in FIGURES if name in pictures), None)
