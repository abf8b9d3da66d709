"""Networks by the names of their YAML keys: what the engine is given for each, trained alone or as one stack."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from src import network
from src.models.rows import (
    Array,
    IntArray,
    LabelledRows,
    hold_out,
    mean_one,
    output_units,
    probabilities,
    row_weights,
    targets,
)
from src.network import Data, Part, Settings, State, Trained

GRADIENT_CHECK_ROWS = 20
RESULT_BYTES = 2**14  # of a trained network, its parameters apart
_SETTINGS = {each.name for each in fields(Settings)}


@dataclass(frozen=True, eq=False)
class FitRequest:
    """One network to be trained: its parameters by their YAML names, and what it is trained and tested on.

    `stream` names the network among those of one seed, as ``(repeat, fold)``; `start` continues an earlier training.
    """

    parameters: Mapping[str, Any]
    classes: int
    train: LabelledRows
    test: LabelledRows | None = None
    stream: tuple[int, ...] = ()
    start: State | None = None


def settings_of(parameters: Mapping[str, Any], stream: tuple[int, ...] = ()) -> Settings:
    """Return the engine's settings for parameters by their YAML names; what the engine has no name for is left out."""
    known = {**parameters, **(parameters.get("early_stopping") or {})}
    settings = {name: _hashable(value) for name, value in known.items() if name in _SETTINGS}
    return Settings(**settings, stream=stream)


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list | np.ndarray) else value


def _held_out_fraction(settings: Settings) -> float | None:
    """Return the share of the training rows that early stopping holds out, or None where all rows train."""
    return None if settings.patience is None else settings.validation_fraction


def held_out(
    parameters: Mapping[str, Any], codes: IntArray, groups: IntArray | None, stream: tuple[int, ...]
) -> tuple[IntArray, IntArray] | None:
    """Return the numbers of the training rows to train on and of those to hold out; None without early stopping.

    See `src.models.rows.hold_out`; `stream` is that of the request.
    """
    settings = settings_of(parameters, stream)
    fraction = _held_out_fraction(settings)
    return None if fraction is None else hold_out(codes, fraction, settings.random(network.VALIDATION), groups)


def _data_of_each(requests: Sequence[FitRequest], settings: Sequence[Settings]) -> list[Data]:
    """Return the engine's data for each request: the same object for all that see the same rows in the same way."""
    made: dict[Hashable, Data] = {}
    keys = [_view(request, each) for request, each in zip(requests, settings, strict=True)]
    for key, request, each in zip(keys, requests, settings, strict=True):
        if key not in made:
            made[key] = _data(request, each)
    return [made[key] for key in keys]


def _view(request: FitRequest, settings: Settings) -> Hashable:
    """Return what tells which rows a network sees, and how: rows are the same if they are one object."""
    class_weight = request.parameters.get("class_weight")
    fraction = _held_out_fraction(settings)
    return (
        request.train,
        request.test,
        request.classes,
        settings.output,
        tuple(class_weight.items()) if isinstance(class_weight, Mapping) else class_weight,
        None if fraction is None else (fraction, settings.seed, settings.stream),
    )


def _data(request: FitRequest, settings: Settings) -> Data:
    def part(rows: LabelledRows) -> Part:
        return Part(np.ascontiguousarray(rows.x.T), targets(rows.codes, request.classes, settings.output), rows.weight)

    rows = _weighted(request)
    test = None if request.test is None else part(replace(request.test, weight=None))
    parts = held_out(request.parameters, rows.codes, rows.groups, request.stream)
    if parts is None:
        return Data(part(rows), None, test)
    kept, held = parts
    return Data(part(_chosen(rows, kept)), part(_chosen(rows, held)), test)


def _weighted(request: FitRequest) -> LabelledRows:
    """Return the training rows with what sample weights and class weights make of each."""
    rows = request.train
    class_weight = request.parameters.get("class_weight")
    return replace(rows, weight=row_weights(rows.codes, request.classes, rows.weight, class_weight))


def _chosen(rows: LabelledRows, chosen: IntArray) -> LabelledRows:
    weight = None if rows.weight is None else mean_one(rows.weight[chosen])
    return LabelledRows(rows.x[chosen], rows.codes[chosen], weight)


def network_key(parameters: Mapping[str, Any], classes: int, weighted: bool) -> tuple[Any, ...]:
    """Return what networks must have in common to be trained in one stack, besides the sizes of their parts.

    The size of what early stopping holds out follows from it and the training part's, except where groups are held out.
    """
    settings = settings_of(parameters)
    return (
        network.stack_key(settings),
        classes,
        weighted or parameters.get("class_weight") is not None,
        _held_out_fraction(settings),
    )


def network_bytes(parameters: Mapping[str, Any], classes: int, inputs: int, samples: int) -> int:
    """Return about how many bytes training takes for each network of a stack, as measured.

    They are a copy of its rows (float64 at first), which those who shuffle them alike share; what it learns, optimizers
    remember and early stopping keeps; and its results. What its layers need in passing is there for one block of a
    stack at a time.
    """
    settings = settings_of(parameters)
    outputs = output_units(classes, settings.output)
    shape = network.shape_of(settings, inputs, outputs)
    rows = 8 * (inputs + outputs + 2) * samples
    learned = 8 * shape.parameter_count * np.dtype(settings.dtype).itemsize
    return rows + learned + RESULT_BYTES


def fit_networks(
    requests: Sequence[FitRequest],
    *,
    curve_epochs: Sequence[int] = (),
    epochs: int | None = None,
    on_epochs: Callable[[int], None] | None = None,
) -> list[Trained]:
    """Train networks that agree in `network_key` and in the sizes of their parts as one stack; return them in order.

    The other arguments are those of `src.network.train`.

    Raises
    ------
    ValueError : if they cannot share a stack.
    """
    settings = [settings_of(request.parameters, request.stream) for request in requests]
    return network.train(
        settings,
        _data_of_each(requests, settings),
        curve_epochs=curve_epochs,
        epochs=epochs,
        start=[request.start for request in requests],
        on_epochs=on_epochs,
    )


def predict_probabilities(trained: Trained, x: Array) -> Array:
    """Return class probabilities, shape ``(samples, classes)``, for rows x, shape ``(samples, features)``."""
    outputs = network.predict(trained.shape, trained.parameters, np.ascontiguousarray(x.T))
    return probabilities(outputs, trained.shape.output)


def gradient_error(request: FitRequest) -> float:
    """Return how far back-propagation is from central differences for this network as it starts.

    The first GRADIENT_CHECK_ROWS training rows are enough: an error in a formula shows in any row.
    """
    rows, few = request.train, slice(GRADIENT_CHECK_ROWS)
    weight = None if rows.weight is None else rows.weight[few]
    parameters = {**request.parameters, "early_stopping": None}  # nothing is held out of so few
    small = FitRequest(parameters, request.classes, LabelledRows(rows.x[few], rows.codes[few], weight))
    settings = settings_of(parameters, request.stream)
    return network.gradient_error(settings, _data(small, settings).train)
