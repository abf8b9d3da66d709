"""Kernels of linear algebra: a command gets those it asks for, its record names them, and `src.rerun` uses them."""

import platform
from pathlib import Path

import pytest

from src import kernels
from src.kernels import KernelsError, NotLoadedError
from tests.processes import Commands
from tests.stores import Record

OTHERS = "Nehalem"  # which every processor of the last fifteen years can run

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="the kernels are those of another processor")


@pytest.fixture
def record(tmp_path: Path) -> Record:
    return Record.empty(tmp_path)


@pytest.mark.slow
def test_a_job_has_the_kernels_it_asks_for_and_is_rerun_with_them(record: Record, commands: Commands) -> None:
    """A process has the kernels that it began with: a command that wants others begins anew."""
    store = {"MLFLOW_TRACKING_URI": record.uri}
    quick = ("training.epochs=20", "tracking.models=none")
    asked = commands.start(record.folder, *quick, f"sweep.blas={OTHERS}", environment=store)
    assert asked.wait() == 0, asked.err
    assert record.single("training.epochs=20").status == 0
    one, other = (run.data.tags for run in record.runs())
    assert OTHERS in one["blas"]
    assert other["blas"] == kernels.loaded()
    assert one["job_digest"] != other["job_digest"]
    again = commands.start(record.folder, record.runs()[0].info.run_id, module="src.rerun", environment=store)
    assert again.wait() == 0, again.out
    assert "equal to the last bit\n" in again.out
    assert "changed" not in again.out


def test_a_process_that_has_others_is_told_how_to_begin() -> None:
    with pytest.raises(NotLoadedError, match=rf"^sweep.blas: NumPy is loaded .*OPENBLAS_CORETYPE={OTHERS} in its env"):
        kernels.require(OTHERS)


def test_kernels_that_are_not_here_are_told() -> None:
    with pytest.raises(KernelsError, match=r"^sweep.blas: there are no kernels armv8 here"):
        kernels.require("armv8")


def test_kernels_that_are_loaded_are_had() -> None:
    kernels.require(None)
    (own,) = kernels.names()
    kernels.require(own)
