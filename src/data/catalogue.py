"""The data sets by name."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from src.data.csv_file import Missing, load_csv
from src.data.dataset import DataError, Dataset, content_digest
from src.data.table import did_you_mean

_TABLES = Path(__file__).parent / "tables"

_SCIKIT_LEARN = ("iris", "wine", "breast_cancer", "digits")

NAMES = ("ex4", *_SCIKIT_LEARN, "csv")


def load(
    name: str,
    *,
    path: str | Path | None = None,
    target: str | int | None = None,
    header: bool = True,
    separator: str = ",",
    missing: Missing = "refuse",
    categorical: Sequence[str | int] = (),
    weights: str | int | None = None,
    groups: str | int | None = None,
    fold: str | int | None = None,
) -> Dataset:
    """The data set of that name (`NAMES`).

    All other arguments are about the user's own file, `name='csv'` (see `load_csv`), and mean nothing to the others.

    Raises
    ------
    DataError
        There is no data set of that name; 'csv' without a path; a file that cannot be used.
    """
    if name == "ex4":
        return replace(
            load_csv(_TABLES / "ex4.csv"),
            source="Andrew Ng, Deep Learning (Stanford OpenClassroom), exercise 4; see src/data/tables/README.md",
        )
    if name in _SCIKIT_LEARN:
        return _from_scikit_learn(name)
    if name != "csv":
        raise DataError(f"data.name: {name!r} is not a data set.{did_you_mean(name, NAMES)} ({', '.join(NAMES)})")
    if not path:
        raise DataError("data.path: data=csv needs the path of your file, for example data.path=table.csv.")
    return load_csv(
        path,
        target=target,
        header=header,
        separator=separator,
        missing=missing,
        categorical=categorical,
        weights=weights,
        groups=groups,
        fold=fold,
    )


def _from_scikit_learn(name: str) -> Dataset:
    from sklearn import datasets  # for whom it is

    bunch = getattr(datasets, f"load_{name}")()
    features = pd.DataFrame(
        np.asarray(bunch.data, np.float64),
        columns=pd.Index([str(column) for column in bunch.feature_names], dtype=object),
    )
    target = np.asarray(bunch.target, np.int64)
    class_names = tuple(str(label) for label in bunch.target_names)
    return Dataset(
        name=name,
        features=features,
        target=target,
        class_names=class_names,
        sample_weight=None,
        digest=content_digest(features, target, class_names, None),
        source="scikit-learn",
    )
