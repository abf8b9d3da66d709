"""Optimizers: how a gradient becomes an update of the parameters.

Each is one function that changes `p`, the parameters of a stack, in place. All arrays have shape
``(stack, parameter_count)``; the numbers of each network are columns ``(stack, 1)``. `g` is the gradient of the
objective J, penalty included, and may be used as scratch; `rate` is this epoch's learning rate; `step` counts the
updates from 1; `h` holds the optimizer's own numbers, by the names declared in `settings.py`; `memory` what it
remembers, all zeros at the start.
"""

from collections.abc import Callable

import numpy as np

from src.network.arrays import Array

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


# name -> (update, what it remembers). adamw differs from adam in the penalty alone: `updates.Optimizer` decouples it.
OPTIMIZERS: dict[str, tuple[Update, tuple[str, ...]]] = {
    "sgd": (sgd, ()),
    "momentum": (momentum, ("velocity",)),
    "nesterov": (nesterov, ("velocity",)),
    "rmsprop": (rmsprop, ("second_moment",)),
    "adagrad": (adagrad, ("second_moment",)),
    "adam": (adam, ("first_moment", "second_moment")),
    "adamw": (adam, ("first_moment", "second_moment")),
}
