"""Whole commands in this process, and stores they write to."""

from pathlib import Path

import pytest

from tests.stores import Record


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """A store of the test's own."""
    return Record.empty(tmp_path)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Record:
    """A store that the tests of a module share; each takes an experiment of its own."""
    return Record.empty(tmp_path_factory.mktemp("shared"))
