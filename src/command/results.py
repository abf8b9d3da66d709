"""What calls from Python return: a job and a study as they are recorded, which show themselves in a notebook."""

import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from src.comparison.held_out import HeldOut
from src.comparison.jobs import RecordedJob
from src.comparison.naming import model_label
from src.comparison.outcome import Outcome, compare_jobs
from src.errors import UserError
from src.report.comparison import data_cautions, described_data, one_of
from src.report.drawing import Drawer, begin_pictures
from src.report.held_out import held_out_cells, held_out_rows
from src.report.page import ComparisonReport, Figures, notebook_html
from src.report.tables import best_line, leaderboard_cells, setting_rows
from src.tracking import reading
from src.tracking.reading import StoredRecord
from src.tracking.sweeps import read_held_out


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
        return pd.DataFrame(dict(self.job.folds)).astype(dict.fromkeys(("repeat", "fold", "n_train", "n_test"), int))

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """Out of fold, a row for each tested one: repeat, fold, row, target, predicted, ``probability CLASS``."""
        return reading.predictions(self.record.store, self.record.run(self.run_id))

    @cached_property
    def held_out(self) -> pd.DataFrame:
        """What the model of a job alone scores on the rows of ``data.test``, as `Study.held_out`; else empty."""
        return pd.DataFrame(held_out_rows(self._held_out))

    @cached_property
    def _held_out(self) -> tuple[HeldOut, ...]:
        return read_held_out(self.record.store, self.record.run(self.run_id))

    @cached_property
    def outcome(self) -> Outcome:
        """The job as a comparison of one."""
        return compare_jobs([self.job], self.job.config.comparison)

    @cached_property
    def figures(self) -> Figures:
        """How it learned and what it predicted."""
        return _figures(self.record, self.outcome)

    def model(self, allow: Collection[str] = ()) -> Any:
        """Return the fitted pipeline (preprocessing and classifier), which takes a DataFrame of the features.

        `allow` is as ``model.allow``: modules beside scikit-learn that it may be made of, whose code is run. Raises
        UserError if the run keeps none, or one of other modules.
        """
        pipeline = self.record.pipeline(self.run_id, allow)
        if pipeline is None:
            raise UserError(f"the run {self.run_id} keeps no model: the best do with tracking.models=best, or all.")
        return pipeline

    def __repr__(self) -> str:
        return f"<Run {self.run_id}: {best_line(self.outcome)}>"

    def _repr_html_(self) -> str:
        cautions = (*data_cautions(described_data(self.record, [self.job]), [self.job]), *self.outcome.cautions)
        tables = [("", leaderboard_cells(self.outcome)), *(("", held_out_cells(one)) for one in self._held_out)]
        return notebook_html(self.job.name, best_line(self.outcome), cautions, tables)


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
        """The leaderboard, a row for each setting, best first: what the model is called, what varies, all metrics."""
        names = [model_label(setting.flat) for board in self.outcome.boards.values() for setting in board]
        rows = pd.DataFrame(setting_rows(self.outcome))
        rows.insert(0, "model", names)
        return rows

    @cached_property
    def comparisons(self) -> pd.DataFrame:
        """A row for each model against each baseline: difference, interval, p-values, verdict."""
        return pd.DataFrame(list(self.outcome.comparisons)).drop(columns="on_folds", errors="ignore")

    @cached_property
    def held_out(self) -> pd.DataFrame:
        """What the kept models score on the rows of ``data.test``; a row for each model, the chosen one first.

        ``rows``, ``right``; all metrics; Wilson's interval of the accuracy, ``low`` to ``high``; how many rows, of it
        and the chosen model, ``only_it`` or ``only_chosen`` has right, and McNemar's exact ``p``. Empty without a file.
        """
        return pd.DataFrame(held_out_rows(self.report.held_out))

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """The jobs, best first."""
        return tuple(Run(job, self.record) for job in self.outcome.jobs)

    @property
    def best(self) -> Run:
        """The first job of the best setting.

        Raises UserError if no job has a result, or there are several data sets, whose scores are not ranked together.
        """
        if self.outcome.best is None:
            raise UserError(f"there is no best job: {best_line(self.outcome)}")
        return Run(self.outcome.best.first, self.record)

    @cached_property
    def figures(self) -> Figures:
        """Those of the comparison's page."""
        return _figures(self.record, self.outcome)

    def model(self, allow: Collection[str] = ()) -> Any:
        """Return the fitted pipeline of the best job; see `best` and `Run.model`."""
        return self.best.model(allow)

    def __repr__(self) -> str:
        return f"<Study {self.report.title} {self.run_id}: {self.answer}>"

    def _repr_html_(self) -> str:
        folded = [(heading, cells) for heading, _, cells in self.report.tables()]
        tables = [("", leaderboard_cells(self.outcome, self.report.reused)), *folded]
        return notebook_html(self.report.title, self.answer, self.report.caveats, tables)


def _figures(record: StoredRecord, outcome: Outcome) -> Figures:
    drawer = Drawer()
    figures = Figures(begin_pictures(drawer, record, outcome, one_of(described_data(record, outcome.jobs)))())
    if (note := drawer.note()) is not None:
        warnings.warn(note, stacklevel=2)
    return figures
