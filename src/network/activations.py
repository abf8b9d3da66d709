"""Activations of the hidden layers, each with its derivative.

Every function replaces the pre-activations z of a whole layer by a = f(z), and writes f'(z) to `slope`; `scratch` is
room to calculate in. All are buffers of shape ``(stack, units, samples)``: new arrays of that size would cost more than
the arithmetic. The derivative is taken from whatever costs least, mostly from a, as for the sigmoid in
derivation 1 (1.4).
"""

from collections.abc import Callable

import numpy as np

from src.network.arrays import Array

Activation = Callable[[Array, Array, Array], None]

LEAKY_SLOPE = 0.01
GELU_CUBIC = 0.044715
GELU_SCALE = float(np.sqrt(2 / np.pi))


def logistic(z: Array, out: Array) -> None:
    """Write 1 / (1 + exp(-z)): derivation 1 (1.2), derivation 2 (1). An overflowing exp gives its true limit, 0."""
    np.negative(z, out=out)
    np.exp(out, out=out)
    np.add(out, 1, out=out)
    np.divide(1, out, out=out)  # twice as fast as np.reciprocal


def log_one_plus_exp(z: Array, scratch: Array) -> None:
    """Replace z by log(1 + exp z) = max(z, 0) + log(1 + exp(-|z|)), which does not overflow."""
    np.abs(z, out=scratch)
    np.negative(scratch, out=scratch)
    np.exp(scratch, out=scratch)
    np.log1p(scratch, out=scratch)
    np.maximum(z, 0, out=z)
    np.add(z, scratch, out=z)


def identity(z: Array, slope: Array, scratch: Array) -> None:
    """Take f(z) = z, f' = 1."""
    slope.fill(1)


def sigmoid(z: Array, slope: Array, scratch: Array) -> None:
    """Take f(z) = 1 / (1 + exp(-z)), f' = a (1 - a): derivation 1 (1.4), derivation 2 (2)."""
    logistic(z, z)
    np.subtract(1, z, out=slope)
    np.multiply(slope, z, out=slope)


def tanh(z: Array, slope: Array, scratch: Array) -> None:
    """Take f(z) = tanh z, f' = 1 - a^2."""
    np.tanh(z, out=z)
    np.square(z, out=slope)
    np.subtract(1, slope, out=slope)


def relu(z: Array, slope: Array, scratch: Array) -> None:
    """Take f(z) = max(z, 0) = z f', where f' = 1 for z > 0, else 0 (Nair and Hinton 2010)."""
    np.greater(z, 0, out=slope, casting="unsafe")
    np.multiply(z, slope, out=z)


def leaky_relu(z: Array, slope: Array, scratch: Array) -> None:
    """Take f(z) = max(z, 0.01 z) = z f', where f' = 1 for z > 0, else 0.01 (Maas, Hannun and Ng 2013)."""
    np.greater(z, 0, out=slope, casting="unsafe")
    np.maximum(slope, LEAKY_SLOPE, out=slope)
    np.multiply(z, slope, out=z)


def elu(z: Array, slope: Array, scratch: Array) -> None:
    """Take f(z) = z for z > 0, else exp(z) - 1; f' = 1, else exp(z) (Clevert, Unterthiner and Hochreiter 2016)."""
    np.minimum(z, 0, out=slope)
    np.expm1(slope, out=slope)
    np.maximum(z, 0, out=z)
    np.add(z, slope, out=z)
    np.add(slope, 1, out=slope)


def softplus(z: Array, slope: Array, scratch: Array) -> None:
    """Take f(z) = log(1 + exp z), f' = sigmoid(z) = 1 - exp(-a) (Glorot, Bordes and Bengio 2011)."""
    log_one_plus_exp(z, scratch)
    np.negative(z, out=slope)
    np.expm1(slope, out=slope)
    np.negative(slope, out=slope)


def silu(z: Array, slope: Array, scratch: Array) -> None:
    """Take f(z) = z s with s = sigmoid(z), f' = s + a (1 - s) (Elfwing, Uchibe and Doya 2018)."""
    logistic(z, slope)
    np.multiply(z, slope, out=z)
    np.subtract(1, slope, out=scratch)
    np.multiply(scratch, z, out=scratch)
    np.add(slope, scratch, out=slope)


def gelu(z: Array, slope: Array, scratch: Array) -> None:
    """Take f(z) = z/2 (1 + t) with t = tanh u, u = c (z + k z^3), c = sqrt(2/pi), k = 0.044715.

    f' = (1 + t)/2 + z/2 (1 - t^2) u' with u' = c (1 + 3 k z^2). This is the tanh form of Hendrycks and Gimpel 2016.
    """
    half_z, t = z, scratch
    np.square(z, out=slope)
    np.multiply(slope, GELU_CUBIC, out=t)
    t += 1
    t *= z
    t *= GELU_SCALE
    np.tanh(t, out=t)
    slope *= 3 * GELU_CUBIC
    slope += 1
    slope *= GELU_SCALE  # u'
    half_z *= 0.5
    slope *= half_z
    t += 1
    half_z *= t  # a = z/2 (1 + t)
    slope *= t
    np.subtract(2, t, out=t)  # 1 - t
    slope -= 0.5
    slope *= t
    slope += 1  # f' = 1 + (1 - t) (z/2 (1 + t) u' - 1/2)


ACTIVATIONS: dict[str, Activation] = {
    each.__name__: each for each in (identity, sigmoid, tanh, relu, leaky_relu, elu, softplus, silu, gelu)
}
