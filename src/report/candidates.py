"""What is compared: each model, or each choice of one model, at its best setting, and how honestly that was found.

Numbers are tuned, choices are compared. Where a sweep holds several models, each is a candidate and everything else it
varies is its setting. Where it holds one model, each combination of what is not a number (activation, loss, layers,
batch size 'full' or 32) is one. Where only numbers vary, each setting is one, as long as they are few.

A seed is no setting: jobs that differ in nothing else repeat one setting on other folds, as `cv.repeats` does, and a
setting is judged by all of them, not by its luckiest seed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from src.evaluation.errors import EvaluationError
from src.evaluation.folds import select_best
from src.evaluation.metrics import higher_is_better
from src.evaluation.significance import Comparison, FoldScores, compare, corrected_t_test, holm
from src.report.errors import ReportError
from src.report.tables import MODEL, model_name, settings, varying
from src.report.terminal import Cells, FittedTable
from src.report.words import is_missing, metric_label, number, plain, short_name, value_text

NETWORK = "bp"
SEED = "seed"
MOST_SETTINGS = 24  # of a sweep over numbers alone, that are compared with one another
Selection = Literal["single", "nested", "scored"]

_SELECTIONS: Mapping[Selection, str] = {
    "single": "the only one",
    "nested": "in each training part",
    "scored": "on these folds",
}


@dataclass(frozen=True, eq=False)
class Candidate:
    """A model (or a choice) with the settings it was tried with.

    Attributes
    ----------
    name
        What it is called, with its data where there are several data sets.
    data, model
        The data set's name, and the model's.
    jobs
        Its jobs that have a result, as positions in the table of jobs.
    tried
        The number of settings.
    best
        The position of a job of the setting that stands for it: the best one, or the one chosen most often.
    setting
        What that job's setting is; empty where there is nothing to set.
    selection
        How the setting was found: there was but one; inside each outer training part (nested cross-validation); on the
        folds that score it, which flatters it.
    scores
        Test scores, one for each fold of each seed.
    log_loss
        Mean test log loss over the same folds, which ranks equals.
    low, high
        Confidence interval of the mean score (95 %), corrected for overlapping training parts.
    """

    name: str
    data: str
    model: str
    jobs: tuple[int, ...]
    tried: int
    best: int
    setting: str
    selection: Selection
    scores: FoldScores
    log_loss: float
    low: float
    high: float

    @property
    def mean(self) -> float:
        """Mean score over the folds."""
        return float(self.scores.scores.mean())


@dataclass(frozen=True, eq=False)
class Selected:
    """The candidates, in the order typed, and a line for each, or each one's settings, that have no score."""

    candidates: tuple[Candidate, ...]
    left_out: tuple[str, ...]


def data_labels(jobs: pd.DataFrame) -> list[str]:
    """Name each job's data set; two files of the same name are told apart by the digest of their content."""
    names = [
        Path(str(job["data.path"])).name if value_text(job["data.name"]) == "csv" else value_text(job["data.name"])
        for _, job in jobs.iterrows()
    ]
    digests: dict[str, set[str]] = {}
    for name, digest in zip(names, jobs["data_digest"], strict=True):
        digests.setdefault(name, set()).add(digest)
    return [
        name if len(digests[name]) == 1 else f"{name} {digest[:8]}"
        for name, digest in zip(names, jobs["data_digest"], strict=True)
    ]


def select(jobs: pd.DataFrame, metric: str, fold_columns: Mapping[int, Mapping[str, NDArray[np.float64]]]) -> Selected:
    """Find the candidates of a table of jobs and each one's scores.

    Parameters
    ----------
    jobs
        As `src.report.tables` describes it, numbered from 0, with ``data_digest`` and ``folds_digest``.
    metric
        E.g. ``test/accuracy``.
    fold_columns
        The columns of each usable job's fold_scores.csv, by its position.
    """
    labels = pd.Series(data_labels(jobs), index=jobs.index, dtype=object)
    several = labels.nunique() > 1
    found, left_out = [], []
    for data in labels.unique():
        part = jobs[labels == data]
        for label, group in _groups(part).items():
            name = f"{label} on {data}" if several else label
            usable = group[[place in fold_columns for place in group.index]]
            once = _once(usable)
            try:
                candidate = _candidate(name, data, once, metric, fold_columns)
            except (EvaluationError, ReportError) as problem:
                left_out.append(f"{name} is left out: {problem}")
                continue
            found.append(candidate)
            for count, reason in (
                (len(usable) - len(once), "as the same setting stands in a sweep named later"),
                (len(once) - len(candidate.jobs), "as other seeds of the same setting have no result"),
            ):
                if count:
                    left_out.append(f"{name}: {count} {'job is' if count == 1 else 'jobs are'} left out, {reason}.")
    return Selected(tuple(found), tuple(left_out))


def compare_candidates(candidates: Sequence[Candidate], metric: str) -> tuple[tuple[Comparison, ...], tuple[str, ...]]:
    """Compare the candidates of each data set on its folds; Holm's correction is over all comparisons.

    Where the network is among several models it is compared with each of the others; else each with the best.

    Returns
    -------
    tuple
        The comparisons, and for each data set without one the reason why it was refused.
    """
    found: list[Comparison] = []
    refused = []
    for group in by_data(candidates).values():
        if len(group) < 2:
            continue
        try:
            scores = {candidate.name: candidate.scores for candidate in group}
            found += compare(scores, baselines(group, metric), short_name(metric))
        except EvaluationError as problem:
            refused.append(str(problem))
    adjusted = holm([one.p for one in found]) if found else []
    return tuple(replace(one, p_holm=p) for one, p in zip(found, adjusted, strict=True)), tuple(refused)


def by_data(candidates: Sequence[Candidate]) -> dict[str, list[Candidate]]:
    """The candidates of each data set."""
    groups: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        groups.setdefault(candidate.data, []).append(candidate)
    return groups


def own_names(candidates: Sequence[Candidate]) -> dict[str, tuple[str, str]]:
    """Each candidate's data set and its name there; no data set where there is but one."""
    several = len({one.data for one in candidates}) > 1
    return {
        one.name: (one.data, one.name.removesuffix(f" on {one.data}")) if several else ("", one.name)
        for one in candidates
    }


def baselines(candidates: Sequence[Candidate], metric: str) -> list[str]:
    """The yardsticks among candidates of one data set: all but the network, or the best where there is none."""
    models = {candidate.model for candidate in candidates}
    if NETWORK in models and len(models) > 1:
        return [candidate.name for candidate in candidates if candidate.model != NETWORK]
    return [by_score(candidates, metric)[0].name]


def by_score(candidates: Sequence[Candidate], metric: str) -> list[Candidate]:
    """The candidates, best first; of equals the one with the lower log loss, as in the leaderboard."""
    sign = -1 if higher_is_better(metric) else 1
    return sorted(candidates, key=lambda one: (sign * one.mean, one.log_loss))


def best_is_baseline(candidates: Sequence[Candidate], metric: str) -> bool:
    """Whether some data set's yardstick was made the best of its candidates: its lead flatters it."""
    groups = [group for group in by_data(candidates).values() if len(group) > 2]
    return any(len(baselines(group, metric)) == 1 for group in groups)


def candidate_cells(candidates: Sequence[Candidate], metric: str) -> Cells:
    """The candidates as a table: score with its interval, setting, how many settings were tried, how it was chosen."""
    order = [one for group in by_data(candidates).values() for one in by_score(group, metric)]
    names = own_names(candidates)
    with_setting = any(one.setting for one in order)
    headers = ["data", "model", metric_label(metric), "95% interval"]
    numeric = [False, False, True, True]
    if with_setting:
        headers += ["setting", "settings tried", "chosen"]
        numeric += [False, True, False]
    rows = []
    for one in order:
        row = [*map(plain, names[one.name]), number(one.mean), f"{number(one.low)} to {number(one.high)}"]
        if with_setting:
            row += [one.setting or "–", str(one.tried), _SELECTIONS[one.selection]]
        rows.append(tuple(row))
    note = (
        f"Mean test {metric_label(metric)} over the folds, with its 95% confidence interval corrected for training "
        "parts that overlap (Nadeau and Bengio 2003)."
    )
    nested = any(one.selection == "nested" for one in order)
    more = (
        "Chosen in each training part: the setting of each outer fold was selected by the folds inside its training "
        "part (nested cross-validation); named is the one chosen most often.",
    )
    cells = Cells(tuple(headers), tuple(numeric), tuple(rows), None, (note, *(more if nested else ())))
    return cells if any(row[0] for row in rows) else cells.without("data")


def candidate_table(candidates: Sequence[Candidate], metric: str) -> FittedTable:
    """The candidates for the terminal, without how they were chosen where it is narrow."""
    cells = candidate_cells(candidates, metric)
    narrower = replace(cells.without("settings tried", "chosen"), notes=cells.notes[:1])
    return FittedTable((cells, narrower, narrower.without("setting")))


def selection_caveat(candidates: Sequence[Candidate]) -> str | None:
    """Say which candidates' settings were selected on the folds that score them; None where none were."""
    chosen = [one for one in candidates if one.selection == "scored"]
    if not chosen:
        return None
    listed = ", ".join(f"{plain(one.name)} (of {one.tried} settings)" for one in chosen[:6])
    more = f" and {len(chosen) - 6} more" if len(chosen) > 6 else ""
    return (
        f"Selected on the folds it is scored on: {listed}{more}. Such a score flatters its model, the more settings "
        "the more; cv.inner_folds=K selects inside each training part instead."
    )


def single_answer(candidate: Candidate, metric: str, confidence: float = 0.95) -> str:
    """What one candidate alone shows."""
    setting = f" ({candidate.setting})" if candidate.setting else ""
    score = (
        f"{metric_label(metric)} {number(candidate.mean)}, {confidence:.0%} interval {number(candidate.low)} to "
        f"{number(candidate.high)}"
    )
    how = {
        "single": "",
        "nested": f", its setting selected inside each training part from {candidate.tried}",
        "scored": f", the best of {candidate.tried} settings on these folds",
    }[candidate.selection]
    return f"{plain(candidate.name)}{setting} reaches {score}{how}; there is no other model to compare it with."


def choices(jobs: pd.DataFrame) -> list[str]:
    """The keys of a model that vary and whose values are not all numbers."""
    return [key for key in _tunable(jobs) if not _numeric(jobs[key])]


def numbers(jobs: pd.DataFrame) -> list[str]:
    """The keys that vary and whose values are all numbers, the one with the most values first."""
    keys = [key for key in _tunable(jobs) if _numeric(jobs[key])]
    # Of as many values the learning rate comes first, as the horizontal axis that people expect it on.
    return sorted(keys, key=lambda key: (-jobs[key].map(value_text).nunique(), key != "training.learning_rate"))


def _tunable(jobs: pd.DataFrame) -> list[str]:
    """The keys that vary, but for those that say which model, which rows and which folds."""
    return [
        key
        for key in varying(jobs)
        if key.startswith("training.") or key in ("data.scale", "data.missing") or _is_of_model(key)
    ]


def _is_of_model(key: str) -> bool:
    return key.startswith("model.") and key not in (MODEL, "model.estimator")


def _numeric(values: "pd.Series[Any]") -> bool:
    texts = [value_text(value) for value in values if not is_missing(value)]
    return bool(texts) and bool(pd.to_numeric(pd.Series(texts), errors="coerce").notna().all())


def _groups(jobs: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The candidates' jobs by name, for the jobs of one data set."""
    models = [model_name(job) for _, job in jobs.iterrows()]
    if len(set(models)) > 1:
        return _grouped(jobs, models)
    chosen = choices(jobs)
    if chosen:
        return _grouped(jobs, [name or models[0] for name in _choice_names(jobs, chosen)])
    tuned = [key for key in varying(jobs) if key != SEED]
    nested = "cv.inner_folds" in jobs.columns and not jobs["cv.inner_folds"].map(is_missing).any()
    labels = [settings(job, tuned) for _, job in jobs.iterrows()]
    if not tuned or nested or len(set(labels)) > MOST_SETTINGS:
        return {models[0]: jobs}
    return _grouped(jobs, labels)


def _choice_names(jobs: pd.DataFrame, keys: Sequence[str]) -> list[str]:
    """What to call each job's choices: words and lists by themselves, where no two keys share one; else with keys."""
    values = [{value_text(value) for value in jobs[key] if not is_missing(value)} for key in keys]
    distinct = set().union(*values)
    alone = all(map(_says_itself, distinct)) and sum(map(len, values)) == len(distinct)
    if not alone:
        return [settings(job, keys) for _, job in jobs.iterrows()]
    words = [[value_text(job[key]) for key in keys if not is_missing(job[key])] for _, job in jobs.iterrows()]
    return [" + ".join(map(plain, each)) for each in words]


def _says_itself(value: str) -> bool:
    return value.startswith("[") or (value.replace("_", "").isalpha() and value not in ("full", "true", "false"))


def _grouped(jobs: pd.DataFrame, labels: Sequence[str]) -> dict[str, pd.DataFrame]:
    places = pd.Series(labels, index=jobs.index, dtype=object)
    return {str(label): jobs[places == label] for label in places.unique()}


def _candidate(
    name: str,
    data: str,
    jobs: pd.DataFrame,
    metric: str,
    fold_columns: Mapping[int, Mapping[str, NDArray[np.float64]]],
) -> Candidate:
    if jobs.empty:
        raise ReportError("none of its jobs has a result.")
    tried = _by_setting(jobs)

    def columns(column: str) -> NDArray[np.float64]:
        """A column of every setting: (settings, folds of all seeds)."""
        return np.array([np.concatenate([fold_columns[place][column] for place in places]) for places in tried])

    scores, losses = columns(metric), columns("test/log_loss")
    inner = f"inner/{short_name(metric)}"
    nested = len(tried) > 1 and all(inner in fold_columns[place] for places in tried for place in places)
    if nested:
        taken = select_best(columns(inner), metric)
    else:
        taken = np.full(scores.shape[1], _best(scores.mean(axis=1), losses.mean(axis=1), metric))
    best = int(np.bincount(taken).argmax())
    folds_in_order = np.arange(scores.shape[1])
    values, log_losses = scores[taken, folds_in_order], losses[taken, folds_in_order]
    if not np.isfinite(values).all():
        raise ReportError(
            f"it has no {metric_label(metric)} in {int((~np.isfinite(values)).sum())} of {len(values)} folds: its "
            "network diverged, or a class is absent there."
        )
    chosen_job = jobs.iloc[list(jobs.index).index(tried[best][0])]
    digest = " ".join(str(jobs.loc[place, "folds_digest"]) for place in tried[best])
    # Over the K folds of a repetition the parts are n/K and n - n/K rows on average.
    folds = int(float(value_text(chosen_job["cv.folds"])))
    interval = corrected_t_test(values, np.zeros_like(values), n_train=folds - 1, n_test=1)
    return Candidate(
        name=name,
        data=data,
        model=model_name(chosen_job),
        jobs=tuple(place for places in tried for place in places),
        tried=len(tried),
        best=tried[best][0],
        setting=settings(chosen_job, _tunable(jobs)),
        selection="nested" if nested else "scored" if len(tried) > 1 else "single",
        scores=FoldScores(values, n_train=folds - 1, n_test=1, folds_digest=digest),
        log_loss=float(log_losses.mean()),
        low=max(interval.low, 0.0),  # no metric is below 0, and only the log loss is above 1
        high=interval.high if metric == "test/log_loss" else min(interval.high, 1.0),
    )


def _once(jobs: pd.DataFrame) -> pd.DataFrame:
    """The jobs without those whose setting and seed stand in a later row: the same job run twice is no new evidence."""
    keys = varying(jobs)
    values = pd.Series([tuple(value_text(job[key]) for key in keys) for _, job in jobs.iterrows()], dtype=object)
    return jobs[~values.duplicated(keep="last").to_numpy()]


def _by_setting(jobs: pd.DataFrame) -> list[list[int]]:
    """The positions of each setting's jobs, one for each seed, in the order of the seeds.

    A setting that lacks a result for some seed is left out.
    """
    if any(part.nunique() > 1 for _, part in jobs.groupby(SEED)["folds_digest"]):
        raise ReportError(
            "its jobs were scored on different folds (their cv settings differ), so that the best of them cannot be "
            "told."
        )
    keys = [key for key in varying(jobs) if key != SEED]
    by_setting: dict[tuple[str, ...], dict[int, int]] = {}
    for place, job in jobs.iterrows():
        setting = tuple(value_text(job[key]) for key in keys)
        by_setting.setdefault(setting, {})[int(value_text(job[SEED]))] = int(str(place))
    seeds = sorted({seed for places in by_setting.values() for seed in places})
    complete = [[places[seed] for seed in seeds] for places in by_setting.values() if len(places) == len(seeds)]
    if not complete:
        raise ReportError("none of its settings has a result for every seed.")
    return complete


def _best(scores: NDArray[np.float64], losses: NDArray[np.float64], metric: str) -> int:
    """The position of the best setting, of equals the one with the lower log loss; never one without a score."""
    sign = -1 if higher_is_better(metric) else 1
    without_nan = [np.where(np.isnan(each), np.inf, each) for each in (losses, sign * scores)]
    return int(np.lexsort(without_nan)[0])
