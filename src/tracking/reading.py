"""Runs back out of the store: sweeps to continue, and what a job recorded beside its scores.

Every function raises TrackingError if the store fails, or what is asked for is not there.
"""

import csv
import io
import json
from collections.abc import Collection, Mapping, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd

from src.comparison.jobs import FloatArray
from src.comparison.record import RecordedDataset
from src.escaping import csv_text, masked
from src.evaluation.results import Curve, OutOfFold, ended_curve
from src.tracking import artifacts
from src.tracking.errors import TrackingError, telling
from src.tracking.records import JOB_DIGEST, PARENT, SWEEP_DIGEST, RunRow, recorded_dataset
from src.tracking.store import Store
from src.words import did_you_mean, runnable


def experiment_ids(store: Store, names: Sequence[str] | None = None) -> dict[str, str]:
    """Return the ids of the experiments called `names`, by name; of all that are not deleted if None."""
    with telling("experiments cannot be read"):
        known = {name: identity for name, (identity, deleted) in store.experiments().items() if not deleted}
    for name in names or ():
        if name not in known:
            raise TrackingError(
                f"there is no MLflow experiment {name!r} in {masked(store.address)}."
                f"{did_you_mean(name, known)} ({', '.join(sorted(known)) or 'it holds none'})"
            )
    return known if names is None else {name: known[name] for name in names}


def get_run(store: Store, run_id: str) -> RunRow:
    """Return one run; a deleted one is refused."""
    with telling(f"the run {run_id!r} cannot be read"):
        found = store.runs([run_id])
    if not found:
        raise TrackingError(f"there is no run {run_id!r} in {masked(store.address)}.")
    if found[0].deleted:
        restore = runnable(f"mlflow runs restore --run-id {run_id}")
        raise TrackingError(f"the run {run_id!r} was deleted; restore it with `{restore}`.")
    return found[0]


def find_runs(store: Store, experiment_ids: Sequence[str], tags: Mapping[str, str | None]) -> list[RunRow]:
    """Return the experiments' runs with all of `tags` (None: without the tag), the newest first, none deleted."""
    with telling("runs cannot be read"):
        return store.find_runs(experiment_ids, tags)


def finished_runs(store: Store, experiment_id: str, digests: Collection[str]) -> dict[str, RunRow]:
    """Return the runs of those jobs that are finished, by job digest; the newest where there are several."""
    with telling("runs cannot be read"):
        return store.finished_runs(experiment_id, digests)


def sweeps(store: Store, experiments: Sequence[str] | None = None) -> list[RunRow]:
    """Return the experiments' sweeps (parent runs), the newest first."""
    ids = list(experiment_ids(store, experiments).values())
    return [run for run in find_runs(store, ids, {PARENT: None}) if SWEEP_DIGEST in run.tags]


def single_runs(store: Store, experiment_ids: Sequence[str]) -> list[RunRow]:
    """Return the runs of jobs that belong to no sweep, the newest first, whatever became of them."""
    return [run for run in find_runs(store, experiment_ids, {PARENT: None}) if JOB_DIGEST in run.tags]


def children(store: Store, sweep: RunRow) -> list[RunRow]:
    """Return the runs of a sweep's jobs, the newest first."""
    return find_runs(store, [sweep.experiment_id], {PARENT: sweep.run_id})


def sweeps_of_digest(store: Store, experiment_id: str, digest: str) -> list[RunRow]:
    """Return the parent runs of one sweep, the newest first: it was typed before as often as there are runs."""
    return find_runs(store, [experiment_id], {SWEEP_DIGEST: digest, PARENT: None})


def unfinished_sweep(store: Store, experiment_id: str, digest: str) -> RunRow | None:
    """Return the newest run of a sweep that was interrupted or had failures, None if it is running or done.

    `src.tracking.processes.repair_dead_sweeps` comes first: a sweep whose process died is then KILLED.
    """
    found = sweeps_of_digest(store, experiment_id, digest)
    return found[0] if found and found[0].status in {"KILLED", "FAILED"} else None


def artifact(store: Store, run: RunRow, path: str) -> bytes:
    """Return the content of one of a run's artifacts."""
    try:
        with telling("it cannot be read"):
            return store.read(run.artifact_uri, path)
    except TrackingError as error:
        why = artifacts.absence(run.artifact_uri) or "."
        raise TrackingError(f"the run {run.run_id!r} has no artifact {path!r} that can be read{why}") from error


def recorded_config(store: Store, run: RunRow) -> dict[str, Any]:
    """Return the whole resolved configuration a job was run with."""
    return artifacts.read_config(artifact(store, run, artifacts.CONFIG))


def recorded_overrides(store: Store, run: RunRow) -> list[str]:
    """Return the overrides a job was run with."""
    return list(artifacts.read_yaml(artifact(store, run, artifacts.OVERRIDES)))


def recorded_jobs(store: Store, sweep: RunRow) -> list[dict[str, Any]]:
    """Return the frozen list of a sweep's jobs."""
    return list(json.loads(artifact(store, sweep, artifacts.JOBS)))


def fold_scores(store: Store, run: RunRow) -> dict[str, FloatArray]:
    """Return a job's `JobResult.columns`; an old record may lack some of them."""
    return artifacts.read_fold_scores(artifact(store, run, artifacts.FOLD_SCORES))


def predictions(store: Store, run: RunRow) -> pd.DataFrame:
    """Return a job's out-of-fold predictions.

    Returns
    -------
    DataFrame : repeat, fold, row (int); target, predicted (text; predicted is empty where a network diverged); a float
        column ``probability CLASS`` for each class, to the last bit.
    """
    return _numbers(store, run, artifacts.PREDICTIONS, ["repeat", "fold", "row"], labels=["target", "predicted"])


def _numbers(
    store: Store, run: RunRow, path: str, whole: Sequence[str] = (), labels: Sequence[str] = ()
) -> pd.DataFrame:
    """Read a table: the columns of text are `labels`, the others int64 where they are `whole`, else float64.

    A class may well be called "NA" or "1", and a float comes back with the same bits. Of the few hundred rows that most
    tables have, pandas would take ten times as long.
    """
    header, *rows = csv.reader(io.StringIO(artifact(store, run, path).decode(), newline=""))
    table: dict[str, Any] = {}
    for name, cells in zip(header, zip(*rows, strict=True), strict=True):
        if name in labels:
            table[name] = list(map(csv_text, cells))
        else:
            table[name] = list(map(int, cells)) if name in whole else [float(cell or "nan") for cell in cells]
    return pd.DataFrame(table)


class StoredRecord:
    """The `src.comparison.record.Record` in a store; each method raises TrackingError if it cannot be read.

    The run of an ended job and its data are read once, but for the metrics, which may still be added to.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.run, self._dataset = cache(partial(get_run, store)), cache(store.dataset)

    def dataset(self, run_id: str) -> RecordedDataset | None:
        """Return what MLflow holds of the data that the job was run on, None if it holds nothing."""
        with telling(f"the data set of the run {run_id} cannot be read"):
            found = self._dataset(run_id)
        return None if found is None else recorded_dataset(found)

    def curves(self, run_id: str) -> tuple[Curve, ...]:
        """Return the learning curve of each fold, of a diverged one with NaN at its end; none without epochs."""
        run = self.run(run_id)
        if run.status != "FINISHED" or "curve/train_loss" not in run.metrics:
            return ()
        table = _numbers(self.store, run, artifacts.CURVES, ["repeat", "fold", "epoch"])
        folds = fold_scores(self.store, run)
        made = []
        for repeat, fold, end in zip(*(folds[name] for name in ("repeat", "fold", "diverged_epoch")), strict=True):
            part = table[(table["repeat"] == repeat) & (table["fold"] == fold)]
            curve = Curve(*(part[name].to_numpy() for name in ("epoch", "train_loss", "test_loss")))
            made.append(ended_curve(curve, None if np.isnan(end) else int(end)))
        return tuple(made)

    def predictions(self, run_id: str) -> OutOfFold:
        """Return the out-of-fold predictions."""
        table = predictions(self.store, self.run(run_id))
        probabilities = table.filter(regex=f"^{artifacts.probability_column('')}")
        classes = tuple(str(name).removeprefix(artifacts.probability_column("")) for name in probabilities)
        fold = table.groupby(["repeat", "fold"], sort=True).ngroup().to_numpy().astype(np.int64)
        target = pd.Index(classes).get_indexer(pd.Index(table["target"])).astype(np.int64)
        return OutOfFold(fold, target, probabilities.to_numpy(float), classes)

    def class_scores(self, run_id: str) -> pd.DataFrame | None:
        """Return the scores of each class over the out-of-fold predictions of a finished job.

        Returns
        -------
        DataFrame or None : class (text), precision, recall, f1 (NaN if a network diverged), support (rows); None for an
            old record.
        """
        run = self.run(run_id)
        # A record without a Brier score is older than class_scores.csv.
        if run.status != "FINISHED" or "test/brier_score" not in run.metrics:
            return None
        return _numbers(self.store, run, artifacts.CLASS_SCORES, labels=["class"])

    def pipeline(self, run_id: str, allow: Collection[str] = ()) -> Any | None:
        """Return the fitted pipeline, None if the run keeps none; it may hold objects of the modules of `allow`."""
        with telling(f"the model of run {run_id} cannot be read"):
            kept = self.store.logged_model(run_id)
            if kept is None:
                return None
            from src.tracking.models import read_model

            return read_model(self.store, kept[1], allow)

    def holds(self, run_id: str, path: str) -> bool:
        """Say whether a run has an artifact."""
        with telling(f"the artifacts of run {run_id} cannot be listed"):
            return self.store.holds(self.run(run_id), path)

    def metrics(self, run_id: str) -> Mapping[str, float]:
        """Return all metrics, as they are now."""
        return get_run(self.store, run_id).metrics
