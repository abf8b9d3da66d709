"""The objective with its analytic gradient, and the check of one against the other by central differences."""

import numpy as np

from src.network.arrays import Array
from src.network.batches import Part, StackedPart
from src.network.propagation import Propagation
from src.network.settings import Settings
from src.network.shape import Shape, initial_parameters, shape_of


@np.errstate(
    all="ignore"
)  # an exp that overflows gives its true limit (see `activations.logistic`), here as in `train`
def objective(shape: Shape, parameters: Array, part: Part, l2: float = 0.0) -> float:
    """Return J = (1/m) sum_i w_i loss_i + (lambda/2) sum W^2 (derivation 3) of one network, biases not penalized.

    Parameters
    ----------
    parameters : the network's row, shape ``(parameter_count,)``.
    part : its samples, x ``(features, samples)`` and y ``(outputs, samples)``.
    l2 : lambda.
    """
    propagation, all_samples = _one_network(shape, parameters, part)
    losses = propagation.losses(shape.matrices(parameters[None]), all_samples)
    penalty = 0.5 * l2 * np.add.reduce(shape.weight_mask() * np.square(parameters))
    return float(np.add.reduce(losses[0]) / all_samples.count + penalty)


@np.errstate(all="ignore")
def gradient(shape: Shape, parameters: Array, part: Part, l2: float = 0.0) -> Array:
    """Return dJ/dparameters of one network by back-propagation, shape ``(parameter_count,)``; see `objective`."""
    propagation, all_samples = _one_network(shape, parameters, part)
    row = np.empty_like(parameters)
    propagation.gradient(shape.matrices(parameters[None]), all_samples, shape.matrices(row[None]))
    return row + l2 * shape.weight_mask() * parameters


def _one_network(shape: Shape, parameters: Array, part: Part) -> tuple[Propagation, Part]:
    dtype = parameters.dtype.name
    (all_samples,) = StackedPart([part], dtype).in_order(part.count)
    return Propagation(shape, 1, all_samples.count, dtype), all_samples


def central_differences(shape: Shape, parameters: Array, part: Part, l2: float, step: float = 1e-5) -> Array:
    """Return [J(p + h e_i) - J(p - h e_i)] / 2h for every parameter, shape ``(parameter_count,)``: h is `step`."""
    differences = np.empty_like(parameters)
    for i in range(len(parameters)):
        moved = parameters.copy()
        moved[i] = parameters[i] + step
        above = objective(shape, moved, part, l2)
        moved[i] = parameters[i] - step
        differences[i] = (above - objective(shape, moved, part, l2)) / (2 * step)
    return differences


def gradient_error(settings: Settings, part: Part, parameters: Array | None = None) -> float:
    """Return how far back-propagation is from central differences, relative to the larger of the two gradients.

    The measure is ||g - d|| / max(||g||, ||d||), in float64 whatever the network's dtype (cs231n, "Learning and
    evaluation"): below 1e-7 is right; a kink (relu) within the step of 1e-5 may raise it. Without `parameters` the
    network's initial ones are checked.
    """
    shape = shape_of(settings, *part.sizes[:2])
    row = initial_parameters(settings, shape) if parameters is None else parameters
    row = row.astype(np.float64)
    analytic = gradient(shape, row, part, settings.l2)
    numeric = central_differences(shape, row, part, settings.l2)
    return relative_error(analytic, numeric)


def relative_error(one: Array, other: Array) -> float:
    """Return ||one - other|| / max(||one||, ||other||), 0 where both are 0."""
    largest = max(np.linalg.norm(one), np.linalg.norm(other))
    return float(np.linalg.norm(one - other) / largest) if largest > 0 else 0.0
