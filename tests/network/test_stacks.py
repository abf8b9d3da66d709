"""A network in a stack is the network it would be alone, to the last bit.

Whatever `stack_key` lets differ between neighbors does differ here, and neighbors stop early, diverge, share their
samples or bring their own; the network itself must not notice. Nor may it notice in how many blocks the stack is
trained, or that its training was paused.
"""

import dataclasses
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.network import Data, Part, Settings, predict, stack_key, train
from src.network.activations import ACTIVATIONS
from src.network.initializers import BIAS_INITIALIZERS, INITIALIZERS
from src.network.optimizers import OPTIMIZERS
from src.network.outputs import OUTPUTS
from src.network.schedules import SCHEDULES
from tests.network.covering import pairwise

SIZES = st.sampled_from([1, 2, 3, 4, 5, 8, 13, 16, 32, 67])
SAMPLES = st.one_of(st.integers(1, 40), st.sampled_from([64, 100, 131, 300]))
MOST_BATCHES = 15  # of an epoch, so that no example takes long


def parts(features, outputs, samples, *, weighted):
    """Draw parts of a Data: random numbers from a seed, so that examples stay small."""

    def draw(seed):
        random = np.random.default_rng(seed)
        y = random.uniform(0, 1, (outputs, samples))
        weight = random.uniform(0, 2, samples) if weighted else None
        return Part(random.normal(size=(features, samples)), y / y.sum(axis=0), weight)

    return st.integers(0, 2**16).map(draw)


@st.composite
def common_settings(draw):
    """What the networks of one stack have in common."""
    sizes = tuple(draw(st.lists(SIZES, max_size=3)))
    output, loss = draw(st.sampled_from(list(OUTPUTS)))
    return {
        "hidden_layer_sizes": sizes,
        "activation": tuple(draw(st.sampled_from(list(ACTIVATIONS))) for _ in sizes),
        "output": output,
        "loss": loss,
        "dtype": draw(st.sampled_from(["float64", "float32"])),
        "optimizer": draw(st.sampled_from(list(OPTIMIZERS))),
        "batch_size": draw(st.sampled_from(["full", 1, 2, 3, 7, 16])),
        "epochs": draw(st.integers(1, 6)),
        "schedule": draw(st.sampled_from(list(SCHEDULES))),
    }


def own_settings(*, stops_early, clips):
    """What may differ from network to network, learning rates that make a network diverge among it."""
    return st.fixed_dictionaries(
        {
            "learning_rate": st.sampled_from([1e-3, 0.03, 0.1, 0.5, 1.0, 1e4, 1e30]),
            "l2": st.sampled_from([0.0, 0.0, 1e-3, 0.1]),
            "momentum": st.sampled_from([0.0, 0.5, 0.9]),
            "beta1": st.sampled_from([0.5, 0.9]),
            "beta2": st.sampled_from([0.9, 0.999]),
            "rho": st.sampled_from([0.5, 0.9]),
            "epsilon": st.sampled_from([1e-8, 1e-3]),
            "init": st.sampled_from(INITIALIZERS),
            "init_scale": st.sampled_from([0.1, 0.5]),
            "bias_init": st.sampled_from(BIAS_INITIALIZERS),
            "decay": st.sampled_from([0.5, 0.9]),
            "decay_every": st.integers(1, 3),
            "power": st.sampled_from([0.5, 1.0]),
            "min_learning_rate": st.sampled_from([0.0, 1e-3]),
            "warmup": st.integers(0, 4),
            "plateau_patience": st.integers(1, 2),
            "patience": st.integers(1, 2) if stops_early else st.none(),
            "min_delta": st.sampled_from([0.0, 1e-2]),
            "clip_norm": st.sampled_from([1e-2, 0.5, 100.0]) if clips else st.none(),
            "seed": st.integers(0, 3),
            "stream": st.sampled_from([(), (0, 0), (0, 1), (1, 0)]),
        }
    )


@st.composite
def stacks(draw):
    """A stack: settings and data of its networks, which choose among one to three data sets."""
    common = draw(common_settings())
    own = own_settings(stops_early=draw(st.booleans()), clips=draw(st.booleans()))
    samples = draw(SAMPLES)
    if common["batch_size"] != "full":
        common["batch_size"] = max(common["batch_size"], -(-samples // MOST_BATCHES))
    networks = [Settings(**common, **draw(own)) for _ in range(draw(st.integers(1, 9)))]
    features, outputs, weighted = draw(SIZES), draw(SIZES), draw(st.booleans())
    train_part = parts(features, outputs, samples, weighted=weighted)
    held_out = parts(features, outputs, draw(st.integers(1, 12)), weighted=weighted)
    validation = held_out if draw(st.booleans()) else st.none()
    test = held_out if draw(st.booleans()) else st.none()
    choices = draw(st.lists(st.builds(Data, train_part, validation, test), min_size=1, max_size=3))
    return networks, [draw(st.sampled_from(choices)) for _ in networks]


def assert_same_bits(one, other):
    """Compare as whole numbers, to which -0 is not 0."""
    assert one.dtype == other.dtype
    bits = f"u{one.dtype.itemsize}"
    np.testing.assert_array_equal(one.view(bits), other.view(bits))


def assert_same(one, other):
    """Compare two trained networks bit for bit.

    What a diverged network's state held when it was stopped is of no use to anyone, and is not compared.
    """
    assert_same_bits(one.parameters, other.parameters)
    assert (one.epochs, one.diverged_epoch, one.best_epoch) == (other.epochs, other.diverged_epoch, other.best_epoch)
    for name in ("epochs", "train_loss", "test_loss", "validation_loss"):
        np.testing.assert_array_equal(getattr(one.curve, name), getattr(other.curve, name))
    if one.diverged_epoch is None:
        assert_same_state(one.state, other.state)


def assert_same_state(one, other):
    assert_same_bits(one.parameters, other.parameters)
    assert (one.epochs, one.steps) == (other.epochs, other.steps)
    assert one.memory.keys() == other.memory.keys()
    for name, values in one.memory.items():
        assert_same_bits(values, other.memory[name])


EVERY_EPOCH = range(1, 7)


@pytest.mark.slow
@settings(max_examples=60)
@given(stacks(), st.integers(1, 50_000), st.data())
def test_a_network_notices_neither_its_neighbors_nor_who_looks(stack, block_bytes, choose):
    """Alone, in blocks of the stack, without a curve: the same bits, from the start or from different epochs."""
    networks, data = stack
    states = [None] * len(networks)
    if choose.draw(st.booleans()):
        for n, (network, its_data) in enumerate(zip(networks, data, strict=True)):
            if epochs := choose.draw(st.integers(0, 2)):
                [before] = train([dataclasses.replace(network, epochs=epochs)], [its_data])
                states[n] = before.state if np.isfinite(before.state.parameters).all() else None
    together = train(networks, data, start=states, curve_epochs=EVERY_EPOCH)
    unseen = train(networks, data, start=states)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("src.network.training.BLOCK_BYTES", block_bytes)
        in_blocks = train(networks, data, start=states, curve_epochs=EVERY_EPOCH)
    for n, trained in enumerate(together):
        [alone] = train([networks[n]], [data[n]], start=[states[n]], curve_epochs=EVERY_EPOCH)
        assert_same(trained, alone)
        assert_same(trained, in_blocks[n])
        assert_same_bits(trained.parameters, unseen[n].parameters)


# Inputs, hidden units, outputs; samples of a batch; networks.
SHAPES = [
    ((2, 4, 2), 64, 60),
    ((4, 16, 3), 32, 40),
    ((64, 64, 10), 32, 9),
    ((784, 100, 10), 50, 3),
    ((4, 16, 10), 1, 9),  # products with vectors, which BLAS adds up in another order if their numbers lie apart
]


@pytest.mark.parametrize(
    "case",
    pairwise(shape=SHAPES, optimizer=("sgd", "momentum", "adam"), dtype=("float64", "float32"), shared=(True, False)),
    ids=lambda case: "-".join(map(str, case.values())),
)
def test_alone_is_in_a_stack_in_the_shapes_people_sweep(case, make_part):
    (features, hidden, outputs), batch_size, networks = case["shape"]
    shared, alike = case["shared"], {name: case[name] for name in ("optimizer", "dtype")}
    base = Settings((hidden,), "relu", batch_size=batch_size, epochs=2, **alike)
    stack = [
        dataclasses.replace(base, learning_rate=0.1 / (n + 1), l2=1e-3 * (n % 2), stream=(0, n // 2))
        for n in range(networks)
    ]
    samples = 3 * batch_size + 7
    data = [Data(make_part(features, outputs, samples, seed=0 if shared else n % 4)) for n in range(networks)]
    if shared:
        data = data[:1] * networks
    together = train(stack, data, curve_epochs=[1, 2])
    for n in {0, 1, networks // 2, networks - 1}:
        [alone] = train([stack[n]], [data[n]], curve_epochs=[1, 2])
        assert_same(together[n], alone)


def test_full_batches_of_a_wide_table_are_trained_on_with_one_copy_of_it(make_part):
    table = make_part(features := 50, outputs := 2, samples := 4000)
    few_units = Settings((4,), "relu", epochs=2)
    tracemalloc.start()
    train([few_units], [Data(table)], curve_epochs=[1, 2])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    copies = peak / (8 * features * samples)
    layers = (3 * (4 + 1) + 6 * outputs) / features  # a, f' and delta; outputs, targets and their like
    assert copies < 1 + layers + 0.3


@pytest.mark.parametrize(
    "alike",
    pairwise(optimizer=OPTIMIZERS, schedule=SCHEDULES, batch_size=(1, 4, 12, "full"), dtype=("float64", "float32")),
    ids=lambda alike: "-".join(map(str, alike.values())),
)
def test_ten_epochs_are_four_and_then_six(alike, make_part):
    base = Settings((5, 3), ("tanh", "relu"), learning_rate=0.05, epochs=10, plateau_patience=1)
    variants = [
        {"l2": 0.01},
        {"stream": (0, 1), "warmup": 7, "momentum": 0.5},
        {"seed": 1, "decay": 0.8, "decay_every": 3, "beta1": 0.5},
    ]
    data = [Data(make_part(samples=14, weighted=True), validation=make_part(samples=5, seed=1, weighted=True))] * 3
    networks = [dataclasses.replace(base, **each, **alike) for each in variants]
    at_once, paused = train(networks, data), train(networks, data, epochs=4)
    continued = train(networks, data, epochs=6, start=[each.state for each in paused])
    for one, other in zip(at_once, continued, strict=True):
        assert_same_bits(one.parameters, other.parameters)
        assert_same_state(one.state, other.state)


def test_order_of_the_samples_is_drawn_anew_for_every_epoch_and_network(make_part):
    # The first samples of an epoch teach a network something else than the last: another order, another network.
    data = [Data(make_part(samples=10))] * 2
    networks = [Settings((4,), batch_size=3, init="zeros", bias_init="zeros", epochs=1, stream=(0, n)) for n in (0, 1)]
    one, other = train(networks, data)
    assert one.parameters.tolist() != other.parameters.tolist()


class TestDivergence:
    """h(x) = w x + b with one sample x = 0, y = 0 gives b_t = (1 - rate)^t b_0: it is known when that overflows."""

    LINE = Settings((), (), "identity", "squared_error", bias_init="uniform", epochs=60, learning_rate=0.1)
    NOTHING = Part(np.zeros((1, 1)), np.zeros((1, 1)))

    def first_overflow(self, network, largest):
        """Return the first epoch in which |b| exceeds `largest`, in plain Python."""
        [start] = train([dataclasses.replace(network, learning_rate=0.0, epochs=1)], [Data(self.NOTHING)])
        b, epoch = float(start.parameters[-1]), 0
        while abs(b) <= largest:
            epoch += 1
            b *= 1 - network.learning_rate
        return epoch

    @pytest.mark.parametrize("dtype, largest", [("float64", 1.7e308), ("float32", 3.4e38)])
    def test_it_is_told_with_its_epoch_and_the_neighbors_go_on(self, dtype, largest):
        networks = [
            dataclasses.replace(self.LINE, dtype=dtype, learning_rate=rate, stream=(0, n))
            for n, rate in enumerate([0.1, 1e10, 0.3, 1e25])
        ]
        data = [Data(self.NOTHING)] * 4
        trained = train(networks, data, curve_epochs=range(1, 61))
        for n in (1, 3):
            assert trained[n].diverged_epoch == self.first_overflow(networks[n], largest)
            assert trained[n].epochs == trained[n].diverged_epoch
            assert np.isnan(trained[n].parameters).all()
            assert np.isnan(predict(trained[n].shape, trained[n].parameters, self.NOTHING.x)).all()
            assert trained[n].curve.epochs.tolist() == list(range(1, trained[n].epochs + 1))
        without_them = train([networks[0], networks[2]], data[:2], curve_epochs=range(1, 61))
        for n, neighbor in zip((0, 2), without_them, strict=True):
            assert trained[n].diverged_epoch is None
            assert trained[n].epochs == 60
            assert_same(trained[n], neighbor)

    @pytest.mark.parametrize("batch_size", ["full", 4])
    def test_those_that_are_left_keep_what_is_theirs(self, batch_size, make_part):
        # Of two data sets and three networks, both that are left are on the second; all numbers differ.
        alike = {"dtype": "float32", "batch_size": batch_size, "epochs": 12, "optimizer": "adam", "schedule": "plateau"}
        networks = [
            dataclasses.replace(
                self.LINE, learning_rate=rate, l2=n / 10, clip_norm=n / 50, warmup=n, plateau_patience=1, **alike
            )
            for n, rate in enumerate((1e30, 4.0, 3.0), start=1)
        ]
        one, other = (Data(make_part(features=1, outputs=1, samples=9, classes=False, seed=seed)) for seed in (0, 1))
        data = [one, other, other]
        earlier = [train([each], [other], epochs=n)[0].state for n, each in enumerate(networks[1:], start=1)]
        lost, *left = train(networks, data, start=[None, *earlier], curve_epochs=EVERY_EPOCH)
        assert lost.diverged_epoch is not None
        assert lost.epochs < 4
        for network, state, trained in zip(networks[1:], earlier, left, strict=True):
            [alone] = train([network], [other], start=[state], curve_epochs=EVERY_EPOCH)
            assert_same(trained, alone)

    def test_a_watched_loss_that_overflows_is_a_divergence_too(self):
        # b^2 / 2 overflows long before b does
        network = dataclasses.replace(self.LINE, learning_rate=1e10, patience=100)
        [trained] = train([network], [Data(self.NOTHING)])
        assert trained.diverged_epoch == self.first_overflow(network, 1.3e154 * 2**0.5)
        assert np.isnan(trained.parameters).all()

    def test_all_networks_of_a_stack_may_diverge(self):
        networks = [dataclasses.replace(self.LINE, learning_rate=1e10, stream=(0, n)) for n in range(3)]
        finished = []
        trained = train(networks, [Data(self.NOTHING)] * 3, on_epochs=finished.append)
        assert all(each.diverged_epoch is not None for each in trained)
        assert sum(finished) == sum(each.epochs for each in trained)


class TestWhatCannotShareAStack:
    @pytest.mark.parametrize(
        "change",
        [
            {"hidden_layer_sizes": (5,)},
            {"activation": "tanh"},
            {"output": "sigmoid"},
            {"loss": "squared_error"},
            {"dtype": "float32"},
            {"optimizer": "adam"},
            {"batch_size": 2},
            {"epochs": 7},
            {"schedule": "cosine"},
            {"patience": 3},
            {"clip_norm": 1.0},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_settings_that_shape_the_computation(self, change, make_part):
        networks = [Settings(epochs=6), Settings(**{"epochs": 6, **change})]
        assert stack_key(networks[0]) != stack_key(networks[1])
        with pytest.raises(ValueError, match="stack_key"):
            train(networks, [Data(make_part())] * 2)

    def test_one_activation_for_all_layers_is_a_list_of_it(self):
        assert stack_key(Settings((4, 3), "tanh")) == stack_key(Settings((4, 3), ("tanh", "tanh")))

    def test_data_of_different_sizes(self, make_part):
        data = [Data(make_part(samples=6)), Data(make_part(samples=7))]
        with pytest.raises(ValueError, match="same sizes"):
            train([Settings()] * 2, data)
        with pytest.raises(ValueError, match="same sizes"):
            train([Settings()] * 2, [Data(make_part()), Data(make_part(weighted=True))])

    def test_networks_without_data(self, make_part):
        for networks, data in (([], []), ([Settings()], [Data(make_part())] * 2)):
            with pytest.raises(ValueError, match="each with its data"):
                train(networks, data)
