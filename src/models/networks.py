"""What the engine is given for a network, and what is made of its outputs."""

import numpy as np

from src import network
from src.models.rows import (
    Array,
    ClassWeight,
    IntArray,
    hold_out,
    mean_one,
    output_units,
    probabilities,
    row_weights,
    targets,
)
from src.network import Data, Part, Settings, Shape

NETWORKS = ("bp", "logistic", "softmax")  # the `model` choices that the engine trains
RESULT_BYTES = 2**14  # of a trained network, its parameters apart


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


def held_out(settings: Settings, codes: IntArray, groups: IntArray | None) -> tuple[IntArray, IntArray] | None:
    """Return the numbers of the training rows to train on and of those to hold out; None without early stopping.

    See `src.models.rows.hold_out`.
    """
    if settings.patience is None:
        return None
    return hold_out(codes, settings.validation_fraction, settings.random(network.VALIDATION), groups)


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


def predict_probabilities(shape: Shape, parameters: Array, x: Array) -> Array:
    """Return class probabilities, shape ``(samples, classes)``, for rows x, shape ``(samples, features)``."""
    return probabilities(network.predict(shape, parameters, x.T), shape.output)
