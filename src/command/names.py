"""Short names for runs: what varies among the jobs."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from src.comparison.jobs import DATA, ESTIMATOR, MODEL
from src.comparison.naming import distinct, model_label, short_keys, varying
from src.config import JobConfig, flatten
from src.sweep.jobs import Job


def run_names(jobs: Sequence[Job]) -> list[str]:
    """Name each job by what varies, the key that varies most first, as `0.3 learning_rate, 0 l2, bp`.

    Values come first because MLflow's tree of runs shows about 12 characters. A job alone is called by its model and
    what differs from the defaults, as `bp, 0.1 learning_rate`.
    """
    flats = [job.flat for job in jobs]
    if len(jobs) == 1:
        default = flatten(JobConfig().model_dump(mode="json"))
        changed = [key for key, value in flats[0].items() if value != default.get(key)]
        own = [key for key in changed if key not in (MODEL, ESTIMATOR)]
        return [", ".join([model_label(flats[0]), *_texts(flats[0], own)])]
    keys = _counts(flats)
    return [", ".join(_texts(flat, keys)) or str(flat[MODEL]) for flat in flats]


def sweep_name(jobs: Sequence[Job], *, search: bool = False) -> str:
    """Name a sweep by its axes, as `9 learning_rate × 3 models`; a sweep of one job by its model.

    Jobs that are not all combinations of what varies are counted: `8 jobs: model, learning_rate`. A search has no fixed
    number of values: `search: learning_rate, l2`.
    """
    counts = _counts([{**job.flat, MODEL: model_label(job.flat)} for job in jobs])
    axes = [key.removesuffix(".name").rpartition(".")[2] for key in counts]
    model = jobs[0].checked.model.name
    if search:
        return "search: " + (", ".join(axes) or model)
    if axes and math.prod(counts.values()) != len(jobs):
        return f"{len(jobs)} jobs: " + ", ".join(axes)
    return " × ".join(f"{count} {_several(axis)}" for count, axis in zip(counts.values(), axes, strict=True)) or model


def _several(axis: str) -> str:
    """The plural of a key that is a word: `models`, `losses`, `data sets`; `learning_rate`, `l2`, `C` stay."""
    if axis == "data":
        return "data sets"
    if not axis.isalpha() or len(axis) == 1:
        return axis
    return axis + ("es" if axis.endswith("ss") else "" if axis.endswith("s") else "s")


def _counts(flats: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many values each key has that varies among the jobs, most first."""
    counts = {key: len(distinct(flats, key)) for key in varying(flats)}
    return dict(sorted(counts.items(), key=lambda item: -item[1]))


def _texts(flat: Mapping[str, Any], keys: Iterable[str]) -> Iterator[str]:
    """A job's values of those keys that it has: `0.3 learning_rate`, `[8,4] hidden_layer_sizes`, `iris`."""
    for key, short in short_keys(keys).items():
        if key in flat:
            value = flat[key]
            shown = "[" + ",".join(map(str, value)) + "]" if isinstance(value, list) else str(value)
            yield shown if key in (MODEL, DATA) else f"{shown} {short}"
