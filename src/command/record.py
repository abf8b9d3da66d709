"""The record of one command: which of its jobs are there already, each job as it ends, and what it all came to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from src.command.keep import fitted_pipeline, fitted_scores
from src.command.names import run_names, sweep_name
from src.comparison import naming
from src.comparison.cautions import row_facts
from src.comparison.jobs import RecordedJob, Setting
from src.comparison.outcome import Outcome, compare_jobs
from src.comparison.record import RecordedSweep, cut_off
from src.config import JobConfig, flatten
from src.config.identity import sweep_digest, used_keys
from src.evaluation.results import JobResult
from src.report.comparison import build_report, data_cautions, described_data
from src.report.page import ComparisonReport
from src.report.page import files as report_files
from src.report.tables import best_line, leaderboard_csv
from src.report.words import markdown
from src.sweep.jobs import Job, Jobs
from src.sweep.stacks import EndedJob
from src.tracking import models, provenance, view
from src.tracking.artifacts import yaml_bytes
from src.tracking.details import StoredRecord
from src.tracking.processes import repair_dead_sweeps
from src.tracking.query import RunRow, find_runs, finished_jobs, runs_of_ids
from src.tracking.reading import experiment_ids, get_run, sweeps_of_digest, unfinished_sweep
from src.tracking.records import ANSWER, SEARCH, DatasetFacts, Failure, JobRecord, Status
from src.tracking.runs import (
    Alone,
    Sweep,
    describe,
    finish_sweep,
    list_jobs,
    recorded_sweep,
    reopen_sweep,
    start_alone,
    start_sweep,
)
from src.tracking.store import Store, existing_store, experiment_id
from src.tracking.sweeps import OPTIONS, log_job, read_job

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
        See `src.command.driver.Command`.
    jobs
        All that were taken so far.
    names
        Their runs' names, by digest.
    recorded
        Each job that has ended, as the record holds it, by digest.
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
    recorded: dict[str, RecordedJob] = field(default_factory=dict)
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

    def take(self, jobs: Jobs) -> dict[int, RecordedJob]:
        """Prepare the record for these jobs: open the sweep's parent run with the list of them, or add to it.

        Sweeps that died are set right. A sweep that was interrupted or had failures is opened again.

        Returns
        -------
        dict
            By position each job that need not be trained: it is recorded as finished, or it has failed in this command
            before, as a search may propose it again.
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
        finished = self._finished(identity, jobs.distinct) if self.settings.sweep.reuse else {}
        there = {job.digest: job for job in jobs.distinct if job.digest in finished or job.digest in self.recorded}
        self._open(identity, complete=len(there) == len(jobs.distinct))
        for digest, run in finished.items():
            self.recorded[digest] = read_job(self.store, run, there[digest].checked)
        self.reused |= set(finished) - known
        return {
            number: self.recorded[job.digest] for number, job in enumerate(jobs.distinct) if job.digest in self.recorded
        }

    @property
    def digest(self) -> str:
        """Identifies the same sweep, or search, when it is typed again."""
        return self.search or sweep_digest([job.digest for job in self.jobs], self.jobs[0].checked.comparison)

    def _finished(self, identity: str, jobs: Sequence[Job]) -> dict[str, RunRow]:
        """The runs of those jobs that the record holds as finished and this command has not taken yet, by digest."""
        finished = finished_jobs(self.store, [identity])
        wanted = {job.digest: finished.get(job.digest) for job in jobs if job.digest not in self.recorded}
        return _runs(self.store, identity, wanted)

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
        asked = checked.comparison.model_dump(mode="json")
        return start_sweep(
            self.store,
            experiment=checked.tracking.experiment,
            name=checked.experiments or sweep_name(self.jobs, search=self.search is not None),
            digest=self.digest,
            jobs=self._listed(),
            tags={**provenance.tags(), **({SEARCH: "true"} if self.search else {})},
            params=flatten({"comparison": asked}),
            files={OPTIONS: yaml_bytes(asked)},
        )

    def _listed(self) -> list[dict[str, object]]:
        return [
            {"name": self.names[job.digest], "digest": job.digest, "overrides": list(job.overrides)}
            for job in self.jobs
        ]

    def log(self, job: Job, ended: EndedJob) -> RecordedJob:
        """Write one job that has ended; return it as the record holds it."""
        failure = None
        if ended.error is not None:
            failure = Failure(ended.error.type, ended.error.message, ended.error.traceback)
        record = JobRecord(
            name=self.names[job.digest],
            digest=job.digest,
            config=job.config,
            overrides=job.overrides,
            params=recorded_params(job),
            dataset=dataset_facts(job),
            started=ended.started,
            ended=ended.ended,
            status="FAILED" if failure else "FINISHED",
            result=ended.result,
            failure=failure,
            tags={"folds_digest": job.folds_digest, "seed": str(job.checked.seed), **_divergence(ended.result)},
            curve_points=job.checked.tracking.curve_points,
        )
        self.recorded[job.digest] = log_job(self.store, self.place, record, job.checked)
        return self.recorded[job.digest]

    @property
    def ended(self) -> tuple[RecordedJob, ...]:
        """The jobs that have ended, in the order typed."""
        return tuple(self.recorded[job.digest] for job in self.jobs if job.digest in self.recorded)

    def outcome(self) -> Outcome:
        """What the jobs that have ended say together."""
        missing = len(self.jobs) - len(self.ended)
        name = self.title or "this command"
        return compare_jobs(
            self.ended,
            self.settings.comparison,
            searched=self.search is not None,
            incomplete=cut_off(name, missing, len(self.jobs), "stopped") if missing else None,
        )

    def keep(self, job: Job, *, figures: bool) -> str:
        """Add the fitted model, its scores and, if asked for, figures to a run that lacks them.

        Returns
        -------
        str
            The model's address.
        """
        run_id = self.recorded[job.digest].run_id
        if figures and not models.has_files(self.store, run_id, "figures"):
            from src.report.pictures import job_figures  # imports matplotlib

            models.add_files(self.store, run_id, job_figures(StoredRecord(self.store), self.recorded[job.digest]))
        kept = models.logged_model(self.store, run_id)
        if kept is not None:
            return kept
        pipeline = fitted_pipeline(job)
        models.add_metrics(self.store, run_id, fitted_scores(pipeline, job))
        return models.log_model(self.store, run_id, pipeline, job.dataset.features, job.dataset.class_names)

    def register(self, name: str, job: Job, model: str) -> str:
        """Register a job's model under a name; return a line that says so."""
        run_id = self.recorded[job.digest].run_id
        version = models.register_model(self.store, name, model, run_id, note=self.names[job.digest])
        return f"registered as {name}, version {version}: mlflow models serve -m models:/{name}/{version}"

    def finish(self, error: BaseException | None, outcome: Outcome) -> None:
        """End the sweep's parent run truthfully.

        KILLED if it was interrupted, FAILED if a job failed or `error` ended it, else FINISHED.
        """
        if not isinstance(self.place, Sweep) or self.complete:
            return
        best = outcome.best
        headline = list(dict.fromkeys([outcome.metric, *HEADLINE]))
        varying = naming.varying([job.flat for job in self.ended])
        view.prepare_view(self.store, self.place.experiment_id, self.place.run_id, varying, headline)
        finish_sweep(
            self.store,
            self.place,
            _status(self.ended, error),
            metrics={} if best is None else {name: _headline(best, name) for name in headline},
            tags={} if best is None else {"best_run": best.first.run_id},
            note=best_line(outcome),
            files={"leaderboard.csv": leaderboard_csv(outcome).encode()},
            failure=Failure.of(error) if isinstance(error, Exception) else None,
        )

    def data_cautions(self) -> tuple[str, ...]:
        """What is to be known of the rows."""
        return tuple(data_cautions(described_data(StoredRecord(self.store), self.ended), self.ended))

    def report(self, outcome: Outcome) -> ComparisonReport | None:
        """Add the comparison to the ended sweep, unless it was there already, and return it; a job alone has none."""
        if not isinstance(self.place, Sweep):
            return None
        run = get_run(self.store, self.place.run_id)
        sweep = RecordedSweep(
            run_id=run.run_id,
            name=run.name,
            status=run.status,
            tags=run.tags,
            seconds=run.seconds,
            jobs=self.ended,
            reused=frozenset(self.recorded[digest].run_id for digest in self.reused),
            missing=len(self.jobs) - len(self.ended),
            options=self.settings.comparison,
            searched=self.search is not None,
        )
        made = build_report(StoredRecord(self.store), [sweep], outcome, drawn=not self.complete)
        if not self.complete:
            models.add_files(self.store, self.place.run_id, report_files(made))
            note = [made.answer, *made.caveats, best_line(outcome)]
            describe(self.store, self.place.run_id, "\n\n".join(map(markdown, note)), {ANSWER: made.answer})
        return made


def recorded_without_writing(jobs: Jobs) -> list[int]:
    """Return the positions of the jobs that `Recorder.take` would find, for a dry run: not even a store is created."""
    checked = jobs.distinct[0].checked
    store = existing_store(checked.tracking.uri) if checked.sweep.reuse else None
    if store is None:
        return []
    identity = experiment_ids(store).get(checked.tracking.experiment)
    finished = {} if identity is None else finished_jobs(store, [identity])
    return [number for number, job in enumerate(jobs.distinct) if job.digest in finished]


def _runs(store: Store, identity: str, run_ids: Mapping[str, str | None]) -> dict[str, RunRow]:
    """Return the runs of some ids, under the same keys and in the same order; None is left out."""
    wanted = {key: run_id for key, run_id in run_ids.items() if run_id is not None}
    ids = list(wanted.values())
    # A server gives a thousand runs for one request, or one.
    ask_for_all = store.engine is None and len(ids) > FEW
    rows = {run.run_id: run for run in (find_runs(store, [identity]) if ask_for_all else runs_of_ids(store, ids))}
    return {key: rows[run_id] for key, run_id in wanted.items()}


def _status(jobs: Sequence[RecordedJob], error: BaseException | None) -> Status:
    if isinstance(error, KeyboardInterrupt):
        return "KILLED"
    return "FAILED" if error is not None or any(job.status == "FAILED" for job in jobs) else "FINISHED"


def _headline(setting: Setting, metric: str) -> float:
    part, _, name = metric.partition("/")
    return setting.spread(f"test/{name}") if part == "std" else setting.score(metric)


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
        facts=row_facts(data),
    )
