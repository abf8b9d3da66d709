import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics as reference
from sklearn.preprocessing import label_binarize

from src.errors import UserError
from src.evaluation.metrics import (
    LOG_LOSS_CLIP,
    METRICS,
    class_scores,
    class_step,
    higher_is_better,
    metric_of,
    score,
)


@st.composite
def predictions(draw: st.DrawFn, min_rows: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Targets, possibly without some classes, and probabilities with many ties, zeros and ones."""
    n_classes = draw(st.integers(2, 6))
    n_rows = draw(st.integers(min_rows, 40))
    target = draw(hnp.arrays(np.int64, n_rows, elements=st.integers(0, n_classes - 1)))
    weights = draw(hnp.arrays(np.int64, (n_rows, n_classes), elements=st.integers(0, 3)))
    weights[weights.sum(axis=1) == 0] = 1
    return target, weights / weights.sum(axis=1, keepdims=True)


def scikit_learn(target: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    predicted = probabilities.argmax(axis=1)
    codes = np.arange(probabilities.shape[1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of absent classes
        if len(np.unique(target)) < len(codes):
            auc = precision = np.nan
        elif len(codes) == 2:
            auc = reference.roc_auc_score(target, probabilities[:, 1])
            precision = reference.average_precision_score(target, probabilities[:, 1])
        else:
            auc = reference.roc_auc_score(target, probabilities, multi_class="ovr", average="macro", labels=codes)
            precision = reference.average_precision_score(label_binarize(target, classes=codes), probabilities)
        return {
            "accuracy": reference.accuracy_score(target, predicted),
            "balanced_accuracy": reference.balanced_accuracy_score(target, predicted),
            "log_loss": reference.log_loss(target, probabilities, labels=codes),
            "macro_f1": reference.f1_score(target, predicted, average="macro"),
            "roc_auc": auc,
            "brier_score": reference.brier_score_loss(target, probabilities, labels=codes),
            "matthews_corrcoef": reference.matthews_corrcoef(target, predicted),
            "average_precision": precision,
            "calibration_error": calibration_error(target, probabilities),
        }


def calibration_error(target: np.ndarray, probabilities: np.ndarray) -> float:
    """Equation 3 of Guo et al. (2017), bin by bin."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == target
    error = 0.0
    for m in range(1, 16):
        rows = ((m - 1) / 15 < confidence) & (confidence <= m / 15)
        if rows.any():
            error += rows.mean() * abs(right[rows].mean() - confidence[rows].mean())
    return error


def assert_same(actual: dict[str, float], expected: dict[str, float]) -> None:
    assert list(actual) == list(expected) == list(METRICS)
    for name, value in expected.items():
        assert actual[name] == pytest.approx(value, rel=1e-12, abs=1e-12, nan_ok=True), name


@given(predictions())
def test_metrics_are_scikit_learns_and_shares_lie_between_0_and_1(prediction: tuple[np.ndarray, np.ndarray]) -> None:
    scores = score(*prediction)
    assert_same(scores, scikit_learn(*prediction))
    for name, value in scores.items():
        assert not metric_of(name).is_share or np.isnan(value) or 0 <= value <= 1, name


@given(predictions())
def test_predictions_in_single_precision_are_scored_in_double(prediction: tuple[np.ndarray, np.ndarray]) -> None:
    target, probabilities = prediction[0], prediction[1].astype(np.float32)
    np.testing.assert_equal(score(target, probabilities), score(target, probabilities.astype(np.float64)))


@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_metrics_are_scikit_learns_on_ordinary_predictions(n_classes: int) -> None:
    rng = np.random.default_rng(n_classes)
    target = np.concatenate([np.arange(n_classes), rng.integers(0, n_classes, 490)])
    probabilities = rng.dirichlet(np.ones(n_classes), len(target))
    assert_same(score(target, probabilities), scikit_learn(target, probabilities))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_hopeless_row_costs_the_same_in_every_dtype(dtype: str) -> None:
    sure = np.array([[1, 0], [0, 1], [1, 0], [0, 1]], dtype)
    assert np.finfo(np.float64).eps == LOG_LOSS_CLIP
    assert score(np.array([0, 1, 0, 0]), sure)["log_loss"] == pytest.approx(52 * np.log(2) / 4)  # 9.01


def test_worked_example() -> None:
    target = np.array([0, 0, 1, 1])
    probabilities = np.array([[0.9, 0.1], [0.5, 0.5], [0.6, 0.4], [0.2, 0.8]])
    # Predicted 0, 0 (the first of equals), 0, 1. Scores of class 1: 0.1, 0.5 against 0.4, 0.8: 3 of 4 pairs in order.
    assert_same(
        score(target, probabilities),
        {
            "accuracy": 3 / 4,
            "balanced_accuracy": (1 + 1 / 2) / 2,
            "log_loss": -(np.log(0.9) + np.log(0.5) + np.log(0.4) + np.log(0.8)) / 4,
            "macro_f1": (4 / 5 + 2 / 3) / 2,
            "roc_auc": 3 / 4,
            "brier_score": (0.1**2 + 0.5**2 + 0.6**2 + 0.2**2) / 4,
            "matthews_corrcoef": (1 * 2 - 0 * 1) / np.sqrt(1 * 2 * 2 * 3),
            "average_precision": (1 + 2 / 3) / 2,
            "calibration_error": (0.1 + 0.5 + 0.6 + 0.2) / 4,  # each row in a bin of its own
        },
    )


def test_calibration_is_judged_bin_by_bin() -> None:
    probabilities = np.array([[0.61, 0.39], [0.65, 0.35], [0.9, 0.1]])  # two of them from 9/15 to 10/15
    error = score(np.array([0, 1, 0]), probabilities)["calibration_error"]
    assert error == pytest.approx(2 / 3 * abs(1 / 2 - 0.63) + 1 / 3 * 0.1)


def test_equal_scores_say_nothing_about_order() -> None:
    assert score(np.array([0, 1, 0, 1, 1]), np.full((5, 2), 0.5))["roc_auc"] == 0.5


def test_a_class_that_is_absent_and_not_predicted_does_not_count() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # an absent class is an ordinary case: no division by zero
        scores = score(np.array([0, 1]), np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1]]))
    assert scores["balanced_accuracy"] == scores["macro_f1"] == 1.0
    assert np.isnan(scores["roc_auc"])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_diverged_network_has_no_scores(value: float) -> None:
    probabilities = np.full((4, 2), 0.5)
    probabilities[2] = value
    scores = score(np.array([0, 1, 0, 1]), probabilities)
    assert list(scores) == list(METRICS)
    assert np.isnan(list(scores.values())).all()


def test_the_callers_arrays_are_left_alone() -> None:
    target, probabilities = np.array([0, 1, 1]), np.array([[1.0, 0.0], [0.0, 1.0], [0.3, 0.7]])
    before = target.copy(), probabilities.copy()
    score(target, probabilities)
    np.testing.assert_array_equal(target, before[0])
    np.testing.assert_array_equal(probabilities, before[1])


@given(predictions(min_rows=2))
def test_a_mean_of_rows_is_one(prediction: tuple[np.ndarray, np.ndarray]) -> None:
    target, probabilities = prediction
    together = score(target, probabilities)
    alone = [score(target[[row]], probabilities[[row]]) for row in range(len(target))]
    for name in METRICS:
        if metric_of(name).mean_of_rows:
            assert together[name] == pytest.approx(np.mean([each[name] for each in alone])), name


@pytest.mark.parametrize("metric", METRICS)
def test_the_better_prediction_scores_better(metric: str) -> None:
    target = np.array([0, 1, 2, 0, 1, 2])
    right, wrong = (score(target, np.eye(3)[codes])[metric] for codes in (target, (target + 1) % 3))
    assert (right > wrong) is higher_is_better(metric)
    assert right != wrong


@given(hnp.arrays(np.int64, st.integers(2, 40), elements=st.integers(0, 5)))
def test_one_row_decided_otherwise_moves_a_score_by_its_step(target: np.ndarray) -> None:
    codes, counts = np.unique(target, return_counts=True)
    guessed = target.copy()
    row = np.flatnonzero(target == codes[counts.argmin()])[0]
    guessed[row] = 6
    before, after = (score(target, np.eye(7)[predicted]) for predicted in (target, guessed))
    steps = {"row": 1 / len(target), "class": class_step(target)}
    for name in ("accuracy", "balanced_accuracy"):
        assert before[name] - after[name] == pytest.approx(steps[metric_of(name).step]), name


def test_steps_of_metrics() -> None:
    assert class_step(np.array([0, 0, 0, 3, 3, 5, 5])) == pytest.approx(1 / (3 * 2))
    assert [name for name in METRICS if metric_of(name).step is None] == [
        "log_loss",
        "brier_score",
        "calibration_error",
    ]
    assert metric_of("test/matthews_corrcoef").step_scale == 2 * metric_of("fold/macro_f1").step_scale


@given(predictions())
def test_class_scores_are_scikit_learns(prediction: tuple[np.ndarray, np.ndarray]) -> None:
    target, probabilities = prediction
    scores = class_scores(target, probabilities)
    codes = np.arange(probabilities.shape[1])
    expected = reference.precision_recall_fscore_support(
        target, probabilities.argmax(axis=1), labels=codes, zero_division=0
    )
    for actual, wanted in zip(scores.values(), expected, strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=1e-12)


def test_a_diverged_network_has_classes_but_no_class_scores() -> None:
    scores = class_scores(np.array([0, 1, 1]), np.array([[0.5, 0.5], [np.nan, np.nan], [0.1, 0.9]]))
    support = scores.pop("support")
    assert np.isnan(list(scores.values())).all()
    assert support.tolist() == [1, 2]


@pytest.mark.parametrize(
    "metric, upward",
    [
        ("accuracy", True),
        ("test/roc_auc", True),
        ("train/macro_f1", True),
        ("log_loss", False),
        ("test/log_loss", False),
        ("fold/brier_score", False),
        ("calibration_error", False),
    ],
)
def test_direction_of_a_metric(metric: str, upward: bool) -> None:
    assert higher_is_better(metric) is upward


@pytest.mark.parametrize("metric", ["acuracy", "std/accuracy", "time/fit", "", "test/"])
def test_an_unknown_metric_is_refused(metric: str) -> None:
    with pytest.raises(UserError, match=f"'{metric}' is not a metric to compare by.*accuracy, balanced_accuracy"):
        higher_is_better(metric)


def test_a_near_miss_is_told() -> None:
    with pytest.raises(UserError, match=r"Did you mean 'log_loss'\?"):
        higher_is_better("test/logloss")
