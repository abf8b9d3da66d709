"""Kernels of linear algebra: a command gets those it asks for, its record names them, and `src.rerun` uses them."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from src import kernels
from src.kernels import KernelsError, NotLoadedError
from tests.stores import Record

ROOT = Path(__file__).resolve().parents[1]
OTHERS = "Nehalem"  # which every processor of the last fifteen years can run

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="the kernels are those of another processor")


@pytest.fixture
def record(tmp_path: Path) -> Record:
    return Record.empty(tmp_path)


def program(record: Record, module: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """A process of its own: kernels are chosen when one begins."""
    environment = {**os.environ, "MLFLOW_TRACKING_URI": record.uri}
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_job_has_the_kernels_it_asks_for_and_is_rerun_with_them(record: Record) -> None:
    quick = ("training.epochs=20", "tracking.models=none")
    asked = program(record, "src.run", *quick, f"sweep.blas={OTHERS}")
    assert asked.returncode == 0, asked.stderr
    assert record.single("training.epochs=20").status == 0
    one, other = (run.data.tags for run in record.runs())
    assert OTHERS in one["blas"]
    assert other["blas"] == kernels.loaded()
    assert one["job_digest"] != other["job_digest"]
    again = program(record, "src.rerun", record.runs()[0].info.run_id)
    assert again.returncode == 0, again.stdout
    assert "equal to the last bit\n" in again.stdout
    assert "changed" not in again.stdout


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
