"""What the best jobs of a command keep: fitted models, their figures, their scores on the rows of `data.test`."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from src.command.keep import fitted_pipeline, fitted_scores, predicted
from src.command.record import RecordError
from src.command.so_far import JobsSoFar
from src.comparison.held_out import HeldOut, held_out_models
from src.comparison.naming import model_label
from src.comparison.outcome import Outcome
from src.config.identity import modules_of
from src.data.new_rows import rows_in_both, unknown_categories
from src.errors import UserError
from src.escaping import escaped
from src.evaluation.warned import alike, gathered, told_once
from src.language import say
from src.report.drawing import Drawer
from src.report.words import LAST_FIGURE
from src.sweep.jobs import Job
from src.tracking import artifacts, models
from src.tracking.reading import StoredRecord
from src.tracking.runs import add_files, add_metrics, set_held_out
from src.words import runnable


@dataclass(eq=False)
class KeptModels:
    """The models that jobs of a command keep, in the store of its record.

    `drawer` draws their figures; `addresses` are the models', by their jobs' digests.
    """

    record: StoredRecord
    so_far: JobsSoFar
    drawer: Drawer = field(default_factory=Drawer)
    addresses: dict[str, str] = field(default_factory=dict)

    def keep_best(self, outcome: Outcome) -> None:
        """Let each candidate's best setting keep a fitted pipeline, the best of all its figures too; register that."""
        so_far = self.so_far
        best = None if outcome.best is None else outcome.best.first.digest
        chosen = [setting.first.digest for setting in outcome.best_of_each]
        new = [so_far.jobs[digest] for digest in chosen if digest not in self.addresses]
        # There is no best of several data sets.
        self.keep(new, drawn=[job for job in new if best in (job.digest, None)])
        name = so_far.settings.tracking.register
        if name is not None and best is not None:
            run_id, note = so_far.recorded[best].run_id, so_far.names[best]
            version = models.register_model(self.record.store, name, self.addresses[best], run_id, note=note)
            serve = runnable(f"mlflow models serve -m models:/{name}/{version} --env-manager local")
            print(say("registered as {name}, version {version}: {command}", name=name, version=version, command=serve))

    def keep(self, jobs: Sequence[Job], drawn: Sequence[Job]) -> None:
        """Let jobs keep their fitted pipelines, and those of `drawn` their figures, which are drawn meanwhile.

        What a run has already it keeps. Raises RecordError for any error that does not tell the user what to do.
        """
        figures: dict[Job, Callable[[], dict[str, bytes]]] = {}
        for job in drawn:
            run_id = self.so_far.recorded[job.digest].run_id
            with _telling(job):
                if not self.record.holds(run_id, LAST_FIGURE):
                    shown = model_label(job.flat), self.record.predictions(run_id), self.record.curves(run_id)
                    figures[job] = self.drawer.ask("job_figures", *shown)
        for job in jobs:
            with _telling(job):
                self.addresses[job.digest] = self._keep(job)
        for job, drawing in figures.items():
            with _telling(job):
                add_files(self.record.store, self.so_far.recorded[job.digest].run_id, drawing())

    def _keep(self, job: Job) -> str:
        """Add the fitted model and its scores to a job's run that lacks them; return the model's address."""
        recorded = self.so_far.recorded[job.digest]
        kept = models.logged_model(self.record.store, recorded.run_id)
        if kept is not None:
            return kept
        with gathered() as warned:
            pipeline = fitted_pipeline(job)
        told = set(map(alike, recorded.warnings))
        for text in told_once(warned):
            if alike(text) not in told:
                who = self.so_far.names[job.digest]
                print(say("warned in the fit to all rows: {who}: {warning}", who=who, warning=escaped(text)))
        add_metrics(self.record.store, recorded.run_id, fitted_scores(pipeline, job))
        data, made_of = job.dataset, modules_of(job.checked)
        return models.log_model(self.record.store, recorded.run_id, pipeline, data.features, data.class_names, made_of)

    def held_out(self, outcome: Outcome, *, alone: bool) -> tuple[HeldOut, ...]:
        """Score the models that are kept on the rows of `data.test`, once, and add the scores to their runs."""
        scored: tuple[HeldOut, ...] = ()
        allowed = {module for job in self.so_far.jobs.values() for module in job.checked.model.allow}
        for family in outcome.families:
            best = outcome.best_on(family.data)
            if best is None or (test := (job := self.so_far.jobs[best.first.digest]).test) is None:
                continue
            names = {best.first.run_id: model_label(job.flat)}
            names |= {one.best.first.run_id: one.name for one in family.candidates}
            fitted: dict[str, Any] = {run_id: self.record.pipeline(run_id, allowed) for run_id in names}
            answers = [(name, run_id, predicted(fitted[run_id], test)) for run_id, name in names.items()]
            found = HeldOut(
                data=family.data,
                file=test.name,
                digest=test.digest,
                rows=len(test.target),
                metric=outcome.metric,
                confidence=outcome.options.confidence,
                independent=job.dataset.groups is None,
                models=held_out_models(test.target, answers),
                shared=rows_in_both(job.dataset, test),
                unknown=unknown_categories(fitted[best.first.run_id][0], test.features),
            )
            scored += (found,)
            for model in found.models:
                set_held_out(self.record.store, model.run_id, found.digest, model.scores)
            if alone:
                add_files(self.record.store, best.first.run_id, {artifacts.HELD_OUT: artifacts.held_out(scored)})
        return scored


@contextmanager
def _telling(job: Job) -> Iterator[None]:
    """Say of which job something cannot be kept."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise RecordError(f"the model of job {job.typed} cannot be kept: {type(error).__name__}: {error}") from error
