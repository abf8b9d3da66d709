"""The record of one command, in the order it happens: which jobs are there, each that ends, what is kept, the end."""

import time
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache, partial

from src.command.held_out import held_out
from src.command.keep import fitted_pipeline, fitted_scores
from src.command.names import run_names, sweep_name
from src.comparison import naming
from src.comparison.cautions import row_facts
from src.comparison.held_out import HeldOut
from src.comparison.jobs import RecordedJob, Setting
from src.comparison.naming import model_label
from src.comparison.outcome import Outcome, compare_jobs
from src.comparison.progress import BestSoFar
from src.comparison.record import RecordedDataset, RecordedSweep, cut_off
from src.config import JobConfig, flatten
from src.config.identity import code_version, modules_of, sweep_digest
from src.data import Dataset
from src.escaping import escaped
from src.evaluation.results import Failure
from src.evaluation.warned import alike, gathered, told_once
from src.language import say, say_number
from src.report.comparison import build_report, data_cautions, described_data, one_of, published_cells
from src.report.drawing import Drawer, begin_pictures
from src.report.held_out import held_out_line
from src.report.page import ComparisonReport
from src.report.page import files as report_files
from src.report.tables import best_line, leaderboard_csv
from src.report.words import LAST_FIGURE, markdown, short_name
from src.sweep.jobs import Job, Jobs
from src.sweep.stacks import EndedJob
from src.tracking import artifacts, models, provenance, view
from src.tracking.access import check_writing
from src.tracking.address import resolve_address
from src.tracking.claims import claimed
from src.tracking.patience import Patience, patient
from src.tracking.processes import repair_dead_sweeps
from src.tracking.reading import (
    StoredRecord,
    finished_runs,
    single_runs,
    sweeps_of_digest,
    unfinished_sweep,
)
from src.tracking.records import ANSWER, BEST_RUN, BLAS, ERROR, HELD_OUT, SEARCH, SHAPING, NewRun, RunRow, Status
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
    set_held_out,
    start_sweep,
)
from src.tracking.sending import TOGETHER, Sender
from src.tracking.store import Store, experiment_id, open_store
from src.tracking.sweeps import OPTIONS, read_held_out, read_job
from src.words import runnable

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
    held_out
        What the kept models score on the files `data.test`.
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
    held_out: tuple[HeldOut, ...] = ()
    best: BestSoFar = field(init=False)
    store: Store = field(init=False)
    drawer: Drawer = field(default_factory=Drawer)
    _place: Sweep | NoSweep | None = None
    _server: Store | None = None  # the store as it is, while `store` waits for a server that is gone
    _patience: Patience | None = None  # with it
    _may_write: bool = False
    _sender: Sender | None = None
    _check: Callable[[], None] | None = None  # that the sweep is held, which another command may have taken over
    _figures: dict[str, Callable[[], dict[str, bytes]]] = field(default_factory=dict)  # that are being drawn, by run

    def __post_init__(self) -> None:
        self.store = open_store(self.settings.tracking.uri)
        if self.store.database is None:
            self._server = self.store
            self._patience = Patience(self.store.address, 60 * self.settings.tracking.patience, _say)
            self.store = patient(self._server, self._patience)
        self.best = BestSoFar(self.settings.comparison.metric)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the sweep, so that no other command runs it too; wait for the end of one that does."""
        identity = experiment_id(self.store, self.settings.tracking.experiment)
        self._check_writing(identity)
        with claimed(self.store, identity, self.digest, _say) as self._check:
            yield

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
        tests = {job.test.digest for job in self.jobs if job.test is not None}
        if self.search is not None and not tests:
            return self.search
        parts = [job.digest for job in self.jobs] if self.search is None else [self.search]
        return sweep_digest(parts, self.jobs[0].checked.comparison, tests)

    def _open(self, digests: Set[str]) -> dict[str, RunRow]:
        """See to it that there is an open parent run that lists all jobs, unless the whole sweep is there already.

        Returns the runs of those of the jobs that are recorded as finished, by digest.
        """
        tracking, reuse = self.settings.tracking, self.settings.sweep.reuse
        if self.alone:
            self._place = no_sweep(self.store, tracking.experiment, provenance.tags())
            self._check_writing(self._place.experiment_id)
            self._begin_sending(self._place.experiment_id)
            return {}
        identity = experiment_id(self.store, tracking.experiment)
        reopen = partial(reopen_sweep, self.store, tags=provenance.tags(), claimed=self._is_claimed)
        if self._place is None:
            repair_dead_sweeps(self.store, identity, held=self.digest if self._is_claimed else None)
            self._begin_sending(identity)
            earlier = unfinished_sweep(self.store, identity, self.digest) if reuse else None
            if earlier is not None:
                self._check_writing(identity)
                self._place = reopen(earlier.run_id)
        # Only now: another process may have ended the sweep that has just been opened again.
        finished = finished_runs(self.store, identity, digests - self.recorded.keys()) if reuse else {}
        if digests <= finished.keys() | self.recorded.keys():
            if self._place is None:
                same = sweeps_of_digest(self.store, identity, self.digest)
                self._place = next((Sweep(run, {}) for run in same if run.status == "FINISHED"), None)
                self.complete = self._place is not None
            if self.complete:
                self.held_out = read_held_out(self.store, self.sweep.run)
                return finished
        if self.complete:  # a search that goes further than the recorded one
            self._place = reopen(self.sweep.run_id)
            self.complete = False
        listed = [
            {"name": self.names[job.digest], "digest": job.digest, "overrides": list(job.overrides)}
            for job in self.jobs
        ]
        if isinstance(self._place, Sweep):
            list_jobs(self.store, self._place, listed)
            return finished
        self._check_writing(identity)
        asked = self.settings.comparison.model_dump(mode="json")
        self._place = start_sweep(
            self.store,
            experiment=tracking.experiment,
            name=self.settings.experiments or sweep_name(self.jobs, search=self.search is not None),
            digest=self.digest,
            jobs=listed,
            tags={**provenance.tags(), **({SEARCH: "true"} if self.search else {})},
            params=flatten({"comparison": asked}),
            files={OPTIONS: artifacts.yaml_bytes(asked)},
            claimed=self._is_claimed,
        )
        return finished

    def _check_writing(self, experiment_id: str) -> None:
        """Ask a server, once, whether runs and artifacts can be added; one that is gone now is not waited for."""
        if self._server is not None and not self._may_write:
            check_writing(self._server, experiment_id, _say)
            self._may_write = True

    @property
    def _is_claimed(self) -> bool:
        return self._patience is not None and self._check is not None

    def _begin_sending(self, experiment_id: str) -> None:
        """To a server jobs are sent while others are trained: first those that an earlier command could not send."""
        if self._server is None or self._patience is None or self._sender is not None:
            return
        self._sender = Sender(self._server, self._patience, experiment_id, self.digest, self._check)
        if waiting := self._sender.count:
            self._sender.sent()
            _say(
                say_number(
                    "An earlier command had {number} job waiting on this machine; it is recorded.",
                    "An earlier command had {number} jobs waiting on this machine; all are recorded.",
                    waiting,
                )
            )

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
        """MLflow's page that shows the result: prepared for the sweep, or for the experiment's single runs."""
        return view.address(self.store, self.place.experiment_id, view.SINGLE_RUNS if self.alone else self.sweep.run_id)

    @property
    def uri(self) -> str | None:
        """The store's address, password and all; None where it is the one that a command means which is not told."""
        return None if self.store.address == resolve_address(None) else self.store.address

    @property
    def jobs_at_once(self) -> int:
        """How many jobs `log` had best be given together; one where each keeps its model, in the same moment."""
        if self.settings.tracking.models == "all":
            return 1
        return TOGETHER if self._sender is not None else self.store.runs_at_once(self.place.experiment_id)

    @property
    def waiting(self) -> int:
        """How many jobs that `log` was given are still to be written."""
        return 0 if self._sender is None else self._sender.count

    def log(self, ended: Sequence[tuple[Job, EndedJob]]) -> None:
        """Write jobs that have ended; those for a server are sent from here on, and outlive this process."""
        jobs = [ended_job(job, how, self.names[job.digest]) for job, how in ended]
        runs = [self._run_of(made, job, how) for made, (job, how) in zip(jobs, ended, strict=True)]
        if self._sender is None:
            jobs = log_jobs(self.store, jobs, runs)
        else:
            self._sender.send(runs)
        for job in jobs:
            self.recorded[job.digest] = job
            if job.status == "FINISHED":
                self.best.add(job)

    def written(self, *, patiently: bool = True) -> None:
        """Wait until all that `log` was given is written, from a server that is gone only if `patiently`."""
        if self._sender is None or self._patience is None:
            return
        if not patiently:
            self._patience.end()
        for digest, run in self._sender.sent().items():
            if digest in self.recorded:
                self.recorded[digest] = replace(self.recorded[digest], run_id=run.run_id, error=run.tags.get(ERROR))

    def close(self) -> None:
        """End the processes and threads that help."""
        self.drawer.close()
        if self._sender is not None:
            self._sender.close()

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
            tags={BLAS: ended.blas},
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
        with gathered() as warned:
            pipeline = fitted_pipeline(job)
        told = set(map(alike, self.recorded[job.digest].warnings))
        for text in told_once(warned):
            if alike(text) not in told:
                who = self.names[job.digest]
                print(say("warned in the fit to all rows: {who}: {warning}", who=who, warning=escaped(text)))
        add_metrics(self.store, run_id, fitted_scores(pipeline, job))
        made_of = modules_of(job.checked)
        return models.log_model(self.store, run_id, pipeline, job.dataset.features, job.dataset.class_names, made_of)

    def score_held_out(self, outcome: Outcome) -> None:
        """Score the models that are kept on the rows of `data.test`, once, and add the scores to their runs."""
        if self.complete:
            return
        self.held_out, jobs, record = (), {job.digest: job for job in self.jobs}, StoredRecord(self.store)
        for family in outcome.families:
            best = outcome.best_on(family.data)
            if best is None or (job := jobs[best.first.digest]).test is None:
                continue
            names = {best.first.run_id: model_label(job.flat)}
            names |= {one.best.first.run_id: one.name for one in family.candidates}
            allowed = {module for each in self.jobs for module in each.checked.model.allow}
            kept = {run_id: (name, record.pipeline(run_id, allowed)) for run_id, name in names.items()}
            found = held_out(outcome, family.data, job, kept)
            self.held_out += (found,)
            for model in found.models:
                set_held_out(self.store, model.run_id, found.digest, model.scores)
            if self.alone:
                add_files(self.store, best.first.run_id, {artifacts.HELD_OUT: artifacts.held_out(self.held_out)})

    def register(self, name: str, job: Job, model: str) -> str:
        """Register a job's model under a name; return a line that says so."""
        run_id = self.recorded[job.digest].run_id
        version = models.register_model(self.store, name, model, run_id, note=self.names[job.digest])
        command = runnable(f"mlflow models serve -m models:/{name}/{version} --env-manager local")
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
            held_out=self.held_out,
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
            report,
            published=published_cells(record, outcome),
            held_out=self.held_out,
            pictures=drawn(),
            figure_note=self.drawer.note(),
        )

    def finish(self, error: BaseException | None, outcome: Outcome, report: ComparisonReport | None = None) -> None:
        """End the sweep's parent run truthfully, with all that it came to; there may be no report after an `error`.

        KILLED if it was interrupted, FAILED if a job failed or `error` ended it, else FINISHED.
        """
        if self.complete:
            return
        headline = list(dict.fromkeys([outcome.metric, *HEADLINE]))
        if self.alone:
            if error is None:
                self._show_single_runs(headline)
            return
        if self._check is not None:
            self._check()
        best = outcome.best
        chosen = self.held_out[0].models[0].scores if best is not None and self.held_out else {}
        varying = naming.varying([job.flat for job in self.ended])
        columns = [*headline, *[f"held_out/{short_name(outcome.metric)}"] * bool(self.held_out)]
        view.prepare_view(self.store, self.sweep.experiment_id, self.sweep.run_id, varying, columns)
        told = [] if report is None else [report.answer, *map(held_out_line, self.held_out), *report.caveats]
        files = {"leaderboard.csv": leaderboard_csv(outcome).encode()} if report is None else report_files(report)
        finish_sweep(
            self.store,
            self.sweep,
            _status(self.ended, error),
            metrics={
                **({} if best is None else {name: _headline(best, name) for name in headline}),
                **{f"held_out/{name}": value for name, value in chosen.items()},
            },
            tags={
                **({} if best is None else {BEST_RUN: best.first.run_id}),
                **({} if report is None else {ANSWER: report.answer}),
                **({HELD_OUT: " ".join(each.digest for each in self.held_out)} if self.held_out else {}),
            },
            note="\n\n".join(map(markdown, [*told, best_line(outcome)])),
            files=files | ({artifacts.HELD_OUT: artifacts.held_out(self.held_out)} if self.held_out else {}),
            failure=Failure.of(error) if isinstance(error, Exception) else None,
        )

    def _show_single_runs(self, headline: Sequence[str]) -> None:
        """Prepare the view of the experiment's single runs, this one among them."""
        runs = single_runs(self.store, [self.place.experiment_id])
        deciding = [{key: text for key, text in run.params.items() if key.startswith(SHAPING)} for run in runs]
        view.prepare_view(self.store, self.place.experiment_id, None, naming.varying(deciding), headline)


def _say(sentence: str) -> None:
    print(sentence, flush=True)


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
        warnings={} if result is None else result.warnings(),
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
