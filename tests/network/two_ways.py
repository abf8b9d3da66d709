"""The same numbers in two ways: by the engine, and sum by sum by derivation.py.

Both are made from a network's settings with its numbers of inputs and outputs, and take its parameters as matrices
[W b], one a layer, of shape ``(units_out, units_in + 1)``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from src.network import SHUFFLING, Data, Part, Settings, Shape, State, derivation, shape_of
from src.network import gradient as gradient_of_row
from src.network import objective as objective_of_row
from src.network import predict as predict_with_row
from src.network import train as train_stack

Matrices = Sequence[Any]


@dataclass(frozen=True)
class Engine:
    """The engine, with one network in its stack."""

    settings: Settings
    inputs: int
    outputs: int

    @property
    def shape(self) -> Shape:
        return shape_of(self.settings, self.inputs, self.outputs)

    def row(self, matrices: Matrices) -> Any:
        """Return the parameter row with these matrices."""
        row = np.empty((1, self.shape.parameter_count))
        for view, matrix in zip(self.shape.matrices(row), matrices, strict=True):
            view[0] = matrix
        return row[0]

    def matrices(self, row: Any) -> Matrices:
        return [matrix[0] for matrix in self.shape.matrices(row[None])]

    def predict(self, matrices: Matrices, x: Any) -> Any:
        """Return h(x), shape (outputs, samples), for x of shape (inputs, samples)."""
        return predict_with_row(self.shape, self.row(matrices), x)

    def objective(self, matrices: Matrices, part: Part, l2: float = 0.0) -> float:
        return objective_of_row(self.shape, self.row(matrices), part, l2)

    def gradient(self, matrices: Matrices, part: Part, l2: float = 0.0) -> Matrices:
        return self.matrices(gradient_of_row(self.shape, self.row(matrices), part, l2))

    def train(self, matrices: Matrices, part: Part) -> Matrices:
        """Return the matrices after the settings' epochs."""
        [trained] = train_stack([self.settings], [Data(part)], start=[State(self.row(matrices))])
        return self.matrices(trained.parameters)


@dataclass(frozen=True)
class Derivation:
    """derivation.py, trained on batches in the order that the network's own random stream gives them."""

    settings: Settings
    inputs: int
    outputs: int

    def network(self, matrices: Matrices) -> derivation.Network:
        lists = [np.asarray(matrix).tolist() for matrix in matrices]
        return derivation.network_of(lists, self.settings.activations, self.settings.output, self.settings.loss)

    def passes(self, matrices: Matrices, part: Part) -> list[derivation.Pass]:
        network = self.network(matrices)
        return [derivation.propagate(network, sample) for sample in samples_of(part)]

    def predict(self, matrices: Matrices, x: Any) -> Any:
        network = self.network(matrices)
        activations = [derivation.forward(network, each)[1] for each in x.T.tolist()]
        return np.transpose([a[len(network.W)] for a in activations])

    def objective(self, matrices: Matrices, part: Part, l2: float = 0.0) -> float:
        return derivation.objective(self.network(matrices), self.passes(matrices, part), l2).J

    def gradient(self, matrices: Matrices, part: Part, l2: float = 0.0) -> Matrices:
        gradient = derivation.gradient(self.network(matrices), self.passes(matrices, part), l2)
        return joined(gradient.W, gradient.b)

    def train(self, matrices: Matrices, part: Part) -> Matrices:
        settings, network, samples = self.settings, self.network(matrices), samples_of(part)
        size = len(samples) if settings.batch_size == "full" else settings.batch_size
        shuffling = settings.random(SHUFFLING)
        for _ in range(settings.epochs):
            order = shuffling.permutation(len(samples))
            for start in range(0, len(samples), size):
                batch = [samples[number] for number in order[start : start + size]]
                network = derivation.update(network, batch, settings.learning_rate, settings.l2).network
        return joined(network.W, network.b)


def samples_of(part: Part) -> list[derivation.Sample]:
    weights = np.ones(part.x.shape[1]) if part.weight is None else part.weight
    columns = zip(part.x.T.tolist(), part.y.T.tolist(), weights.tolist(), strict=True)
    return [derivation.Sample(x, y, weight) for x, y, weight in columns]


def joined(W: dict[int, Any], b: dict[int, Any]) -> Matrices:
    """Return as matrices [W b] what is given apart."""
    return [np.column_stack([W[layer], b[layer]]) for layer in W]
