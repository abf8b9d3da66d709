"""A store of its own for each test, and records to write into it."""

import dataclasses
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from src.comparison.jobs import RecordedJob
from src.comparison.naming import data_name
from src.comparison.record import RecordedDataset
from src.config import check
from src.evaluation.metrics import METRICS, score
from src.evaluation.results import Curve, Failure, FoldResult, JobResult
from src.tracking.opening import experiment_id, open_store
from src.tracking.records import JOB_DIGEST, SWEEP_DIGEST
from src.tracking.runs import AskedSweep, NoSweep, Sweep, start_sweep
from src.tracking.store import Store
from tests.processes import Commands
from tests.servers import Server
from tests.stores import empty_store
from tests.sweeps import Ended

CLASSES = ("no", "yes")
TARGET = np.arange(20) % 2
COLUMNS = {"exam1": "double", "b": "string"}
CONFIG: dict[str, Any] = {"model": {"hidden_layer_sizes": (4, 2)}, "training": {"l2": 1e-3}}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", empty_store(tmp_path))
    return open_store()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, commands: Commands) -> Iterator[str]:
    """The address of a server of this session's own, with the artifacts in its keeping."""
    with Server(tmp_path_factory.mktemp("server"), commands) as server:
        yield server.address


def result(seed: int = 0, *, diverged: bool = False, curve: bool = True) -> JobResult:
    random = np.random.default_rng(seed)
    folds = []
    for fold in range(5):
        test_index = np.arange(fold, len(TARGET), 5)
        positive = random.random(len(test_index))
        probabilities = np.column_stack([1 - positive, positive])
        lost = diverged and fold == 3
        if lost:
            probabilities[:] = np.nan
        epochs = np.arange(1, 41)
        losses = [np.exp(-epochs * rate) for rate in random.random(2)]
        if lost:
            losses[0][20:] = np.nan
        scores = score(TARGET[test_index], probabilities)
        train_scores = {name: float(value) for name, value in zip(METRICS, random.random(len(METRICS)), strict=True)}
        folds.append(
            FoldResult(
                repeat=0,
                fold=fold,
                test_scores=scores,
                train_scores=train_scores,
                test_index=test_index,
                test_target=TARGET[test_index],
                probabilities=probabilities,
                n_train=16,
                parameters=17 if curve else None,
                curve=Curve(epochs, *losses) if curve else None,
                epochs=40,
                diverged_epoch=21 if lost else None,
                fit_seconds=0.25,
            )
        )
    return JobResult(tuple(folds))


@pytest.fixture
def make_result() -> Callable[..., JobResult]:
    return result


@pytest.fixture
def make_job() -> Callable[..., Ended]:
    def make(config: dict[str, Any] | None = None, outcome: JobResult | Failure | None = None, **changes: Any) -> Ended:
        """A job that has ended; `changes` are fields of `Ended` or of its job."""
        now = time.time()
        outcome = result() if outcome is None else outcome
        failed = isinstance(outcome, Failure)
        made = Ended(
            job=RecordedJob(
                run_id="",
                name="lr 0.1",
                status="FAILED" if failed else "FINISHED",
                config=check(CONFIG if config is None else config),
                digest="job" * 20,
                data="ex4",
                data_digest="ab" * 32,
                folds_digest="f" * 64,
                code_version="c" * 64,
                metrics={} if failed else outcome.metrics(),
                folds={} if failed else outcome.columns(),
                error=outcome.message if failed else None,
                warnings={} if failed else {'ConvergenceWarning: "2" epochs — no end, €': 2, "UserWarning: x": 1},
            ),
            outcome=outcome,
            started=now - 2,
            ended=now,
            dataset=RecordedDataset("ex4", "the homework's table", 20, 2, COLUMNS, (10, "no")),
            class_names=CLASSES,
            overrides=["training.learning_rate=0.1"],
        )
        of_job = {name: changes.pop(name) for name in list(changes) if name in RecordedJob.__dataclass_fields__}
        job = dataclasses.replace(made.job, **of_job)
        return dataclasses.replace(made, job=dataclasses.replace(job, data=data_name(job.config.data)), **changes)

    return make


def logged(store: Store, place: Sweep | NoSweep, job: Ended) -> str:
    """Write one ended job; return its run's id."""
    return job.log(store, place).run_id


def finished(store: Store, experiment_id: str) -> dict[str, str]:
    """The run of each finished job of an experiment, by the job's digest; the newest where there are several."""
    runs = store.find_runs([experiment_id], {SWEEP_DIGEST: "s" * 64}, "FINISHED")
    return {run.tags[JOB_DIGEST]: run.run_id for run in reversed(runs)}


@pytest.fixture
def sweep(store: Store) -> Sweep:
    return start_sweep(
        store,
        experiment_id(store, "bp"),
        AskedSweep("s" * 64, "sweep", [{"digest": "a"}, {"digest": "b"}]),
        {"git": "x"},
    )
