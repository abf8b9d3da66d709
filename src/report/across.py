"""What several data sets say together: in one sentence, and as two tables."""

from collections.abc import Iterable
from functools import partial

from src.comparison.across import ALPHA, AcrossData
from src.comparison.outcome import Outcome
from src.language import listed, say, say_number, sentences
from src.report.terminal import Cells, Column
from src.report.words import metric_label, number, p_in_column, p_value, percent, plain, with_sign

TOLD_IN_FULL = 3
_NAME_LENGTH = 60


def across_tables(outcome: Outcome) -> tuple[Cells, ...]:
    """What several data sets say together: the candidates, and their pairs; none where there are too few data sets."""
    found = outcome.across
    return () if found is None else (across_cells(found, outcome), pair_cells(found, outcome))


def across_cells(found: AcrossData, outcome: Outcome) -> Cells:
    """The candidates over all data sets: mean rank, score on each data set."""
    rows = [
        (plain(name), f"{rank:.2f}", *(number(score) for score in scores))
        for name, rank, scores in zip(found.names, found.ranks, found.scores, strict=True)
    ]
    notes = [
        say(
            "Mean rank over {count} data sets, 1 for the best; then the mean test {metric} on each.",
            **{"count": len(found.data), "metric": metric_label(outcome.metric)},
        )
    ]
    if found.friedman is not None:
        notes.append(say("Friedman's test over all: {p}.", p=p_value(found.friedman)))
        if found.critical_difference is None:
            notes.append(say("It shows no difference, so ranks are given no critical difference."))
    if found.left_out:
        notes.append(say("Not on every data set, and left out here: {models}.", models=plain(listed(found.left_out))))
    headers = (say("model"), say("mean rank"), *map(plain, found.data))
    return Cells.of_rows(headers, rows, numbers=range(1, len(headers)), about=tuple(notes))


def pair_cells(found: AcrossData, outcome: Outcome) -> Cells:
    """The pairs of candidates over all data sets: mean difference, on how many the one is better, the tests."""
    column = partial(Column.of, found.pairs)
    number = partial(column, numeric=True)
    columns = [
        column(say("model"), lambda one: plain(one.model)),
        column(say("baseline"), lambda one: plain(one.baseline)),
        number(say("mean difference"), lambda one: with_sign(one.difference)),
        number(say("wins"), lambda one: str(one.wins), spared=2),
        number(say("losses"), lambda one: str(one.losses), spared=2),
    ]
    if not found.is_tested:
        return Cells(tuple(columns), about=(_too_few(found),))
    tested = say(
        "p: Wilcoxon's signed-rank test over {count} data sets, with Holm's correction for {pairs} (Demšar 2006).",
        count=len(found.data),
        pairs=_pairs(found),
    )
    if not found.can_show:
        tested = sentences([tested, sentence([_none_can_show(found)])])
    chances = probabilities(outcome.comparisons[0].rope if outcome.comparisons else None)
    shown = say(", ").join(chances.values())
    bayesian = say("{columns}: Bayesian signed-rank test (Benavoli et al. 2014).", columns=shown)
    columns.append(number(say("p (Holm)"), lambda one: p_in_column(one.p_holm), note=tested))
    columns += [
        number(header, lambda one, name=name: percent(getattr(one, name), 1), note=bayesian, spared=1)
        for name, header in chances.items()
    ]
    return Cells(tuple(columns))


def across_sentence(found: AcrossData) -> str:
    """What the data sets say together, in one sentence."""
    best, worst = f"{found.ranks[0]:.1f}", f"{found.ranks[-1]:.1f}"
    names = {"first": plain(found.names[0]), "last": plain(found.names[-1])}
    start = say(
        "Over {count} data sets {first} ranks best ({best} on average) and {last} last ({worst})",
        **{"count": len(found.data), **names, "best": best, "worst": worst},
    )
    if found.ranks[0] == found.ranks[-1]:
        start = say("Over {count} data sets all rank alike ({rank} on average)", count=len(found.data), rank=best)
    if not found.is_tested:
        return say("{clauses}; {sentence}", clauses=start, sentence=_too_few(found))
    told = [
        better_or_worse(one.model, (one.p_better or 0) > (one.p_worse or 0), than([one.baseline], p_value(one.p_holm)))
        for one in found.pairs
        if one.is_difference
    ]
    if told:
        end = listed(told, most=TOLD_IN_FULL)
    elif not found.can_show:
        end = _none_can_show(found)
    else:
        tested = {"pairs": _pairs(found)}
        end = say("no difference over data sets can be told (Wilcoxon's test, corrected for {pairs})", **tested)
    return say("{clauses}.", clauses=say("; ").join([start, end]))


def better_or_worse(model: str, is_better: bool, baselines: str) -> str:
    """A clause: a model is better, or worse, `than` baselines."""
    if is_better:
        return say("{model} is better {than}", model=named(model), than=baselines)
    return say("{model} is worse {than}", model=named(model), than=baselines)


def than(baselines: Iterable[str], evidence: str = "", rope: float | None = None) -> str:
    """`than a and b`; by less than `rope` where the difference is sure to be one of no consequence."""
    others = listed(map(named, baselines))
    told = say("than {baselines}", baselines=others)
    if rope is not None:
        told = say("than {baselines} by less than {rope}", baselines=others, rope=f"{rope:g}")
    return say("{told} ({evidence})", told=told, evidence=evidence) if evidence else told


def named(name: str) -> str:
    """A candidate's name in a sentence."""
    return plain(name, _NAME_LENGTH)


def _pairs(found: AcrossData) -> str:
    return say_number("{number} pair", "{number} pairs", found.tests)


def _none_can_show(found: AcrossData) -> str:
    return say(
        "no difference over data sets can be told, whatever they show: with {count} data sets p by Wilcoxon's test, "
        "corrected for {pairs}, is {least} at least",
        count=len(found.data),
        pairs=_pairs(found),
        least=f"{found.least_p_holm:.3g}",
    )


def _too_few(found: AcrossData) -> str:
    count = len(found.data)
    return say(
        "{count} data sets cannot reach p < {level} by Wilcoxon's test ({least} is the least), so nothing is tested "
        "over data sets.",
        count=count,
        level=f"{ALPHA:g}",
        least=f"{2 / 2**count:g}",
    )


def probabilities(rope: float | None = 0) -> dict[str, str]:
    """The Bayesian tests' columns by their names in code; without a region of equivalence P(equal) is none of them."""
    equal = {} if rope is None else {"p_equal": say("P(equal)")}
    return {"p_worse": say("P(worse)"), **equal, "p_better": say("P(better)")}


def sentence(clauses: Iterable[str]) -> str:
    """Clauses as one sentence; a model's name keeps its first letter."""
    told = say("{clauses}.", clauses=say("; ").join(clauses))
    starts = ("no difference", "on ", "the search")
    return told[0].upper() + told[1:] if told.startswith(starts) else told
