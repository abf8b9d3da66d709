"""Driving a command's jobs: plan, train, and record each job as it ends, so that the record is true at every moment.

One process writes. Workers return results; this process logs each as it arrives.
"""

import math
import sys
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from rich.console import Console

from src.config import JobConfig
from src.errors import UserError
from src.evaluation.metrics import higher_is_better
from src.evaluation.results import JobResult
from src.report.tables import print_summary
from src.sweep.backends import run_stacks
from src.sweep.display import Counts, Display
from src.sweep.interruption import Interruptions
from src.sweep.jobs import Job, Jobs
from src.sweep.plan import Plan, make_plan
from src.sweep.record import Recorder, recorded_without_writing
from src.sweep.stacks import Collector, EndedJob, JobError
from src.tracking.errors import TrackingError
from src.tracking.store import open_store


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


@dataclass(frozen=True, eq=False)
class _Best:
    """A model's best job so far; its result is None where the job was reused."""

    job: Job
    score: float
    result: JobResult | None


@dataclass(eq=False)
class _Progress:
    """What has become of the jobs so far, by their digests."""

    metric: str
    scores: dict[str, float] = field(default_factory=dict)
    errors: dict[str, tuple[Job, JobError]] = field(default_factory=dict)
    best: dict[str, _Best] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)

    def take(self, job: Job, score: float, result: JobResult | None) -> None:
        """Take in a job's score, and keep its result if it is its model's best so far; NaN (diverged) never is."""
        self.scores[job.digest] = score
        model = job.checked.model.name
        if not math.isnan(score) and (model not in self.best or self._better(score, self.best[model].score)):
            self.best[model] = _Best(job, score, result)

    @property
    def best_of_all(self) -> _Best | None:
        """The best job of all so far."""
        direction = 1 if higher_is_better(self.metric) else -1
        return max(self.best.values(), key=lambda best: direction * best.score, default=None)

    def _better(self, score: float, than: float) -> bool:
        return score > than if higher_is_better(self.metric) else score < than


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
        self._progress: _Progress
        self._counts = Counts()
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
            For each combination the value of ``sweep.metric``, None where the job failed or was not run. Where a
            network diverged it is NaN, and for a search, which could make nothing of that, the worst there is.

        Raises
        ------
        UserError
            Before anything is trained: for a store or a backend that cannot be used.
        RecordError
            If the store fails later.
        SearchOver
            After a dry run of a search's first batch, and after a failure that stops it.
        Interrupted
            On Ctrl-C or SIGTERM.
        """
        first = jobs.distinct[0].checked
        if first.sweep.dry_run:
            there_already = [] if self.alone else recorded_without_writing(jobs)
            print("\n".join(make_plan(jobs, there_already, first.sweep).details()))
            if self.search is not None:
                raise SearchOver
            return [None] * len(jobs.of_combination)
        with self._interruptions.shield():
            if self._recorder is None:
                self._settings, self._progress = first, _Progress(first.sweep.metric)
                self._recorder = Recorder(open_store(first.tracking.uri), first, self.alone, self.search)
            reused = self._recorder.take(jobs)
            self._counts.jobs, self._counts.reused = len(self._recorder.jobs), len(self._recorder.reused)
        for number, score in reused.items():
            if score is not None:
                self._progress.take(jobs.distinct[number], score, None)
        plan = make_plan(jobs, reused, first.sweep)
        for line in plan.lines():
            print(line)
        sys.stdout.flush()
        self._train(plan, self._recorder)
        if self._stopped and self.search is not None:
            raise SearchOver
        scores = [self._progress.scores.get(jobs.distinct[number].digest) for number in jobs.of_combination]
        return scores if self.search is None else [_without_nan(score, first.sweep.metric) for score in scores]

    @property
    def has_scores(self) -> bool:
        """Whether any job has ended well."""
        return self._recorder is not None and bool(self._progress.scores)

    def _train(self, plan: Plan, recorder: Recorder) -> None:
        """Run the stacks, and log each job as soon as its folds are together."""
        sweep, counts = self._settings.sweep, self._counts
        collector = Collector(plan.missing)
        with (
            Display(counts, plan.epochs, sweep.metric) as display,
            closing(run_stacks(plan.stacks, sweep, display.passed)) as stacks,
        ):
            for stack in stacks:
                counts.networks += len(stack.results)
                for job in collector.take(stack):
                    self._log(plan.jobs.distinct[job.number], job, recorder)
                    display.show()
                    if job.error is not None and sweep.on_failure == "stop":
                        self._stopped = True
                        return

    def _log(self, job: Job, ended: EndedJob, recorder: Recorder) -> None:
        """Write a job that has ended and take its end into account, uninterrupted."""
        with self._interruptions.shield():
            try:
                recorder.log(job, ended)
            except TrackingError as error:
                raise self._lost(error) from error
            if ended.result is None:
                assert ended.error is not None
                self._counts.failed += 1
                self._progress.errors[job.digest] = job, ended.error
                return
            self._counts.done += 1
            self._progress.take(job, ended.result.metrics()[self._progress.metric], ended.result)
            best = self._progress.best_of_all
            self._counts.best = None if best is None else best.score
            if self._settings.tracking.models == "all":
                self._progress.models[job.digest] = _kept(recorder, job, ended.result)

    def _told(self) -> str:
        """Say how many jobs are safe."""
        return f"recorded: {self._counts.ended} of {self._counts.jobs} jobs"

    def _lost(self, error: TrackingError) -> RecordError:
        return RecordError(
            f"{error} {self._told().capitalize()}; the others are lost, and trained anew by the same command when the "
            "store can be written again."
        )

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        """End the record, and print what it all came to."""
        with self._open:
            if self._recorder is None:
                return
            if error is not None:
                self._end_with(error, self._recorder)
            else:
                self._finish(self._recorder)

    def _end_with(self, error: BaseException, recorder: Recorder) -> None:
        """End the record of a command that an exception ended, as far as the store still lets itself be written."""
        if isinstance(error, KeyboardInterrupt) and not self.alone:
            error.add_note(f"{self._told()}; the same command goes on with the others")
        try:
            with self._interruptions.shield():
                recorder.finish(error)
        except TrackingError:  # most often the same error once more
            error.add_note("the sweep's run says RUNNING until the next sweep in this store sets it right")

    def _finish(self, recorder: Recorder) -> None:
        try:
            self._keep(recorder)
            with self._interruptions.shield():
                table = recorder.finish(None)
            answer = recorder.report()
        except TrackingError as error:
            lost = self._lost(error)
            self._end_with(lost, recorder)
            raise lost from error
        except BaseException as error:
            self._end_with(error, recorder)
            raise
        print_summary(
            Console(), table, recorder.address, metric=self._progress.metric, title=recorder.title, answer=answer
        )
        if self._progress.errors:
            raise JobsFailedError("\n".join(self._failures()))

    def _keep(self, recorder: Recorder) -> None:
        """Let each model's best job keep its fitted pipeline and figures, and register the best of all."""
        if self._settings.tracking.models == "none":
            return
        progress = self._progress
        for best in progress.best.values():
            if best.job.digest not in progress.models:
                progress.models[best.job.digest] = _kept(recorder, best.job, best.result)
        name, best_of_all = self._settings.tracking.register, progress.best_of_all
        if name is not None and best_of_all is not None:
            print(recorder.register(name, best_of_all.job, progress.models[best_of_all.job.digest]))

    def _failures(self) -> list[str]:
        """Say of each job that failed its overrides and why."""
        lines = [
            f"job {job.typed} failed: {error.type}: {error.message}" for job, error in self._progress.errors.values()
        ]
        if self._stopped:
            lines.append(f"stopped after the failure (sweep.on_failure=stop): {self._told()}")
        return lines


def _without_nan(score: float | None, metric: str) -> float | None:
    if score is None or not math.isnan(score):
        return score
    return -math.inf if higher_is_better(metric) else math.inf


def _kept(recorder: Recorder, job: Job, result: JobResult | None) -> str:
    try:
        return recorder.keep(job, result)
    except UserError:
        raise
    except Exception as error:
        raise KeepError(f"the model of job {job.typed} cannot be kept: {type(error).__name__}: {error}") from error
