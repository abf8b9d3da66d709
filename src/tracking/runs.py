"""A sweep's parent run and the runs of its jobs, from start to a true status.

Everything goes through MLflow's client, never through its fluent functions: those keep a stack of open runs for each
thread and end an open run as FINISHED when the process exits, also after a failure. One process writes.
"""

import contextlib
import getpass
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlflow.entities import Metric, Param

from src.tracking import provenance
from src.tracking.address import lock_of
from src.tracking.artifacts import job_files, put
from src.tracking.processes import is_dead, process_tags
from src.tracking.query import RunRow
from src.tracking.records import (
    JOB_DIGEST,
    NOTE,
    PARENT,
    SWEEP_DIGEST,
    Failure,
    JobRecord,
    RunRecord,
    Status,
    dataset_entity,
    metric_values,
    param_values,
    tag_values,
)
from src.tracking.store import Store, experiment_id, telling

JOBS = "jobs.json"
COUNT = "jobs"  # the tag that says how many there are


@dataclass(frozen=True)
class Sweep:
    """An open sweep: its parent run, and the tags every one of its jobs' runs gets."""

    run_id: str
    experiment_id: str
    name: str
    artifact_uri: str
    tags: Mapping[str, str]
    files: Mapping[str, bytes] = field(default_factory=dict)  # the parent has them

    @property
    def parent_id(self) -> str:
        """The run its jobs' runs are shown under."""
        return self.run_id


@dataclass(frozen=True)
class Alone:
    """The place of a job that belongs to no sweep: its run has no parent, and gets the provenance itself."""

    experiment_id: str
    tags: Mapping[str, str]
    files: Mapping[str, bytes]

    @property
    def parent_id(self) -> None:
        """No run."""
        return None


def start_alone(store: Store, experiment: str, tags: Mapping[str, str]) -> Alone:
    """Prepare the record of a job that belongs to no sweep; `tags` are its provenance.

    Raises
    ------
    TrackingError
        If the store fails.
    """
    shared = tag_values({"mlflow.user": _user(), **tags})
    return Alone(experiment_id(store, experiment), shared, provenance.files())


def start_sweep(
    store: Store,
    *,
    experiment: str,
    name: str,
    digest: str,
    jobs: Sequence[Mapping[str, Any]],
    tags: Mapping[str, str],
    params: Mapping[str, Any] | None = None,
    note: str | None = None,
    files: Mapping[str, bytes] | None = None,
) -> Sweep:
    """Open a sweep's parent run, with the frozen list of its jobs, before anything is trained.

    Parameters
    ----------
    store
        Where.
    experiment
        The MLflow experiment's name; created if there is none.
    name
        The run's name.
    digest
        Identifies the same sweep when it is typed again.
    jobs
        Each job's digest, name and overrides, as plain data; becomes jobs.json.
    tags
        Provenance (`src.tracking.provenance`); every job's run gets them too.
    params
        What holds for the whole sweep, with dotted keys.
    note
        The run's description (Markdown).
    files
        More artifacts by path.

    Raises
    ------
    TrackingError
        If the store fails.
    """
    identity = experiment_id(store, experiment)
    shared = tag_values({"mlflow.user": _user(), **tags, SWEEP_DIGEST: digest})
    own = {**shared, **process_tags(), COUNT: str(len(jobs)), **({NOTE: note} if note else {})}
    with telling("the sweep cannot be opened"):
        run = store.client.create_run(identity, tags=tag_values(own), run_name=name)
        run_id, artifact_uri = run.info.run_id, run.info.artifact_uri
        put(store.client, run_id, artifact_uri, {JOBS: _listing(jobs), **provenance.files(), **(files or {})})
        if params:
            store.client.log_batch(run_id, params=[Param(key, text) for key, text in param_values(params).items()])
    return Sweep(run_id, identity, name, artifact_uri, shared)


def list_jobs(store: Store, sweep: Sweep, jobs: Sequence[Mapping[str, Any]]) -> None:
    """Replace an open sweep's list of jobs, as a search does when it has found more of them.

    Raises
    ------
    TrackingError
        If the store fails.
    """
    with telling(f"the jobs of the sweep {sweep.name!r} cannot be listed"):
        put(store.client, sweep.run_id, sweep.artifact_uri, {JOBS: _listing(jobs)})
        store.client.set_tag(sweep.run_id, COUNT, str(len(jobs)))


def _listing(jobs: Sequence[Mapping[str, Any]]) -> bytes:
    return json.dumps(list(jobs), ensure_ascii=False, indent=1, default=str).encode()


def reopen_sweep(store: Store, run_id: str, tags: Mapping[str, str]) -> Sweep | None:
    """Open an unfinished sweep again, for this process.

    Parameters
    ----------
    store, run_id
        The sweep's parent run.
    tags
        Provenance of the runs to come; the parent keeps that of its start.

    Returns
    -------
    Sweep or None
        None if another living process has taken the sweep up in the meantime.

    Raises
    ------
    TrackingError
        If there is no such run, or the store fails.
    """
    with telling(f"the sweep {run_id} cannot be continued"), _one_at_a_time(store):
        run = store.client.get_run(run_id)
        if run.info.status == "RUNNING" and not is_dead(run):
            return None
        for key, value in process_tags().items():
            store.client.set_tag(run_id, key, value)
        for key in _FAILURE & set(run.data.tags):  # what ended it before
            store.client.delete_tag(run_id, key)
        store.client.update_run(run_id, status="RUNNING")
    kept = {"mlflow.user", SWEEP_DIGEST}
    shared = {**{key: value for key, value in run.data.tags.items() if key in kept}, **tags}
    return Sweep(run_id, run.info.experiment_id, run.info.run_name, run.info.artifact_uri, tag_values(shared))


def recorded_sweep(run: RunRow) -> Sweep:
    """Return a recorded sweep as it stands, without opening it again."""
    return Sweep(run.run_id, run.experiment_id, run.name, run.artifact_uri, {})


def _one_at_a_time(store: Store) -> contextlib.AbstractContextManager[Any]:
    """Keep other processes from taking up the same sweep; over the network there is no lock to hold."""
    return contextlib.nullcontext() if store.database is None else lock_of(store.database)


def run_record(place: Sweep | Alone, job: JobRecord) -> RunRecord:
    """Put together what MLflow stores of a job."""
    diverged = job.result is not None and any(fold.diverged_epoch is not None for fold in job.result.folds)
    tags = {
        **place.tags,
        **job.tags,
        **({PARENT: place.parent_id} if place.parent_id else {}),
        JOB_DIGEST: job.digest,
        "data_digest": job.dataset.digest,
        **({"diverged": "true"} if diverged else {}),
        **({NOTE: job.note} if job.note else {}),
        **(_failure_tags(job.failure) if job.failure else {}),
    }
    return RunRecord(
        experiment_id=place.experiment_id,
        name=job.name,
        status=job.status,
        started=int(job.started * 1000),
        ended=int(job.ended * 1000),
        tags=tag_values(tags),
        params=param_values(job.params),
        metrics=[] if job.result is None else metric_values(job.result, job.curve_points),
        dataset=dataset_entity(job.dataset),
        files={**place.files, **job_files(job)},
    )


_FAILURE = {"error_type", "error_message"}


def _failure_tags(failure: Failure) -> dict[str, str]:
    return {"error_type": failure.type, "error_message": failure.message}


def finish_sweep(
    store: Store,
    sweep: Sweep,
    status: Status,
    *,
    metrics: Mapping[str, float] | None = None,
    files: Mapping[str, bytes] | None = None,
    tags: Mapping[str, str] | None = None,
    note: str | None = None,
    failure: Failure | None = None,
) -> None:
    """End a sweep's parent run with what it came to.

    Parameters
    ----------
    store, sweep
        The open sweep.
    status
        FINISHED if all its jobs are, FAILED if one failed, KILLED if it was interrupted.
    metrics
        The headline metrics of its best job.
    files
        Leaderboard, figures, report, by path.
    tags
        More tags, such as the best job's run id.
    note
        The run's description (Markdown), where the answer stands.
    failure
        What ended the sweep itself, beyond its jobs.

    Raises
    ------
    TrackingError
        If the store fails.
    """
    with telling(f"the sweep {sweep.name!r} cannot be ended"):
        now = int(time.time() * 1000)
        all_tags = {**(tags or {}), **({NOTE: note} if note else {}), **(_failure_tags(failure) if failure else {})}
        for key, value in tag_values(all_tags).items():
            store.client.set_tag(sweep.run_id, key, value)
        points = [Metric(name, value, now, 0) for name, value in (metrics or {}).items()]
        store.client.log_batch(sweep.run_id, metrics=points)
        trace = {"traceback.txt": failure.traceback.encode()} if failure else {}
        put(store.client, sweep.run_id, sweep.artifact_uri, {**(files or {}), **trace})
        store.client.set_terminated(sweep.run_id, status, now)


def describe(store: Store, run_id: str, note: str, tags: Mapping[str, str] | None = None) -> None:
    """Give a run its description (Markdown), and more tags.

    Raises
    ------
    TrackingError
        If there is no such run, or the store fails.
    """
    with telling(f"the run {run_id} cannot be described"):
        for key, value in tag_values({**(tags or {}), NOTE: note}).items():
            store.client.set_tag(run_id, key, value)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no name for this user id, as in some containers
        return "unknown"
