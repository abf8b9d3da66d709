"""Initial weights and biases: the laws that they are drawn from."""

from collections.abc import Callable

import numpy as np

from src.network.arrays import Array

# name -> (gain, which units count: their variance is gain / units)
_SCALED: dict[str, tuple[float, Callable[[int, int], float]]] = {
    "glorot": (1.0, lambda fan_in, fan_out: (fan_in + fan_out) / 2),  # Glorot and Bengio 2010
    "he": (2.0, lambda fan_in, fan_out: fan_in),  # He, Zhang, Ren and Sun 2015
    "lecun": (1.0, lambda fan_in, fan_out: fan_in),  # LeCun, Bottou, Orr and Mueller 1998
}

INITIALIZERS = (
    *(f"{name}_{law}" for name in _SCALED for law in ("uniform", "normal")),
    "uniform",
    "normal",
    "standard_normal",
    "zeros",
)
BIAS_INITIALIZERS = ("zeros", "uniform", "normal")


def draw_weights(random: np.random.Generator, init: str, scale: float, fan_out: int, fan_in: int) -> Array:
    """Return one layer's weights W, shape ``(fan_out, fan_in)``, float64.

    `uniform` is uniform(-scale, scale), `normal` is normal(0, scale), `standard_normal` is Nielsen's N(0, 1)
    (network.py, to which derivation 2 refers); the others scale themselves by the layer's fan-in and fan-out.
    """
    size = (fan_out, fan_in)
    if init == "zeros":
        return np.zeros(size)
    if init == "standard_normal":
        return random.standard_normal(size)
    if init == "normal":
        return random.normal(0, scale, size)
    if init == "uniform":
        return random.uniform(-scale, scale, size)
    name, law = init.split("_")
    gain, units = _SCALED[name]
    deviation = float(np.sqrt(gain / units(fan_in, fan_out)))
    if law == "normal":
        return random.normal(0, deviation, size)
    limit = np.sqrt(3) * deviation  # uniform(-l, l) has the variance l^2 / 3
    return random.uniform(-limit, limit, size)
