"""Labeled rows as a network sees them: targets, weights, the part held out; and its outputs as probabilities."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from src import network
from src.network import Data, Part, Settings, Shape

NETWORKS = ("bp", "logistic", "softmax")  # the `model` choices that the engine trains
RESULT_BYTES = 2**14  # of a trained network, its parameters apart

Array = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.intp]

# A weight for each class by its code (1 for those without), `balanced`, or none.
ClassWeight = Mapping[int, float] | Literal["balanced"] | None


def make_data(
    settings: Settings,
    classes: int,
    x: Array,
    codes: IntArray,
    *,
    weight: Array | None = None,
    class_weight: ClassWeight = None,
    groups: IntArray | None = None,
    test: tuple[Array, IntArray] | None = None,
) -> Data:
    """Return what a network sees of rows ``(samples, features)``: its samples stand in columns, without a copy.

    Parameters
    ----------
    x, codes : the training rows and their class codes ``(samples,)`` in 0..classes-1.
    weight, class_weight : see `row_weights`.
    groups : which rows are held out together, by equal numbers ``(samples,)``; None where each stands for itself.
    test : rows and codes for the test curve.

    Raises
    ------
    ValueError : if early stopping has too few rows, or groups, to hold some out.
    """

    def part(rows: Array, codes_of_rows: IntArray, weight_of_rows: Array | None) -> Part:
        return Part(rows.T, targets(codes_of_rows, classes, settings.output), weight_of_rows)

    weight = row_weights(codes, classes, weight, class_weight)
    tested = None if test is None else part(*test, None)
    parts = held_out(settings, codes, groups)
    if parts is None:
        return Data(part(x, codes, weight), None, tested)
    kept, held = (part(x[at], codes[at], None if weight is None else mean_one(weight[at])) for at in parts)
    return Data(kept, held, tested)


def output_units(classes: int, output: str) -> int:
    """Return how many output units stand for so many classes: one for two classes, unless the output is softmax."""
    return 1 if classes == 2 and output != "softmax" else classes


def targets(codes: IntArray, classes: int, output: str) -> Array:
    """Return the targets y, shape ``(outputs, samples)``: 1 for a sample's class, else 0 (tanh: 1 and -1)."""
    y = (codes == 1)[None] if output_units(classes, output) == 1 else codes == np.arange(classes)[:, None]
    low = -1.0 if output == "tanh" else 0.0
    return np.where(y, 1.0, low)


def row_weights(codes: IntArray, classes: int, sample_weight: Array | None, class_weight: ClassWeight) -> Array | None:
    """Return each row's weight, scaled to a mean of 1, or None where all rows count alike.

    `class_weight` is a mapping from class codes, 1 for those not in it, or `balanced`: m / (C n_c) for the n_c rows of
    class c, rows counted by their sample weight (King and Zeng 2001, as in scikit-learn). It multiplies the sample
    weights.
    """
    if sample_weight is None and class_weight is None:
        return None
    weight = np.ones(len(codes)) if sample_weight is None else np.asarray(sample_weight, dtype=float)
    if isinstance(class_weight, str):
        counts = np.bincount(codes, weights=weight, minlength=classes)
        present = np.count_nonzero(counts)
        weight = weight * (weight.sum() / (present * np.where(counts > 0, counts, 1)))[codes]
    elif class_weight is not None:
        weight = weight * np.array([class_weight.get(code, 1.0) for code in range(classes)])[codes]
    return mean_one(weight)


def mean_one(weight: Array) -> Array:
    """Return the weights scaled to a mean of 1, so that (1/m) sum w_i loss_i is their weighted mean."""
    scaled: Array = weight * (len(weight) / weight.sum())
    return scaled


def held_out(settings: Settings, codes: IntArray, groups: IntArray | None) -> tuple[IntArray, IntArray] | None:
    """Return the numbers of the rows to train on and to hold out (`hold_out`); None without early stopping."""
    if settings.patience is None:
        return None
    return hold_out(codes, settings.validation_fraction, settings.random(network.VALIDATION), groups)


def hold_out(
    codes: IntArray, fraction: float, random: np.random.Generator, groups: IntArray | None = None
) -> tuple[IntArray, IntArray]:
    """Return the row numbers to train on and those to hold out, both ascending.

    The number held out, round(fraction m) but at least 1 and at most m - 1, depends on the number of rows m alone, so
    that folds of one size stay networks of one size. Each class's part in it is its share of the rows, rounded up or
    down by the largest remainders (Hamilton's method), ties at random.

    Groups, shape ``(samples,)``, are held out as a whole: at least one is, and at least one is not. In random order,
    each is held out that brings the rows held out nearer to `fraction` of each class (the sum of the differences). If
    every group is too large for that, the one that comes nearest is held out. So how many rows are held out depends on
    all arguments.

    Raises ValueError if there are fewer than two rows, or groups.
    """
    if groups is not None:
        is_held = _held_groups(codes, fraction, random, groups)
        return np.flatnonzero(~is_held), np.flatnonzero(is_held)
    rows = len(codes)
    if rows < 2:
        raise ValueError(f"early_stopping holds out a part of the training rows and needs at least 2, got {rows}")
    held = min(max(1, round(fraction * rows)), rows - 1)
    counts = np.bincount(codes)
    quotas, remainders = np.divmod(held * counts, rows)
    by_remainder = np.lexsort((random.permutation(len(counts)), -remainders))
    quotas[by_remainder[: held - quotas.sum()]] += 1
    shuffled = random.permutation(rows)
    by_class = shuffled[np.argsort(codes[shuffled], kind="stable")]
    place_in_class = np.arange(rows) - np.repeat(np.cumsum(counts) - counts, counts)
    is_held = place_in_class < np.repeat(quotas, counts)
    return np.sort(by_class[~is_held]), np.sort(by_class[is_held])


def _held_groups(
    codes: IntArray, fraction: float, random: np.random.Generator, groups: IntArray
) -> npt.NDArray[np.bool]:
    """Return which rows are held out; see `hold_out`."""
    _, group = np.unique(groups, return_inverse=True)
    counts = np.zeros((group.max() + 1, codes.max() + 1))
    np.add.at(counts, (group, codes), 1)
    if len(counts) < 2:
        raise ValueError("early_stopping holds out whole groups of the training rows and needs at least 2, got 1")
    missing = fraction * counts.sum(axis=0)
    order = random.permutation(len(counts))
    held: list[int] = []
    for each in order:
        if len(held) < len(counts) - 1 and np.abs(missing - counts[each]).sum() < np.abs(missing).sum():
            missing = missing - counts[each]
            held.append(each)
    if not held:
        held.append(order[np.argmin(np.abs(missing - counts[order]).sum(axis=1))])
    return np.isin(group, held)


def predict_probabilities(shape: Shape, parameters: Array, x: Array) -> Array:
    """Return class probabilities, shape ``(samples, classes)``, for rows x, shape ``(samples, features)``.

    softmax and sigmoid outputs are probabilities; (a + 1)/2 is one for tanh, and identity outputs, which estimate
    E[y | x] under squared error, are cut to [0, 1]. One unit for each class (one-versus-rest) is scaled to a sum of 1.
    """
    p = network.predict(shape, parameters, x.T).T
    if shape.output == "softmax":
        return p
    if shape.output == "tanh":
        p = (p + 1) / 2
    elif shape.output == "identity":
        p = np.clip(p, 0, 1)
    if p.shape[1] == 1:
        return np.hstack([1 - p, p])
    total = p.sum(axis=1, keepdims=True)
    none = total == 0  # no unit stands for any class: all are alike
    return np.where(none, 1 / p.shape[1], p / np.where(none, 1, total))


def network_bytes(settings: Settings, classes: int, inputs: int, samples: int) -> int:
    """Return about how many bytes training takes for each network of a stack, as measured.

    They are a copy of its rows (float64 at first), which those who shuffle them alike share; what it learns, optimizers
    remember and early stopping keeps; and its results. What its layers need in passing is there for one block of a
    stack at a time.
    """
    outputs = output_units(classes, settings.output)
    shape = network.shape_of(settings, inputs, outputs)
    rows = 8 * (inputs + outputs + 2) * samples
    learned = 8 * shape.parameter_count * np.dtype(settings.dtype).itemsize
    return rows + learned + RESULT_BYTES
