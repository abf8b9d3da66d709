"""Fitted pipelines as the models of runs: loaded by `mlflow.pyfunc.load_model`, served by `mlflow models serve`."""

import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mlflow.artifacts
import pandas as pd
from mlflow.entities import LoggedModelOutput, Metric
from mlflow.exceptions import MlflowException

from src.models.kept import answer, read_pipeline
from src.tracking import artifacts
from src.tracking.pyfunc import EXAMPLE_ROWS, PIPELINE, save_model
from src.tracking.store import Store, telling

NAME = "model"
EXAMPLE = "model_example.csv"  # what the model answers to its input example
VERSIONS_TAG = "mlflow.modelVersions"  # where MLflow's page looks for a logged model's registered versions


def log_model(store: Store, run_id: str, pipeline: Any, features: pd.DataFrame, class_names: Sequence[str]) -> str:
    """Keep a fitted pipeline as the model of a run.

    Parameters
    ----------
    store, run_id
        The run it belongs to.
    pipeline
        Fitted; takes rows of `features`, knows its classes by name.
    features
        The data set's features; the first rows become the input example.
    class_names
        In the order in which the answer's columns are to stand.

    Returns
    -------
    str
        The model's address, ``models:/ID``.

    Raises
    ------
    TrackingError
        If the store fails.
    """
    client = store.client
    with telling(f"the model of run {run_id} cannot be kept"), tempfile.TemporaryDirectory() as temporary:
        run = client.get_run(run_id)
        answers = example_answers(pipeline, features, class_names)
        model = client.create_logged_model(run.info.experiment_id, NAME, run_id, model_type="classifier")
        try:
            folder = Path(temporary) / NAME
            save_model(folder, pipeline, features, class_names, run_id=run_id, model_id=model.model_id)
            client.log_model_artifacts(model.model_id, str(folder))
        except BaseException:
            client.finalize_logged_model(model.model_id, "FAILED")
            raise
        client.finalize_logged_model(model.model_id, "READY")
        client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
        artifacts.put(client, run_id, run.info.artifact_uri, {EXAMPLE: answers})
    return f"models:/{model.model_id}"


def logged_model(store: Store, run_id: str) -> str | None:
    """Return the address of the model that a run keeps, None if it keeps none.

    Raises
    ------
    TrackingError
        If the store fails.
    """
    with telling(f"the run {run_id} cannot be read"):
        outputs = store.client.get_run(run_id).outputs
    return f"models:/{outputs.model_outputs[0].model_id}" if outputs and outputs.model_outputs else None


def load_pipeline(store: Store, run_id: str) -> Any:
    """Return the fitted pipeline that a run keeps as its model, None if it keeps none.

    Raises
    ------
    TrackingError
        If the store fails, or the model's files cannot be read.
    """
    address = logged_model(store, run_id)
    if address is None:
        return None
    with telling(f"the model of run {run_id} cannot be read"), tempfile.TemporaryDirectory() as temporary:
        location = store.client.get_logged_model(address.removeprefix("models:/")).artifact_location
        folder = artifacts.local_folder(location)
        if folder is None:
            folder = Path(mlflow.artifacts.download_artifacts(address, dst_path=temporary, tracking_uri=store.address))
        return read_pipeline(str(folder / PIPELINE))


def example_answers(pipeline: Any, features: pd.DataFrame, class_names: Sequence[str]) -> bytes:
    """Write the model's answers to its input example as CSV, features and answers side by side."""
    rows = features.head(EXAMPLE_ROWS)
    table = pd.concat([rows.reset_index(drop=True), answer(pipeline, rows, class_names)], axis="columns")
    return artifacts.table(list(map(str, table.columns)), table.itertuples(index=False, name=None))


def add_files(store: Store, run_id: str, files: Mapping[str, bytes]) -> None:
    """Add artifacts, by path, to a run that has ended.

    Raises
    ------
    TrackingError
        If there is no such run, or they cannot be written.
    """
    with telling(f"artifacts cannot be added to run {run_id}"):
        artifacts.put(store.client, run_id, store.client.get_run(run_id).info.artifact_uri, files)


def add_metrics(store: Store, run_id: str, metrics: Mapping[str, float]) -> None:
    """Add metrics, by name, to a run that has ended.

    Raises
    ------
    TrackingError
        If there is no such run, or they cannot be written.
    """
    with telling(f"metrics cannot be added to run {run_id}"):
        now = int(time.time() * 1000)
        store.client.log_batch(run_id, [Metric(name, value, now, 0) for name, value in metrics.items()])


def has_files(store: Store, run_id: str, folder: str) -> bool:
    """Say whether a run has artifacts in a folder.

    Raises
    ------
    TrackingError
        If the store fails.
    """
    with telling(f"the artifacts of run {run_id} cannot be listed"):
        return bool(store.client.list_artifacts(run_id, folder))


def register_model(store: Store, name: str, model: str, run_id: str, note: str | None = None) -> int:
    """Register a logged model (``models:/ID``) under a name, and return its version there.

    Raises
    ------
    TrackingError
        If the store fails.
    """
    client = store.client
    with telling(f"the model cannot be registered as {name!r}"):
        try:
            client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        model_id = model.removeprefix("models:/")
        # A server finds the files itself; a database is written from here, where MLflow would look for the model in
        # the default store instead of this one.
        source = model if store.address.startswith("http") else client.get_logged_model(model_id).artifact_location
        made = client.create_model_version(name, source, run_id, description=note, model_id=model_id)
        versions = json.dumps([{"name": name, "version": made.version}])
        client.set_logged_model_tags(model_id, {VERSIONS_TAG: versions})
    return int(made.version)
