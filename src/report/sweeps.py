"""Which sweeps a comparison is about, and the recorded jobs of each."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from src.report.errors import ReportError
from src.report.words import plain
from src.tracking.errors import TrackingError
from src.tracking.processes import repair_dead_sweeps
from src.tracking.query import RunRow, finished_jobs, runs_of_ids
from src.tracking.reading import children, experiment_ids, get_run, recorded_jobs, sweeps
from src.tracking.records import JOB_DIGEST, SWEEP_DIGEST
from src.tracking.store import Store

FINISHED = "FINISHED"


@dataclass(frozen=True, eq=False)
class SweepJobs:
    """A sweep and what is recorded of its jobs.

    Attributes
    ----------
    sweep
        The parent run.
    runs
        One run for each job that has one, in the order in which the jobs were typed.
    reused
        The ids of those that belong to earlier sweeps.
    missing
        How many of its jobs have no run: they were never trained, or their runs were deleted.
    """

    sweep: RunRow
    runs: tuple[RunRow, ...]
    reused: frozenset[str]
    missing: int


def find_sweeps(store: Store, experiments: Sequence[str] = (), run_ids: Sequence[str] = ()) -> list[RunRow]:
    """Return the sweeps asked for: those of `run_ids`, and the latest of each experiment; with neither, the latest.

    A sweep whose process has died is set right first, so that the statuses are true.

    Raises
    ------
    ReportError
        If an experiment holds no sweep, a run is no sweep, or a sweep is still running.
    TrackingError
        If there is no such experiment or run, or the store fails.
    """
    ids = experiment_ids(store, experiments or None)
    named = [_parent(store, run_id) for run_id in run_ids]
    # Without names every experiment may hold the latest sweep; with sweeps named alone, none is looked for.
    searched = {} if run_ids and not experiments else ids
    repaired = [
        dead.run_id
        for experiment in dict.fromkeys([*(run.experiment_id for run in named), *searched.values()])
        for dead in repair_dead_sweeps(store, experiment)
    ]
    found = [get_run(store, run.run_id) if run.run_id in repaired else run for run in named]
    found += [_latest(store, name) for name in experiments]
    if not found:
        found = [_latest(store, None)]
    chosen = list({run.run_id: run for run in found}.values())
    for run in chosen:
        _check_ended(run)
    return chosen


def jobs_of(store: Store, sweep: RunRow) -> SweepJobs:
    """Return what is recorded of a sweep's jobs, those that it reused from earlier sweeps included.

    Where a job was run several times, because the sweep was taken up again, its finished run counts.

    Raises
    ------
    TrackingError
        If the store fails, or the sweep's list of jobs cannot be read.
    """
    listed = [str(job["digest"]) for job in recorded_jobs(store, sweep)]
    own: dict[str, RunRow] = {}
    for run in children(store, sweep):
        digest = run.tags.get(JOB_DIGEST, "")
        if digest not in own or (run.status == FINISHED and own[digest].status != FINISHED):
            own[digest] = run
    absent = [digest for digest in listed if digest not in own]
    elsewhere = finished_jobs(store, [sweep.experiment_id]) if absent else {}
    reused = {digest: elsewhere[digest] for digest in absent if digest in elsewhere}
    runs = {run.tags[JOB_DIGEST]: run for run in runs_of_ids(store, list(reused.values()))} | own
    # A search finds its jobs as it goes on: those are in no list.
    order = dict.fromkeys([*listed, *reversed(own)])
    return SweepJobs(
        sweep=sweep,
        runs=tuple(runs[digest] for digest in order if digest in runs),
        reused=frozenset(reused.values()),
        missing=len(order) - len(runs),
    )


def _parent(store: Store, run_id: str) -> RunRow:
    try:
        run = get_run(store, run_id)
    except TrackingError as error:
        known = {sweep.run_id: sweep for sweep in sweeps(store)}
        close = difflib.get_close_matches(run_id, known, n=1, cutoff=0.5) or [
            known_id for known_id in known if run_id and known_id.startswith(run_id)
        ]
        if not close or not str(error).startswith("there is no run"):
            raise
        raise ReportError(f"{error} Did you mean {close[0]} ({plain(known[close[0]].name)})?") from None
    if run.parent_id is not None:
        raise ReportError(f"the run {run_id} is one job of a sweep; give the sweep: --sweep {run.parent_id}.")
    if SWEEP_DIGEST not in run.tags:
        raise ReportError(f"the run {run_id} is a job alone, not a sweep; a comparison needs the runs of a sweep (-m).")
    return run


def _latest(store: Store, experiment: str | None) -> RunRow:
    """The newest sweep of an experiment, or of all."""
    found = sweeps(store, None if experiment is None else [experiment])
    if found:
        return found[0]
    if experiment is None:
        raise ReportError("the store holds no sweep to compare; run one: python -m src.run experiments=homework5.")
    others = {sweep.experiment_id for sweep in sweeps(store)}
    names = [name for name, identity in experiment_ids(store).items() if identity in others]
    hint = f"; others do: {', '.join(map(plain, names))}" if names else ", nor does any other"
    raise ReportError(f"the experiment {plain(experiment)!r} holds no sweep to compare{hint}.")


def _check_ended(sweep: RunRow) -> None:
    if sweep.status == "RUNNING":
        raise ReportError(
            f"the sweep {plain(sweep.name)} ({sweep.run_id}) is still running; wait for its end, or name an earlier "
            "sweep with --sweep."
        )
