"""What a prediction is worth.

The definitions are scikit-learn's, and tests hold them to it. They are written out here because a sweep scores tens of
thousands of folds, and scikit-learn's checks of its input cost thirty to a hundred times the arithmetic.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from src.evaluation.errors import EvaluationError
from src.words import did_you_mean

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.floating]

LOG_LOSS_CLIP = 2.0**-52
"""The log loss takes probabilities as lying in [LOG_LOSS_CLIP, 1 - LOG_LOSS_CLIP]: float64's epsilon, whatever the
model's dtype. So one hopeless row adds at most 36 nats, and the same predictions have the same loss in any dtype."""

# Guo et al. (2017) take 15 bins; these are the borders between them.
_CONFIDENCE_BORDERS = np.arange(1, 15) / 15


@dataclass(frozen=True)
class Metric:
    """What a comparison has to know of a metric.

    Attributes
    ----------
    higher_is_better : its direction.
    is_share : whether it is a share between 0 and 1, so that a difference of 0.01 means the same wherever it is seen.
    step : how much a test part's score changes, at the least, when one row is decided otherwise: "row" for 1 / rows,
        "class" for `class_step`, times `step_scale`; None for a metric without steps.
    step_scale : what the step is multiplied by.
    mean_of_rows : whether it is the mean of a score that each row has by itself, so that a part of one row has it too.
    range : the least and the largest value there can be.
    """

    higher_is_better: bool
    is_share: bool = False
    step: Literal["row", "class"] | None = None
    step_scale: float = 1.0
    mean_of_rows: bool = False
    range: tuple[float, float] = (0.0, 1.0)


_METRICS = {
    "accuracy": Metric(True, is_share=True, step="row", mean_of_rows=True),
    "balanced_accuracy": Metric(True, is_share=True, step="class"),
    "log_loss": Metric(False, mean_of_rows=True, range=(0.0, math.inf)),
    "macro_f1": Metric(True, is_share=True, step="class"),
    "roc_auc": Metric(True, is_share=True, step="class"),
    "brier_score": Metric(False, mean_of_rows=True, range=(0.0, 2.0)),
    # From -1 to 1: twice as wide as a share.
    "matthews_corrcoef": Metric(True, step="class", step_scale=2.0, range=(-1.0, 1.0)),
    "average_precision": Metric(True, is_share=True, step="class"),
    "calibration_error": Metric(False),
}

METRICS = tuple(_METRICS)
"""The metrics that every fold is scored with, in the order of tables."""


def metric_of(name: str) -> Metric:
    """Return what is known of a metric; ``test/``, ``train/`` and ``fold/`` may stand before its name.

    Raises EvaluationError if there is no such metric.
    """
    prefix, _, short = name.rpartition("/")
    if prefix not in ("", "test", "train", "fold") or short not in _METRICS:
        meant = did_you_mean(short, METRICS)
        raise EvaluationError(f"'{name}' is not a metric to compare by.{meant} ({', '.join(METRICS)})")
    return _METRICS[short]


def higher_is_better(metric: str) -> bool:
    """Whether a higher value of a metric is the better one; names and errors are those of `metric_of`."""
    return metric_of(metric).higher_is_better


def class_step(target: IntArray) -> float:
    """How much one row of the rarest class moves a mean over classes: 1 / (classes in `target` * that class's rows)."""
    counts = np.bincount(target)
    present = counts[counts > 0]
    return float(1 / (len(present) * present.min()))


def score(target: IntArray, probabilities: FloatArray) -> dict[str, float]:
    """Score predicted class probabilities with every metric of `METRICS`.

    Parameters
    ----------
    target : class codes 0..C-1, shape (n,), n >= 1.
    probabilities : shape (n, C); rows sum to one. The predicted class is the most probable one, of equals the first.

    Returns
    -------
    dict
        - accuracy: share of rows predicted right.
        - balanced_accuracy: mean recall over the classes that the target holds.
        - log_loss: mean of -ln(probability of the true class), in nats, in float64; probabilities are clipped to
          [LOG_LOSS_CLIP, 1 - LOG_LOSS_CLIP], so that one hopeless row does not make it infinite.
        - macro_f1: mean F1 over the classes that are in the target or predicted.
        - roc_auc: area under the ROC curve, ties counted half; for more than two classes the mean over one class
          against the rest. NaN if the target lacks a class.
        - brier_score: mean squared distance of a row's probabilities from the true class's (1 for it, 0 for the
          others), summed over classes (Brier 1950): from 0 to 2. For two classes half of it, as is customary.
        - matthews_corrcoef: correlation of true and predicted class (Matthews 1975; for more than two classes
          Gorodkin 2004), from -1 to 1; 0 if all rows are of one class or predicted as one.
        - average_precision: mean over the rows of a class of the precision at their probability's threshold, which is
          the area under the precision-recall curve without interpolation; averaged over classes as roc_auc is.
        - calibration_error: expected calibration error (Guo et al. 2017): rows are put into 15 bins of equal width by
          the predicted class's probability, ((b - 1)/15, b/15]; mean over rows of their bin's |accuracy - mean
          probability|.

        All are NaN if a probability is not finite: the network diverged.
    """
    if not np.isfinite(probabilities).all():
        return dict.fromkeys(METRICS, float("nan"))
    n_rows, n_classes = probabilities.shape
    p = np.array(probabilities, dtype=np.float64, order="C")
    rows, predicted = np.arange(n_rows), p.argmax(axis=1)
    of_true_class = p[rows, target].clip(LOG_LOSS_CLIP, 1 - LOG_LOSS_CLIP)
    off = p.copy()
    off[rows, target] -= 1
    # Lists: of so few whole numbers Python is faster than NumPy, and exact however large their products.
    right, actual, guessed = (counts.tolist() for counts in _counts(target, predicted, n_classes))
    recalls = [r / a for r, a in zip(right, actual, strict=True) if a]
    f1 = [2 * r / (a + g) for r, a, g in zip(right, actual, guessed, strict=True) if a + g]
    roc_auc, average_precision = _areas(target, p, actual)
    return {
        "accuracy": sum(right) / n_rows,
        "balanced_accuracy": sum(recalls) / len(recalls),
        "log_loss": -float(np.log(of_true_class).sum()) / n_rows,
        "macro_f1": sum(f1) / len(f1),
        "roc_auc": roc_auc,
        "brier_score": float(np.square(off).sum()) / n_rows / (2 if n_classes == 2 else 1),
        "matthews_corrcoef": _matthews(right, actual, guessed),
        "average_precision": average_precision,
        "calibration_error": _calibration_error(predicted == target, p[rows, predicted]),
    }


def class_scores(target: IntArray, probabilities: FloatArray) -> dict[str, FloatArray]:
    """Score each class by itself; target, probabilities and the predicted class are those of `score`.

    Returns
    -------
    dict : in the order of the codes, each of shape (C,); the first three are NaN if a probability is not finite.
        - precision: share of the rows predicted as the class that are of it; 0 if none is predicted so.
        - recall: share of the class's rows that are predicted as it; 0 if it has none.
        - f1: harmonic mean of precision and recall; 0 if the class is neither there nor predicted.
        - support: rows of the class.
    """
    right, actual, guessed = _counts(target, probabilities.argmax(axis=1), probabilities.shape[1])
    hits = right * (1.0 if np.isfinite(probabilities).all() else np.nan)
    return {
        "precision": hits / np.maximum(guessed, 1),
        "recall": hits / np.maximum(actual, 1),
        "f1": 2 * hits / np.maximum(actual + guessed, 1),
        "support": actual.astype(np.float64),
    }


def _counts(target: IntArray, predicted: IntArray, n_classes: int) -> tuple[IntArray, IntArray, IntArray]:
    """Count each class's rows predicted right, its rows, and the rows predicted as it, each of shape (C,)."""
    confusion = np.bincount(target * n_classes + predicted, minlength=n_classes**2).reshape(n_classes, n_classes)
    return confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)


def _matthews(right: list[int], actual: list[int], guessed: list[int]) -> float:
    """Gorodkin's correlation of two class assignments, from each class's counts."""
    n_rows = sum(actual)
    covariance = sum(right) * n_rows - sum(a * g for a, g in zip(actual, guessed, strict=True))
    variances = (n_rows**2 - sum(a * a for a in actual)) * (n_rows**2 - sum(g * g for g in guessed))
    return covariance / math.sqrt(variances) if variances else 0.0


def _areas(target: IntArray, p: FloatArray, counts: list[int]) -> tuple[float, float]:
    """Area under the ROC curve and average precision, each the mean over the positive classes; NaN if one is absent.

    The area is the Mann-Whitney statistic: U = (sum of the positives' mid-ranks) - P(P + 1)/2, AUC = U / (P N). A
    positive's mid-rank is half the number of scores below it plus half the number not above it, plus a half. Precision
    at a positive's threshold is the share of positives among the rows that are not below it.
    """
    if not all(counts):
        return float("nan"), float("nan")
    n_rows, n_classes = p.shape
    positive_classes = range(n_classes) if n_classes > 2 else (1,)
    areas, precisions = [], []
    for code in positive_classes:
        column, positives = p[:, code], counts[code]
        scores, of_positives = np.sort(column), np.sort(column[target == code])
        below = scores.searchsorted(of_positives, "left")
        not_above = scores.searchsorted(of_positives, "right")
        u = (int(below.sum() + not_above.sum()) + positives) / 2 - positives * (positives + 1) / 2
        areas.append(u / (positives * (n_rows - positives)))
        not_below = positives - of_positives.searchsorted(of_positives, "left")
        precisions.append(float((not_below / (n_rows - below)).sum()) / positives)
    return sum(areas) / len(areas), sum(precisions) / len(precisions)


def _calibration_error(right: NDArray[np.bool_], confidence: FloatArray) -> float:
    """Sum over bins of |rows right - sum of confidences|, for each row: the bins' weights cancel their means."""
    gaps = np.bincount(_CONFIDENCE_BORDERS.searchsorted(confidence), weights=right - confidence)
    return float(np.abs(gaps).sum() / len(right))
