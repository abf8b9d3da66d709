"""The answers of a kept model to rows of the user's own."""

from collections.abc import Collection
from pathlib import Path

from src.data.csv_file import refuse
from src.data.new_rows import imputes, read_rows, unknown_categories
from src.data.table import Keys, Reading
from src.language import listed, say_number
from src.models.kept import answer
from src.tracking import artifacts
from src.tracking.models import find_model
from src.tracking.opening import open_store
from src.words import first_of

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


def predict(
    model: str,
    rows: Path,
    *,
    uri: str | None = None,
    separator: str = ",",
    header: bool = True,
    allow: Collection[str] = (),
) -> tuple[bytes, list[str]]:
    """Let a kept model answer to the rows of a file.

    Parameters
    ----------
    model : as in `src.tracking.models.find_model`.
    rows : a file that holds at least the model's columns, by name.
    uri : the store's address; if None, MLFLOW_TRACKING_URI or the checkout's own.
    separator, header : how the file is read.
    allow : modules beside scikit-learn that the model may be made of; their code is run.

    Returns
    -------
    tuple : a CSV file, harmless to a spreadsheet and a terminal, with a row for each of the file's: its columns as they
        are written there, then ``predicted`` and ``probability CLASS`` of each class; and a sentence for each column of
        text with values that the model was not trained with: they count as none of its categories.

    Raises
    ------
    UserError : there is no such model, or the rows do not fit it or hold answers already.
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
    answers = answer(kept.pipeline, features, kept.class_names)
    if answered := [repr(name) for name in answers if name in table.names and name not in kept.columns]:
        refuse(
            table.file, f"columns {first_of(answered)}: what a model answers is called so too; remove or rename them."
        )
    columns = [*(column.cells for column in table.columns), *(answers[name] for name in answers)]
    notes = [
        say_number(
            "note: column {name}: {number} value that the model was not trained with ({values}); it takes such a row "
            "for none of the column's categories",
            "note: column {name}: {number} values that the model was not trained with ({values}); it takes such a row "
            "for none of the column's categories",
            len(values),
            name=repr(name),
            values=listed(map(repr, values), most=MOST_VALUES),
        )
        for name, values in unknown_categories(preprocess, features).items()
    ]
    return artifacts.table([*table.names, *answers], zip(*columns, strict=True)), notes
