"""The difference of two models' fold scores, against its peers, published numbers and worked examples."""

import math

import baycomp
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats
from sklearn.datasets import make_moons
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
from sklearn.svm import SVC
from statsmodels.stats import contingency_tables, proportion
from statsmodels.stats.multitest import multipletests

from src.errors import UserError
from src.evaluation.shares import wilson_interval
from src.evaluation.significance import PairedDifference, holm, mcnemar, paired_difference


@st.composite
def paired_scores(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, int, int]:
    """Scores of two models on folds * repeats folds, in 64ths, so that their differences are exact."""
    folds, repeats = draw(st.integers(2, 10)), draw(st.integers(1, 4))
    scores = st.lists(st.integers(0, 64), min_size=folds * repeats, max_size=folds * repeats)
    ours, theirs = np.array(draw(scores)) / 64, np.array(draw(scores)) / 64
    assume(np.ptp(ours - theirs) > 0)
    return ours, theirs, folds, repeats


def test_published_numbers_of_scikit_learns_example() -> None:
    """ "Statistical comparison of models using grid search", scikit-learn's examples: rbf against linear kernel."""
    X, y = make_moons(noise=0.352, random_state=1, n_samples=100)
    splits = RepeatedStratifiedKFold(n_splits=10, n_repeats=10, random_state=0)
    rbf, linear = (cross_val_score(SVC(kernel=k), X, y, cv=splits, scoring="roc_auc") for k in ("rbf", "linear"))
    found = paired_difference(rbf, linear, n_train=90, n_test=10)
    assert (round(found.t, 3), round(found.p / 2, 3)) == (0.750, 0.227)  # the example's p is one-sided
    published = {0.50: (0.000977, 0.019023), 0.75: (-0.005422, 0.025422), 0.95: (-0.016445, 0.036445)}
    for confidence, (low, high) in published.items():
        assert found.interval(1 - confidence) == pytest.approx((low, high), abs=5e-7)
    posterior = found.posterior(0.01)
    assert (round(posterior.below, 3), round(posterior.inside, 2)) == (0.068, 0.43)


def test_worked_by_hand() -> None:
    # d = 0.02, 0.04, 0, 0.03, 0.01: mean 0.02, s² = 0.00025; t = 0.02 / sqrt((1/5 + 20/80) 0.00025) = 4/3 sqrt(2)
    found = paired_difference([0.82, 0.84, 0.80, 0.83, 0.81], [0.80] * 5, n_train=80, n_test=20)
    t = 4 / 3 * math.sqrt(2)
    # Distribution function of Student's t with 4 degrees of freedom in closed form.
    cdf = 0.5 + 3 / 8 * t / math.sqrt(1 + t**2 / 4) * (1 - t**2 / (1 + t**2 / 4) / 12)
    assert (found.mean, found.t, found.df, found.p) == pytest.approx((0.02, t, 4, 2 * (1 - cdf)), rel=1e-12)
    half_width = 2.7764451051977987 * 0.02 / t  # 97.5 % quantile of t with 4 degrees of freedom, from tables
    assert found.interval(0.05) == pytest.approx((0.02 - half_width, 0.02 + half_width), rel=1e-12)


@given(paired_scores(), st.sampled_from([0.0, 0.01, 0.2]))
def test_statistics_and_posterior_are_baycomps(paired, rope: float) -> None:
    ours, theirs, folds, repeats = paired
    found = paired_difference(ours, theirs, n_train=folds - 1, n_test=1)
    mean, variance, df = baycomp.CorrelatedTTest.compute_statistics(theirs, ours, repeats)
    assert (found.mean, found.standard_error**2, found.df) == pytest.approx((mean, variance, df), rel=1e-12, abs=1e-15)
    expected = baycomp.CorrelatedTTest.probs(theirs, ours, rope, repeats)
    if rope == 0:
        expected = expected[0], 0.0, expected[1]
    posterior = found.posterior(rope)
    assert (posterior.below, posterior.inside, posterior.above) == pytest.approx(expected, rel=0, abs=1e-12)


@given(paired_scores(), st.floats(0.001, 0.5))
def test_without_overlap_it_is_the_paired_t_test(paired, level: float) -> None:
    ours, theirs, *_ = paired
    found = paired_difference(ours, theirs, n_train=100, n_test=0)
    peer = stats.ttest_rel(ours, theirs)
    interval = peer.confidence_interval(1 - level)
    assert (found.t, found.p, found.df) == pytest.approx((peer.statistic, peer.pvalue, peer.df), rel=1e-9, abs=1e-12)
    assert found.interval(level) == pytest.approx((interval.low, interval.high), rel=1e-9, abs=1e-12)


@given(paired_scores(), st.floats(0.001, 0.5), st.sampled_from([0.0, 0.1]))
def test_the_interval_excludes_zero_exactly_when_p_is_below_its_level(paired, level: float, step: float) -> None:
    ours, theirs, folds, _ = paired
    found = paired_difference(ours, theirs, n_train=folds - 1, n_test=1, step=step)
    low, high = found.interval(level)
    assume(abs(found.p - level) > 1e-9)
    assert (low > 0 or high < 0) == (found.p < level)


@given(paired_scores(), st.sampled_from([0.0, 0.1]))
def test_exchanging_the_models_mirrors_everything(paired, step: float) -> None:
    ours, theirs, folds, _ = paired
    sizes = {"n_train": folds - 1, "n_test": 1, "step": step}
    found, turned = paired_difference(ours, theirs, **sizes), paired_difference(theirs, ours, **sizes)
    assert (found.t, found.p, found.detectable(0.05)) == pytest.approx((-turned.t, turned.p, turned.detectable(0.05)))
    assert found.interval(0.1) == pytest.approx(tuple(-end for end in reversed(turned.interval(0.1))))
    one, other = found.posterior(0.02), turned.posterior(0.02)
    assert (one.below, one.inside) == pytest.approx((other.above, other.inside))
    assert one.below + one.inside + one.above == pytest.approx(1.0, abs=1e-14)


@pytest.mark.parametrize("seed", range(5))
def test_holm_against_statsmodels(seed: int) -> None:
    """Ties, zeros and ones among them."""
    random = np.random.default_rng(seed)
    p_values = random.choice([0.0, 1e-4, 0.01, 0.02, 0.4, 1.0, *random.random(4)], size=3 * seed + 1)
    np.testing.assert_array_equal(holm(p_values), multipletests(p_values, method="holm")[1])


def test_holm_by_hand() -> None:
    # Sorted 0.01, 0.03, 0.04: 3 × 0.01, 2 × 0.03, then 0.04 raised to the one before it.
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


# The floor of the variance


@given(paired_scores(), st.floats(0.001, 0.5))
def test_the_variance_is_no_smaller_than_that_of_one_step_in_one_fold(paired, step: float) -> None:
    ours, theirs, folds, _ = paired
    found = paired_difference(ours, theirs, n_train=folds - 1, n_test=1, step=step)
    one_step = np.zeros(len(ours))
    one_step[0] = step
    assert found.variance == pytest.approx(max(np.var(ours - theirs, ddof=1), np.var(one_step, ddof=1)))
    assert found.mean == pytest.approx(np.mean(ours - theirs))


@pytest.mark.parametrize("gap", [0.0, 0.1])
def test_folds_that_agree_are_no_certainty(gap: float) -> None:
    theirs = np.array([0.1, 0.3, 0.6, 0.7])
    found = paired_difference(theirs + gap, theirs, n_train=3, n_test=1, step=0.1)
    # t = mean / sqrt((1/4 + 1/3) step²/4), with rounding of 0.1 + 0.6 no spread of its own
    assert found.t == pytest.approx(gap / (0.1 * math.sqrt((1 / 4 + 1 / 3) / 4)))
    assert 0 < found.p <= 1
    low, high = found.interval(0.05)
    assert low < gap < high
    assert math.isfinite(low + high)
    assert not found.is_identical


def test_without_a_spread_nothing_is_known() -> None:
    theirs = np.array([0.1, 0.3, 0.6, 0.7])
    assert np.ptp(theirs + 0.1 - theirs) > 0  # by rounding alone
    for gap in (0.0, 0.1):
        found = paired_difference(theirs + gap, theirs, n_train=3, n_test=1)
        assert (found.t, found.p, found.variance) == (0, 1, 0)
        assert found.interval(0.05) == (-math.inf, math.inf)
        assert found.is_identical == (gap == 0)
        probabilities = [found.posterior(0.2).below, found.posterior(0.2).inside, found.posterior(0.2).above]
        np.testing.assert_array_equal(probabilities, [0, 1, 0] if gap == 0 else [np.nan] * 3)


def test_scores_that_differ_by_rounding_only_do_not_differ() -> None:
    theirs = np.array([0.1 + 0.2, 0.7, 0.9])
    assert theirs[0] != 0.3
    assert paired_difference([0.3, 0.7, 0.9], theirs, n_train=2, n_test=1).is_identical


# What could have been seen


@pytest.mark.parametrize("folds, level", [(3, 0.05), (5, 0.05 / 6), (10, 0.05), (100, 0.2)])
def test_the_detectable_difference_is_found_with_a_power_of_80_percent(folds: int, level: float) -> None:
    found = PairedDifference(mean=0.01, variance=0.02**2, folds=folds, overlap=1 / 9)
    critical = stats.t.ppf(1 - level / 2, folds - 1)
    power = stats.nct.sf(critical, folds - 1, found.detectable(level) / found.standard_error)
    assert power == pytest.approx(0.8, abs=1e-6)
    # With ever more repeats the t distribution becomes the normal one, and 1/J goes.
    many = PairedDifference(mean=0.01, variance=0.02**2, folds=10**6, overlap=1 / 9)
    assert many.detectable(level) == pytest.approx(found.detectable_at_best(level), rel=1e-3)
    assert found.detectable_at_best(level) < found.detectable(level)


# Refusals

GOOD = [0.7, 0.8, 0.9, 0.8, 0.7]


@pytest.mark.parametrize(
    "ours, theirs, reason",
    [
        (GOOD, GOOD[:4], "5 and 4 folds"),
        ([GOOD], [GOOD], "must be of the same folds"),
        ([0.7], [0.8], "1 fold cannot show a spread; at least 2"),
        ([*GOOD[:4], math.nan], GOOD, "fold 4 has no score"),
        (GOOD, [math.inf] * 5, "fold 0 has no score"),
    ],
)
def test_what_are_no_pairs_is_refused_with_the_reason(ours, theirs, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        paired_difference(ours, theirs, n_train=80, n_test=20)


@pytest.mark.parametrize("rope", [-0.01, math.nan])
def test_a_region_cannot_be_negative(rope: float) -> None:
    found = paired_difference(GOOD, GOOD[::-1], n_train=80, n_test=20)
    with pytest.raises(UserError, match="region of practical equivalence"):
        found.posterior(rope)


@given(st.integers(0, 40), st.integers(0, 40))
def test_pairs_of_rows_are_tested_by_mcnemar_as_in_statsmodels(only_one: int, only_other: int) -> None:
    pairs = [[5, only_one], [only_other, 7]]
    expected = contingency_tables.mcnemar(pairs, exact=True).pvalue if only_one + only_other else 1.0
    assert mcnemar(only_one, only_other) == pytest.approx(expected, abs=1e-12)


@given(st.integers(1, 500), st.floats(0, 1), st.sampled_from([0.9, 0.95, 0.99]))
def test_the_interval_of_a_share_is_wilson_s_as_in_statsmodels(rows: int, share: float, level: float) -> None:
    right = round(share * rows)
    expected = proportion.proportion_confint(right, rows, alpha=1 - level, method="wilson")
    np.testing.assert_allclose(wilson_interval(right / rows, rows, level), expected, atol=1e-12)
