"""The networks that the proofs are made on, few and different: a pairwise covering of what the engine offers.

The names come from the engine's own lists, so that what is added there is tested from then on.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal
from zlib import crc32

import numpy as np

from src.network import Part, Settings
from src.network.activations import ACTIVATIONS
from src.network.outputs import OUTPUTS
from tests.network.covering import pairwise

# Inputs, up to three hidden layers, outputs; samples. Layers of 32 units or more lie in memory in another order.
SIZES = {
    "small": (3, (4, 3, 5), 3, 6),
    "tiny": (1, (1, 2, 1), 2, 1),
    "wide": (33, (32, 3, 40), 35, 6),
}


@dataclass(frozen=True)
class Case:
    """A network, its samples and how it is trained."""

    activations: tuple[str, ...]
    output: str
    loss: str
    size: str = "small"
    soft_targets: bool = False
    weighted: bool = False
    l2: float = 0.0
    batch_size: int | Literal["full"] = "full"

    def __str__(self) -> str:
        """Name the network, and what few have."""
        traits = {
            "soft_targets": self.soft_targets,
            "weighted": self.weighted,
            "l2": self.l2 > 0,
            f"batches_of_{self.batch_size}": self.batch_size != "full",
        }
        layers = "+".join(self.activations) or "no_hidden_layer"
        return "-".join([layers, self.output, self.loss, self.size, *(name for name in traits if traits[name])])

    @property
    def seed(self) -> int:
        """Draw other numbers for every case: what one case's numbers do not show, another's may."""
        return crc32(str(self).encode())

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        inputs, hidden, outputs, _ = SIZES[self.size]
        return (inputs, *hidden[: len(self.activations)], outputs)

    def settings(self, **others: Any) -> Settings:
        training = {"l2": self.l2, "batch_size": self.batch_size, **others}
        return Settings(self.layer_sizes[1:-1], self.activations, self.output, self.loss, **training)

    @property
    def part(self) -> Part:
        """Samples: x normal; y a class, or numbers in (0, 1) that sum to 1 for a softmax; weights of mean 1."""
        random = np.random.default_rng(self.seed)
        inputs, _, outputs, samples = SIZES[self.size]
        x = random.normal(size=(inputs, samples))
        y = np.eye(outputs)[:, random.integers(outputs, size=samples)]
        if self.soft_targets:
            y = random.uniform(0.05, 0.95, y.shape)
            y = y / y.sum(axis=0) if self.output == "softmax" else y
        weight = random.uniform(0.2, 2.0, samples)
        return Part(x, y, weight / weight.mean() if self.weighted else None)

    def matrices(self, draw: int = 0) -> list[Any]:
        """Return matrices [W b] of normal numbers, small enough that no deep network saturates."""
        random = np.random.default_rng((self.seed, draw))
        layers = zip(self.layer_sizes[:-1], self.layer_sizes[1:], strict=True)
        return [random.normal(0, below**-0.5, (units, below + 1)) for below, units in layers]

    def smooth_matrices(self) -> list[Any]:
        """Return matrices with which no hidden unit comes near a kink of f or f', where differences say nothing."""
        return next(each for each in map(self.matrices, count()) if not self._is_near_a_kink(each))

    def _is_near_a_kink(self, matrices: list[Any]) -> bool:
        a, near = self.part.x, 0.005  # five hundred times the step of a central difference
        for matrix, name in zip(matrices, self.activations, strict=False):  # the output layer has no name
            z = matrix[:, :-1] @ a + matrix[:, -1:]
            a, slope = activated(name, z)
            bend = activated(name, z - near)[1] - 2 * slope + activated(name, z + near)[1]
            if np.abs(bend).max() > near / 25:  # where f is smooth the bend is about near^2 f'''
                return True
        return False


def activated(name: str, z: Any) -> tuple[Any, Any]:
    """Return f(z) and f'(z) as the engine has them."""
    a, slope = z.copy(), np.empty_like(z)
    ACTIVATIONS[name](a, slope, np.empty_like(z))
    return a, slope


def cases(
    activations: Iterable[str] = ACTIVATIONS, pairs: Iterable[tuple[str, str]] = OUTPUTS, **more: Iterable[Any]
) -> list[Case]:
    """Return cases in which every two values meet: activations, depths from 1 to 3, pairs, targets, weights, penalty.

    `more` are further factors, named as Case's fields. Cases without a hidden layer follow, with no activation
    to choose. In a deep network the activations that come next in the list take the further layers, so that no two
    layers are alike.
    """
    names = list(activations)
    factors = {"pair": list(pairs), "soft_targets": (False, True), "weighted": (False, True), "l2": (0.0, 0.3), **more}
    found = []
    for row in [*pairwise(first=range(len(names)), depth=(1, 2, 3), **factors), *pairwise(**factors)]:
        first, depth, (output, loss) = row.pop("first", 0), row.pop("depth", 0), row.pop("pair")
        layers = tuple(names[(first + layer) % len(names)] for layer in range(depth))
        found.append(Case(layers, output, loss, **row))
    return found
