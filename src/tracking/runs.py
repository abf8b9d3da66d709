"""A sweep's parent run and the runs of its jobs, from start to a true status. One process writes.

Every function raises TrackingError if the store fails, or holds no such run.
"""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from src.comparison.jobs import RecordedJob
from src.comparison.record import RecordedDataset
from src.config import flatten
from src.config.identity import modules_of
from src.config.schema import ComparisonConfig
from src.escaping import json_text, masked
from src.evaluation.results import Failure, JobResult
from src.tracking import artifacts, provenance, records
from src.tracking.errors import telling
from src.tracking.processes import is_dead, process_tags
from src.tracking.reading import get_run
from src.tracking.records import NewRun, RunRow, Status
from src.tracking.sqlite_file import lock_of
from src.tracking.store import Store

COUNT = "jobs"  # the tag that says how many there are


@dataclass(frozen=True)
class AskedSweep:
    """A sweep as a command asks for it.

    `digest` identifies it when it is typed again; `jobs` are each job's digest, name and overrides, plain data;
    `options` is what is asked of them together; `searched` says that a search proposes them.
    """

    digest: str
    name: str
    jobs: Sequence[Mapping[str, Any]]
    options: ComparisonConfig = field(default_factory=ComparisonConfig)
    searched: bool = False


@dataclass(frozen=True)
class Sweep:
    """An open sweep: its parent run, and the tags every one of its jobs' runs gets."""

    run: RunRow
    tags: Mapping[str, str]

    @property
    def run_id(self) -> str:
        """Its own run, under which its jobs' runs are shown."""
        return self.run.run_id

    @property
    def experiment_id(self) -> str:
        """The experiment it is in."""
        return self.run.experiment_id


@dataclass(frozen=True)
class NoSweep:
    """Where a job is recorded that belongs to no sweep: its run has no parent, and gets the provenance itself."""

    experiment_id: str
    tags: Mapping[str, str]
    files: Mapping[str, bytes] = field(default_factory=provenance.files)


def start_sweep(
    store: Store, experiment_id: str, asked: AskedSweep, tags: Mapping[str, str], *, claimed: bool = False
) -> Sweep:
    """Open a sweep's parent run, with the frozen list of its jobs, before anything is trained.

    Parameters
    ----------
    asked : the sweep; its jobs become jobs.json, its options comparison.yaml and params.
    tags : provenance (`src.tracking.provenance`); every job's run gets them too.
    claimed : this process holds a claim on the sweep (`src.tracking.claims`).
    """
    searched = {records.SEARCH: "true"} if asked.searched else {}
    shared = {**tags, **searched, records.SWEEP_DIGEST: asked.digest}
    options = asked.options.model_dump(mode="json")
    run = RunRow(
        experiment_id=experiment_id,
        name=asked.name,
        status="RUNNING",
        started=records.now(),
        tags=records.tag_values({**shared, COUNT: str(len(asked.jobs)), **process_tags(claimed=claimed)}),
        params=records.param_values(flatten({"comparison": options})),
    )
    files = {**_listing(asked.jobs), artifacts.OPTIONS: artifacts.yaml_bytes(options), **provenance.files()}
    with telling("the sweep cannot be opened"):
        (run,) = store.add_runs([NewRun(run, files=files)])
    return Sweep(run, shared)


def list_jobs(store: Store, sweep: Sweep, jobs: Sequence[Mapping[str, Any]]) -> None:
    """Replace an open sweep's list of jobs, as a search does when it has found more of them."""
    with telling(f"the jobs of the sweep {sweep.run.name!r} cannot be listed"):
        store.put(sweep.run, _listing(jobs))
        store.change_run(sweep.run_id, tags={COUNT: str(len(jobs))})


def _listing(jobs: Sequence[Mapping[str, Any]]) -> dict[str, bytes]:
    return {artifacts.JOBS: masked(json_text(list(jobs))).encode()}


def reopen_sweep(store: Store, run_id: str, tags: Mapping[str, str], *, claimed: bool = False) -> Sweep | None:
    """Open an unfinished sweep again, for this process; None if another living process has taken it up meanwhile.

    `tags` are the provenance of the runs to come; the parent keeps that of its start.
    """
    # Only one process takes up a sweep; over the network it has claimed it.
    alone = contextlib.nullcontext() if store.database is None else lock_of(store.database)
    with telling(f"the sweep {run_id} cannot be continued"), alone:
        run = get_run(store, run_id)
        if run.status == "RUNNING" and not is_dead(run.tags):
            return None
        ended_by = [key for key in ("error_type", records.ERROR) if key in run.tags]
        folder = artifacts.local_folder(run.artifact_uri)
        if ended_by and folder is not None:
            (folder / artifacts.TRACEBACK).unlink(missing_ok=True)
        store.change_run(run_id, tags=process_tags(claimed=claimed), without=ended_by, status="RUNNING")
    return Sweep(run, {records.SWEEP_DIGEST: run.tags[records.SWEEP_DIGEST], **tags})


def job_run(
    place: Sweep | NoSweep,
    job: RecordedJob,
    outcome: JobResult | Failure,
    *,
    started: float,
    ended: float,
    dataset: RecordedDataset,
    class_names: Sequence[str],
    overrides: Sequence[str] = (),
    tags: Mapping[str, str] | None = None,
) -> NewRun:
    """Return the run that holds one ended job, for `log_jobs`; it is a child of the sweep if there is one.

    Parameters
    ----------
    place : what it belongs to.
    job : what is read back of it (`src.tracking.sweeps.read_sweep`), equal but for its run's id.
    outcome : its result, or why there is none.
    started, ended : seconds since 1970.
    dataset, class_names : the rows, and the classes in the order of the target's codes.
    overrides : what was typed or swept, such as ``training.l2=0.1``.
    tags : where it was computed otherwise than the place's tags say.
    """
    tags = {
        **place.tags,
        **(tags or {}),
        **({records.PARENT: place.run_id} if isinstance(place, Sweep) else {}),
        records.JOB_DIGEST: job.digest,
        records.DATA_DIGEST: job.data_digest,
        records.FOLDS_DIGEST: job.folds_digest,
        records.CODE_VERSION: job.code_version,
        "seed": str(job.config.seed),
    }
    if modules := modules_of(job.config):
        tags[records.MODULES] = ", ".join(module.code for module in modules)
    points = []
    if isinstance(outcome, Failure):
        tags |= records.failure_tags(outcome)
    else:
        tags |= records.warning_tags(job.warnings)
        points = records.metric_points(job.metrics, outcome, job.config.tracking.curve_points)
        if epochs := [fold.diverged_epoch for fold in outcome.folds if fold.diverged_epoch is not None]:
            tags |= {"diverged": "true", "diverged_epoch": str(min(epochs))}
    run = RunRow(
        experiment_id=place.experiment_id,
        name=job.name,
        status=job.status,
        started=int(started * 1000),
        ended=int(ended * 1000),
        tags=records.tag_values(tags),
        params=records.job_params(job.config),
    )
    files = artifacts.job_files(job.config, overrides, outcome, job.folds, class_names)
    if isinstance(place, NoSweep):
        files |= place.files
    return NewRun(run, points, records.dataset_row(dataset, job.data_digest), files)


def log_jobs(store: Store, jobs: Sequence[RecordedJob], runs: Sequence[NewRun]) -> list[RecordedJob]:
    """Write the runs of ended jobs; return each job with its run's id.

    Raises TrackingError if the store fails; no run that claims to be finished then lacks anything.
    """
    with telling(f"the run {jobs[0].name!r} cannot be written"):
        written = store.add_runs(runs)
    return [written_job(job, run) for job, run in zip(jobs, written, strict=True)]


def written_job(job: RecordedJob, run: RunRow) -> RecordedJob:
    """Return a job with what its run, which is written, knows better."""
    return replace(job, run_id=run.run_id, error=run.tags.get(records.ERROR))


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
    status : FINISHED if all its jobs are, FAILED if one failed, KILLED if it was interrupted.
    metrics : the headline metrics of its best job.
    files : leaderboard, figures, report, by path.
    tags : more tags, such as the best job's run id.
    note : the run's description (Markdown), where the answer stands.
    failure : what ended the sweep itself, beyond its jobs.
    """
    all_tags = {
        **(tags or {}),
        **({records.NOTE: note} if note else {}),
        **(records.failure_tags(failure) if failure else {}),
    }
    trace = {artifacts.TRACEBACK: masked(failure.traceback).encode()} if failure else {}
    with telling(f"the sweep {sweep.run.name!r} cannot be ended"):
        store.put(sweep.run, {**(files or {}), **trace})
        store.change_run(sweep.run_id, tags=records.tag_values(all_tags), metrics=metrics, status=status)


def add_files(store: Store, run_id: str, files: Mapping[str, bytes]) -> None:
    """Add artifacts, by path, to a run that has ended."""
    with telling(f"artifacts cannot be added to run {run_id}"):
        store.put(get_run(store, run_id), files)


def add_metrics(store: Store, run_id: str, metrics: Mapping[str, float]) -> None:
    """Add to a run that has ended those metrics, by name, that it lacks."""
    with telling(f"metrics cannot be added to run {run_id}"):
        there = get_run(store, run_id).metrics
        lacking = {name: value for name, value in metrics.items() if name not in there}
        store.change_run(run_id, metrics=lacking)


def set_held_out(store: Store, run_id: str, digest: str, scores: Mapping[str, float]) -> None:
    """Write scores on a file that was held out as ``held_out/METRIC``, and its digest; those on another give way."""
    with telling(f"metrics cannot be added to run {run_id}"):
        metrics = {f"held_out/{name}": value for name, value in scores.items()}
        store.change_run(run_id, tags={records.HELD_OUT: digest}, metrics=metrics)
