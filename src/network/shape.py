"""The shape of a network: its layers, where each one's parameters stand in its parameter row, and how they start."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from src.network.arrays import Array, layer_matrix
from src.network.initializers import draw_weights
from src.network.settings import INITIAL_WEIGHTS, Settings


@dataclass(frozen=True)
class Shape:
    """Layer sizes (inputs, hidden..., outputs), the hidden layers' activations, and the output with its loss."""

    layer_sizes: tuple[int, ...]
    activations: tuple[str, ...]
    output: str
    loss: str

    @cached_property
    def matrix_shapes(self) -> tuple[tuple[int, int], ...]:
        """``(units_out, units_in + 1)`` of each layer's matrix [W b], the bias last: derivation 1 (3.7)."""
        return tuple((out, size + 1) for size, out in zip(self.layer_sizes[:-1], self.layer_sizes[1:], strict=True))

    @cached_property
    def parameter_count(self) -> int:
        """How many weights and biases a network of this shape has."""
        return sum(rows * columns for rows, columns in self.matrix_shapes)

    def matrices(self, parameters: Array) -> list[Array]:
        """Return the parameters, shape ``(stack, parameter_count)``, as views [W b] ``(stack, out, in + 1)``."""
        views, start = [], 0
        for rows, columns in self.matrix_shapes:
            stop = start + rows * columns
            views.append(layer_matrix(parameters[:, start:stop], rows, columns))
            start = stop
        return views

    def weight_mask(self) -> Array:
        """Return 1 where a parameter is a weight and 0 where it is a bias, shape ``(parameter_count,)``."""
        mask: Array = np.ones((1, self.parameter_count))
        for matrix in self.matrices(mask):
            matrix[:, :, -1] = 0
        row: Array = mask[0]
        return row


def shape_of(settings: Settings, inputs: int, outputs: int) -> Shape:
    """Return the shape of the network that these settings describe for so many inputs and outputs."""
    sizes = (inputs, *settings.hidden_layer_sizes, outputs)
    return Shape(sizes, settings.activations, settings.output, settings.loss)


def initial_parameters(settings: Settings, shape: Shape) -> Array:
    """Return the parameter row of a new network, shape ``(parameter_count,)``, in the network's dtype."""
    random = settings.random(INITIAL_WEIGHTS)
    row: Array = np.empty(shape.parameter_count)
    for matrix in shape.matrices(row[None]):
        _, fan_out, columns = matrix.shape
        matrix[0, :, :-1] = draw_weights(random, settings.init, settings.init_scale, fan_out, columns - 1)
        matrix[0, :, -1:] = draw_weights(random, settings.bias_init, settings.init_scale, fan_out, 1)
    return row.astype(settings.dtype)
