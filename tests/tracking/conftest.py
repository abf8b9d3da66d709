"""A store of its own for each test, and records to write into it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from src.comparison.cautions import RowFacts
from src.config import check
from src.evaluation.metrics import METRICS, score
from src.evaluation.results import Curve, FoldResult, JobResult
from src.tracking.records import DatasetFacts, JobRecord
from src.tracking.runs import Alone, Sweep, start_sweep
from src.tracking.store import Store, open_store
from src.tracking.sweeps import log_job
from tests.stores import empty_store

CLASSES = ("no", "yes")
TARGET = np.arange(20) % 2


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", empty_store(tmp_path))
    return open_store()


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
def make_job() -> Callable[..., JobRecord]:
    def make(**changes: Any) -> JobRecord:
        now = time.time()
        columns = {"exam1": "double", "b": "string"}
        rows = RowFacts(20, 0, (), (10, "no"))
        facts = DatasetFacts("ex4", "ab" * 32, "the homework's table", 20, columns, CLASSES, rows)
        defaults: dict[str, Any] = {
            "name": "lr 0.1",
            "digest": "job" * 20,
            "config": {"model": {"name": "bp", "hidden_layer_sizes": (4, 2)}, "training": {"l2": 1e-3}, "seed": 0},
            "overrides": ["training.learning_rate=0.1"],
            "params": {"model.name": "bp", "model.hidden_layer_sizes": (4, 2), "training.l2": 1e-3, "data.path": None},
            "dataset": facts,
            "started": now - 2,
            "ended": now,
            "result": result(),
        }
        return JobRecord(**{**defaults, **changes})

    return make


def logged(store: Store, place: Sweep | Alone, job: JobRecord) -> str:
    """Write one ended job; return its run's id."""
    return log_job(store, place, job, check(job.config)).run_id


@pytest.fixture
def sweep(store: Store) -> Sweep:
    return start_sweep(
        store,
        experiment="bp",
        name="sweep",
        digest="s" * 64,
        jobs=[{"digest": "a"}, {"digest": "b"}],
        tags={"git": "x"},
    )
