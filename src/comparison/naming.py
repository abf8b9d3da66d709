"""What varies among jobs, and what candidates, settings and data sets are called because of it."""

import functools
import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml

from src.comparison.jobs import DATA, ESTIMATOR, INNER_ESTIMATOR, MODEL, SEED, RecordedJob
from src.config import flatten
from src.config.schema import DataConfig

Key = TypeVar("Key")
Value = TypeVar("Value")

SHOWN_DIGITS = 6  # of a number that a search proposed, which has 17
MODELS = Path(__file__).resolve().parents[2] / "conf" / "model"  # a file for each choice of `model`
_WORDS_THAT_NEED_THEIR_KEY = ("full", "true", "false")


def value_text(value: Any, digits: int = 15) -> str:
    """A value as the configuration spells it: 0.001, [4, 4], true, null; a whole float without its `.0`."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(value_text(item, digits) for item in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {value_text(item, digits)}" for key, item in value.items()) + "}"
    return str(value)


def is_number(value: Any) -> bool:
    """Whether a value is one that is tuned: a number, and no true or false."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def distinct(flats: Iterable[Mapping[str, Any]], key: str) -> list[Any]:
    """The different values of a key among the jobs that have it: numbers ascending, others as they come."""
    values = list({value_text(flat[key]): flat[key] for flat in flats if key in flat}.values())
    return sorted(values) if all(map(is_number, values)) else values


def varying(flats: Sequence[Mapping[str, Any]]) -> list[str]:
    """The keys whose values differ among jobs: data, model, then those with the most values, the learning rate first.

    A job that has no use for a key does not make it vary, nor does a key of a group that follows from the group's name
    (`model.init`, where each model has its own).
    """
    counts = {}
    for key in dict.fromkeys(itertools.chain(*flats)):
        values = [flat[key] for flat in flats if key in flat]
        if len(set(map(type, values))) == 1 and values.count(values[0]) == len(values):
            continue  # as most keys of thousands of jobs, seen at once
        count = len(set(map(value_text, values)))
        if count > 1 and not _follows_from_name(key, flats):
            counts[key] = count
    first = {DATA: 0, MODEL: 1}
    return sorted(counts, key=lambda key: (first.get(key, 2), -counts[key], key != "training.learning_rate"))


def _follows_from_name(key: str, flats: Sequence[Mapping[str, Any]]) -> bool:
    name = f"{key.partition('.')[0]}.name"
    pairs = {(flat[name], value_text(flat[key])) for flat in flats if key in flat and name in flat}
    return key != name and bool(pairs) and len(pairs) == len({group for group, _ in pairs})


def tuned(flats: Sequence[Mapping[str, Any]]) -> list[str]:
    """The varying keys of one data set that make a setting: not the model, nor how it is scored."""
    kept = ("data.scale", "data.missing")
    return [
        key
        for key in varying(flats)
        if key.startswith("training.") or key in kept or (key.startswith("model.") and key not in (MODEL, ESTIMATOR))
    ]


def choices(flats: Sequence[Mapping[str, Any]]) -> list[str]:
    """The tuned keys whose values are not all numbers: words and lists are compared, numbers are tuned."""
    return [key for key in tuned(flats) if not all(map(is_number, distinct(flats, key)))]


def numbers(flats: Sequence[Mapping[str, Any]]) -> list[str]:
    """The tuned keys whose values are all numbers, the one with the most values first."""
    return [key for key in tuned(flats) if all(map(is_number, distinct(flats, key)))]


def short_keys(keys: Iterable[str]) -> dict[str, str]:
    """Each dotted key with its shortest name that stays unique among them: `training.l2` is `l2`."""
    leaf = {key: key.rpartition(".")[2] for key in keys}
    shared = {name for name, count in Counter(leaf.values()).items() if count > 1} | {"name"}
    return {key: key if name in shared else name for key, name in leaf.items()}


def setting_text(flat: Mapping[str, Any], keys: Iterable[str]) -> str:
    """The values of some keys on one line, without their groups: `learning_rate=0.1, l2=0.001`."""
    names = short_keys(keys)
    return ", ".join(f"{leaf}={value_text(flat[key], SHOWN_DIGITS)}" for key, leaf in names.items() if key in flat)


def model_label(flat: Mapping[str, Any]) -> str:
    """What a model is called: `bp`, `softmax`; of scikit-learn's kind by its choice, `svm`, or its class, `NuSVC`."""
    return str(flat[MODEL]) if ESTIMATOR not in flat else _label(flat[ESTIMATOR], flat.get(INNER_ESTIMATOR))


def label_of(model: str) -> str:
    """What a model is called that is named by its choice or, as older versions did, by its class."""
    named = (classes for classes, choices in _choices().items() if model in (*choices, _class_label(*classes)))
    return next((_label(*classes) for classes in named), model)


def _label(estimator: str, inner: str | None) -> str:
    """The one choice of `model` that is made of these classes, else these."""
    choices = _choices().get((estimator, inner), ())
    return choices[0] if len(choices) == 1 else _class_label(estimator, inner)


def _class_label(estimator: str, inner: str | None) -> str:
    """A class without its modules, `Outer(Inner)` round another."""
    outer = estimator.rpartition(".")[2]
    return outer if inner is None else f"{outer}({inner.rpartition('.')[2]})"


@functools.cache
def _choices() -> dict[tuple[str, str | None], list[str]]:
    """The choices of `model` that are of scikit-learn's kind, by their class and that of the estimator within."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    models = {file.stem: yaml.load(file.read_text(encoding="utf-8"), loader) for file in MODELS.glob("*.yaml")}
    return grouped(
        ((model["estimator"], flatten(model).get("params.estimator.estimator")), choice)
        for choice, model in models.items()
        if model.get("estimator") and choice != "sklearn"  # which stands for any
    )


def job_label(flat: Mapping[str, Any], keys: Iterable[str]) -> str:
    """A job or a setting in one phrase: its model and what varies, `bp (learning_rate=0.1, l2=0.001)`."""
    own = setting_text(flat, (key for key in keys if key not in (DATA, MODEL, ESTIMATOR)))
    return model_label(flat) + (f" ({own})" if own else "")


def data_name(data: DataConfig) -> str:
    """What a data set is called: a file by its name without the ending."""
    return Path(data.path).stem if data.name == "csv" and data.path else data.name


def candidate_names(flats: Sequence[Mapping[str, Any]], most_settings: int) -> list[str]:
    """Name the candidate that each job of one data set belongs to.

    Numbers are tuned, words and lists are compared. Several models are a candidate each, and everything else is their
    setting. Of one model each combination of words and lists (activation, loss, layers, batch size 'full' or 32) is
    one. Where only numbers vary, each setting is one if there are at most `most_settings`, else the model.
    """
    models = [model_label(flat) for flat in flats]
    if len(set(models)) > 1:
        return models
    words = choices(flats)
    if words:
        return [name or model for name, model in zip(_choice_names(flats, words), models, strict=True)]
    own = [key for key in varying(flats) if key not in (SEED, DATA)]
    labels = [setting_text(flat, own) for flat in flats]
    if not own or len(set(labels)) > most_settings or any(flat.get("cv.inner_folds") for flat in flats):
        return models
    return labels


def _choice_names(flats: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> list[str]:
    """Words and lists by themselves, where no two keys share one; else with their keys."""

    def says_itself(value: str) -> bool:
        return value.startswith("[") or (value.replace("_", "").isalpha() and value not in _WORDS_THAT_NEED_THEIR_KEY)

    values = [{value_text(flat[key]) for flat in flats if key in flat} for key in keys]
    every = set().union(*values)
    if not all(map(says_itself, every)) or sum(map(len, values)) > len(every):
        return [setting_text(flat, keys) for flat in flats]
    return [" + ".join(value_text(flat[key]) for key in keys if key in flat) for flat in flats]


def by_data(jobs: Sequence[RecordedJob]) -> dict[str, list[RecordedJob]]:
    """The jobs of each data set by what it is called; those of one name are told apart by their content's digest."""
    digests = grouped({(job.data, job.data_digest) for job in jobs})
    return grouped(
        (job.data if len(digests[job.data]) == 1 else f"{job.data} {job.data_digest[:8]}", job) for job in jobs
    )


def grouped(pairs: Iterable[tuple[Key, Value]]) -> dict[Key, list[Value]]:
    """The values of each key, keys and values in the order in which they come."""
    groups: dict[Key, list[Value]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return groups
