"""A new optimizer with a number of its own is a function, a declaration and a line of YAML, and all else follows."""

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commandline import command
from tests.stores import empty_store

ROOT = Path(__file__).resolve().parents[1]
FUNCTION = """

def damped(p: Array, g: Array, rate: Array, step: Array, h: Numbers, memory: Memory) -> None:
    np.subtract(p, rate * g / h["damping"], out=p)


OPTIMIZERS["damped"] = (damped, ())
"""
DECLARATION = '    damping: float = declared(1.0, "what a step is divided by", POSITIVE, ("damped",))\n'
LINE = "damping: 1.0  # damped: what a step is divided by\n"

# A step of rate 1 that is divided by 2 is gradient descent at the rate 0.5, to the last bit.
DAMPED = ("training.optimizer=damped", "training.damping=2", "training.learning_rate=1")
PROGRAM = """
import runpy, sys
import numpy as np
from src.config import ConfigError, check, ignored
from src.models import BPClassifier
from src.report import drawing

drawing.Drawer.start = lambda _: None  # matplotlib, imported for nobody, is half of what this process takes
drawing.draw = lambda name, *_: None if name == "font_note" else {}

x = np.random.default_rng(0).normal(size=(30, 2))
y = (x[:, 0] > 0).astype(int)
damped = BPClassifier(optimizer="damped", damping=2.0, learning_rate=1.0).fit(x, y)
assert np.array_equal(damped.parameters_, BPClassifier(learning_rate=0.5).fit(x, y).parameters_)
for wrong in (lambda: check({"training": {"damping": 0}}), lambda: BPClassifier(damping=0).fit(x, y)):
    try:
        wrong()
    except (ConfigError, ValueError) as error:
        print(error)
for optimizer in ("sgd", "damped"):
    print(ignored(check({"training": {"optimizer": optimizer}}), ["training.damping"]))
sys.argv = ["src.run", *sys.argv[1:]]
for module in ("src.config.keys", "src.run"):
    print(f"-- {module}")
    try:
        runpy.run_module(module, run_name="__main__")
    except SystemExit as ended:
        assert not ended.code
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program with the optimizer: three files have changed."""
    folder = tmp_path_factory.mktemp("damped")
    for room in ("src", "conf", "hydra_plugins"):
        shutil.copytree(ROOT / room, folder / room)
    (folder / "src/network/optimizers.py").open("a").write(FUNCTION)
    (folder / "conf/training/default.yaml").open("a").write(LINE)
    settings = folder / "src/network/settings.py"
    before, momentum, after = settings.read_text().partition("    momentum: float")
    settings.write_text(before + DECLARATION + momentum + after)
    return folder


@pytest.fixture(scope="module")
def said(copy: Path) -> dict[str, str]:
    """What a process of the copy prints: of PROGRAM itself (""), of the table of keys, of a run that is recorded."""
    address = empty_store(copy, "store.db")
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, *DAMPED, "training.epochs=20"],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy), "MLFLOW_TRACKING_URI": address},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    parts = f"-- \n{ended.stdout}".split("-- ")[1:]
    return {name: text for name, _, text in (part.partition("\n") for part in parts)}


def recorded(store: Path) -> tuple[dict[str, str], dict[str, float]]:
    """Params and metrics of the one job in a store, without times."""
    with sqlite3.connect(store) as connection:
        params = dict(connection.execute("SELECT key, value FROM params"))
        metrics = {
            f"{key} {step}": value
            for key, step, value in connection.execute("SELECT key, step, value FROM metrics")
            if not key.startswith("time/")
        }
    return params, metrics


def test_it_is_trained_scored_recorded_and_kept(
    copy: Path, said: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "src.run" in said
    params, metrics = recorded(copy / "store.db")
    assert params["training.damping"] == "2.0"  # as the configuration has it, typed
    monkeypatch.chdir(tmp_path)
    uri = f"tracking.uri={empty_store(tmp_path)}"
    assert command("training.learning_rate=0.5", "training.epochs=20", "tracking.models=none", uri).status == 0
    _, expected = recorded(tmp_path / "mlflow.db")
    assert {name: metrics[name] for name in expected} == expected
    assert {name.partition("/")[0] for name in metrics.keys() - expected} == {"fitted"}  # those of the model kept


def test_the_schema_and_the_estimator_know_its_number(said: dict[str, str]) -> None:
    in_yaml, in_python, *ignored = said[""].splitlines()
    assert in_yaml == "training.damping: 0 is not a finite number greater than 0."
    assert in_python == (
        "The 'damping' parameter of BPClassifier must be a float in the range (0.0, inf). Got 0 instead."
    )
    assert ignored == ["('training.damping',)", "()"]


def test_the_table_of_keys_has_its_row(said: dict[str, str]) -> None:
    row = "| `training.damping` | damped: what a step is divided by; a finite number greater than 0 | `1.0` |"
    assert row in said["src.config.keys"].splitlines()
