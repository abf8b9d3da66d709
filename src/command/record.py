"""The record of one command, in the order it happens: which jobs are there, each that ends, what is kept, the end."""

import time
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cache

from src.command.keep import fitted_pipeline, fitted_scores
from src.command.names import run_names, sweep_name
from src.comparison import naming
from src.comparison.cautions import row_facts
from src.comparison.jobs import RecordedJob, Setting
from src.comparison.naming import model_label
from src.comparison.outcome import Outcome, compare_jobs
from src.comparison.progress import BestSoFar
from src.comparison.record import RecordedDataset, RecordedSweep, cut_off
from src.config import JobConfig, flatten
from src.config.identity import code_version, sweep_digest
from src.data import Dataset
from src.evaluation.results import Failure
from src.language import say
from src.report.comparison import build_report, data_cautions, described_data, one_of, published_cells
from src.report.drawing import Drawer, begin_pictures
from src.report.page import ComparisonReport
from src.report.page import files as report_files
from src.report.tables import best_line, leaderboard_csv
from src.report.words import LAST_FIGURE, markdown
from src.sweep.jobs import Job, Jobs
from src.sweep.stacks import EndedJob
from src.tracking import models, provenance, view
from src.tracking.artifacts import yaml_bytes
from src.tracking.processes import repair_dead_sweeps
from src.tracking.reading import (
    StoredRecord,
    finished_runs,
    sweeps_of_digest,
    unfinished_sweep,
)
from src.tracking.records import ANSWER, BEST_RUN, SEARCH, NewRun, RunRow, Status
from src.tracking.runs import (
    NoSweep,
    Sweep,
    add_files,
    add_metrics,
    finish_sweep,
    has_file,
    job_run,
    list_jobs,
    log_jobs,
    no_sweep,
    reopen_sweep,
    start_sweep,
)
from src.tracking.store import Store, experiment_id, open_store
from src.tracking.sweeps import OPTIONS, read_job

HEADLINE = ("test/accuracy", "test/balanced_accuracy", "test/log_loss", "test/macro_f1", "test/roc_auc", "std/accuracy")


@dataclass(eq=False)
class Recorder:
    """Writes what happens to the jobs of one command; its methods are called in the order they stand in.

    Attributes
    ----------
    settings
        The command's own, which are those of any of its jobs; they say where the store is.
    alone, search
        See `src.command.driver.Command`.
    jobs
        All that were added so far.
    names
        Their runs' names, by digest.
    recorded
        Each job that has ended, as the record holds it, by digest.
    reused
        The digests of those that were recorded before.
    borrowed
        The runs, among theirs, that belong to other sweeps.
    complete
        The very sweep is recorded and finished: nothing is written.
    best
        The best setting of those that have ended with all their seeds.
    drawer
        Draws the figures.
    """

    settings: JobConfig
    alone: bool = False
    search: str | None = None
    jobs: list[Job] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    recorded: dict[str, RecordedJob] = field(default_factory=dict)
    reused: set[str] = field(default_factory=set)
    borrowed: set[str] = field(default_factory=set)
    complete: bool = False
    best: BestSoFar = field(init=False)
    store: Store = field(init=False)
    drawer: Drawer = field(default_factory=Drawer)
    _place: Sweep | NoSweep | None = None
    _figures: dict[str, Callable[[], dict[str, bytes]]] = field(default_factory=dict)  # that are being drawn, by run

    def __post_init__(self) -> None:
        self.store = open_store(self.settings.tracking.uri)
        self.best = BestSoFar(self.settings.comparison.metric)

    def expect(self, jobs: Jobs) -> None:
        """Take in jobs to come; those that a search proposes again are known."""
        known = {job.digest for job in self.jobs}
        new = [job for job in jobs.distinct if job.digest not in known]
        self.jobs += new
        for job in new:
            self.best.expect(job.setting, job.dataset.digest)
        self.names = dict(zip([job.digest for job in self.jobs], run_names(self.jobs), strict=True))

    def begin(self, jobs: Jobs) -> dict[int, RecordedJob]:
        """Prepare the record for expected jobs: open the sweep's parent run with the list of them, or add to it.

        Sweeps that died are set right. A sweep that was interrupted or had failures is opened again.

        Returns
        -------
        dict
            By position each job that need not be trained: it is recorded as finished, or it has failed in this command
            before, as a search may propose it again.
        """
        by_digest = {job.digest: job for job in jobs.distinct}
        finished = self._open(by_digest.keys())
        for digest, run in finished.items():
            self.recorded[digest] = read_job(self.store, run, by_digest[digest].checked)
            self.best.add(self.recorded[digest])
        self.reused |= finished.keys()
        self.borrowed |= {run.run_id for run in finished.values() if run.parent_id != self.sweep.run_id}
        return {
            number: self.recorded[job.digest] for number, job in enumerate(jobs.distinct) if job.digest in self.recorded
        }

    @property
    def digest(self) -> str:
        """Identifies the same sweep, or search, when it is typed again."""
        return self.search or sweep_digest([job.digest for job in self.jobs], self.jobs[0].checked.comparison)

    def _open(self, digests: Set[str]) -> dict[str, RunRow]:
        """See to it that there is an open parent run that lists all jobs, unless the whole sweep is there already.

        Returns the runs of those of the jobs that are recorded as finished, by digest.
        """
        tracking, reuse = self.settings.tracking, self.settings.sweep.reuse
        if self.alone:
            self._place = no_sweep(self.store, tracking.experiment, provenance.tags())
            return {}
        identity = experiment_id(self.store, tracking.experiment)
        if self._place is None:
            repair_dead_sweeps(self.store, identity)
            earlier = unfinished_sweep(self.store, identity, self.digest) if reuse else None
            self._place = None if earlier is None else reopen_sweep(self.store, earlier.run_id, provenance.tags())
        # Only now: another process may have ended the sweep that has just been opened again.
        finished = finished_runs(self.store, identity, digests - self.recorded.keys()) if reuse else {}
        if digests <= finished.keys() | self.recorded.keys():
            if self._place is None:
                same = sweeps_of_digest(self.store, identity, self.digest)
                self._place = next((Sweep(run, {}) for run in same if run.status == "FINISHED"), None)
                self.complete = self._place is not None
            if self.complete:
                return finished
        if self.complete:  # a search that goes further than the recorded one
            self._place = reopen_sweep(self.store, self.sweep.run_id, provenance.tags())
            self.complete = False
        listed = [
            {"name": self.names[job.digest], "digest": job.digest, "overrides": list(job.overrides)}
            for job in self.jobs
        ]
        if isinstance(self._place, Sweep):
            list_jobs(self.store, self._place, listed)
            return finished
        asked = self.settings.comparison.model_dump(mode="json")
        self._place = start_sweep(
            self.store,
            experiment=tracking.experiment,
            name=self.settings.experiments or sweep_name(self.jobs, search=self.search is not None),
            digest=self.digest,
            jobs=listed,
            tags={**provenance.tags(), **({SEARCH: "true"} if self.search else {})},
            params=flatten({"comparison": asked}),
            files={OPTIONS: yaml_bytes(asked)},
        )
        return finished

    @property
    def is_open(self) -> bool:
        """Whether there is a place to record to."""
        return self._place is not None

    @property
    def place(self) -> Sweep | NoSweep:
        """The open sweep, or where a job is recorded that belongs to none."""
        assert self._place is not None, "no job was added yet"
        return self._place

    @property
    def sweep(self) -> Sweep:
        """The open sweep; there is none for a job alone."""
        assert isinstance(self._place, Sweep)
        return self._place

    @property
    def run_id(self) -> str | None:
        """The run of the sweep, or of the job alone; None where nothing is recorded yet."""
        if self.alone:
            return next((job.run_id for job in self.ended), None)
        return self.sweep.run_id if self.is_open else None

    @property
    def title(self) -> str | None:
        """What to call the sweep."""
        return None if self.alone else self.sweep.run.name

    @property
    def address(self) -> str:
        """MLflow's page that shows the result: prepared for the sweep, the experiment's runs for a job alone."""
        return view.address(self.store, self.place.experiment_id, None if self.alone else self.sweep.run_id)

    @property
    def jobs_at_once(self) -> int:
        """How many jobs `log` had best be given together; one where each keeps its model, in the same moment."""
        return 1 if self.settings.tracking.models == "all" else self.store.runs_at_once(self.place.experiment_id)

    def log(self, ended: Sequence[tuple[Job, EndedJob]]) -> Iterator[RecordedJob]:
        """Write jobs that have ended; yield each as the record holds it when it is written."""
        jobs = [ended_job(job, how, self.names[job.digest]) for job, how in ended]
        for job in log_jobs(self.store, jobs, map(self._run_of, jobs, *zip(*ended, strict=True))):
            self.recorded[job.digest] = job
            if job.status == "FINISHED":
                self.best.add(job)
            yield job

    def _run_of(self, made: RecordedJob, job: Job, ended: EndedJob) -> NewRun:
        outcome = ended.error or ended.result
        assert outcome is not None
        return job_run(
            self.place,
            made,
            outcome,
            started=ended.started,
            ended=ended.ended,
            dataset=recorded_dataset(job.dataset),
            class_names=job.dataset.class_names,
            overrides=job.overrides,
        )

    def score(self, digest: str) -> float | None:
        """Its ``comparison.metric``: NaN where a network diverged, None where the job failed or was not run."""
        job = self.recorded.get(digest)
        return None if job is None or job.status != "FINISHED" else job.value(self.settings.comparison.metric)

    @property
    def ended(self) -> tuple[RecordedJob, ...]:
        """The jobs that have ended, in the order typed."""
        return tuple(self.recorded[job.digest] for job in self.jobs if job.digest in self.recorded)

    def outcome(self) -> Outcome:
        """What the jobs that have ended say together."""
        missing = len(self.jobs) - len(self.ended)
        name = self.title or say("this command")
        return compare_jobs(
            self.ended,
            self.settings.comparison,
            searched=self.search is not None,
            incomplete=cut_off(name, missing, len(self.jobs), say("stopped")) if missing else None,
        )

    def draw_figures(self, job: Job) -> None:
        """Begin to draw the figures of a job whose run lacks them, for `add_figures`."""
        run_id = self.recorded[job.digest].run_id
        if not has_file(self.store, run_id, LAST_FIGURE):
            record = StoredRecord(self.store)
            values = model_label(job.flat), record.predictions(run_id), record.curves(run_id)
            self._figures[run_id] = self.drawer.ask("job_figures", *values)

    def add_figures(self, job: Job) -> None:
        """Add to a job's run the figures that were begun."""
        run_id = self.recorded[job.digest].run_id
        if run_id in self._figures:
            add_files(self.store, run_id, self._figures.pop(run_id)())

    def keep(self, job: Job) -> str:
        """Add the fitted model and its scores to a run that lacks them.

        Returns
        -------
        str
            The model's address.
        """
        run_id = self.recorded[job.digest].run_id
        kept = models.logged_model(self.store, run_id)
        if kept is not None:
            return kept
        pipeline = fitted_pipeline(job)
        add_metrics(self.store, run_id, fitted_scores(pipeline, job))
        return models.log_model(self.store, run_id, pipeline, job.dataset.features, job.dataset.class_names)

    def register(self, name: str, job: Job, model: str) -> str:
        """Register a job's model under a name; return a line that says so."""
        run_id = self.recorded[job.digest].run_id
        version = models.register_model(self.store, name, model, run_id, note=self.names[job.digest])
        command = f"mlflow models serve -m models:/{name}/{version}"
        return say("registered as {name}, version {version}: {command}", name=name, version=version, command=command)

    def data_cautions(self) -> tuple[str, ...]:
        """What is to be known of the rows."""
        return tuple(data_cautions(described_data(StoredRecord(self.store), self.ended), self.ended))

    def report(self, outcome: Outcome) -> ComparisonReport | None:
        """The comparison of the sweep's jobs, without figures; a job alone has none."""
        if self.alone:
            return None
        run, now = self.sweep.run, time.time()
        sweep = RecordedSweep(
            run_id=run.run_id,
            name=run.name,
            status=run.status if self.complete else _status(self.ended, None),
            tags=run.tags,
            seconds=run.seconds if self.complete else now - run.started / 1000,
            jobs=self.ended,
            reused=frozenset(self.borrowed),
            missing=len(self.jobs) - len(self.ended),
            options=self.settings.comparison,
            searched=self.search is not None,
        )
        return build_report(StoredRecord(self.store), [sweep], outcome, drawn=False)

    def begin_page(self, report: ComparisonReport | None) -> Callable[[], ComparisonReport | None]:
        """Begin to draw the page's figures; the function that is returned waits for the page.

        It is to be called when the models are kept, whose scores and decisions stand on the page too.
        """
        if report is None or self.complete:  # then the page is there
            return lambda: report
        record, outcome = StoredRecord(self.store), report.outcome
        drawn = begin_pictures(self.drawer, record, outcome, one_of(described_data(record, outcome.jobs)))
        return lambda: replace(
            report, published=published_cells(record, outcome), pictures=drawn(), figure_note=self.drawer.note()
        )

    def finish(self, error: BaseException | None, outcome: Outcome, report: ComparisonReport | None = None) -> None:
        """End the sweep's parent run truthfully, with all that it came to; there may be no report after an `error`.

        KILLED if it was interrupted, FAILED if a job failed or `error` ended it, else FINISHED.
        """
        if self.alone or self.complete:
            return
        best = outcome.best
        headline = list(dict.fromkeys([outcome.metric, *HEADLINE]))
        varying = naming.varying([job.flat for job in self.ended])
        view.prepare_view(self.store, self.sweep.experiment_id, self.sweep.run_id, varying, headline)
        told = [] if report is None else [report.answer, *report.caveats]
        finish_sweep(
            self.store,
            self.sweep,
            _status(self.ended, error),
            metrics={} if best is None else {name: _headline(best, name) for name in headline},
            tags={
                **({} if best is None else {BEST_RUN: best.first.run_id}),
                **({} if report is None else {ANSWER: report.answer}),
            },
            note="\n\n".join(map(markdown, [*told, best_line(outcome)])),
            files={"leaderboard.csv": leaderboard_csv(outcome).encode()} if report is None else report_files(report),
            failure=Failure.of(error) if isinstance(error, Exception) else None,
        )


def _status(jobs: Sequence[RecordedJob], error: BaseException | None) -> Status:
    if isinstance(error, KeyboardInterrupt):
        return "KILLED"
    return "FAILED" if error is not None or any(job.status == "FAILED" for job in jobs) else "FINISHED"


def _headline(setting: Setting, metric: str) -> float:
    part, _, name = metric.partition("/")
    return setting.spread(f"test/{name}") if part == "std" else setting.score(metric)


def ended_job(job: Job, ended: EndedJob, name: str) -> RecordedJob:
    """Return a job that has ended as its record will hold it; only the run's id is still to come."""
    result = ended.result
    return RecordedJob(
        run_id="",
        name=name,
        status="FINISHED" if result is not None else "FAILED",
        config=job.checked,
        digest=job.digest,
        data=naming.data_name(job.checked.data),
        data_digest=job.dataset.digest,
        folds_digest=job.folds_digest,
        code_version=code_version(),
        metrics={} if result is None else result.metrics(),
        folds={} if result is None else result.columns(),
        error=None if ended.error is None else ended.error.message,
    )


@cache
def recorded_dataset(data: Dataset) -> RecordedDataset:
    """Return what the record holds of a job's data."""
    kinds = {name: "double" for name in data.numeric_names} | {name: "string" for name in data.categorical_names}
    return RecordedDataset(
        name=data.name,
        source=data.source,
        rows=len(data.target),
        classes=len(data.class_names),
        columns={name: kinds[name] for name in data.feature_names},
        facts=row_facts(data),
    )
