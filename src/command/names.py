"""Short names for runs: what varies among the jobs."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from src.comparison.jobs import DATA, ESTIMATOR, MODEL
from src.comparison.naming import model_label, short_keys
from src.config import JobConfig, flatten
from src.sweep.jobs import Job


def run_names(jobs: Sequence[Job]) -> list[str]:
    """Name each job by what varies, the key that varies most first, as `0.3 learning_rate, 0 l2, bp`.

    Values come first because MLflow's tree of runs shows about 12 characters. A job alone is called by its model and
    what differs from the defaults, as `bp, 0.1 learning_rate`.
    """
    flat = [job.flat for job in jobs]
    if len(jobs) == 1:
        default = flatten(JobConfig().model_dump(mode="json"))
        changed = [key for key, value in flat[0].items() if value != default.get(key)]
        own = [key for key in changed if key not in (MODEL, ESTIMATOR)]
        return [", ".join([model_label(flat[0]), *_texts(flat[0], own)])]
    varying = varying_values(flat)
    return [", ".join(_texts(each, varying)) or str(each[MODEL]) for each in flat]


def sweep_name(jobs: Sequence[Job], *, search: bool = False) -> str:
    """Name a sweep by its axes, as `9 learning_rate × 3 models`; a sweep of one job by its model.

    Jobs that are not all combinations of what varies are counted: `8 jobs: model, learning_rate`. A search has no fixed
    number of values: `search: learning_rate, l2`.
    """
    flats = [{**job.flat, MODEL: model_label(job.flat)} for job in jobs]
    varying = varying_values([{key: value for key, value in flat.items() if key != ESTIMATOR} for flat in flats])
    axes = [(count, key.removesuffix(".name").rpartition(".")[2]) for key, count in varying.items()]
    model = jobs[0].checked.model.name
    if search:
        return "search: " + (", ".join(axis for _, axis in axes) or model)
    if varying and math.prod(varying.values()) != len(jobs):
        return f"{len(jobs)} jobs: " + ", ".join(axis for _, axis in axes)
    return " × ".join(f"{count} {_several(axis)}" for count, axis in axes) or model


def _several(axis: str) -> str:
    """The plural of a key that is a word: `models`, `losses`, `data sets`; `learning_rate`, `l2`, `C` stay."""
    if axis == "data":
        return "data sets"
    if not axis.isalpha() or len(axis) == 1:
        return axis
    return axis + ("es" if axis.endswith("ss") else "" if axis.endswith("s") else "s")


def varying_values(flat: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return the keys with more than one value among the jobs that have them, and how many, most values first."""
    values: dict[str, set[str]] = {}
    for each in flat:
        for key, value in each.items():
            values.setdefault(key, set()).add(repr(value))
    counts = {key: len(found) for key, found in values.items() if len(found) > 1}
    return dict(sorted(counts.items(), key=lambda item: -item[1]))


def _texts(flat: Mapping[str, Any], keys: Iterable[str]) -> Iterator[str]:
    """A job's values of those keys that it has: `0.3 learning_rate`, `[8,4] hidden_layer_sizes`, `iris`."""
    for key, short in short_keys(keys).items():
        if key in flat:
            value = flat[key]
            shown = "[" + ",".join(map(str, value)) + "]" if isinstance(value, list) else str(value)
            yield shown if key in (MODEL, DATA) else f"{shown} {short}"
