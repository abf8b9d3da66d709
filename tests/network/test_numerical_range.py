"""Outputs and losses stay exact where a naive formula overflows or takes the logarithm of 0."""

import math
import warnings

import numpy as np
import pytest

from src.network import Part, Settings, derivation
from src.network.activations import ACTIVATIONS
from tests.network.cases import activated


def network(way, output, loss, outputs):
    """Return a network whose pre-activations are its inputs, one for each output, and its matrices."""
    settings = Settings((), (), output, loss)
    return way(settings, outputs, outputs), [np.column_stack([np.eye(outputs), np.zeros(outputs)])]


def loss_and_error(way, output, loss, z, y):
    """Return the loss of one sample, and its derivative by each pre-activation z (the gradient by the biases)."""
    its_network, matrices = network(way, output, loss, len(z))
    part = Part(np.array([z]).T, np.array([y], dtype=float).T)
    [error] = its_network.gradient(matrices, part)
    return its_network.objective(matrices, part), error[:, -1].tolist()


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_softmax_cross_entropy_of_a_class_that_is_all_but_impossible(way):
    loss, error = loss_and_error(way, "softmax", "cross_entropy", [1000.0, 0.0, -1000.0], [0, 0, 1])
    assert loss == 2000.0  # log(e^1000 + 1 + e^-1000) + 1000
    assert error == [1.0, 0.0, -1.0]


def test_softmax_cross_entropy_of_a_class_that_is_all_but_certain_is_small_and_not_zero(way):
    loss, _ = loss_and_error(way, "softmax", "cross_entropy", [30.0, 0.0], [1, 0])
    assert loss == pytest.approx(math.log1p(math.exp(-30.0)), rel=1e-2)
    assert loss > 0


@pytest.mark.parametrize(
    "z, y, expected, slope",
    [
        (800.0, 0, 800.0, 1.0),
        (-800.0, 1, 800.0, -1.0),
        (800.0, 1, 0.0, 0.0),
        (-30.0, 0, math.log1p(math.exp(-30.0)), math.exp(-30.0)),
    ],
)
def test_sigmoid_cross_entropy_far_from_and_near_to_its_target(way, z, y, expected, slope):
    loss, error = loss_and_error(way, "sigmoid", "cross_entropy", [z], [y])
    assert loss == pytest.approx(expected, rel=1e-12, abs=0)
    assert error == [pytest.approx(slope, rel=1e-12, abs=0)]


def test_softmax_is_the_same_for_pre_activations_that_are_all_shifted(way):
    its_network, matrices = network(way, "softmax", "cross_entropy", 3)
    z = np.array([[1.0], [0.5], [-2.0]])
    for shift in (-1e4, 0.0, 1e4):
        shifted = its_network.predict(matrices, z + shift)
        np.testing.assert_allclose(shifted, its_network.predict(matrices, z), rtol=1e-11)
        assert shifted.sum() == pytest.approx(1, abs=1e-15)


# limits of f at -1000 and 1000, limits of f' there
LIMITS = {
    "identity": (-1000, 1000, 1, 1),
    "sigmoid": (0, 1, 0, 0),
    "tanh": (-1, 1, 0, 0),
    "relu": (0, 1000, 0, 1),
    "leaky_relu": (-10, 1000, 0.01, 1),
    "elu": (-1, 1000, 0, 1),
    "softplus": (0, 1000, 0, 1),
    "silu": (0, 1000, 0, 1),
    "gelu": (0, 1000, 0, 1),
}


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_activations_and_slopes_stay_numbers_and_have_their_limits_at_the_ends(activation, dtype):
    with np.errstate(all="ignore"):  # as the engine does: an overflowing exp has its true limit
        a, slope = activated(activation, np.array([-1000.0, -90.0, 0.0, 90.0, 1000.0], dtype))
    assert np.isfinite([a, slope]).all()
    low, high, slope_low, slope_high = LIMITS[activation]
    assert (a[0], a[-1]) == (pytest.approx(low, rel=1e-6), pytest.approx(high, rel=1e-6))
    assert (slope[0], slope[-1]) == (pytest.approx(slope_low, rel=1e-6), pytest.approx(slope_high, rel=1e-6))


@pytest.mark.parametrize("activation", derivation.ACTIVATIONS)
def test_activations_and_slopes_are_those_of_the_derivation_far_out_too(activation):
    z = np.array([-1000.0, -700.0, -40.0, -5.0, -1e-9, 0.0, 1e-9, 5.0, 40.0, 700.0, 1000.0])
    plain = derivation.ACTIVATIONS[activation]
    with np.errstate(all="ignore"):
        a, slope = activated(activation, z)
    np.testing.assert_allclose(a, [plain.f(each) for each in z.tolist()], rtol=1e-14, atol=1e-300)
    np.testing.assert_allclose(slope, [plain.slope(each) for each in z.tolist()], rtol=1e-14, atol=1e-15)
