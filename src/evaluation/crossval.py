"""From a fold of a data set to its result: preprocess, fit, predict, score.

`fit_stack` takes any number of folds whose networks share a shape and trains them in one stack; `fit_fold` takes one
fold of a model that is no network.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from src.data import Dataset, make_preprocessor
from src.evaluation.folds import Fold, IntArray
from src.evaluation.metrics import score
from src.evaluation.results import Curve, FloatArray, FoldResult
from src.models import (
    ConvergedLogistic,
    FitRequest,
    LabelledRows,
    fit_networks,
    gradient_error,
    held_out,
    make_model,
    network_key,
    predict_probabilities,
)
from src.network import Trained
from src.words import listed

# Right derivatives differ from central differences by some 1e-9 of the gradient's length, whatever the network's dtype:
# the check is made in float64.
LARGEST_GRADIENT_ERROR = 1e-6


class GradientError(Exception):
    """Back-propagation that is not the derivative of the loss."""


@dataclass(frozen=True, eq=False)
class FoldTask:
    """One fold of one job, to be fitted and scored.

    Attributes
    ----------
    dataset, scale, missing
        The rows, and what is fitted on the training part before the model (`src.data.make_preprocessor`).
    fold
        Which rows train and which test.
    model, parameters
        What is fitted: the arguments of `src.models.make_model`.
    stream
        Names the fold among those of the seed; keys everything random in its training.
    """

    dataset: Dataset
    scale: Any
    missing: Any
    fold: Fold
    model: str
    parameters: Mapping[str, Any]
    stream: tuple[int, ...]


class FoldRows:
    """The preprocessed rows of each fold, made once for all tasks on that fold."""

    def __init__(self) -> None:
        self._made: dict[tuple[Any, ...], tuple[LabelledRows, LabelledRows]] = {}

    def of(self, task: FoldTask) -> tuple[LabelledRows, LabelledRows]:
        """Return the training and the test part, scaled and encoded by what the training part alone shows."""
        key = (id(task.dataset), id(task.fold), task.scale, task.missing)
        if key not in self._made:
            self._made[key] = _rows(task)
        return self._made[key]


def _rows(task: FoldTask) -> tuple[LabelledRows, LabelledRows]:
    data, fold = task.dataset, task.fold
    preprocessor: Any = make_preprocessor(data, task.scale, task.missing)
    x_train = preprocessor.fit_transform(data.features.iloc[fold.train])
    x_test = preprocessor.transform(data.features.iloc[fold.test])
    weight = None if data.sample_weight is None else data.sample_weight[fold.train]
    train = LabelledRows(x_train, data.target[fold.train], weight, _groups(task))
    return train, LabelledRows(x_test, data.target[fold.test])


def _groups(task: FoldTask) -> IntArray | None:
    """Return the groups of the training rows, if the data set has groups."""
    groups = task.dataset.groups
    return None if groups is None else groups[task.fold.train]


class StackKeys:
    """What tells which tasks may share a stack: the same data set and preprocessing, sizes and kind of network."""

    def __init__(self) -> None:
        self._inputs: dict[tuple[Any, ...], int] = {}

    def of(self, task: FoldTask) -> tuple[Any, ...]:
        """Return what the tasks of one stack have in common."""
        data = task.dataset
        return (
            id(data),
            task.scale,
            task.missing,
            len(task.fold.train),
            len(task.fold.test),
            self.inputs(task),
            network_key(task.parameters, len(data.class_names), data.sample_weight is not None),
            _held_rows(task),
        )

    def inputs(self, task: FoldTask) -> int:
        """Return the number of a network's inputs: columns, after one-hot encoding, which may differ between folds."""
        if not task.dataset.categorical_names:
            return len(task.dataset.feature_names)
        key = (id(task.dataset), id(task.fold))
        if key not in self._inputs:
            self._inputs[key] = _rows(task)[0].x.shape[1]
        return self._inputs[key]


def _held_rows(task: FoldTask) -> int | None:
    """Return how many rows early stopping holds out where it depends on the groups drawn; see `network_key`."""
    groups = _groups(task)
    if groups is None:
        return None
    parts = held_out(task.parameters, task.dataset.target[task.fold.train], groups, task.stream)
    return None if parts is None else len(parts[1])


def fit_stack(
    tasks: Sequence[FoldTask],
    *,
    curve_epochs: Sequence[int] = (),
    on_epochs: Callable[[int], None] | None = None,
) -> list[FoldResult]:
    """Train the networks of these tasks, which agree in `StackKeys.of`, as one stack, and score each.

    Raises
    ------
    ValueError
        If they cannot share a stack.
    GradientError
        If `check_gradient` finds a wrong derivative, before anything is trained.
    """
    rows = FoldRows()
    requests = [_request(task, rows) for task in tasks]
    errors = [_gradient_error(task, request) for task, request in zip(tasks, requests, strict=True)]
    started = time.perf_counter()
    trained = fit_networks(requests, curve_epochs=curve_epochs, on_epochs=on_epochs)
    seconds = (time.perf_counter() - started) / len(tasks)
    return [
        _network_result(task, request, network, seconds, error)
        for task, request, network, error in zip(tasks, requests, trained, errors, strict=True)
    ]


def _gradient_error(task: FoldTask, request: FitRequest) -> float | None:
    """Return how far the untrained network's gradient is from central differences; None if that is not asked for."""
    if not task.parameters.get("check_gradient"):
        return None
    error = gradient_error(request)
    if not error <= LARGEST_GRADIENT_ERROR:
        names = [task.parameters[key] for key in ("activation", "output", "loss") if key in task.parameters]
        raise GradientError(
            f"training.check_gradient: back-propagation is {error:.1e} of the gradient's length away from central "
            f"differences, and {LARGEST_GRADIENT_ERROR:.0e} is the most that rounding explains: a derivative of "
            f"{listed([str(name) for name in names])} is wrong, or a unit stands on a kink (relu)."
        )
    return error


def fit_fold(task: FoldTask) -> FoldResult:
    """Fit and score a model that is no network of the engine on one fold."""
    train, test = FoldRows().of(task)
    model: Any = make_model(task.model, task.parameters)
    started = time.perf_counter()
    model.fit(train.x, train.codes, **({} if train.weight is None else {"sample_weight": train.weight}))
    seconds = time.perf_counter() - started
    classes = len(task.dataset.class_names)
    p_train, p_test = (_all_classes(model.predict_proba(part.x), model.classes_, classes) for part in (train, test))
    epochs = int(np.max(getattr(model, "n_iter_", 0)))
    parameters = model.coef_.size + model.intercept_.size if isinstance(model, ConvergedLogistic) else None
    return _result(task, p_train, p_test, seconds, parameters=parameters, epochs=epochs)


def _request(task: FoldTask, rows: FoldRows) -> FitRequest:
    train, test = rows.of(task)
    return FitRequest(task.parameters, len(task.dataset.class_names), train, test, task.stream)


def _network_result(
    task: FoldTask, request: FitRequest, trained: Trained, seconds: float, error: float | None
) -> FoldResult:
    assert request.test is not None
    p_train, p_test = (predict_probabilities(trained, part.x) for part in (request.train, request.test))
    curve = trained.curve
    return _result(
        task,
        p_train,
        p_test,
        seconds,
        parameters=trained.parameters.size,
        curve=Curve(curve.epochs, curve.train_loss, curve.test_loss) if len(curve.epochs) else None,
        epochs=trained.epochs,
        diverged_epoch=trained.diverged_epoch,
        gradient_error=error,
    )


def _result(task: FoldTask, p_train: FloatArray, p_test: FloatArray, seconds: float, **more: Any) -> FoldResult:
    fold, target = task.fold, task.dataset.target
    test_target = target[fold.test]
    return FoldResult(
        repeat=fold.repeat,
        fold=fold.fold,
        test_scores=score(test_target, p_test),
        train_scores=score(target[fold.train], p_train),
        test_index=fold.test,
        test_target=test_target,
        probabilities=p_test,
        n_train=len(fold.train),
        fit_seconds=seconds,
        **{"curve": None, "diverged_epoch": None, **more},
    )


def _all_classes(p: FloatArray, present: Any, classes: int) -> FloatArray:
    """Give a class that the training part did not hold the probability 0."""
    if len(present) == classes:
        return p
    full = np.zeros((len(p), classes))
    full[:, present] = p
    return full
