"""Driving a command's jobs: plan, train, and record each job as it ends, so that the record is true at every moment.

One process writes. Workers return results; this process logs each as it arrives.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from types import TracebackType
from typing import Self

from rich.console import Console

from src.command.display import Display
from src.command.interruption import Interruptions
from src.command.kept import KeptModels
from src.command.record import RecordError, begin_page, end_sweep, record_of, show_single_runs, sweep_report
from src.command.so_far import JobsSoFar
from src.comparison.outcome import Outcome
from src.config import JobConfig
from src.config.identity import foreign_names
from src.errors import UserError
from src.evaluation.results import Failure
from src.evaluation.warned import listening
from src.language import ENGLISH, say, speaking
from src.report.comparison import data_cautions, described_data
from src.report.page import ComparisonReport
from src.report.summary import print_end, print_summary
from src.sweep.jobs import Jobs
from src.sweep.plan import make_plan, train
from src.sweep.stacks import EndedJob
from src.tracking import view
from src.tracking.artifacts import local_folder
from src.tracking.errors import TrackingError
from src.tracking.recorder import Recorder


class JobsFailedError(UserError):
    """Jobs that failed while they ran; the others are finished and logged."""

    exit_status = 1


class Command:
    """The jobs of one command, in one batch or, in a search, in several; use as a context manager.

    Entering listens to interruptions and opens the store. Leaving ends the record truthfully, whatever happened within,
    prints the result and raises JobsFailedError if jobs failed.

    Parameters
    ----------
    settings : those of any of its jobs: how they are run, compared and recorded holds for all.
    alone : it is a single job, which has no parent run and is always trained.
    search : identifies a search, whose jobs come in batches; None where all jobs are known from the start.

    Attributes
    ----------
    so_far : its jobs, and what is known of those that have ended.
    stopped : a job failed, and `sweep.on_failure` says stop.
    """

    def __init__(self, settings: JobConfig, *, alone: bool = False, search: str | None = None) -> None:
        self.so_far = JobsSoFar(settings, search)
        self.stopped = False
        self._alone = alone
        self._settings = settings
        self._interruptions = Interruptions()
        self._display = Display(self.so_far)
        self._unprinted: OSError | None = None  # why the answer could not be printed

    def __enter__(self) -> Self:
        """Listen to interruptions, and open the store."""
        with ExitStack() as opened:
            opened.enter_context(self._interruptions.heeded())
            with self._interruptions.shield():
                self._recorder = Recorder(self._settings.tracking, partial(print, flush=True))
            opened.callback(self._recorder.close)
            self._models = KeptModels(self._recorder.record, self.so_far)
            opened.callback(self._models.drawer.close)
            self._open = opened.pop_all()
        return self

    def run(self, jobs: Jobs) -> list[float | None]:
        """Train those of the jobs that are not recorded yet, and record each as it ends.

        Returns for each combination the value of ``comparison.metric``: NaN where a network diverged, None where the
        job failed or was not run. Raises UserError, before anything is trained, for a store or a backend that cannot be
        used; RecordError if the store fails later; Interrupted on Ctrl-C or SIGTERM.
        """
        so_far, sweep, display = self.so_far, self._settings.sweep, self._display
        so_far.expect(jobs.distinct)
        self._begin(jobs)
        plan = make_plan(jobs, so_far.recorded, sweep)
        display.all_epochs = display.epochs + plan.epochs
        for line in plan.lines():
            print(line)
        sys.stdout.flush()
        if plan.stacks and not (self._alone and self._settings.tracking.models == "none"):
            self._models.drawer.start()
        with listening(), display, closing(train(plan, sweep, display.passed)) as steps:
            for step in steps:
                display.networks += step.networks
                display.others += step.others
                self._log(step.ended)
                if self.stopped:
                    break
            self._written()
        return [so_far.score(jobs.distinct[number].digest) for number in jobs.of_combination]

    def _begin(self, jobs: Jobs) -> None:
        """Open the record, and learn what is there of jobs to come."""
        so_far, recorder, reuse = self.so_far, self._recorder, self._settings.sweep.reuse
        if recorder.place is None and reuse and not self._alone:
            recorder.hold(so_far.digest)
        with self._interruptions.shield():
            if self._alone:
                recorder.begin_alone(so_far.digest)
            else:
                new = [job for job in jobs.distinct if job.digest not in so_far.recorded]
                found = recorder.begin(so_far.asked, {job.digest: job.checked for job in new}, reuse=reuse)
                so_far.add(found.values())
                so_far.reused += len(found)

    @property
    def run_id(self) -> str:
        """The run of the sweep or, if there is none, of the job alone, which has ended."""
        return self.so_far.ended[0].run_id if self._alone else self._recorder.sweep.run_id

    def _log(self, ended: Sequence[EndedJob]) -> None:
        """Write jobs that have ended, up to one whose failure stops the sweep."""
        failures = [number for number, each in enumerate(ended) if isinstance(each.outcome, Failure)]
        if failures and self._settings.sweep.on_failure == "stop":
            self.stopped, ended = True, ended[: failures[0] + 1]
        # Where each job keeps its model it does so in the same moment.
        at_once = 1 if self._settings.tracking.models == "all" else self._recorder.at_once
        for start in range(0, len(ended), at_once):
            self._log_together(ended[start : start + at_once])
            self._display.show()

    def _log_together(self, ended: Sequence[EndedJob]) -> None:
        """Write jobs that have ended and take their ends into account, uninterrupted."""
        so_far, place = self.so_far, self._recorder.place
        assert place is not None
        with self._interruptions.shield():
            with self._telling_losses():
                records = [record_of(each, so_far.names[each.job.digest], place) for each in ended]
                so_far.add(self._recorder.write(records))
            for each in ended:
                if isinstance(each.outcome, Failure):
                    so_far.failures.append(f"job {each.job.typed} failed: {each.outcome.type}: {each.outcome.message}")
            if self._settings.tracking.models == "all":
                self._written()
                done = [each.job for each in ended if not isinstance(each.outcome, Failure)]
                self._models.keep(done, drawn=done)

    def _written(self) -> None:
        """Wait until every job that has ended is written."""
        with self._telling_losses():
            self.so_far.recorded |= self._recorder.written(self.so_far.recorded)

    @contextmanager
    def _telling_losses(self) -> Iterator[None]:
        """Where the store fails, say what is lost."""
        try:
            yield
        except TrackingError as error:
            raise self._lost(error) from error

    def _told(self) -> str:
        """Say how many jobs are safe."""
        waiting, so_far = self._recorder.waiting, self.so_far
        told = say("recorded: {ended} of {count} jobs", ended=len(so_far.recorded) - waiting, count=len(so_far.jobs))
        if not waiting:
            return told
        return say(
            "{told}; {waiting} more wait on this machine and are sent by the same command", told=told, waiting=waiting
        )

    @speaking(ENGLISH)
    def _lost(self, error: TrackingError) -> RecordError:
        lost = "; the others are lost, and trained anew by the same command when the store can be written again"
        return RecordError(f"{error} {self._told().capitalize()}{lost if self.so_far.missing else ''}.")

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        """End the record, and print what it all came to."""
        with self._open:
            if self._recorder.place is None:
                return
            if error is not None:
                self._end_with(error)
                return
            try:
                with self._telling_losses():
                    outcome, report = self._finish()
            except BaseException as failure:
                self._end_with(failure)
                raise
            self._tell_where(outcome, report)

    def _end_with(self, error: BaseException) -> None:
        """End the record of a command that an exception ended, as far as the store still lets itself be written."""
        so_far, recorder = self.so_far, self._recorder
        try:
            with self._interruptions.shield():
                so_far.recorded |= recorder.written(so_far.recorded, patiently=False)
                if not self._alone and not recorder.complete:
                    end_sweep(recorder, so_far.ended, so_far.outcome(self._title), error=error)
        except TrackingError:  # most often the same error once more
            error.add_note(say("the sweep's run says RUNNING until the next sweep in this store sets it right"))
        finally:
            if isinstance(error, KeyboardInterrupt) and not self._alone:
                error.add_note(say("{told}; the same command goes on with the others", told=self._told()))

    @property
    def _title(self) -> str | None:
        """What to call the sweep."""
        return None if self._alone else self._recorder.sweep.run.name

    def _finish(self) -> tuple[Outcome, ComparisonReport | None]:
        """Tell the answer, keep and draw what stands beside it, and end the record; a job alone has no report.

        Where the very sweep was there already, nothing is written.
        """
        recorder, so_far, models = self._recorder, self.so_far, self._models
        outcome = so_far.outcome(self._title)
        report = None if self._alone else sweep_report(recorder, so_far, outcome)
        try:
            self._tell_answer(outcome, report)
        except OSError as error:  # nobody reads it any more; the record is none the worse
            self._unprinted = error
        page = None
        if report is not None and not recorder.complete:  # else the page is there
            page = begin_page(recorder.record, models.drawer, report)
        if self._settings.tracking.models != "none":
            models.keep_best(outcome)
        if not recorder.complete:
            recorder.held_out = models.held_out(outcome, alone=self._alone)
        if page is not None:
            report = page(recorder.held_out)
        with self._interruptions.shield():
            if self._alone:
                show_single_runs(recorder.store, recorder.experiment_id, outcome)
            elif not recorder.complete:
                end_sweep(recorder, so_far.ended, outcome, report=report)
        return outcome, report

    def _tell_answer(self, outcome: Outcome, report: ComparisonReport | None) -> None:
        """Print what the jobs say; in a notebook the result that is returned shows itself."""
        so_far, console = self.so_far, Console(force_jupyter=False)
        cautions: Sequence[str] = ()  # of a job alone: in a report they stand already
        if report is None:
            described = described_data(self._recorder.record, so_far.ended)
            cautions = (*data_cautions(described, so_far.ended), *outcome.cautions)
        if not Console().is_jupyter:
            reused = so_far.reused
            print_summary(console, outcome, title=self._title, report=report, cautions=cautions, reused=reused)
        sys.stdout.flush()

    def _tell_where(self, outcome: Outcome, report: ComparisonReport | None) -> None:
        """Print where all of it is; raise JobsFailedError if jobs failed."""
        if self._unprinted is not None:
            raise self._unprinted
        recorder, so_far, models = self._recorder, self.so_far, self._models
        kept = None if outcome.best is None or Console().is_jupyter else outcome.best.first
        if kept is not None and kept.digest not in models.addresses:
            kept = None
        folder = None if self._alone else local_folder(recorder.sweep.run.artifact_uri)
        page = None if folder is None else folder / "comparison.html"
        shown = view.SINGLE_RUNS if self._alone else recorder.sweep.run_id
        print_end(
            Console(force_jupyter=False),
            view.address(recorder.store, recorder.experiment_id, shown),
            uri=recorder.uri,
            is_served=recorder.store.address.startswith("http"),
            published=None if report is None else report.published,
            held_out=recorder.held_out,
            model_of=None if kept is None else " --allow ".join([kept.run_id, *foreign_names(kept.config)]),
            note=models.drawer.note(),
            page=page if page is not None and page.is_file() else None,
        )
        if self.stopped:
            with speaking(ENGLISH):
                so_far.failures.append(f"stopped after the failure (sweep.on_failure=stop): {self._told()}")
        if so_far.failures:
            raise JobsFailedError("\n".join(so_far.failures))
