"""What a report asks the record for, beside the jobs; `src.tracking` answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import pandas as pd

from src.comparison.cautions import RowFacts
from src.comparison.held_out import HeldOut
from src.comparison.jobs import RecordedJob, status_word
from src.config.schema import ComparisonConfig
from src.evaluation.results import Curve, OutOfFold
from src.language import say_number


@dataclass(frozen=True)
class RecordedDataset:
    """The data of a job: `columns` is each feature's type (``double``, ``string``), `classes` the number of classes.

    `facts` bear on a comparison; None where an older version recorded the data.
    """

    name: str
    source: str
    rows: int
    classes: int
    columns: Mapping[str, str]
    facts: RowFacts | None


@dataclass(frozen=True, eq=False)
class RecordedSweep:
    """A sweep and what is recorded of its jobs.

    Attributes
    ----------
    run_id, name, status, tags : its own run.
    seconds : from its start to its end, None while it runs.
    jobs : one for each job that has a run, in the order typed.
    reused : the run ids of those that belong to earlier sweeps.
    missing : how many of its jobs have no whole run: they were never trained, they were cut off while they were
        written, or their runs were deleted.
    options : what the sweep was asked.
    searched : whether a search proposed the jobs.
    unreadable : a sentence for each job that an older version recorded without what is needed.
    held_out : the models it kept on the file `data.test`, of each data set that has one.
    """

    run_id: str
    name: str
    status: str
    tags: Mapping[str, str]
    seconds: float | None
    jobs: tuple[RecordedJob, ...]
    reused: frozenset[str]
    missing: int
    options: ComparisonConfig
    searched: bool
    unreadable: tuple[str, ...] = ()
    held_out: tuple[HeldOut, ...] = ()

    @property
    def incomplete(self) -> str | None:
        """Why a sweep that was cut off must not be compared: what is there of it was not chosen by anybody."""
        total = len(self.jobs) + self.missing
        return cut_off(self.name, self.missing, total, status_word(self.status)) if self.missing else None


def cut_off(name: str, unfinished: int, total: int, status: str) -> str:
    """Why a sweep whose jobs have not all ended must not be compared."""
    return say_number(
        "{number} of the {count} jobs of {sweep} has no result, as the sweep is {status}; the same command again "
        "runs only what is missing.",
        "{number} of the {count} jobs of {sweep} have no result, as the sweep is {status}; the same command again "
        "runs only what is missing.",
        unfinished,
        count=total,
        sweep=name,
        status=status,
    )


class Record(Protocol):
    """What is recorded of a finished job beside its scores, by its run."""

    def dataset(self, run_id: str) -> RecordedDataset | None:
        """The data it was run on."""

    def curves(self, run_id: str) -> tuple[Curve, ...]:
        """The learning curve of each fold, of a diverged one with NaN at its end; none for a model without epochs."""

    def predictions(self, run_id: str) -> OutOfFold:
        """Its out-of-fold predictions."""

    def class_scores(self, run_id: str) -> pd.DataFrame | None:
        """class, precision, recall, f1, support; None where an older version recorded the job."""

    def pipeline(self, run_id: str) -> Any | None:
        """The fitted pipeline, None if it keeps none."""

    def metrics(self, run_id: str) -> Mapping[str, float]:
        """All its metrics, those of the fitted pipeline among them."""
