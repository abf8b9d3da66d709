"""What a report asks the record for, beside the jobs; `src.tracking` answers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from src.comparison.held_out import HeldOut
from src.comparison.jobs import RecordedJob, status_word
from src.config.schema import ComparisonConfig
from src.data import Dataset
from src.evaluation.results import Curve, OutOfFold
from src.language import say_number

FEWEST_NUMBERED = 10  # rows below which whole numbers in order may well be measured
FEWEST_TEXTS = 20  # rows below which a text may well be another in each by chance
_IDENTIFIER = re.compile(r"(^|[\s_.-])(id|patient|subject|participant|person|user|customer|group)s?$", re.IGNORECASE)


@dataclass(frozen=True)
class RecordedDataset:
    """The data of a job, and what of its rows bears on a comparison.

    Attributes
    ----------
    name, source : what it is called, and where its rows come from.
    rows, classes : their numbers.
    columns : each feature's type (``double``, ``string``).
    rarest : the number of rows of the rarest class, and its name; None where an older version recorded the data.
    duplicates : rows that repeat an earlier one, all their values and the label alike.
    identifiers : features that are called like an identifier and whose values several rows share.
    numberings : features that tell rows apart instead of describing them: another value in each row, and called like an
        identifier, or text, or whole numbers without a gap or in the rows' order.
    """

    name: str
    source: str
    rows: int
    classes: int
    columns: Mapping[str, str]
    rarest: tuple[int, str] | None = None
    duplicates: int = 0
    identifiers: tuple[str, ...] = ()
    numberings: tuple[str, ...] = ()


@cache
def described(data: Dataset) -> RecordedDataset:
    """What the record holds of a job's data."""
    columns = {name: data.features[name] for name in data.feature_names}
    counts = np.bincount(data.target)
    rarest = int(counts.argmin())
    return RecordedDataset(
        name=data.name,
        source=data.source,
        rows=len(data.target),
        classes=len(data.class_names),
        columns={name: "double" if name in data.numeric_names else "string" for name in columns},
        rarest=(int(counts[rarest]), data.class_names[rarest]),
        duplicates=int(data.features.assign(**{"": data.target}).duplicated().sum()),
        identifiers=tuple(name for name in columns if _IDENTIFIER.search(name) and not columns[name].is_unique),
        numberings=tuple(name for name in columns if _numbers_rows(name, columns[name])),
    )


def _numbers_rows(name: str, column: pd.Series) -> bool:
    if len(column) < FEWEST_NUMBERED or not column.is_unique:
        return False
    if _IDENTIFIER.search(name):
        return True
    if not is_numeric_dtype(column):
        return len(column) >= FEWEST_TEXTS
    if not (column % 1 == 0).all():
        return False
    return bool(column.max() - column.min() == len(column) - 1 or column.is_monotonic_increasing)


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
