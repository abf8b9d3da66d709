"""What the kept models score on the file that was held out: a table and a sentence."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from src.comparison.held_out import HeldOut, HeldOutModel
from src.report.terminal import Cells
from src.report.words import MISSING, metric_label, number, percent, plain, short_name
from src.words import counted, first_of

_METRICS = ("log_loss", "macro_f1", "roc_auc")  # beside the accuracy and the metric that ranks


def held_out_line(found: HeldOut) -> str:
    """What the chosen model scores, in a sentence."""
    chosen = found.models[0]
    parts = [f"accuracy {number(chosen.scores['accuracy'])}"]
    parts += [f"{percent(found.confidence)} Wilson interval {_interval(found, chosen)}"] * found.independent
    metric = short_name(found.metric)
    parts += [f"{metric_label(metric)} {number(chosen.scores[metric])}"] * (metric != "accuracy")
    return (
        f"On {plain(found.file)}, {counted(found.rows, 'row')} held out until the choice was made, "
        f"{plain(chosen.name)} is right in {chosen.right}: {', '.join(parts)}."
    )


def held_out_rows(found: Iterable[HeldOut]) -> Iterator[dict[str, Any]]:
    """A row for each model on each file: counts, all scores, the interval, the test against the chosen model."""
    for each in found:
        for model, p in zip(each.models, [math.nan, *each.p_values], strict=True):
            low, high = each.interval(model) if each.independent else (math.nan, math.nan)
            counts = {"rows": each.rows, "right": model.right}
            tested = {"low": low, "high": high, "only_it": model.only_it, "only_chosen": model.only_chosen}
            p_value = p if each.independent else math.nan
            own = {"data": each.data, "file": each.file, "model": model.name}
            yield {**own, **counts, **model.scores, **tested, "p": p_value, "run_id": model.run_id}


def held_out_cells(found: HeldOut) -> Cells:
    """The chosen model and the others: rows right, accuracy with its interval, other scores, pairs with the chosen."""
    ranking, others = short_name(found.metric), len(found.models) - 1
    metrics = [name for name in dict.fromkeys([ranking, *_METRICS]) if name != "accuracy"]
    interval, pairs = f"{percent(found.confidence)} interval", ("right alone", "p")
    compared = [(MISSING, MISSING)]
    for model, p in zip(found.models[1:], found.p_values, strict=True):
        compared.append((f"{model.only_it} : {model.only_chosen}", number(p)))
    rows = [
        (
            plain(model.name) + " (chosen)" * (model is found.models[0]),
            *(str(model.right), number(model.scores["accuracy"]), _interval(found, model)),
            *(number(model.scores[name]) for name in metrics),
            *pair,
        )
        for model, pair in zip(found.models, compared, strict=True)
    ]
    notes = [
        f"{plain(found.file)}: {counted(found.rows, 'row')}, SHA-256 {found.digest[:16]}. Scored once, after the "
        f"cross-validation had chosen, by each model as it is kept: fitted on all rows of {plain(found.data)}. This "
        "ranks and chooses nothing.",
        "The interval of the accuracy is Wilson's (1927), for rows drawn independently."
        if found.independent
        else "Rows of one group are not independent of each other, so neither an interval nor a test is given.",
    ]
    if found.independent and others:
        corrected = f", corrected for {others} comparisons (Holm)" if others > 1 else ""
        notes.append(
            "Right alone: rows that only this model has right, and those that only the chosen one has; p: McNemar's "
            f"exact test of the two{corrected}."
        )
    headers = ("model", "rows right", "accuracy", interval, *map(metric_label, metrics), *pairs)
    cells = Cells(
        headers, (False, *(True,) * (len(headers) - 1)), tuple(rows), None, tuple(notes), tuple(_warnings(found))
    )
    cells = cells if found.independent else cells.without(interval)
    cells = cells if found.independent and others else cells.without(*pairs)
    narrow = cells.without(*(metric_label(name) for name in metrics if name != ranking))
    return replace(cells, narrower=(narrow, narrow.without(interval)))


def _warnings(found: HeldOut) -> Iterator[str]:
    file = plain(found.file)
    if found.shared:
        yield (
            f"{file} shares {found.shared} of its {counted(found.rows, 'row')} with {plain(found.data)}, label and "
            "all: there a model may know the answer."
        )
    for column, values in found.unknown.items():
        yield (
            f"{file}, column {column!r}: {counted(len(values), 'value')} that no model was trained with "
            f"({first_of(map(repr, values))}); such a row counts as none of the column's categories."
        )


def _interval(found: HeldOut, model: HeldOutModel) -> str:
    if model.scores["accuracy"] != model.scores["accuracy"]:
        return MISSING
    low, high = found.interval(model)
    return f"{number(low)} to {number(high)}"
