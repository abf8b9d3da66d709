"""A store that is a database, by its tables: a run is written in a few statements, and MLflow is not imported.

What is written is what MLflow's client writes, row for row (tests compare every table).
"""

import itertools
import math
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import sqlalchemy as sa

from src.tracking import records
from src.tracking.artifacts import local_folder
from src.tracking.records import DatasetRow, NewRun, RunRow, Status
from src.tracking.store import Store
from src.tracking.tables import COLUMNS, DATASET, NEW_RUN, RUN, known_tables

LARGEST = 1.7976931348623157e308  # what MLflow stores for an infinity
AT_ONCE = 500  # run ids in one statement; SQLite's own limit is at least 999
NEWER = ("step", "timestamp", "value")  # which of two points of a metric MLflow takes for the latest
MODEL_READY = 2  # as MLflow numbers the states of a model
RUNS_AT_ONCE = 100  # in one transaction: what a process that dies in it has not recorded
WORKSPACE = "default"  # where experiments are unless MLflow's server is told to keep several


class Database(Store):
    """A store whose tables are known; what it cannot do by them, its client does."""

    def __init__(self, address: str, engine: sa.Engine, tables: Mapping[str, sa.TableClause]) -> None:
        super().__init__(address)
        self.engine = engine
        self.tables = tables

    def _select(self, name: str, *columns: str, **equal: Any) -> Sequence[Any]:
        """Some columns of a table's rows, those in which others equal what is given."""
        table = self.tables[name].c
        query = sa.select(*(table[column] for column in columns))
        with self.engine.connect() as connection:
            return connection.execute(query.where(*(table[key] == value for key, value in equal.items()))).all()

    def _insert(self, table: str) -> Any:
        dialect = import_module(f"sqlalchemy.dialects.{self.engine.dialect.name}")  # imported to open the database
        return dialect.insert(self.tables[table])

    def _replacing(self, table: str, *key: str, newer: Sequence[str] = ()) -> Any:
        """Insert rows of a table, each in the place of one with the same key if there is one (and is older)."""
        insert = self._insert(table)
        others = {name: insert.excluded[name] for name in COLUMNS[table] if name not in key}
        new, old = (sa.tuple_(*(of[name] for name in newer)) for of in (insert.excluded, self.tables[table].c))
        return insert.on_conflict_do_update(index_elements=key, set_=others, where=new > old if newer else None)

    def experiments(self) -> dict[str, tuple[str, bool]]:
        """Return the id of each experiment, by its name, and whether it was deleted."""
        found = self._select("experiments", "name", "experiment_id", "lifecycle_stage", workspace=WORKSPACE)
        return {name: (str(identity), stage != "active") for name, identity, stage in found}

    def create_experiment(self, name: str, location: str | None) -> None:
        """Create an experiment whose artifacts go to `location`, unless there is one of this name."""
        if location is None or not name or len(name) > records.NAME_LENGTH:
            super().create_experiment(name, location)  # which knows where a server keeps artifacts, and what is allowed
            return
        now = records.now()
        row = {
            **{"name": name, "workspace": WORKSPACE, "artifact_location": location, "lifecycle_stage": "active"},
            **{"creation_time": now, "last_update_time": now},
        }
        with self.engine.begin() as connection:
            connection.execute(self._insert("experiments").on_conflict_do_nothing(), row)

    def artifact_location(self, experiment_id: str) -> str:
        """Return where an experiment keeps its artifacts."""
        ((location,),) = self._select("experiments", "artifact_location", experiment_id=int(experiment_id))
        return str(location)

    def experiment_tags(self, experiment_id: str) -> dict[str, str]:
        """Return an experiment's tags."""
        return dict(self._select("experiment_tags", "key", "value", experiment_id=int(experiment_id)))

    def tag_experiment(self, experiment_id: str, tags: Mapping[str, str]) -> None:
        """Set tags of an experiment."""
        rows = [{"key": key, "value": value, "experiment_id": int(experiment_id)} for key, value in tags.items()]
        with self.engine.begin() as connection:
            connection.execute(self._replacing("experiment_tags", "key", "experiment_id"), rows)

    def remove_experiment_tag(self, experiment_id: str, key: str) -> None:
        """Remove a tag of an experiment, if it is there."""
        table = self.tables["experiment_tags"]
        with self.engine.begin() as connection:
            connection.execute(sa.delete(table).where(table.c.experiment_id == int(experiment_id), table.c.key == key))

    def runs_at_once(self, experiment_id: str) -> int:
        """How many runs of an experiment `add_runs` had best be given together."""
        return RUNS_AT_ONCE if self._local_artifacts(experiment_id) else 1

    def _local_artifacts(self, experiment_id: str) -> str | None:
        """Where an experiment keeps its artifacts, if that is on this machine and it is not deleted."""
        known = {"experiment_id": int(experiment_id), "lifecycle_stage": "active"}
        found = [str(location) for (location,) in self._select("experiments", "artifact_location", **known)]
        return found[0] if found and local_folder(found[0]) is not None else None

    def add_runs(self, runs: Sequence[NewRun], again: bool = False) -> list[RunRow]:
        """Write new runs of one experiment: the files of all first, and then all rows at once.

        A process that dies in between leaves files that no run refers to, never a run without its files.
        """
        experiment_id = runs[0].run.experiment_id
        location = self._local_artifacts(experiment_id)
        if location is None:
            return super().add_runs(runs, again)  # the client says what is wrong, or uploads
        written: list[RunRow] = []
        rows: dict[str, list[dict[str, Any]]] = {}
        used: dict[DatasetRow, list[str]] = {}
        for new in runs:
            if again and (there := self.written(new.run)) is not None and there.status == new.run.status:
                written.append(there)
                continue
            run_id = uuid.uuid4().hex
            tags = {**new.run.tags, records.RUN_NAME: new.run.name}
            run = replace(new.run, run_id=run_id, tags=tags, artifact_uri=_below(location, run_id, "artifacts"))
            self.put(run, new.files)
            written.append(run)
            for name, values in _rows_of(run, new).items():
                rows.setdefault(name, []).extend(values)
            if new.dataset is not None:
                used.setdefault(new.dataset, []).append(run.run_id)
        with self.engine.begin() as connection:
            for name, values in rows.items():
                if values:  # a hundred jobs have 30,000: to prepare each, as `execute` does, takes longer than to write
                    statement = sa.insert(self.tables[name]).compile(dialect=self.engine.dialect)
                    connection.exec_driver_sql(str(statement), values)
            for dataset, run_ids in used.items():
                self._use_dataset(connection, experiment_id, dataset, run_ids)
        return written

    def _use_dataset(
        self, connection: sa.Connection, experiment_id: str, dataset: DatasetRow, run_ids: Sequence[str]
    ) -> None:
        """Insert the data set unless the experiment knows it, and the runs' use of it."""
        table = self.tables["datasets"].c
        identity = {"experiment_id": int(experiment_id), "name": dataset.name, "digest": dataset.digest}
        described = {column: getattr(dataset, name) for name, column in DATASET.items()}
        row = {"dataset_uuid": uuid.uuid4().hex, **identity, **described}
        connection.execute(self._insert("datasets").on_conflict_do_nothing(), row)
        known = sa.select(table.dataset_uuid).where(*(table[key] == value for key, value in identity.items()))
        dataset_id = connection.execute(known).scalar_one()
        links = [_link("DATASET", dataset_id, "RUN", run_id) for run_id in run_ids]
        context = {"name": "mlflow.data.context", "value": records.DATASET_CONTEXT}
        connection.execute(self._insert("inputs"), links)
        connection.execute(
            self._insert("input_tags"), [{"input_uuid": each["input_uuid"], **context} for each in links]
        )

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
        runs, tagged = self.tables["runs"], self.tables["tags"]
        points = [_metric(run_id, records.now(), name, value, 0) for name, value in (metrics or {}).items()]
        texts = [{"key": key, "value": value, "run_uuid": run_id} for key, value in (tags or {}).items()]
        with self.engine.begin() as connection:
            if status is not None:
                changed = {"status": status, **({"end_time": records.now()} if status != "RUNNING" else {})}
                connection.execute(sa.update(runs).where(runs.c.run_uuid == run_id).values(changed))
            if without:
                connection.execute(sa.delete(tagged).where(tagged.c.run_uuid == run_id, tagged.c.key.in_(without)))
            if texts:
                connection.execute(self._replacing("tags", "key", "run_uuid"), texts)
            if points:
                connection.execute(self._insert("metrics").on_conflict_do_nothing(), points)
                connection.execute(self._replacing("latest_metrics", "key", "run_uuid", newer=NEWER), points)

    def find_runs(
        self, experiment_ids: Sequence[str], tags: Mapping[str, str | None] | None = None, status: Status | None = None
    ) -> list[RunRow]:
        """Return the experiments' runs with all of `tags` (None: without the tag), the newest first, none deleted."""
        runs, tagged = self.tables["runs"].c, self.tables["tags"].c
        conditions = [runs.experiment_id.in_(map(int, experiment_ids)), runs.lifecycle_stage == "active"]
        conditions += [runs.status == status] if status else []
        for key, value in (tags or {}).items():
            carries = sa.exists().where(tagged.run_uuid == runs.run_uuid, tagged.key == key)
            conditions.append(~carries if value is None else carries.where(tagged.value == value))
        return self._runs_where(*conditions)

    def runs(self, run_ids: Sequence[str]) -> list[RunRow]:
        """Return the runs of these ids, in their order, deleted ones too; one that is not there is left out."""
        identity = self.tables["runs"].c.run_uuid
        by_id = {row.run_id: row for ids in _chunks(run_ids) for row in self._runs_where(identity.in_(ids))}
        return [by_id[run_id] for run_id in run_ids if run_id in by_id]

    def _runs_where(self, *conditions: Any) -> list[RunRow]:
        """The runs that fulfil the conditions, the newest first, with their tags, params and latest metrics."""
        runs = self.tables["runs"].c
        query = sa.select(*(runs[column] for column in RUN), runs.lifecycle_stage).where(*conditions)
        rows: dict[str, RunRow] = {}
        texts: Any
        with self.engine.connect() as connection:
            # One state of the store for all statements; Python's driver of SQLite begins one before a write only.
            if self.engine.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN")
            else:
                connection.execution_options(isolation_level="REPEATABLE READ")
            for *own, stage in connection.execute(query.order_by(runs.start_time.desc(), runs.run_uuid)):
                row = RunRow(**dict(zip(RUN.values(), own, strict=True)), deleted=stage != "active")
                rows[row.run_id] = replace(row, experiment_id=str(row.experiment_id))
            for ids, name in itertools.product(_chunks(list(rows)), ("tags", "params", "latest_metrics")):
                table = self.tables[name].c
                number = sa.case((table.is_nan.is_(False), table.value)) if name == "latest_metrics" else table.value
                texts = sa.select(table.run_uuid, table.key, number).where(table.run_uuid.in_(ids))
                for run_id, key, value in connection.execute(texts):
                    getattr(rows[run_id], name.removeprefix("latest_"))[key] = math.nan if value is None else value
        return list(rows.values())

    def finished_runs(self, experiment_id: str, digests: Collection[str]) -> dict[str, RunRow]:
        """Return the runs of those jobs that are finished, by job digest; the newest where there are several."""
        runs, tagged = self.tables["runs"].c, self.tables["tags"].c
        query = (
            sa.select(tagged.value, runs.run_uuid)
            .join_from(self.tables["tags"], self.tables["runs"], tagged.run_uuid == runs.run_uuid)
            .where(runs.lifecycle_stage == "active", runs.status == "FINISHED", tagged.key == records.JOB_DIGEST)
            .where(runs.experiment_id == int(experiment_id))
            .order_by(runs.start_time)
        )
        with self.engine.connect() as connection:
            newest = {digest: run_id for digest, run_id in connection.execute(query) if digest in digests}
        return dict(zip(newest, self.runs(list(newest.values())), strict=True))

    def dataset(self, run_id: str) -> DatasetRow | None:
        """Return the data that a run was on, None if it says nothing of it."""
        link = {"source_type": "DATASET", "destination_type": "RUN", "destination_id": run_id}
        for (dataset_id,) in self._select("inputs", "source_id", **link):
            (found,) = self._select("datasets", "name", "digest", *DATASET.values(), dataset_uuid=dataset_id)
            return DatasetRow(*found)
        return None

    def logged_model(self, run_id: str) -> tuple[str, str] | None:
        """Return the id of the model that a run keeps, and where its files are; None if it keeps none."""
        link = {"source_type": "RUN_OUTPUT", "source_id": run_id, "destination_type": "MODEL_OUTPUT"}
        for (model_id,) in self._select("inputs", "destination_id", **link):
            ((location,),) = self._select("logged_models", "artifact_location", model_id=model_id)
            return model_id, location
        return None

    def add_model(self, run: RunRow, write: Callable[[str, Path], None]) -> str:
        """Keep a classifier as a model of a run; return its id. `write` is given the id and the folder to make.

        The files first, as in `add_runs`.
        """
        location = self._local_artifacts(run.experiment_id)
        if location is None:
            return super().add_model(run, write)
        if kept := self.logged_model(run.run_id):  # by an earlier try, whose answer was lost
            return kept[0]
        model_id = f"m-{uuid.uuid4().hex}"
        place = _below(location, "models", model_id, "artifacts")
        folder = local_folder(place)
        assert folder is not None, "a folder in a folder"
        folder.parent.mkdir(parents=True)
        write(model_id, folder)
        now = records.now()
        model = {
            **{"model_id": model_id, "experiment_id": int(run.experiment_id), "name": records.MODEL_NAME},
            **{"artifact_location": place, "creation_timestamp_ms": now, "last_updated_timestamp_ms": now},
            **{"status": MODEL_READY, "lifecycle_stage": "active"},
            **{"model_type": records.MODEL_TYPE, "source_run_id": run.run_id},
        }
        with self.engine.begin() as connection:
            connection.execute(self._insert("logged_models"), model)
            connection.execute(self._insert("inputs"), _link("RUN_OUTPUT", run.run_id, "MODEL_OUTPUT", model_id))
        return model_id


def _below(location: str, *folders: str) -> str:
    """A place below the one where an experiment keeps its artifacts."""
    if "://" not in location:
        return "/".join([location.rstrip("/"), *folders])
    parts = urlsplit(location)
    return urlunsplit(parts._replace(path="/".join([parts.path.rstrip("/"), *folders])))


def _rows_of(run: RunRow, new: NewRun) -> dict[str, list[dict[str, Any]]]:
    """The rows of a new run in each table, that of runs first."""
    own = {column: getattr(run, name) for column, name in RUN.items()}
    own |= {**NEW_RUN, "experiment_id": int(run.experiment_id), "user_id": run.tags.get(records.USER, "unknown")}
    tags, params = (
        [{"key": key, "value": value, "run_uuid": run.run_id} for key, value in texts.items()]
        for texts in (run.tags, run.params)
    )
    metrics = [_metric(run.run_id, run.ended or run.started, *point) for point in new.points]
    latest = {row["key"]: row for row in sorted(metrics, key=lambda row: row["step"])}
    return {"runs": [own], "tags": tags, "params": params, "metrics": metrics, "latest_metrics": list(latest.values())}


def _metric(run_id: str, timestamp: int, name: str, value: float, step: int) -> dict[str, Any]:
    """A metric's row; MLflow stores NaN as 0 with a mark, and an infinity as the largest float."""
    is_nan = math.isnan(value)
    stored = 0.0 if is_nan else max(-LARGEST, min(LARGEST, value))
    return {"key": name, "value": stored, "timestamp": timestamp, "step": step, "is_nan": is_nan, "run_uuid": run_id}


def _link(source_type: str, source_id: str, destination_type: str, destination_id: str) -> dict[str, str]:
    """A row of the table inputs."""
    row = {"source_type": source_type, "source_id": source_id, "destination_type": destination_type}
    return {"input_uuid": uuid.uuid4().hex, **row, "destination_id": destination_id}


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + AT_ONCE] for start in range(0, len(ids), AT_ONCE))


def known_database(address: str) -> Database | None:
    """Open a database whose tables are known; None for any other. Raises what `known_tables` raises."""
    known = known_tables(address)
    return None if known is None else Database(address, *known)
