"""What the comparisons say: in one sentence, and as a table."""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

import pandas as pd

from src.comparison import calibration
from src.comparison.candidates import Candidate
from src.comparison.families import Comparison, Family
from src.comparison.naming import grouped
from src.comparison.outcome import Outcome
from src.evaluation.metrics import metric_of
from src.language import listed, say, say_number, sentences
from src.report.across import TOLD_IN_FULL, across_sentence, better_or_worse, named, probabilities, sentence, than
from src.report.tables import as_csv, interval_text
from src.report.terminal import Cells
from src.report.words import MISSING, metric_label, number, p_in_column, p_value, percent, plain, probability, with_sign

_NAMED = 8  # pairs that are equal in practice, named in the answer
_SCORES_NAMED = 4


def answer(outcome: Outcome) -> str:
    """What was found, in a sentence or two: who is better and by how much, or that no difference can be told.

    Every difference comes with its simultaneous interval and its p-value, corrected for the overlap of training parts
    and for all comparisons that were looked at; where no difference can be told, with the smallest one that could have
    been. Of many comparisons, those that show a difference are told, those that show that there is none are named, and
    the others are counted; of several data sets, each by itself.
    """
    if outcome.refusal is not None:
        return say("Nothing is compared: {reason}", reason=outcome.refusal)
    if len(outcome.candidates) == 1:
        return _alone(outcome.candidates[0], outcome)
    if not outcome.comparisons:
        return say("Nothing is compared: no data set has two models with a result.")
    several = len(outcome.families) > 1
    clauses = _by_data(outcome.families) if several else _of_family(outcome.families[0])
    told = [sentence(clauses + _flattery(outcome.candidates))]
    told += _each_by_itself(outcome) if several else _with_more_repeats(outcome)
    told += _chosen(outcome)
    across = None if outcome.across is None else across_sentence(outcome.across)
    return sentences(filter(None, [*told, across, calibration.sentence(outcome)]))


def comparison_cells(outcome: Outcome) -> Cells:
    """The comparisons as a table of texts, with the notes that say how to read it."""
    comparisons, options = outcome.comparisons, outcome.options
    interval = say("{confidence} interval", confidence=percent(options.confidence))
    detectable, chances = say("could show"), probabilities()
    headers = (
        *(say("data"), say("model"), say("baseline"), say("verdict"), say("difference"), interval, say("p (Holm)")),
        *(detectable, *chances),
    )
    rows = tuple(
        (
            *(plain(one.data), plain(one.model), plain(one.baseline), _verdict(one)),
            *(signed(one.difference, one), _interval(one), p_in_column(one.p_holm)),
            MISSING if one.is_difference or not one.detectable else _shown(one.detectable, one) or say("none"),
            *(probability(share, one.confidence) for share in (one.p_worse, one.p_equal, one.p_better)),
        )
        for one in comparisons
    )
    notes = _notes(outcome)
    explains = {detectable: notes[-2], **dict.fromkeys(chances, notes[-1])} if notes else {}
    cells = Cells(headers, (False,) * 4 + (True,) * 7, rows, None, notes, explains=explains)
    if comparisons and comparisons[0].rope is None:
        cells = cells.without(say("P(equal)"))
    if len(outcome.boards) < 2:
        cells = cells.without(say("data"))
    narrow = cells.without(*chances)
    return replace(cells, narrower=(narrow, narrow.without(detectable), narrow.without(detectable, interval)))


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


def _alone(candidate: Candidate, outcome: Outcome) -> str:
    """What one candidate alone shows."""
    reached = say(
        "{model} reaches {metric} {score} ({confidence} interval {interval})",
        model=named(candidate.name),
        metric=metric_label(outcome.metric),
        score=number(candidate.mean),
        confidence=percent(outcome.options.confidence),
        interval=interval_text(number(candidate.low), number(candidate.high)),
    )
    tried = len(candidate.settings)
    how = {
        "only": "",
        "other folds": say(
            "each fold scored by the setting, of {count}, that was best on the other folds", count=tried
        ),
        "nested": say(
            "each fold scored by the setting, of {count}, that was best inside its training part", count=tried
        ),
        "search": say("chosen from {count} settings by a search that saw these folds, which flatters it", count=tried),
    }[candidate.selection]
    reached = _comma([reached, how]) if how else reached
    told = say("{reached}; there is no other model to compare it with.", reached=reached)
    setting = candidate.best_text
    if not setting or candidate.selection == "only":
        return told
    return sentences([told, say("Best over all folds is {setting}.", setting=plain(setting))])


def _chosen(outcome: Outcome) -> list[str]:
    """How the settings were chosen that score the candidates, and these scores, which no leaderboard shows."""
    ways = {"other folds": say("the other folds"), "nested": say("folds inside its training part")}
    used = [ways[way] for way in ways if any(one.selection == way for one in outcome.candidates)]
    if not used:
        return []
    scores = [f"{named(one.name)} {number(one.mean)}" for one in outcome.candidates]
    others = listed(used)
    if len(outcome.boards) > 1 or len(scores) > _SCORES_NAMED:
        return [say("Each fold is scored by a setting that {others} chose.", others=others)]
    return [
        say("Each fold is scored by a setting that {others} chose: {scores}.", others=others, scores=listed(scores))
    ]


def _flattery(candidates: Sequence[Candidate]) -> list[str]:
    """What has to be said in the sentence itself of scores that a search chose."""
    searched = [named(one.name) for one in candidates if one.selection == "search"]
    models = listed(searched, most=TOLD_IN_FULL) if searched else ""
    return [say("the search saw the folds that score {models}, which flatters what it found", models=models)] * bool(
        models
    )


def _of_family(family: Family) -> list[str]:
    """The clauses for one data set."""
    comparisons = family.comparisons
    told = sorted((one for one in comparisons if one.is_difference), key=lambda one: one.p_holm)
    equal = [one for one in comparisons if one.verdict in ("equal", "identical")]
    undecided = [one for one in comparisons if one.verdict == "undecided"]
    counts = {"undecided": len(undecided), "count": len(comparisons)}
    if len(comparisons) <= TOLD_IN_FULL:
        return _clauses([*told, *(one for one in comparisons if one not in told)])
    clauses = _clauses(told[:TOLD_IN_FULL])
    more = len(told) - TOLD_IN_FULL
    if more > 0:
        clauses.append(
            say_number("{number} more comparison shows a difference", "{number} more comparisons show one", more)
        )
    if undecided and not told:
        largest = max(undecided, key=lambda one: abs(one.difference))
        fields = {**counts, "pair": _pair(largest), "evidence": _evidence(largest)}
        clauses.append(
            say(
                "no difference can be told in {undecided} of {count} comparisons; the largest is {pair} ({evidence})",
                **fields,
            )
            if equal
            else say(
                "no difference can be told in any of {count} comparisons; the largest is {pair} ({evidence})", **fields
            )
        )
    clauses += _equal_clauses(equal)
    if undecided and told:
        clauses.append(say("in the other {undecided} of {count} comparisons no difference can be told", **counts))
    return clauses


def _clauses(comparisons: Sequence[Comparison]) -> list[str]:
    """A clause for each model and verdict, however many baselines it holds against."""
    groups = grouped(((one.model, one.verdict), one) for one in comparisons)
    return [_clause(named(model), verdict, group) for (model, verdict), group in groups.items()]


def _by_data(families: Sequence[Family]) -> list[str]:
    """A clause for each data set that shows something, and one for those that do not."""
    groups = {family.data: family.comparisons for family in families if family.comparisons}
    differing = [data for data, group in groups.items() if any(one.is_difference for one in group)]
    silent = [data for data, group in groups.items() if all(one.verdict == "undecided" for one in group)]
    equal = [data for data in groups if data not in (*differing, *silent)]
    in_full = sum(one.is_difference for group in groups.values() for one in group) <= TOLD_IN_FULL

    def of_sets(names: Sequence[str]) -> list[str]:
        found = {data: _of_one_set(groups[data], in_full) for data in names}
        return [say("on {data} {clauses}", data=plain(data), clauses=clauses) for data, clauses in found.items()]

    clauses = of_sets(differing)
    if silent:
        clauses.append(say("on {data} no difference can be told", data=plain(listed(silent))))
    if silent and not differing:
        data, largest = max(
            ((data, one) for data in silent for one in groups[data]), key=lambda pair: abs(pair[1].difference)
        )
        clauses.append(
            say(
                "the largest is {pair} on {data} ({evidence})",
                pair=_pair(largest),
                data=plain(data),
                evidence=_evidence(largest),
            )
        )
    clauses += of_sets(equal)
    refused = [family.data for family in families if family.refusal]
    return [*clauses, say("on {data} nothing is compared", data=plain(listed(refused)))] if refused else clauses


def _of_one_set(comparisons: Sequence[Comparison], in_full: bool) -> str:
    """What the comparisons on one data set show, with the evidence if it is told in full."""
    told = [one for one in comparisons if one.is_difference]
    undecided = sum(one.verdict == "undecided" for one in comparisons)
    groups = grouped(((one.model, one.verdict, one.rope if one.within_rope else None), one) for one in told)
    shortly = [
        better_or_worse(model, verdict == "better", than([one.baseline for one in group], rope=rope))
        for (model, verdict, rope), group in groups.items()
    ]
    clauses = [
        *(_clauses(told) if in_full else shortly),
        *_equal_clauses([one for one in comparisons if one.verdict in ("equal", "identical")]),
    ]
    if undecided == 1:
        clauses.append(say("no difference can be told in the other comparison"))
    elif undecided:
        clauses.append(
            say(
                "no difference can be told in the other {undecided} of {count} comparisons",
                undecided=undecided,
                count=len(comparisons),
            )
        )
    *before, last = clauses
    if len(before) == 1:
        return say("{clause} and {last}", clause=before[0], last=last)
    return say("{clauses}, and {last}", clauses=_comma(before), last=last) if before else last


def _equal_clauses(comparisons: Sequence[Comparison]) -> list[str]:
    """Who is equal to whom, without the evidence: a clause for each baseline, or for each model if that takes fewer."""
    if len(comparisons) > _NAMED:
        return [say("{count} comparisons show models that are equal in practice", count=len(comparisons))]
    models = grouped((one.model, named(one.baseline)) for one in comparisons)
    baselines = grouped((one.baseline, named(one.model)) for one in comparisons)
    if len(models) < len(baselines):
        return [
            say("{model} is equal in practice to {baselines}", model=named(name), baselines=listed(others))
            for name, others in models.items()
        ]
    return [
        say_number(
            "{models} is equal in practice to {baseline}",
            "{models} are equal in practice to {baseline}",
            len(others),
            models=listed(others),
            baseline=named(name),
        )
        for name, others in baselines.items()
    ]


def _clause(model: str, verdict: str, group: Sequence[Comparison]) -> str:
    """What holds between a model and some baselines; those with the same evidence share it."""
    if verdict == "identical":
        others = listed(named(one.baseline) for one in group)
        return say("{model} and {others} make identical predictions", model=model, others=others)
    alike = grouped(((_evidence(one), one.rope if one.within_rope else None), one.baseline) for one in group)
    if verdict in ("better", "worse"):
        others = say(", and ").join(than(names, evidence, rope) for (evidence, rope), names in alike.items())
        return better_or_worse(model, verdict == "better", others)
    pairs = [{"baselines": listed(map(named, names)), "evidence": evidence} for (evidence, _), names in alike.items()]
    if verdict == "equal":
        others = say(", and to ").join(say("{baselines} ({evidence})", **pair) for pair in pairs)
        return say("{model} is equal in practice to {pairs}", model=model, pairs=others)
    between = [
        say("between {model} and {baselines} ({evidence})", model=model, **pair)
        if len(names) == 1
        else say("between {model} and each of {baselines} ({evidence})", model=model, **pair)
        for pair, names in zip(pairs, alike.values(), strict=True)
    ]
    return say("no difference can be told {pairs}", pairs=say(", or ").join(between))


def _evidence(one: Comparison) -> str:
    found = say(
        "{metric} {difference}, {confidence} interval {interval}",
        metric=metric_label(one.metric),
        difference=signed(one.difference, one),
        confidence=percent(one.confidence),
        interval=_interval(one),
    )
    if one.verdict == "equal":
        share = say("more than 99%") if one.p_equal > 0.99 else probability(one.p_equal, one.confidence, 0)
        return say(
            "{found}, within ±{rope} with a probability of {share}", found=found, rope=f"{one.rope:g}", share=share
        )
    p = p_value(one.p_holm)
    if one.tests > 1:
        p = say("{p} corrected for {count} comparisons", p=p, count=one.tests)
    found = _comma([found, p])
    if one.is_difference or not one.detectable:
        return found
    least = _shown(one.detectable, one)
    if least is None:
        return say("{found}; these folds could show no difference", found=found)
    return say("{found}; these folds could show {least} or more", found=found, least=least)


def _shown(size: float, one: Comparison) -> str | None:
    """A size that a difference must have to be seen; None where it is more than the metric can differ."""
    lowest, highest = metric_of(one.metric).range
    return None if size > highest - lowest else signed(size, one).lstrip("+")


def _each_by_itself(outcome: Outcome) -> list[str]:
    """What several data sets are corrected for: each for its own comparisons."""
    tests = [family.tests for family in outcome.families]
    told = say(
        "p and intervals are corrected for the comparisons of each data set by itself, not for all {count} together.",
        count=sum(tests),
    )
    return [told] if sum(tests) > max(tests) else []


def _with_more_repeats(outcome: Outcome) -> list[str]:
    """How small a difference ever more repeats could show, for each pair of which none could be told."""
    setting = outcome.settings[0]
    if setting.first.config.data.fold is not None or setting.on_folds("n_test").max() == 1:
        return []  # given folds and leave-one-out are always the same
    undecided = [one for one in outcome.comparisons if one.verdict == "undecided" and one.detectable]
    undecided.sort(key=lambda one: one.detectable_at_best)
    shown = [(_pair(one), least) for one in undecided if (least := _shown(one.detectable_at_best, one)) is not None]
    if not shown:
        return []
    least, most = shown[0][1], shown[-1][1]
    if least == most and len(shown) == len(undecided):
        return [say("More repeats (cv.repeats) could show differences of {smallest} at best.", smallest=least)]
    if len(shown) <= TOLD_IN_FULL:
        each = listed(say("{smallest} for {pair}", smallest=smallest, pair=pair) for pair, smallest in shown)
        return [say("More repeats (cv.repeats) could show at best {differences}.", differences=each)]
    return [
        say(
            "More repeats (cv.repeats) could show differences of {least} to {most} at best, depending on the pair.",
            least=least,
            most=most,
        )
    ]


def _interval(one: Comparison) -> str:
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


def _comma(clauses: Sequence[str]) -> str:
    return reduce(lambda clause, following: say("{clause}, {following}", clause=clause, following=following), clauses)


def _pair(one: Comparison) -> str:
    return say("{model} against {baseline}", model=named(one.model), baseline=named(one.baseline))


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
        say("Could show: the smallest true difference that such folds find with a probability of 80%."),
        say("{columns}: probabilities of the Bayesian test.", columns=say(", ").join(probabilities(one.rope))),
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
