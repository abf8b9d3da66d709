"""Comparisons and their verdicts, corrected for all that were looked at."""

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from src.comparison.candidates import find
from src.comparison.errors import ComparisonError
from src.comparison.families import Comparison, Family, check_baselines, compare
from src.config import check
from src.config.schema import ComparisonConfig
from src.evaluation.significance import paired_difference
from src.report.words import probability
from tests.sweeps import Given, job_of, model

BP = (0.80, 0.85, 0.90, 0.75, 0.80)
WORSE = (0.78, 0.80, 0.86, 0.75, 0.79)


def asked(**options: object) -> ComparisonConfig:
    return check({"comparison": options}).comparison


def family(jobs: Sequence[Given], **options: object) -> Family:
    wanted = asked(**options)
    candidates, _ = find("made", [job_of(one) for one in jobs], wanted.metric, wanted.confidence)
    return compare("made", candidates, wanted)


def pair(ours: Sequence[float], theirs: Sequence[float], rows: int = 1000, **options: object) -> Comparison:
    """bp against softmax."""
    (one,) = family([model("bp", ours, rows=rows), model("softmax", theirs, rows=rows)], **options).comparisons
    assert (one.model, one.baseline) == ("bp", "softmax")
    return one


# Variation is never zero


@pytest.mark.parametrize(
    "rows, folds, half_width, verdict",
    [(12, 3, 0.57, "undecided"), (80, 5, 0.05, "undecided"), (569, 5, 0.007, "equal")],
    ids=["12 separable rows", "ex4", "breast cancer"],
)
def test_two_models_without_an_error_are_only_as_equal_as_their_rows_can_show(
    rows: int, folds: int, half_width: float, verdict: str
) -> None:
    one = pair([1.0] * folds, [1.0] * folds, rows)
    assert (one.difference, one.p, one.verdict) == (0, 1, verdict)
    assert (one.low, one.high) == pytest.approx((-half_width, half_width), rel=0.06)


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "macro_f1", "matthews_corrcoef"])
def test_a_constant_difference_of_one_row_in_each_fold_is_not_certain(metric: str) -> None:
    one = pair([0.75] * 3, [0.5] * 3, rows=12, metric=metric)
    # One row decided otherwise in one of three folds: s² = (1/4)²/3; t = 3 / sqrt(1 + 3/2), with 2 degrees of freedom.
    # Balanced accuracy moves as much, of two classes with 2 rows each, Matthews' correlation twice as much.
    t = 3 / math.sqrt(2.5) / (2 if metric == "matthews_corrcoef" else 1)
    assert one.t == pytest.approx(t)
    assert one.p == pytest.approx(1 - t / math.sqrt(2 + t**2))  # Student's t with 2 degrees of freedom, in closed form
    assert one.verdict == "undecided"


def test_the_floor_of_a_mean_over_classes_is_that_of_the_rarest_class() -> None:
    by_row, by_class = (
        pair([1.0] * 5, [1.0] * 5, rows=60, metric=metric) for metric in ("accuracy", "balanced_accuracy")
    )
    three = ("a", "b", "c")
    jobs = [model(name, [1.0] * 5, rows=60, classes=three) for name in ("bp", "softmax")]
    (of_three,) = family(jobs, metric="balanced_accuracy").comparisons
    assert by_class.high == pytest.approx(by_row.high)  # of two classes of 6 rows each, one row moves a recall by 1/6
    assert of_three.high == pytest.approx(by_row.high)  # of three of 4, a third of 1/4


def test_without_a_step_identical_predictions_are_told_as_such_and_nothing_else() -> None:
    one = pair(BP, BP, metric="log_loss")
    assert (one.verdict, one.difference, one.p_holm) == ("identical", 0, 1)
    assert not one.is_difference
    assert [pair(BP, BP, rows).verdict for rows in (20, 5000)] == ["undecided", "equal"]
    shifted = pair(BP, tuple(np.array(BP) + 0.1), metric="log_loss")
    assert (shifted.verdict, shifted.p) == ("undecided", 1)
    assert (shifted.low, shifted.high) == (-math.inf, math.inf)
    assert pair(BP, tuple(np.array(BP) + 0.1), metric="log_loss", rope=0.5).verdict == "undecided"


# The family


def test_named_baselines_are_corrected_for_by_holm_over_their_comparisons() -> None:
    random = np.random.default_rng(1)
    names = ("bp", "logistic", "softmax", "sklearn_logistic")
    scores = {name: 0.8 + 0.02 * random.standard_normal(10) for name in names}
    scores["bp"] = scores["bp"] + 0.03
    made = family([model(name, each, rows=5000) for name, each in scores.items()])
    assert (made.yardstick, made.tests) == ("named", 3)
    assert {(one.model, one.baseline) for one in made.comparisons} == {("bp", name) for name in names[1:]}
    pairs = [
        paired_difference(scores["bp"], scores[one.baseline], n_train=4500, n_test=500) for one in made.comparisons
    ]
    assert [one.p for one in made.comparisons] == pytest.approx([each.p for each in pairs])
    assert [one.p_holm for one in made.comparisons] == pytest.approx(
        multipletests([each.p for each in pairs], method="holm")[1]
    )
    for one, each in zip(made.comparisons, pairs, strict=True):
        bonferroni = stats.t.interval(1 - 0.05 / 3, 9, each.mean, each.standard_error)
        expected = bonferroni if not one.is_difference else (max(bonferroni[0], 0), bonferroni[1])
        assert (one.low, one.high) == pytest.approx(expected)


def test_an_interval_ends_at_zero_where_holm_finds_a_difference_that_bonferroni_does_not() -> None:
    shape = np.array([1, -1, 2, -2, 1, -1, 0, 0, 2, -2])
    pattern = 0.01 * shape / shape.std(ddof=1)
    error = 0.01 * math.sqrt(1 / 10 + 1 / 9)
    t_values = {"logistic": 6.0, "softmax": 2.9, "sklearn_logistic": 0.5}
    jobs = [model(name, 0.8 - t * error + pattern, rows=20_000) for name, t in t_values.items()]
    made = {one.baseline: one for one in family([model("bp", [0.8] * 10, rows=20_000), *jobs]).comparisons}
    assert {name: one.verdict for name, one in made.items()} == {
        "logistic": "better",
        "softmax": "better",
        "sklearn_logistic": "undecided",
    }
    lifted = made["softmax"]
    assert lifted.t == pytest.approx(2.9)
    assert 0.05 / 3 < lifted.p < lifted.p_holm < 0.05
    assert (lifted.low, lifted.high) == (0, pytest.approx((2.9 + stats.t.ppf(1 - 0.05 / 6, 9)) * error))


def test_where_the_best_is_the_yardstick_all_pairs_are_corrected_for() -> None:
    random = np.random.default_rng(2)
    scores = {l2: 0.8 + 0.04 * random.standard_normal(10) for l2 in (0.1, 0.2, 0.3, 0.4)}
    made = family([model("bp", each, {"l2": l2}, rows=5000) for l2, each in scores.items()])
    best, *others = [one.name for one in made.candidates]
    assert (made.yardstick, made.tests) == ("best", 6)
    assert [(one.model, one.baseline) for one in made.comparisons] == [(name, best) for name in others]
    of_name = {f"l2={l2}": each for l2, each in scores.items()}
    assert best == max(of_name, key=lambda name: of_name[name].mean())
    p_values = {
        frozenset(names): paired_difference(*(of_name[name] for name in names), n_train=4500, n_test=500).p
        for names in combinations(of_name, 2)
    }
    adjusted = dict(zip(p_values, multipletests(list(p_values.values()), method="holm")[1], strict=True))
    assert [one.p_holm for one in made.comparisons] == pytest.approx(
        [adjusted[frozenset((one.model, one.baseline))] for one in made.comparisons]
    )
    assert {one.tests for one in made.comparisons} == {6}


MODELS = [model(name, scores) for name, scores in (("bp", BP), ("logistic", WORSE), ("softmax", WORSE))]


@pytest.mark.parametrize(
    "baselines, pairs",
    [
        ([], {("bp", "logistic"), ("bp", "softmax")}),
        (["softmax"], {("bp", "softmax"), ("logistic", "softmax")}),
        (["bp"], {("logistic", "bp"), ("softmax", "bp")}),
        (["logistic", "bp"], {("softmax", "logistic"), ("softmax", "bp")}),
    ],
)
def test_baselines_are_the_other_models_unless_named(baselines: list[str], pairs: set[tuple[str, str]]) -> None:
    made = family(MODELS, baselines=baselines)
    assert {(one.model, one.baseline) for one in made.comparisons} == pairs
    assert (made.yardstick, made.tests) == ("named", 2)


def test_baselines_that_name_nothing_or_leave_nothing_are_refused() -> None:
    jobs = [[{"model.name": "bp"}, {"model.name": "softmax"}], [{"model.name": "bp"}]]
    check_baselines([], jobs)
    check_baselines(["softmax"], jobs)
    with pytest.raises(ComparisonError, match=r"comparison.baselines: 'sotfmax' is not among .* \(bp, softmax\)"):
        check_baselines(["sotfmax"], jobs)
    with pytest.raises(ComparisonError, match=r"bp, softmax leaves nothing to compare with them"):
        check_baselines(["bp", "softmax"], jobs)
    # On a data set where only the baseline stands there is nothing to compare; the others go on.
    assert family(MODELS[:1], baselines=["softmax"]).comparisons == ()
    refusal = family(MODELS[:2], baselines=["softmax"]).refusal
    assert refusal is not None
    assert "there is only bp, logistic, and no baseline" in refusal


def test_models_scored_on_different_folds_are_not_compared() -> None:
    made = family([model("bp", BP), model("softmax", WORSE, folds="others")])
    assert made.comparisons == ()
    assert made.refusal is not None
    assert made.refusal.startswith("'bp' and 'softmax' were scored on different folds")


# Verdicts


@pytest.mark.parametrize("metric, word", [("accuracy", "better"), ("log_loss", "better"), ("brier_score", "better")])
def test_better_is_what_the_metric_says(metric: str, word: str) -> None:
    ours, theirs = np.array([0.91, 0.93, 0.92, 0.90, 0.92]), np.array([0.80, 0.83, 0.81, 0.80, 0.80])
    one, turned = pair(ours, theirs, metric=metric), pair(theirs, ours, metric=metric)
    assert (one.verdict, turned.verdict) == (word, "worse")
    assert (one.difference > 0) == (metric == "accuracy")
    assert one.p_better > 0.99 > 0.01 > one.p_worse
    assert (one.p_better, one.low, one.high) == pytest.approx((turned.p_worse, -turned.high, -turned.low))


def test_better_within_the_region_of_practical_equivalence_says_so() -> None:
    theirs = np.array(BP)
    small, large = (pair(theirs + gain, theirs, rows=3000) for gain in (0.005, 0.05))
    assert (small.verdict, small.within_rope, large.verdict, large.within_rope) == ("better", True, "better", False)
    # The whole interval has to lie within it, not only the mean.
    assert 0.006 < small.high < 0.007
    assert [pair(theirs + 0.005, theirs, rows=3000, rope=rope).within_rope for rope in (0.006, 0.007)] == [False, True]


@pytest.mark.parametrize(
    "options, rope",
    [
        ({"metric": "accuracy"}, 0.01),
        ({"metric": "roc_auc"}, 0.01),
        ({"metric": "accuracy", "rope": 0.0}, 0.0),
        ({"metric": "accuracy", "rope": 0.03}, 0.03),
        ({"metric": "log_loss"}, None),
        ({"metric": "matthews_corrcoef"}, None),
        ({"metric": "log_loss", "rope": 0.5}, 0.5),
    ],
)
def test_what_is_no_share_has_no_region_of_equivalence_unless_it_is_set(options: dict, rope: float | None) -> None:
    ours = np.add(BP, [1e-6, -1e-6, 2e-6, 0, 1e-6])
    one = pair(ours, BP, rows=100_000, **options)
    assert one.rope == rope
    assert one.verdict == ("equal" if rope else "undecided")
    assert (one.p_equal > 0.999) == bool(rope)


def test_equality_is_judged_by_the_probability_unrounded_and_printed_so() -> None:
    ours = np.add(BP, [0.004, -0.004, 0.006, 0.0, 0.004])
    found = pair(ours, BP, rows=5000).p_equal
    just_below = pair(ours, BP, rows=5000, confidence=found + 0.0003)
    assert pair(ours, BP, rows=5000, confidence=found).verdict == "equal"
    assert just_below.verdict == "undecided"
    assert just_below.p_equal == found
    assert probability(0.9497, 0.95) == "94.97%"
    assert [probability(share, 0.95) for share in (0.95, 0.94999, 0.9512, 0.3)] == [
        "95.0%",
        "94.999%",
        "95.1%",
        "30.0%",
    ]


def test_what_could_have_been_seen_is_what_the_noncentral_t_says() -> None:
    made = family([model(name, scores, rows=1000) for name, scores in (("bp", BP), ("logistic", WORSE))])
    made_of_three = family(MODELS)
    for one, tests in ((made.comparisons[0], 1), (made_of_three.comparisons[0], 2)):
        error = one.difference / one.t
        critical = stats.t.ppf(1 - 0.05 / tests / 2, one.df)
        assert stats.nct.sf(critical, one.df, one.detectable / error) == pytest.approx(0.8, abs=1e-6)
        # With ever more repeats: 1/J gone and normal quantiles; n_test / n_train = 1/4 stays.
        rest = error * math.sqrt((1 / 4) / (1 / 5 + 1 / 4))
        expected = (stats.norm.ppf(1 - 0.05 / tests / 2) + stats.norm.ppf(0.8)) * rest
        assert one.detectable_at_best == pytest.approx(expected)
        assert one.detectable_at_best < one.detectable


@st.composite
def fields_of_candidates(draw: st.DrawFn) -> tuple[list[list[float]], bool, str, float]:
    """Fold scores of two to four candidates, in 64ths, close to one another now and then."""
    count, folds = draw(st.integers(2, 4)), draw(st.integers(3, 6))
    spread = draw(st.sampled_from([1, 4, 32]))
    scores = st.lists(st.integers(32 - spread, 32 + spread), min_size=folds, max_size=folds)
    rows = [
        [value / 64 + place * draw(st.sampled_from([0.0, 0.02])) for value in draw(scores)] for place in range(count)
    ]
    metrics = st.sampled_from(["accuracy", "macro_f1", "log_loss"])
    return rows, draw(st.booleans()), draw(metrics), draw(st.sampled_from([0.8, 0.95]))


@settings(max_examples=60)
@given(fields_of_candidates(), st.sampled_from([40, 4000]))
@example(([[0.484375] * 3, [0.504375] * 3], True, "log_loss", 0.95), 40)
def test_an_interval_and_a_verdict_never_disagree(drawn, rows: int) -> None:
    scores, several_models, metric, confidence = drawn
    names = ("bp", "logistic", "softmax", "sklearn_logistic")
    jobs = [
        model(names[place], each, rows=rows) if several_models else model("bp", each, {"l2": place}, rows=rows)
        for place, each in enumerate(scores)
    ]
    made = family(jobs, metric=metric, confidence=confidence)
    assert len(made.comparisons) == len(scores) - 1
    upward = metric != "log_loss"
    for one in made.comparisons:
        assume(abs(one.p_holm - (1 - confidence)) > 1e-9)
        assert one.low <= one.difference <= one.high
        if one.verdict in ("better", "worse"):
            above = (one.verdict == "better") == upward
            assert one.low >= 0 < one.high if above else one.high <= 0 > one.low
            assert (one.difference > 0) == above
            assert one.p_holm < 1 - confidence
        else:
            assert one.low < 0 < one.high
            assert one.p_holm > 1 - confidence
        shares = (one.p_worse, one.p_equal, one.p_better)
        if math.isinf(one.low) and one.difference != 0:  # the same difference in every fold: no spread to judge by
            assert math.isnan(one.p_worse)
            assert math.isnan(one.p_better)
        elif one.verdict != "identical":
            assert sum(shares) == pytest.approx(1)
