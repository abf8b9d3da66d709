"""Optimizers: how a gradient becomes an update of the parameters.

Each is one function that changes `p`, the parameters of a stack, in place. All arrays have shape
``(stack, parameter_count)``; the numbers of each network are columns ``(stack, 1)``. `g` is the gradient of the
objective J, penalty included, and may be used as scratch; `rate` is this epoch's learning rate; `step` counts the
updates from 1; `h` holds the optimizer's own numbers, by the names declared in `settings.py`; `memory` what it
remembers, all zeros at the start.
"""

from collections.abc import Callable

import numpy as np

from src.network.arrays import Array, IntArray
from src.network.settings import Settings, column, columns_of

Numbers = dict[str, Array]
Memory = dict[str, Array]
Update = Callable[[Array, Array, Array, Array, Numbers, Memory], None]


def sgd(p: Array, g: Array, rate: Array, step: Array, h: Numbers, memory: Memory) -> None:
    """Set W <- W - alpha g: derivation 2 section 6, derivation 3, derivation 1 (4.10)."""
    np.multiply(g, rate, out=g)
    np.subtract(p, g, out=p)


def momentum(p: Array, g: Array, rate: Array, step: Array, h: Numbers, memory: Memory) -> None:
    """Set v <- mu v - alpha g, p <- p + v (Polyak 1964)."""
    velocity = memory["velocity"]
    np.multiply(velocity, h["momentum"], out=velocity)
    np.multiply(g, rate, out=g)
    np.subtract(velocity, g, out=velocity)
    np.add(p, velocity, out=p)


def nesterov(p: Array, g: Array, rate: Array, step: Array, h: Numbers, memory: Memory) -> None:
    """Set v <- mu v - alpha g, p <- p + mu v - alpha g (Nesterov 1983, in the form of Sutskever et al. 2013)."""
    velocity = memory["velocity"]
    np.multiply(velocity, h["momentum"], out=velocity)
    np.multiply(g, rate, out=g)
    np.subtract(velocity, g, out=velocity)
    np.subtract(p, g, out=p)
    np.add(p, np.multiply(velocity, h["momentum"], out=g), out=p)


def rmsprop(p: Array, g: Array, rate: Array, step: Array, h: Numbers, memory: Memory) -> None:
    """Set s <- rho s + (1 - rho) g^2, p <- p - alpha g / (sqrt(s) + eps) (Tieleman and Hinton 2012)."""
    second, scratch = memory["second_moment"], np.square(g)
    _average(second, scratch, h["rho"])
    _scaled_step(p, g, rate, np.sqrt(second, out=scratch), h["epsilon"])


def adagrad(p: Array, g: Array, rate: Array, step: Array, h: Numbers, memory: Memory) -> None:
    """Set s <- s + g^2, p <- p - alpha g / (sqrt(s) + eps) (Duchi, Hazan and Singer 2011)."""
    second, scratch = memory["second_moment"], np.square(g)
    np.add(second, scratch, out=second)
    _scaled_step(p, g, rate, np.sqrt(second, out=scratch), h["epsilon"])


def adam(p: Array, g: Array, rate: Array, step: Array, h: Numbers, memory: Memory) -> None:
    """Step by the moments' averages, corrected for their start at zero (Kingma and Ba 2015, algorithm 1)."""
    first, second, scratch = memory["first_moment"], memory["second_moment"], np.square(g)
    _average(first, g, h["beta1"])
    _average(second, scratch, h["beta2"])
    corrected_rate = rate / (1 - np.power(h["beta1"], step))  # as if the first moment were divided
    second_corrected = np.multiply(second, 1 / (1 - np.power(h["beta2"], step)), out=scratch)
    _scaled_step(p, first, corrected_rate, np.sqrt(second_corrected, out=scratch), h["epsilon"])


def _average(average: Array, new: Array, keep: Array) -> None:
    """Replace `average` by keep * average + (1 - keep) * new; `new` is used up."""
    np.multiply(average, keep, out=average)
    np.multiply(new, 1 - keep, out=new)
    np.add(average, new, out=average)


def _scaled_step(p: Array, direction: Array, rate: Array, root: Array, epsilon: Array) -> None:
    """Set p <- p - alpha * direction / (root + eps), where root is that of the second moment; it is used up."""
    np.add(root, epsilon, out=root)
    np.divide(direction, root, out=root)
    np.multiply(root, rate, out=root)
    np.subtract(p, root, out=p)


# name -> (update, what it remembers). adamw differs from adam in the penalty alone: `Optimizer` decouples it.
OPTIMIZERS: dict[str, tuple[Update, tuple[str, ...]]] = {
    "sgd": (sgd, ()),
    "momentum": (momentum, ("velocity",)),
    "nesterov": (nesterov, ("velocity",)),
    "rmsprop": (rmsprop, ("second_moment",)),
    "adagrad": (adagrad, ("second_moment",)),
    "adam": (adam, ("first_moment", "second_moment")),
    "adamw": (adam, ("first_moment", "second_moment")),
}


class Optimizer:
    """One optimizer for a stack: penalty, clipping and update, with the memory of every network.

    Parameters
    ----------
    settings : the stack's networks, alike in `optimizer` and in whether they clip.
    weight_mask : 1 for a weight and 0 for a bias, shape ``(parameter_count,)``: biases are not penalized.
    """

    def __init__(self, settings: list[Settings], weight_mask: Array) -> None:
        first = settings[0]
        size = (len(settings), len(weight_mask))
        self.update, remembered = OPTIMIZERS[first.optimizer]
        self.decoupled = first.optimizer == "adamw"
        self.numbers: Numbers = columns_of(settings, first.optimizer)
        self.memory: Memory = {name: np.zeros(size, first.dtype) for name in remembered}
        self.step_count = np.zeros((len(settings), 1), first.dtype)
        self.clip_norm = None if first.clip_norm is None else column(settings, "clip_norm")
        penalized = any(each.l2 > 0 for each in settings)
        self.decay = column(settings, "l2") * weight_mask.astype(first.dtype) if penalized else None

    def keep(self, rows: IntArray) -> None:
        """Keep only these networks of the stack."""
        self.numbers = {name: values[rows] for name, values in self.numbers.items()}
        self.memory = {name: values[rows] for name, values in self.memory.items()}
        self.step_count = self.step_count[rows]
        self.clip_norm = None if self.clip_norm is None else self.clip_norm[rows]
        self.decay = None if self.decay is None else self.decay[rows]

    def step(self, p: Array, g: Array, rate: Array) -> None:
        """Update the parameters p by the gradient g of the data loss, at the learning rate ``(stack, 1)``.

        The penalty (lambda/2) sum W^2 adds lambda W to the gradient (derivation 2 section 6, derivation 3); adamw
        instead shrinks the weights by alpha lambda W apart from its moments (Loshchilov and Hutter 2019). Clipping
        scales the gradient of J to a norm of at most `clip_norm` (Pascanu, Mikolov and Bengio 2013).
        """
        self.step_count += 1
        if self.decay is not None and not self.decoupled:
            np.add(g, self.decay * p, out=g)
        if self.clip_norm is not None:
            norm = np.sqrt(np.add.reduce(np.square(g), axis=1, keepdims=True))
            np.multiply(g, np.minimum(1, self.clip_norm / np.maximum(norm, np.finfo(g.dtype).tiny)), out=g)
        if self.decay is not None and self.decoupled:
            np.subtract(p, rate * self.decay * p, out=p)
        self.update(p, g, rate, self.step_count, self.numbers, self.memory)
