"""Initial weights and biases, drawn for each network from its own random stream."""

from collections.abc import Callable

import numpy as np

from src.network.arrays import Array
from src.network.settings import INITIAL_WEIGHTS, Settings
from src.network.shape import Shape

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


def initial_parameters(settings: Settings, shape: Shape) -> Array:
    """Return the parameter row of a new network, shape ``(parameter_count,)``, in the network's dtype."""
    random = settings.random(INITIAL_WEIGHTS)
    row: Array = np.empty(shape.parameter_count)
    for matrix in shape.matrices(row[None]):
        _, fan_out, columns = matrix.shape
        matrix[0, :, :-1] = draw_weights(random, settings.init, settings.init_scale, fan_out, columns - 1)
        matrix[0, :, -1:] = draw_weights(random, settings.bias_init, settings.init_scale, fan_out, 1)
    return row.astype(settings.dtype)
