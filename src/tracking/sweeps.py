"""Which sweeps a comparison is about, and what is recorded of the jobs of each, typed.

A single run is a sweep of one job here. Those of an experiment that were scored on the same folds are compared.

Every function raises TrackingError if the store fails, or what is asked for is not there.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import numpy as np

from src.comparison.held_out import HeldOut
from src.comparison.jobs import FloatArray, RecordedJob
from src.comparison.naming import data_name
from src.comparison.record import RecordedDataset, RecordedSweep
from src.config import ConfigError, JobConfig, recorded
from src.config.schema import ComparisonConfig
from src.language import say
from src.tracking import artifacts, reading, records
from src.tracking.errors import TrackingError
from src.tracking.processes import repair_dead_sweeps
from src.tracking.records import RunRow
from src.tracking.store import Store
from src.words import near, runnable

# Metrics of a fold or an epoch, which the job's tables hold, and of the model fitted on all rows, which comes later.
_NOT_OF_JOB = ("fold/", "curve/", "fitted/", "held_out/")


def find_sweeps(store: Store, experiments: Sequence[str] = (), run_ids: Sequence[str] = ()) -> list[RunRow]:
    """Return the sweeps asked for: those of `run_ids`, and the latest of each experiment; with neither, the latest.

    Where a single run is newer than an experiment's sweeps, its single runs on the same folds as that one are meant.
    A sweep whose process has died is set right first, so that the statuses are true.

    Raises TrackingError if an experiment holds nothing to compare, a run is one job of a sweep or has no result, or a
    sweep is still running.
    """
    repair_dead_sweeps(store, *reading.experiment_ids(store).values())
    found = [_parent(store, run_id) for run_id in run_ids]
    for name in experiments:
        found += _latest(store, name)
    if not found:
        runs = _comparable_runs(store)
        if not runs:
            typed = runnable("python -m src.run experiments=homework5")
            raise TrackingError(f"the store holds no finished run to compare; run a sweep: {typed}.")
        found = list(filter(_is_sweep, runs))[:1]
        if not found:
            ids = reading.experiment_ids(store)
            found = _latest(store, next(name for name in ids if ids[name] == runs[0].experiment_id))
    for sweep in found:
        if sweep.status == "RUNNING":
            running = f"the sweep {sweep.name} ({sweep.run_id}) is still running"
            raise TrackingError(f"{running}; wait for its end, or name an earlier sweep with --sweep.")
    return list({sweep.run_id: sweep for sweep in found}.values())


def read_sweep(store: Store, sweep: RunRow) -> RecordedSweep:
    """Read what is recorded of a sweep, its reused jobs included.

    Where a job was run several times, because the sweep was taken up again, its finished run counts.
    """
    single = not _is_sweep(sweep)
    listed = [] if single else [str(job["digest"]) for job in reading.recorded_jobs(store, sweep)]
    own: dict[str, RunRow] = {}
    # Any other status is that of a run whose writing was cut off, so that it may lack all its files.
    for run in (
        run for run in [sweep] * single or reading.children(store, sweep) if run.status in ("FINISHED", "FAILED")
    ):
        digest = run.tags.get(records.JOB_DIGEST, "")
        if digest not in own or (run.status == "FINISHED" and own[digest].status != "FINISHED"):
            own[digest] = run
    absent = [digest for digest in listed if digest not in own]
    reused = reading.finished_runs(store, sweep.experiment_id, absent) if absent else {}
    runs = reused | own
    # A search finds its jobs as it goes on: those are in no list.
    order = dict.fromkeys([*listed, *reversed(own)])
    with ThreadPoolExecutor(store.reads_at_once()) as threads:
        read = list(threads.map(partial(_job_or_reason, store), (runs[digest] for digest in order if digest in runs)))
    jobs = tuple(job for job in read if isinstance(job, RecordedJob))
    return RecordedSweep(
        run_id=sweep.run_id,
        name=sweep.name,
        status=sweep.status,
        tags=sweep.tags,
        seconds=sweep.seconds,
        jobs=jobs,
        reused=frozenset(run.run_id for run in reused.values()),
        missing=len(order) - len(runs),
        options=jobs[0].config.comparison if single and jobs else sweep_options(store, sweep),
        searched=sweep.tags.get(records.SEARCH) == "true" or sweep.name.startswith("search: "),
        unreadable=tuple(reason for reason in read if isinstance(reason, str)),
        held_out=read_held_out(store, sweep),
    )


def _job_or_reason(store: Store, run: RunRow) -> RecordedJob | str:
    try:
        return read_job(store, run, recorded(reading.recorded_config(store, run)))
    except ConfigError as problem:
        why = "; ".join(str(problem).splitlines())
        return say("The job {job} was recorded by another version, and is left out: {reason}", job=run.name, reason=why)


def read_held_out(store: Store, run: RunRow) -> tuple[HeldOut, ...]:
    """Read what the models of a sweep, or of a job alone, score on the file that was held out; nothing without one."""
    if records.HELD_OUT not in run.tags or run.parent_id is not None:
        return ()
    return artifacts.read_held_out(reading.artifact(store, run, artifacts.HELD_OUT))


def sweep_options(store: Store, sweep: RunRow) -> ComparisonConfig:
    """What a sweep was asked; of one that an older version recorded, its metric and its question."""
    if _is_sweep(sweep) and "comparison.metric" in sweep.params:
        return recorded(
            {"comparison": artifacts.read_yaml(reading.artifact(store, sweep, artifacts.OPTIONS))}
        ).comparison
    known = {"metric": sweep.params.get("sweep.metric"), "question": sweep.params.get("tracking.question")}
    return recorded({"comparison": {key: text for key, text in known.items() if text not in (None, "null")}}).comparison


def read_job(store: Store, run: RunRow, config: JobConfig) -> RecordedJob:
    """Read what is recorded of a job of this `config`.

    Raises ConfigError if an older version recorded it without the sizes of its folds, and they are not to be had.
    """
    folds = reading.fold_scores(store, run) if run.status == "FINISHED" else {}
    if folds and "n_test" not in folds:
        folds |= _average_sizes(config, reading.StoredRecord(store).dataset(run.run_id))
    return RecordedJob(
        run_id=run.run_id,
        name=run.name,
        status=run.status,
        config=config,
        digest=run.tags.get(records.JOB_DIGEST, ""),
        data=data_name(config.data),
        data_digest=run.tags.get(records.DATA_DIGEST, ""),
        folds_digest=run.tags.get(records.FOLDS_DIGEST, ""),
        code_version=run.tags.get(records.CODE_VERSION, ""),
        metrics={key: value for key, value in run.metrics.items() if not key.startswith(_NOT_OF_JOB)},
        folds=folds,
        error=run.tags.get(records.ERROR),
        warnings=records.recorded_warnings(run.tags),
    )


def _average_sizes(config: JobConfig, data: RecordedDataset | None) -> dict[str, FloatArray]:
    """The sizes of folds that an older version did not record: n/K rows test, on average."""
    if data is None:
        raise ConfigError("the sizes of its folds are not recorded")
    n_test = np.full(config.cv.folds * config.cv.repeats, data.rows / config.cv.folds)
    return {"n_test": n_test, "n_train": data.rows - n_test}


def _parent(store: Store, run_id: str) -> RunRow:
    try:
        run = reading.get_run(store, run_id)
    except TrackingError as error:
        known = {sweep.run_id: sweep for sweep in reading.sweeps(store)}
        close = near(run_id, known)
        if not close or not str(error).startswith("there is no run"):
            raise
        raise TrackingError(f"{error} Did you mean {close[0]} ({known[close[0]].name})?") from None
    if run.parent_id is not None:
        raise TrackingError(f"the run {run_id} is one job of a sweep; give the sweep: --sweep {run.parent_id}.")
    if _is_sweep(run) or (records.JOB_DIGEST in run.tags and run.status == "FINISHED"):
        return run
    why = f"is {run.status}: it has no result" if records.JOB_DIGEST in run.tags else "was not recorded by this program"
    raise TrackingError(f"the run {run_id} {why}, and cannot be compared.")


def _latest(store: Store, experiment: str) -> list[RunRow]:
    """The newest sweep of an experiment or, if it is newer, the newest single run and those that compare with it."""
    runs = _comparable_runs(store, [experiment])
    if not runs:
        known = {run.experiment_id for run in _comparable_runs(store)}
        others = [name for name, identity in reading.experiment_ids(store).items() if identity in known]
        hint = f"; others do: {', '.join(others)}" if others else ", nor does any other"
        raise TrackingError(f"the experiment {experiment!r} holds no finished run to compare{hint}.")
    if _is_sweep(runs[0]):
        return runs[:1]
    return _on_same_folds(experiment, [run for run in runs if not _is_sweep(run)])


def _comparable_runs(store: Store, experiments: Sequence[str] | None = None) -> list[RunRow]:
    """The experiments' sweeps, and those of their single runs that are finished, the newest first."""
    ids = list(reading.experiment_ids(store, experiments).values())
    runs = reading.find_runs(store, ids, {records.PARENT: None})
    return [run for run in runs if _is_sweep(run) or (records.JOB_DIGEST in run.tags and run.status == "FINISHED")]


def _is_sweep(run: RunRow) -> bool:
    return records.SWEEP_DIGEST in run.tags


def _on_same_folds(experiment: str, single: Sequence[RunRow]) -> list[RunRow]:
    """The newest of single runs, and each other job scored on its folds by its code; the name says how many."""
    same = (records.DATA_DIGEST, records.FOLDS_DIGEST, records.CODE_VERSION)
    alike = [run for run in single if all(run.tags.get(tag) == single[0].tags.get(tag) for tag in same)]
    found: dict[str, RunRow] = {}
    for run in alike:
        found.setdefault(run.tags[records.JOB_DIGEST], run)
    name = f"{experiment}: {len(found)} single runs on the same folds" if len(found) > 1 else single[0].name
    if others := len(single) - len(alike):
        name += f" ({others} more on other folds or by other code)"
    return [replace(run, name=name) for run in found.values()]
