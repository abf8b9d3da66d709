"""Which of the libraries that take long to import each command imports: those that it uses.

The commands run in processes of their own, as every library is imported here already.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from src.run import ROOT
from tests.stores import empty_store

# What takes a tenth of a second or more to import, on any command's way or beside it.
HEAVY = (
    *("mlflow", "sqlalchemy", "sqlalchemy.orm", "alembic", "pandas", "scipy.stats", "sklearn", "sklearn.datasets"),
    *(
        "matplotlib",
        "matplotlib.pyplot",
        "skops",
        "optuna",
        "dask",
        "distributed",
        "git",
        "pytest",
        "pydantic",
        "babel",
    ),
)
PROGRAM = """
import json, runpy, sys
seen = []
for sys.argv[1:] in json.loads(sys.argv[1]):
    sys.argv[0] = "src.run"
    try:
        runpy.run_module("src.run", run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        assert not ended.code, sys.argv
    seen.append(sorted(sys.modules))
import src.report.pictures
seen.append(sorted(sys.modules))
open("modules.json", "w").write(json.dumps(seen))
"""
# scikit-learn imports scipy.stats (0.8 s) itself.
READING = {"pandas", "pydantic"}
TRAINING = READING | {"scipy.stats", "sklearn"}
KEEPING = {"skops", "sqlalchemy"}
# A second core draws in a process of its own.
DRAWING = {"matplotlib"} if os.cpu_count() == 1 else set()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With an empty store."""
    made = tmp_path_factory.mktemp("imports")
    empty_store(made)
    return made


def imported(folder: Path, *commands: Sequence[str]) -> list[set[str]]:
    """The heavy ones that a process has imported when each of its commands ends, which must be well."""
    places = (
        f"hydra.run.dir={folder}/run",
        f"hydra.sweep.dir={folder}/sweep",
        f"tracking.uri=sqlite:///{folder}/mlflow.db",
    )
    lines = json.dumps([[*command, "training.epochs=2", "cv.folds=2", *places] for command in commands])
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", PROGRAM, lines], cwd=folder, env=environment, capture_output=True, check=True)
    return [set(seen) & set(HEAVY) for seen in json.loads((folder / "modules.json").read_text())]


def test_each_command_imports_what_it_uses(folder: Path) -> None:
    """One process for all, each with more to do than those before it: what they have imported is there already."""
    sweep = ("-m", "model=logistic,softmax", "tracking.experiment=again")
    shown, composed, planned, job, swept, drawn = imported(
        folder, ["--help"], ["--cfg", "job"], ["sweep.dry_run=true"], [], sweep
    )
    assert shown == composed == set()
    assert planned <= {*READING, "sqlalchemy"}, "a dry run neither fits nor draws"
    assert job == TRAINING | KEEPING | DRAWING, "no mlflow"
    assert swept == job
    assert drawn == job | {"matplotlib"}, "no pyplot"
    again, _ = imported(folder, sweep)
    assert again <= READING | {"sqlalchemy"}, "a sweep that is there already is read and told, nothing fitted or drawn"
