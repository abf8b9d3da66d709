"""What the kept models score on the file that was held out: a table and a sentence."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from src.comparison.held_out import HeldOut, HeldOutModel
from src.language import listed, say, say_number, sentences
from src.report.tables import interval_text
from src.report.terminal import Cells
from src.report.words import MISSING, metric_label, number, percent, plain, short_name

_METRICS = ("log_loss", "macro_f1", "roc_auc")  # beside the accuracy and the metric that ranks
_MOST_VALUES = 10  # that a warning names


def held_out_line(found: HeldOut) -> str:
    """What the chosen model scores, in a sentence."""
    chosen = found.models[0]
    scores = [
        say("{metric} {score}", metric=metric_label(name), score=number(chosen.scores[name]))
        for name in dict.fromkeys(["accuracy", short_name(found.metric)])
    ]
    if found.independent:
        interval = {"confidence": percent(found.confidence), "interval": _interval(found, chosen)}
        scores[0] = say("{score} ({confidence} Wilson interval {interval})", score=scores[0], **interval)
    return say(
        "On {file}, {rows} held out until the choice was made, {model} is right in {right}: {scores}.",
        file=plain(found.file),
        rows=_rows(found.rows),
        model=plain(chosen.name),
        right=chosen.right,
        scores=say(", ").join(scores),
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
    interval = say("{confidence} interval", confidence=percent(found.confidence))
    pairs = say("right alone"), "p"
    compared = [(MISSING, MISSING)]
    for model, p in zip(found.models[1:], found.p_values, strict=True):
        compared.append((f"{model.only_it} : {model.only_chosen}", number(p)))
    rows = [
        (
            say("{model} (chosen)", model=plain(model.name)) if model is found.models[0] else plain(model.name),
            *(str(model.right), number(model.scores["accuracy"]), _interval(found, model)),
            *(number(model.scores[name]) for name in metrics),
            *pair,
        )
        for model, pair in zip(found.models, compared, strict=True)
    ]
    notes = [
        say(
            "{file}: {rows}, SHA-256 {digest}. Scored once, after the cross-validation had chosen, by each model as it "
            "is kept: fitted on all rows of {data}. This ranks and chooses nothing.",
            file=plain(found.file),
            rows=_rows(found.rows),
            digest=found.digest[:16],
            data=plain(found.data),
        ),
        say("The interval of the accuracy is Wilson's (1927), for rows drawn independently.")
        if found.independent
        else say("Rows of one group are not independent of each other, so neither an interval nor a test is given."),
    ]
    if found.independent and others:
        tested = [
            say(
                "Right alone: rows that only this model has right, and those that only the chosen one has; p: "
                "McNemar's exact test of the two."
            )
        ]
        if others > 1:
            tested.append(say("p is corrected for {count} comparisons (Holm).", count=others))
        notes.append(sentences(tested))
    headers = (say("model"), say("rows right"), say("accuracy"), interval, *map(metric_label, metrics), *pairs)
    explains = {interval: notes[1], **dict.fromkeys(pairs, notes[-1])} if found.independent and others else {}
    cells = Cells(
        headers,
        (False, *(True,) * (len(headers) - 1)),
        tuple(rows),
        None,
        tuple(notes),
        tuple(_warnings(found)),
        explains=explains,
        file="held_out.json",
    )
    cells = cells if found.independent else cells.without(interval)
    cells = cells if found.independent and others else cells.without(*pairs)
    narrow = cells.without(*(metric_label(name) for name in metrics if name != ranking))
    return replace(cells, narrower=(narrow, narrow.without(interval)))


def _warnings(found: HeldOut) -> Iterator[str]:
    file = plain(found.file)
    if found.shared:
        yield say(
            "{file} shares {shared} of its {rows} with {data}, label and all: there a model may know the answer.",
            file=file,
            shared=found.shared,
            rows=_rows(found.rows),
            data=plain(found.data),
        )
    for column, values in found.unknown.items():
        shown = {"column": repr(column), "values": listed(map(repr, values), most=_MOST_VALUES)}
        yield say_number(
            "{file}, column {column}: {number} value that no model was trained with ({values}); such a row counts as "
            "none of the column's categories.",
            "{file}, column {column}: {number} values that no model was trained with ({values}); such a row counts as "
            "none of the column's categories.",
            len(values),
            **{"file": file, **shown},
        )


def _rows(count: int) -> str:
    return say_number("{number} row", "{number} rows", count)


def _interval(found: HeldOut, model: HeldOutModel) -> str:
    if model.scores["accuracy"] != model.scores["accuracy"]:
        return MISSING
    low, high = found.interval(model)
    return interval_text(number(low), number(high))
