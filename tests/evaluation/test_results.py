import math
import pickle
import statistics
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from src.evaluation.metrics import METRICS
from src.evaluation.metrics import score as score_of
from src.evaluation.results import Curve, FoldResult, JobResult


def fold_result(
    number: int = 0,
    *,
    accuracy: float = 0.5,
    train_accuracy: float = 0.6,
    curve: Curve | None = None,
    epochs: int = 10,
    diverged_epoch: int | None = None,
    parameters: int | None = None,
) -> FoldResult:
    return FoldResult(
        repeat=number // 2,
        fold=number % 2,
        test_scores={**dict.fromkeys(METRICS, 0.0), "accuracy": accuracy},
        train_scores={**dict.fromkeys(METRICS, 1.0), "accuracy": train_accuracy},
        test_index=np.array([number, number + 1]),
        test_target=np.array([0, 1]),
        probabilities=np.full((2, 2), 0.5),
        n_train=6,
        parameters=parameters,
        curve=curve,
        epochs=epochs,
        diverged_epoch=diverged_epoch,
        fit_seconds=0.25,
    )


def curve(epochs: Sequence[int], train: Sequence[float], test: Sequence[float] | None = None) -> Curve:
    return Curve(np.array(epochs), np.array(train, float), np.array(train if test is None else test, float))


def job(*curves: Curve | None, diverged: Sequence[int] = ()) -> JobResult:
    return JobResult(
        tuple(
            fold_result(number, curve=each, diverged_epoch=3 if number in diverged else None)
            for number, each in enumerate(curves)
        )
    )


def test_metrics_are_means_and_sample_deviations_over_folds() -> None:
    accuracies = [0.7, 0.9, 0.8, 0.6]
    metrics = JobResult(
        tuple(fold_result(k, accuracy=value, epochs=10 * k) for k, value in enumerate(accuracies))
    ).metrics()
    assert metrics["test/accuracy"] == pytest.approx(statistics.mean(accuracies))
    assert metrics["std/accuracy"] == pytest.approx(statistics.stdev(accuracies))
    assert metrics["train/accuracy"] == pytest.approx(0.6)
    assert metrics["time/fit"] == pytest.approx(1.0)
    assert metrics["epochs"] == 15
    assert metrics["diverged"] == 0
    assert set(metrics) == {f"{part}/{name}" for part in ("test", "train", "std") for name in METRICS} | {
        "time/fit",
        "epochs",
        "diverged",
    }


@given(st.permutations([0.9, 0.65, 0.7, 0.85, 0.1 + 0.2]))
def test_the_order_of_folds_changes_no_bit(accuracies: list[float]) -> None:
    def summary(values: Sequence[float]) -> list[float]:
        metrics = JobResult(tuple(fold_result(accuracy=each, train_accuracy=each) for each in values)).metrics()
        return [metrics[f"{part}/accuracy"] for part in ("test", "train", "std")]

    assert summary(accuracies) == summary(sorted(accuracies))


def test_parameters_are_those_of_the_largest_fold_if_known() -> None:
    folds = tuple(fold_result(k, parameters=size) for k, size in enumerate([9, 11, 9]))
    assert JobResult(folds).metrics()["parameters"] == 11
    assert "parameters" not in JobResult((fold_result(),)).metrics()


def part(repeat: int, rows: Sequence[int], target: np.ndarray, probabilities: np.ndarray) -> FoldResult:
    """A fold that tests these rows, predicted as the whole matrix of probabilities says."""
    index = np.array(rows)
    scores = score_of(target[index], probabilities[index])
    return FoldResult(
        repeat=repeat,
        fold=int(index[0]),
        test_scores=scores,
        train_scores=scores,
        test_index=index,
        test_target=target[index],
        probabilities=probabilities[index],
        n_train=len(target) - len(index),
        parameters=None,
        curve=None,
        epochs=0,
        diverged_epoch=None,
        fit_seconds=0.0,
    )


@settings(max_examples=10)
@given(st.integers(2, 4), st.integers(0, 2**32 - 1))
def test_leave_one_out_is_scored_on_all_rows_together(n_classes: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    target = random.permutation(np.arange(20) % n_classes)
    weights = random.integers(1, 5, (2, 20, n_classes))
    repeats = weights / weights.sum(axis=2, keepdims=True)
    result = JobResult(tuple(part(r, [row], target, p) for r, p in enumerate(repeats) for row in range(20)))
    metrics = result.metrics()

    expected = np.mean([scikit_learn_pooled(target, p) for p in repeats], axis=0)
    for name, value in zip(POOLED, expected, strict=True):
        assert metrics[f"test/{name}"] == pytest.approx(value), name
        assert math.isnan(metrics[f"std/{name}"])
    for name in set(METRICS) - set(POOLED):
        values = [fold.test_scores[name] for fold in result.folds]
        assert metrics[f"test/{name}"] == pytest.approx(np.mean([score_of(target, p)[name] for p in repeats]))
        assert metrics[f"std/{name}"] == pytest.approx(np.std(values, ddof=1))


POOLED = ("balanced_accuracy", "macro_f1", "roc_auc", "matthews_corrcoef", "average_precision", "calibration_error")


def scikit_learn_pooled(target: np.ndarray, p: np.ndarray) -> list[float]:
    """The metrics of `POOLED`; the calibration error, which scikit-learn has not, by this project's own definition."""
    guessed, binary = p.argmax(axis=1), p.shape[1] == 2
    return [
        reference.balanced_accuracy_score(target, guessed),
        reference.f1_score(target, guessed, average="macro"),
        reference.roc_auc_score(target, p[:, 1] if binary else p, multi_class="ovr"),
        reference.matthews_corrcoef(target, guessed),
        reference.average_precision_score(target, p[:, 1] if binary else p),
        score_of(target, p)["calibration_error"],
    ]


def test_leave_one_out_with_a_diverged_fold_has_no_scores() -> None:
    target, probabilities = np.array([0, 1, 0]), np.array([[0.9, 0.1], [np.nan, np.nan], [0.8, 0.2]])
    metrics = JobResult(tuple(part(0, [row], target, probabilities) for row in range(3))).metrics()
    assert np.isnan([metrics[f"test/{name}"] for name in METRICS]).all()


def test_folds_of_which_one_tests_several_rows_are_not_pooled() -> None:
    target, probabilities = np.array([0, 1, 0]), np.array([[0.9, 0.1], [0.7, 0.3], [0.8, 0.2]])
    metrics = JobResult((part(0, [0, 1], target, probabilities), part(0, [2], target, probabilities))).metrics()
    assert metrics["test/balanced_accuracy"] == pytest.approx((1 / 2 + 1) / 2)
    assert math.isnan(metrics["test/roc_auc"])


def test_classes_are_scored_over_all_folds_and_repeats_and_counted_once() -> None:
    random = np.random.default_rng(0)
    target = np.arange(12) % 3
    repeats = [random.dirichlet(np.ones(3), 12) for _ in range(2)]
    halves = (range(0, 12, 2), range(1, 12, 2))
    scores = JobResult(tuple(part(r, rows, target, p) for r, p in enumerate(repeats) for rows in halves)).class_scores()
    guessed = np.concatenate([p.argmax(1) for p in repeats])
    expected = reference.precision_recall_fscore_support(np.tile(target, 2), guessed, zero_division=0)
    support = scores.pop("support")
    np.testing.assert_allclose(list(scores.values()), expected[:3])
    assert support.tolist() == [4, 4, 4]


def test_one_diverged_fold_makes_the_mean_nan_and_is_counted() -> None:
    folds = (
        fold_result(0, accuracy=0.9),
        fold_result(1, accuracy=math.nan, train_accuracy=math.nan, diverged_epoch=7),
    )
    metrics = JobResult(folds).metrics()
    assert math.isnan(metrics["test/accuracy"])
    assert math.isnan(metrics["std/accuracy"])
    assert math.isnan(metrics["train/accuracy"])
    assert metrics["diverged"] == 1


def test_a_single_fold_has_no_deviation() -> None:
    assert math.isnan(JobResult((fold_result(),)).metrics()["std/accuracy"])


def test_mean_curve_averages_both_losses() -> None:
    mean = job(curve([1, 2, 3], [3, 2, 1], [4, 3, 3]), curve([1, 2, 3], [5, 2, 0], [4, 4, 4])).mean_curve()
    assert mean is not None
    assert mean.epochs.tolist() == [1, 2, 3]
    assert mean.train_loss.tolist() == [4, 2, 0.5]
    assert mean.test_loss.tolist() == [4, 3.5, 3.5]


def test_a_fold_that_stopped_early_keeps_its_last_value() -> None:
    mean = job(curve([1, 2, 3, 4], [8, 6, 4, 2]), curve([1, 2], [4, 1])).mean_curve()
    assert mean is not None
    assert mean.epochs.tolist() == [1, 2, 3, 4]
    assert mean.train_loss.tolist() == [6, 3.5, 2.5, 1.5]


def test_curves_on_different_epochs_are_interpolated() -> None:
    mean = job(curve([0, 10, 20], [10, 6, 2]), curve([0, 5, 13], [4, 2, 2])).mean_curve()
    assert mean is not None
    assert mean.epochs.tolist() == [0, 5, 10, 13, 20]
    np.testing.assert_allclose(mean.train_loss, [7, (8 + 2) / 2, (6 + 2) / 2, (6 - 4 * 0.3 + 2) / 2, 2])


@pytest.mark.parametrize("tail", [[math.nan], [math.inf, math.nan], []])
def test_the_mean_ends_where_a_fold_diverges(tail: list[float]) -> None:
    finite = [3.0, 5.0]
    diverging = curve(range(1, 3 + len(tail)), [*finite, *tail])
    mean = job(curve([1, 2, 3, 4], [1, 1, 1, 1]), diverging, diverged=[1]).mean_curve()
    assert mean is not None
    assert mean.train_loss[:2].tolist() == [2, 3]
    assert np.isnan(mean.train_loss[2:]).all()


def test_a_fold_that_diverged_at_once_leaves_no_mean() -> None:
    mean = job(curve([1, 2], [1, 1]), curve([1], [math.nan]), diverged=[1]).mean_curve()
    assert mean is not None
    assert np.isnan(mean.train_loss).all()


def test_models_without_epochs_have_no_curve() -> None:
    assert job(None, None).mean_curve() is None


def test_results_cross_process_borders() -> None:
    result = job(curve([1, 2], [3, 4]), curve([1], [5]))
    copy = pickle.loads(pickle.dumps(result))
    assert copy.metrics() == result.metrics()
    np.testing.assert_array_equal(copy.mean_curve().train_loss, result.mean_curve().train_loss)
    np.testing.assert_array_equal(copy.folds[1].probabilities, result.folds[1].probabilities)
