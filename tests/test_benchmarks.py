"""What `make bench` looks at in the product is there: it runs for 20 minutes, and is not to end in a misspelt name."""

import importlib

import pytest

from tests.benchmarks import phases


@pytest.mark.parametrize("path", [path for paths in phases.PHASES.values() for path in paths])
def test_what_a_phase_times_is_defined_where_it_is_said_to_be(path: str) -> None:
    module = importlib.import_module(path.partition(":")[0])
    owner, name = phases.place_of(path)
    assert callable(getattr(owner, name))
    assert getattr(owner, name).__module__ == module.__name__
