"""Finding runs.

MLflow's client builds 2 to 4 ms of objects for each run it returns, 15 s for a sweep of 5,000 jobs. A database whose
tables are known (`src.tracking.database`) is asked directly. Both ways give the same rows (a test compares them).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import sqlalchemy as sa
from mlflow.entities import Run, ViewType

from src.tracking.database import LATEST, PARAMS, RUNS, TAGS, snapshot
from src.tracking.records import JOB_DIGEST, PARENT
from src.tracking.store import Store, telling

PAGE = 1000
AT_ONCE = 500  # run ids in one statement; SQLite's own limit is at least 999
_ACTIVE = RUNS.c.lifecycle_stage == "active"


@dataclass(frozen=True)
class RunRow:
    """A recorded run: times in milliseconds since 1970 (`ended` None while it runs), each metric's last value."""

    run_id: str
    experiment_id: str
    name: str
    status: str
    started: int
    ended: int | None
    artifact_uri: str
    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, run: Run) -> Self:
        """Take a run as MLflow's client returns it."""
        info, data = run.info, run.data
        return cls(
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
        )

    @property
    def seconds(self) -> float | None:
        """How long it took, None while it runs."""
        return None if self.ended is None else (self.ended - self.started) / 1000

    @property
    def parent_id(self) -> str | None:
        """The sweep's run, None for a sweep itself."""
        return self.tags.get(PARENT)


def find_runs(store: Store, experiment_ids: Sequence[str], tags: dict[str, str] | None = None) -> list[RunRow]:
    """Return the experiments' runs that carry all of `tags`, the newest first; deleted runs are left out.

    Raises
    ------
    TrackingError
        If the store fails.
    """
    if not experiment_ids:
        return []
    with telling("runs cannot be read"):
        if store.engine is None:
            return [RunRow.of(run) for run in _pages(store, experiment_ids, tags or {})]
        tagged = [
            sa.exists().where(TAGS.c.run_uuid == RUNS.c.run_uuid, TAGS.c.key == key, TAGS.c.value == value)
            for key, value in (tags or {}).items()
        ]
        inside = RUNS.c.experiment_id.in_(map(int, experiment_ids))
        return _selected(store.engine, inside, *tagged)


def runs_of_ids(store: Store, run_ids: Sequence[str]) -> list[RunRow]:
    """Return the runs of these ids, in their order; deleted runs are left out.

    Raises
    ------
    TrackingError
        If the store fails; a server also if there is no run of such an id.
    """
    with telling("runs cannot be read"):
        if store.engine is None:
            runs = [store.client.get_run(run_id) for run_id in run_ids]
            return [RunRow.of(run) for run in runs if run.info.lifecycle_stage == "active"]
        found = {
            row.run_id: row for ids in _chunks(run_ids) for row in _selected(store.engine, RUNS.c.run_uuid.in_(ids))
        }
        return [found[run_id] for run_id in run_ids if run_id in found]


def finished_jobs(store: Store, experiment_ids: Sequence[str]) -> dict[str, str]:
    """Return the run of each finished job, by job digest; the newest where there are several.

    Raises
    ------
    TrackingError
        If the store fails.
    """
    if not experiment_ids:
        return {}
    with telling("runs cannot be read"):
        if store.engine is None:
            runs = _pages(store, experiment_ids, {}, "attributes.status = 'FINISHED'")
            found = [(run.data.tags.get(JOB_DIGEST), run.info.run_id) for run in runs]
            return {digest: run_id for digest, run_id in reversed(found) if digest is not None}
        query = (
            sa.select(TAGS.c.value, RUNS.c.run_uuid)
            .join(RUNS, TAGS.c.run_uuid == RUNS.c.run_uuid)
            .where(_ACTIVE, RUNS.c.status == "FINISHED", TAGS.c.key == JOB_DIGEST)
            .where(RUNS.c.experiment_id.in_(map(int, experiment_ids)))
            .order_by(RUNS.c.start_time)
        )
        with store.engine.connect() as connection:
            return {digest: run_id for digest, run_id in connection.execute(query)}


def _pages(store: Store, experiment_ids: Sequence[str], tags: dict[str, str], condition: str = "") -> Iterable[Run]:
    quoted = {key: value.replace("'", "''") for key, value in tags.items()}
    conditions = [condition] * bool(condition) + [f"tags.`{key}` = '{value}'" for key, value in quoted.items()]
    token: str | None = None
    while True:
        page = store.client.search_runs(
            list(experiment_ids),
            " and ".join(conditions),
            ViewType.ACTIVE_ONLY,
            PAGE,
            ["attributes.start_time DESC"],
            token,
        )
        yield from page
        token = page.token
        if not token:
            return


def _selected(engine: sa.Engine, *conditions: Any) -> list[RunRow]:
    """The active runs that fulfil the conditions, the newest first, with their tags, params and latest metrics."""
    query = (
        sa.select(
            *(RUNS.c.run_uuid, RUNS.c.experiment_id, RUNS.c.name, RUNS.c.status, RUNS.c.start_time, RUNS.c.end_time),
            RUNS.c.artifact_uri,
        )
        .where(_ACTIVE, *conditions)
        .order_by(RUNS.c.start_time.desc(), RUNS.c.run_uuid)
    )
    with snapshot(engine) as connection:
        rows = {row[0]: RunRow(row[0], str(row[1]), *row[2:]) for row in connection.execute(query)}
        for ids in _chunks(list(rows)):
            for table, fill in ((TAGS, "tags"), (PARAMS, "params")):
                texts = sa.select(table.c.run_uuid, table.c.key, table.c.value).where(table.c.run_uuid.in_(ids))
                for run_id, key, value in connection.execute(texts):
                    getattr(rows[run_id], fill)[key] = value
            latest = sa.select(LATEST.c.run_uuid, LATEST.c.key, LATEST.c.value, LATEST.c.is_nan)
            for run_id, key, value, is_nan in connection.execute(latest.where(LATEST.c.run_uuid.in_(ids))):
                rows[run_id].metrics[key] = float("nan") if is_nan else value
    return list(rows.values())


def _chunks(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[start : start + AT_ONCE] for start in range(0, len(ids), AT_ONCE))
