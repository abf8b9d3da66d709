"""Rows that a fitted model has not seen, read from the user's file by the names of the columns that the model takes."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from src.data.csv_file import feature_frame, feature_problems, refuse
from src.data.dataset import DataError, Dataset
from src.data.table import KEYS, Column, Reading, Table, read_table
from src.words import counted, did_you_mean, first_of

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

_MOST_TOLD = 5  # missing columns, each in a line of its own
# Both files are read alike, and the models are there when the second one is.
_TEST = replace(KEYS, path="data.test", mend_separator="save it with the separator that data.path has", mend_text="")


def read_rows(asked: Reading, columns: Mapping[str, bool]) -> tuple[Table, pd.DataFrame]:
    """Read rows for a model that is fitted already: as a table of text, and as the model's columns (n, columns).

    Those are in the model's order, as in `Dataset.features`. Raises DataError if the file does not fit: where, what,
    how to mend it.

    Parameters
    ----------
    asked : the file and how it is read; 'impute' where the model fills in missing values.
    columns : the columns that the model takes, by name, and whether each holds numbers. The file may have others, and
        in any order.
    """
    table = read_table(asked)
    kinds = dict(zip(_columns(table, columns, "the model takes"), columns.values(), strict=True))
    refuse(table.file, *feature_problems(kinds, asked, learned=False))
    return table, feature_frame(kinds)


def read_test(learned: Dataset, **how: Any) -> Dataset:
    """Read the rows that models of `learned`, the user's own file, are to be tested on: as that file was read.

    They have the columns, kinds and classes of `learned`, some of which may have no row; no weights or groups. Raises
    DataError if the file does not fit, a label is none of the classes, or it holds the very rows of `learned`.

    Parameters
    ----------
    learned : what the models learn.
    how : arguments of `Reading`, but for `keys`: the path, and the others as for `learned`. The file holds at least the
        columns that are learned from and the target, by name (x0, x1, ... without a header).
    """
    asked = Reading(keys=_TEST, **how)
    table = read_table(asked)
    *features, labels = _columns(table, [*learned.feature_names, learned.target_name], f"{learned.name} has")
    kinds = {column: column.name in learned.numeric_names for column in features}
    refuse(table.file, *_label_problems(labels, learned), *feature_problems(kinds, asked, learned=False))
    code = {name: code for code, name in enumerate(learned.class_names)}
    read = Dataset(
        name=Path(asked.path).name,
        features=feature_frame(kinds),
        target=np.array([code[cell] for cell in labels.cells], np.int64),
        class_names=learned.class_names,
        sample_weight=None,
        source=asked.source,
        target_name=labels.name,
    )
    if np.array_equal(np.sort(_row_hashes(read)), np.sort(_row_hashes(learned))):
        raise DataError(
            f"data.test: {table.file} holds the same rows as {learned.source}, so it tests nothing that was not "
            "learned: give rows that data.path does not hold."
        )
    return read


def rows_in_both(learned: Dataset, test: Dataset) -> int:
    """How many rows of `test` stand in `learned` too, all values and the label alike."""
    return int(np.isin(_row_hashes(test), _row_hashes(learned)).sum())


def _row_hashes(data: Dataset) -> NDArray[np.uint64]:
    labeled = data.features.assign(**{"": data.target})
    return np.asarray(pd.util.hash_pandas_object(labeled, index=False), np.uint64)


def _columns(table: Table, names: Iterable[str], whose: str) -> list[Column]:
    """The columns of these names, in their order; `whose` says who has them."""
    found = dict(zip(table.names, table.columns, strict=True))
    lacking = [name for name in names if name not in found][:_MOST_TOLD]
    known = f"The columns are {first_of(map(repr, found))}."
    refuse(
        table.file,
        *(f"there is no column {name!r}, which {whose}.{did_you_mean(name, found)} {known}" for name in lacking),
    )
    return [found[name] for name in names]


def _label_problems(labels: Column, learned: Dataset) -> Iterator[str]:
    where = f"target column {labels.name!r}"
    strange = [
        (line, cell) for line, cell in zip(labels.lines, labels.cells, strict=True) if cell not in learned.class_names
    ]
    if strange:
        line, cell = strange[0]
        further = f" (and in {counted(len(strange) - 1, 'more row')})" if len(strange) > 1 else ""
        yield (
            f"line {line}, {where}: {cell!r}{further} is none of the classes of {learned.name}, "
            f"{first_of(learned.class_names)}: write one of them, or remove the row."
        )


def imputes(fitted: "BaseEstimator") -> bool:
    """Whether a transformer of `make_preprocessor` fills in missing values."""
    from sklearn.impute import SimpleImputer

    return any(isinstance(part, SimpleImputer) for part in fitted.get_params().values())


def unknown_categories(fitted: "BaseEstimator", rows: pd.DataFrame) -> dict[str, list[str]]:
    """For each categorical column of `rows` (n, columns) the values that a fitted transformer does not know.

    They become zeros: such a row counts as none of the categories.
    """
    encoder = getattr(fitted, "named_transformers_", {}).get("categorical", fitted)
    encoder = getattr(encoder, "steps", [("", encoder)])[-1][1]
    names = map(str, rows.select_dtypes(exclude="number"))
    known = dict(zip(names, getattr(encoder, "categories_", ()), strict=True))
    found = {name: sorted(set(rows[name].dropna()) - set(categories)) for name, categories in known.items()}
    return {name: values for name, values in found.items() if values}
