"""The record of one command: which of its jobs are there already, each job as it ends, and what it all came to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from src.config import JobConfig, flatten
from src.config.identity import used_keys
from src.evaluation.results import JobResult
from src.report.comparison import ANSWER, METRIC, build_report
from src.report.method import QUESTION
from src.report.page import files as report_files
from src.report.runs import jobs_table
from src.report.tables import (
    REUSED,
    best_job,
    best_line,
    leaderboard_csv,
    leaderboard_markdown,
    leaderboard_text,
    varying,
)
from src.report.words import markdown
from src.sweep.jobs import Job, Jobs, sweep_digest
from src.sweep.keep import figures, fitted_pipeline
from src.sweep.names import run_names, sweep_name
from src.sweep.stacks import EndedJob
from src.tracking import models, provenance, view
from src.tracking.processes import repair_dead_sweeps
from src.tracking.query import RunRow, find_runs, finished_jobs, runs_of_ids
from src.tracking.reading import experiment_ids, get_run, sweeps_of_digest, table_of, unfinished_sweep
from src.tracking.records import DatasetFacts, Failure, JobRecord, Status
from src.tracking.runs import (
    Alone,
    Sweep,
    describe,
    finish_sweep,
    list_jobs,
    log_job,
    recorded_sweep,
    reopen_sweep,
    start_alone,
    start_sweep,
)
from src.tracking.store import Store, existing_store, experiment_id

HEADLINE = ("test/accuracy", "test/balanced_accuracy", "test/log_loss", "test/macro_f1", "test/roc_auc", "std/accuracy")
# More runs than this are asked for in pages of all.
FEW = 20


@dataclass(eq=False)
class Recorder:
    """Writes what happens to the jobs of one command.

    Attributes
    ----------
    store, settings
        Where; the command's own settings are those of any of its jobs.
    alone, search
        See `src.sweep.driver.Command`.
    jobs
        All that were taken so far.
    names
        Their runs' names, by digest.
    runs
        The run of each job that has ended, by digest.
    reused
        The digests of those that were recorded before.
    complete
        The very sweep is recorded and finished: nothing is written.
    """

    store: Store
    settings: JobConfig
    alone: bool = False
    search: str | None = None
    jobs: list[Job] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    runs: dict[str, str] = field(default_factory=dict)
    reused: set[str] = field(default_factory=set)
    complete: bool = False
    _place: Sweep | Alone | None = None

    @property
    def place(self) -> Sweep | Alone:
        """The open sweep, or a job's own place where there is no sweep."""
        assert self._place is not None, "no job was taken yet"
        return self._place

    @property
    def title(self) -> str | None:
        """What to call the sweep."""
        return self.place.name if isinstance(self.place, Sweep) else None

    @property
    def address(self) -> str:
        """MLflow's page that shows the result: prepared for the sweep, the experiment's runs for a job alone."""
        return view.address(self.store, self.place.experiment_id, self.place.parent_id)

    def take(self, jobs: Jobs) -> dict[int, float | None]:
        """Prepare the record for these jobs: open the sweep's parent run with the list of them, or add to it.

        Sweeps that died are set right. A sweep that was interrupted or had failures is opened again.

        Returns
        -------
        dict
            The score of each job that is recorded as finished, by position: it need not be trained. None for a job
            that has failed in this command before: a search may propose it again.
        """
        known = {job.digest for job in self.jobs}
        self.jobs += [job for job in jobs.distinct if job.digest not in known]
        self.names.update(zip([job.digest for job in self.jobs], run_names(self.jobs), strict=True))
        if self.alone:
            self._place = start_alone(self.store, self.settings.tracking.experiment, provenance.tags())
            return {}
        identity = experiment_id(self.store, self.settings.tracking.experiment)
        if self._place is None:
            repair_dead_sweeps(self.store, identity)
            self._place = self._earlier(identity)
        # Only now: another process may have ended the sweep that has just been opened again.
        finished = _finished(self.store, identity, jobs.distinct) if self.settings.sweep.reuse else {}
        finished |= _runs(self.store, identity, {job.digest: self.runs.get(job.digest) for job in jobs.distinct})
        self._open(identity, complete=len(finished) == len(jobs.distinct))
        self.runs |= {digest: run.run_id for digest, run in finished.items() if digest not in self.runs}
        self.reused |= set(finished) - known
        metric = self.settings.sweep.metric
        return {
            number: finished[job.digest].metrics.get(metric)
            for number, job in enumerate(jobs.distinct)
            if job.digest in finished
        }

    @property
    def digest(self) -> str:
        """Identifies the same sweep, or search, when it is typed again."""
        return self.search or sweep_digest(self.jobs)

    def _earlier(self, identity: str) -> Sweep | None:
        """Open the same sweep again if it was interrupted or had failures."""
        earlier = unfinished_sweep(self.store, identity, self.digest) if self.settings.sweep.reuse else None
        return None if earlier is None else reopen_sweep(self.store, earlier.run_id, provenance.tags())

    def _open(self, identity: str, *, complete: bool) -> None:
        """See to it that there is an open parent run that lists all jobs, unless the whole sweep is there already."""
        if complete and (self._place is None or self.complete):
            if self._place is None:
                same = sweeps_of_digest(self.store, identity, self.digest)
                self._place = next((recorded_sweep(run) for run in same if run.status == "FINISHED"), None)
            self.complete = self._place is not None
            if self.complete:
                return
        if self.complete and isinstance(self._place, Sweep):  # a search that goes further than the recorded one
            self._place = reopen_sweep(self.store, self._place.run_id, provenance.tags())
            self.complete = False
        if isinstance(self._place, Sweep):
            list_jobs(self.store, self._place, self._listed())
        else:
            self._place = self._start()

    def _start(self) -> Sweep:
        checked = self.settings
        return start_sweep(
            self.store,
            experiment=checked.tracking.experiment,
            name=checked.experiments or sweep_name(self.jobs, search=self.search is not None),
            digest=self.digest,
            jobs=self._listed(),
            tags=provenance.tags(),
            params={METRIC: checked.sweep.metric, QUESTION: checked.tracking.question},
        )

    def _listed(self) -> list[dict[str, object]]:
        return [
            {"name": self.names[job.digest], "digest": job.digest, "overrides": list(job.overrides)}
            for job in self.jobs
        ]

    def log(self, job: Job, ended: EndedJob) -> None:
        """Write one job that has ended."""
        failure = None
        if ended.error is not None:
            failure = Failure(ended.error.type, ended.error.message, ended.error.traceback)
        self.runs[job.digest] = log_job(
            self.store,
            self.place,
            JobRecord(
                name=self.names[job.digest],
                digest=job.digest,
                config=job.config,
                overrides=job.overrides,
                params=recorded_params(job),
                dataset=dataset_facts(job),
                target=job.dataset.target,
                started=ended.started,
                ended=ended.ended,
                status="FAILED" if failure else "FINISHED",
                result=ended.result,
                failure=failure,
                tags={"folds_digest": job.folds_digest, "seed": str(job.checked.seed), **_divergence(ended.result)},
                curve_points=job.checked.tracking.curve_points,
            ),
        )

    def keep(self, job: Job, result: JobResult | None) -> str:
        """Add the fitted model and, of a job trained now, the figures to its run; return the model's address."""
        run_id = self.runs[job.digest]
        kept = models.logged_model(self.store, run_id)
        if kept is not None:
            return kept
        model = models.log_model(
            self.store, run_id, fitted_pipeline(job), job.dataset.features, job.dataset.class_names
        )
        if result is not None:
            models.add_files(self.store, run_id, figures(job, result))
        return model

    def register(self, name: str, job: Job, model: str) -> str:
        """Register a job's model under a name; return a line that says so."""
        version = models.register_model(self.store, name, model, self.runs[job.digest], note=self.names[job.digest])
        return f"registered as {name}, version {version}: mlflow models serve -m models:/{name}/{version}"

    def finish(self, error: BaseException | None) -> pd.DataFrame:
        """End the sweep's parent run truthfully and return the table of its jobs.

        KILLED if it was interrupted, FAILED if a job failed or `error` ended it, else FINISHED.
        """
        table = self.table()
        if isinstance(self.place, Sweep) and not self.complete:
            metric = self.settings.sweep.metric
            best = best_job(table, metric)
            headline = list(dict.fromkeys([metric, *HEADLINE]))
            view.prepare_view(self.store, self.place.experiment_id, self.place.run_id, varying(table), headline)
            finish_sweep(
                self.store,
                self.place,
                _status(table, error),
                metrics={} if best is None else {name: float(best[name]) for name in HEADLINE},
                tags={} if best is None else {"best_run": str(best["run_id"])},
                note=best_line(table, metric),
                files={
                    "leaderboard.csv": leaderboard_csv(table, metric).encode(),
                    "leaderboard.md": leaderboard_markdown(table, metric).encode(),
                    "leaderboard.txt": leaderboard_text(table, metric).encode(),
                },
                failure=Failure.of(error) if isinstance(error, Exception) else None,
            )
        return table

    def report(self) -> str | None:
        """Add the comparison to the ended sweep, from what is recorded of it, and return its answer in one sentence.

        A job alone has none; a sweep that was there already has its own.
        """
        if not isinstance(self.place, Sweep):
            return None
        sweep = get_run(self.store, self.place.run_id)
        if self.complete and ANSWER in sweep.tags:
            return sweep.tags[ANSWER]
        made = build_report(self.store, [sweep])
        models.add_files(self.store, self.place.run_id, report_files(made))
        note = [made.answer, *made.caveats, best_line(made.jobs, made.metric)]
        describe(self.store, self.place.run_id, "\n\n".join(map(markdown, note)), {ANSWER: made.answer})
        return made.answer

    def table(self) -> pd.DataFrame:
        """Return the jobs that have a run, in the order typed, as MLflow holds them; `reused` says which were there."""
        ended = {job.digest: self.runs[job.digest] for job in self.jobs if job.digest in self.runs}
        rows = _runs(self.store, self.place.experiment_id, ended)
        table = jobs_table(table_of(list(rows.values())[::-1]))
        return table.assign(**{REUSED: [digest in self.reused for digest in rows]})


def recorded_without_writing(jobs: Jobs) -> list[int]:
    """Return the positions of the jobs that `Recorder.take` would find, for a dry run: not even a store is created."""
    checked = jobs.distinct[0].checked
    store = existing_store(checked.tracking.uri) if checked.sweep.reuse else None
    if store is None:
        return []
    identity = experiment_ids(store).get(checked.tracking.experiment)
    finished = {} if identity is None else finished_jobs(store, [identity])
    return [number for number, job in enumerate(jobs.distinct) if job.digest in finished]


def _finished(store: Store, identity: str, jobs: Sequence[Job]) -> dict[str, RunRow]:
    """Return the runs of the jobs that are recorded as finished, by digest."""
    finished = finished_jobs(store, [identity])
    return _runs(store, identity, {job.digest: finished.get(job.digest) for job in jobs})


def _runs(store: Store, identity: str, run_ids: Mapping[str, str | None]) -> dict[str, RunRow]:
    """Return the runs of some ids, under the same keys and in the same order; None is left out."""
    wanted = {key: run_id for key, run_id in run_ids.items() if run_id is not None}
    ids = list(wanted.values())
    # A server gives a thousand runs for one request, or one.
    ask_for_all = store.database is None and len(ids) > FEW
    rows = {run.run_id: run for run in (find_runs(store, [identity]) if ask_for_all else runs_of_ids(store, ids))}
    return {key: rows[run_id] for key, run_id in wanted.items()}


def _status(table: pd.DataFrame, error: BaseException | None) -> Status:
    if isinstance(error, KeyboardInterrupt):
        return "KILLED"
    return "FAILED" if error is not None or (table["status"] == "FAILED").any() else "FINISHED"


def _divergence(result: JobResult | None) -> dict[str, str]:
    """Return a tag with the first epoch in which a fold's network diverged, if one did."""
    epochs = [fold.diverged_epoch for fold in result.folds if fold.diverged_epoch is not None] if result else []
    return {"diverged_epoch": str(min(epochs))} if epochs else {}


def recorded_params(job: Job) -> dict[str, object]:
    """Return the whole resolved configuration with dotted keys, without keys that mean nothing for the job."""
    used = used_keys(job.checked)
    shaping = ("data.", "model.", "training.", "cv.")
    return {
        key: value
        for key, value in flatten(job.config).items()
        if not key.startswith(shaping) or any(key == one or key.startswith(f"{one}.") for one in used)
    }


def dataset_facts(job: Job) -> DatasetFacts:
    """Return what MLflow shows of the job's data."""
    data = job.dataset
    kinds = {name: "double" for name in data.numeric_names} | {name: "string" for name in data.categorical_names}
    return DatasetFacts(
        name=data.name,
        digest=data.digest,
        source=data.source,
        rows=len(data.target),
        columns={name: kinds[name] for name in data.feature_names},
        class_names=data.class_names,
    )
