"""What the comparisons say: in one sentence, and as a table."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from src.evaluation.significance import Comparison
from src.report.tables import MODEL, model_name
from src.report.terminal import Cells, FittedTable
from src.report.words import MISSING, is_missing, metric_label, p_value, plain

_VERDICTS = {
    "better": "better",
    "worse": "worse",
    "equivalent": "equal in practice",
    "undecided": "undecided",
}
_TOLD_IN_FULL = 3
_NAMED = 8  # pairs that are equal in practice, named in the answer


def answer(comparisons: Sequence[Comparison], names: Mapping[str, tuple[str, str]] | None = None) -> str:
    """What the comparisons say, in one sentence: who is better and by how much, or that no difference can be told.

    Every difference comes with its confidence interval and its p-value, corrected for the overlap of training sets
    and for the number of comparisons. Of many comparisons, those that show a difference are told, those that show that
    there is none are named, and the others are counted; of several data sets, each by itself. `names` are those of
    `own_names`.
    """
    if not comparisons:
        return "Nothing is compared: there is only one model with a result."
    if names and len({names[one.model][0] for one in comparisons}) > 1:
        return _sentence(_clauses_by_data(comparisons, names))
    told = sorted(filter(_differs, comparisons), key=lambda one: one.p_holm)
    equal = [one for one in comparisons if one.verdict == "equivalent"]
    undecided = [one for one in comparisons if one.verdict == "undecided"]
    if len(comparisons) <= _TOLD_IN_FULL:
        return _sentence(_clauses([*told, *(one for one in comparisons if one not in told)]))
    clauses = _clauses(told[:_TOLD_IN_FULL])
    more = len(told) - _TOLD_IN_FULL
    if more > 0:
        clauses.append("1 more comparison shows a difference" if more == 1 else f"{more} more comparisons show one")
    if undecided and not told:
        largest = max(undecided, key=lambda one: abs(one.difference))
        share = len(undecided) if equal else "any"
        clauses.append(
            f"no difference can be told in {share} of {len(comparisons)} comparisons; the largest is "
            f"{_sentence_name(largest.model)} against {_sentence_name(largest.baseline)} ({_evidence(largest)})"
        )
    clauses += _equal_clauses(equal)
    if undecided and told:
        clauses.append(f"in the other {len(undecided)} of {len(comparisons)} comparisons no difference can be told")
    return _sentence(clauses)


def comparison_cells(comparisons: Sequence[Comparison], names: Mapping[str, tuple[str, str]] | None = None) -> Cells:
    """The comparisons as a table of texts, with the notes that say how to read it.

    `names` are those of `own_names`: where there are several data sets they are a column.
    """
    headers = (
        *("data", "model", "baseline", "verdict", "difference", "interval", "p (Holm)"),
        *("P(worse)", "P(equal)", "P(better)"),
    )
    named = names or {name: ("", name) for one in comparisons for name in (one.model, one.baseline)}
    rows = tuple(
        (
            *(plain(part) for part in (*named[one.model], named[one.baseline][1])),
            _VERDICTS[one.verdict],
            signed(one.difference, one),
            f"{signed(one.low, one)} to {signed(one.high, one)}",
            _p(one.p_holm),
            *(f"{share:.1%}" for share in (one.p_worse, one.p_equal, one.p_better)),
        )
        for one in comparisons
    )
    cells = Cells(headers, (False,) * 4 + (True,) * 6, rows, None, _notes(comparisons))
    return cells if any(row[0] for row in rows) else cells.without("data")


def comparison_csv(comparisons: Sequence[Comparison]) -> str:
    """The comparisons as CSV, numbers at full precision."""
    fields = [name for name in Comparison.__dataclass_fields__]
    rows = [{**{name: getattr(one, name) for name in fields}, "verdict": one.verdict} for one in comparisons]
    return pd.DataFrame(rows, columns=[*fields, "verdict"]).to_csv(index=False, lineterminator="\n")


def comparison_table(
    comparisons: Sequence[Comparison], names: Mapping[str, tuple[str, str]] | None = None
) -> FittedTable:
    """The comparisons for the terminal, without the probabilities where it is narrow."""
    cells = comparison_cells(comparisons, names)
    narrower = replace(cells.without("P(worse)", "P(equal)", "P(better)"), notes=cells.notes[:-1])
    return FittedTable((cells, narrower, narrower.without("interval")))


def selection_note(jobs: pd.DataFrame) -> str | None:
    """Say which models' settings were selected on the folds that score them; None where none were.

    A model with several jobs shows the best of them. Without nested cross-validation (`cv.inner_folds`) the folds that
    chose it also score it, and the more settings were tried the more its score flatters it.
    """
    if MODEL not in jobs.columns:
        return None
    inner = jobs["cv.inner_folds"] if "cv.inner_folds" in jobs.columns else pd.Series([None] * len(jobs))
    names = [model_name(job) for _, job in jobs.iterrows()]
    plainly = pd.Series([name for name, folds in zip(names, inner, strict=True) if is_missing(folds)], dtype=object)
    several = {str(name): int(count) for name, count in plainly.value_counts(sort=False).items() if count > 1}
    if not several:
        return None
    listed = ", ".join(f"{plain(name)} (of {count} settings)" for name, count in several.items())
    return (
        f"Selected on the folds it is scored on: {listed}. Such a score flatters its model, the more settings the "
        "more; cv.inner_folds=K selects inside each training part instead."
    )


def signed(value: float, comparison: Comparison) -> str:
    """A difference with its sign, with as many decimals as its interval's size asks for."""
    largest = max(abs(comparison.low), abs(comparison.high), abs(comparison.difference))
    small = math.isfinite(largest) and 0 < largest < 0.01
    digits = min(8, 1 - math.floor(math.log10(largest))) if small else 3
    text = f"{value:+.{digits}f}".replace("-", "−")
    return text[1:] if float(f"{value:.{digits}f}") == 0 else text


def _clauses(comparisons: Sequence[Comparison]) -> list[str]:
    """A clause for each model and verdict, however many baselines it holds against."""
    groups: dict[tuple[str, str], list[Comparison]] = {}
    for one in comparisons:
        groups.setdefault((one.model, one.verdict), []).append(one)
    return [_clause(_sentence_name(model), verdict, group) for (model, verdict), group in groups.items()]


def _clauses_by_data(comparisons: Sequence[Comparison], names: Mapping[str, tuple[str, str]]) -> list[str]:
    """A clause for each data set that shows something, before and after one for those that do not."""
    groups: dict[str, list[Comparison]] = {}
    for one in comparisons:
        data, model = names[one.model]
        groups.setdefault(plain(data), []).append(replace(one, model=model, baseline=names[one.baseline][1]))
    differing = [data for data, group in groups.items() if any(_differs(one) for one in group)]
    silent = [data for data, group in groups.items() if all(one.verdict == "undecided" for one in group)]
    equal = [data for data in groups if data not in (*differing, *silent)]
    in_full = sum(map(_differs, comparisons)) <= _TOLD_IN_FULL
    clauses = [f"on {data} {_of_one_set(groups[data], in_full)}" for data in differing]
    if silent:
        clauses.append(f"on {_listed(silent)} no difference can be told")
    if silent and not differing:
        data, largest = max(
            ((data, one) for data in silent for one in groups[data]), key=lambda pair: abs(pair[1].difference)
        )
        pair = f"{_sentence_name(largest.model)} against {_sentence_name(largest.baseline)}"
        clauses.append(f"the largest is {pair} on {data} ({_evidence(largest)})")
    return [*clauses, *(f"on {data} {_of_one_set(groups[data], in_full)}" for data in equal)]


def _of_one_set(comparisons: Sequence[Comparison], in_full: bool) -> str:
    """What the comparisons on one data set show, with the evidence if it is told in full."""
    told = [one for one in comparisons if _differs(one)]
    undecided = sum(one.verdict == "undecided" for one in comparisons)
    others = "comparison" if undecided == 1 else f"{undecided} of {len(comparisons)} comparisons"
    groups: dict[tuple[str, str], list[str]] = {}
    for one in told:
        groups.setdefault((_sentence_name(one.model), one.verdict), []).append(_sentence_name(one.baseline))
    named = [f"{model} is {verdict} than {_listed(baselines)}" for (model, verdict), baselines in groups.items()]
    clauses = [
        *(_clauses(told) if in_full else named),
        *_equal_clauses([one for one in comparisons if one.verdict == "equivalent"]),
        *([f"no difference can be told in the other {others}"] if undecided else []),
    ]
    return _listed(clauses) if len(clauses) < 3 else f"{', '.join(clauses[:-1])}, and {clauses[-1]}"


def _differs(one: Comparison) -> bool:
    return one.verdict in ("better", "worse")


def _equal_clauses(comparisons: Sequence[Comparison]) -> list[str]:
    """Who is equal to whom, without the evidence: a clause for each baseline, or for each model if that takes fewer."""
    if len(comparisons) > _NAMED:
        return [f"{len(comparisons)} comparisons show models that are equal in practice"]
    models: dict[str, list[str]] = {}
    baselines: dict[str, list[str]] = {}
    for one in comparisons:
        models.setdefault(one.model, []).append(_sentence_name(one.baseline))
        baselines.setdefault(one.baseline, []).append(_sentence_name(one.model))
    if len(models) < len(baselines):
        return [f"{_sentence_name(name)} is equal in practice to {_listed(others)}" for name, others in models.items()]
    return [
        f"{_listed(others)} {'is' if len(others) == 1 else 'are'} equal in practice to {_sentence_name(name)}"
        for name, others in baselines.items()
    ]


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _clause(model: str, verdict: str, group: Sequence[Comparison]) -> str:
    baselines = [(_sentence_name(one.baseline), _evidence(one)) for one in group]
    if verdict == "undecided":
        pairs = [f"between {model} and {name} ({evidence})" for name, evidence in baselines]
        return "no difference can be told " + ", or ".join(pairs)
    if verdict == "equivalent":
        return f"{model} is equal in practice to " + ", and to ".join(f"{name} ({text})" for name, text in baselines)
    return f"{model} is {verdict} than " + ", and than ".join(f"{name} ({text})" for name, text in baselines)


def _evidence(one: Comparison) -> str:
    interval = f"{one.confidence:.0%} interval {signed(one.low, one)} to {signed(one.high, one)}"
    if one.verdict == "equivalent":
        share = "more than 99%" if one.p_equal > 0.99 else f"{one.p_equal:.0%}"
        support = f"within ±{one.rope:g} with a probability of {share}"
    else:
        support = f"corrected {p_value(one.p_holm)}"
    return f"{metric_label(one.metric)} {signed(one.difference, one)}, {interval}, {support}"


def _sentence(clauses: Sequence[str]) -> str:
    """Clauses as one sentence; a model's name keeps its first letter."""
    sentence = "; ".join(clauses) + "."
    return sentence[0].upper() + sentence[1:] if sentence.startswith(("no difference", "on ")) else sentence


def _sentence_name(name: str) -> str:
    return plain(name, 60)


def _p(value: float) -> str:
    return MISSING if not math.isfinite(value) else "< 0.001" if value < 0.001 else f"{value:.3f}"


def _notes(comparisons: Sequence[Comparison]) -> tuple[str, ...]:
    if not comparisons:
        return ()
    one = comparisons[0]
    metric = metric_label(one.metric)
    folds = f"{one.n_folds} test folds" if len({each.n_folds for each in comparisons}) == 1 else "test folds"
    several = f"{len(comparisons)} comparison{'s' * (len(comparisons) > 1)}"
    return (
        f"Difference: {metric} of the model minus that of the baseline, mean over the same {folds}, with "
        f"its {one.confidence:.0%} confidence interval.",
        "Interval and p: corrected resampled t-test (Nadeau and Bengio 2003), which allows for training parts that "
        f"overlap; p by Holm's correction for {several}, as the verdict is.",
        "Undecided: the folds show neither a difference nor that there is none. Equal in practice: a difference within "
        f"±{one.rope:g} has a probability of at least {one.confidence:.0%}, by the Bayesian correlated t-test (Corani "
        "and Benavoli 2015).",
        "P(worse), P(equal), P(better): probabilities of the same test.",
    )
