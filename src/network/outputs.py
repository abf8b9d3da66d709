"""Output layers with their losses.

A pair owns three things: the output activation, the loss of each sample, and the output error delta = dJ/dz as its
mathematics says (delta = a - y only where it is true). Buffers have shape ``(stack, outputs, samples)``; a loss is
computed from the pre-activations z, never by clipping probabilities, and has shape ``(stack, samples)``.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from src.network.activations import log_one_plus_exp, logistic
from src.network.arrays import Array


@dataclass(frozen=True)
class Output:
    """One pair: ``activate(z)`` and ``error(a, y)`` work in place (a becomes delta); ``loss(z, y)`` uses z up."""

    activate: Callable[[Array], None]
    error: Callable[[Array, Array], None]
    loss: Callable[[Array, Array], Array]


def softmax(z: Array) -> None:
    """Replace z by exp(z_c) / sum_c exp(z_c), derivation 4; shifted by the largest z, which changes no quotient."""
    np.subtract(z, np.maximum.reduce(z, axis=1, keepdims=True), out=z)
    np.exp(z, out=z)
    np.divide(z, np.add.reduce(z, axis=1, keepdims=True), out=z)


def sigmoid(z: Array) -> None:
    """Replace each z by 1 / (1 + exp(-z)): derivation 1 (1.2), derivation 2 (1)."""
    logistic(z, z)


def tanh(z: Array) -> None:
    """Replace each z by tanh z."""
    np.tanh(z, out=z)


def identity(z: Array) -> None:
    """Leave z as it is."""


def difference(a: Array, y: Array) -> None:
    """Replace a by delta = a - y.

    True for softmax and sigmoid with cross-entropy (derivation 4), and for identity with squared error, whose f' is 1
    (derivation 2 (5) and (6)).
    """
    np.subtract(a, y, out=a)


def sigmoid_squared_error(a: Array, y: Array) -> None:
    """Replace a by delta = a (1 - a) (a - y): derivation 4, derivation 1 (4.16)."""
    np.multiply(a * (1 - a), a - y, out=a)


def tanh_squared_error(a: Array, y: Array) -> None:
    """Replace a by delta = (1 - a^2) (a - y): derivation 2 (7) with f = tanh."""
    np.multiply(1 - a * a, a - y, out=a)


def softmax_squared_error(a: Array, y: Array) -> None:
    """Replace a by delta = J^T (a - y), with the softmax Jacobian J_ij = a_i ([i = j] - a_j) of derivation 4."""
    error = a - y
    shared = np.add.reduce(a * error, axis=1, keepdims=True)
    np.multiply(a, error - shared, out=a)


def softmax_cross_entropy_loss(z: Array, y: Array) -> Array:
    """Return -sum_c y_c log a_c = sum_c y_c (logsumexp(z) - z_c): derivation 4."""
    np.subtract(z, np.maximum.reduce(z, axis=1, keepdims=True), out=z)
    log_sum = np.log(np.add.reduce(np.exp(z), axis=1, keepdims=True))
    np.subtract(log_sum, z, out=z)
    np.multiply(z, y, out=z)
    loss: Array = np.add.reduce(z, axis=1)
    return loss


def sigmoid_cross_entropy_loss(z: Array, y: Array) -> Array:
    """Return -sum_c [y_c log a_c + (1 - y_c) log(1 - a_c)] = sum_c [log(1 + exp z_c) - y_c z_c]."""
    weighted = y * z
    log_one_plus_exp(z, np.empty_like(z))
    np.subtract(z, weighted, out=z)
    loss: Array = np.add.reduce(z, axis=1)
    return loss


def squared_error_loss(activate: Callable[[Array], None]) -> Callable[[Array, Array], Array]:
    """Return the loss 1/2 ||h(x) - y||^2 of this output: derivation 1 (4.9), derivation 2 (3), derivation 3."""

    def loss(z: Array, y: Array) -> Array:
        activate(z)
        np.subtract(z, y, out=z)
        np.square(z, out=z)
        total: Array = 0.5 * np.add.reduce(z, axis=1)
        return total

    return loss


OUTPUTS = {
    ("softmax", "cross_entropy"): Output(softmax, difference, softmax_cross_entropy_loss),
    ("softmax", "squared_error"): Output(softmax, softmax_squared_error, squared_error_loss(softmax)),
    ("sigmoid", "cross_entropy"): Output(sigmoid, difference, sigmoid_cross_entropy_loss),
    ("sigmoid", "squared_error"): Output(sigmoid, sigmoid_squared_error, squared_error_loss(sigmoid)),
    ("tanh", "squared_error"): Output(tanh, tanh_squared_error, squared_error_loss(tanh)),
    ("identity", "squared_error"): Output(identity, difference, squared_error_loss(identity)),
}
