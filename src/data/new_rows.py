"""Rows that a fitted model has not seen, read from the user's file by the names of the columns that the model takes."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from src.data.csv_file import column_values, missing_problems, number_problems, refuse
from src.data.table import Table, read_table
from src.words import did_you_mean, first_of

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

_MOST_TOLD = 5  # missing columns, each in a line of its own


def read_rows(
    path: str | Path, columns: Mapping[str, bool], *, separator: str = ",", header: bool = True, impute: bool = False
) -> tuple[Table, pd.DataFrame]:
    """Read rows for a model that is fitted already.

    Parameters
    ----------
    path, separator, header
        The file and how it is read, as in `src.data.csv_file.CsvFile`.
    columns
        The columns that the model takes, by name, and whether each holds numbers. The file may have others, and in any
        order.
    impute
        Whether the model fills in missing values.

    Returns
    -------
    tuple
        The file as a table of text, and the model's columns (n, columns) in the model's order, as in
        `Dataset.features`.

    Raises
    ------
    DataError
        The file does not fit: where, what, how to mend it.
    """
    table = read_table(path, separator=separator, header=header)
    lacking = [name for name in columns if name not in table.names][:_MOST_TOLD]
    refuse(
        table.file,
        *(
            f"there is no column {name!r}, which the model takes.{did_you_mean(name, table.names)} The columns are "
            f"{first_of(map(repr, table.names))}."
            for name in lacking
        ),
    )
    found = {table.columns[table.names.index(name)]: is_numeric for name, is_numeric in columns.items()}
    refuse(
        table.file,
        *(() if impute else missing_problems(found, "train a model with data.missing=impute")),
        *(problem for column, numeric in found.items() if numeric for problem in number_problems(column, header)),
    )
    rows = pd.DataFrame({column.name: column_values(column, is_numeric) for column, is_numeric in found.items()})
    rows.columns = rows.columns.astype(object)
    return table, rows


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
