"""From what MLflow holds of one or several sweeps to the comparison of their models, one way for every use of it."""

from collections.abc import Collection, Sequence

import pandas as pd

from src.evaluation.metrics import METRICS, higher_is_better
from src.report.candidates import Candidate, best_is_baseline, compare_candidates, data_labels, select
from src.report.errors import ReportError
from src.report.method import commands, method, question
from src.report.page import ComparisonReport
from src.report.pictures import Material, pictures
from src.report.runs import jobs_table
from src.report.sweeps import FINISHED, SweepJobs, jobs_of
from src.report.tables import REUSED
from src.report.words import plain
from src.tracking import reading
from src.tracking.query import RunRow
from src.tracking.reading import RecordedDataset
from src.tracking.store import Store

METRIC = "sweep.metric"  # param of a sweep's run: what its jobs are ranked by
ANSWER = "answer"  # tag of a sweep's run: the answer in one sentence


def build_report(store: Store, sweeps: Sequence[RunRow], metric: str | None = None) -> ComparisonReport:
    """Build the comparison of the models of one or several sweeps from the record; nothing is trained.

    Failed jobs are left out and told. Where a comparison would not be honest (a sweep was interrupted, models were
    scored on different folds) there is none, and `ComparisonReport.refusal` says why.

    Parameters
    ----------
    store
        Where the sweeps are recorded.
    sweeps
        Their parent runs, ended.
    metric
        What to compare by, e.g. ``log_loss``; None for the metric of the first sweep.

    Raises
    ------
    EvaluationError, ReportError
        If there is no such metric, or no job has been recorded.
    TrackingError
        If the store fails.
    """
    chosen = full_metric(metric or sweeps[0].params.get(METRIC, "accuracy"))
    found = [jobs_of(store, sweep) for sweep in sweeps]
    runs = list({run.run_id: run for each in found for run in each.runs}.values())
    if not runs:
        raise ReportError(f"no job of {_names(found)} has been recorded.")
    jobs = _table(runs, frozenset().union(*(each.reused for each in found)))
    if chosen not in jobs:  # no job has a result
        jobs[chosen] = float("nan")
    usable = [place for place, run in enumerate(runs) if run.status == FINISHED and chosen in run.metrics]
    selected = select(jobs, chosen, {place: reading.fold_columns(store, runs[place]) for place in usable})
    incomplete = _incomplete(found)
    comparisons, refused = ((), ()) if incomplete else compare_candidates(selected.candidates, chosen)
    refusal = incomplete or (refused[0] if refused and not comparisons else None)
    if not selected.candidates:
        refusal = refusal or next(iter(selected.left_out), "no job has a result.")
    labels = data_labels(jobs)
    datasets = _datasets(store, runs, labels)
    material = Material(
        store=store,
        jobs=jobs,
        runs=runs,
        candidates=selected.candidates,
        comparisons=comparisons,
        metric=chosen,
        dataset=next(iter(datasets.values()))[1] if len(set(labels)) == 1 and datasets else None,
    )
    return ComparisonReport(
        title=_names(found),
        question=question(sweeps, jobs),
        jobs=jobs,
        comparisons=comparisons,
        pictures=pictures(material),
        method=method(found, jobs, selected.candidates, datasets),
        commands=commands(sweeps, chosen),
        notes=(
            *_failures(runs),
            *selected.left_out,
            *(refused if comparisons else ()),
            *_yardstick(selected.candidates, chosen, bool(comparisons)),
            *_versions(runs),
        ),
        metric=chosen,
        candidates=selected.candidates,
        refusal=refusal,
    )


def full_metric(name: str) -> str:
    """The column of a metric's test scores: ``log_loss`` and ``test/log_loss`` are ``test/log_loss``.

    Raises
    ------
    EvaluationError, ReportError
        If there is no such metric, or it is not of the test folds.
    """
    part, _, short = name.rpartition("/")
    if part in ("", "test"):
        higher_is_better(short)
        return f"test/{short}"
    raise ReportError(f"'{name}' is not a score of the test folds; models are compared by {', '.join(METRICS)}.")


def _table(runs: Sequence[RunRow], reused: Collection[str]) -> pd.DataFrame:
    """The table of jobs, at each run's position, with what tells data and folds apart."""
    table = jobs_table(reading.table_of(runs[::-1]))
    return table.assign(
        data_digest=[run.tags.get("data_digest", "") for run in runs],
        folds_digest=[run.tags.get("folds_digest", "") for run in runs],
        **{REUSED: [run.run_id in reused for run in runs]},
    )


def _datasets(store: Store, runs: Sequence[RunRow], labels: Sequence[str]) -> dict[str, tuple[RunRow, RecordedDataset]]:
    first = dict(reversed(list(zip(labels, runs, strict=True))))
    described = {label: (first[label], reading.dataset(store, first[label])) for label in dict.fromkeys(labels)}
    return {label: (run, data) for label, (run, data) in described.items() if data is not None}


def _names(sweeps: Sequence[SweepJobs]) -> str:
    return " and ".join(dict.fromkeys(plain(each.sweep.name) for each in sweeps))


def _incomplete(sweeps: Sequence[SweepJobs]) -> str | None:
    """Why a sweep that was cut off is not compared: what is there of it was not chosen by anybody."""
    for each in sweeps:
        total = len(each.runs) + each.missing
        unfinished = each.missing + sum(run.status not in (FINISHED, "FAILED") for run in each.runs)
        if unfinished:
            return (
                f"{unfinished} of the {total} jobs of {plain(each.sweep.name)} have no result, as the sweep is "
                f"{each.sweep.status.lower()}; the same command again runs only what is missing."
            )
    return None


def _failures(runs: Sequence[RunRow]) -> tuple[str, ...]:
    failed = sum(run.status == "FAILED" for run in runs)
    return (f"{failed} of {len(runs)} jobs failed and are left out of every comparison.",) if failed else ()


def _yardstick(candidates: Sequence[Candidate], metric: str, compared: bool) -> tuple[str, ...]:
    if compared and best_is_baseline(candidates, metric):
        return ("The others are compared with the one that was best on these very folds, which flatters its lead.",)
    return ()


def _versions(runs: Sequence[RunRow]) -> tuple[str, ...]:
    if len({run.tags.get("code_version") for run in runs}) > 1:
        return ("The jobs were run by different versions of the numerical code or its libraries.",)
    return ()
