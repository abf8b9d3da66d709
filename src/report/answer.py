"""What the comparisons say, in one sentence or a few."""

from collections.abc import Sequence
from functools import reduce

from src.comparison import calibration
from src.comparison.candidates import Candidate
from src.comparison.families import Comparison, Family
from src.comparison.naming import grouped
from src.comparison.outcome import Outcome
from src.language import listed, say, say_number, sentences
from src.report.across import TOLD_IN_FULL, across_sentence, better_or_worse, named, sentence, than
from src.report.tables import interval_text
from src.report.verdicts import interval_of, signed, told_size
from src.report.words import metric_label, number, p_value, percent, plain, probability

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
    told, equal, undecided = _by_verdict(comparisons)
    told.sort(key=lambda one: one.p_holm)
    if len(comparisons) <= TOLD_IN_FULL:
        return _clauses([*told, *(one for one in comparisons if not one.is_difference)])
    counts = {"undecided": len(undecided), "count": len(comparisons)}
    clauses = _clauses(told[:TOLD_IN_FULL])
    more = len(told) - TOLD_IN_FULL
    if more > 0:
        clauses.append(
            say_number("{number} more comparison shows a difference", "{number} more comparisons show one", more)
        )
    if undecided and not told:
        fields = counts | _largest(undecided)
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


def _by_verdict(comparisons: Sequence[Comparison]) -> tuple[list[Comparison], list[Comparison], list[Comparison]]:
    """Those that show a difference, those that show that there is none, and the others."""
    kinds = ("better", "worse"), ("equal", "identical"), ("undecided",)
    told, equal, undecided = ([one for one in comparisons if one.verdict in kind] for kind in kinds)
    return told, equal, undecided


def _largest(comparisons: Sequence[Comparison]) -> dict[str, str]:
    """What is told of the largest difference."""
    one = max(comparisons, key=lambda one: abs(one.difference))
    return {"pair": _pair(one), "data": plain(one.data), "evidence": _evidence(one)}


def _clauses(comparisons: Sequence[Comparison]) -> list[str]:
    """A clause for each model and verdict, however many baselines it holds against."""
    groups = grouped(((one.model, one.verdict), one) for one in comparisons)
    return [_clause(named(model), verdict, group) for (model, verdict), group in groups.items()]


def _by_data(families: Sequence[Family]) -> list[str]:
    """A clause for each data set that shows something, and one for those that do not."""
    groups = {family.data: family.comparisons for family in families if family.comparisons}
    kinds = {data: _by_verdict(group) for data, group in groups.items()}
    differing = [data for data, (told, _, _) in kinds.items() if told]
    silent = [data for data, (told, equal, _) in kinds.items() if not told and not equal]
    in_full = sum(len(told) for told, _, _ in kinds.values()) <= TOLD_IN_FULL

    def of_sets(names: Sequence[str]) -> list[str]:
        found = {data: _of_one_set(groups[data], in_full) for data in names}
        return [say("on {data} {clauses}", data=plain(data), clauses=clauses) for data, clauses in found.items()]

    clauses = of_sets(differing)
    if silent:
        clauses.append(say("on {data} no difference can be told", data=plain(listed(silent))))
    if silent and not differing:
        largest = _largest([one for data in silent for one in groups[data]])
        clauses.append(say("the largest is {pair} on {data} ({evidence})", **largest))
    clauses += of_sets([data for data in groups if data not in (*differing, *silent)])
    refused = [family.data for family in families if family.refusal]
    return [*clauses, say("on {data} nothing is compared", data=plain(listed(refused)))] if refused else clauses


def _of_one_set(comparisons: Sequence[Comparison], in_full: bool) -> str:
    """What the comparisons on one data set show, with the evidence if it is told in full."""
    told, equal, undecided = _by_verdict(comparisons)
    groups = grouped(((one.model, one.verdict, one.rope if one.within_rope else None), one) for one in told)
    shortly = [
        better_or_worse(model, verdict == "better", than([one.baseline for one in group], rope=rope))
        for (model, verdict, rope), group in groups.items()
    ]
    clauses = [*(_clauses(told) if in_full else shortly), *_equal_clauses(equal)]
    counts = {"undecided": len(undecided), "count": len(comparisons)}
    if len(undecided) == 1:
        clauses.append(say("no difference can be told in the other comparison"))
    elif undecided:
        clauses.append(say("no difference can be told in the other {undecided} of {count} comparisons", **counts))
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
        interval=interval_of(one),
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
    least = told_size(one.detectable, one)
    if least is None:
        return say("{found}; these folds could show no difference", found=found)
    return say("{found}; these folds could show {least} or more", found=found, least=least)


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
    shown = [(_pair(one), least) for one in undecided if (least := told_size(one.detectable_at_best, one)) is not None]
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


def _comma(clauses: Sequence[str]) -> str:
    return reduce(lambda clause, following: say("{clause}, {following}", clause=clause, following=following), clauses)


def _pair(one: Comparison) -> str:
    return say("{model} against {baseline}", model=named(one.model), baseline=named(one.baseline))
