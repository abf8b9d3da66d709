"""What was measured, as a page of Markdown."""

import textwrap
from collections.abc import Callable, Iterable, Sequence
from statistics import NormalDist
from typing import NamedTuple

from src.comparison.calibration import HIGHEST, LOWEST
from src.words import listed
from tests.simulation.learners import FEATURES
from tests.simulation.procedures import INNER_FOLDS, Scenario, Study
from tests.simulation.rates import BATCH, LEARNABLE, Measured, MeasuredAcross, Proof, Rate

_NAMES = {
    "fixed": "one setting each",
    "named": "three named baselines",
    "other folds": "chosen by the other folds",
    "nested": "nested choice",
    "best": "the best as yardstick",
}
_MISSING = "–"
NEAR = 0.1  # of a true difference to the one that is printed


def page(proof: Proof) -> str:
    """Everything that was measured, readable from top to bottom."""
    equal = _by_scenario(proof.equal)
    sections = [
        _introduction(proof),
        _in_short(proof),
        _fixed(equal),
        _choices(equal),
        _families(equal),
        _across(proof.across),
        _power(_by_scenario(proof.different)),
        _mixed(proof.mixed),
        _outside(proof),
        _bias_against_coverage(proof.equal),
    ]
    blocks = "\n\n".join(sections).split("\n\n")
    return (
        "\n\n".join(
            block if block[0] in "#|-" else textwrap.fill(block, 120, break_on_hyphens=False) for block in blocks
        )
        + "\n"
    )


def _introduction(proof: Proof) -> str:
    simulations = len(proof.equal[0].trials)
    error = max(one.standard_error("bias") for one in (*proof.equal, *proof.different, *proof.mixed))
    return f"""\
# How often the answers err

Written by `python -m tests.simulation`; nothing here is typed by hand.

The program's comparisons are run here on simulated data, of which the right answer is known. Each learner is a
nearest-centroid classifier with {FEATURES} features of its own, drawn independently of all others': two classes of
equal size, normal with variance 1. In *learnable* data the centers of the classes are {LEARNABLE:g} apart (best
possible accuracy {NormalDist().cdf(LEARNABLE / 2):.0%}), in *noise* they are the same. Learners with the same distance
have the same expected accuracy, whatever they are trained on, so that every difference told between them is false; a
test at the 5% level should tell one in 5% of the simulations. Scores go the way of recorded jobs: through the code that
chooses settings, compares, corrects for the number of comparisons and gives intervals.

Each row of a table is {simulations:,} simulated data sets, of 200 rows unless the table says 80; {BATCH} at a time
share their splits. In brackets: exact 95% confidence interval (Clopper and Pearson). *Bias* is the candidate's score
minus its true accuracy, the expected one when trained on a training part, in points (0.01 of accuracy; standard error
at most {100 * error:.2f}). *Score's interval* says how often the 95% interval of the candidate's own score held its
true accuracy. Where two candidates are equal, the interval of their difference misses the truth exactly when a
difference is told, so it held it in all other simulations. Columns in italics are for contrast: that is not what the
program does."""


def _in_short(proof: Proof) -> str:
    learnable, noise = (
        _span(one.rate("false").share for one in proof.equal if one.is_learnable is kind) for kind in (True, False)
    )
    wrong = _span(one.rate("false").share for one in (*proof.different, *proof.mixed))
    held = _span(one.rate("covered").share for one in (*proof.different, *proof.mixed))
    as_printed = [one for one in proof.different if abs(_gap(one) / one.mean("detectable") - 1) < NEAR]
    power = (
        f" A difference within {NEAR:.0%} of the smallest that the program says it could show with a probability of "
        f"80% was found in {_span(one.rate('found').share for one in as_printed)}."
        if as_printed
        else ""
    )
    return f"""\
**In short.** Where there is no difference, one is told in {learnable} of the simulations with learnable data and in
{noise} with noise, instead of 5%, depending on procedure, folds and repeats. Where there is one, it is told the wrong
way round in {wrong}, and intervals hold the true differences in {held}.{power}"""


def _fixed(equal: Sequence[list[Measured]]) -> str:
    rows = [
        (
            *_where(one),
            _rate(one.rate("false")),
            _points(one.mean("bias")),
            _share(one.rate("score_covered")),
            _rate(one.rate("contrast_found")),
        )
        for group in equal
        for one in group
        if one.study.procedure == "fixed"
    ]
    headers = (*_WHERE, "False differences", "Bias", "Score's interval", "*Plain paired t-test: false*")
    return f"""\
## No difference: one setting each

{_table(headers, rows)}

The plain paired t-test takes folds for independent although their training parts overlap; the more often
cross-validation is repeated, the surer it is of differences that do not exist. The corrected one (Nadeau and Bengio
2003) adds the overlap to the variance as n_test / n_train, which is an approximation."""


def _choices(equal: Sequence[list[Measured]]) -> str:
    rows = []
    for group in equal:
        found = {(one.study.procedure, one.study.size): one for one in group}
        for size in sorted({size for procedure, size in found if procedure == "other folds"}):
            other, nested = found["other folds", size], found.get(("nested", size))
            honest: list[str] = []
            for one in (other, nested):
                honest += [_MISSING] * 3 if one is None else _honest(one)
            contrast = (_rate(other.rate("contrast_found")), _points(other.mean("contrast_bias")))
            rows.append((*_where(other), str(size), *honest, *contrast))
    headers = (
        *(*_WHERE, "Settings"),
        *("Other folds: false", "Bias", "Score's interval"),
        *("Nested: false", "Bias", "Score's interval"),
        *("*On the scoring folds: false*", "*Bias*"),
    )
    return f"""\
## No difference: the best of several settings

A candidate with 9 or 25 settings of equal skill against one with a single setting. The setting of each fold is chosen
by the other folds of the same repeat and seed (the default), or nested, by {INNER_FOLDS} folds inside its training part
(`cv.inner_folds={INNER_FOLDS}`).

{_table(headers, rows)}"""


def _families(equal: Sequence[list[Measured]]) -> str:
    def rows(procedure: str) -> list[tuple[str, ...]]:
        return [
            (
                *(*_where(one), str(one.study.size)),
                *(_rate(one.rate("false")), _share(one.rate("covered"))),
                *([_points(one.mean("bias"))] if procedure == "best" else []),
                _rate(one.rate("contrast_found")),
            )
            for group in equal
            for one in group
            if one.study.procedure == procedure
        ]

    named = (*_WHERE, "Baselines", "False differences", "Intervals all hold", "*Uncorrected: false*")
    best = (*_WHERE, "Candidates", "False differences", "Intervals all hold", "Bias of the best")
    return f"""\
## No difference: three named baselines

Four equal candidates, of which one is compared with the other three. A false difference is at least one of the three.

{_table(named, rows("named"))}

## No difference: the best as the yardstick

Equal candidates, the others compared with the one that came out best; all pairs are corrected for. A false difference
is at least one. For contrast Holm's method over the comparisons that are told only, as if the best had been named
beforehand.

{_table((*best, "*Told pairs only: false*"), rows("best"))}"""


def _across(across: Sequence[MeasuredAcross]) -> str:
    rows = [
        ("learnable, some harder" if one.is_learnable else "noise", str(one.sets), _rate(one.rate)) for one in across
    ]
    return f"""\
## No difference: several data sets

Two equal learners with one setting each on several data sets, 5 × 1, compared by Wilcoxon's signed-rank test. Of 6
data sets the largest p-value below 0.05 that there can be without ties is 0.031, of 10 it is 0.049.

{_table(("Data", "Data sets", "False differences"), rows)}"""


def _power(different: Sequence[list[Measured]]) -> str:
    rows = []
    for group in different:
        found, covered = ([one.rate(field) for one in group] for field in ("found", "covered"))
        numbers = (f"{_gap(group[0]):.3f}", f"{group[0].mean('detectable'):.3f}")
        rows.append((group[0].scenario.scheme.text, *numbers, *map(_share, (*found, *covered))))
    intervals = [one.rate("found").interval for group in different for one in group]
    names = [_NAMES[one.study.procedure] for one in different[0]]
    headers = (
        *("Folds × repeats", "True difference", "Printed smallest, mean"),
        *(f"Found: {name}" for name in names),
        *(f"Interval holds it: {name}" for name in names),
    )
    return f"""\
## One true difference: power and intervals

Learnable data. A candidate against one that is worse by the true difference: with one setting, and with the best of 9
equal settings. *Printed smallest* is the difference that the program says its folds could show, with a probability of
80%; its mean is that for one setting each. The exact 95% intervals of these shares are at most
{100 * max(high - low for low, high in intervals):.1f} points wide.

{_table(headers, rows)}"""


def _gap(one: Measured) -> float:
    """The true difference between the best and the worst learner."""
    return max(one.scenario.accuracies) - min(one.scenario.accuracies)


def _mixed(mixed: Sequence[Measured]) -> str:
    rows = [
        (
            one.scenario.scheme.text,
            "three named baselines" if one.study.procedure == "named" else f"best of {one.study.size}",
            f"{min(one.scenario.accuracies):.3f} to {max(one.scenario.accuracies):.3f}",
            _rate(one.rate("false")),
            _rate(one.rate("covered")),
            _share(one.rate("found")),
        )
        for one in mixed
    ]
    headers = ("Folds × repeats", "Family", "True accuracies", "Wrong direction", "Intervals all hold", "Any found")
    return f"""\
## Several true differences

Learnable data. Either a network that is much better than one of three named baselines, a little better than the second
and a little worse than the third; or candidates spread evenly, compared with the one that came out best. A wrong
direction is a difference told the other way round.

{_table(headers, rows)}"""


def _outside(proof: Proof) -> str:
    rates = [
        _Told(
            _NAMES[one.study.procedure], f"{_sized(one.study)}{_data(one)}", one.is_learnable, one.rate("false").share
        )
        for one in proof.equal
    ]
    rates += [
        _Told("several data sets", f"{one.sets}, {_kind(one)}", one.is_learnable, one.rate.share)
        for one in proof.across
    ]
    low = [one for one in rates if one.share < LOWEST]
    high = [one for one in rates if one.share > HIGHEST]
    parts = [f"## Rates of false differences outside {LOWEST:.0%} to {HIGHEST:.0%}"]
    if low:
        parts.append(
            f"Below {LOWEST:.0%}, {len(low)} of {len(rates)} rates: the comparison is more careful than it says. What "
            "it tells is the surer, and what is there is the more easily missed."
        )
        parts.append(_list(low))
    if high:
        noise = "" if any(one.is_learnable for one in high) else " All are in noise, where nothing can be learned."
        parts.append(
            f"Above {HIGHEST:.0%}, {len(high)} of {len(rates)} rates: the comparison tells too much, and a p-value "
            f"just below 0.05 is weaker than it looks.{noise}"
        )
        parts.append(_list(high))
    parts.append(
        "So the program ends its answer with what was measured here of its procedures, with the nearest folds and "
        "repeats, wherever that lies outside."
        if low or high
        else "None."
    )
    return "\n\n".join(parts)


def _bias_against_coverage(equal: Sequence[Measured]) -> str:
    def said(procedure: str) -> str:
        ones = [one for one in equal if one.study.procedure == procedure]
        learnable, noise = (
            _points_span(one.mean("bias") for one in ones if one.is_learnable is kind) for kind in (True, False)
        )
        return (
            f"- {_NAMES[procedure]}: bias {learnable} points in learnable data and {noise} in noise; the interval of "
            f"the difference held the truth in {_span(one.rate('covered').share for one in ones)}, that of the score "
            f"in {_span(one.rate('score_covered').share for one in ones)}."
        )

    contrast = _points_span(one.mean("contrast_bias") for one in equal if one.study.procedure == "other folds")
    return f"""\
## Bias against coverage

Over all rows above without a difference:

{said("fixed")}
{said("other folds")}
{said("nested")}
- chosen on the folds that score it, which is not done: bias {contrast} points.

The other folds were scored by learners that had trained on the rows of the fold that is scored, so a setting that they
choose is flattered a little there. {INNER_FOLDS} folds inside the training part know nothing of those rows, and cost
{INNER_FOLDS + 1} times the training: where a score itself is to be reported, and not only compared, nested choice
(`cv.inner_folds`) is the better one."""


class _Told(NamedTuple):
    """A rate of false differences: of which procedure, where, on what data."""

    procedure: str
    where: str
    is_learnable: bool
    share: float


_WHERE = ("Data", "Rows", "Folds × repeats")


def _where(one: Measured) -> tuple[str, str, str]:
    return _kind(one), str(one.scenario.scheme.rows), one.scenario.scheme.text


def _kind(one: Measured | MeasuredAcross) -> str:
    return "learnable" if one.is_learnable else "noise"


def _data(one: Measured) -> str:
    data, rows, scheme = _where(one)
    return f"{scheme}, {data}" + (f", {rows} rows" if rows != "200" else "")


def _sized(study: Study) -> str:
    return {"fixed": "", "named": "", "best": f"of {study.size}, "}.get(study.procedure, f"{study.size} settings, ")


def _honest(one: Measured) -> list[str]:
    return [_rate(one.rate("false")), _points(one.mean("bias")), _share(one.rate("score_covered"))]


def _by_scenario(found: Iterable[Measured]) -> list[list[Measured]]:
    groups: dict[Scenario, list[Measured]] = {}
    for one in found:
        groups.setdefault(one.scenario, []).append(one)
    return list(groups.values())


def _list(rates: Sequence[_Told]) -> str:
    groups: dict[str, list[str]] = {}
    for one in rates:
        groups.setdefault(one.procedure, []).append(f"{one.share:.1%} ({one.where})")
    return "\n".join(f"- {procedure}: {listed(each)}." for procedure, each in groups.items())


def _table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headers, ["---" if header in ("Data", "Family") else "---:" for header in headers], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _rate(rate: Rate) -> str:
    low, high = rate.interval
    return f"{rate.share:.1%} ({low:.1%} to {high:.1%})"


def _share(rate: Rate) -> str:
    return f"{rate.share:.1%}"


def _points(value: float) -> str:
    """A difference of accuracies in points, with its sign."""
    text = f"{100 * value:+.1f}".replace("-", "−")
    return text if float(text[1:]) else text[1:]


def _span(values: Iterable[float]) -> str:
    return _between(values, lambda value: f"{value:.1%}")


def _points_span(values: Iterable[float]) -> str:
    return _between(values, _points)


def _between(values: Iterable[float], text: Callable[[float], str]) -> str:
    found = sorted(values)
    return f"{text(found[0])} to {text(found[-1])}"
