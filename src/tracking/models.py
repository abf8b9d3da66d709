"""Fitted pipelines as the models of runs: loaded by `mlflow.pyfunc.load_model`, served by `mlflow models serve`.

Every function that is given a store raises TrackingError if it fails.
"""

import io
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import yaml

from src.config.identity import Module
from src.models.kept import answer, read_pipeline, skops_io
from src.tracking import artifacts
from src.tracking.errors import TrackingError, telling
from src.tracking.pyfunc import DESCRIPTION, EXAMPLE_ROWS, PIPELINE, save_model
from src.tracking.reading import children, get_run
from src.tracking.records import BEST_RUN
from src.tracking.store import Store
from src.words import first_of

EXAMPLE = "model_example.csv"  # the input example with what the model answers beside it


def log_model(
    store: Store,
    run_id: str,
    pipeline: Any,
    features: pd.DataFrame,
    class_names: Sequence[str],
    modules: Collection[Module] = (),
) -> str:
    """Keep a fitted pipeline as the model of a run.

    `pipeline`, `features`, `class_names` and `modules` are as `src.tracking.pyfunc.save_model` takes them.

    Returns
    -------
    str : the model's address, ``models:/ID``.
    """
    with telling(f"the model of run {run_id} cannot be kept"):
        run = get_run(store, run_id)
        rows = features.head(EXAMPLE_ROWS)
        table = pd.concat([rows.reset_index(drop=True), answer(pipeline, rows, class_names)], axis="columns")
        # First: where there is a model, all that belongs to it is kept.
        store.put(run, {EXAMPLE: artifacts.table(list(map(str, table)), table.itertuples(index=False, name=None))})
        model_id = store.add_model(
            run,
            lambda model_id, folder: save_model(
                folder, pipeline, features, class_names, modules=modules, run_id=run_id, model_id=model_id
            ),
        )
    return f"models:/{model_id}"


def logged_model(store: Store, run_id: str) -> str | None:
    """Return the address of the model that a run keeps, None if it keeps none."""
    with telling(f"the run {run_id} cannot be read"):
        kept = store.logged_model(run_id)
    return None if kept is None else f"models:/{kept[0]}"


def read_model(store: Store, place: str, allow: Collection[str] = ()) -> Any:
    """Return the fitted pipeline of a model that `save_model` wrote, by where its files are; see `read_pipeline`."""
    try:
        return read_pipeline(io.BytesIO(store.read(place, PIPELINE)), allow)
    except skops_io().exceptions.UntrustedTypesFoundException as error:
        raise TrackingError(
            f"the model is not opened: its file names what no model of this program is made of: {error} "
            "What is of a module whose code you trust is let in by the module's name, --allow MODULE."
        ) from error


@dataclass(frozen=True)
class KeptModel:
    """A fitted pipeline, and what its description says of it.

    Attributes
    ----------
    pipeline : takes rows of its columns.
    columns : their names, and whether each holds numbers, else text.
    class_names : in the order in which the answer's columns are to stand.
    """

    pipeline: Any
    columns: Mapping[str, bool]
    class_names: tuple[str, ...]


def find_model(store: Store, named: str, allow: Collection[str] = ()) -> KeptModel:
    """Read a model that was kept: by its run, its address or its folder.

    Parameters
    ----------
    store : where runs and addresses are looked up.
    named : the id of a job's run, or of a sweep's, which stands for its best; ``models:/ID``, ``models:/NAME/VERSION``
        or ``models:/NAME@ALIAS``; a folder that holds a file MLmodel.
    allow : modules beside scikit-learn that it may hold objects of; their code is run.

    Raises TrackingError if there is no such model, it is none of this program's, or its file holds what no such model
    is made of.
    """
    with telling(f"the model {named!r} cannot be read"):
        there = artifacts.local_folder(named)
        if there is not None and (there / DESCRIPTION).is_file():
            return _read(store, named, named, allow)
        if named.startswith("models:/"):
            return _read(store, store.model_place(named), named, allow)
        run = get_run(store, named)
        kept = store.logged_model(run.tags.get(BEST_RUN, named))
        if kept is not None:
            return _read(store, kept[1], named, allow)
        keeping = [job for job in children(store, run) if store.logged_model(job.run_id) is not None]
        if keeping:  # of several data sets, none of which is the best
            jobs = first_of(f"{job.run_id} ({job.name})" for job in keeping)
            raise TrackingError(f"the run {named!r} keeps no model itself. Take one of its jobs: {jobs}.")
        raise TrackingError(
            f"the run {named!r} keeps no model: a sweep keeps that of each candidate's best setting. Take another "
            "run, or train with tracking.models=all."
        )


def _read(store: Store, place: str, named: str, allow: Collection[str]) -> KeptModel:
    try:
        described = yaml.safe_load(store.read(place, DESCRIPTION))
        takes = json.loads(described["signature"]["inputs"])
        columns = {column["name"]: column["type"] != "string" for column in takes}
        class_names = tuple(described["flavors"]["python_function"]["config"]["class_names"])
        return KeptModel(read_model(store, place, allow), columns, class_names)
    except (yaml.YAMLError, ValueError, KeyError, TypeError, FileNotFoundError) as error:
        why = artifacts.absence(place)
        told = "is none that this program has kept." if why is None else f"cannot be read{why}"
        raise TrackingError(f"the model {named!r} {told}") from error


def register_model(store: Store, name: str, model: str, run_id: str, note: str | None = None) -> int:
    """Register a logged model (``models:/ID``) under a name, and return its version there."""
    with telling(f"the model cannot be registered as {name!r}"):
        return store.register_model(name, model.removeprefix("models:/"), run_id, note)
