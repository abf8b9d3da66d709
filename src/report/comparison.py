"""From what the record holds of one or several sweeps to the page that compares their models, one way for every use."""

import math
from collections.abc import Iterator, Mapping, Sequence

from src.comparison import cautions, naming
from src.comparison.jobs import RecordedJob
from src.comparison.outcome import Outcome
from src.comparison.record import Record, RecordedDataset, RecordedSweep
from src.language import listed, say
from src.report.drawing import Drawer, begin_pictures
from src.report.material import class_cells
from src.report.method import commands, method, question
from src.report.page import ComparisonReport
from src.report.terminal import Cells
from src.report.words import metric_label, number, plain


def build_report(
    record: Record, sweeps: Sequence[RecordedSweep], outcome: Outcome, *, drawn: bool = True
) -> ComparisonReport:
    """Build the page of a comparison from the record; nothing is trained, nothing is decided.

    Without figures unless `drawn`.

    Raises TrackingError if the store fails.
    """
    jobs = outcome.jobs
    datasets = described_data(record, jobs)
    described = one_of(datasets)
    drawer = Drawer()
    notes = [sentence for each in sweeps for sentence in each.unreadable]
    if failed := sum(job.status == "FAILED" for job in jobs):
        counts = {"failed": failed, "count": len(jobs)}
        notes.append(say("{failed} of {count} jobs failed and are left out of every comparison.", **counts))
    notes += data_cautions(datasets, jobs)
    if len({job.code_version for job in jobs}) > 1:
        notes.append(say("The jobs were run by different versions of the numerical code or its libraries."))
    return ComparisonReport(
        title=listed(dict.fromkeys(plain(each.name) for each in sweeps)),
        question=question(outcome),
        outcome=outcome,
        pictures=begin_pictures(drawer, record, outcome, described)() if drawn else (),
        figure_note=drawer.note(),
        class_scores=None if described is None else class_cells(record, outcome),
        published=published_cells(record, outcome),
        held_out=tuple(found for each in sweeps for found in each.held_out),
        method=method(sweeps, outcome, datasets),
        commands=commands(sweeps, outcome.metric),
        notes=tuple(notes),
        reused=len(frozenset().union(*(each.reused for each in sweeps))),
    )


def published_cells(record: Record, outcome: Outcome) -> Cells | None:
    """The scores that others have published beside ours, each reproduced, different, not measured or not run."""
    rows = []
    for value in outcome.options.published:
        who = (one for one in outcome.candidates if (one.data, one.name) == (value.data, naming.label_of(value.model)))
        candidate = next(who, None)
        measured = math.nan
        if candidate is not None:
            fitted = value.metric.startswith("fitted/")
            found = record.metrics(candidate.best.first.run_id) if fitted else {}
            measured = found.get(value.metric, math.nan) if fitted else candidate.best.score(value.metric)
        verdict = say("differs")
        if candidate is None:
            verdict = say("not run")
        elif math.isnan(measured):
            verdict = say("not measured")
        elif abs(measured - value.value) <= value.tolerance:
            verdict = say("reproduced")
        digits = max(3, -math.floor(math.log10(value.tolerance))) if value.tolerance else 6
        shown = (f"{value.value:.{digits}f}", number(measured, digits))
        what = metric_label(value.metric)
        if value.metric.startswith("fitted/"):
            what = say("{metric}, all rows", metric=what)
        rows.append((*map(plain, (value.data, value.model, what)), *shown, verdict, plain(value.source)))
    headers = (
        *(say("data"), say("model"), say("metric"), say("published"), say("here"), say("verdict")),
        say("published where, and how"),
    )
    note = say(
        "Reproduced: the score here differs from the published one by no more than the rounding it was printed with."
    )
    return Cells.of_rows(headers, rows, numbers=(3, 4), spared=(6,), about=(note,)) if rows else None


def described_data(record: Record, jobs: Sequence[RecordedJob]) -> dict[str, RecordedDataset]:
    """What the record holds of each data set, by what it is called."""
    first = {label: group[0] for label, group in naming.by_data(jobs).items()}
    found = {label: record.dataset(job.run_id) for label, job in first.items()}
    return {label: described for label, described in found.items() if described is not None}


def one_of(datasets: Mapping[str, RecordedDataset]) -> RecordedDataset | None:
    """The data set where there is but one, which the figures and the table of single models are about."""
    return next(iter(datasets.values())) if len(datasets) == 1 else None


def data_cautions(datasets: Mapping[str, RecordedDataset], jobs: Sequence[RecordedJob]) -> Iterator[str]:
    """What is to be known of the rows."""
    for label, group in naming.by_data(jobs).items():
        if label in datasets:
            yield from cautions.of_data(label, datasets[label], group[0].config)
