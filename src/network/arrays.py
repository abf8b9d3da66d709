"""The array types of the engine, and where the numbers of a layer lie in memory."""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.intp]
BoolArray = npt.NDArray[np.bool_]

# Layers of at least WIDE units are stored sample-major, and their matrices transposed: the products of wide layers are
# then up to a fifth faster, while those of narrow ones would take twice as long.
WIDE = 32


def is_wide(units: int) -> bool:
    """Return whether a layer of so many units is stored sample-major, not unit-major."""
    return units >= WIDE


def layer_values(stack: int, units: int, samples: int, dtype: str) -> Array:
    """Return a buffer of shape ``(stack, units, samples)``, filled with 1, for what the units of a layer put out."""
    if is_wide(units):
        return np.ones((stack, samples, units), dtype).transpose(0, 2, 1)
    return np.ones((stack, units, samples), dtype)


def layer_matrix(values: Array, rows: int, columns: int) -> Array:
    """Return values, shape ``(stack, rows * columns)``, seen as a layer's matrices ``(stack, rows, columns)``."""
    if is_wide(rows):
        return values.reshape(len(values), columns, rows).transpose(0, 2, 1)
    return values.reshape(len(values), rows, columns)


def output_values(stack: int, units: int, samples: int, dtype: str) -> Array:
    """Return a buffer of shape ``(stack, units, samples)`` for an output layer, each unit's numbers lying together.

    Sums over the few output units then run along memory, for all networks at once. A single sample must not lie so:
    BLAS may add up a product with a vector in another order when the vector's elements lie apart, and how far apart
    would depend on the stack.
    """
    if samples == 1:
        return np.empty((stack, units, 1), dtype)
    return np.empty((units, stack, samples), dtype).transpose(1, 0, 2)
