"""Tables that are handed over in Python, as files: from then on they are the user's own files like any other."""

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from src.data.dataset import DataError
from src.folders import own_folder, reason

FOLDER = own_folder() / "frames"  # a record names the files in it


def joined(X: Any, y: Any) -> pd.DataFrame:
    """The features and, as the last column, the classes; a column without a name is called x0, x1, ..."""
    features = pd.DataFrame(X).rename(columns=lambda name: name if isinstance(name, str) else f"x{name}")
    labels = np.ravel(y)
    name = str(getattr(y, "name", None) or "target")
    if len(labels) != len(features):
        raise DataError(f"data: X has {len(features)} rows and y has {len(labels)}; they have to be as many.")
    if name in features.columns:
        raise DataError(f"data: y is called {name!r}, and so is a column of X. Rename one.")
    return features.assign(**{name: labels})


def kept(frame: pd.DataFrame) -> Path:
    """Write a table into `FOLDER`, under a name made of its content's digest; return the file.

    A float is written with the digits that read back the same bits, one of fewer bits as the float64 it equals.
    """
    narrow = [name for name, kind in frame.dtypes.items() if kind in (np.float16, np.float32)]
    content = frame.astype(dict.fromkeys(narrow, np.float64)).to_csv(index=False, lineterminator="\n").encode()
    file = FOLDER / f"frame-{hashlib.sha256(content).hexdigest()[:12]}.csv"
    if not file.exists():
        partial = file.with_suffix(f".{os.getpid()}")  # another process may be writing the same
        try:
            FOLDER.mkdir(exist_ok=True)
            partial.write_bytes(content)
            partial.replace(file)
        except OSError as error:
            raise DataError(f"data: {file} cannot be written: {reason(error)}.") from error
    return file
