"""Which of the libraries that take long to import each command imports: those that it uses.

Each command is a process of its own, as every library is imported here already.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from src.run import ROOT
from src.tracking.store import open_store

# What takes a tenth of a second or more to import, on any command's way or beside it.
HEAVY = (
    *("mlflow", "sqlalchemy", "sqlalchemy.orm", "alembic", "pandas", "scipy.stats", "sklearn", "sklearn.datasets"),
    *("matplotlib", "matplotlib.pyplot", "skops", "optuna", "dask", "distributed", "git", "pytest", "pydantic"),
)
PROGRAM = """
import json, runpy, sys
file, sys.argv = sys.argv[1], ["src.run", *sys.argv[2:]]
try:
    runpy.run_module("src.run", run_name="__main__", alter_sys=True)
finally:
    open(file, "w").write(json.dumps(sorted(sys.modules)))
"""
# scikit-learn imports scipy.stats (0.8 s) itself.
READING = {"pandas", "pydantic"}
TRAINING = READING | {"scipy.stats", "sklearn"}
KEEPING = {"matplotlib", "skops", "sqlalchemy"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With an empty store: MLflow itself makes its tables."""
    made = tmp_path_factory.mktemp("imports")
    open_store(f"sqlite:///{made}/mlflow.db")
    return made


def imported(folder: Path, *arguments: str) -> set[str]:
    """The heavy ones that the command has imported when it ends, which must be well."""
    modules = folder / "modules.json"
    places = (
        f"hydra.run.dir={folder}/run",
        f"hydra.sweep.dir={folder}/sweep",
        f"tracking.uri=sqlite:///{folder}/mlflow.db",
    )
    command = [sys.executable, "-c", PROGRAM, str(modules), *arguments, "training.epochs=2", *places]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True)
    return set(json.loads(modules.read_text())) & set(HEAVY)


@pytest.mark.parametrize("showing", [["--help"], ["--cfg", "job"]])
def test_showing_imports_what_hydra_does(folder: Path, showing: list[str]) -> None:
    assert imported(folder, *showing) == set()


def test_a_dry_run_of_a_job_neither_fits_nor_draws_nor_looks_into_the_record(folder: Path) -> None:
    assert imported(folder, "sweep.dry_run=true") <= {*READING, "sqlalchemy"}


def test_a_job_imports_what_keeps_its_model_and_draws_its_figures_and_no_mlflow(folder: Path) -> None:
    assert imported(folder) == TRAINING | KEEPING


def test_a_sweep_that_is_there_already_is_read_and_told_without_what_fits_or_draws(folder: Path) -> None:
    sweep = ("-m", "model=logistic,softmax", "tracking.experiment=again")
    assert imported(folder, *sweep) == TRAINING | KEEPING
    assert imported(folder, *sweep) <= READING | {"sqlalchemy"}
