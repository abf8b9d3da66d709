"""What a data set is, and the digest that identifies its content."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_numeric_dtype

from src.errors import UserError


class DataError(UserError):
    """A data set that cannot be used as it is; the text says where, what was found and how to mend it."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """A table to learn from: n rows, C classes.

    Nothing in it is scaled, encoded or imputed: that is fitted on each fold's training part (`make_preprocessor`).

    Attributes
    ----------
    name : what the data set is called: its choice in the configuration, or the stem of the user's file.
    features : (n, columns). A numeric column is float64 with NaN where a value is missing; a categorical one has dtype
        object and holds str, and NaN where a value is missing.
    target : (n,) class codes 0 ... C-1, int64.
    class_names : the C labels as text; a code is a position in it.
    sample_weight : (n,) positive weights, or None when all rows count the same.
    source : where the rows come from: an absolute path, or words.
    target_name : the target column's name.
    groups : (n,) codes of the groups, 0 ... G-1 in the order of their sorted labels, int64: rows of one group belong
        together and never stand on both sides of a split. None when every row stands for itself.
    groups_name : the name of the column that holds the groups, or None.
    fold : (n,) codes of the given folds, 0 ... K-1 in the order of their sorted labels, int64: each is one test part.
        None when the folds are drawn.
    """

    name: str
    features: pd.DataFrame
    target: NDArray[np.int64]
    class_names: tuple[str, ...]
    sample_weight: NDArray[np.float64] | None
    source: str
    target_name: str = "target"
    groups: NDArray[np.int64] | None = None
    groups_name: str | None = None
    fold: NDArray[np.int64] | None = None

    @property
    def feature_names(self) -> tuple[str, ...]:
        """All feature columns, in their order in the table."""
        return tuple(self.features.columns)

    @cached_property
    def numeric_names(self) -> tuple[str, ...]:
        """The columns that hold numbers."""
        return tuple(name for name in self.feature_names if is_numeric_dtype(self.features[name]))

    @cached_property
    def categorical_names(self) -> tuple[str, ...]:
        """The columns that hold text."""
        return tuple(name for name in self.feature_names if not is_numeric_dtype(self.features[name]))

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of the content: column names and kinds, values, labels, weights, groups, given folds.

        Not in it: the data set's name, its source, the target column's name. The bytes hashed depend on the content
        alone, not on the machine or on a library's version: one line of JSON that describes the table, then each column
        in turn (numbers as little-endian float64, with one NaN and no negative zero; text as one line of JSON, null for
        missing), the class codes as little-endian int64, the weights, if any, as little-endian float64, and the codes
        of the groups and of the given folds, if any, as little-endian int64 (the description then says so, else
        nothing).
        """
        numeric = self.numeric_names
        codes = {key: codes for key, codes in (("groups", self.groups), ("fold", self.fold)) if codes is not None}
        description = {
            "columns": [[name, "numeric" if name in numeric else "categorical"] for name in self.feature_names],
            "rows": len(self.features),
            "classes": list(self.class_names),
            "weighted": self.sample_weight is not None,
            **dict.fromkeys(codes, True),
        }
        content = hashlib.sha256(_json_line(description))
        for name in self.feature_names:
            column = self.features[name]
            if name in numeric:
                content.update(_float_bytes(column.to_numpy(np.float64)))
            else:
                cells = zip(column, column.isna(), strict=True)
                content.update(_json_line([None if missing else text for text, missing in cells]))
        content.update(_integer_bytes(self.target))
        if self.sample_weight is not None:
            content.update(_float_bytes(self.sample_weight))
        for values in codes.values():
            content.update(_integer_bytes(values))
        return content.hexdigest()


def _json_line(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode("ascii") + b"\n"


def _integer_bytes(values: NDArray[np.int64]) -> bytes:
    return np.asarray(values).astype("<i8").tobytes()


def _float_bytes(values: NDArray[np.float64]) -> bytes:
    # Adding +0.0 turns -0.0 into 0.0; a NaN may carry any sign and payload, so one is chosen.
    return np.where(np.isnan(values), np.nan, values + 0.0).astype("<f8").tobytes()
