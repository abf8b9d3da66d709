"""Learning-rate schedules: the rate of each epoch, for every network of a stack.

Rates and epochs are columns ``(stack, 1)``; a network's epochs count from 1.
"""

from collections.abc import Callable

import numpy as np

from src.network.arrays import Array, BoolArray, IntArray
from src.network.settings import Settings, column, columns_of

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
    "plateau": constant,  # `Schedule.watch` lowers it when the loss stays where it is
}


class Schedule:
    """The schedule of a stack: alike in kind and in the number of epochs, each network with its own numbers."""

    def __init__(self, settings: list[Settings]) -> None:
        self.rate_of = SCHEDULES[settings[0].schedule]
        self.watches_loss = settings[0].schedule == "plateau"
        self.epochs = settings[0].epochs
        self.columns = columns_of(settings, settings[0].schedule)
        self.columns |= {name: column(settings, name) for name in ("learning_rate", "warmup")}
        self.warms_up = any(each.warmup > 0 for each in settings)
        self.memory: Columns = {}
        if self.watches_loss:
            like = self.columns["decay"]
            self.memory = {
                "factor": np.ones_like(like),
                "lowest": np.full_like(like, np.inf),
                "waited": np.zeros_like(like),
            }

    def keep(self, rows: IntArray) -> None:
        """Keep only these networks of the stack."""
        self.columns = {name: values[rows] for name, values in self.columns.items()}
        self.memory = {name: values[rows] for name, values in self.memory.items()}

    def rate(self, epoch: IntArray) -> Array:
        """Return the learning rates of this epoch: a linear warm-up over `warmup` epochs times the schedule."""
        c = self.columns
        now = epoch.astype(c["learning_rate"].dtype)
        rate = self.rate_of(c, now, self.epochs)
        if self.warms_up:
            rate = rate * np.minimum(1, now / np.maximum(c["warmup"], 1))
        if self.watches_loss:
            rate = np.maximum(rate * self.memory["factor"], np.minimum(c["min_learning_rate"], rate))
        return rate

    def watch(self, loss: Array) -> None:
        """Lower the rate by the factor `decay` where the loss has not fallen for more than `plateau_patience` epochs.

        So many are tolerated and one more lowers it, as in PyTorch's ReduceLROnPlateau.
        loss has shape ``(stack,)``.
        """
        c, memory = self.columns, self.memory
        improved: BoolArray = loss[:, None] < memory["lowest"]
        np.copyto(memory["lowest"], loss[:, None], where=improved)
        memory["waited"] = np.where(improved, 0, memory["waited"] + 1).astype(loss.dtype)
        impatient = memory["waited"] > c["plateau_patience"]
        np.multiply(memory["factor"], c["decay"], out=memory["factor"], where=impatient)
        np.copyto(memory["waited"], 0, where=impatient)
