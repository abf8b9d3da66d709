"""The files of a run: what is in them, and how they get to where the run keeps its artifacts."""

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from itertools import repeat
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np
import yaml
from pydantic import TypeAdapter

from src.comparison.held_out import HeldOut
from src.comparison.jobs import FloatArray
from src.config import JobConfig
from src.escaping import csv_cell, json_text, masked, visible
from src.evaluation.results import Failure, JobResult

JOBS = "jobs.json"
OPTIONS = "comparison.yaml"  # what a sweep was asked
CONFIG = "config.yaml"
OVERRIDES = "overrides.yaml"
FOLD_SCORES = "fold_scores.csv"
CLASS_SCORES = "class_scores.csv"
PREDICTIONS = "predictions.csv"
CURVES = "curves.csv"
TRACEBACK = "traceback.txt"
HELD_OUT = "held_out.json"
# Columns of fold_scores.csv that are counts.
WHOLE = ("repeat", "fold", "n_train", "n_test", "parameters", "epochs", "diverged_epoch")

SECTIONS = 1000  # of configurations are remembered: to write or read a whole one takes 0.6 ms, and most are the same
# libyaml's dumper and loader are eight times faster than those in Python; a build without it writes the same text.
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def job_files(
    config: JobConfig,
    overrides: Sequence[str],
    outcome: JobResult | Failure,
    folds: Mapping[str, FloatArray],
    class_names: Sequence[str],
) -> dict[str, bytes]:
    """Write the artifacts of a job's run.

    Returns
    -------
    dict : contents by path: config.yaml and overrides.yaml; for a job with a result fold_scores.csv, class_scores.csv,
        predictions.csv and, if it was trained epoch by epoch, curves.csv; for a failed one traceback.txt.
    """
    files = {CONFIG: config_bytes(config), OVERRIDES: yaml_bytes(list(overrides))}
    if isinstance(outcome, Failure):
        return {**files, TRACEBACK: masked(outcome.traceback).encode()}
    files[FOLD_SCORES] = fold_scores(folds)
    files[CLASS_SCORES] = class_scores(outcome, class_names)
    files[PREDICTIONS] = predictions(outcome, class_names)
    if any(fold.curve is not None for fold in outcome.folds):
        files[CURVES] = curves(outcome)
    return files


def yaml_bytes(value: Any, flow: bool | None = None) -> bytes:
    """Write plain data (as JSON has it) as YAML, keys in their order; by `flow` the innermost stand on one line.

    Passwords are masked, and what a terminal obeys is escaped.
    """
    how: dict[str, Any] = {"Dumper": _Dumper, "sort_keys": False, "default_flow_style": flow}
    text: str = yaml.dump(value, allow_unicode=True, **how)
    if any(visible(line) != line for line in text.split("\n")):
        text = yaml.dump(value, **how)
    return masked(text).encode()


def read_yaml(content: bytes) -> Any:
    """Read plain data that `yaml_bytes` wrote."""
    return yaml.load(content, Loader=_Loader)


def config_bytes(config: JobConfig) -> bytes:
    """Write a job's whole configuration as YAML; what it shares with the jobs before is not written out anew."""
    plain = config.model_dump(mode="json")
    return b"".join(_section_bytes(key, json.dumps(value)) for key, value in plain.items())


@lru_cache(SECTIONS)
def _section_bytes(key: str, value: str) -> bytes:
    plain = json.loads(value)
    return yaml_bytes({key: plain}, flow=None if isinstance(plain, dict) else False)


def read_config(content: bytes) -> dict[str, Any]:
    """Read the plain mapping that `config_bytes` wrote, or an older version: YAML, each section read once."""
    sections = re.split(rb"\n(?=\w)", content)
    return {key: value for section in sections for key, value in _read_section(section).items()}


@lru_cache(SECTIONS)
def _read_section(content: bytes) -> Mapping[str, Any]:
    section: Mapping[str, Any] = read_yaml(content)
    return section


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """Write a table as CSV (UTF-8), texts by `csv_cell`; floats with all the digits that read back the same bits."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([csv_cell(cell) for cell in row] for row in (header, *rows))
    return text.getvalue().encode()


def fold_scores(folds: Mapping[str, FloatArray]) -> bytes:
    """Write one row for each fold, of `JobResult.columns`; a cell is empty where there is no whole number to write."""
    columns = [
        ["" if np.isnan(value) else int(value) for value in values] if name in WHOLE else values.tolist()
        for name, values in folds.items()
    ]
    return table(list(folds), zip(*columns, strict=True))


def read_fold_scores(content: bytes) -> dict[str, FloatArray]:
    """Read back what `fold_scores` wrote: each column of shape (folds,), NaN for an empty cell."""
    header, *rows = csv.reader(io.StringIO(content.decode()))
    values = np.array([[float(cell or "nan") for cell in row] for row in rows])
    return dict(zip(header, values.T, strict=True))


def class_scores(result: JobResult, class_names: Sequence[str]) -> bytes:
    """Write one row for each class: its scores over the out-of-fold predictions, and how many rows it has."""
    scores = result.class_scores()
    columns: dict[str, Iterable[Any]] = {name: values.tolist() for name, values in scores.items()}
    columns["support"] = (np.format_float_positional(rows, trim="-") for rows in scores["support"])
    return table(["class", *columns], zip(class_names, *columns.values(), strict=True))


def probability_column(class_name: str) -> str:
    """Name the column of predictions.csv that holds a class's probability."""
    return f"probability {class_name}"


def predictions(result: JobResult, class_names: Sequence[str]) -> bytes:
    """Write the out-of-fold predictions: for each row of each test part its true and predicted class and probabilities.

    A diverged network predicts nothing: its probabilities are ``nan`` and its predicted class is empty.
    """
    header = ["repeat", "fold", "row", "target", "predicted", *map(probability_column, class_names)]
    names = np.array([*class_names, ""], dtype=object)
    rows: list[Sequence[Any]] = []
    for fold in result.folds:
        best = np.argmax(np.nan_to_num(fold.probabilities), axis=1)
        best[~np.isfinite(fold.probabilities).all(axis=1)] = -1
        columns = (fold.test_index, names[fold.test_target], names[best], *fold.probabilities.T)
        rows += zip(repeat(fold.repeat), repeat(fold.fold), *(column.tolist() for column in columns), strict=False)
    return table(header, rows)


def curves(result: JobResult) -> bytes:
    """Write every recorded point of each fold's learning curve."""
    rows: list[Sequence[Any]] = []
    for fold in result.folds:
        if (curve := fold.curve) is not None:
            columns = (values.tolist() for values in (curve.epochs, curve.train_loss, curve.test_loss))
            rows += ((fold.repeat, fold.fold, *point) for point in zip(*columns, strict=True))
    return table(["repeat", "fold", "epoch", "train_loss", "test_loss"], rows)


def held_out(found: Sequence[HeldOut]) -> bytes:
    """Write what the models kept score on files that were held out."""
    return masked(json_text([asdict(each) for each in found])).encode()


def read_held_out(content: bytes) -> tuple[HeldOut, ...]:
    """Read back what `held_out` wrote."""
    return TypeAdapter(tuple[HeldOut, ...]).validate_python(json.loads(content))


def local_folder(artifact_uri: str) -> Path | None:
    """Return the folder a run's artifacts lie in, None if they are kept elsewhere (a server, S3)."""
    parts = urlsplit(artifact_uri)
    if not parts.scheme:
        return Path(url2pathname(artifact_uri))
    return Path(url2pathname(parts.path)) if parts.scheme == "file" and not parts.netloc else None


def absence(artifact_uri: str) -> str | None:
    """What to say after a sentence about artifacts whose folder is not there; None if it is, or is none of ours."""
    folder = local_folder(artifact_uri)
    if folder is None or folder.is_dir():
        return None
    return f": there is no folder {folder}. Whoever copies mlflow.db copies mlartifacts, which lies beside it, too."


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files below a folder, creating folders on the way."""
    for folder_needed in sorted({(folder / name).parent for name in files}):
        folder_needed.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
