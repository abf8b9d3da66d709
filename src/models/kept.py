"""Fitted pipelines in files, and their answers. A kept model takes this file with it.

No pickle: skops' files name types and hold arrays, and are read only if every type is one that a pipeline of this
project is made of.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

# Whose classes a saved pipeline may be made of. Whatever else a file names is refused, not executed: functions too, as
# an estimator may call one that it holds, and NumPy has some that evaluate text.
TRUSTED = ("sklearn.", "src.models.", "numpy.", "scipy.")


def write_pipeline(pipeline: Any, path: Path) -> None:
    """Write a fitted pipeline."""
    _skops().dump(pipeline, path)


def read_pipeline(path: str | Path) -> Any:
    """Read a saved pipeline; raises skops' UntrustedTypesFoundException for a file that holds anything else."""
    named = _skops().get_untrusted_types(file=path)
    return _skops().load(path, trusted=[name for name in named if name.startswith(TRUSTED) and _is_class(name)])


def _is_class(name: str) -> bool:
    module, _, attribute = name.rpartition(".")
    try:
        return isinstance(getattr(import_module(module), attribute, None), type)
    except ImportError:
        return False


def answer(pipeline: Any, rows: pd.DataFrame, class_names: Sequence[str]) -> pd.DataFrame:
    """Return a pipeline's answer to rows: ``predicted``, and ``probability CLASS`` for each of `class_names`."""
    classes = list(map(str, pipeline.classes_))
    probabilities = pipeline.predict_proba(rows)
    predicted = np.array(classes, dtype=object)[probabilities.argmax(axis=1)]
    columns = {f"probability {name}": probabilities[:, classes.index(name)] for name in class_names}
    return pd.DataFrame({"predicted": predicted, **columns})


def _skops() -> Any:
    """Import skops without its list of what it trusts by itself beyond containers and numbers.

    It makes the list by importing all of scikit-learn and looking up every ufunc in every module: 1 to 2 s. `TRUSTED`
    says what is to be trusted.
    """
    if "skops.io" not in sys.modules:
        generators = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")
        others = [f"{name}_TYPE_NAMES" for name in ("NUMPY_DTYPE", "NUMPY_UFUNC", "SCIPY_UFUNC")]
        others += [f"SKLEARN_{name}_TYPE_NAMES" for name in ("ESTIMATOR", "INTERNAL")]
        trusted = ModuleType("skops.io._trusted_types")
        vars(trusted).update(
            PRIMITIVE_TYPE_NAMES=[f"builtins.{kind}" for kind in ("int", "float", "str", "bool")],
            CONTAINER_TYPE_NAMES=[f"builtins.{kind}" for kind in ("list", "set", "map", "tuple")],
            NUMPY_RANDOM_BIT_GENERATOR_TYPE_NAMES=[f"numpy.random.{name}" for name in generators],
            **{key: [] for key in others},
        )
        sys.modules.setdefault(trusted.__name__, trusted)
    import skops.io

    return skops.io
