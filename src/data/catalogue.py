"""The data sets by name."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from src.data.csv_file import CsvFile, load_csv
from src.data.dataset import DataError, Dataset
from src.words import did_you_mean

_TABLES = Path(__file__).parent / "tables"
# Files in that folder, each named after its data set and read as a user's own, and where their rows come from.
_BUNDLED = {
    "ex4": "Andrew Ng, Deep Learning (Stanford OpenClassroom), exercise 4; see src/data/tables/README.md",
}
_SCIKIT_LEARN = ("iris", "wine", "breast_cancer", "digits")

NAMES = (*_BUNDLED, *_SCIKIT_LEARN, "csv")


def load(name: str, *, path: str | Path | None = None, **asked: Any) -> Dataset:
    """The data set of that name (`NAMES`).

    All other arguments are those of `CsvFile`: they are about the user's own file, `name='csv'`, and mean nothing to
    the others.

    Raises DataError for a name that is no data set's, for 'csv' without a path, and for a file that cannot be used.
    """
    if name in _BUNDLED:
        return replace(load_csv(CsvFile(path=_TABLES / f"{name}.csv")), source=_BUNDLED[name])
    if name in _SCIKIT_LEARN:
        from sklearn import datasets  # late: only these need it

        bunch = getattr(datasets, f"load_{name}")()
        columns = pd.Index([str(column) for column in bunch.feature_names], dtype=object)
        return Dataset(
            name=name,
            features=pd.DataFrame(np.asarray(bunch.data, np.float64), columns=columns),
            target=np.asarray(bunch.target, np.int64),
            class_names=tuple(str(label) for label in bunch.target_names),
            sample_weight=None,
            source="scikit-learn",
        )
    if name != "csv":
        raise DataError(f"data.name: {name!r} is not a data set.{did_you_mean(name, NAMES)} ({', '.join(NAMES)})")
    if not path:
        raise DataError("data.path: data=csv needs the path of your file, for example data.path=table.csv.")
    return load_csv(CsvFile(path=path, **asked))
