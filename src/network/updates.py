"""What the networks of a stack carry from update to update: optimizer, learning rates, and the best weights so far."""

from collections.abc import Iterable

import numpy as np

from src.network.arrays import Array, BoolArray, IntArray
from src.network.optimizers import OPTIMIZERS
from src.network.schedules import SCHEDULES
from src.network.settings import Settings, hyperparameters


class PerNetwork:
    """What holds arrays, by themselves or in dicts, whose first axis is the networks of a stack."""

    def keep(self, rows: IntArray) -> None:
        """Keep only these networks of the stack."""
        for name, held in vars(self).items():
            if isinstance(held, np.ndarray):
                setattr(self, name, held[rows])
            elif isinstance(held, dict):
                setattr(self, name, {key: values[rows] for key, values in held.items()})


def numbers_of(settings: list[Settings], reader: str, common: Iterable[str]) -> dict[str, Array]:
    """Return the numbers that an optimizer or a schedule has of its own, and common ones.

    Each is a column, shape ``(stack, 1)``, in the dtype of the stack; NaN stands for None.
    """
    own = [name for name, one in hyperparameters(Settings).items() if reader in one.of]
    return {name: np.array([[getattr(each, name)] for each in settings], settings[0].dtype) for name in (*own, *common)}


class Optimizer(PerNetwork):
    """One optimizer for a stack: penalty, clipping and update, with the memory of every network.

    Parameters
    ----------
    settings : the stack's networks, alike in `optimizer` and in whether they clip.
    weight_mask : 1 for a weight and 0 for a bias, shape ``(parameter_count,)``: biases are not penalized.
    """

    def __init__(self, settings: list[Settings], weight_mask: Array) -> None:
        first = settings[0]
        self.update, remembered = OPTIMIZERS[first.optimizer]
        self.decoupled = first.optimizer == "adamw"
        self.clips = first.clip_norm is not None
        self.numbers = numbers_of(settings, first.optimizer, ("l2", "clip_norm"))
        self.memory = {name: np.zeros((len(settings), len(weight_mask)), first.dtype) for name in remembered}
        self.step_count = np.zeros((len(settings), 1), first.dtype)
        penalized = any(each.l2 > 0 for each in settings)
        self.decay = self.numbers["l2"] * weight_mask.astype(first.dtype) if penalized else None

    def step(self, p: Array, g: Array, rate: Array) -> None:
        """Update the parameters p by the gradient g of the data loss, at the learning rate ``(stack, 1)``.

        The penalty (lambda/2) sum W^2 adds lambda W to the gradient (derivation 2 section 6, derivation 3); adamw
        instead shrinks the weights by alpha lambda W apart from its moments (Loshchilov and Hutter 2019). Clipping
        scales the gradient of J to a norm of at most `clip_norm` (Pascanu, Mikolov and Bengio 2013).
        """
        self.step_count += 1
        if self.decay is not None and not self.decoupled:
            np.add(g, self.decay * p, out=g)
        if self.clips:
            norm = np.sqrt(np.add.reduce(np.square(g), axis=1, keepdims=True))
            np.multiply(g, np.minimum(1, self.numbers["clip_norm"] / np.maximum(norm, np.finfo(g.dtype).tiny)), out=g)
        if self.decay is not None and self.decoupled:
            np.subtract(p, rate * self.decay * p, out=p)
        self.update(p, g, rate, self.step_count, self.numbers, self.memory)


class Schedule(PerNetwork):
    """The schedule of a stack: alike in kind and in the number of epochs, each network with its own numbers."""

    def __init__(self, settings: list[Settings]) -> None:
        first = settings[0]
        self.rate_of = SCHEDULES[first.schedule]
        self.watches_loss = first.schedule == "plateau"
        self.epochs = first.epochs
        self.numbers = numbers_of(settings, first.schedule, ("learning_rate", "warmup"))
        self.warms_up = any(each.warmup > 0 for each in settings)
        start = {"factor": 1, "lowest": np.inf, "waited": 0} if self.watches_loss else {}
        self.memory = {name: np.full((len(settings), 1), value, first.dtype) for name, value in start.items()}

    def rate(self, epoch: IntArray) -> Array:
        """Return the learning rates of this epoch: a linear warm-up over `warmup` epochs times the schedule."""
        c = self.numbers
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
        c, memory = self.numbers, self.memory
        improved = loss[:, None] < memory["lowest"]
        np.copyto(memory["lowest"], loss[:, None], where=improved)
        memory["waited"] = np.where(improved, 0, memory["waited"] + 1).astype(loss.dtype)
        impatient = memory["waited"] > c["plateau_patience"]
        np.multiply(memory["factor"], c["decay"], out=memory["factor"], where=impatient)
        np.copyto(memory["waited"], 0, where=impatient)


class EarlyStopping(PerNetwork):
    """The best parameters so far, by validation loss, and how long each network has waited for better ones.

    A loss is an improvement if it lies more than `min_delta` below the best (Prechelt 1998).
    """

    def __init__(self, settings: list[Settings], parameters: Array) -> None:
        self.patience = np.array([each.patience for each in settings])
        self.min_delta = np.array([each.min_delta for each in settings])
        self.best_loss = np.full(len(settings), np.inf)
        self.best_epoch = np.zeros(len(settings), dtype=int)
        self.best_parameters = parameters.copy()

    def watch(self, epoch: int, loss: Array, parameters: Array) -> BoolArray:
        """Take in the validation losses of this epoch, shape ``(stack,)``; return which networks should stop."""
        improved = loss < self.best_loss - self.min_delta
        self.best_loss[improved] = loss[improved]
        self.best_epoch[improved] = epoch
        self.best_parameters[improved] = parameters[improved]
        should_stop: BoolArray = epoch - self.best_epoch >= self.patience
        return should_stop
