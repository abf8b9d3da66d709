"""Sweeps as the program records them, with the scores a test gives: nothing is trained."""

import functools
import hashlib
import sqlite3
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from src.evaluation.metrics import METRICS, higher_is_better
from src.evaluation.results import Curve, FoldResult, JobResult
from src.tracking.records import DatasetFacts, Failure, JobRecord
from src.tracking.runs import finish_sweep, log_job, start_sweep
from src.tracking.store import Store, open_store

TARGET = np.arange(20) % 2
CLASSES = ("no", "yes")
LOWER = tuple(name for name in METRICS if not higher_is_better(name))
Fate = Literal["FINISHED", "FAILED", "absent"]


@dataclass(frozen=True)
class Given:
    """A job: its params, its test score on each fold by every metric, and what became of it.

    `scores` are accuracies (the other scores are the same, or 1 minus them where lower is better); NaN is a fold that
    diverged. `inner` are the mean scores inside the training parts.
    """

    params: Mapping[str, Any]
    scores: Sequence[float] = (0.8, 0.8, 0.8, 0.8, 0.8)
    inner: Sequence[float] | None = None
    fate: Fate = "FINISHED"
    folds: str = "folds"
    data: str = "ab" * 32
    dataset: str = "made"
    classes: tuple[str, ...] = CLASSES
    features: tuple[str, ...] = ("a", "b", "c")
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        text = repr((sorted((key, str(value)) for key, value in self.params.items()), self.data, self.folds))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def resolved(self) -> dict[str, Any]:
        defaults = {
            "data.name": self.dataset,
            "data.scale": "standard",
            "model.name": "bp",
            "training.learning_rate": 0.5,
            "training.l2": 0.0,
            "cv.folds": len(self.scores),
            "cv.repeats": 1,
            "cv.stratified": True,
            "cv.inner_folds": None if self.inner is None else 3,
            "seed": 0,
            "tracking.experiment": "bp",
            "sweep.metric": "test/accuracy",
        }
        return {**defaults, **self.params}


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


def empty_store(folder: Path) -> str:
    """Make an empty store in a folder and return its address."""
    with closing(sqlite3.connect(folder / "mlflow.db")) as copy:
        _empty_database().backup(copy)
    return f"sqlite:///{folder}/mlflow.db"


def scores_of(value: float) -> dict[str, float]:
    return {name: 1 - value if name in LOWER else value for name in METRICS}


def result_of(given: Given) -> JobResult:
    folds = []
    for fold, score in enumerate(given.scores):
        test_index = np.arange(fold, len(TARGET), len(given.scores))
        probabilities = np.full((len(test_index), len(given.classes)), 0.4 / (len(given.classes) - 1))
        probabilities[np.arange(len(test_index)), TARGET[test_index]] = 0.6
        lost = bool(np.isnan(score))
        epochs = np.arange(1, 6)
        folds.append(
            FoldResult(
                repeat=0,
                fold=fold,
                test_scores=scores_of(score),
                train_scores=scores_of(score),
                test_index=test_index,
                test_target=TARGET[test_index],
                probabilities=probabilities * np.nan if lost else probabilities,
                n_train=len(TARGET) - len(test_index),
                parameters=9,
                curve=Curve(epochs, 1 / epochs, 1.1 / epochs),
                epochs=5,
                diverged_epoch=3 if lost else None,
                fit_seconds=0.01,
                inner_scores=None if given.inner is None else scores_of(given.inner[fold]),
            )
        )
    return JobResult(tuple(folds))


def record_sweep(
    store: Store,
    jobs: Sequence[Given],
    *,
    experiment: str = "study",
    name: str = "study",
    status: Literal["FINISHED", "FAILED", "KILLED", "RUNNING"] = "FINISHED",
    reused: Sequence[Given] = (),
    question: str | None = None,
    metric: str = "test/accuracy",
    tags: Mapping[str, str] | None = None,
) -> str:
    """Write a sweep as `src.sweep` does and return its run's id; `reused` are listed, not run."""
    everything = [*jobs, *reused]
    sweep = start_sweep(
        store,
        experiment=experiment,
        name=name,
        digest=hashlib.sha256("".join(job.digest for job in everything).encode()).hexdigest(),
        jobs=[{"name": "job", "digest": job.digest, "overrides": []} for job in everything],
        tags={"command": "python -m src.run experiments=study", **(tags or {})},
        params={"sweep.metric": metric, "tracking.question": question},
    )
    for job in jobs:
        if job.fate != "absent":
            log_job(store, sweep, record_of(job))
    if status != "RUNNING":
        finish_sweep(store, sweep, status)
    return sweep.run_id


def record_of(given: Given) -> JobRecord:
    """What `src.sweep` would write of a job."""
    now = time.time()
    done = given.fate == "FINISHED"
    return JobRecord(
        name="job",
        digest=given.digest,
        config={"data": {"name": given.dataset, "scale": "standard"}},
        overrides=[],
        params=given.resolved,
        dataset=DatasetFacts(
            given.dataset,
            given.data,
            "a test's own rows",
            len(TARGET),
            dict.fromkeys(given.features, "double"),
            given.classes,
        ),
        target=TARGET,
        started=now - 1,
        ended=now,
        status="FINISHED" if done else "FAILED",
        result=result_of(given) if done else None,
        failure=None if done else Failure("ValueError", "no luck", "Traceback"),
        tags={"folds_digest": given.folds, "code_version": "one", **given.tags},
    )
