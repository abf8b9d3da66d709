"""What several data sets say together: in one sentence, and as two tables."""

from collections.abc import Iterable
from dataclasses import replace

from src.comparison.across import ALPHA, AcrossData
from src.comparison.outcome import Outcome
from src.language import listed, say, say_number, sentences
from src.report.terminal import Cells
from src.report.words import MISSING, metric_label, number, p_in_column, p_value, percent, plain, with_sign

TOLD_IN_FULL = 3
_NAME_LENGTH = 60


def across_tables(outcome: Outcome) -> tuple[Cells, ...]:
    """What several data sets say together: the candidates, and their pairs; none where there are too few data sets."""
    found = outcome.across
    return () if found is None else (across_cells(found, outcome), pair_cells(found, outcome))


def across_cells(found: AcrossData, outcome: Outcome) -> Cells:
    """The candidates over all data sets: mean rank, score on each data set."""
    rows = tuple(
        (plain(name), f"{rank:.2f}", *(number(score) for score in scores))
        for name, rank, scores in zip(found.names, found.ranks, found.scores, strict=True)
    )
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
    return Cells(headers, (False, *(True,) * (len(headers) - 1)), rows, None, tuple(notes))


def pair_cells(found: AcrossData, outcome: Outcome) -> Cells:
    """The pairs of candidates over all data sets: mean difference, on how many the one is better, the tests."""
    rope = outcome.comparisons[0].rope if outcome.comparisons else None
    columns = probabilities()
    headers = (
        *(say("model"), say("baseline"), say("mean difference"), say("wins"), say("losses"), say("p (Holm)")),
        *columns,
    )
    rows = tuple(
        (
            *(plain(one.model), plain(one.baseline), with_sign(one.difference)),
            *(str(one.wins), str(one.losses), MISSING if one.p_holm is None else p_in_column(one.p_holm)),
            *(MISSING if share is None else percent(share, 1) for share in (one.p_worse, one.p_equal, one.p_better)),
        )
        for one in found.pairs
    )
    tested = say(
        "p: Wilcoxon's signed-rank test over {count} data sets, with Holm's correction for {pairs} (Demšar 2006).",
        count=len(found.data),
        pairs=_pairs(found),
    )
    if found.is_tested and not found.can_show:
        tested = sentences([tested, sentence([_none_can_show(found)])])
    shown = say(", ").join(probabilities(rope))
    bayesian = say("{columns}: Bayesian signed-rank test (Benavoli et al. 2014).", columns=shown)
    notes = (tested, bayesian) if found.is_tested else (_too_few(found),)
    explains = {say("p (Holm)"): tested, **dict.fromkeys(columns, bayesian)} if found.is_tested else {}
    cells = Cells(headers, (False, False, *(True,) * 7), rows, None, notes, explains=explains)
    if rope is None:
        cells = cells.without(say("P(equal)"))
    if not found.is_tested:
        cells = cells.without(say("p (Holm)"), *columns)
    narrow = cells.without(*columns)
    return replace(cells, narrower=(narrow, narrow.without(say("wins"), say("losses"))))


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


def probabilities(rope: float | None = 0) -> tuple[str, ...]:
    """The columns of the Bayesian tests; without a region of equivalence there is no probability of it."""
    return say("P(worse)"), *([] if rope is None else [say("P(equal)")]), say("P(better)")


def sentence(clauses: Iterable[str]) -> str:
    """Clauses as one sentence; a model's name keeps its first letter."""
    told = say("{clauses}.", clauses=say("; ").join(clauses))
    starts = ("no difference", "on ", "the search")
    return told[0].upper() + told[1:] if told.startswith(starts) else told
