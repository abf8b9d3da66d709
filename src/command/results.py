"""What calls from Python return: a job and a study as they are recorded, which show themselves in a notebook."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from src.comparison.jobs import RecordedJob
from src.comparison.outcome import Outcome, compare_jobs
from src.errors import UserError
from src.report.comparison import data_cautions, described_data, one_of
from src.report.drawing import Drawer, begin_pictures
from src.report.page import ComparisonReport, Figures, notebook_html
from src.report.tables import best_line, leaderboard_cells, setting_rows
from src.tracking import reading
from src.tracking.reading import StoredRecord


@dataclass(frozen=True, eq=False, repr=False)
class Run:
    """One job as it is recorded."""

    job: RecordedJob
    record: StoredRecord

    @property
    def run_id(self) -> str:
        """Its run in MLflow."""
        return self.job.run_id

    @property
    def metrics(self) -> Mapping[str, float]:
        """All its metrics over the folds, by MLflow's names: ``test/accuracy``, ``std/accuracy``, ``time/fit``, ..."""
        return self.job.metrics

    @cached_property
    def scores(self) -> pd.DataFrame:
        """A row for each fold: ``repeat``, ``fold``, ``n_train``, ``n_test``, ``test/accuracy``, ``train/...``, ..."""
        return pd.DataFrame(dict(self.job.folds)).astype({"repeat": int, "fold": int})

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """Out of fold, a row for each tested one: repeat, fold, row, target, predicted, ``probability CLASS``."""
        return reading.predictions(self.record.store, reading.get_run(self.record.store, self.run_id))

    @cached_property
    def outcome(self) -> Outcome:
        """The job as a comparison of one."""
        return compare_jobs([self.job], self.job.config.comparison)

    @cached_property
    def figures(self) -> Figures:
        """How it learned and what it predicted."""
        return _figures(self.record, self.outcome)

    def model(self) -> Any:
        """Return the fitted pipeline (preprocessing and classifier), which takes a DataFrame of the features.

        Raises
        ------
        UserError
            If the run keeps none.
        """
        pipeline = self.record.pipeline(self.run_id)
        if pipeline is None:
            raise UserError(f"the run {self.run_id} keeps no model: the best do with tracking.models=best, or all.")
        return pipeline

    def __repr__(self) -> str:
        return f"<Run {self.run_id}: {best_line(self.outcome)}>"

    def _repr_html_(self) -> str:
        cautions = data_cautions(described_data(self.record, [self.job]), [self.job])
        return notebook_html(self.job.name, best_line(self.outcome), cautions, [leaderboard_cells(self.outcome)])


@dataclass(frozen=True, eq=False, repr=False)
class Study:
    """One or several sweeps as they are recorded, ranked and compared; `report` is their page."""

    run_ids: tuple[str, ...]
    report: ComparisonReport
    record: StoredRecord

    @property
    def run_id(self) -> str:
        """The run in MLflow; of several sweeps the first one's."""
        return self.run_ids[0]

    @property
    def outcome(self) -> Outcome:
        """What the jobs say together."""
        return self.report.outcome

    @property
    def answer(self) -> str:
        """What was found, in a sentence or two, or why nothing can be told; `report.caveats` qualify it."""
        return self.report.answer

    @cached_property
    def scores(self) -> pd.DataFrame:
        """The leaderboard, a row for each setting, best first: what varies, and all metrics."""
        return pd.DataFrame(setting_rows(self.outcome))

    @cached_property
    def comparisons(self) -> pd.DataFrame:
        """A row for each model against each baseline: difference, interval, p-values, verdict."""
        return pd.DataFrame(list(self.outcome.comparisons)).drop(columns="on_folds", errors="ignore")

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """The jobs, best first."""
        return tuple(Run(job, self.record) for job in self.outcome.jobs)

    @property
    def best(self) -> Run:
        """The first job of the best setting.

        Raises
        ------
        UserError
            If no job has a result, or there are several data sets, whose scores are not ranked together.
        """
        if self.outcome.best is None:
            raise UserError(f"there is no best job: {best_line(self.outcome)}")
        return Run(self.outcome.best.first, self.record)

    @cached_property
    def figures(self) -> Figures:
        """Those of the comparison's page."""
        return _figures(self.record, self.outcome)

    def model(self) -> Any:
        """Return the fitted pipeline of the best job; raises as `best` and `Run.model`."""
        return self.best.model()

    def __repr__(self) -> str:
        return f"<Study {self.report.title} {self.run_id}: {self.answer}>"

    def _repr_html_(self) -> str:
        tables = [leaderboard_cells(self.outcome, self.report.reused), *(cells for _, _, cells in self.report.tables())]
        return notebook_html(self.report.title, self.answer, self.report.caveats, tables)


def _figures(record: StoredRecord, outcome: Outcome) -> Figures:
    drawer = Drawer()
    figures = Figures(begin_pictures(drawer, record, outcome, one_of(described_data(record, outcome.jobs)))())
    if (note := drawer.note()) is not None:
        warnings.warn(note, stacklevel=2)
    return figures
