"""Simulated learners whose true skill is known.

Each is a nearest-centroid classifier with features of its own, drawn independently of all others': two classes, normal
with variance 1, the distance of their centers being the learner's `separation`. So learners of the same separation have
the same expected accuracy for every size of training part, and it is known: given the two centroids it has a closed
form, whose mean over training parts is the truth that scores are held to.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr

from src.comparison.jobs import FloatArray
from src.evaluation.folds import Fold

IntArray = NDArray[np.int64]

FEATURES = 5  # that each learner sees
_DRAWS = 40_000  # of training parts, for the expected accuracy
_AXIS = np.eye(FEATURES)[0]


class Scores(NamedTuple):
    """Accuracy and log loss of each learner on each fold, each of shape (learners, J)."""

    accuracy: FloatArray
    log_loss: FloatArray


def sequence(name: str, number: int) -> np.random.SeedSequence:
    """The seed of what is random in a data set: the scenario's name and the data set's number decide it."""
    return np.random.SeedSequence(0, spawn_key=(*name.encode(), number))


def draw(name: str, number: int, separations: Sequence[float] | FloatArray, rows: int) -> FloatArray:
    """The features of each learner, shape (learners, rows, FEATURES); the classes take turns."""
    rng = np.random.default_rng(sequence(name, number))
    side = np.arange(rows) % 2 - 0.5
    shift = np.asarray(separations)[:, None] / np.sqrt(FEATURES) * side
    drawn: FloatArray = rng.standard_normal((len(shift), rows, FEATURES)) + shift[..., None]
    return drawn


@dataclass(frozen=True, eq=False)
class Parts:
    """The rows of J folds, to score all of them at once.

    Attributes
    ----------
    averages
        What a row counts in the centroid of each class, shape (2, J, rows).
    test
        The rows of each test part, shape (J, largest test part); repeated where a part is smaller.
    counted
        Which of these count, same shape: not those that are repeated.
    """

    averages: FloatArray
    test: IntArray
    counted: NDArray[np.bool_]

    @classmethod
    def of(cls, target: IntArray, folds: Sequence[Fold]) -> "Parts":
        """Those of some folds of rows with these classes."""
        train = np.zeros((len(folds), len(target)))
        sizes = np.array([len(fold.test) for fold in folds])
        for row, fold in enumerate(folds):
            train[row, fold.train] = 1
        of_class = np.array([train * (target == code) for code in (0, 1)])
        test = np.array([np.resize(fold.test, sizes.max()) for fold in folds])
        return cls(of_class / of_class.sum(axis=2, keepdims=True), test, np.arange(sizes.max()) < sizes[:, None])


def nearest_centroid(features: FloatArray, target: IntArray, parts: Parts) -> Scores:
    """Score the nearest-centroid classifier of each learner on each fold, all at once.

    The log loss is that of the probabilities of two normal classes with variance 1 and the centroids as their means.

    Parameters
    ----------
    features
        Shape (learners, rows, features).
    target
        0 or 1, shape (rows,).
    """
    first, second = parts.averages[:, None] @ features
    # |x - c0|² > |x - c1|²  <=>  x·(c1 - c0) > (|c1|² - |c0|²) / 2
    middle = ((second**2).sum(axis=2) - (first**2).sum(axis=2)) / 2
    margin = (second - first) @ features.swapaxes(1, 2) - middle[..., None]
    tested = np.take_along_axis(margin, parts.test[None], axis=2) * (2 * target[parts.test] - 1)
    rows = parts.counted.sum(axis=1)
    right, loss = (tested > 0) & parts.counted, np.log1p(np.exp(-tested)) * parts.counted
    return Scores(right.sum(axis=2) / rows, loss.sum(axis=2) / rows)


@functools.cache
def expected_accuracy(separation: float, per_class: int) -> float:
    """The expected accuracy on new rows of a learner that is trained on `per_class` rows of each class.

    Given the centroids c0 and c1, w = c1 - c0 and m = (|c1|² - |c0|²)/2, a row x of class 1 is told right with
    probability Φ((w·μ1 - m)/|w|), one of class 0 with Φ((m - w·μ0)/|w|); the mean is taken over drawn centroids (its
    standard error is 0.01 points or less).
    """
    first, second = _centroid_noise() / np.sqrt(per_class)
    first, second = first - separation / 2 * _AXIS, second + separation / 2 * _AXIS
    w, m = second - first, ((second**2).sum(axis=1) - (first**2).sum(axis=1)) / 2
    length, along = np.sqrt((w**2).sum(axis=1)), separation / 2 * w[:, 0]
    return float((ndtr((along - m) / length) + ndtr((along + m) / length)).mean() / 2)


@functools.cache
def separation_of(accuracy: float, per_class: int) -> float:
    """The separation whose expected accuracy is `accuracy`, which is at least 1/2 and below 1."""

    def excess(separation: float) -> float:
        return expected_accuracy(separation, per_class) - accuracy

    return float(brentq(excess, 0.0, 20.0, xtol=1e-6))


@functools.cache
def _centroid_noise() -> FloatArray:
    rng = np.random.default_rng(sequence("centroids", 0))
    return rng.standard_normal((2, _DRAWS, FEATURES))
