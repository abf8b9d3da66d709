"""What the networks of a stack are trained on, and the batches it is cut into."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from src.network.arrays import Array, IntArray, is_wide
from src.network.settings import SHUFFLING, Settings


@dataclass(frozen=True, eq=False)
class Part:
    """Samples with their targets: x ``(features, samples)``, y ``(outputs, samples)``, weight ``(samples,)`` or None.

    Those of a stack have it as their first axis: x ``(stack, features + 1, samples)``, the bias unit last, and weight
    ``(stack, 1, samples)``. Weights are used as they are in (1/m) sum w_i loss_i: scale them to a mean of 1 beforehand.
    """

    x: Array
    y: Array
    weight: Array | None = None

    @property
    def count(self) -> int:
        """How many samples a network has."""
        return int(self.x.shape[-1])

    @property
    def sizes(self) -> tuple[int, int, int, bool]:
        """Features, outputs, samples and whether there are weights: what parts in one stack have in common."""
        return (len(self.x), len(self.y), self.count, self.weight is not None)


@dataclass(frozen=True, eq=False)
class Data:
    """The parts one network sees: trained on, watched by early stopping, and tested on (for its curve alone)."""

    train: Part
    validation: Part | None = None
    test: Part | None = None

    @property
    def sizes(self) -> tuple[tuple[int, int, int, bool] | None, ...]:
        """The sizes of all parts: what the data of one stack have in common."""
        return tuple(None if part is None else part.sizes for part in (self.train, self.validation, self.test))


class StackedPart:
    """The same part of every network in a stack; networks with the same samples share them.

    Parameters
    ----------
    parts : each network's part.
    sources : networks with the same source, and so the same part, read its samples in the same order; by default those
        with the same part.
    """

    def __init__(self, parts: Sequence[Part], dtype: str, sources: Sequence[Hashable] | None = None) -> None:
        part_names = [id(part) for part in parts]
        first_of_part, part_of = _distinct(part_names)
        self.first_of_source, self.source_of = _distinct(part_names if sources is None else sources)
        self.sources = np.arange(len(self.first_of_source))  # those in use
        self.count = parts[0].count
        # the samples of all parts, one after the other: x with the bias unit, a sample whole, as it is read; y by units
        held = [parts[network] for network in first_of_part]
        self.x = np.ones((len(held) * self.count, len(held[0].x) + 1), dtype)
        for part, samples in zip(held, np.split(self.x, len(held)), strict=True):
            samples[:, :-1] = part.x.T
        self.y = np.concatenate([part.y for part in held], axis=1).astype(dtype, order="C", copy=False)
        weights = [part.weight for part in held if part.weight is not None]
        self.weight = np.concatenate(weights).astype(dtype, copy=False) if weights else None
        self.begin = self.count * part_of[self.first_of_source]  # where each source's part begins
        self.whole: Part | None = None

    def keep(self, rows: IntArray) -> None:
        """Keep only these networks of the stack."""
        used, self.source_of = np.unique(self.source_of[rows], return_inverse=True)
        self.sources, self.begin = self.sources[used], self.begin[used]
        self.whole = None

    def gather(self, order: IntArray) -> Part:
        """Return samples for every network, by number: `order` has a row for each source in use, or is one for all."""
        where = order + self.begin[:, None]
        return self._laid_out(np.take(self.x, where, axis=0), self.source_of, where)

    def _laid_out(self, x: Array, of: IntArray, where: IntArray) -> Part:
        """Return for every network the samples `x[of]`, as `layer_values` lie, with y, as `output_values` lie."""
        x = _of_each(x, of).transpose(0, 2, 1) if is_wide(x.shape[2]) else _of_each(x.transpose(0, 2, 1).copy(), of)
        y = np.take(np.take(self.y, where, axis=1), self.source_of, axis=1).transpose(1, 0, 2)
        weight = None if self.weight is None else np.take(np.take(self.weight, where), self.source_of, axis=0)[:, None]
        return Part(x, y, weight)

    def in_order(self, size: int) -> Iterator[Part]:
        """Yield all samples in their own order, at most `size` at a time; if they are no more, they are kept."""
        if self.count <= size:
            if self.whole is None:  # wide samples are not copied if that can be helped
                where = np.arange(self.count) + self.begin[:, None]
                parts = self.x.reshape(-1, self.count, self.x.shape[1])
                self.whole = self._laid_out(parts, self.begin[self.source_of] // self.count, where)
            yield self.whole
            return
        for start in range(0, self.count, size):
            yield self.gather(np.arange(start, min(start + size, self.count)))


def _of_each(read: Array, of: IntArray) -> Array:
    """Return `read[of]`; nothing moves where all networks share one, or where each has its own."""
    if len(read) == 1:
        return np.broadcast_to(read, (len(of), *read.shape[1:]))
    if np.array_equal(of, np.arange(len(read))):
        return read
    return np.take(read, of, axis=0)


def _distinct(names: Sequence[Hashable]) -> tuple[list[int], IntArray]:
    """Return where each distinct name stands first, and for every name which of the distinct ones it is."""
    first: dict[Hashable, int] = {}
    for position, name in enumerate(names):
        first.setdefault(name, position)
    number = {name: distinct for distinct, name in enumerate(first)}
    return list(first.values()), np.array([number[name] for name in names])


class Batches:
    """The training part of each network, whole or in batches that are shuffled anew for every epoch.

    The order is drawn from the network's own stream, and once for all networks that share data and stream.
    """

    def __init__(self, settings: list[Settings], parts: Sequence[Part], epochs_done: IntArray) -> None:
        first, samples = settings[0], parts[0].count
        self.size: int = samples if first.batch_size == "full" else min(first.batch_size, samples)
        self.shuffles = self.size < samples  # the gradient of the whole has no order
        sources = [
            (id(part), each.seed, each.stream, int(done)) if self.shuffles else id(part)
            for part, each, done in zip(parts, settings, epochs_done, strict=True)
        ]
        self.part = StackedPart(parts, first.dtype, sources)
        if self.shuffles:
            self.randoms = [settings[network].random(SHUFFLING) for network in self.part.first_of_source]
            # a network that is trained on draws its orders from where it paused
            for network, random in zip(self.part.first_of_source, self.randoms, strict=True):
                for _ in range(epochs_done[network]):
                    random.permutation(samples)

    def epoch(self) -> Iterator[Part]:
        """Yield the batches of one epoch; the last may be smaller."""
        if not self.shuffles:
            yield from self.part.in_order(self.size)
        else:
            order = np.stack([self.randoms[source].permutation(self.part.count) for source in self.part.sources])
            for start in range(0, self.part.count, self.size):
                yield self.part.gather(order[:, start : start + self.size])
