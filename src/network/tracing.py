"""One update of one network, with every number on the way: sum by sum, by the engine, and by central differences."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from src.network import derivation
from src.network.arrays import Array
from src.network.batches import Data, Part, StackedPart
from src.network.checking import central_differences, gradient, objective, relative_error
from src.network.derivation import Matrix, Vector
from src.network.propagation import Propagation
from src.network.settings import Settings
from src.network.shape import Shape, initial_parameters, shape_of
from src.network.training import State, train
from src.network.updates import Schedule


@dataclass(frozen=True)
class Place:
    """Where a parameter stands: in W[layer][unit][source], or in b[layer][unit] where `source` is None.

    Layers count from 1, units from 0, as in `derivation.py`.
    """

    layer: int
    unit: int
    source: int | None


@dataclass(frozen=True)
class Parameters:
    """A number for each weight and bias, as `derivation.Network` has them: W[l][i][j] and b[l][i]."""

    W: dict[int, Matrix]
    b: dict[int, Vector]

    def at(self, place: Place) -> float:
        """Return the number of one weight or bias."""
        if place.source is None:
            return self.b[place.layer][place.unit]
        return self.W[place.layer][place.unit][place.source]

    def places(self, layer: int) -> Iterator[Place]:
        """Yield the layer's weights unit by unit, each unit's bias after its weights."""
        for unit, row in enumerate(self.W[layer]):
            yield from (Place(layer, unit, source) for source in (*range(len(row)), None))


@dataclass(frozen=True)
class EnginePass:
    """One sample's way by the engine: a[l][i] and delta[l][i] for l >= 1. It keeps no z: f(z) takes its place."""

    a: dict[int, Vector]
    delta: dict[int, Vector]
    loss: float


@dataclass(frozen=True)
class Engine:
    """The engine's numbers of the same update: each sample's, J, its gradient, and the parameters after the step."""

    passes: list[EnginePass]
    J: float
    gradient: Parameters
    after: Parameters


@dataclass(frozen=True)
class Trace:
    """One update, three times.

    layer_sizes : inputs, hidden units of each layer, outputs.
    settings : the network and its training; dtype is the engine's, everything else is in float64.
    learning_rate : that of the first epoch, which the schedule has had its say in.
    before, update : the network and its update by `derivation.py`.
    engine : the same by the engine.
    differences : central differences of the engine's objective.
    gradient_error : how far the engine's gradient is from these, as `checking.gradient_error` measures it.
    """

    layer_sizes: tuple[int, ...]
    settings: Settings
    learning_rate: float
    before: derivation.Network
    update: derivation.Update
    engine: Engine
    differences: Parameters
    gradient_error: float

    @property
    def before_update(self) -> Parameters:
        """The parameters before the update."""
        return Parameters(self.before.W, self.before.b)

    @property
    def gradient(self) -> Parameters:
        """The derivatives of J: dJ/dW and dJ/db."""
        return Parameters(self.update.gradient.W, self.update.gradient.b)

    @property
    def after_update(self) -> Parameters:
        """The parameters after the update."""
        return Parameters(self.update.network.W, self.update.network.b)

    @property
    def samples(self) -> list[derivation.Sample]:
        """The samples of the update."""
        return [each.sample for each in self.update.passes]


def trace(settings: Settings, part: Part, matrices: Sequence[Array] | None = None) -> Trace:
    """Return every number of one update of a network by all samples of a part, which are one batch.

    Parameters
    ----------
    settings : the network's; its optimizer is plain gradient descent without clipping, as in the derivations.
    matrices : [W b] of each layer, shape ``(units_out, units_in + 1)``; None draws the network's initial ones.

    Raises
    ------
    ValueError : for another optimizer, for clipping, and for matrices of another shape.
    """
    if settings.optimizer != "sgd" or settings.clip_norm is not None:
        raise ValueError("the derivations know gradient descent (sgd) without clipping, and no other step")
    shape = shape_of(settings, *part.sizes[:2])
    row = initial_parameters(settings, shape).astype(np.float64) if matrices is None else _row(shape, matrices)
    before = derivation.network_of(
        [matrix[0].tolist() for matrix in shape.matrices(row[None])],
        settings.activations,
        settings.output,
        settings.loss,
    )
    rate = float(Schedule([replace(settings, dtype="float64")]).rate(np.ones((1, 1), dtype=int))[0, 0])
    analytic, numeric = gradient(shape, row, part, settings.l2), central_differences(shape, row, part, settings.l2)
    return Trace(
        layer_sizes=shape.layer_sizes,
        settings=settings,
        learning_rate=rate,
        before=before,
        update=derivation.update(before, samples_of(part), rate, settings.l2),
        engine=_by_engine(settings, shape, row, part),
        differences=_parameters(shape, numeric),
        gradient_error=relative_error(analytic, numeric),
    )


def samples_of(part: Part) -> list[derivation.Sample]:
    """Return the samples of a part as plain numbers."""
    weights = np.ones(part.x.shape[1]) if part.weight is None else part.weight
    columns = zip(part.x.T.tolist(), part.y.T.tolist(), weights.tolist(), strict=True)
    return [derivation.Sample(x, y, weight) for x, y, weight in columns]


def _row(shape: Shape, matrices: Sequence[Array]) -> Array:
    if tuple(matrix.shape for matrix in matrices) != shape.matrix_shapes:
        raise ValueError(f"matrices [W b] of shapes {shape.matrix_shapes} are needed")
    row = np.empty((1, shape.parameter_count))
    for view, matrix in zip(shape.matrices(row), matrices, strict=True):
        view[0] = matrix
    flat: Array = row[0]
    return flat


def _parameters(shape: Shape, row: Array) -> Parameters:
    """Return a parameter row as plain numbers."""
    matrices = [matrix[0] for matrix in shape.matrices(row[None])]
    return Parameters(
        {layer: matrix[:, :-1].tolist() for layer, matrix in enumerate(matrices, start=1)},
        {layer: matrix[:, -1].tolist() for layer, matrix in enumerate(matrices, start=1)},
    )


def _by_engine(settings: Settings, shape: Shape, row: Array, part: Part) -> Engine:
    row = row.astype(settings.dtype)
    one_update = replace(settings, batch_size="full", patience=None)
    [trained] = train([one_update], [Data(part)], start=[State(row)], epochs=1)
    return Engine(
        passes=[_pass(shape, row, Part(part.x[:, [sample]], part.y[:, [sample]])) for sample in range(part.x.shape[1])],
        J=objective(shape, row, part, settings.l2),
        gradient=_parameters(shape, gradient(shape, row, part, settings.l2)),
        after=_parameters(shape, trained.parameters),
    )


def _pass(shape: Shape, row: Array, one: Part) -> EnginePass:
    """Return what the engine's buffers hold after one sample has gone through the network and back."""
    matrices = shape.matrices(row[None])
    propagation = Propagation(shape, 1, 1, row.dtype.name)
    (sample,) = StackedPart([one], row.dtype.name).in_order(1)
    loss = float(propagation.losses(matrices, sample)[0, 0])
    outputs = propagation.predict(matrices, sample.x).copy()
    propagation.gradient(matrices, sample, [np.empty_like(matrix) for matrix in matrices])
    hidden = zip(propagation.z, propagation.deltas, strict=True)
    layers = [*((a, delta[:, :-1]) for a, delta in hidden), (outputs, propagation.output)]
    return EnginePass(
        a={layer: a[0, :, 0].tolist() for layer, (a, _) in enumerate(layers, start=1)},
        delta={layer: delta[0, :, 0].tolist() for layer, (_, delta) in enumerate(layers, start=1)},
        loss=loss,
    )
