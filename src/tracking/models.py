"""Fitted pipelines in MLflow: loaded by `mlflow.pyfunc.load_model`, served by `mlflow models serve`.

No pickle: the pipeline is kept by skops, whose files name types and hold arrays and are loaded only if every type is
one that a pipeline of this project is made of (`src.tracking.served`). MLflow's own scikit-learn flavour can use skops
too, but answers either classes or bare probabilities; a "model from code" answers both, with the classes' names.

The requirements are the installed versions, named outright: MLflow would find them by loading the model in a process
of its own, which takes longer than training it.
"""

import json
import shutil
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from src.tracking import artifacts
from src.tracking.provenance import ROOT
from src.tracking.reading import get_run
from src.tracking.store import Store, telling

if TYPE_CHECKING:  # imported late: MLflow's models and skops take seconds
    from mlflow.models import ModelSignature

NAME = "model"
PIPELINE = "artifacts/pipeline.skops"  # in a model's folder
EXAMPLE = "model_example.csv"  # what the model answers to its input example
EXAMPLE_ROWS = 10
VERSIONS_TAG = "mlflow.modelVersions"  # where MLflow's page looks for a logged model's registered versions
REQUIREMENTS = ("mlflow", "numpy", "pandas", "scikit-learn", "scipy", "skops", "threadpoolctl")
SCRIPT = Path(__file__).with_name("served.py")
# What a pipeline with a network in it imports.
CODE = ("__init__.py", "errors.py", "models", "network")


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
    from mlflow.entities import LoggedModelOutput

    client = store.client
    with telling(f"the model of run {run_id} cannot be kept"), tempfile.TemporaryDirectory() as temporary:
        run = get_run(store, run_id)
        answers = example_answers(pipeline, features, class_names)
        model = client.create_logged_model(run.experiment_id, NAME, run_id, model_type="classifier")
        try:
            folder = Path(temporary) / NAME
            save_model(folder, pipeline, features, class_names, run_id=run_id, model_id=model.model_id)
            client.log_model_artifacts(model.model_id, str(folder))
        except BaseException:
            client.finalize_logged_model(model.model_id, "FAILED")
            raise
        client.finalize_logged_model(model.model_id, "READY")
        client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
        store.put(run, {EXAMPLE: answers})
    return f"models:/{model.model_id}"


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
    from src.tracking.served import read_pipeline

    return read_pipeline(str(folder / PIPELINE))


def save_model(
    folder: Path,
    pipeline: Any,
    features: pd.DataFrame,
    class_names: Sequence[str],
    *,
    run_id: str | None = None,
    model_id: str | None = None,
) -> None:
    """Write a fitted pipeline as an MLflow model into a folder that does not exist; arguments as for `log_model`."""
    import mlflow.pyfunc
    import skops.io
    from mlflow.models import Model

    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "pipeline.skops"
        skops.io.dump(pipeline, path)
        mlflow.pyfunc.save_model(
            path=folder,
            python_model=str(SCRIPT),
            artifacts={"pipeline": str(path)},
            model_config={"class_names": list(class_names)},
            signature=signature(features, class_names),
            input_example=features.head(EXAMPLE_ROWS),
            pip_requirements=[f"{name}=={version(name)}" for name in REQUIREMENTS],
            code_paths=[str(_code(Path(temporary)))],
            mlflow_model=Model(run_id=run_id, model_id=model_id),
        )


def example_answers(pipeline: Any, features: pd.DataFrame, class_names: Sequence[str]) -> bytes:
    """Write the model's answers to its input example as CSV, features and answers side by side."""
    from src.tracking.served import answer

    rows = features.head(EXAMPLE_ROWS)
    table = pd.concat([rows.reset_index(drop=True), answer(pipeline, rows, class_names)], axis="columns")
    return artifacts.table(list(map(str, table.columns)), table.itertuples(index=False, name=None))


def signature(features: pd.DataFrame, class_names: Sequence[str]) -> "ModelSignature":
    """Say what the model takes (numbers or text by column) and gives (the class, and a probability for each)."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    numeric = features.select_dtypes("number").columns
    takes = {str(name): DataType.double if name in numeric else DataType.string for name in features.columns}
    gives = {"predicted": DataType.string} | {
        artifacts.probability_column(name): DataType.double for name in class_names
    }
    inputs, outputs = (Schema([ColSpec(kind, name) for name, kind in each.items()]) for each in (takes, gives))
    return ModelSignature(inputs, outputs)


def _code(folder: Path) -> Path:
    """Copy the source a pipeline needs, without caches, and return its package's folder."""
    copy = folder / "src"
    for name in CODE:
        source = ROOT / "src" / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            copy.mkdir(exist_ok=True)
            shutil.copy(source, copy / name)
    return copy


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
