"""What these tests share: the project's own tables, and a table that no model learns without a mistake."""

from typing import Any

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from src.data import load

Table = tuple[Any, Any]


def standardized(name: str) -> Table:
    dataset = load(name)  # type: ignore[arg-type]
    return StandardScaler().fit_transform(dataset.features.to_numpy(dtype=float)), dataset.target


@pytest.fixture(scope="session")
def iris() -> Table:
    """Features (150, 4) of mean 0 and deviation 1, and three classes 0, 1, 2 (150,)."""
    return standardized("iris")


@pytest.fixture(scope="session")
def ex4() -> Table:
    """Features (80, 2) of mean 0 and deviation 1, and two classes 0, 1 (80,)."""
    return standardized("ex4")


@pytest.fixture(scope="session")
def noisy() -> Table:
    """Features (90, 3) and three classes of 50, 25 and 15 rows that overlap."""
    random = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [50, 25, 15])
    x = random.normal(size=(90, 3)) + np.eye(3)[y]
    order = random.permutation(90)
    return x[order], y[order]
