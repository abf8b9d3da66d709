"""Training a stack of networks: epochs of batches, with each network watched on its own."""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from src.network.arrays import Array, BoolArray, IntArray
from src.network.batches import Batches, Data, Part, StackedPart
from src.network.propagation import Propagation
from src.network.settings import Settings, stack_key
from src.network.shape import Shape, initial_parameters, shape_of
from src.network.updates import EarlyStopping, Optimizer, Schedule

# A block of a stack is trained to its end before the next, so that its buffers stay in the processor's cache.
BLOCK_BYTES = 2**22

# A loss is taken over so many samples at a time (or a batch, if that is larger), so that its buffers stay small.
LOSS_SAMPLES = 256


@dataclass(frozen=True)
class State:
    """Where a network's training stands: enough to continue it as if it had never paused, early stopping apart."""

    parameters: Array
    epochs: int = 0
    steps: int = 0
    memory: dict[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Curve:
    """Data losses after some epochs, each of shape ``(points,)``; NaN where there is no such part."""

    epochs: IntArray
    train_loss: Array
    test_loss: Array
    validation_loss: Array


@dataclass(frozen=True)
class Trained:
    """One trained network: its shape, parameters ``(parameter_count,)``, curve, and how its training ended.

    A network that diverged has parameters of NaN, so that nothing it predicts can pass for a result.
    """

    shape: Shape
    parameters: Array
    epochs: int
    diverged_epoch: int | None
    best_epoch: int | None
    curve: Curve
    state: State


def train(
    settings: Sequence[Settings],
    data: Sequence[Data],
    *,
    curve_epochs: Sequence[int] = (),
    start: Sequence[State | None] | None = None,
    epochs: int | None = None,
    on_epochs: Callable[[int], None] | None = None,
) -> list[Trained]:
    """Train a stack of networks and return them in the same order.

    Each network's numbers are those it would have alone, to the last bit.

    Parameters
    ----------
    settings, data : one entry a network. All settings must agree in `stack_key` and all data in their sizes.
    curve_epochs : the epochs, counted from 1, after which the losses are recorded.
    start : states to continue from; None begins a new network.
    epochs : pause after so many, if they are fewer than the settings' (over which a cosine schedule falls).
    on_epochs : called with the number of network epochs finished since the last call (for a progress display).

    Raises
    ------
    ValueError : if the networks cannot share a stack.
    """
    _check_alike(settings, data)
    states: list[State | None] = [None] * len(settings) if start is None else list(start)
    shape = shape_of(settings[0], *data[0].train.sizes[:2])
    stack_bytes = len(settings) * bytes_per_network(shape, settings[0], data[0].train.sizes[2])
    blocks = min(len(settings), -(-stack_bytes // BLOCK_BYTES))  # rounded up; all about equally large
    edges = [len(settings) * block // blocks for block in range(blocks + 1)]
    trained: list[Trained] = []
    with np.errstate(all="ignore"):
        for block in itertools.starmap(slice, itertools.pairwise(edges)):
            training = Training(shape, list(settings[block]), data[block], states[block])
            trained += training.run(epochs or settings[0].epochs, frozenset(curve_epochs), on_epochs)
    return trained


def bytes_per_network(shape: Shape, settings: Settings, samples: int) -> int:
    """Return the bytes of the buffers that one update of one network touches."""
    batch = samples if settings.batch_size == "full" else min(settings.batch_size, samples)
    inputs, *hidden, outputs = shape.layer_sizes
    units = inputs + 1 + sum(3 * (size + 1) for size in hidden) + 2 * outputs  # x; a, f' and delta; a and y
    return np.dtype(settings.dtype).itemsize * (2 * shape.parameter_count + units * batch)


def _check_alike(settings: Sequence[Settings], data: Sequence[Data]) -> None:
    if len(settings) == 0 or len(settings) != len(data):
        raise ValueError(f"a stack needs networks, each with its data: got {len(settings)} and {len(data)}")
    if any(stack_key(each) != stack_key(settings[0]) for each in settings):
        raise ValueError("networks in one stack must agree in what stack_key() returns")
    if any(each.sizes != data[0].sizes for each in data):
        raise ValueError("networks in one stack must have data of the same sizes")


class Training:
    """The training of one block of a stack; `active` names the networks that are still in it."""

    def __init__(self, shape: Shape, settings: list[Settings], data: Sequence[Data], start: list[State | None]) -> None:
        self.shape = shape
        self.dtype = settings[0].dtype
        self.active = np.arange(len(settings))
        states = [state or State(initial_parameters(each, shape)) for each, state in zip(settings, start, strict=True)]
        self.parameters = np.stack([state.parameters.astype(self.dtype) for state in states])
        self.epochs_done = np.array([[state.epochs] for state in states])
        self.batches = Batches(settings, [each.train for each in data], self.epochs_done[:, 0])
        self.parts = {"train": self.batches.part}  # in the order of the losses in a Curve
        for name in ("test", "validation"):
            if getattr(data[0], name) is not None:
                self.parts[name] = StackedPart([getattr(each, name) for each in data], self.dtype)
        self.optimizer = Optimizer(settings, shape.weight_mask())
        self.schedule = Schedule(settings)
        self.optimizer.step_count[:, 0] = [state.steps for state in states]
        for name, values in self._memory().items():
            for row, state in enumerate(states):
                values[row] = state.memory.get(name, values[row])
        self.stopping = EarlyStopping(settings, self.parameters) if settings[0].patience is not None else None
        self.finished: dict[int, Trained] = {}
        self._allocate()

    def _memory(self) -> dict[str, Array]:
        """Return what optimizer and schedule remember of each network."""
        return self.optimizer.memory | self.schedule.memory

    def _allocate(self) -> None:
        """(Re-)allocate what depends on the number of active networks; passes through them are made when needed."""
        self.matrices = self.shape.matrices(self.parameters)
        self.gradient = np.empty_like(self.parameters)
        self.gradient_matrices = self.shape.matrices(self.gradient)
        self.passes: dict[int, Propagation] = {}
        self.nobody: BoolArray = np.zeros(len(self.active), bool)

    def _pass(self, batch: Part) -> Propagation:
        if batch.count not in self.passes:
            self.passes[batch.count] = Propagation(self.shape, len(self.active), batch.count, self.dtype)
        return self.passes[batch.count]

    def run(self, epochs: int, curve_epochs: frozenset[int], on_epochs: Callable[[int], None] | None) -> list[Trained]:
        """Train for so many epochs and return every network, in the order given."""
        self.curve_epochs = np.array(sorted(epoch for epoch in curve_epochs if epoch <= epochs), dtype=int)
        nothing = np.full((len(self.active), len(self.curve_epochs)), np.nan)
        self.curves = {name: nothing.copy() for name in ("train", "test", "validation")}
        for epoch in range(1, epochs + 1):
            self._train_epoch(self.schedule.rate(self.epochs_done + epoch))
            if on_epochs is not None:
                on_epochs(len(self.active))
            if epoch in curve_epochs:
                self._record(epoch)
            diverged, should_stop = self._watch(epoch)
            ended = diverged | should_stop | (epoch == epochs)
            if ended.any():
                self._finish(np.flatnonzero(ended), epoch, diverged)
                self._keep(np.flatnonzero(~ended))
            if len(self.active) == 0:
                break
        return [self.finished[network] for network in sorted(self.finished)]

    def _train_epoch(self, rate: Array) -> None:
        for batch in self.batches.epoch():
            self._pass(batch).gradient(self.matrices, batch, self.gradient_matrices)
            self.optimizer.step(self.parameters, self.gradient, rate)
            for each in self.passes.values():
                each.seen = None  # that was with other weights

    def _loss(self, part: StackedPart) -> Array:
        """Return the data loss (1/m) sum_i w_i loss_i of each network, shape ``(stack,)``: derivations 3 and 4."""
        total = np.zeros(len(self.active), self.dtype)
        for batch in part.in_order(max(self.batches.size, LOSS_SAMPLES)):
            total += np.add.reduce(self._pass(batch).losses(self.matrices, batch), axis=1)
        return total / part.count

    def _record(self, epoch: int) -> None:
        """Add a point to the curve of every active network."""
        point = np.searchsorted(self.curve_epochs, epoch)
        for name, part in reversed(self.parts.items()):  # what is trained on last: an update may go on from it
            self.curves[name][self.active, point] = self._loss(part)

    def _watch(self, epoch: int) -> tuple[BoolArray, BoolArray]:
        """Return which networks have diverged (a number is no longer finite), and which should stop."""
        diverged, should_stop = self.nobody, self.nobody
        if not math.isfinite(np.vdot(self.parameters, self.parameters)):  # a finite sum of squares has finite terms
            diverged = ~np.isfinite(self.parameters).all(axis=1)
        if self.stopping is not None or self.schedule.watches_loss:
            loss = self._loss(self.parts.get("validation", self.batches.part))
            diverged = diverged | ~np.isfinite(loss)
            if self.schedule.watches_loss:
                self.schedule.watch(loss)
            if self.stopping is not None:
                should_stop = self.stopping.watch(epoch, loss, self.parameters)
        return diverged, should_stop

    def _finish(self, rows: IntArray, epoch: int, diverged: BoolArray) -> None:
        """Take down what has become of these networks, as they stand after this epoch."""
        points = np.searchsorted(self.curve_epochs, epoch, side="right")
        for row in rows:
            losses = [curve[self.active[row], :points] for curve in self.curves.values()]
            last = self.parameters[row].copy()
            parameters, best_epoch = last, None
            if self.stopping is not None:
                parameters, best_epoch = self.stopping.best_parameters[row].copy(), int(self.stopping.best_epoch[row])
            self.finished[int(self.active[row])] = Trained(
                shape=self.shape,
                parameters=np.full_like(last, np.nan) if diverged[row] else parameters,
                epochs=epoch,
                diverged_epoch=epoch if diverged[row] else None,
                best_epoch=best_epoch,
                curve=Curve(self.curve_epochs[:points], *losses),
                state=State(
                    parameters=last,
                    epochs=int(self.epochs_done[row, 0]) + epoch,
                    steps=int(self.optimizer.step_count[row, 0]),
                    memory={name: values[row].copy() for name, values in self._memory().items()},
                ),
            )

    def _keep(self, rows: IntArray) -> None:
        """Go on with these networks alone, in a smaller stack."""
        self.active = self.active[rows]
        self.parameters = self.parameters[rows]
        self.epochs_done = self.epochs_done[rows]
        self.optimizer.keep(rows)
        self.schedule.keep(rows)
        if self.stopping is not None:
            self.stopping.keep(rows)
        for part in self.parts.values():
            part.keep(rows)
        self._allocate()


def predict(shape: Shape, parameters: Array, x: Array) -> Array:
    """Return one network's outputs h(x), shape ``(outputs, samples)``, for x of shape ``(features, samples)``."""
    matrices = shape.matrices(parameters[None])
    inputs = np.ones((1, len(x) + 1, x.shape[1]), parameters.dtype)  # the bias unit last: derivation 1 (3.5)
    inputs[0, :-1] = x
    with np.errstate(all="ignore"):
        output: Array = Propagation(shape, 1, x.shape[1], parameters.dtype.name).predict(matrices, inputs)[0]
    return output
