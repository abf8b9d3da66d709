"""Which of the libraries that take long to import each command imports: those that it uses.

The commands run in processes of their own, as every library is imported here already.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from src.run import ROOT
from tests.stores import empty_store

# What takes a tenth of a second or more to import, on any command's way or beside it.
HEAVY = (
    *("mlflow", "sqlalchemy", "sqlalchemy.orm", "alembic", "pandas", "scipy.stats", "sklearn", "sklearn.datasets"),
    *("matplotlib", "matplotlib.pyplot", "skops", "optuna", "dask", "distributed"),
    *("git", "pytest", "pydantic", "babel"),
)
# Two processes begin with what a dry run has imported. What the one that trains lets another process draw is not drawn:
# that would take longer than all else.
PROGRAM = """
import json, os, runpy, sys
commands, seen = json.loads(sys.argv[1]), {}
def run(name):
    sys.argv = ["src.run", *commands[name]]
    try:
        runpy.run_module("src.run", run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        assert not ended.code, sys.argv
    seen[name] = sorted(sys.modules)
run("shown"), run("composed"), run("planned")
if training := os.fork():
    assert os.waitpid(training, 0)[1] == 0
    run("again")
else:
    from src.report import drawing
    from src.report.words import LAST_FIGURE
    drawn = {"job_figures": {LAST_FIGURE: b""}, "font_note": None}
    drawing._asked = lambda process, name, _: drawn.get(name, ())
    run("job"), run("swept")
    import src.report.pictures
    seen["drawn"] = sorted(sys.modules)
open("again.json" if training else "training.json", "w").write(json.dumps(seen))
"""
# scikit-learn imports scipy.stats (0.8 s) itself.
READING = {"pandas", "pydantic"}
TRAINING = READING | {"scipy.stats", "sklearn"}
KEEPING = {"skops", "sqlalchemy"}
# A second core draws in a process of its own.
DRAWING = {"matplotlib"} if os.cpu_count() == 1 else set()


def imported(folder: Path, commands: Mapping[str, Sequence[str]]) -> dict[str, set[str]]:
    """The heavy ones that are imported when each command ends, which must be well."""
    empty_store(folder)
    places = (
        f"hydra.run.dir={folder}/run",
        f"hydra.sweep.dir={folder}/sweep",
        f"tracking.uri=sqlite:///{folder}/mlflow.db",
    )
    lines = {name: [*command, "training.epochs=2", "cv.folds=2", *places] for name, command in commands.items()}
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    program = [sys.executable, "-c", PROGRAM, json.dumps(lines)]
    subprocess.run(program, cwd=folder, env=environment, capture_output=True, check=True)
    seen = [json.loads((folder / name).read_text()) for name in ("training.json", "again.json")]
    return {name: set(modules) & set(HEAVY) for each in seen for name, modules in each.items()}


def test_each_command_imports_what_it_uses(tmp_path: Path) -> None:
    """One process for several, each with more to do than those before it: what they imported is there already."""
    sweep = ("-m", "model=logistic,softmax", "tracking.experiment=again")
    seen = imported(
        tmp_path,
        {
            "shown": ["--help"],
            "composed": ["--cfg", "job"],
            "planned": ["sweep.dry_run=true"],
            "job": [],
            "swept": sweep,
            "again": sweep,
        },
    )
    assert seen["shown"] == seen["composed"] == set()
    assert seen["planned"] <= {*READING, "sqlalchemy"}, "a dry run neither fits nor draws"
    assert seen["job"] == TRAINING | KEEPING | DRAWING, "no mlflow"
    assert seen["swept"] == seen["job"]
    assert seen["drawn"] == seen["job"] | {"matplotlib"}, "no pyplot"
    assert seen["again"] <= READING | {"sqlalchemy"}, "a sweep that is there is read and told, nothing fitted or drawn"
