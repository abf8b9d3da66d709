"""A fitted pipeline as a folder in MLflow's format of models, which `mlflow.pyfunc.load_model` and the server read.

Written without importing MLflow, which takes 1.5 s, and without its look at everything that is installed, which takes
0.4 s a model; a test compares the folder, file by file, with the one that `mlflow.pyfunc.save_model` writes.

MLflow's own scikit-learn flavour answers either classes or bare probabilities; a "model from code" (`served.py`)
answers both, with the classes' names. The requirements are the installed versions, named outright.
"""

import json
import platform
import shutil
import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from src.config.identity import Module
from src.folders import ROOT
from src.models.kept import write_pipeline
from src.tracking import artifacts

DESCRIPTION = "MLmodel"  # in a model's folder
PIPELINE = "artifacts/pipeline.skops"  # likewise
EXAMPLE_ROWS = 10
SCRIPT = Path(__file__).with_name("served.py")
# What a pipeline with a network in it imports.
CODE = ("__init__.py", "errors.py", "escaping.py", "words.py", "models/**/*.py", "network/**/*.py")
REQUIREMENTS = ("mlflow", "numpy", "pandas", "scikit-learn", "scipy", "skops", "threadpoolctl")


def save_model(
    folder: Path,
    pipeline: Any,
    features: pd.DataFrame,
    class_names: Sequence[str],
    *,
    modules: Collection[Module] = (),
    run_id: str | None = None,
    model_id: str | None = None,
) -> None:
    """Write a fitted pipeline as an MLflow model.

    Parameters
    ----------
    folder : where; it is made, or holds nothing yet.
    pipeline : fitted; takes rows of `features`, knows its classes by name.
    features : the data set's features; the first rows become the input example.
    class_names : in the order in which the answer's columns are to stand.
    modules : what it is made of beside scikit-learn: packages are required, source files go with it.
    run_id, model_id : the run that it belongs to, and its own id, where it has them.
    """
    (folder / PIPELINE).parent.mkdir(parents=True)
    write_pipeline(pipeline, folder / PIPELINE)
    example = features.head(EXAMPLE_ROWS).astype(object)
    split: dict[str, Any] = example.where(example.notna(), None).to_dict("split", index=False)
    artifacts.write_files(
        folder,
        {
            **_environment(tuple(package for module in modules for package in module.packages)),
            "input_example.json": json.dumps(split).encode(),
            "serving_input_example.json": json.dumps({"dataframe_split": split}, indent=2).encode(),
        },
    )
    shutil.copy(SCRIPT, folder)
    allow = [module.name for module in modules]
    described = _description(features, class_names, allow) | {"run_id": run_id, "model_id": model_id}
    described["model_size_bytes"] = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    files = [(ROOT, file.relative_to(ROOT)) for name in CODE for file in sorted((ROOT / "src").glob(name))]
    files += [(module.folder, file) for module in modules for file in module.files]
    for root, file in files:
        (folder / "code" / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / file, folder / "code" / file)
    present = {key: value for key, value in described.items() if value is not None or key == "prompts"}
    (folder / DESCRIPTION).write_bytes(_yaml(present, sort_keys=True))


@cache
def _environment(packages: Sequence[str]) -> Mapping[str, bytes]:
    """The files that say what a model needs installed, `packages` among it."""
    requirements = [*(f"{name}=={version(name)}" for name in REQUIREMENTS), *packages]
    python = platform.python_version()
    # An environment need not hold them: from Python 3.12 on it has no setuptools, and one that uv makes has no pip.
    tools = [_with_version(name, "==") for name in ("pip", "setuptools", "wheel")]
    conda = [f"python={python}", _with_version("pip", "<="), {"pip": requirements}]
    return {
        "requirements.txt": "\n".join(requirements).encode(),
        "conda.yaml": _yaml({"channels": ["conda-forge"], "dependencies": conda, "name": "mlflow-env"}),
        "python_env.yaml": _yaml(
            {"python": python, "build_dependencies": tools, "dependencies": ["-r requirements.txt"]}
        ),
    }


def _with_version(package: str, relation: str) -> str:
    try:
        return f"{package}{relation}{version(package)}"
    except PackageNotFoundError:
        return package


def _description(features: pd.DataFrame, class_names: Sequence[str], allow: Sequence[str]) -> dict[str, Any]:
    """What the file MLmodel says: how the model is loaded, what it takes (by column) and what it gives."""
    numeric = features.select_dtypes("number").columns
    # Not "double": for that MLflow refuses whole numbers of 64 bits, which pandas makes of a file without a point.
    takes = {str(name): "any" if name in numeric else "string" for name in features.columns}
    gives = {"predicted": "string"} | {artifacts.probability_column(name): "double" for name in class_names}
    return {
        "flavors": {
            "python_function": {
                "artifacts": {"pipeline": {"path": PIPELINE, "uri": PIPELINE}},
                "cloudpickle_version": version("cloudpickle"),
                "code": "code",
                "config": {"class_names": list(class_names), **({"allow": allow} if allow else {})},
                "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
                "loader_module": "mlflow.pyfunc.loaders.code_model",
                "model_code_path": SCRIPT.name,
                "python_version": platform.python_version(),
                "streamable": False,
            }
        },
        "is_signature_from_type_hint": False,
        "mlflow_version": version("mlflow"),
        "model_uuid": uuid.uuid4().hex,
        "prompts": None,
        "saved_input_example_info": {
            "artifact_path": "input_example.json",
            "pandas_orient": "split",
            "serving_input_path": "serving_input_example.json",
            "type": "dataframe",
        },
        "signature": {"inputs": _schema(takes), "outputs": _schema(gives), "params": None},
        "type_hint_from_example": False,
        "utc_time_created": str(datetime.now(UTC).replace(tzinfo=None)),
    }


def _schema(columns: Mapping[str, str]) -> str:
    return json.dumps([{"type": kind, "name": name, "required": True} for name, kind in columns.items()])


def _yaml(value: Any, *, sort_keys: bool = False) -> bytes:
    return yaml.safe_dump(value, sort_keys=sort_keys, allow_unicode=True, default_flow_style=False).encode()
