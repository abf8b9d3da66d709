"""What is written of one job, as plain data, and how it becomes MLflow's params, metrics, tags and dataset."""

import json
import re
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import numpy as np
from mlflow.entities import Dataset

from src.comparison.cautions import RowFacts
from src.evaluation.results import JobResult

Status = Literal["FINISHED", "FAILED", "KILLED"]

# MLflow's limits (mlflow.utils.validation): a longer value is refused by some stores and cut by others.
PARAM_LENGTH = 6000
TAG_LENGTH = 8000
NAME_LENGTH = 250
DATASET_DIGEST_LENGTH = (
    8  # as MLflow's own digests; the page shows it beside the name, the tag data_digest has it whole
)

PARENT = "mlflow.parentRunId"
NOTE = "mlflow.note.content"
JOB_DIGEST = "job_digest"
SWEEP_DIGEST = "sweep_digest"
ANSWER = "answer"  # a sweep's answer in a sentence or two
SEARCH = "search"  # "true" on a sweep whose jobs a search proposed
MOST_IDENTIFIERS = 5  # columns that a data set's profile names
DATASET_CONTEXT = "training"  # what the data was used for, as MLflow's page shows it


@dataclass(frozen=True)
class DatasetFacts:
    """What MLflow shows of the data a job was trained on.

    Attributes
    ----------
    name, digest, source
        As `src.data` gives them.
    rows
        Number of rows.
    columns
        Each feature's type: ``double`` or ``string``.
    class_names
        In the order of the target's codes.
    facts
        What of the rows bears on a comparison.
    """

    name: str
    digest: str
    source: str
    rows: int
    columns: Mapping[str, str]
    class_names: tuple[str, ...]
    facts: RowFacts


@dataclass(frozen=True)
class Failure:
    """Why a job gave no result."""

    type: str
    message: str
    traceback: str

    @classmethod
    def of(cls, error: BaseException) -> Self:
        """Keep an exception as text."""
        return cls(type(error).__name__, str(error), "".join(traceback.format_exception(error)))


@dataclass(frozen=True, eq=False)
class JobRecord:
    """Everything that is recorded of one job.

    Attributes
    ----------
    name
        The run's name: what varies, the key that varies most first; MLflow's tree shows about 12 characters.
    digest
        The job's digest (configuration, data, numerical code).
    config
        The whole resolved configuration, nested; becomes config.yaml.
    overrides
        What was typed or swept, such as ``training.l2=0.1``; becomes overrides.yaml.
    params
        The configuration with dotted keys.
    dataset
        The data.
    started, ended
        Seconds since 1970.
    status
        FINISHED needs `result`, FAILED needs `failure`.
    result
        The folds' results.
    failure
        Why there is none.
    tags
        More tags, such as ``folds_digest``.
    note
        The run's description (Markdown).
    files
        More artifacts, such as figures, by their path in the run.
    curve_points
        The most points of each learning curve that become metrics; curves.csv holds all of them.
    """

    name: str
    digest: str
    config: Mapping[str, Any]
    overrides: Sequence[str]
    params: Mapping[str, Any]
    dataset: DatasetFacts
    started: float
    ended: float
    status: Status = "FINISHED"
    result: JobResult | None = None
    failure: Failure | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    note: str | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    curve_points: int = 100

    def __post_init__(self) -> None:
        if self.status == "FINISHED" and self.result is None:
            raise ValueError("a FINISHED job needs its result")
        if self.status == "FAILED" and self.failure is None:
            raise ValueError("a FAILED job needs its failure")


@dataclass(frozen=True, eq=False)
class RunRecord:
    """One ended run as MLflow stores it; `metrics` are (name, value, step), times are milliseconds since 1970."""

    experiment_id: str
    name: str
    status: Status
    started: int
    ended: int
    tags: dict[str, str]
    params: dict[str, str]
    metrics: list[tuple[str, float, int]]
    dataset: Dataset
    files: dict[str, bytes]


def param_value(value: Any) -> str:
    """Write a configuration's value as it is written in YAML and in an override, so that it can be typed again.

    MLflow's limit is 6000 characters; a longer value is cut and ends in an ellipsis, config.yaml keeps it whole.
    """
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return cut(text, PARAM_LENGTH)


def cut(text: str, length: int) -> str:
    """Return `text`, or its beginning and an ellipsis if it is longer than `length` characters."""
    return text if len(text) <= length else text[: length - 1] + "…"


def param_values(params: Mapping[str, Any]) -> dict[str, str]:
    """Write all params; a character that MLflow does not allow in a key (from a class's name, say) becomes ``_``."""
    return {cut(re.sub(r"[^\w.\- :]", "_", key), NAME_LENGTH): param_value(value) for key, value in params.items()}


def tag_values(tags: Mapping[str, str]) -> dict[str, str]:
    """Cut tags to the length MLflow allows."""
    return {key: cut(value, TAG_LENGTH) for key, value in tags.items()}


def metric_values(result: JobResult, curve_points: int) -> list[tuple[str, float, int]]:
    """List a job's metrics as (name, value, step).

    Returns
    -------
    list
        Summaries over folds at step 0 (``test/...``, ``train/...``, ``std/...``, ``time/...``), ``fold/...`` with the
        fold as the step, ``curve/train_loss`` and ``curve/test_loss`` with the epoch as the step. Each (name, step)
        once. NaN is kept; MLflow stores an infinity as the largest float.
    """
    summary = [(name, value, 0) for name, value in result.metrics().items()]
    return [*summary, *result.fold_metrics(), *_curve_values(result, curve_points)]


def _curve_values(result: JobResult, points: int) -> list[tuple[str, float, int]]:
    curve = result.mean_curve()
    if curve is None or points < 1:
        return []
    kept = np.unique(np.linspace(0, len(curve.epochs) - 1, min(points, len(curve.epochs))).round().astype(int))
    if points == 1:
        kept = kept[-1:]
    epochs = curve.epochs[kept].tolist()
    return [
        (name, value, epoch)
        for name, losses in (("curve/train_loss", curve.train_loss), ("curve/test_loss", curve.test_loss))
        for epoch, value in zip(epochs, losses[kept].astype(float).tolist(), strict=True)
    ]


def dataset_entity(facts: DatasetFacts) -> Dataset:
    """Describe the data in the form MLflow's page shows: source, schema of the columns, size."""
    columns = [{"type": kind, "name": name, "required": True} for name, kind in facts.columns.items()]
    return Dataset(
        name=cut(facts.name, 500),
        digest=facts.digest[:DATASET_DIGEST_LENGTH],
        source_type="local",
        source=json.dumps({"uri": facts.source}, ensure_ascii=False),
        schema=json.dumps({"mlflow_colspec": columns}, ensure_ascii=False),
        profile=json.dumps(
            {
                "num_rows": facts.rows,
                "num_features": len(columns),
                "num_classes": len(facts.class_names),
                "duplicate_rows": facts.facts.duplicates,
                "identifiers": facts.facts.identifiers[:MOST_IDENTIFIERS],
                "rarest_class": facts.facts.rarest,
            },
            ensure_ascii=False,
        ),
    )


def row_facts(profile: Mapping[str, Any]) -> RowFacts | None:
    """Read the facts back from a data set's profile; None where an older version wrote it."""
    if "duplicate_rows" not in profile:
        return None
    rows, label = profile["rarest_class"]
    return RowFacts(profile["num_rows"], profile["duplicate_rows"], tuple(profile["identifiers"]), (rows, label))
