"""Runs back out of the store: sweeps to continue, tables, and what a run recorded of itself."""

import io
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.entities import ViewType
from mlflow.exceptions import MlflowException

from src.comparison.record import RecordedDataset
from src.tracking import artifacts
from src.tracking.address import shown
from src.tracking.errors import TrackingError
from src.tracking.query import RunRow, find_runs
from src.tracking.records import PARENT, SWEEP_DIGEST, row_facts
from src.tracking.runs import JOBS
from src.tracking.store import Store, telling
from src.words import did_you_mean


def experiment_ids(store: Store, names: Sequence[str] | None = None) -> dict[str, str]:
    """Return the ids of the experiments called `names`, by name; of all if None.

    Raises
    ------
    TrackingError
        If there is no experiment of such a name; it lists those there are.
    """
    with telling("experiments cannot be read"):
        found = store.client.search_experiments(ViewType.ACTIVE_ONLY, max_results=50000)
    known = {experiment.name: str(experiment.experiment_id) for experiment in found}
    if names is None:
        return known
    missing = [name for name in names if name not in known]
    if missing:
        raise TrackingError(
            f"there is no MLflow experiment {missing[0]!r} in {shown(store.address)}.{did_you_mean(missing[0], known)} "
            f"({', '.join(sorted(known)) or 'it holds none'})"
        )
    return {name: known[name] for name in names}


def get_run(store: Store, run_id: str) -> RunRow:
    """Return one run.

    Raises
    ------
    TrackingError
        If there is none of that id, or it was deleted.
    """
    try:
        run = store.client.get_run(run_id)
    except MlflowException as error:
        if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
            raise TrackingError(f"there is no run {run_id!r} in {shown(store.address)}.") from error
        raise TrackingError(f"MLflow: the run {run_id!r} cannot be read: {error.message}") from error
    if run.info.lifecycle_stage != "active":
        raise TrackingError(f"the run {run_id!r} was deleted; restore it with `mlflow runs restore --run-id {run_id}`.")
    return RunRow.of(run)


def sweeps(store: Store, experiments: Sequence[str] | None = None) -> list[RunRow]:
    """Return the experiments' sweeps (parent runs), the newest first.

    Raises
    ------
    TrackingError
        If there is no experiment of such a name, or the store fails.
    """
    ids = list(experiment_ids(store, experiments).values())
    return [run for run in find_runs(store, ids) if SWEEP_DIGEST in run.tags and run.parent_id is None]


def children(store: Store, sweep: RunRow) -> list[RunRow]:
    """Return the runs of a sweep's jobs, the newest first."""
    return find_runs(store, [sweep.experiment_id], {PARENT: sweep.run_id})


def sweeps_of_digest(store: Store, experiment_id: str, digest: str) -> list[RunRow]:
    """Return the parent runs of one sweep, the newest first: it was typed before as often as there are runs."""
    return [run for run in find_runs(store, [experiment_id], {SWEEP_DIGEST: digest}) if run.parent_id is None]


def unfinished_sweep(store: Store, experiment_id: str, digest: str) -> RunRow | None:
    """Return the newest run of a sweep that was interrupted or had failures, None if it is running or done.

    `src.tracking.processes.repair_dead_sweeps` comes first: a sweep whose process died is then KILLED.
    """
    found = sweeps_of_digest(store, experiment_id, digest)
    return found[0] if found and found[0].status in {"KILLED", "FAILED"} else None


def artifact(store: Store, run: RunRow, path: str) -> bytes:
    """Return the content of one of a run's artifacts.

    Raises
    ------
    TrackingError
        If the run has no such artifact, or it cannot be read.
    """
    folder = artifacts.local_folder(run.artifact_uri)
    try:
        if folder is not None:
            return (folder / path).read_bytes()
        with tempfile.TemporaryDirectory() as temporary:
            return Path(store.client.download_artifacts(run.run_id, path, temporary)).read_bytes()
    except (OSError, MlflowException) as error:
        raise TrackingError(f"the run {run.run_id!r} has no artifact {path!r} that can be read.") from error


def recorded_config(store: Store, run: RunRow) -> dict[str, Any]:
    """Return the whole resolved configuration a job was run with."""
    config: dict[str, Any] = artifacts.read_yaml(artifact(store, run, artifacts.CONFIG))
    return config


def recorded_overrides(store: Store, run: RunRow) -> list[str]:
    """Return the overrides a job was run with."""
    overrides: list[str] = artifacts.read_yaml(artifact(store, run, artifacts.OVERRIDES))
    return overrides


def recorded_jobs(store: Store, sweep: RunRow) -> list[dict[str, Any]]:
    """Return the frozen list of a sweep's jobs."""
    jobs: list[dict[str, Any]] = json.loads(artifact(store, sweep, JOBS))
    return jobs


def fold_scores(store: Store, run: RunRow) -> pd.DataFrame:
    """Return a job's scores, a row for each fold.

    Returns
    -------
    DataFrame
        repeat, fold, n_train and n_test (rows), parameters (NaN if not known), class_step (see
        `src.evaluation.metrics.class_step`), epochs, diverged_epoch (NaN if it did not), fit_seconds, ``test/METRIC``
        and ``train/METRIC``; with nested cross-validation ``inner/METRIC``, the mean over the folds inside the training
        part. An old record may lack some of them.
    """
    return read_fold_scores(artifact(store, run, artifacts.FOLD_SCORES))


def read_fold_scores(content: bytes) -> pd.DataFrame:
    """Return the table in a fold_scores.csv; see `fold_scores`."""
    return _numbers(_text_table(content), ["repeat", "fold", "n_train", "n_test", "epochs"])


def class_scores(store: Store, run: RunRow) -> pd.DataFrame | None:
    """Return a finished job's scores of each class over its out-of-fold predictions.

    Returns
    -------
    DataFrame or None
        class (text), precision, recall, f1 (NaN if a network diverged), support (rows); None for an old record.
    """
    # A record without a Brier score is older than class_scores.csv.
    if run.status != "FINISHED" or "test/brier_score" not in run.metrics:
        return None
    return _numbers(_text_table(artifact(store, run, artifacts.CLASS_SCORES)), labels=["class"])


def dataset(store: Store, run_id: str) -> RecordedDataset | None:
    """Return what MLflow holds of the data that a job's run was on, None if it holds nothing.

    Raises
    ------
    TrackingError
        If the store fails.
    """
    with telling(f"the data set of the run {run_id} cannot be read"):
        inputs = store.client.get_run(run_id).inputs
    if not inputs or not inputs.dataset_inputs:
        return None
    found = inputs.dataset_inputs[0].dataset
    profile = json.loads(found.profile or "{}")
    return RecordedDataset(
        name=found.name,
        source=json.loads(found.source)["uri"],
        rows=profile["num_rows"],
        classes=profile["num_classes"],
        columns={column["name"]: column["type"] for column in json.loads(found.schema or "{}")["mlflow_colspec"]},
        facts=row_facts(profile),
    )


def curves(store: Store, run: RunRow) -> pd.DataFrame | None:
    """Return a job's learning curves (repeat, fold, epoch, train_loss, test_loss); None for a model without epochs."""
    if run.status != "FINISHED" or "curve/train_loss" not in run.metrics:
        return None
    return _numbers(_text_table(artifact(store, run, artifacts.CURVES)), ["repeat", "fold", "epoch"])


def predictions(store: Store, run: RunRow) -> pd.DataFrame:
    """Return a job's out-of-fold predictions.

    Returns
    -------
    DataFrame
        repeat, fold, row (int); target, predicted (text; predicted is empty where a network diverged); a float column
        ``probability CLASS`` for each class, to the last bit.
    """
    text = _text_table(artifact(store, run, artifacts.PREDICTIONS))
    return _numbers(text, ["repeat", "fold", "row"], labels=["target", "predicted"])


def _text_table(content: bytes) -> pd.DataFrame:
    """Read a table as text: a class may well be called "NA" or "1", and a float is to come back with the same bits."""
    return pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)


def _numbers(text: pd.DataFrame, whole: Sequence[str] = (), labels: Sequence[str] = ()) -> pd.DataFrame:
    """Turn columns of text, but for `labels`, into int64 where they are `whole`, else float64; an empty cell is NaN."""
    numbers = text.drop(columns=list(labels)).replace("", "nan")
    kinds = {name: np.int64 if name in whole else np.float64 for name in numbers.columns}
    return numbers.astype(kinds).assign(**text[list(labels)])[text.columns]
