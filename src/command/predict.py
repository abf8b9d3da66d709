"""The answers of a kept model to rows of the user's own."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from src.data.new_rows import imputes, read_rows, unknown_categories
from src.data.table import Keys, Reading
from src.language import listed, say_number
from src.models.kept import answer
from src.tracking import artifacts
from src.tracking.models import find_model
from src.tracking.opening import open_store

MOST_VALUES = 10  # that a note names

# The arguments of `src.predict`.
KEYS = Keys(
    path="ROWS.csv",
    separator="--separator",
    mend_separator="set --separator '{}'",
    header="leave out --no-header",
    no_header="say --no-header",
    mend_text="",
    impute="train a model with data.missing=impute",
)


@dataclass(frozen=True)
class Predicted:
    """What a model says of rows.

    Attributes
    ----------
    table
        The file's columns as they are written there, then ``predicted`` and ``probability CLASS`` of each class; a row
        for each of the file's.
    unknown
        For each column of text the values that the model was not trained with: they count as none of its categories.
    """

    table: pd.DataFrame
    unknown: Mapping[str, list[str]]

    @property
    def csv(self) -> bytes:
        """The table as CSV, harmless to a spreadsheet and a terminal, whatever its cells hold."""
        return artifacts.table(list(self.table.columns), self.table.itertuples(index=False, name=None))


def predict(
    model: str,
    rows: Path,
    *,
    uri: str | None = None,
    separator: str = ",",
    header: bool = True,
    allow: Collection[str] = (),
) -> Predicted:
    """Let a kept model answer to the rows of a file.

    Parameters
    ----------
    model
        As in `src.tracking.models.find_model`.
    rows
        A file that holds at least the model's columns, by name.
    uri
        The store's address; if None, MLFLOW_TRACKING_URI or the checkout's own.
    separator, header
        How the file is read.
    allow
        Modules beside scikit-learn that the model may be made of; their code is run.

    Raises
    ------
    UserError
        There is no such model, or the rows do not fit it.
    """
    kept = find_model(open_store(uri), model, allow)
    preprocess = kept.pipeline[0]
    asked = Reading(
        path=rows,
        separator=separator,
        header=header,
        missing="impute" if imputes(preprocess) else "refuse",
        keys=KEYS,
    )
    table, features = read_rows(asked, kept.columns)
    given = pd.DataFrame({column.name: column.cells for column in table.columns})
    answers = answer(kept.pipeline, features, kept.class_names)
    return Predicted(pd.concat([given, answers], axis="columns"), unknown_categories(preprocess, features))


def remarks(unknown: Mapping[str, list[str]]) -> list[str]:
    """Say of each column which values the model does not know."""
    return [
        say_number(
            "note: column {name}: {number} value that the model was not trained with ({values}); it takes such a row "
            "for none of the column's categories",
            "note: column {name}: {number} values that the model was not trained with ({values}); it takes such a row "
            "for none of the column's categories",
            len(values),
            name=repr(name),
            values=listed(map(repr, values), most=MOST_VALUES),
        )
        for name, values in unknown.items()
    ]
