"""What is recorded of a job, and the settings that jobs belong to."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from src.config import JobConfig, canonical, flatten
from src.language import say

FloatArray = NDArray[np.float64]

DATA = "data.name"
MODEL = "model.name"
ESTIMATOR = "model.estimator"
INNER_ESTIMATOR = "model.params.estimator.estimator"  # of one round another
SEED = "seed"
LOG_LOSS = "test/log_loss"


@dataclass(frozen=True, eq=False)
class RecordedJob:
    """One resolved configuration, one seed, all folds: what the record holds of it.

    Attributes
    ----------
    run_id, name, status, error : the run in MLflow; FINISHED or FAILED; why it failed.
    warnings : what its fits warned of, and how many of them did.
    config : the whole configuration, typed.
    digest, data_digest, folds_digest, code_version : what identifies the job, its rows, its folds, the code that made
        its numbers.
    data : what the data set is called.
    metrics : over all folds, by MLflow's names: ``test/accuracy``, ``std/accuracy``, ``time/fit``, ...; NaN where a
        network diverged; empty where there is no result.
    folds : a value for each fold, shape (folds * repeats,), by the names of fold_scores.csv: ``repeat``, ``n_train``,
        ``n_test``, ``test/accuracy``, ``inner/accuracy``, ...; empty where there is no result.
    """

    run_id: str
    name: str
    status: str
    config: JobConfig
    digest: str
    data: str
    data_digest: str
    folds_digest: str
    code_version: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    folds: Mapping[str, FloatArray] = field(default_factory=dict)
    error: str | None = None
    warnings: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def flat(self) -> dict[str, Any]:
        """The keys that decide its result, dotted, with their values; the data set by what it is called."""
        return flat_config(self.config, self.data)

    @cached_property
    def setting(self) -> str:
        """Identifies its setting: all that decides its result but the seed."""
        return setting_key(self.flat, self.data_digest)

    @property
    def diverged(self) -> int:
        """The number of folds whose network diverged."""
        return int(self.metrics.get("diverged", 0))

    def value(self, metric: str) -> float:
        """A metric over all folds; NaN where it has none."""
        return self.metrics.get(metric, math.nan) if self.status == "FINISHED" else math.nan


@dataclass(frozen=True, eq=False)
class Setting:
    """The jobs that differ in nothing but the seed, in the order of the seeds: judged by all of them.

    Its `simplicity` breaks ties between settings that score the same, see `src.comparison.ranking`.
    """

    jobs: tuple[RecordedJob, ...]

    @property
    def first(self) -> RecordedJob:
        """The job of the smallest seed, whose model stands for the setting: never that of the luckiest."""
        return self.jobs[0]

    @property
    def flat(self) -> dict[str, Any]:
        """The keys that decide its results, without the seed."""
        return {key: value for key, value in self.first.flat.items() if key != SEED}

    @property
    def data(self) -> str:
        """What its data set is called."""
        return self.first.data

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of its jobs, ascending."""
        return tuple(job.config.seed for job in self.jobs)

    @property
    def folds_digest(self) -> str:
        """Identifies the folds of all its seeds."""
        return " ".join(job.folds_digest for job in self.jobs)

    def score(self, metric: str) -> float:
        """The mean of a metric over all folds of all seeds; NaN if a job has none."""
        return mean([job.value(metric) for job in self.jobs])

    def has_result(self, metric: str) -> bool:
        """Whether every job has a score."""
        return not math.isnan(self.score(metric))

    def spread(self, metric: str) -> float:
        """The standard deviation (ddof 1) of a test metric over all folds of all seeds; NaN where it has none."""
        if any(metric not in job.folds for job in self.jobs):
            return math.nan
        values = self.on_folds(metric)
        return float(values.std(ddof=1)) if len(values) > 1 else math.nan

    def on_folds(self, column: str) -> FloatArray:
        """A column of all folds of all seeds, shape (J,)."""
        return np.concatenate([job.folds[column] for job in self.jobs])

    @cached_property
    def parameters(self) -> float:
        """The number of learned numbers; infinite where nobody knows."""
        return max(job.metrics.get("parameters", math.inf) for job in self.jobs)

    @cached_property
    def simplicity(self) -> tuple[float, float, str]:
        """Orders settings that score the same: fewer parameters, then larger lambda, then the configuration's text."""
        penalty = self.flat.get("training.l2", 0.0)
        return self.parameters, -float(penalty), self.first.setting


def status_word(status: str) -> str:
    """The word for MLflow's status of a run, as a sentence needs it: `failed`."""
    words = {
        "RUNNING": say("running"),
        "FINISHED": say("finished"),
        "FAILED": say("failed"),
        "KILLED": say("killed"),
    }
    return words.get(status, status.lower())


def flat_config(config: JobConfig, data: str) -> dict[str, Any]:
    """The keys that decide a job's result, dotted, with their values; the data set by what it is called."""
    return {**flatten(canonical(config)), DATA: data}


def setting_key(flat: Mapping[str, Any], data_digest: str) -> str:
    """Identifies the setting of a job: all that decides its result but the seed."""
    values = {key: value for key, value in flat.items() if key not in (SEED, DATA)}
    return json.dumps([data_digest, values], sort_keys=True)


def mean(values: Sequence[float] | FloatArray) -> float:
    """The mean, rounded once: the same values in another order have the same mean. NaN if one is NaN, or none there."""
    return math.fsum(values) / len(values) if len(values) and np.isfinite(values).all() else math.nan


def settings_of(jobs: Sequence[RecordedJob]) -> list[Setting]:
    """Group jobs into settings, in the order of their first jobs; of the same job twice the later one counts."""
    by_setting: dict[str, dict[int, RecordedJob]] = {}
    for job in jobs:
        by_setting.setdefault(job.setting, {})[job.config.seed] = job
    return [Setting(tuple(by_seed[seed] for seed in sorted(by_seed))) for by_seed in by_setting.values()]
