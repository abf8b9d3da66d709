"""Fitted pipelines in files, and their answers. A kept model takes this file with it.

No pickle: skops' files name types and hold arrays, and are read only if every type is one that a pipeline of this
project is made of.
"""

import json
import sys
import zipfile
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import IO, Any

import numpy as np
import pandas as pd

# What a saved pipeline may be made of, by how skops rebuilds it. Whatever else a file names is refused before anything
# is imported or made. A function or a class that an estimator holds may be called by it, and NumPy has some that
# evaluate text and some that write files: none is let in but the types of numbers and texts.
_PLAIN = ("Dict", "DefaultDict", "List", "Set", "Tuple", "Slice", "Json", "Bytes", "Bytearray")
_ARRAYS = ("NdArray", "MaskedArray", "DType", "SparseMatrix", "RandomState", "RandomGenerator")
TRUSTED = {
    **dict.fromkeys(_PLAIN, ("builtins.", "collections.", "numpy.")),
    **dict.fromkeys(_ARRAYS, ("numpy.", "scipy.sparse.")),
    "Object": ("sklearn.", "src.models."),
    "Tree": ("sklearn.tree._tree.",),
    "Loss": ("sklearn._loss._loss.", "sklearn.linear_model._sgd_fast."),
}
_TYPES = ("builtins.str", "builtins.int", "builtins.float", "builtins.bool", "collections.OrderedDict")


def write_pipeline(pipeline: Any, path: Path) -> None:
    """Write a fitted pipeline."""
    skops_io().dump(pipeline, path)


def read_pipeline(file: str | Path | IO[bytes], allow: Collection[str] = ()) -> Any:
    """Read a saved pipeline; raises skops' UntrustedTypesFoundException for a file that holds anything else.

    It may hold objects of the modules that `allow` names, such as xgboost: their code is run.
    """
    skops = skops_io()
    with zipfile.ZipFile(file) as archive:
        packed = [entry.filename for entry in archive.infolist() if entry.compress_type != zipfile.ZIP_STORED]
        if packed:  # `write_pipeline` packs nothing; what is packed may be larger than any memory
            raise skops.exceptions.UntrustedTypesFoundException(packed)
        nodes = list(_nodes(json.loads(archive.read("schema.json"))))
    named = [(loader, f"{node['__module__']}.{node['__class__']}") for loader, node in nodes]
    if unknown := sorted({name for loader, name in named if not _is_trusted(loader, name, allow)}):
        raise skops.exceptions.UntrustedTypesFoundException(unknown)
    return skops.load(file, trusted=sorted({*skops.get_untrusted_types(file=file)} & {name for _, name in named}))


def _nodes(tree: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each node of a file's tree with the name of what rebuilds it."""
    inner = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    for each in inner:
        yield from _nodes(each)
    if isinstance(tree, dict) and "__loader__" in tree:
        yield str(tree["__loader__"]).removesuffix("Node"), tree


def _is_trusted(loader: str, name: str, allow: Collection[str]) -> bool:
    if loader == "Type":
        scalar = getattr(np, name.removeprefix("numpy."), None) if name.startswith("numpy.") else None
        return name in _TYPES or (isinstance(scalar, type) and issubclass(scalar, np.generic))
    own = tuple(f"{module}." for module in allow) if loader == "Object" else ()
    return name.startswith((*TRUSTED.get(loader, ()), *own))


def answer(pipeline: Any, rows: pd.DataFrame, class_names: Sequence[str]) -> pd.DataFrame:
    """Return a pipeline's answer to rows: ``predicted``, and ``probability CLASS`` for each of `class_names`."""
    classes = list(map(str, pipeline.classes_))
    probabilities = pipeline.predict_proba(rows)
    predicted = np.array(classes, dtype=object)[probabilities.argmax(axis=1)]
    columns = {f"probability {name}": probabilities[:, classes.index(name)] for name in class_names}
    return pd.DataFrame({"predicted": predicted, **columns})


def skops_io() -> Any:
    """Import `skops.io` without its list of what it trusts by itself beyond containers and numbers.

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
    import skops.io.exceptions

    return skops.io
