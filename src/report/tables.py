"""Leaderboard and models as tables: on the terminal, in Markdown, as CSV. What is best was decided before."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any

import pandas as pd

from src.comparison.jobs import DATA, ESTIMATOR, MODEL, Setting, status_word
from src.comparison.naming import (
    SHOWN_DIGITS,
    distinct,
    is_number,
    job_label,
    model_label,
    setting_text,
    short_keys,
    value_text,
    varying,
)
from src.comparison.outcome import Outcome
from src.escaping import csv_cell
from src.evaluation.warned import alike
from src.language import say, say_number, sentences
from src.report.terminal import Cells, Column
from src.report.words import MISSING, duration, mean_and_spread, metric_label, number, percent, plain, short_name

SCREENFUL = 30  # rows of a table that are still read on a terminal
SHOWN_METRICS = ("accuracy", "log_loss", "macro_f1", "roc_auc")
_MOST_DIVERGED = 10  # settings that a warning names; a failure is always told


def leaderboard_cells(
    outcome: Outcome, reused: int = 0, *, limit: int | None = None, join_settings: bool = False
) -> Cells:
    """The settings of each data set, best first: data and model, what varies, the scores, the time.

    What varies stands in one column if `join_settings`. `reused` jobs were recorded already. Of more than `limit` rows
    the best are shown; where there are several data sets, equally many of each.
    """
    boards, ranking = outcome.boards, short_name(outcome.metric)
    count = len(outcome.settings)
    each = count if limit is None or count <= limit else max(limit // len(boards), 1)
    rows = [(data, setting) for data, board in boards.items() for setting in board[:each]]
    own = [key for key in _varying_within(outcome) if key not in (DATA, MODEL, ESTIMATOR)]
    flats = [setting.flat for setting in outcome.settings]
    column = partial(Column.of, [setting for _, setting in rows])
    score = partial(column, numeric=True)
    columns = [Column.of(rows, say("data"), lambda row: plain(row[0]))] if len(boards) > 1 else []
    columns.append(column(say("model"), lambda one: plain(model_label(one.flat))))
    if join_settings and own:
        columns.append(column(say("settings"), lambda one: plain(setting_text(one.flat, own)) or MISSING))
    else:
        columns += [
            column(name, partial(_value, key=key), numeric=all(map(is_number, distinct(flats, key))))
            for key, name in short_keys(own).items()
        ]
    columns += [
        score(metric_label(name), lambda one, name=name: _score(one, name, ranking), spared=int(name != ranking))
        for name in (SHOWN_METRICS if ranking in SHOWN_METRICS else (ranking, *SHOWN_METRICS))
    ]
    columns.append(score(say("time"), lambda one: duration(sum(job.value("time/fit") for job in one.jobs)), spared=2))
    folds, label = folds_text(outcome.settings), metric_label(outcome.metric)
    notes = [
        say("Test scores, mean ± standard deviation over {folds}; best {metric} first.", folds=folds, metric=label)
    ]
    if reused:
        jobs = say_number("{number} job", "{number} jobs", len(outcome.jobs))
        notes.append(say("Reused from the record: {reused} of {jobs}.", reused=reused, jobs=jobs))
    return Cells(
        tuple(columns),
        best=0 if outcome.best is not None else None,
        about=tuple(notes),
        warnings=(*_trouble(outcome), *_fit_warnings(outcome)),
        more=count - len(rows),
        file="leaderboard.csv",
    )


def leaderboard(outcome: Outcome, reused: int = 0, title: str = "", limit: int | None = None) -> Cells:
    """The leaderboard for the terminal: `console.print(leaderboard(outcome))`, of at most `limit` rows.

    A column for each setting where they fit the console's width, one column of settings where they do not, and in a
    very narrow place the ranking metric alone.
    """
    cells, joined = (leaderboard_cells(outcome, reused, limit=limit, join_settings=each) for each in (False, True))
    return replace(cells, title=title, joined=joined)


def setting_rows(outcome: Outcome) -> list[dict[str, Any]]:
    """The settings of each data set, best first, under the names that MLflow holds: what varies, seeds, all metrics."""
    keys = varying([setting.flat for setting in outcome.settings])
    metrics = dict.fromkeys(
        name for one in outcome.settings for name in one.first.metrics if not name.startswith("std/")
    )
    return [
        {
            DATA: data,
            MODEL: setting.flat[MODEL],
            **{key: setting.flat.get(key) for key in keys if key not in (DATA, MODEL)},
            "seeds": " ".join(map(str, setting.seeds)),
            **{name: setting.score(name) for name in metrics},
            **{f"std/{short_name(name)}": setting.spread(name) for name in metrics if name.startswith("test/")},
            "status": failed_status(setting) or "FINISHED",
            "error": next((job.error for job in setting.jobs if job.error), None),
            "run_id": setting.first.run_id,
        }
        for data, board in outcome.boards.items()
        for setting in board
    ]


def leaderboard_csv(outcome: Outcome) -> str:
    """`setting_rows` as CSV, at full precision."""
    return as_csv(pd.DataFrame(setting_rows(outcome)))


def as_csv(table: pd.DataFrame) -> str:
    """A table as CSV, texts by `csv_cell`."""
    return table.map(csv_cell).to_csv(index=False, lineterminator="\n", header=list(map(csv_cell, table.columns)))


def best_line(outcome: Outcome) -> str:
    """The best setting in a sentence, of each data set where there are several; says so when none has a result."""
    label, metric = metric_label(outcome.metric), outcome.metric
    keys = _varying_within(outcome)
    if len(outcome.boards) > 1:
        each = [
            say("{model} on {data} ({score})", model=plain(job_label(one.flat, keys)), data=plain(data), score=score)
            for data in outcome.boards
            if (one := outcome.best_on(data)) is not None
            for score in [number(one.score(metric))]
        ]
        if each:
            told = {"metric": label, "found": say("; ").join(each)}
            return say("Best {metric} of each data set, on the folds that chose it: {found}.", **told)
    if outcome.best is None:
        return say("No job has a result.")
    results = sum(setting.has_result(metric) for setting in outcome.settings)
    found = {
        "count": results,
        "model": plain(job_label(outcome.best.flat, keys)),
        "metric": label,
        "score": mean_and_spread(outcome.best.score(metric), outcome.best.spread(metric)),
    }
    if results == 1:
        return say("Result: {model}, {metric} {score}.", **found)
    return say("Best of {count}: {model}, {metric} {score} on the folds that chose it.", **found)


def candidate_cells(outcome: Outcome) -> Cells:
    """The candidates: score with its interval, best setting with its flattered score, settings tried, how chosen."""
    label, confidence = metric_label(outcome.metric), percent(outcome.options.confidence)
    column, used = partial(Column.of, outcome.candidates), {one.selection for one in outcome.candidates}
    interval = say("{confidence} interval", confidence=confidence)
    columns = [
        *[column(say("data"), lambda one: plain(one.data))] * (len(outcome.boards) > 1),
        column(say("model"), lambda one: plain(one.name)),
        column(label, lambda one: number(one.mean), numeric=True),
        column(interval, lambda one: interval_text(number(one.low), number(one.high)), numeric=True),
    ]
    notes = [
        say(
            "Mean test {metric} over the folds, with its {confidence} confidence interval corrected for training parts "
            "that overlap (Nadeau and Bengio 2003).",
            **{"metric": label, "confidence": confidence},
        )
    ]
    if used - {"only"}:
        notes.append(
            say(
                "Each fold is scored by a setting that was chosen without it; named is the setting that is best over "
                "all folds, with its score on these folds, which chose it."
            )
        )
        selections = {
            "only": say("the only one"),
            "other folds": say("by the other folds"),
            "nested": say("in each training part"),
            "search": say("by a search that saw all folds"),
        }
        explained = {
            "other folds": say(
                "Chosen by the other folds: of the same repeat and seed. Such a score's interval holds the truth "
                "somewhat less often than it says (experiments/statistics.md)."
            ),
            "nested": say("Chosen in each training part: by folds inside it (nested cross-validation)."),
        }
        ways = [text for way, text in explained.items() if way in used]
        columns += [
            column(say("best setting"), lambda one: plain(one.best_text) or MISSING, spared=2),
            column(say("on all folds"), lambda one: number(one.best.score(outcome.metric)), numeric=True, spared=2),
            column(say("settings tried"), lambda one: str(len(one.settings)), numeric=True, spared=1),
            column(
                say("chosen"), lambda one: selections[one.selection], spared=1, note=sentences(ways) if ways else ""
            ),
        ]
    return Cells(tuple(columns), about=tuple(notes))


def interval_text(low: str, high: str) -> str:
    """An interval by its ends: `0.731 to 0.869`."""
    return say("{low} to {high}", low=low, high=high)


def _varying_within(outcome: Outcome) -> list[str]:
    """The keys that vary among the settings of some data set."""
    within = {key for board in outcome.boards.values() for key in varying([setting.flat for setting in board])}
    return [key for key in varying([setting.flat for setting in outcome.settings]) if key in within]


def _value(setting: Setting, key: str) -> str:
    return plain(value_text(setting.flat[key], SHOWN_DIGITS)) if key in setting.flat else MISSING


def _score(setting: Setting, name: str, ranking: str) -> str:
    """One score; the accuracy and the metric that ranks come with their spread."""
    metric, ranks = f"test/{name}", name == ranking
    if ranks and not setting.has_result(metric) and (word := trouble_word(setting)):
        return word
    spread = setting.spread(metric) if ranks or name == "accuracy" else None
    return mean_and_spread(setting.score(metric), spread)


def folds_text(settings: Iterable[Setting], *, stratified: bool = False) -> str:
    """How settings were split, where all were split alike: `5 folds`, `5 folds × 2 repeats × 3 seeds`.

    With `stratified` it is said of folds that are.
    """
    kinds = set()
    for one in settings:
        cv = one.first.config.cv
        if one.first.config.data.fold is not None:
            kinds.add(say("given folds"))
            continue
        folds = say_number("{number} fold", "{number} folds", cv.folds)
        if stratified and cv.stratified:
            folds = say_number("{number} stratified fold", "{number} stratified folds", cv.folds)
        repeats = say_number("{number} repeat", "{number} repeats", cv.repeats)
        seeds = say_number("{number} seed", "{number} seeds", len(one.jobs))
        kinds.add(" × ".join([folds, *[repeats] * (cv.repeats > 1), *[seeds] * (len(one.jobs) > 1)]))
    return kinds.pop() if len(kinds) == 1 else say("folds")


def failed_status(setting: Setting) -> str:
    """The status of its first job that did not finish; empty where all did."""
    return next((job.status for job in setting.jobs if job.status != "FINISHED"), "")


def trouble_word(setting: Setting) -> str:
    """What became of a setting without a full result: `failed`, `diverged`; empty where neither is so."""
    status = failed_status(setting)
    return status_word(status) if status else say("diverged") if any(job.diverged for job in setting.jobs) else ""


def _trouble(outcome: Outcome) -> list[str]:
    """A line for each job that has no full result: what became of it."""
    troubled = [job for job in outcome.jobs if job.status != "FINISHED" or job.diverged]
    keys = varying([job.flat for job in outcome.jobs]) if troubled else []
    lines, diverged = [], []
    for job in troubled:
        who = plain(job_label(job.flat, keys))
        if job.status != "FINISHED":
            told = who if not job.error else say("{who}: {error}", who=who, error=plain(job.error, 200))
            lines.append(say("{status}: {who}", status=status_word(job.status), who=told))
        else:
            folds = say_number("{number} fold", "{number} folds", job.diverged)
            diverged.append(say("diverged: {who}, in {folds}", who=who, folds=folds))
    more = len(diverged) - _MOST_DIVERGED
    return lines + diverged[:_MOST_DIVERGED] + [say("diverged: {count} more jobs", count=more)] * (more > 0)


def _fit_warnings(outcome: Outcome) -> list[str]:
    """A line for each thing that a model's fits warned of: in how many of them, and at which settings if not at all."""
    keys = [key for key in varying([job.flat for job in outcome.jobs]) if key not in (MODEL, ESTIMATOR)]
    settings: defaultdict[str, set[str]] = defaultdict(set)
    fits: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    texts: dict[tuple[str, str], str] = {}
    for job in outcome.jobs:
        model, setting = plain(model_label(job.flat)), plain(setting_text(job.flat, keys))
        settings[model].add(setting)
        for text, count in job.warnings.items():
            warning = model, alike(text)
            texts.setdefault(warning, text)
            fits[warning][setting] += count
    lines = []
    for (model, key), counts in fits.items():
        some = [setting for setting in counts if counts.keys() != settings[model]]
        shown = say("; ").join(some[:3])
        if len(some) > 3:
            more = say_number("{number} more setting", "{number} more settings", len(some) - 3)
            shown = say("{some}; and {more}", some=shown, more=more)
        fits_told = say_number("{number} fit", "{number} fits", counts.total())
        who = say("{model} ({settings})", model=model, settings=shown) if some else model
        lines.append(
            say("warned in {fits}: {who}: {warning}", fits=fits_told, who=who, warning=plain(texts[model, key], 200))
        )
    return lines
