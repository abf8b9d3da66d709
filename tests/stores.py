"""Stores of the tests' own: the tables are made once and copied; what a command wrote is read by MLflow's client."""

import json
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pytest
from filelock import FileLock
from matplotlib.figure import Figure
from mlflow import MlflowClient
from mlflow.entities import Run

from src.report import pictures
from src.tracking.opening import open_store
from tests.commandline import Ended, command


def empty_store(folder: Path, name: str = "mlflow.db") -> str:
    """Make an empty store in a folder and return its address.

    It is a copy: to make MLflow's tables takes two seconds, which one process of the session takes.
    """
    made = Path(os.environ["EMPTY_STORE"])
    with FileLock(f"{made}.lock"):
        if not made.exists():
            with tempfile.TemporaryDirectory() as gone:  # a copy of a store whose folder is gone is one that was moved
                store = open_store(f"sqlite:///{gone}/mlflow.db")
                assert store.database is not None
                with closing(sqlite3.connect(store.database)) as tables, closing(sqlite3.connect(f"{made}.new")) as new:
                    tables.backup(new)
            Path(f"{made}.new").rename(made)
    shutil.copyfile(made, folder / name)
    return f"sqlite:///{folder / name}"


def leave_figures_empty(patch: pytest.MonkeyPatch, *, with_figures: bool = False) -> None:
    """Draw nothing on figures, which would take longer than a small sweep, and unless `with_figures` make empty ones.

    To make them, axes with ticks and lines, takes a third of a small sweep.
    """
    patch.setattr(Figure, "draw", lambda *_: None)
    for name, function in vars(pictures).items():
        if not with_figures and hasattr(function, "__wrapped__"):  # by `src.report.style.figure`
            patch.setattr(pictures, name, lambda *_, **__: Figure())


@dataclass(frozen=True)
class Record:
    """A store, and the command line that writes to it.

    Its commands' figures are empty, unless `with_figures`, where outcomes are odd: then they are made, and not drawn.
    `Homework` has them all.
    """

    folder: Path
    with_figures: bool = False

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.folder}/mlflow.db"

    @classmethod
    def empty(cls, folder: Path, *, with_figures: bool = False) -> "Record":
        empty_store(folder)
        return cls(folder, with_figures)

    @cached_property
    def client(self) -> MlflowClient:
        return MlflowClient(self.uri, registry_uri=self.uri)

    def run(self, *arguments: str, module: str = "src.run") -> Ended:
        """Run a command in this process and in the store's folder."""
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            patch.setenv("MLFLOW_TRACKING_URI", self.uri)
            leave_figures_empty(patch, with_figures=self.with_figures)
            return command(*arguments, module=module)

    def sweep(self, *arguments: str) -> Ended:
        """Run a sweep that keeps no models."""
        return self.run("-m", "tracking.models=none", *arguments)

    def single(self, *arguments: str) -> Ended:
        return self.run("tracking.models=none", *arguments)

    def runs(self, experiment: str = "bp") -> list[Run]:
        """All runs of an experiment, the oldest first."""
        found = self.client.get_experiment_by_name(experiment)
        if found is None:
            return []
        return self._found(found.experiment_id)

    def parents(self, experiment: str = "bp") -> list[Run]:
        return [run for run in self.runs(experiment) if "mlflow.parentRunId" not in run.data.tags]

    def children(self, parent: Run) -> list[Run]:
        return self._found(parent.info.experiment_id, f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")

    def _found(self, experiment_id: str, condition: str = "") -> list[Run]:
        runs: list[Run] = list(self.client.search_runs([experiment_id], condition, max_results=5000))
        return sorted(runs, key=lambda run: run.info.start_time)

    def artifact(self, run: Run, path: str) -> str:
        return Path(self.client.download_artifacts(run.info.run_id, path)).read_text()

    def artifacts(self, run: Run, folder: str | None = None) -> set[str]:
        return {file.path for file in self.client.list_artifacts(run.info.run_id, folder)}


def computed(run: Run) -> dict[str, float]:
    """A run's metrics without the times, which are measured."""
    return {name: value for name, value in run.data.metrics.items() if not name.startswith("time/")}


def same(metrics: dict[str, float], others: dict[str, float]) -> bool:
    """Whether metrics agree in every bit; NaN agrees with NaN."""
    return repr(sorted(metrics.items())) == repr(sorted(others.items()))


@dataclass(frozen=True)
class Homework(Record):
    """The homework's study as `experiments/homework5.yaml` has it, in a store of its own, and how its command ended."""

    ended: Ended = field(kw_only=True)

    @classmethod
    def in_folder(cls, folder: Path) -> "Homework":
        """Run it, unless another worker has run it there."""
        how = folder / "ended.json"
        if how.exists():
            return cls(folder, ended=Ended(**json.loads(how.read_text())))
        folder.mkdir()
        address = empty_store(folder)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            patch.setenv("MLFLOW_TRACKING_URI", address)
            ended = command("experiments=homework5")
        assert ended.status == 0, ended.err
        how.write_text(json.dumps(vars(ended)))
        return cls(folder, ended=ended)
