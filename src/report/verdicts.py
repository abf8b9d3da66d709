"""The comparisons as a table, with what its columns mean."""

import math
from collections.abc import Sequence
from functools import partial

import pandas as pd

from src.comparison.families import Comparison
from src.comparison.outcome import Outcome
from src.evaluation.metrics import metric_of
from src.language import say, sentences
from src.report.across import probabilities
from src.report.tables import as_csv, interval_text
from src.report.terminal import Cells, Column
from src.report.words import MISSING, metric_label, p_in_column, percent, plain, probability, with_sign


def comparison_cells(outcome: Outcome) -> Cells:
    """The comparisons as a table of texts, with the notes that say how to read it."""
    rope = outcome.comparisons[0].rope if outcome.comparisons else 0
    column = partial(Column.of, outcome.comparisons)
    number = partial(column, numeric=True)
    interval = say("{confidence} interval", confidence=percent(outcome.options.confidence))
    detectable = say("Could show: the smallest true difference that such folds find with a probability of 80%.")
    chances = probabilities(rope)
    bayesian = say("{columns}: probabilities of the Bayesian test.", columns=say(", ").join(chances.values()))
    columns = (
        *[column(say("data"), lambda one: plain(one.data))] * (len(outcome.boards) > 1),
        column(say("model"), lambda one: plain(one.model)),
        column(say("baseline"), lambda one: plain(one.baseline)),
        column(say("verdict"), _verdict),
        number(say("difference"), lambda one: signed(one.difference, one)),
        number(interval, interval_of, spared=3),
        number(say("p (Holm)"), lambda one: p_in_column(one.p_holm)),
        number(say("could show"), _detectable, note=detectable, spared=2),
        *(
            number(
                header, lambda one, name=name: probability(getattr(one, name), one.confidence), note=bayesian, spared=1
            )
            for name, header in chances.items()
        ),
    )
    return Cells(columns, about=_notes(outcome))


def _detectable(one: Comparison) -> str:
    return MISSING if one.is_difference or not one.detectable else told_size(one.detectable, one) or say("none")


def comparison_csv(outcome: Outcome) -> str:
    """The comparisons as CSV, numbers at full precision."""
    return as_csv(pd.DataFrame(list(outcome.comparisons)).drop(columns="on_folds"))


def signed(value: float, comparison: Comparison) -> str:
    """A difference with its sign, with as many decimals as its interval's size asks for."""
    sizes = [abs(each) for each in (comparison.low, comparison.high, comparison.difference) if math.isfinite(each)]
    largest = max(sizes, default=0.0)
    digits = min(8, 1 - math.floor(math.log10(largest))) if 0 < largest < 0.01 else 3
    text = with_sign(value, digits)
    return text[1:] if float(f"{value:.{digits}f}") == 0 else text


def told_size(size: float, one: Comparison) -> str | None:
    """A size that a difference must have to be seen; None where it is more than the metric can differ."""
    lowest, highest = metric_of(one.metric).range
    return None if size > highest - lowest else signed(size, one).lstrip("+")


def interval_of(one: Comparison) -> str:
    """The interval of a difference, as far as it is known."""
    if not math.isfinite(one.low):
        return say("not known") if not math.isfinite(one.high) else say("up to {high}", high=signed(one.high, one))
    return interval_text(signed(one.low, one), signed(one.high, one))


def _verdict(one: Comparison) -> str:
    if one.is_difference and one.within_rope:
        is_better, rope = one.verdict == "better", f"{one.rope:g}"
        return (
            say("better, by less than {rope}", rope=rope) if is_better else say("worse, by less than {rope}", rope=rope)
        )
    return {
        "better": say("better"),
        "worse": say("worse"),
        "equal": say("equal in practice"),
        "undecided": say("undecided"),
        "identical": say("identical predictions"),
    }[one.verdict]


def _notes(outcome: Outcome) -> tuple[str, ...]:
    if not outcome.comparisons:
        return ()
    one = outcome.comparisons[0]
    corrected = [
        say(
            "Interval and p: corrected resampled t-test (Nadeau and Bengio 2003), which allows for training parts that "
            "overlap."
        )
    ]
    tests = [family.tests for family in outcome.families if family.tests]
    if max(tests) > 1:
        corrected.append(
            say(
                "Corrected for {comparisons}: p by Holm's method, intervals simultaneous by Bonferroni's, cut at zero "
                "where only Holm's finds a difference.",
                comparisons=_tests(outcome, tests),
            )
        )
    undecided = [say("Undecided: the folds show neither a difference nor that there is none.")]
    if one.rope is not None:
        undecided.append(
            say(
                "Equal in practice: a difference within ±{rope} has a probability of at least {confidence}, by the "
                "Bayesian correlated t-test (Corani and Benavoli 2015).",
                rope=f"{one.rope:g}",
                confidence=percent(one.confidence),
            )
        )
    return (
        say(
            "Difference: {metric} of the model minus that of the baseline, mean over the same test folds.",
            metric=metric_label(outcome.metric),
        ),
        sentences(corrected),
        sentences(undecided),
    )


def _tests(outcome: Outcome, tests: Sequence[int]) -> str:
    """What is corrected for: how many comparisons, and why it is so many."""
    many = f"{tests[0]}" if len(set(tests)) == 1 else interval_text(f"{min(tests)}", f"{max(tests)}")
    told = say("{count} comparisons", count=many)
    if len(tests) > 1:
        told = say("{count} comparisons of each data set", count=many)
    if any(family.yardstick == "best" and family.tests > 1 for family in outcome.families):
        told = say("{comparisons}, as the baseline was picked from all of them as the best", comparisons=told)
    return told
