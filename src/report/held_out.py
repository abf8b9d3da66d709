"""What the kept models score on the file that was held out: a table and a sentence."""

import math
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from src.comparison.held_out import HeldOut, HeldOutModel
from src.language import listed, say, say_number, sentences
from src.report.tables import interval_text
from src.report.terminal import Cells, Column
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
    ranking, (chosen, *others) = short_name(found.metric), found.models
    column = partial(Column.of, found.models)
    score = partial(column, numeric=True)
    about = [
        say(
            "{file}: {rows}, SHA-256 {digest}. Scored once, after the cross-validation had chosen, by each model as it "
            "is kept: fitted on all rows of {data}. This ranks and chooses nothing.",
            file=plain(found.file),
            rows=_rows(found.rows),
            digest=found.digest[:16],
            data=plain(found.data),
        )
    ]

    def name(model: HeldOutModel) -> str:
        return say("{model} (chosen)", model=plain(model.name)) if model is chosen else plain(model.name)

    columns = [
        column(say("model"), name),
        score(say("rows right"), lambda model: str(model.right)),
        score(say("accuracy"), lambda model: number(model.scores["accuracy"])),
    ]
    if found.independent:
        interval = say("{confidence} interval", confidence=percent(found.confidence))
        wilson = say("The interval of the accuracy is Wilson's (1927), for rows drawn independently.")
        columns.append(score(interval, lambda model: _interval(found, model), note=wilson, spared=2))
    columns += [
        score(metric_label(each), lambda model, each=each: number(model.scores[each]), spared=int(each != ranking))
        for each in dict.fromkeys([ranking, *_METRICS])
        if each != "accuracy"
    ]
    if not found.independent:
        about.append(
            say("Rows of one group are not independent of each other, so neither an interval nor a test is given.")
        )
    elif others:
        tested = [
            say(
                "Right alone: rows that only this model has right, and those that only the chosen one has; p: "
                "McNemar's exact test of the two."
            )
        ]
        if len(others) > 1:
            tested.append(say("p is corrected for {count} comparisons (Holm).", count=len(others)))
        alone = [MISSING, *(f"{model.only_it} : {model.only_chosen}" for model in others)]
        p_values = [MISSING, *map(number, found.p_values)]
        for header, texts in ((say("right alone"), alone), ("p", p_values)):
            columns.append(Column(header, tuple(texts), numeric=True, note=sentences(tested)))
    return Cells(tuple(columns), about=tuple(about), warnings=tuple(_warnings(found)), file="held_out.json")


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
