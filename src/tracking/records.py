"""A run as MLflow stores it, as plain data, and how what is known of a job becomes its params, tags, metrics, data."""

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate
from typing import Any, Literal

import numpy as np

from src.comparison.record import RecordedDataset
from src.config import JobConfig, flatten
from src.config.identity import used_keys
from src.escaping import masked
from src.evaluation.metrics import METRICS
from src.evaluation.results import Failure, JobResult

Status = Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]
Point = tuple[str, float, int]  # a metric's name, value and step

# MLflow's limits (mlflow.utils.validation): a longer value is refused by some stores and cut by others.
PARAM_LENGTH = 6000
TAG_LENGTH = 8000
NAME_LENGTH = 250
DATASET_NAME_LENGTH = 500
# As MLflow's own digests; the page shows it beside the name, the tag data_digest has it whole.
DATASET_DIGEST_LENGTH = 8

PARENT = "mlflow.parentRunId"
NOTE = "mlflow.note.content"
USER = "mlflow.user"
HOST = "host"
SLURM_JOB = "slurm_job_id"
RUN_NAME = "mlflow.runName"
JOB_DIGEST = "job_digest"
SWEEP_DIGEST = "sweep_digest"
DATA_DIGEST = "data_digest"
FOLDS_DIGEST = "folds_digest"
CODE_VERSION = "code_version"
HELD_OUT = "held_out_digest"  # of data.test, on what was scored on it
BLAS = "blas"  # the linear algebra library and its kernels
MODULES = "model_modules"  # what a model beside scikit-learn's is made of, by version or digest
ERROR = "error_message"
WARNINGS = "fit_warnings"  # what a job's fits warned of, and how many did, as JSON
ANSWER = "answer"  # a sweep's answer in a sentence or two
BEST_RUN = "best_run"  # on a sweep: the run of the best setting's first seed
SEARCH = "search"  # "true" on a sweep whose jobs a search proposed
MOST_IDENTIFIERS = 5  # columns that a data set's profile names
MODEL_NAME = "model"
MODEL_TYPE = "classifier"  # as MLflow's page shows it
DATASET_CONTEXT = "training"  # what the data was used for, as MLflow's page shows it

SHAPING = ("data.", "model.", "training.", "cv.", "seed")  # what keys begin with that decide a result
_JSON = json.JSONEncoder(ensure_ascii=False, default=str)


@dataclass(frozen=True)
class RunRow:
    """A run: times in milliseconds since 1970 (`ended` None while it runs), each metric's last value.

    The store gives `run_id` and `artifact_uri`.
    """

    experiment_id: str
    name: str
    status: str
    started: int
    ended: int | None = None
    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    run_id: str = ""
    artifact_uri: str = ""
    deleted: bool = False

    @property
    def seconds(self) -> float | None:
        """How long it took, None while it runs."""
        return None if self.ended is None else (self.ended - self.started) / 1000

    @property
    def parent_id(self) -> str | None:
        """The sweep's run, None for a sweep itself."""
        return self.tags.get(PARENT)


@dataclass(frozen=True)
class NewRun:
    """A run to be written with all that belongs to it: its metrics, its data, and its artifacts by path."""

    run: RunRow
    points: Sequence[Point] = ()
    dataset: "DatasetRow | None" = None
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class DatasetRow:
    """A data set as MLflow stores it: `source`, `schema` and `profile` are JSON."""

    name: str
    digest: str
    source_type: str
    source: str
    schema: str
    profile: str


def now() -> int:
    """The time of day in milliseconds since 1970."""
    return int(time.time() * 1000)


def cut(text: str, length: int) -> str:
    """Return `text`, or its beginning and an ellipsis if it is longer than `length` characters."""
    return text if len(text) <= length else text[: length - 1] + "…"


def param_values(params: Mapping[str, Any]) -> dict[str, str]:
    """Write params as they are written in YAML and in an override, so that they can be typed again.

    A character that MLflow does not allow in a key (from a class's name, say) becomes ``_``. A value of more than 6000
    characters is cut and ends in an ellipsis; config.yaml keeps it whole.
    """
    texts = {key: value if isinstance(value, str) else _JSON.encode(value) for key, value in params.items()}
    return {_param_name(key): cut(masked(text), PARAM_LENGTH) for key, text in texts.items()}


@cache
def _param_name(key: str) -> str:
    return cut(re.sub(r"[^\w.\- :]", "_", key), NAME_LENGTH)


def tag_values(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags as MLflow allows them, cut to its length, without passwords."""
    return {key: cut(masked(value), TAG_LENGTH) for key, value in tags.items()}


def failure_tags(failure: Failure) -> dict[str, str]:
    """Say why a job or a sweep failed."""
    return {"error_type": failure.type, ERROR: failure.message}


def warning_tags(warnings: Mapping[str, int]) -> dict[str, str]:
    """Say what a job's fits warned of."""
    return {WARNINGS: _JSON.encode(warnings)} if warnings else {}


def recorded_warnings(tags: Mapping[str, str]) -> dict[str, int]:
    """Read `warning_tags` back; a tag that somebody else wrote may say anything, and then nothing is read."""
    try:
        return {str(text): int(count) for text, count in json.loads(tags.get(WARNINGS, "{}")).items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def job_params(config: JobConfig) -> dict[str, str]:
    """Write a job's configuration with dotted keys, without those that mean nothing for the job."""
    used = set(used_keys(config))
    params = flatten(config.model_dump(mode="json"))
    meaningless = {
        key for key in params if key.startswith(SHAPING) and used.isdisjoint(accumulate(key.split("."), "{}.{}".format))
    }
    return param_values({key: value for key, value in params.items() if key not in meaningless})


def metric_points(metrics: Mapping[str, float], result: JobResult, curve_points: int) -> list[Point]:
    """List a job's metrics as (name, value, step); `metrics` are `result.metrics()`.

    Returns
    -------
    list : summaries over folds at step 0 (``test/...``, ``train/...``, ``std/...``, ``time/...``), ``fold/...`` with
        the fold as the step, ``curve/train_loss`` and ``curve/test_loss`` with the epoch as the step (at most
        `curve_points` of them). Each (name, step) once. NaN is kept; MLflow stores an infinity as the largest float.
    """
    points = [(name, value, 0) for name, value in metrics.items()]
    points += [
        (f"fold/{name}", fold.test_scores[name], step) for name in METRICS for step, fold in enumerate(result.folds)
    ]
    curve = result.mean_curve()
    if curve is None or curve_points < 1:
        return points
    spaced = np.linspace(0, len(curve.epochs) - 1, min(curve_points, len(curve.epochs)))
    kept = np.unique(spaced.round().astype(int)) if curve_points > 1 else np.array([-1])
    epochs = curve.epochs[kept].tolist()
    for name, losses in (("curve/train_loss", curve.train_loss), ("curve/test_loss", curve.test_loss)):
        values = losses[kept].astype(float).tolist()
        points += [(name, value, epoch) for epoch, value in zip(epochs, values, strict=True)]
    return points


def dataset_row(dataset: RecordedDataset, digest: str) -> DatasetRow:
    """Describe data in the form MLflow's page shows: source, schema of the columns, size."""
    columns = [{"type": kind, "name": name, "required": True} for name, kind in dataset.columns.items()]
    profile = {
        "num_rows": dataset.rows,
        "num_features": len(columns),
        "num_classes": dataset.classes,
        "repeated_rows": dataset.duplicates,
        "identifiers": dataset.identifiers[:MOST_IDENTIFIERS],
        "numberings": dataset.numberings[:MOST_IDENTIFIERS],
        "rarest_class": dataset.rarest,
    }
    return DatasetRow(
        name=cut(dataset.name, DATASET_NAME_LENGTH),
        digest=digest[:DATASET_DIGEST_LENGTH],
        source_type="local",
        source=json.dumps({"uri": dataset.source}, ensure_ascii=False),
        schema=json.dumps({"mlflow_colspec": columns}, ensure_ascii=False),
        profile=json.dumps(profile, ensure_ascii=False),
    )


def recorded_dataset(row: DatasetRow) -> RecordedDataset:
    """Read back what `dataset_row` wrote; an older version wrote nothing of the rows."""
    profile = json.loads(row.profile or "{}")
    return RecordedDataset(
        name=row.name,
        source=json.loads(row.source)["uri"],
        rows=profile["num_rows"],
        classes=profile["num_classes"],
        columns={column["name"]: column["type"] for column in json.loads(row.schema or "{}")["mlflow_colspec"]},
        rarest=None if (rarest := profile.get("rarest_class")) is None else (rarest[0], rarest[1]),
        # An older version counted the rows that have a copy, of which half at least repeat an earlier one.
        duplicates=profile.get("repeated_rows", (profile.get("duplicate_rows", 0) + 1) // 2),
        identifiers=tuple(profile.get("identifiers", ())),
        numberings=tuple(profile.get("numberings", ())),
    )
