"""Learning-rate schedules: the rate of each epoch, for every network of a stack.

Rates and epochs are columns ``(stack, 1)``; a network's epochs count from 1.
"""

from collections.abc import Callable

import numpy as np

from src.network.arrays import Array

Columns = dict[str, Array]


def constant(c: Columns, epoch: Array, epochs: int) -> Array:
    """Return the learning rate alpha, the same in every epoch."""
    return c["learning_rate"]


def step(c: Columns, epoch: Array, epochs: int) -> Array:
    """Return alpha decay^k, where k stretches of `decay_every` epochs have passed."""
    return c["learning_rate"] * np.power(c["decay"], np.floor((epoch - 1) / c["decay_every"]))


def exponential(c: Columns, epoch: Array, epochs: int) -> Array:
    """Return alpha decay^(epoch - 1)."""
    return c["learning_rate"] * np.power(c["decay"], epoch - 1)


def inverse_scaling(c: Columns, epoch: Array, epochs: int) -> Array:
    """Return alpha / epoch^power."""
    return c["learning_rate"] / np.power(epoch, c["power"])


def cosine(c: Columns, epoch: Array, epochs: int) -> Array:
    """Return half a cosine from alpha, in the first epoch, to the smallest rate, in the last.

    A network that is trained on after that starts at alpha again (Loshchilov and Hutter 2017: warm restarts).
    """
    height = 0.5 * (1 + np.cos(np.pi * np.mod(epoch - 1, epochs) / max(epochs - 1, 1)))
    lowest = np.minimum(c["min_learning_rate"], c["learning_rate"])
    return lowest + (c["learning_rate"] - lowest) * height


SCHEDULES: dict[str, Callable[[Columns, Array, int], Array]] = {
    "constant": constant,
    "step": step,
    "exponential": exponential,
    "inverse_scaling": inverse_scaling,
    "cosine": cosine,
    "plateau": constant,  # `updates.Schedule` lowers it when the loss stays where it is
}
