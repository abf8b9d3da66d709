"""Driving a command's jobs: plan, train, and record each job as it ends, so that the record is true at every moment.

One process writes. Workers return results; this process logs each as it arrives.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console

from src.command.display import Counts, Display
from src.command.interruption import Interruptions
from src.command.record import Recorder
from src.comparison.outcome import Outcome
from src.config import JobConfig
from src.config.identity import foreign_names
from src.errors import UserError
from src.evaluation.warned import listening
from src.language import ENGLISH, say, speaking
from src.report.summary import print_end, print_summary
from src.sweep.backends import run_stacks
from src.sweep.jobs import Job, Jobs
from src.sweep.plan import make_plan
from src.sweep.stacks import Collector, EndedJob
from src.tracking.errors import TrackingError


class JobsFailedError(UserError):
    """Jobs that failed while they ran; the others are finished and logged."""

    exit_status = 1


class RecordError(UserError):
    """A store that failed while jobs ran, so that results are lost."""

    exit_status = 1


class KeepError(UserError):
    """A model that could not be kept; its job is finished and logged."""

    exit_status = 1


class SearchOver(Exception):  # noqa: N818 - it is no error
    """There is nothing more to search for: it was a dry run, or a job failed and `sweep.on_failure` says stop."""


class Command:
    """The jobs of one command, in one batch or, in a search, in several; use as a context manager.

    Entering listens to interruptions. Leaving ends the record truthfully, whatever happened within, prints the result
    and raises JobsFailedError if jobs failed.

    Parameters
    ----------
    alone
        It is a single job, which has no parent run and is always trained.
    search
        Identifies a search, whose jobs come in batches; None where all jobs are known from the start.
    """

    def __init__(self, *, alone: bool = False, search: str | None = None) -> None:
        self.alone = alone
        self.search = search
        self._interruptions = Interruptions()
        self._open = ExitStack()
        self._recorder: Recorder | None = None
        self._settings: JobConfig
        self._counts = Counts()
        self._failures: list[str] = []
        self._models: dict[str, str] = {}  # the address of each job's that is kept, by the job's digest
        self._stopped = False

    def __enter__(self) -> Self:
        """Listen to interruptions."""
        self._open.enter_context(self._interruptions.heeded())
        return self

    def run(self, jobs: Jobs) -> list[float | None]:
        """Train those of the jobs that are not recorded yet, and record each as it ends.

        Returns
        -------
        list
            For each combination the value of ``comparison.metric``: NaN where a network diverged, None where the job
            failed or was not run.

        Raises
        ------
        UserError
            Before anything is trained: for a store or a backend that cannot be used.
        RecordError
            If the store fails later.
        SearchOver
            After a failure that stops a search.
        Interrupted
            On Ctrl-C or SIGTERM.
        """
        first = jobs.distinct[0].checked
        counts, display = self._counts, Display(self._counts, first.comparison.metric)
        is_first = self._recorder is None
        with self._interruptions.shield():
            if self._recorder is None:
                self._settings = first
                self._recorder = Recorder(first, self.alone, self.search)
            recorder = self._recorder
            recorder.expect(jobs)
        if is_first and first.sweep.reuse and not self.alone:
            self._open.enter_context(recorder.held())
        if is_first:
            self._open.callback(recorder.close)
        with self._interruptions.shield():
            reused = recorder.begin(jobs)
            counts.jobs, counts.reused = len(recorder.jobs), len(recorder.reused)
            counts.best = recorder.best.score
        plan = make_plan(jobs, reused, first.sweep)
        counts.epochs_to_come = plan.epochs
        for line in plan.lines():
            print(line)
        sys.stdout.flush()
        if plan.stacks and not (self.alone and first.tracking.models == "none"):
            recorder.drawer.start()
        collector = Collector(plan.missing)
        with listening(), display, closing(run_stacks(plan.stacks, first.sweep, display.passed)) as stacks:
            for stack in stacks:
                others = sum(not plan.missing[number].is_network for number, _ in stack.results)
                counts.networks += len(stack.results) - others
                counts.others += others
                counts.epochs += others
                self._log([(jobs.distinct[job.number], job) for job in collector.add(stack)], recorder, display)
                if self._stopped:
                    break
            self._written(recorder)
        if self._stopped and self.search is not None:
            raise SearchOver
        return [recorder.score(jobs.distinct[number].digest) for number in jobs.of_combination]

    @property
    def run_id(self) -> str | None:
        """The run of the sweep or, if there is none, of the job alone; None before it is there."""
        return None if self._recorder is None else self._recorder.run_id

    @property
    def has_scores(self) -> bool:
        """Whether any job has ended well."""
        return self._recorder is not None and any(job.status == "FINISHED" for job in self._recorder.ended)

    def _log(self, ended: Sequence[tuple[Job, EndedJob]], recorder: Recorder, display: Display) -> None:
        """Write jobs that have ended, up to one whose failure stops the sweep."""
        failures = [number for number, (_, how) in enumerate(ended) if how.error is not None]
        if failures and self._settings.sweep.on_failure == "stop":
            self._stopped, ended = True, ended[: failures[0] + 1]
        at_once = recorder.jobs_at_once
        for start in range(0, len(ended), at_once):
            self._log_together(ended[start : start + at_once], recorder)
            display.show()

    def _log_together(self, ended: Sequence[tuple[Job, EndedJob]], recorder: Recorder) -> None:
        """Write jobs that have ended and take their ends into account, uninterrupted."""
        with self._interruptions.shield():
            try:
                recorder.log(ended)
            except TrackingError as error:
                raise self._lost(error, recorder) from error
            for job, how in ended:
                if how.error is None:
                    self._counts.done += 1
                else:
                    self._counts.failed += 1
                    self._failures.append(f"job {job.typed} failed: {how.error.type}: {how.error.message}")
            self._counts.best = recorder.best.score
            if self._settings.tracking.models == "all":
                self._written(recorder)
                done = [job for job, how in ended if how.error is None]
                self._keep(recorder, done, drawn=done)

    def _written(self, recorder: Recorder) -> None:
        """Wait until every job that has ended is written."""
        try:
            recorder.written()
        except TrackingError as error:
            raise self._lost(error, recorder) from error

    def _told(self, recorder: Recorder) -> str:
        """Say how many jobs are safe."""
        waiting = recorder.waiting
        told = say("recorded: {ended} of {count} jobs", ended=self._counts.ended - waiting, count=self._counts.jobs)
        if not waiting:
            return told
        return say(
            "{told}; {waiting} more wait on this machine and are sent by the same command", told=told, waiting=waiting
        )

    @speaking(ENGLISH)
    def _lost(self, error: TrackingError, recorder: Recorder) -> RecordError:
        lost = "; the others are lost, and trained anew by the same command when the store can be written again"
        told = self._told(recorder).capitalize()
        return RecordError(f"{error} {told}{lost if self._counts.ended < self._counts.jobs else ''}.")

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        """End the record, and print what it all came to."""
        with self._open:
            if self._recorder is None or not self._recorder.is_open:
                return
            if error is not None:
                self._end_with(error, self._recorder)
            else:
                self._finish(self._recorder)

    def _end_with(self, error: BaseException, recorder: Recorder) -> None:
        """End the record of a command that an exception ended, as far as the store still lets itself be written."""
        try:
            with self._interruptions.shield():
                recorder.written(patiently=False)
                recorder.finish(error, recorder.outcome())
        except TrackingError:  # most often the same error once more
            error.add_note(say("the sweep's run says RUNNING until the next sweep in this store sets it right"))
        finally:
            if isinstance(error, KeyboardInterrupt) and not self.alone:
                told = self._told(recorder)
                error.add_note(say("{told}; the same command goes on with the others", told=told))

    def _finish(self, recorder: Recorder) -> None:
        """Tell the answer, then keep and draw what stands beside it, and last say where all of it is."""
        in_notebook = Console().is_jupyter  # where the result that is returned shows itself
        console, unprinted = Console(force_jupyter=False), None
        try:
            outcome = recorder.outcome()
            report = recorder.report(outcome)
            cautions = (*recorder.data_cautions(), *outcome.cautions) if report is None else ()
            try:
                if not in_notebook:
                    reused = len(recorder.reused)
                    print_summary(
                        console, outcome, title=recorder.title, report=report, cautions=cautions, reused=reused
                    )
                sys.stdout.flush()
            except OSError as error:  # nobody reads it any more; the record is none the worse
                unprinted = error
            page = recorder.begin_page(report)
            self._keep_best(recorder, outcome)
            recorder.score_held_out(outcome)
            report = page()
            with self._interruptions.shield():
                recorder.finish(None, outcome, report)
        except TrackingError as error:
            lost = self._lost(error, recorder)
            self._end_with(lost, recorder)
            raise lost from error
        except BaseException as error:
            self._end_with(error, recorder)
            raise
        if unprinted is not None:
            raise unprinted
        best = None if outcome.best is None else outcome.best.first
        print_end(
            console,
            recorder.address,
            uri=recorder.uri,
            is_served=recorder.store.address.startswith("http"),
            published=None if report is None else report.published,
            held_out=recorder.held_out,
            model_of=" --allow ".join([best.run_id, *foreign_names(best.config)])
            if best is not None and best.digest in self._models and not in_notebook
            else None,
            note=recorder.drawer.note(),
        )
        if self._stopped:
            with speaking(ENGLISH):
                self._failures.append(f"stopped after the failure (sweep.on_failure=stop): {self._told(recorder)}")
        if self._failures:
            raise JobsFailedError("\n".join(self._failures))

    def _keep_best(self, recorder: Recorder, outcome: Outcome) -> None:
        """Let each candidate's best setting keep a fitted pipeline, the best of all its figures too; register that."""
        if self._settings.tracking.models == "none":
            return
        jobs = {job.digest: job for job in recorder.jobs}
        best = None if outcome.best is None else outcome.best.first.digest
        chosen = [setting.first.digest for setting in outcome.best_of_each if setting.first.digest not in self._models]
        drawn = [digest for digest in chosen if best in (digest, None)]  # there is no best of several data sets
        self._keep(recorder, [jobs[digest] for digest in chosen], drawn=[jobs[digest] for digest in drawn])
        name = self._settings.tracking.register
        if name is not None and best is not None:
            print(recorder.register(name, jobs[best], self._models[best]))

    def _keep(self, recorder: Recorder, jobs: Sequence[Job], drawn: Sequence[Job]) -> None:
        """Let jobs keep their fitted pipelines, and those of `drawn` their figures, which are drawn meanwhile."""
        for job in drawn:
            with _telling(job):
                recorder.draw_figures(job)
        for job in jobs:
            with _telling(job):
                self._models[job.digest] = recorder.keep(job)
        for job in drawn:
            with _telling(job):
                recorder.add_figures(job)


@contextmanager
def _telling(job: Job) -> Iterator[None]:
    """Say of which job something cannot be kept.

    Raises
    ------
    KeepError
        For any error that does not tell the user what to do.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise KeepError(f"the model of job {job.typed} cannot be kept: {type(error).__name__}: {error}") from error
