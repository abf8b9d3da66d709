"""What the comparisons say: in one sentence, and as a table."""

import math
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from src.comparison import calibration
from src.comparison.across import ALPHA, AcrossData
from src.comparison.candidates import Candidate
from src.comparison.families import Comparison, Family
from src.comparison.naming import grouped
from src.comparison.outcome import Outcome
from src.evaluation.metrics import metric_of
from src.report.tables import as_csv
from src.report.terminal import Cells
from src.report.words import MISSING, metric_label, number, p_value, percent, plain, probability
from src.words import counted, listed

_VERDICTS = {
    "better": "better",
    "worse": "worse",
    "equal": "equal in practice",
    "undecided": "undecided",
    "identical": "identical predictions",
}
_PROBABILITIES = ("P(worse)", "P(equal)", "P(better)")
_TOLD_IN_FULL = 3
_NAMED = 8  # pairs that are equal in practice, named in the answer
_SCORES_NAMED = 4
_NAME_LENGTH = 60


def answer(outcome: Outcome) -> str:
    """What was found, in a sentence or two: who is better and by how much, or that no difference can be told.

    Every difference comes with its simultaneous interval and its p-value, corrected for the overlap of training parts
    and for all comparisons that were looked at; where no difference can be told, with the smallest one that could have
    been. Of many comparisons, those that show a difference are told, those that show that there is none are named, and
    the others are counted; of several data sets, each by itself.
    """
    if outcome.refusal is not None:
        return f"Nothing is compared: {outcome.refusal}"
    if len(outcome.candidates) == 1:
        return _alone(outcome.candidates[0], outcome)
    if not outcome.comparisons:
        return "Nothing is compared: no data set has two models with a result."
    several = len(outcome.families) > 1
    clauses = _by_data(outcome.families) if several else _of_family(outcome.families[0])
    sentences = [_sentence(clauses + _flattery(outcome.candidates))]
    sentences += [] if several else _with_more_repeats(outcome)
    sentences += _chosen(outcome)
    across = None if outcome.across is None else across_sentence(outcome.across)
    return " ".join(filter(None, [*sentences, across, calibration.sentence(outcome)]))


def comparison_cells(outcome: Outcome) -> Cells:
    """The comparisons as a table of texts, with the notes that say how to read it."""
    comparisons, options = outcome.comparisons, outcome.options
    interval = f"{percent(options.confidence)} interval"
    headers = (
        *("data", "model", "baseline", "verdict", "difference", interval, "p (Holm)", "could show"),
        *_PROBABILITIES,
    )
    rows = tuple(
        (
            *(plain(one.data), plain(one.model), plain(one.baseline), _verdict(one)),
            *(signed(one.difference, one), _interval(one), _p(one.p_holm)),
            MISSING if one.is_difference or not one.detectable else _could_show(one) or "none",
            *(probability(share, one.confidence) for share in (one.p_worse, one.p_equal, one.p_better)),
        )
        for one in comparisons
    )
    cells = Cells(headers, (False,) * 4 + (True,) * 7, rows, None, _notes(outcome))
    if comparisons and comparisons[0].rope is None:
        cells = cells.without("P(equal)")
    if len(outcome.boards) < 2:
        cells = cells.without("data")
    narrow = replace(cells.without(*_PROBABILITIES), notes=cells.notes[:-1])
    return replace(cells, narrower=(narrow, narrow.without("could show"), narrow.without("could show", interval)))


def comparison_csv(outcome: Outcome) -> str:
    """The comparisons as CSV, numbers at full precision."""
    return as_csv(pd.DataFrame(list(outcome.comparisons)).drop(columns="on_folds"))


def across_tables(outcome: Outcome) -> tuple[Cells, ...]:
    """What several data sets say together: the candidates, and their pairs; none where there are too few data sets."""
    found = outcome.across
    return () if found is None else (across_cells(found, outcome), pair_cells(found, outcome))


def across_cells(found: AcrossData, outcome: Outcome) -> Cells:
    """The candidates over all data sets: mean rank, score on each data set."""
    label = metric_label(outcome.metric)
    rows = tuple(
        (plain(name), f"{rank:.2f}", *(number(score) for score in scores))
        for name, rank, scores in zip(found.names, found.ranks, found.scores, strict=True)
    )
    notes = [f"Mean rank over {len(found.data)} data sets, 1 for the best; then the mean test {label} on each."]
    if found.friedman is not None:
        notes.append(f"Friedman's test over all: {p_value(found.friedman)}.")
    if found.left_out:
        notes.append(f"Not on every data set, and left out here: {plain(listed(found.left_out))}.")
    headers = ("model", "mean rank", *(plain(name, 18) for name in found.data))
    return Cells(headers, (False, *(True,) * (len(headers) - 1)), rows, None, tuple(notes))


def pair_cells(found: AcrossData, outcome: Outcome) -> Cells:
    """The pairs of candidates over all data sets: mean difference, on how many the one is better, the tests."""
    headers = ("model", "baseline", "mean difference", "wins", "losses", "p (Holm)", *_PROBABILITIES)
    rows = tuple(
        (
            *(plain(one.model), plain(one.baseline), _with_sign(one.difference)),
            *(str(one.wins), str(one.losses), MISSING if one.p_holm is None else _p(one.p_holm)),
            *(MISSING if share is None else percent(share, 1) for share in (one.p_worse, one.p_equal, one.p_better)),
        )
        for one in found.pairs
    )
    tested = (
        f"p: Wilcoxon's signed-rank test over {len(found.data)} data sets, with Holm's correction for "
        f"{counted(found.tests, 'pair')} (Demšar 2006). P(worse), P(equal), P(better): Bayesian signed-rank test "
        "(Benavoli et al. 2014)."
    )
    note = tested if found.is_tested else _too_few(found)
    cells = Cells(headers, (False, False, *(True,) * 7), rows, None, (note,))
    if not outcome.comparisons or outcome.comparisons[0].rope is None:
        cells = cells.without("P(equal)")
    if not found.is_tested:
        cells = cells.without("p (Holm)", *_PROBABILITIES)
    return replace(cells, narrower=(cells.without(*_PROBABILITIES),))


def across_sentence(found: AcrossData) -> str:
    """What the data sets say together, in one sentence."""
    first, last = found.names[0], found.names[-1]
    ranks = (
        f"{plain(first)} ranks best ({found.ranks[0]:.1f} on average) and {plain(last)} last ({found.ranks[-1]:.1f})"
    )
    if found.ranks[0] == found.ranks[-1]:
        ranks = f"all rank alike ({found.ranks[0]:.1f} on average)"
    start = f"Over {len(found.data)} data sets {ranks}"
    if not found.is_tested:
        return f"{start}; {_too_few(found)}"
    told = [
        f"{plain(one.model)} is {'better' if (one.p_better or 0) > (one.p_worse or 0) else 'worse'} than "
        f"{plain(one.baseline)} ({p_value(one.p_holm)})"
        for one in found.pairs
        if one.is_difference
    ]
    if not told:
        corrected = f"Wilcoxon's test, corrected for {counted(found.tests, 'pair')}"
        return f"{start}; no difference over data sets can be told ({corrected})."
    return f"{start}; {listed(told, most=_TOLD_IN_FULL)}."


def signed(value: float, comparison: Comparison) -> str:
    """A difference with its sign, with as many decimals as its interval's size asks for."""
    sizes = [abs(each) for each in (comparison.low, comparison.high, comparison.difference) if math.isfinite(each)]
    largest = max(sizes, default=0.0)
    digits = min(8, 1 - math.floor(math.log10(largest))) if 0 < largest < 0.01 else 3
    text = _with_sign(value, digits)
    return text[1:] if float(f"{value:.{digits}f}") == 0 else text


def _with_sign(value: float, digits: int = 3) -> str:
    return f"{value:+.{digits}f}".replace("-", "−")


def _too_few(found: AcrossData) -> str:
    count = len(found.data)
    return (
        f"{count} data sets cannot reach p < {ALPHA:g} by Wilcoxon's test ({2 / 2**count:g} is the least), so nothing "
        "is tested over data sets."
    )


def _alone(candidate: Candidate, outcome: Outcome) -> str:
    """What one candidate alone shows."""
    label = metric_label(outcome.metric)
    interval = f"{percent(outcome.options.confidence)} interval {number(candidate.low)} to {number(candidate.high)}"
    tried = len(candidate.settings)
    how = {
        "only": "",
        "other folds": f", each fold scored by the setting, of {tried}, that was best on the other folds",
        "nested": f", each fold scored by the setting, of {tried}, that was best inside its training part",
        "search": f", chosen from {tried} settings by a search that saw these folds, which flatters it",
    }[candidate.selection]
    name, setting = _name(candidate.name), candidate.best_text
    best = f" Best over all folds is {plain(setting)}." if setting and candidate.selection != "only" else ""
    reached = f"{name} reaches {label} {number(candidate.mean)} ({interval}){how}"
    return f"{reached}; there is no other model to compare it with.{best}"


def _chosen(outcome: Outcome) -> list[str]:
    """How the settings were chosen that score the candidates, and these scores, which no leaderboard shows."""
    ways = {"other folds": "the other folds", "nested": "folds inside its training part"}
    used = [ways[way] for way in ways if any(one.selection == way for one in outcome.candidates)]
    if not used:
        return []
    scores = [f"{_name(one.name)} {number(one.mean)}" for one in outcome.candidates]
    shown = f": {listed(scores)}" if len(outcome.boards) == 1 and len(scores) <= _SCORES_NAMED else ""
    return [f"Each fold is scored by a setting that {listed(used)} chose{shown}."]


def _flattery(candidates: Sequence[Candidate]) -> list[str]:
    """What has to be said in the sentence itself of scores that a search chose."""
    searched = [_name(one.name) for one in candidates if one.selection == "search"]
    if not searched:
        return []
    return [f"the search saw the folds that score {listed(searched, most=_TOLD_IN_FULL)}, which flatters what it found"]


def _of_family(family: Family) -> list[str]:
    """The clauses for one data set."""
    comparisons = family.comparisons
    told = sorted((one for one in comparisons if one.is_difference), key=lambda one: one.p_holm)
    equal = [one for one in comparisons if one.verdict in ("equal", "identical")]
    undecided = [one for one in comparisons if one.verdict == "undecided"]
    if len(comparisons) <= _TOLD_IN_FULL:
        return _clauses([*told, *(one for one in comparisons if one not in told)])
    clauses = _clauses(told[:_TOLD_IN_FULL])
    more = len(told) - _TOLD_IN_FULL
    if more > 0:
        clauses.append("1 more comparison shows a difference" if more == 1 else f"{more} more comparisons show one")
    if undecided and not told:
        largest = max(undecided, key=lambda one: abs(one.difference))
        share = len(undecided) if equal else "any"
        clauses.append(
            f"no difference can be told in {share} of {len(comparisons)} comparisons; the largest is "
            f"{_pair(largest)} ({_evidence(largest)})"
        )
    clauses += _equal_clauses(equal)
    if undecided and told:
        clauses.append(f"in the other {len(undecided)} of {len(comparisons)} comparisons no difference can be told")
    return clauses


def _clauses(comparisons: Sequence[Comparison]) -> list[str]:
    """A clause for each model and verdict, however many baselines it holds against."""
    groups = grouped(((one.model, one.verdict), one) for one in comparisons)
    return [_clause(_name(model), verdict, group) for (model, verdict), group in groups.items()]


def _by_data(families: Sequence[Family]) -> list[str]:
    """A clause for each data set that shows something, and one for those that do not."""
    groups = {family.data: family.comparisons for family in families if family.comparisons}
    differing = [data for data, group in groups.items() if any(one.is_difference for one in group)]
    silent = [data for data, group in groups.items() if all(one.verdict == "undecided" for one in group)]
    equal = [data for data in groups if data not in (*differing, *silent)]
    in_full = sum(one.is_difference for group in groups.values() for one in group) <= _TOLD_IN_FULL
    clauses = [f"on {plain(data)} {_of_one_set(groups[data], in_full)}" for data in differing]
    if silent:
        clauses.append(f"on {plain(listed(silent))} no difference can be told")
    if silent and not differing:
        data, largest = max(
            ((data, one) for data in silent for one in groups[data]), key=lambda pair: abs(pair[1].difference)
        )
        clauses.append(f"the largest is {_pair(largest)} on {plain(data)} ({_evidence(largest)})")
    clauses += [f"on {plain(data)} {_of_one_set(groups[data], in_full)}" for data in equal]
    refused = [family.data for family in families if family.refusal]
    return [*clauses, *([f"on {plain(listed(refused))} nothing is compared"] if refused else [])]


def _of_one_set(comparisons: Sequence[Comparison], in_full: bool) -> str:
    """What the comparisons on one data set show, with the evidence if it is told in full."""
    told = [one for one in comparisons if one.is_difference]
    undecided = sum(one.verdict == "undecided" for one in comparisons)
    others = "comparison" if undecided == 1 else f"{undecided} of {len(comparisons)} comparisons"
    groups = grouped(((_name(one.model), _verdict(one)), _name(one.baseline)) for one in told)
    named = [f"{model} is {verdict} than {listed(baselines)}" for (model, verdict), baselines in groups.items()]
    clauses = [
        *(_clauses(told) if in_full else named),
        *_equal_clauses([one for one in comparisons if one.verdict in ("equal", "identical")]),
        *([f"no difference can be told in the other {others}"] if undecided else []),
    ]
    return listed(clauses) if len(clauses) < 3 else f"{', '.join(clauses[:-1])}, and {clauses[-1]}"


def _equal_clauses(comparisons: Sequence[Comparison]) -> list[str]:
    """Who is equal to whom, without the evidence: a clause for each baseline, or for each model if that takes fewer."""
    if len(comparisons) > _NAMED:
        return [f"{len(comparisons)} comparisons show models that are equal in practice"]
    models = grouped((one.model, _name(one.baseline)) for one in comparisons)
    baselines = grouped((one.baseline, _name(one.model)) for one in comparisons)
    if len(models) < len(baselines):
        return [f"{_name(name)} is equal in practice to {listed(others)}" for name, others in models.items()]
    return [
        f"{listed(others)} {'is' if len(others) == 1 else 'are'} equal in practice to {_name(name)}"
        for name, others in baselines.items()
    ]


def _clause(model: str, verdict: str, group: Sequence[Comparison]) -> str:
    baselines = [(_name(one.baseline), _evidence(one)) for one in group]
    if verdict == "undecided":
        pairs = [f"between {model} and {name} ({evidence})" for name, evidence in baselines]
        return "no difference can be told " + ", or ".join(pairs)
    if verdict == "identical":
        return f"{model} and {listed([name for name, _ in baselines])} make identical predictions"
    if verdict == "equal":
        return f"{model} is equal in practice to " + ", and to ".join(f"{name} ({text})" for name, text in baselines)
    pairs = [
        # A difference that is sure to be one of no consequence says so.
        f"than {_name(one.baseline)}{f' by less than {one.rope:g}' if one.within_rope else ''} ({_evidence(one)})"
        for one in group
    ]
    return f"{model} is {verdict} {', and '.join(pairs)}"


def _evidence(one: Comparison) -> str:
    found = (
        f"{metric_label(one.metric)} {signed(one.difference, one)}, {percent(one.confidence)} interval {_interval(one)}"
    )
    if one.verdict == "equal":
        share = "more than 99%" if one.p_equal > 0.99 else probability(one.p_equal, one.confidence, 0)
        return f"{found}, within ±{one.rope:g} with a probability of {share}"
    corrected = f"{p_value(one.p_holm)}" + (f" corrected for {one.tests} comparisons" if one.tests > 1 else "")
    if one.is_difference or not one.detectable:
        return f"{found}, {corrected}"
    least = _could_show(one)
    return f"{found}, {corrected}; these folds could show {'no difference' if least is None else f'{least} or more'}"


def _could_show(one: Comparison) -> str | None:
    """The smallest difference that could have been seen; None where it is more than the metric can differ."""
    lowest, highest = metric_of(one.metric).range
    return None if one.detectable > highest - lowest else signed(one.detectable, one).lstrip("+")


def _with_more_repeats(outcome: Outcome) -> list[str]:
    """How small a difference ever more repeats could show, where some could not be told."""
    setting = outcome.settings[0]
    if setting.first.config.data.fold is not None or setting.on_folds("n_test").max() == 1:
        return []  # given folds and leave-one-out are always the same
    undecided = [one for one in outcome.comparisons if one.verdict == "undecided" and one.detectable]
    least = max(undecided, key=lambda one: one.detectable_at_best, default=None)
    if least is None or _could_show(least) is None:
        return []
    smallest = signed(least.detectable_at_best, least).lstrip("+")
    return [f"More repeats (cv.repeats) could show differences of {smallest} at best."]


def _interval(one: Comparison) -> str:
    if not math.isfinite(one.low):
        return "not known" if not math.isfinite(one.high) else f"up to {signed(one.high, one)}"
    return f"{signed(one.low, one)} to {signed(one.high, one)}"


def _verdict(one: Comparison) -> str:
    return _VERDICTS[one.verdict] + (f", by less than {one.rope:g}" if one.is_difference and one.within_rope else "")


def _sentence(clauses: Sequence[str]) -> str:
    """Clauses as one sentence; a model's name keeps its first letter."""
    sentence = "; ".join(clauses) + "."
    starts = ("no difference", "on ", "the search")
    return sentence[0].upper() + sentence[1:] if sentence.startswith(starts) else sentence


def _name(name: str) -> str:
    return plain(name, _NAME_LENGTH)


def _pair(one: Comparison) -> str:
    return f"{_name(one.model)} against {_name(one.baseline)}"


def _p(value: float) -> str:
    """A p-value in a column of its own: `0.031`, `< 0.001`."""
    return p_value(value).removeprefix("p ").removeprefix("= ")


def _notes(outcome: Outcome) -> tuple[str, ...]:
    if not outcome.comparisons:
        return ()
    one, label = outcome.comparisons[0], metric_label(outcome.metric)
    tests = [family.tests for family in outcome.families if family.tests]
    many = f"{tests[0]}" if len(set(tests)) == 1 else f"{min(tests)} to {max(tests)}"
    each = " of each data set" if len(tests) > 1 else ""
    picked = any(family.yardstick == "best" and family.tests > 1 for family in outcome.families)
    why = ", as the baseline was picked from all of them as the best" if picked else ""
    equality = (
        f" Equal in practice: a difference within ±{one.rope:g} has a probability of at least "
        f"{percent(one.confidence)}, by the Bayesian correlated t-test (Corani and Benavoli 2015)."
        if one.rope is not None
        else ""
    )
    corrected = (
        f", for {many} comparisons{each}{why}: p by Holm's method, intervals simultaneous by Bonferroni's, cut at zero "
        "where only Holm's finds a difference"
        if many != "1"
        else ""
    )
    return (
        f"Difference: {label} of the model minus that of the baseline, mean over the same test folds.",
        "Interval and p: corrected resampled t-test (Nadeau and Bengio 2003), which allows for training parts that "
        f"overlap{corrected}.",
        f"Undecided: the folds show neither a difference nor that there is none.{equality}",
        "Could show: the smallest true difference that such folds find with a probability of 80%.",
        "P(worse), P(equal), P(better): probabilities of the Bayesian test.",
    )
