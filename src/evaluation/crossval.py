"""From a fold of a data set to its result: preprocess, fit, predict, score.

`fit_stack` trains the networks of any number of folds as one stack; `fit_fold` fits an estimator on one fold.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from src import models, network
from src.data import Dataset, make_preprocessor
from src.evaluation.folds import Fold, IntArray
from src.evaluation.metrics import score
from src.evaluation.results import Curve, FloatArray, FoldResult
from src.evaluation.warned import gathered, told_once
from src.models import ClassWeight, held_out, make_data, predict_probabilities
from src.network import Settings, Trained
from src.words import listed

# Right derivatives differ from central differences by some 1e-9 of the gradient's length, whatever the network's dtype:
# the check is made in float64.
LARGEST_GRADIENT_ERROR = 1e-6
GRADIENT_CHECK_ROWS = 20  # of the training part: an error in a formula shows in any row

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

Rows = tuple[FloatArray, FloatArray]  # those that train and those that test, each (samples, inputs)


class GradientError(Exception):
    """Back-propagation that is not the derivative of the loss."""


@dataclass(frozen=True, eq=False, kw_only=True)
class FoldTask:
    """One fold of one job, to be fitted and scored.

    Attributes
    ----------
    dataset, scale, missing : the rows, and what is fitted on the training part before the model
        (`src.data.make_preprocessor`).
    fold : which rows train and which test.
    """

    dataset: Dataset
    scale: Literal["standard", "minmax", "none"]
    missing: Literal["refuse", "impute"]
    fold: Fold

    @property
    def classes(self) -> int:
        """How many classes the data set has."""
        return len(self.dataset.class_names)

    @property
    def train_codes(self) -> IntArray:
        """The training rows' class codes, shape (n,)."""
        return self.dataset.target[self.fold.train]

    @property
    def train_weight(self) -> FloatArray | None:
        """The training rows' weights, shape (n,), if the data set has weights."""
        return None if self.dataset.sample_weight is None else self.dataset.sample_weight[self.fold.train]

    @property
    def train_groups(self) -> IntArray | None:
        """The training rows' groups, shape (n,), if the data set has groups."""
        return None if self.dataset.groups is None else self.dataset.groups[self.fold.train]

    def rows(self) -> Rows:
        """Return the training and the test rows, filled in, scaled and encoded by what the training part shows."""
        features = self.dataset.features
        preprocessor: Any = make_preprocessor(self.dataset, self.scale, self.missing)
        train = preprocessor.fit_transform(features.iloc[self.fold.train])
        return train, preprocessor.transform(features.iloc[self.fold.test])


@dataclass(frozen=True, eq=False, kw_only=True)
class NetworkTask(FoldTask):
    """A fold that a network of the engine is trained on.

    Attributes
    ----------
    settings : what the engine is told; its stream names the fold among those of the seed.
    class_weight : see `src.models.rows.row_weights`.
    check_gradient : whether the gradient is checked, before training.
    curve_epochs : the epochs after which losses are recorded, ascending.
    """

    settings: Settings
    class_weight: ClassWeight = None
    check_gradient: bool = False
    curve_epochs: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class EstimatorTask(FoldTask):
    """A fold that an estimator of scikit-learn is fitted on: a clone of `estimator`, on class codes."""

    estimator: "BaseEstimator"


class StackKeys:
    """What tells which networks may share a stack: the same data set and preprocessing, sizes and kind of network."""

    def __init__(self) -> None:
        self._inputs: dict[tuple[int, int], int] = {}

    def of(self, task: NetworkTask) -> tuple[Any, ...]:
        """Return what the networks of one stack have in common."""
        data, settings, groups = task.dataset, task.settings, task.train_groups
        # How many rows are held out follows from their share, except where groups are held out.
        parts = None if groups is None else held_out(settings, task.train_codes, groups)
        return (
            id(data),
            task.scale,
            task.missing,
            len(task.fold.train),
            len(task.fold.test),
            self.inputs(task),
            network.stack_key(settings),
            data.sample_weight is not None or task.class_weight is not None,
            None if settings.patience is None else settings.validation_fraction,
            None if parts is None else len(parts[1]),
        )

    def inputs(self, task: NetworkTask) -> int:
        """Return the number of a network's inputs: columns, after one-hot encoding, which may differ between folds."""
        data, key = task.dataset, (id(task.dataset), id(task.fold))
        if key not in self._inputs:
            self._inputs[key] = task.rows()[0].shape[1] if data.categorical_names else len(data.feature_names)
        return self._inputs[key]


def fit_stack(tasks: Sequence[NetworkTask], on_epochs: Callable[[int], None] | None = None) -> list[FoldResult]:
    """Train the networks of these tasks, which agree in `StackKeys.of`, as one stack, and score each.

    Raises ValueError if they cannot share a stack, and GradientError, before anything is trained, if `check_gradient`
    finds a wrong derivative.
    """
    rows = {fold: task.rows() for fold, task in {task.fold: task for task in tasks}.items()}
    data = {seen: _data(task, rows[task.fold]) for seen, task in {_seen_by(task): task for task in tasks}.items()}
    errors = [_gradient_error(task, rows[task.fold]) for task in tasks]
    started = time.perf_counter()
    trained = network.train(
        [task.settings for task in tasks],
        [data[_seen_by(task)] for task in tasks],
        curve_epochs=sorted({epoch for task in tasks for epoch in task.curve_epochs}),
        on_epochs=on_epochs,
    )
    seconds = (time.perf_counter() - started) / len(tasks)
    return [
        _network_result(task, rows[task.fold], each, seconds, error)
        for task, each, error in zip(tasks, trained, errors, strict=True)
    ]


def _gradient_error(task: NetworkTask, rows: Rows) -> float | None:
    """Return how far the untrained network's gradient is from central differences; None if that is not asked for."""
    if not task.check_gradient:
        return None
    few, settings = slice(GRADIENT_CHECK_ROWS), task.settings
    fold, none_held_out = replace(task.fold, train=task.fold.train[few]), replace(settings, patience=None)
    data = _data(replace(task, fold=fold, settings=none_held_out), (rows[0][few], rows[1]))
    error = network.gradient_error(settings, data.train)
    if not error <= LARGEST_GRADIENT_ERROR:
        names = [*dict.fromkeys(settings.activations), settings.output, settings.loss]
        raise GradientError(
            f"training.check_gradient: back-propagation is {error:.1e} of the gradient's length away from central "
            f"differences, and {LARGEST_GRADIENT_ERROR:.0e} is the most that rounding explains: a derivative of "
            f"{listed(names)} is wrong, or a unit stands on a kink (relu)."
        )
    return error


def fit_fold(task: EstimatorTask) -> FoldResult:
    """Fit and score an estimator on one fold."""
    from sklearn.base import clone

    rows, model, weight = task.rows(), clone(task.estimator), task.train_weight
    with gathered() as warned:
        started = time.perf_counter()
        model.fit(rows[0], task.train_codes, **({} if weight is None else {"sample_weight": weight}))
        seconds = time.perf_counter() - started
        p_train, p_test = (_all_classes(model.predict_proba(part), model.classes_, task.classes) for part in rows)
    epochs = int(np.max(getattr(model, "n_iter_", 0)))
    parameters = model.coef_.size + model.intercept_.size if isinstance(model, models.ConvergedLogistic) else None
    warnings = tuple(told_once(warned))
    return _result(task, p_train, p_test, seconds, parameters=parameters, epochs=epochs, warnings=warnings)


def _seen_by(task: NetworkTask) -> tuple[Any, ...]:
    """Return what decides which rows of a stack's data a network sees, and with which weights."""
    settings = task.settings
    drawn = None if settings.patience is None else (settings.seed, settings.stream)
    return task.fold, repr(task.class_weight), drawn


def _data(task: NetworkTask, rows: Rows) -> network.Data:
    return make_data(
        task.settings,
        task.classes,
        rows[0],
        task.train_codes,
        weight=task.train_weight,
        class_weight=task.class_weight,
        groups=task.train_groups,
        test=(rows[1], task.dataset.target[task.fold.test]),
    )


def _network_result(task: NetworkTask, rows: Rows, trained: Trained, seconds: float, error: float | None) -> FoldResult:
    p_train, p_test = (predict_probabilities(trained.shape, trained.parameters, part) for part in rows)
    curve, own = trained.curve, np.isin(trained.curve.epochs, task.curve_epochs)
    return _result(
        task,
        p_train,
        p_test,
        seconds,
        parameters=trained.parameters.size,
        curve=Curve(curve.epochs[own], curve.train_loss[own], curve.test_loss[own]) if own.any() else None,
        epochs=trained.epochs,
        diverged_epoch=trained.diverged_epoch,
        gradient_error=error,
    )


def _result(task: FoldTask, p_train: FloatArray, p_test: FloatArray, seconds: float, **more: Any) -> FoldResult:
    fold, test_target = task.fold, task.dataset.target[task.fold.test]
    return FoldResult(
        repeat=fold.repeat,
        fold=fold.fold,
        test_scores=score(test_target, p_test),
        train_scores=score(task.train_codes, p_train),
        test_index=fold.test,
        test_target=test_target,
        probabilities=p_test,
        n_train=len(fold.train),
        fit_seconds=seconds,
        **more,
    )


def _all_classes(p: FloatArray, present: Any, classes: int) -> FloatArray:
    """Give a class that the training part did not hold the probability 0."""
    if len(present) == classes:
        return p
    full = np.zeros((len(p), classes))
    full[:, present] = p
    return full
