"""``python -m src.run``: what it shows without running anything."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from src.config import JobConfig, check
from src.run import ROOT

GROUPS = [*sorted(folder for folder in (ROOT / "conf").iterdir() if folder.is_dir()), ROOT / "experiments"]


def shown(folder: Path, *arguments: str, script: bool = False, **environment: str) -> str:
    """What the program prints on stdout; it must end well and print nothing else."""
    program = [str(ROOT / "src" / "run.py")] if script else ["-m", "src.run"]
    process = subprocess.run(
        [sys.executable, *program, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.stderr == ""
    assert process.returncode == 0
    assert list(folder.iterdir()) == []  # showing is not running
    return process.stdout


def test_help_shows_the_groups_their_choices_and_examples(tmp_path: Path) -> None:
    lines = shown(tmp_path, "--help").splitlines()
    for group in GROUPS:
        choices = ", ".join(sorted(file.stem for file in group.glob("*.yaml")))
        assert f"{group.name}: {choices}" in lines
    assert any("python -m src.run experiments=homework5" in line for line in lines)
    assert max(len(line) for line in lines if ":" not in line) <= 110


def test_help_needs_none_of_the_heavy_libraries() -> None:
    """What makes it quick; the time itself is no test's business."""
    program = (
        "import sys, runpy; sys.argv = ['run.py', '--help']\n"
        "try: runpy.run_module('src.run', run_name='__main__')\n"
        "except SystemExit as end: assert end.code == 0\n"
        "heavy = {'numpy', 'mlflow', 'sklearn', 'pandas', 'matplotlib', 'scipy', 'pydantic', 'optuna', 'dask'}\n"
        "print('HEAVY', sorted((heavy | {'babel'}) & set(sys.modules)))"
    )
    process = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert process.stdout.splitlines()[-1] == "HEAVY []"


def test_cfg_job_shows_the_configuration_that_would_run(tmp_path: Path) -> None:
    assert check(yaml.safe_load(shown(tmp_path, "--cfg", "job"))) == JobConfig()
    chosen = check(yaml.safe_load(shown(tmp_path, "--cfg", "job", "data=iris", "model=softmax", "training.l2=1e-3")))
    assert (chosen.data.name, chosen.model.name, chosen.training.l2) == ("iris", "softmax", 1e-3)


@pytest.mark.parametrize(
    "typed, offered",
    [
        ("model=soft", ["model=softmax"]),
        ("experiments=homework", ["experiments=homework5"]),
        ("training.learning_r", ["training.learning_rate="]),
    ],
)
def test_shell_completion_offers_choices_and_keys(tmp_path: Path, typed: str, offered: list[str]) -> None:
    line = f"python src/run.py {typed}"
    assert shown(tmp_path, "-sc", "query=bash", script=True, COMP_LINE=line).split() == offered
