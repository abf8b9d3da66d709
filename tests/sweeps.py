"""Sweeps as the program records them, with the scores a test gives: nothing is trained."""

import functools
import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from src.comparison.jobs import RecordedJob
from src.comparison.naming import data_name
from src.comparison.outcome import Outcome, compare_jobs
from src.comparison.record import RecordedDataset
from src.config import JobConfig, check, recorded
from src.evaluation.metrics import METRICS, higher_is_better
from src.evaluation.results import Curve, Failure, FoldResult, JobResult
from src.tracking.opening import experiment_id
from src.tracking.records import NewRun
from src.tracking.runs import AskedSweep, NoSweep, Sweep, finish_sweep, job_run, log_jobs, start_sweep
from src.tracking.store import Store

BUNDLED = ("ex4", "iris", "wine", "breast_cancer", "digits")
CLASSES = ("no", "yes")
LOWER = tuple(name for name in METRICS if not higher_is_better(name))
Fate = Literal["FINISHED", "FAILED", "absent"]


@dataclass(frozen=True)
class Given:
    """A job: its params, its test score on each fold by every metric, and what became of it.

    `params` are dotted keys of the configuration, over the schema's defaults. `scores` are accuracies, one for each
    fold of each repeat (the other scores are the same, or 1 minus them where lower is better; `other_scores` has some
    of them, by metric); NaN is a fold that diverged. `inner` are the mean scores inside the training parts. `data` is
    the data's digest, `dataset` what it is called: a bundled data set, or else a user's file that has gone.
    """

    params: Mapping[str, Any] = field(default_factory=dict)
    scores: Sequence[float] = (0.8, 0.8, 0.8, 0.8, 0.8)
    inner: Sequence[float] | None = None
    other_scores: Mapping[str, Sequence[float]] = field(default_factory=dict)
    fate: Fate = "FINISHED"
    folds: str = "folds"
    data: str = "ab" * 32
    dataset: str = "made"
    rows: int = 20
    classes: tuple[str, ...] = CLASSES
    features: tuple[str, ...] = ("a", "b", "c")
    facts: Mapping[str, Any] = field(default_factory=dict)
    parameters: int | None = 9
    code_version: str = "one"

    @property
    def digest(self) -> str:
        text = repr((sorted((key, str(value)) for key, value in self.params.items()), self.data, self.folds))
        return hashlib.sha256(text.encode()).hexdigest()

    @functools.cached_property
    def config(self) -> JobConfig:
        """The whole configuration, typed."""
        repeats = int(self.params.get("cv.repeats", 1))
        known = {"data.name": self.dataset} if self.dataset in BUNDLED else {}
        file = {} if known else {"data.name": "csv", "data.path": f"{self.dataset}.csv"}
        inner = {} if self.inner is None else {"cv.inner_folds": 3}
        nested: dict[str, Any] = {}
        given = {**known, **file, "cv.folds": len(self.scores) // repeats, **inner, **self.params}
        for key, value in given.items():
            section, _, name = key.rpartition(".")
            (nested.setdefault(section, {}) if section else nested)[name] = value
        return recorded(nested)

    @property
    def target(self) -> np.ndarray:
        """Codes of the classes, all rows of a class together, so that every fold has its part of each."""
        return np.arange(self.rows) * len(self.classes) // self.rows


def model(name: str, scores: Sequence[float], settings: Mapping[str, Any] | None = None, **more: Any) -> Given:
    """A job of a model; `settings` are keys of `training` without their section, `more` are fields of `Given`."""
    return Given(
        {"model.name": name, **{f"training.{key}": value for key, value in (settings or {}).items()}}, scores, **more
    )


def scores_of(value: float) -> dict[str, float]:
    return {name: 1 - value if name in LOWER else value for name in METRICS}


def result_of(given: Given) -> JobResult:
    target, count = given.target, given.config.cv.folds
    folds = []
    for place, score in enumerate(given.scores):
        test_index = np.arange(place % count, len(target), count)
        probabilities = np.full((len(test_index), len(given.classes)), 0.4 / (len(given.classes) - 1))
        probabilities[np.arange(len(test_index)), target[test_index]] = 0.6
        lost = bool(np.isnan(score))
        epochs = np.arange(1, 6)
        folds.append(
            FoldResult(
                repeat=place // count,
                fold=place % count,
                test_scores={**scores_of(score), **{name: each[place] for name, each in given.other_scores.items()}},
                train_scores=scores_of(score),
                test_index=test_index,
                test_target=target[test_index],
                probabilities=probabilities * np.nan if lost else probabilities,
                n_train=len(target) - len(test_index),
                parameters=given.parameters,
                curve=Curve(epochs, 1 / epochs, 1.1 / epochs),
                epochs=5,
                diverged_epoch=3 if lost else None,
                fit_seconds=0.01,
                inner_scores=None if given.inner is None else scores_of(given.inner[place]),
            )
        )
    return JobResult(tuple(folds))


def job_of(given: Given, run_id: str | None = None) -> RecordedJob:
    """The job as it is read back from a record, made without one."""
    done = given.fate == "FINISHED"
    result = result_of(given)
    return RecordedJob(
        run_id=given.digest[:32] if run_id is None else run_id,
        name="job",
        status="FINISHED" if done else "FAILED",
        config=given.config,
        digest=given.digest,
        data=data_name(given.config.data),
        data_digest=given.data,
        folds_digest=given.folds,
        code_version=given.code_version,
        metrics=result.metrics() if done else {},
        folds=result.columns() if done else {},
        error=None if done else "no luck",
    )


def outcome_of(
    jobs: Sequence[Given], *, searched: bool = False, incomplete: str | None = None, **asked: Any
) -> Outcome:
    """What jobs say together; `asked` are keys of `comparison`."""
    options = check({"comparison": asked}).comparison
    return compare_jobs([job_of(one) for one in jobs], options, searched=searched, incomplete=incomplete)


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
    baselines: Sequence[str] = (),
    search: bool = False,
    tags: Mapping[str, str] | None = None,
    **asked_too: Any,
) -> str:
    """Write a sweep as `src.sweep` does and return its run's id.

    `reused` are listed, not run; `asked_too` are more keys of `comparison`.
    """
    everything = [*jobs, *reused]
    options = check({"comparison": {"metric": metric, "question": question, "baselines": baselines, **asked_too}})
    asked = AskedSweep(
        digest=hashlib.sha256("".join(job.digest for job in everything).encode()).hexdigest(),
        name=name,
        jobs=[{"name": "job", "digest": job.digest, "overrides": []} for job in everything],
        options=options.comparison,
        searched=search,
    )
    sweep = start_sweep(
        store,
        experiment_id(store, experiment),
        asked,
        {"command": "python -m src.run experiments=study", **(tags or {})},
    )
    for job in jobs:
        if job.fate != "absent":
            ended_of(job).log(store, sweep)
    if status != "RUNNING":
        finish_sweep(store, sweep, status)
    return sweep.run_id


@dataclass(frozen=True)
class Ended:
    """A job that has ended, with all that is written of it."""

    job: RecordedJob
    outcome: JobResult | Failure
    started: float
    ended: float
    dataset: RecordedDataset
    class_names: Sequence[str]
    overrides: Sequence[str] = ()

    @property
    def result(self) -> JobResult:
        assert isinstance(self.outcome, JobResult)
        return self.outcome

    def log(self, store: Store, place: Sweep | NoSweep) -> RecordedJob:
        """Write it."""
        (job,) = log_jobs(store, [self.job], [self.run(place)])
        return job

    def run(self, place: Sweep | NoSweep) -> NewRun:
        """What is written."""
        details = {name: value for name, value in vars(self).items() if name not in ("job", "outcome")}
        return job_run(place, self.job, self.outcome, **details)


def ended_of(given: Given) -> Ended:
    """What `src.command` would write of a job."""
    now = time.time()
    rarest = given.rows // len(given.classes), given.classes[0]
    facts = {"columns": dict.fromkeys(given.features, "double"), "rarest": rarest, **given.facts}
    return Ended(
        job=job_of(given, run_id=""),
        outcome=result_of(given) if given.fate == "FINISHED" else Failure("ValueError", "no luck", "Traceback"),
        started=now - 1,
        ended=now,
        dataset=RecordedDataset(given.dataset, "a test's own rows", given.rows, len(given.classes), **facts),
        class_names=given.classes,
    )
