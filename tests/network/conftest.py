"""What the proofs share: samples drawn at random, and parameters written and read as the matrices [W b]."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from src.network import Data, Part, Settings, Shape, State, Trained, train
from tests.network.two_ways import Derivation, Engine


@pytest.fixture(scope="session")
def make_part() -> Callable[..., Part]:
    """Draw samples: x normal; y one class of each sample, or numbers in (0, 1); weights of mean 1 if wanted."""

    def make(
        features: int = 3,
        outputs: int = 3,
        samples: int = 6,
        *,
        classes: bool = True,
        weighted: bool = False,
        seed: int = 0,
    ) -> Part:
        random = np.random.default_rng(seed)
        x = random.normal(size=(features, samples))
        labels = random.integers(outputs, size=samples)
        y = np.eye(outputs)[:, labels] if classes else random.uniform(0.05, 0.95, (outputs, samples))
        weight = random.uniform(0.2, 2.0, samples)
        return Part(x, y, weight / weight.mean() if weighted else None)

    return make


@pytest.fixture(scope="session")
def train_one() -> Callable[..., Trained]:
    """Train one network on one part: ``train_one(settings, part, start=parameters, **what train takes)``."""

    def train_alone(settings: Settings, part: Part, start: Any = None, **options: Any) -> Trained:
        state = State(parameters=start) if isinstance(start, np.ndarray) else start
        return train([settings], [Data(part)], start=[state], **options)[0]

    return train_alone


@pytest.fixture(params=[Derivation, Engine])
def way(request: pytest.FixtureRequest) -> type[Derivation] | type[Engine]:
    """Hold both to the same: called with settings, inputs and outputs, they take networks as matrices [W b]."""
    way: type[Derivation] | type[Engine] = request.param
    return way


@pytest.fixture(scope="session")
def matrices_of() -> Callable[..., list[Any]]:
    """Return the matrices [W b] of a parameter row, each of shape (units_out, units_in + 1)."""

    def unflatten(shape: Shape, row: Any) -> list[Any]:
        return [matrix[0] for matrix in shape.matrices(row[None])]

    return unflatten


@pytest.fixture(scope="session")
def drawn() -> Callable[..., Any]:
    """Return a parameter row for a shape with every weight and bias drawn from N(0, scale)."""

    def draw(shape: Shape, seed: int = 0, scale: float = 1.0) -> Any:
        return np.random.default_rng(seed).normal(0, scale, shape.parameter_count)

    return draw
