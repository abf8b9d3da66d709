"""The leaderboard on the terminal, in Markdown and as CSV.

A table of jobs is a DataFrame with a row for each job and the names MLflow holds:

- the resolved configuration under dotted keys (`model.name`, `training.learning_rate`, ...);
- metrics: `test/accuracy` (mean over folds), `std/accuracy` (standard deviation over folds), `time/fit` (seconds),
  `diverged` (folds whose network diverged), ...;
- `status` (FINISHED, FAILED, KILLED, RUNNING; a table without it holds finished jobs) and, for a failed job, `error`;
- `reused`: whether a sweep found the job recorded already.

Columns that are absent are shown as missing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
from rich.console import Console
from rich.text import Text

from src.evaluation.metrics import higher_is_better
from src.report.terminal import Cells, FittedTable, cells_markdown, encodable, plain_text
from src.report.words import (
    MISSING,
    duration,
    is_missing,
    mean_and_spread,
    metric_label,
    number,
    plain,
    short_name,
    value_text,
)

DATA = "data.name"
MODEL = "model.name"
STATUS = "status"
REUSED = "reused"
SCREENFUL = 30  # rows of a table that are still read on a terminal
SHOWN_METRICS = ("accuracy", "log_loss", "macro_f1", "roc_auc")

# These groups say where and how a job is run and recorded, never what its result is.
_SETTLED_ELSEWHERE = ("tracking", "sweep", "experiments", "hydra")


def is_parameter(column: str) -> bool:
    """Whether a column of a table of jobs is a key of the configuration that decides results."""
    group = column.split(".", 1)[0]
    return (column == "seed" or "." in column) and "/" not in column and group not in _SETTLED_ELSEWHERE


def varying(jobs: pd.DataFrame) -> list[str]:
    """Keys of the configuration whose values differ among the jobs: data, model, then the one that varies most.

    A job that has no use for a key (an empty cell) does not make it vary, nor does a `model.*` key that follows from
    the choice of `model.name` (logistic regression has no hidden layer), nor a `data.*` key that follows from
    `data.name`.
    """
    spelt = {
        column: [value_text(value) for value in jobs[column]] for column in jobs.columns if is_parameter(str(column))
    }
    counts = {column: len({text for text in texts if text != "null"}) for column, texts in spelt.items()}
    names = (DATA, MODEL)
    keys = [column for column, count in counts.items() if count > 1 and not _follows_from_name(column, spelt)]
    return [key for key in names if key in keys] + sorted(
        (key for key in keys if key not in names), key=lambda key: -counts[key]
    )


def _follows_from_name(column: str, spelt: dict[str, list[str]]) -> bool:
    """Whether a key takes one value for each value of its group's `name`."""
    name = f"{column.split('.', 1)[0]}.name"
    if column == name or name not in spelt:
        return False
    pairs = {(group, text) for group, text in zip(spelt[name], spelt[column], strict=True) if text != "null"}
    return len(pairs) == len({group for group, _ in pairs})


def ranked(jobs: pd.DataFrame, metric: str = "test/accuracy") -> pd.DataFrame:
    """The jobs, best first: by the metric, then by log loss, then in the order given; jobs without a result last.

    Parameters
    ----------
    metric
        Name of its column, with its part: ``test/accuracy``.

    Raises
    ------
    EvaluationError
        If there is no such metric.
    ValueError
        If its part is not said: every job would seem to lack it.
    """
    if "/" not in metric:
        raise ValueError(f"{metric!r} is not the name of a column; say test/{metric}.")
    order = pd.DataFrame(
        {"result": _is_result(jobs, metric), "metric": _column(jobs, metric), "loss": _column(jobs, "test/log_loss")}
    )
    order.index = pd.RangeIndex(len(order))
    order = order.sort_values(
        ["result", "metric", "loss"],
        ascending=[False, not higher_is_better(metric), True],
        kind="stable",
        na_position="last",
    )
    return jobs.iloc[order.index.to_numpy()].reset_index(drop=True)


def best_job(jobs: pd.DataFrame, metric: str = "test/accuracy") -> "pd.Series[Any] | None":
    """The first row of the ranked jobs, or None when no job has a result."""
    first = ranked(jobs, metric).head(1)
    return None if first.empty or not _is_result(first, metric).iloc[0] else first.iloc[0]


def model_name(job: "pd.Series[Any]") -> str:
    """What to call a job's model: `bp`, `softmax`; an estimator of scikit-learn by its class."""
    name, estimator = value_text(job.get(MODEL)), job.get("model.estimator")
    return str(estimator).rsplit(".", 1)[-1] if name == "sklearn" and not is_missing(estimator) else plain(name)


def settings(job: "pd.Series[Any]", keys: Iterable[str]) -> str:
    """The job's values of some keys on one line, without their groups: `learning_rate=0.1, l2=0.001`."""
    shown = [
        f"{leaf}={plain(value_text(job[key]))}" for key, leaf in short_keys(keys).items() if not is_missing(job[key])
    ]
    return ", ".join(shown)


def job_label(job: "pd.Series[Any]", keys: Iterable[str]) -> str:
    """A job in one phrase: its model and its values of the keys that vary, `bp (learning_rate=0.1, l2=0.001)`."""
    own = settings(job, (key for key in keys if key not in (MODEL, "model.estimator")))
    return model_name(job) + (f" ({own})" if own else "")


def short_keys(keys: Iterable[str]) -> dict[str, str]:
    """Each dotted key with its shortest name that stays unique among them: `training.l2` is `l2`."""
    listed = list(keys)
    leaves = [key.rsplit(".", 1)[-1] for key in listed]
    return {
        key: leaf if leaves.count(leaf) == 1 and leaf != "name" else key
        for key, leaf in zip(listed, leaves, strict=True)
    }


def leaderboard_cells(
    jobs: pd.DataFrame,
    metric: str = "test/accuracy",
    *,
    metrics: Sequence[str] = SHOWN_METRICS,
    join_settings: bool = False,
) -> Cells:
    """The leaderboard as texts: data and model, what varies, the scores, the time; the best first.

    `metrics` names the scores to show, beside the one that ranks; `join_settings` puts what varies in one column.
    """
    table, keys = ranked(jobs, metric), varying(jobs)
    if DATA in keys:  # a score on one data set says nothing against a score on another
        table = table.sort_values(DATA, kind="stable").reset_index(drop=True)
    own = [key for key in keys if key not in (DATA, MODEL, "model.estimator")]
    rows = [row for _, row in table.iterrows()]
    columns: list[tuple[str, bool, list[str]]] = []
    if DATA in keys:
        columns.append(("data", False, [plain(value_text(row[DATA])) for row in rows]))
    columns.append(("model", False, [model_name(row) for row in rows]))
    if join_settings and own:
        columns.append(("settings", False, [settings(row, own) or MISSING for row in rows]))
    else:
        names = short_keys(own)
        columns += [(names[key], _all_numbers(table[key]), [_setting(row[key]) for row in rows]) for key in own]
    ranking = short_name(metric)
    shown = metrics if ranking in metrics else (ranking, *metrics)
    columns += [_metric_column(rows, name, metric) for name in shown]
    columns.append(("time", True, [duration(row.get("time/fit")) for row in rows]))
    headers, numeric, texts = zip(*columns, strict=True)
    return Cells(
        headers=headers,
        numeric=numeric,
        rows=tuple(zip(*texts, strict=True)),
        best=0 if DATA not in keys and best_job(jobs, metric) is not None else None,
        notes=(_reading_note(table, metric), *_reused_note(table)),
        warnings=tuple(_trouble(table, keys)),
    )


def leaderboard(
    jobs: pd.DataFrame, metric: str = "test/accuracy", title: str | None = None, limit: int | None = None
) -> FittedTable:
    """The leaderboard for the terminal: `console.print(leaderboard(jobs))`.

    Of more than `limit` rows the best are shown; where there are several data sets, equally many of each.

    A column for each setting where they fit the console's width, one column of settings where they do not, and in a
    very narrow place the ranking metric alone.
    """
    layouts = (
        leaderboard_cells(jobs, metric),
        leaderboard_cells(jobs, metric, join_settings=True),
        leaderboard_cells(jobs, metric, join_settings=True, metrics=()),
    )
    shown = tuple(_first_rows(cells, limit) for cells in layouts)
    return FittedTable(shown, title, len(layouts[0].rows) - len(shown[0].rows))


def _first_rows(cells: Cells, limit: int | None) -> Cells:
    if limit is None or len(cells.rows) <= limit:
        return cells
    groups: dict[str, list[tuple[str, ...]]] = {}
    for row in cells.rows:
        groups.setdefault(row[0] if cells.headers[0] == "data" else "", []).append(row)
    each = max(limit // len(groups), 1)
    return replace(cells, rows=tuple(row for rows in groups.values() for row in rows[:each]))


def leaderboard_text(jobs: pd.DataFrame, metric: str = "test/accuracy", width: int = 100) -> str:
    """The leaderboard as plain text, `width` columns wide, for a file."""
    return plain_text(leaderboard(jobs, metric), width)


def leaderboard_markdown(jobs: pd.DataFrame, metric: str = "test/accuracy") -> str:
    """The leaderboard as a Markdown table with its notes."""
    return cells_markdown(leaderboard_cells(jobs, metric))


def leaderboard_csv(jobs: pd.DataFrame, metric: str = "test/accuracy") -> str:
    """The ranked jobs as CSV under the names MLflow holds, at full precision: model, what varies, metrics, status."""
    table, keys = ranked(jobs, metric), varying(jobs)
    first = list(dict.fromkeys([*(key for key in [MODEL] if key in table.columns), *keys]))
    metrics = [column for column in table.columns if "/" in str(column) or column in ("diverged", "epochs")]
    last = [column for column in (STATUS, "error", REUSED) if column in table.columns]
    return table[[*first, *metrics, *last]].to_csv(index=False, lineterminator="\n")


def best_line(jobs: pd.DataFrame, metric: str = "test/accuracy") -> str:
    """The best job in a sentence, of each data set where there are several; says so when no job has a result."""
    best = best_job(jobs, metric)
    if best is None:
        return "No job has a result."
    if DATA in varying(jobs):
        return _best_lines(jobs, metric)
    score = mean_and_spread(best.get(metric), best.get(_spread(metric)))
    results = int(_is_result(jobs, metric).sum())
    start, end = (f"Best of {results}", "; chosen on the folds that score it") if results > 1 else ("Result", "")
    return f"{start}: {job_label(best, varying(jobs))}, {metric_label(metric)} {score}{end}."


def _best_lines(jobs: pd.DataFrame, metric: str) -> str:
    """The best job of each data set, in one sentence."""
    found = []
    for name, part in jobs.groupby(DATA, sort=True):
        best = best_job(part, metric)
        if best is not None:
            found.append(f"{job_label(best, varying(part))} on {plain(name)} ({number(best[metric])})")
    return f"Best {metric_label(metric)} of each data set, chosen on the folds that score it: {'; '.join(found)}."


def print_summary(
    console: Console,
    jobs: pd.DataFrame,
    address: str,
    *,
    metric: str = "test/accuracy",
    title: str | None = None,
    answer: str | None = None,
    command: str = "make ui",
) -> None:
    """Print what a run says at its end: leaderboard, best model, the answer, the two lines that open the result."""
    console.print(leaderboard(jobs, metric, title, SCREENFUL))
    console.print()
    console.print(Text(encodable(best_line(jobs, metric), console.options), style="bold"))
    if answer is not None:
        console.print(Text(encodable(answer, console.options)))
    console.print(Text(f"Open the result: {command}"))
    # Never folded or cut: a terminal makes a whole address clickable.
    console.print(Text(address), soft_wrap=True)


def _column(jobs: pd.DataFrame, name: str) -> "pd.Series[float]":
    """A column of numbers; NaN where the table does not have it."""
    values = jobs[name] if name in jobs.columns else pd.Series(float("nan"), index=jobs.index)
    return pd.to_numeric(values, errors="coerce").astype(float)


def _is_result(jobs: pd.DataFrame, metric: str) -> "pd.Series[bool]":
    finished = jobs[STATUS].astype(str).eq("FINISHED") if STATUS in jobs.columns else pd.Series(True, index=jobs.index)
    return finished & _column(jobs, metric).notna()


def _spread(metric: str) -> str:
    return f"std/{short_name(metric)}"


def _all_numbers(values: "pd.Series[Any]") -> bool:
    present = [value for value in values if not is_missing(value)]
    return bool(present) and bool(
        pd.to_numeric(pd.Series([value_text(value) for value in present]), errors="coerce").notna().all()
    )


def _setting(value: Any) -> str:
    return MISSING if is_missing(value) else plain(value_text(value))


def _metric_column(rows: Sequence["pd.Series[Any]"], name: str, metric: str) -> tuple[str, bool, list[str]]:
    """One score: header, alignment, texts. The accuracy and the metric that ranks come with their spread."""
    ranks = name == short_name(metric)
    texts = []
    for row in rows:
        value = row.get(metric if ranks else f"test/{name}")
        spread = row.get(_spread(name)) if ranks or name == "accuracy" else None
        word = _trouble_word(row)
        texts.append(word if ranks and word and is_missing(value) else mean_and_spread(value, spread))
    return metric_label(name), True, texts


def _trouble_word(job: "pd.Series[Any]") -> str:
    status = str(job.get(STATUS, "FINISHED"))
    if status != "FINISHED":
        return status.lower()
    return "diverged" if _diverged(job) else ""


def _diverged(job: "pd.Series[Any]") -> int:
    count = job.get("diverged")
    return 0 if is_missing(count) else int(float(str(count)))


def _folds(jobs: pd.DataFrame) -> str:
    """How the jobs were split, where all were split alike."""
    kinds = {(value_text(row.get("cv.folds")), value_text(row.get("cv.repeats"))) for _, row in jobs.iterrows()}
    if len(kinds) != 1:
        return "folds"
    folds, repeats = kinds.pop()
    if folds == "null":
        return "folds"
    return f"{folds} folds" if repeats in ("1", "null") else f"{folds} folds × {repeats} repeats"


def _reading_note(jobs: pd.DataFrame, metric: str) -> str:
    return f"Test scores, mean ± standard deviation over {_folds(jobs)}; best {metric_label(metric)} first."


def _reused_note(jobs: pd.DataFrame) -> tuple[str, ...]:
    """How many of a sweep's jobs were not trained by it, as they were recorded already."""
    reused = int(jobs[REUSED].sum()) if REUSED in jobs.columns else 0
    return (f"Reused from the record: {reused} of {len(jobs)} jobs.",) if reused else ()


def _trouble(jobs: pd.DataFrame, keys: Sequence[str]) -> list[str]:
    """A line for each job that has no full result: what became of it."""
    lines, diverged = [], []
    for _, job in jobs.iterrows():
        word, who = _trouble_word(job), job_label(job, keys)
        if word == "diverged":
            folds = _diverged(job)
            diverged.append(f"diverged: {who}, in {folds} {'fold' if folds == 1 else 'folds'}")
        elif word:
            error = job.get("error")
            lines.append(f"{word}: {who}" + ("" if is_missing(error) else f": {plain(error, 200)}"))
    # A sweep may hold hundreds of too large learning rates; a failure is always told.
    more = [f"diverged: {len(diverged) - 10} more jobs"] if len(diverged) > 10 else []
    return lines + diverged[:10] + more
