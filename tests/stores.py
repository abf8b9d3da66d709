"""Stores of the tests' own: the tables are made once and copied; what a command wrote is read by MLflow's client."""

import functools
import json
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from mlflow import MlflowClient
from mlflow.entities import Run

from src.tracking.opening import open_store
from tests.commandline import Ended, command


@functools.cache
def _empty_database() -> sqlite3.Connection:
    """MLflow's tables without a row, made once for each process: that takes a second."""
    kept = sqlite3.connect(":memory:", check_same_thread=False)
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite:///{folder}/mlflow.db")
        assert store.database is not None
        with closing(sqlite3.connect(store.database)) as made:
            made.backup(kept)
    return kept


def empty_store(folder: Path, name: str = "mlflow.db") -> str:
    """Make an empty store in a folder and return its address."""
    with closing(sqlite3.connect(folder / name)) as copy:
        _empty_database().backup(copy)
    return f"sqlite:///{folder / name}"


def leave_figures_empty(patch: pytest.MonkeyPatch) -> None:
    """Draw nothing on the figures that are made, which would take longer than a small sweep."""
    patch.setattr(Figure, "draw", lambda *_: None)


@dataclass(frozen=True)
class Record:
    """A store, and the command line that writes to it."""

    folder: Path

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.folder}/mlflow.db"

    @classmethod
    def empty(cls, folder: Path) -> "Record":
        empty_store(folder)
        return cls(folder)

    @cached_property
    def client(self) -> MlflowClient:
        return MlflowClient(self.uri, registry_uri=self.uri)

    def run(self, *arguments: str, module: str = "src.run") -> Ended:
        """Run a command in this process and in the store's folder.

        Its figures stay empty: `Homework` has them all.
        """
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            patch.setenv("MLFLOW_TRACKING_URI", self.uri)
            leave_figures_empty(patch)
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
        runs: list[Run] = list(self.client.search_runs([found.experiment_id], max_results=5000))
        return sorted(runs, key=lambda run: run.info.start_time)

    def parents(self, experiment: str = "bp") -> list[Run]:
        return [run for run in self.runs(experiment) if "mlflow.parentRunId" not in run.data.tags]

    def children(self, parent: Run) -> list[Run]:
        wanted = parent.info.run_id
        runs = self.runs(self.client.get_experiment(parent.info.experiment_id).name)
        return [run for run in runs if run.data.tags.get("mlflow.parentRunId") == wanted]

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

    ended: Ended

    @classmethod
    def in_folder(cls, folder: Path) -> "Homework":
        """Run it, unless another worker has run it there."""
        how = folder / "ended.json"
        if how.exists():
            return cls(folder, Ended(**json.loads(how.read_text())))
        folder.mkdir()
        address = empty_store(folder)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            patch.setenv("MLFLOW_TRACKING_URI", address)
            ended = command("experiments=homework5")
        assert ended.status == 0, ended.err
        how.write_text(json.dumps(vars(ended)))
        return cls(folder, ended)
