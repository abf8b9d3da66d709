"""The jobs of a sweep: checked, with their data and folds, each one once."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial
from typing import Any

import numpy as np
import psutil
from rich.filesize import decimal

from src import config, data, models
from src.comparison.jobs import flat_config, setting_key
from src.config import ConfigError, JobConfig
from src.config.identity import code_version, modules_of
from src.config.schema import CVConfig
from src.data import Dataset
from src.evaluation.crossval import EstimatorTask, FoldTask, NetworkTask
from src.evaluation.folds import Fold, folds_digest, given_folds, make_folds
from src.models import NETWORKS, ClassWeight, network_bytes
from src.sweep.checking import check_all, fits_of, gather
from src.sweep.compose import Composed
from src.words import counted

# Where a task stands in its job: the outer fold, and the fold inside it or None.
Position = tuple[int, int | None]


@dataclass(frozen=True, eq=False)
class Job:
    """One fully resolved configuration, with the rows it is scored on.

    Attributes
    ----------
    overrides : as typed or swept.
    checked : the whole configuration, valid and typed.
    dataset, folds : the rows, and which of them train and test.
    inner_folds : for each fold the folds inside its training part; none of them without `cv.inner_folds`.
    folds_digest : proves that two jobs were scored on the same folds.
    test : the rows of `data.test`, on which the model that is kept is scored.
    digest : identifies the job: what decides its result, the data, the numerical code.
    """

    overrides: tuple[str, ...]
    checked: JobConfig
    dataset: Dataset
    folds: tuple[Fold, ...]
    inner_folds: tuple[tuple[Fold, ...], ...]
    folds_digest: str
    test: Dataset | None
    digest: str

    @property
    def typed(self) -> str:
        """Its overrides on one line."""
        return " ".join(self.overrides) or "(no overrides)"

    @property
    def is_network(self) -> bool:
        """Whether the engine trains it."""
        return self.checked.model.name in NETWORKS

    @cached_property
    def flat(self) -> dict[str, Any]:
        """The keys that decide its result, as `src.comparison` has them."""
        return flat_config(self.checked, self.dataset.name)

    @property
    def setting(self) -> str:
        """Identifies its setting: all that decides its result but the seed."""
        return setting_key(self.flat, self.dataset.digest)

    @cached_property
    def tasks(self) -> Mapping[Position, FoldTask]:
        """What is fitted: each outer fold (inner position None), and with `cv.inner_folds` the folds inside it."""
        job = self.checked
        weights = job.training.class_weight
        if isinstance(weights, Mapping):
            class_weight: ClassWeight = {self.dataset.class_names.index(name): one for name, one in weights.items()}
        else:
            class_weight = weights
        positions: dict[Position, tuple[Fold, tuple[int, ...]]] = {}  # with what names the fold's random stream
        for outer, fold in enumerate(self.folds):
            positions[outer, None] = fold, (fold.repeat, fold.fold)
            for inner, inside in enumerate(self.inner_folds[outer]):
                positions[outer, inner] = inside, (fold.repeat, fold.fold, inner)
        common: dict[str, Any] = {"dataset": self.dataset, "scale": job.data.scale, "missing": job.data.missing}
        if self.is_network:
            settings = config.network_settings(job)
            common |= {"class_weight": class_weight, "check_gradient": job.training.check_gradient}
            common |= {"curve_epochs": curve_epochs(settings.epochs, job.tracking.curve_points)}
            return {
                position: NetworkTask(fold=fold, settings=replace(settings, stream=stream), **common)
                for position, (fold, stream) in positions.items()
            }
        parameters = config.model_parameters(job)
        if "class_weight" in parameters:
            parameters["class_weight"] = class_weight
        estimator = models.make_model(job.model.name, parameters)
        return {
            position: EstimatorTask(fold=fold, estimator=estimator, **common)
            for position, (fold, _) in positions.items()
        }


def curve_epochs(epochs: int, points: int) -> tuple[int, ...]:
    """Return at most `points` epochs from 1 to the last, evenly spaced: those at which a job's curves are recorded."""
    return tuple(np.unique(np.linspace(1, epochs, min(points, epochs)).round().astype(int)).tolist())


@dataclass(frozen=True, eq=False)
class Jobs:
    """The distinct jobs of a sweep, and which of them each combination is.

    Attributes
    ----------
    distinct : in the order in which they were first typed.
    of_combination : for each combination of the sweep, the position of its job in `distinct`.
    ignored : keys that were set but mean nothing for some model: ``{key: models}``, the choices that were typed.
    """

    distinct: tuple[Job, ...]
    of_combination: tuple[int, ...]
    ignored: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def make_jobs(composed: Sequence[Composed]) -> Jobs:
    """Check every configuration, load what it is about, and collapse combinations that are the same job.

    Raises UserError with every problem of every configuration and of the data, each told once.
    """
    checked = check_all(composed)
    load, split, load_test = cache(data.load), cache(_split), cache(data.read_test)

    def rows_of(job: JobConfig) -> _Rows:
        dataset = load(**job.data.reading())
        _check_fit(job, dataset)
        rows = split(dataset, job.cv, job.seed)
        _check_early_stopping(job, rows)
        return rows

    def test_of(job: JobConfig, learned: Dataset) -> Dataset | None:
        asked = job.data
        how = {"separator": asked.separator, "header": asked.header, "missing": asked.missing}
        return None if asked.test is None else load_test(learned, path=asked.test, **how)

    rows = gather([partial(rows_of, each) for each in checked])
    tests = gather([partial(test_of, each, of.dataset) for each, of in zip(checked, rows, strict=True)])
    first_test: dict[str, Dataset | None] = {}
    jobs: dict[str, Job] = {}
    order: list[str] = []
    ignored: dict[str, dict[str, None]] = {}
    code = code_version()
    for each, job_config, job_rows, test in zip(composed, checked, rows, tests, strict=True):
        dataset = job_rows.dataset
        _check_same_test(dataset, first_test.setdefault(dataset.digest, test), test)
        digest = config.digest(config.canonical(job_config), dataset.digest, code, modules_of(job_config))
        order.append(digest)
        if digest not in jobs:
            jobs[digest] = Job(each.overrides, job_config, **vars(job_rows), test=test, digest=digest)
        for key in config.ignored(job_config, [text.partition("=")[0] for text in each.overrides]):
            typed = (text.partition("=")[2] for text in each.overrides if text.startswith("model="))
            ignored.setdefault(key, {})[next(typed, job_config.model.name)] = None
    positions = {digest: position for position, digest in enumerate(jobs)}
    return Jobs(
        distinct=tuple(jobs.values()),
        of_combination=tuple(positions[digest] for digest in order),
        ignored={key: tuple(models) for key, models in ignored.items()},
    )


@dataclass(frozen=True, eq=False)
class _Rows:
    """What a job is scored on; the names are those of `Job`."""

    dataset: Dataset
    folds: tuple[Fold, ...]
    inner_folds: tuple[tuple[Fold, ...], ...]
    folds_digest: str


def _check_same_test(dataset: Dataset, first: Dataset | None, other: Dataset | None) -> None:
    """Refuse several test files for one data set: models on it are chosen together."""
    if first is not other and (first is None or other is None or first.digest != other.digest):
        names = " and ".join("none" if test is None else test.name for test in (first, other))
        raise ConfigError(
            f"data.test: {names} for the same data, {dataset.name}. The choice among its models is tested on one file; "
            "give one."
        )


def _split(dataset: Dataset, cv: CVConfig, seed: int) -> _Rows:
    target = np.asarray(dataset.target)
    common: dict[str, Any] = {"stratified": cv.stratified, "seed": seed, "class_names": dataset.class_names}
    common |= {"groups": dataset.groups, "groups_name": dataset.groups_name}
    if dataset.fold is None:
        folds = make_folds(target, folds=cv.folds, repeats=cv.repeats, **common)
    else:
        folds = given_folds(dataset.fold)
    inner: tuple[tuple[Fold, ...], ...] = ((),) * len(folds)
    if cv.inner_folds is not None:
        inner = tuple(make_folds(target, inside=fold, folds=cv.inner_folds, **common) for fold in folds)
    return _Rows(dataset, folds, inner, folds_digest(folds))


def _check_fit(job: JobConfig, dataset: Dataset) -> None:
    """Refuse a class that cannot be fitted as the job asks, weights of no class, and more memory than there is."""
    if job.model.name not in NETWORKS:
        weighted = dataset.sample_weight is not None
        models.make_model(job.model.name, config.model_parameters(job), weighted=weighted)
    weights = job.training.class_weight
    known = dataset.class_names
    if isinstance(weights, Mapping) and (unknown := [repr(name) for name in map(str, weights) if name not in known]):
        raise ConfigError(
            f"training.class_weight: {', '.join(unknown)} is not a class of {dataset.name}. ({', '.join(known)})"
        )
    rows, fits = len(dataset.target), fits_of(job)
    of_folds, of_networks = 8 * rows * fits, 0
    if job.model.name in NETWORKS:
        inputs = len(dataset.feature_names)  # at least: categories become several
        settings = config.network_settings(job)
        of_networks = fits * network_bytes(settings, len(dataset.class_names), inputs, rows)
    needed, allowed = of_folds + of_networks, int(job.sweep.max_memory or psutil.virtual_memory().available)
    if needed > allowed:
        key, fewer = "model.hidden_layer_sizes", "smaller layers"
        if of_folds > of_networks:
            key, fewer = "cv.folds", "fewer folds"
        limit = "sweep.max_memory" if job.sweep.max_memory else "what is free"
        raise ConfigError(
            f"{key}: {counted(fits, 'fit')} on {counted(rows, 'row')} of {dataset.name} need about {decimal(needed)} "
            f"of memory, more than {decimal(allowed)} ({limit}). Ask for {fewer}, or raise sweep.max_memory."
        )


def _check_early_stopping(job: JobConfig, rows: _Rows) -> None:
    """Refuse to hold out groups of a training part that has one group only."""
    groups = rows.dataset.groups
    if groups is None or job.model.name not in NETWORKS or job.training.early_stopping.patience is None:
        return
    if any(len(np.unique(groups[fold.train])) < 2 for fold in itertools.chain(rows.folds, *rows.inner_folds)):
        raise ConfigError(
            "training.early_stopping.patience: early stopping holds out whole groups, and a training part has only one "
            f"group of data.groups '{rows.dataset.groups_name}'. Use more folds or groups, or set it to null."
        )
