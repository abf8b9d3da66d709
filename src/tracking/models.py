"""Fitted pipelines as the models of runs: loaded by `mlflow.pyfunc.load_model`, served by `mlflow models serve`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from src.models.kept import answer, read_pipeline
from src.tracking import artifacts
from src.tracking.pyfunc import EXAMPLE_ROWS, PIPELINE, save_model
from src.tracking.reading import get_run
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
    with telling(f"the model of run {run_id} cannot be kept"):
        run = get_run(store, run_id)
        # First: where there is a model, all that belongs to it is kept.
        store.put(run, {EXAMPLE: example_answers(pipeline, features, class_names)})
        model_id = store.add_model(
            run,
            NAME,
            lambda model_id, folder: save_model(
                folder, pipeline, features, class_names, run_id=run_id, model_id=model_id
            ),
        )
    return f"models:/{model_id}"


def logged_model(store: Store, run_id: str) -> str | None:
    """Return the address of the model that a run keeps, None if it keeps none.

    Raises
    ------
    TrackingError
        If the store fails.
    """
    with telling(f"the run {run_id} cannot be read"):
        model_id = store.logged_model(run_id)
    return None if model_id is None else f"models:/{model_id}"


def read_model(folder: Path) -> Any:
    """Return the fitted pipeline of a model that `save_model` wrote."""
    return read_pipeline(str(folder / PIPELINE))


def example_answers(pipeline: Any, features: pd.DataFrame, class_names: Sequence[str]) -> bytes:
    """Write the model's answers to its input example as CSV, features and answers side by side."""
    rows = features.head(EXAMPLE_ROWS)
    table = pd.concat([rows.reset_index(drop=True), answer(pipeline, rows, class_names)], axis="columns")
    return artifacts.table(list(map(str, table.columns)), table.itertuples(index=False, name=None))


def register_model(store: Store, name: str, model: str, run_id: str, note: str | None = None) -> int:
    """Register a logged model (``models:/ID``) under a name, and return its version there.

    Raises
    ------
    TrackingError
        If the store fails.
    """
    from mlflow.exceptions import MlflowException

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
