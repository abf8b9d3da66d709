"""The opened store: where runs are kept, and what can be done there.

A `Store` does everything through MLflow's client, whatever kind of store it is. A `src.tracking.database.Database` does
the same through its tables, row for row, in a fraction of the time and without importing MLflow.
"""

import contextlib
import json
import logging
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from src.tracking import artifacts, records
from src.tracking.address import database_path
from src.tracking.errors import TrackingError, first_line
from src.tracking.patience import is_gone
from src.tracking.records import DatasetRow, NewRun, RunRow, Status

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

PAGE = 1000  # runs for one request
VERSIONS_TAG = "mlflow.modelVersions"  # where MLflow's page looks for a logged model's registered versions
# Requests to a server that are under way together: more of them wait for each other there.
RUNS_AT_ONCE, FILES_AT_ONCE = 4, 6


class Store:
    """An MLflow store, through MLflow's client. Methods raise what the store raises; see `telling`.

    Attributes
    ----------
    address : its absolute address.
    database : the SQLite file, None for a server.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.database = database_path(address)

    @cached_property
    def client(self) -> "MlflowClient":
        """MLflow's client for it: imported only where it is needed, as that takes seconds."""
        from mlflow import MlflowClient

        # MLflow greets every new database with two lines of its own and prints a traceback for each database error,
        # which reaches the user as a sentence anyway.
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        return MlflowClient(self.address, registry_uri=self.address)

    def experiments(self) -> dict[str, tuple[str, bool]]:
        """Return the id of each experiment, by its name, and whether it was deleted."""
        from mlflow.entities import ViewType

        found = self.client.search_experiments(ViewType.ALL, max_results=50000)
        return {each.name: (str(each.experiment_id), each.lifecycle_stage != "active") for each in found}

    def create_experiment(self, name: str, location: str | None) -> None:
        """Create an experiment whose artifacts go to `location`, unless there is one of this name."""
        from mlflow.exceptions import MlflowException

        try:
            with _unless("RESOURCE_ALREADY_EXISTS"):
                self.client.create_experiment(name, artifact_location=location)
        except MlflowException as error:
            if is_gone(error):
                raise
            raise TrackingError(f"tracking.experiment: {name!r} cannot be created: {first_line(error)}.") from error

    def artifact_location(self, experiment_id: str) -> str:
        """Return where an experiment keeps its artifacts."""
        return str(self.client.get_experiment(experiment_id).artifact_location)

    def experiment_tags(self, experiment_id: str) -> dict[str, str]:
        """Return an experiment's tags."""
        return dict(self.client.get_experiment(experiment_id).tags)

    def tag_experiment(self, experiment_id: str, tags: Mapping[str, str]) -> None:
        """Set tags of an experiment."""
        for key, value in tags.items():
            self.client.set_experiment_tag(experiment_id, key, value)

    def remove_experiment_tag(self, experiment_id: str, key: str) -> None:
        """Remove a tag of an experiment, if it is there."""
        with _unless("RESOURCE_DOES_NOT_EXIST"):
            self.client.delete_experiment_tag(experiment_id, key)

    def runs_at_once(self, experiment_id: str) -> int:
        """How many runs of an experiment `add_runs` had best be given together."""
        return RUNS_AT_ONCE if self.address.startswith("http") else 1

    def add_runs(self, runs: Sequence[NewRun], again: bool = False) -> list[RunRow]:
        """Write new runs of one experiment with everything that belongs to them; return each with its id.

        `again` says that this was tried before, and that nobody knows how far it came: what is there is then kept.

        Over the client a run is RUNNING until it is whole, so that a process that dies in between leaves no run that
        claims to have finished; `src.tracking.processes` sets it right later.
        """
        with ThreadPoolExecutor(self.runs_at_once(runs[0].run.experiment_id)) as threads:
            return list(threads.map(partial(self._add_run, again=again), runs))

    def _add_run(self, new: NewRun, again: bool) -> RunRow:
        """Write one run in four requests and one for each file; more only where it holds more than 1000 numbers."""
        from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param
        from mlflow.exceptions import MlflowException

        run = new.run
        there = self.written(run) if again else None
        if there is not None and there.status == run.status != "RUNNING":
            return there
        if there is None:
            there = _row(self.client.create_run(run.experiment_id, run.started, run.tags, run.name))
        run = replace(run, run_id=there.run_id, artifact_uri=there.artifact_uri)
        time = run.started if run.ended is None else run.ended
        metrics = [Metric(name, value, time, step) for name, value, step in new.points]
        if metrics or run.params:
            params = [Param(key, value) for key, value in run.params.items()]
            self.client.log_batch(run.run_id, metrics=metrics, params=params)
        if new.dataset is not None:
            context = [InputTag("mlflow.data.context", records.DATASET_CONTEXT)]
            used = [DatasetInput(Dataset(**vars(new.dataset)), context)]
            try:
                self.client.log_inputs(run.run_id, used)
            except MlflowException as error:
                if error.error_code != "BAD_REQUEST":
                    raise
                # Of runs at once that bring a new data set to an experiment MLflow refuses all but one.
                self.client.log_inputs(run.run_id, used)
        self.put(run, new.files)
        if run.ended is not None:
            self.client.set_terminated(run.run_id, run.status, run.ended)
        return run

    def written(self, run: RunRow) -> RunRow | None:
        """Return what is already there, whole or in part, of a run that was to be written; None if nothing is.

        A job of a sweep that has finished there counts as this one, even if another command has trained it.
        """
        known = {key: run.tags.get(key) for key in (records.SWEEP_DIGEST, records.JOB_DIGEST, records.PARENT)}
        found = self.find_runs([run.experiment_id], known)
        done = (each for each in found if run.parent_id and each.status == run.status == "FINISHED")
        tried = (each for each in found if each.started == run.started and each.name == run.name)
        return next(done, None) or next(tried, None)

    def change_run(
        self,
        run_id: str,
        *,
        tags: Mapping[str, str] | None = None,
        without: Sequence[str] = (),
        metrics: Mapping[str, float] | None = None,
        status: Status | None = None,
    ) -> None:
        """Set tags, remove others that it has, add metrics (now, at step 0), and last set its status."""
        from mlflow.entities import Metric, RunTag

        for key in without:
            with _unless("RESOURCE_DOES_NOT_EXIST"):
                self.client.delete_tag(run_id, key)
        points = [Metric(name, value, records.now(), 0) for name, value in (metrics or {}).items()]
        if points or tags:
            texts = [RunTag(key, value) for key, value in (tags or {}).items()]
            self.client.log_batch(run_id, metrics=points, tags=texts)
        if status == "RUNNING":
            self.client.update_run(run_id, status=status)
        elif status is not None:
            self.client.set_terminated(run_id, status, records.now())

    def find_runs(
        self, experiment_ids: Sequence[str], tags: Mapping[str, str | None] | None = None, status: Status | None = None
    ) -> list[RunRow]:
        """Return the experiments' runs with all of `tags` (None: without the tag), the newest first, none deleted."""
        conditions = [f"attributes.status = '{status}'"] if status else []
        for key, value in (tags or {}).items():
            is_so = "IS NULL" if value is None else "= '{}'".format(value.replace("'", "''"))
            conditions.append(f"tags.`{key}` {is_so}")
        found: list[RunRow] = []
        token: str | None = ""
        while experiment_ids and token is not None:
            page = self.client.search_runs(
                list(experiment_ids),
                " and ".join(conditions),
                max_results=PAGE,
                order_by=["attributes.start_time DESC"],
                page_token=token or None,
            )
            found += map(_row, page)
            token = page.token or None
        return found

    def runs(self, run_ids: Sequence[str]) -> list[RunRow]:
        """Return the runs of these ids, in their order, deleted ones too; one that is not there is left out."""
        found = []
        for run_id in run_ids:
            with _unless("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                found.append(_row(self.client.get_run(run_id)))
        return found

    def finished_runs(self, experiment_id: str, digests: Collection[str]) -> dict[str, RunRow]:
        """Return the runs of those jobs that are finished, by job digest; the newest where there are several."""
        runs = reversed(self.find_runs([experiment_id], status="FINISHED"))
        newest = {run.tags.get(records.JOB_DIGEST): run for run in runs}
        return {digest: newest[digest] for digest in digests if digest in newest}

    def dataset(self, run_id: str) -> DatasetRow | None:
        """Return the data that a run was on, None if it says nothing of it."""
        inputs = self.client.get_run(run_id).inputs
        if not inputs or not inputs.dataset_inputs:
            return None
        found = inputs.dataset_inputs[0].dataset
        return DatasetRow(**{name: getattr(found, name) for name in DatasetRow.__dataclass_fields__})

    def logged_model(self, run_id: str) -> tuple[str, str] | None:
        """Return the id of the model that a run keeps, and where its files are; None if it keeps none."""
        outputs = self.client.get_run(run_id).outputs
        if not outputs or not outputs.model_outputs:
            return None
        model_id = str(outputs.model_outputs[0].model_id)
        return model_id, str(self.client.get_logged_model(model_id).artifact_location)

    def add_model(self, run: RunRow, write: Callable[[str, Path], None]) -> str:
        """Keep a classifier as a model of a run; return its id. `write` is given the id and the folder to make."""
        from mlflow.entities import LoggedModelOutput

        if kept := self.logged_model(run.run_id):  # by an earlier try, whose answer was lost
            return kept[0]
        model = self.client.create_logged_model(
            run.experiment_id, records.MODEL_NAME, run.run_id, model_type=records.MODEL_TYPE
        )
        try:
            with tempfile.TemporaryDirectory() as temporary:
                folder = Path(temporary, records.MODEL_NAME)
                write(model.model_id, folder)
                self.client.log_model_artifacts(model.model_id, str(folder))
        except BaseException:
            self.client.finalize_logged_model(model.model_id, "FAILED")
            raise
        self.client.finalize_logged_model(model.model_id, "READY")
        self.client.log_outputs(run.run_id, [LoggedModelOutput(model.model_id, step=0)])
        return str(model.model_id)

    def register_model(self, name: str, model_id: str, run_id: str, note: str | None, again: bool = False) -> int:
        """Register the model that a run keeps under a name; return its version there. `again` is as in `add_runs`."""
        with _unless("RESOURCE_ALREADY_EXISTS"):
            self.client.create_registered_model(name)
        known = self.client.search_model_versions(f"run_id = '{run_id}'") if again else []
        version = next((each.version for each in known if each.name == name), None)
        if version is None:
            # A server finds the files itself; a database is written from here, where MLflow would look for the model
            # in the default store instead of this one.
            location = f"models:/{model_id}"
            if not self.address.startswith("http"):
                location = self.client.get_logged_model(model_id).artifact_location
            version = self.client.create_model_version(
                name, location, run_id, description=note, model_id=model_id
            ).version
        versions = json.dumps([{"name": name, "version": version}])
        self.client.set_logged_model_tags(model_id, {VERSIONS_TAG: versions})
        return int(version)

    def model_place(self, address: str) -> str:
        """Return where the files of the model at an address (``models:/...``) are."""
        from mlflow.store.artifact.utils.models import get_model_name_and_version

        # MLflow's own way down from an address asks the store that the environment names.
        ask: Any = get_model_name_and_version
        found = ask(self.client, address)
        if len(found) == 1:
            return str(self.client.get_logged_model(*found).artifact_location)
        place = str(self.client.get_model_version_download_uri(*found))
        return self.model_place(place) if place.startswith("models:/") else place

    def put(self, run: RunRow, files: Mapping[str, bytes]) -> None:
        """Store a run's artifacts: straight in its folder where that is on this machine, else uploaded."""
        folder = artifacts.local_folder(run.artifact_uri)
        if folder is not None:
            artifacts.write_files(folder, files)
        elif files:
            place = repository(run.artifact_uri, self.address)
            with tempfile.TemporaryDirectory() as temporary, ThreadPoolExecutor(FILES_AT_ONCE) as threads:
                artifacts.write_files(Path(temporary), files)
                local = [str(Path(temporary, path)) for path in files]
                list(threads.map(place.log_artifact, local, [path.rpartition("/")[0] or None for path in files]))

    def read(self, place: str, path: str) -> bytes:
        """Return the content of a file below the place where a run or a model keeps its artifacts."""
        folder = artifacts.local_folder(place)
        if folder is not None:
            return (folder / path).read_bytes()
        with tempfile.TemporaryDirectory() as temporary:
            file = Path(temporary, "file")
            # What every kind of repository has to offer, in one request. `download_artifacts` would ask three things
            # first: where the run keeps its files, which models it has, and whether the path is a folder.
            repository(place, self.address)._download_file(path, str(file))
            return file.read_bytes()

    def reads_at_once(self) -> int:
        """How many artifacts had best be read together."""
        return FILES_AT_ONCE if self.database is None else 1

    def holds(self, run: RunRow, path: str) -> bool:
        """Say whether a run has an artifact."""
        place = artifacts.local_folder(run.artifact_uri)
        if place is not None:
            return (place / path).is_file()
        return any(file.path == path for file in self.client.list_artifacts(run.run_id, path.rpartition("/")[0]))


def repository(place: str, address: str) -> Any:
    """Return MLflow's way to artifacts that are not in a folder; `address` is the store's."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    return get_artifact_repository(place, tracking_uri=address)


@contextlib.contextmanager
def _unless(*codes: str) -> Iterator[None]:
    """Let pass what MLflow refuses with one of these codes, as there is nothing left to do then."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if error.error_code not in codes:
            raise


def _row(run: "Run") -> RunRow:
    info, data = run.info, run.data
    return RunRow(
        run_id=info.run_id,
        experiment_id=str(info.experiment_id),
        name=info.run_name,
        status=info.status,
        started=info.start_time,
        ended=info.end_time,
        artifact_uri=info.artifact_uri,
        tags=dict(data.tags),
        params=dict(data.params),
        metrics=dict(data.metrics),
        deleted=info.lifecycle_stage != "active",
    )
