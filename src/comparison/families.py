"""Comparisons of the candidates of one data set, corrected for all that were looked at.

- Against yardsticks named beforehand (the network against every other model, or `comparison.baselines`): p-values by
  Holm over these comparisons.
- Where there is no such yardstick it is the best candidate. It was picked because it was best, so p-values are by Holm
  over all k(k - 1)/2 pairs of candidates, of which those with the best are told.

Intervals are simultaneous for the same family: Bonferroni's for the number of tests, and where Holm's method finds a
difference that Bonferroni's interval does not, the interval ends at zero (compatible with Holm's decisions:
Strassburger and Bretz, Statistics in Medicine 27:4914, 2008). So an interval and a verdict never disagree.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from src.comparison.candidates import MOST_SETTINGS, NETWORK, Candidate, difference
from src.comparison.errors import ComparisonError
from src.comparison.jobs import FloatArray
from src.comparison.naming import candidate_names, label_of
from src.config.kinds import Kind
from src.config.messages import bad_value
from src.config.schema import ComparisonConfig
from src.errors import UserError
from src.evaluation.metrics import higher_is_better, metric_of
from src.evaluation.significance import PairedDifference, holm
from src.language import say

Verdict = Literal["better", "worse", "equal", "undecided", "identical"]
Yardstick = Literal["named", "best"]

ROPE_OF_SHARES = 0.01


@dataclass(frozen=True, eq=False)
class Comparison:
    """A candidate against a baseline, on the same rows of the same folds.

    Attributes
    ----------
    data, model, baseline, metric : the data set, the candidates' names, what was scored.
    on_folds : model minus baseline on each fold, shape (J,).
    difference, low, high : its mean, and the interval that is simultaneous for the family. For log loss a negative one
        is the better.
    t, df, p, p_holm : corrected resampled t-test, two-sided; p after Holm's correction for the family.
    p_worse, p_equal, p_better : Bayesian correlated t-test: probability that the model is worse than the baseline,
        equal within the region of practical equivalence, better. Without such a region p_equal is 0.
    verdict : better or worse if Holm's p is significant; else equal in practice if that is as probable as the
        confidence; identical where no fold's scores differ and the metric has no step that one row would make.
    within_rope : whether the whole interval lies inside the region of practical equivalence.
    detectable, detectable_at_best : the smallest true difference that a test of this family finds on such folds with a
        probability of 80 %, now and with ever more repeats.
    confidence, rope : of intervals and verdicts, e.g. 0.95; half the width of the region of practical equivalence, None
        for none.
    tests : the number of comparisons that it is corrected for.
    """

    data: str
    model: str
    baseline: str
    metric: str
    on_folds: FloatArray
    difference: float
    low: float
    high: float
    t: float
    df: int
    p: float
    p_holm: float
    p_worse: float
    p_equal: float
    p_better: float
    verdict: Verdict
    within_rope: bool
    detectable: float
    detectable_at_best: float
    confidence: float
    rope: float | None
    tests: int

    @property
    def is_difference(self) -> bool:
        """Whether it shows that one is better."""
        return self.verdict in ("better", "worse")


@dataclass(frozen=True, eq=False)
class Family:
    """The comparisons of one data set.

    Attributes
    ----------
    data, candidates : what the data set is called; all that is compared on it, best first.
    comparisons : those that are told.
    tests : the number of comparisons that they are corrected for.
    yardstick : whether the baselines were named beforehand, or picked as the best.
    refusal : why nothing is compared although there are several candidates; None where it is.
    """

    data: str
    candidates: tuple[Candidate, ...]
    comparisons: tuple[Comparison, ...] = ()
    tests: int = 0
    yardstick: Yardstick = "named"
    refusal: str | None = None


def named_baselines(candidates: Sequence[Candidate], baselines: Sequence[str]) -> list[str]:
    """The candidates that are yardsticks without regard to their scores; none where the best is to be one.

    `baselines` is the key `comparison.baselines`.
    """
    if baselines:
        return [one.name for one in candidates if one.name in map(label_of, baselines)]
    models = {one.model for one in candidates}
    if NETWORK in models and len(models) > 1:
        return [one.name for one in candidates if one.model != NETWORK]
    return []


def check_baselines(baselines: Sequence[str], flats_by_data: Iterable[Sequence[Mapping[str, Any]]]) -> None:
    """Raise ComparisonError if `comparison.baselines` name no candidate, or leave nothing to compare with them.

    `flats_by_data` holds `RecordedJob.flat` of the jobs of each data set.
    """
    names_by_data = [candidate_names(flats, MOST_SETTINGS) for flats in flats_by_data]
    candidates = tuple(dict.fromkeys(name for names in names_by_data for name in names))
    for name in baselines:
        if label_of(name) not in candidates:
            known = Kind("among what is compared", candidates)
            raise ComparisonError(bad_value("comparison.baselines", name, known))
    if baselines and all(set(names) <= set(map(label_of, baselines)) for names in names_by_data):
        raise ComparisonError(
            f"comparison.baselines: {', '.join(baselines)} leaves nothing to compare with them. "
            f"({', '.join(candidates)})"
        )


def compare(data: str, candidates: Sequence[Candidate], options: ComparisonConfig) -> Family:
    """Compare the candidates of one data set, which come best first."""
    family = Family(data, tuple(candidates))
    if len(candidates) < 2:
        return family
    by_name = {candidate.name: candidate for candidate in candidates}
    yardsticks = named_baselines(candidates, options.baselines)
    if options.baselines and not 0 < len(yardsticks) < len(candidates):
        which = say(", ").join(by_name)
        alone = say("on {data} there is only {models}, and no baseline beside it.", data=data, models=which)
        return replace(family, refusal=alone)
    told, tested = pairs(list(by_name), yardsticks)
    try:
        differences = {(one, other): _difference(by_name[one], by_name[other], options.metric) for one, other in tested}
    except UserError as problem:
        return replace(family, refusal=str(problem))
    adjusted = dict(zip(tested, holm([one.p for one in differences.values()]), strict=True))
    comparisons = tuple(
        _comparison(by_name[one], by_name[other], differences[one, other], adjusted[one, other], options, len(tested))
        for one, other in told
    )
    yardstick: Yardstick = "named" if yardsticks else "best"
    return replace(family, comparisons=comparisons, tests=len(tested), yardstick=yardstick)


def pairs(names: Sequence[str], yardsticks: Sequence[str]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The pairs that are told, model and baseline, and those that they are corrected for; `names` are best first."""
    if yardsticks:
        named = [(name, other) for name in names if name not in yardsticks for other in yardsticks]
        return named, named
    best, *others = names
    return [(name, best) for name in others], [(name, other) for other, name in itertools.combinations(names, 2)]


def rope_of(options: ComparisonConfig) -> float | None:
    """Half the width of the region of practical equivalence: 0.01 for shares unless set, none for what is no share."""
    if options.rope is not None:
        return options.rope
    return ROPE_OF_SHARES if metric_of(options.metric).is_share else None


def _difference(ours: Candidate, theirs: Candidate, metric: str) -> PairedDifference:
    if ours.best.folds_digest != theirs.best.folds_digest:
        raise ComparisonError(
            say(
                "'{model}' and '{baseline}' were scored on different folds; compare models of the same data, seed and "
                "cv settings.",
                model=ours.name,
                baseline=theirs.name,
            )
        )
    return difference(ours.best, ours.scores, theirs.scores, metric)


def _comparison(
    ours: Candidate, theirs: Candidate, found: PairedDifference, p_holm: float, options: ComparisonConfig, tests: int
) -> Comparison:
    alpha, rope = 1 - options.confidence, rope_of(options)
    low, high = found.interval(alpha / tests)
    upward = higher_is_better(options.metric)
    posterior = found.posterior(rope or 0.0)
    differs = p_holm <= alpha
    if differs:  # what Holm finds and Bonferroni does not
        low, high = (max(low, 0.0), high) if found.mean > 0 else (low, min(high, 0.0))
    verdict: Verdict
    if differs:
        verdict = "better" if (found.mean > 0) == upward else "worse"
    elif found.is_identical:
        verdict = "identical"
    elif rope is not None and found.variance and posterior.inside >= options.confidence:
        verdict = "equal"
    else:
        verdict = "undecided"
    return Comparison(
        data=ours.data,
        model=ours.name,
        baseline=theirs.name,
        metric=options.metric,
        on_folds=ours.scores - theirs.scores,
        difference=found.mean,
        low=low,
        high=high,
        t=found.t,
        df=found.df,
        p=found.p,
        p_holm=p_holm,
        p_worse=posterior.below if upward else posterior.above,
        p_equal=posterior.inside if rope is not None else 0.0,
        p_better=posterior.above if upward else posterior.below,
        verdict=verdict,
        within_rope=rope is not None and -rope < low and high < rope,
        detectable=found.detectable(alpha / tests),
        detectable_at_best=found.detectable_at_best(alpha / tests),
        confidence=options.confidence,
        rope=rope,
        tests=tests,
    )
