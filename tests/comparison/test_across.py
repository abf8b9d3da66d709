"""Several data sets together, against Demšar's worked examples, scipy and baycomp."""

import math
from collections.abc import Sequence
from itertools import product

import baycomp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from src.comparison.across import AcrossData, critical_difference, signed_rank_posterior, wilcoxon
from tests.sweeps import model, outcome_of

# AUC of four variants of C4.5 on 14 data sets (Demšar, JMLR 7, 2006, table 6; "voting" with a digit more for its ranks)
C45 = (0.763, 0.599, 0.954, 0.628, 0.882, 0.936, 0.661, 0.583, 0.775, 1.000, 0.940, 0.619, 0.972, 0.957)
C45_M = (0.768, 0.591, 0.971, 0.661, 0.888, 0.931, 0.668, 0.583, 0.838, 1.000, 0.962, 0.666, 0.981, 0.978)
C45_CF = (0.771, 0.590, 0.968, 0.654, 0.886, 0.916, 0.609, 0.563, 0.866, 1.000, 0.965, 0.614, 0.9751, 0.946)
C45_M_CF = (0.798, 0.569, 0.967, 0.657, 0.898, 0.931, 0.685, 0.625, 0.875, 1.000, 0.962, 0.669, 0.9749, 0.970)
DEMSAR = {"bp": C45, "logistic": C45_M, "softmax": C45_CF, "sklearn_logistic": C45_M_CF}


def across_if_any(scores: dict[str, Sequence[float]], **options: object) -> AcrossData | None:
    """What the mean scores of models on several data sets say together."""
    jobs = [
        model(name, (score,) * 5, rows=2000, dataset=f"set {place}", data=f"{place:02}" * 32, folds=str(place))
        for name, values in scores.items()
        for place, score in enumerate(values)
    ]
    return outcome_of(jobs, **options).across


def across(scores: dict[str, Sequence[float]], **options: object) -> AcrossData:
    found = across_if_any(scores, **options)
    assert found is not None
    return found


def test_ranks_are_those_of_demsars_example() -> None:
    found = across(DEMSAR)
    ranks = dict(zip(found.names, found.ranks, strict=True))
    assert found.names == ("sklearn_logistic", "logistic", "softmax", "bp")
    assert {name: round(rank, 3) for name, rank in ranks.items()} == {
        "bp": 3.143,
        "logistic": 2.000,
        "softmax": 2.893,
        "sklearn_logistic": 1.964,
    }
    assert found.scores[found.names.index("bp")] == pytest.approx(C45)
    # Table 5 gives q = 2.569 for four: 2.569 sqrt(4 * 5 / (6 * 14)) = 1.25
    assert found.critical_difference == pytest.approx(1.25, abs=0.005)
    assert found.friedman == pytest.approx(stats.friedmanchisquare(*DEMSAR.values()).pvalue)
    assert (found.is_tested, len(found.data), found.left_out) == (True, 14, ())


def test_pairs_are_tested_by_wilcoxon_with_holms_correction() -> None:
    found = across(DEMSAR)
    assert [(one.model, one.baseline) for one in found.pairs] == [
        ("bp", name) for name in ("sklearn_logistic", "logistic", "softmax")
    ]
    assert found.tests == 3
    assert [one.p_holm for one in found.pairs] == pytest.approx(
        multipletests([one.p for one in found.pairs], method="holm")[1]
    )
    pair = next(one for one in found.pairs if one.baseline == "logistic")
    assert (pair.wins, pair.losses) == (2, 10)
    assert pair.difference == pytest.approx(np.mean(np.subtract(C45, C45_M)))
    # Demšar finds T = 12 for N = 14, below the critical value 21 of the 5 % level.
    assert pair.p is not None
    assert pair.p < 0.05
    assert pair.is_difference == (pair.p_holm is not None and pair.p_holm <= 0.05)


def test_without_named_baselines_all_pairs_are_corrected_for() -> None:
    jobs = [
        model("bp", (0.8 - l2 / 10 + place / 100,) * 5, {"l2": l2}, dataset=str(place), data=f"{place:02}" * 32)
        for l2 in (0.0, 0.1, 0.2)
        for place in range(7)
    ]
    found = outcome_of(jobs).across
    assert found is not None
    assert found.names == ("l2=0", "l2=0.1", "l2=0.2")
    assert [(one.model, one.baseline) for one in found.pairs] == [("l2=0.1", "l2=0"), ("l2=0.2", "l2=0")]
    assert found.tests == 3
    # All signs alike: 2 of 2^7; of three equal ones Holm multiplies by 3.
    assert [(one.p, one.p_holm) for one in found.pairs] == [(2 / 2**7, pytest.approx(6 / 2**7))] * 2
    assert all(one.is_difference and one.losses == 7 for one in found.pairs)


@pytest.mark.parametrize(
    "candidates, q", [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (6, 2.850), (7, 2.949), (8, 3.031), (10, 3.164)]
)
def test_the_critical_difference_is_that_of_demsars_table_5(candidates: int, q: float) -> None:
    expected = q * math.sqrt(candidates * (candidates + 1) / (6 * 20))
    assert critical_difference(candidates, 20) == pytest.approx(expected, rel=3e-4)


@settings(max_examples=15)
@given(st.lists(st.integers(-4, 4), min_size=6, max_size=8))
def test_wilcoxon_goes_through_all_signs(differences: list[int]) -> None:
    """Against a count of all signs, zeros and ties among them (Pratt: zeros are ranked, and have no sign)."""
    values = np.array(differences) / 64
    ranks = stats.rankdata(np.abs(values)) * (values != 0)
    found = abs(np.sum(np.sign(values) * ranks))
    signs = np.array(list(product((-1, 1), repeat=len(values))))
    assert wilcoxon(values, np.zeros(len(values))) == pytest.approx(np.mean(np.abs(signs @ ranks) >= found - 1e-9))


@pytest.mark.parametrize("count, method", [(6, "exact"), (9, "exact"), (13, "exact"), (40, "auto")])
def test_wilcoxon_is_scipys_without_ties_and_zeros(count: int, method: str) -> None:
    random = np.random.default_rng(count)
    ours, theirs = random.random(count) + 0.1, random.random(count)
    assert wilcoxon(ours, theirs) == pytest.approx(stats.wilcoxon(ours, theirs, method=method).pvalue, rel=1e-9)
    assert wilcoxon(ours, ours) == 1


def test_among_many_data_sets_those_without_a_difference_are_ranked_too() -> None:
    """Six zeros take the ranks 1 to 6, so that those of 1, ..., -7, 8, 9 are 7 to 15: 73 in all, of variance 1149."""
    values = np.array([0] * 6 + [1, 2, 3, 4, 5, 6, -7, 8, 9]) / 64
    assert wilcoxon(values, np.zeros(15)) == pytest.approx(math.erfc(73 / math.sqrt(1149) / math.sqrt(2)), rel=1e-9)


@pytest.mark.parametrize("rope", [0.0, 0.01])
@pytest.mark.parametrize("shift", [0.0, 0.01, 0.03])
def test_the_signed_rank_posterior_is_baycomps(shift: float, rope: float) -> None:
    differences = np.round(shift + 0.02 * np.random.default_rng(5).standard_normal(9), 3)
    samples = 4000
    peer = baycomp.SignedRankTest.probs(np.zeros(9), differences, rope, nsamples=samples, random_state=1)
    below, inside, above = peer if rope else (peer[0], 0.0, peer[1])
    found = signed_rank_posterior(differences, rope)
    error = 4 * math.sqrt(0.25 * (1 / samples + 1 / 50_000))
    assert (found.below, found.inside, found.above) == pytest.approx((below, inside, above), abs=error)
    turned = signed_rank_posterior(-differences, rope)
    assert (turned.above, turned.below) == pytest.approx((found.below, found.above), abs=0.02)


def test_of_a_loss_a_lower_one_is_better() -> None:
    scores = {"bp": [0.9, 0.8, 0.7, 0.9, 0.8, 0.7, 0.9], "softmax": [0.8, 0.7, 0.6, 0.8, 0.7, 0.6, 0.7]}
    by_accuracy, by_loss = (across(scores, metric=metric) for metric in ("accuracy", "log_loss"))
    assert by_accuracy.names == by_loss.names == ("bp", "softmax")
    assert by_accuracy.friedman is by_accuracy.critical_difference is None  # of two there is nothing to be joined
    (one,), (other,) = by_accuracy.pairs, by_loss.pairs
    assert (one.wins, other.wins, one.losses, other.losses) == (7, 7, 0, 0)
    assert one.difference == pytest.approx(-other.difference)
    assert one.p == other.p == 2 / 2**7
    assert one.p_better is not None
    assert other.p_better is not None
    assert min(one.p_better, other.p_better) > 0.95
    assert other.p_equal == 0  # log loss has no region of equivalence


@pytest.mark.parametrize("count", [3, 5])
def test_too_few_data_sets_are_ranked_and_not_tested(count: int) -> None:
    found = across({"bp": [0.9] * count, "softmax": [0.8] * count, "logistic": [0.7] * count})
    assert not found.is_tested
    assert found.friedman is found.critical_difference is None
    assert {(one.p, one.p_holm, one.p_better) for one in found.pairs} == {(None, None, None)}
    assert found.ranks.tolist() == [1, 2, 3]
    assert [one.wins for one in found.pairs] == [count, count]
    assert not any(one.is_difference for one in found.pairs)


def test_no_critical_difference_follows_where_friedmans_test_shows_nothing() -> None:
    """Ranks that Nemenyi's test alone would tell apart: 2.33 between first and last, and Friedman's p above 0.05."""
    ranks = np.array([[1, 2, 3, 4], [1, 2, 3, 4], [1, 3, 2, 4], [2, 1, 3, 4], [4, 2, 3, 1], [1, 4, 3, 2]])
    names = ("bp", "logistic", "softmax", "sklearn_logistic")
    found = across({name: (1 - row / 10).tolist() for name, row in zip(names, ranks.T, strict=True)})
    assert found.friedman == pytest.approx(stats.friedmanchisquare(*-ranks.T).pvalue)
    assert found.friedman > 0.05
    assert found.critical_difference is None


@pytest.mark.parametrize("count, pairs, can", [(6, 1, True), (6, 2, False), (7, 3, True), (8, 3, True)])
def test_whether_the_tests_can_show_anything_is_whether_the_clearest_data_do(count: int, pairs: int, can: bool) -> None:
    names = ("softmax", "logistic", "sklearn_logistic")[:pairs]
    found = across({"bp": [0.9] * count, **{name: [0.8] * count for name in names}})
    assert found.tests == pairs
    assert found.can_show is can is any(one.is_difference for one in found.pairs)
    assert min(one.p_holm for one in found.pairs if one.p_holm is not None) == pytest.approx(found.least_p_holm)


def test_equals_share_their_rank_and_six_equal_sets_show_nothing() -> None:
    found = across({"bp": [0.8] * 6, "softmax": [0.8] * 6, "logistic": [0.8] * 6})
    assert found.ranks.tolist() == [2, 2, 2]
    assert found.friedman == 1
    assert {one.p for one in found.pairs} == {1}


def test_who_is_not_on_every_data_set_is_left_out() -> None:
    found = across({"bp": [0.9] * 4, "softmax": [0.8] * 4, "logistic": [0.95] * 3})
    assert found.names == ("bp", "softmax")
    assert found.left_out == ("logistic",)


@pytest.mark.parametrize("scores", [{"bp": [0.9] * 2, "softmax": [0.8] * 2}, {"bp": [0.9] * 4}])
def test_two_data_sets_or_one_candidate_say_nothing_together(scores: dict[str, list[float]]) -> None:
    assert across_if_any(scores) is None
