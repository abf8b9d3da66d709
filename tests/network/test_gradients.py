"""Back-propagation computes the gradient of the objective, and the objective is the one it should be.

The engine is compared with derivation.py, where the network is written sum by sum: outputs, objective, gradient and
training. (That derivation.py has all that the engine has, and that its gradient is central differences of its
objective, `test_derivation.py` sees to, and `test_tracing.py` to the differences of the engine's.)
"""

import numpy as np
import pytest

from src.network import Part, Settings, activations, gradient, gradient_error, shape_of
from src.network.derivation import ACTIVATIONS, OUTPUTS
from tests.network.cases import SIZES, Case, activated, cases
from tests.network.two_ways import Derivation, Engine


def both_ways(case, **others):
    """Return the engine's and the derivation's way of the case's network, with its matrices and samples."""
    settings, inputs, outputs = case.settings(**others), case.layer_sizes[0], case.layer_sizes[-1]
    return Engine(settings, inputs, outputs), Derivation(settings, inputs, outputs), case.matrices(), case.part


def assert_same(ours, theirs):
    """Compare matrices to the rounding of sums whose terms are about as large as the largest number."""
    for matrix, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(matrix, other, rtol=1e-12, atol=1e-13 * np.abs(other).max())


def relative_error(one, other):
    return np.linalg.norm(one - other) / max(np.linalg.norm(one), np.linalg.norm(other))


@pytest.mark.parametrize("case", cases(ACTIVATIONS, OUTPUTS, size=SIZES, batch_size=("full", 1, 4)), ids=str)
def test_outputs_objective_gradient_and_two_epochs_are_those_of_the_derivation(case):
    engine, derivation, matrices, part = both_ways(case, learning_rate=0.1, epochs=2)
    np.testing.assert_allclose(engine.predict(matrices, part.x), derivation.predict(matrices, part.x), rtol=1e-12)
    expected = derivation.objective(matrices, part, case.l2)
    assert engine.objective(matrices, part, case.l2) == pytest.approx(expected, rel=1e-13)
    assert_same(engine.gradient(matrices, part, case.l2), derivation.gradient(matrices, part, case.l2))
    assert_same(engine.train(matrices, part), derivation.train(matrices, part))


@pytest.mark.parametrize("name", activations.ACTIVATIONS)
def test_slopes_are_central_differences(name):
    z, step = np.array([-30.0, -4.3, -1.1, -0.7, -0.2, 0.1, 0.9, 1.3, 2.7, 25.0]), 1e-5
    differences = (activated(name, z + step)[0] - activated(name, z - step)[0]) / (2 * step)
    np.testing.assert_allclose(activated(name, z)[1], differences, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("depth", [0, 1, 2, 3])
def test_the_gradient_of_the_penalty_alone_is_lambda_W_and_leaves_biases_alone(depth):
    engine, _, matrices, part = both_ways(Case(("tanh", "gelu", "elu")[:depth], "softmax", "cross_entropy"))
    no_data = Part(part.x, part.y, np.zeros(part.x.shape[1]))
    for found, matrix in zip(engine.gradient(matrices, no_data, 0.3), matrices, strict=True):
        np.testing.assert_allclose(found, np.column_stack([0.3 * matrix[:, :-1], np.zeros(len(matrix))]), rtol=1e-15)


@pytest.mark.parametrize("case", cases(), ids=str)
def test_float32_updates_are_float64_updates_in_single_precision(case, train_one):
    engine, _, _, part = both_ways(case, dtype="float32", learning_rate=0.5, epochs=1)
    start = engine.row(case.smooth_matrices())
    trained = train_one(engine.settings, part, start=start)
    assert trained.parameters.dtype == np.float32
    step = (start.astype(np.float32) - trained.parameters) / 0.5
    assert relative_error(step, gradient(engine.shape, start, part, case.l2)) < 2e-5


@pytest.mark.parametrize("output", ["softmax", "sigmoid", "identity"])
def test_the_users_check_finds_no_error_in_the_initial_network(output, make_part):
    loss = "squared_error" if output == "identity" else "cross_entropy"
    for dtype in ("float64", "float32"):
        settings = Settings((5, 4), "tanh", output, loss, l2=0.01, dtype=dtype)
        assert gradient_error(settings, make_part(weighted=True)) < 1e-7


def test_the_users_check_finds_an_error_where_the_slope_has_two_values(make_part):
    # All weights are zero, so every relu stands on its kink: back-propagation takes the slope 0, differences take 1/2.
    settings = Settings((4,), "relu", "identity", "squared_error", init="zeros")
    shape = shape_of(settings, 3, 3)
    on_the_kink = np.zeros(shape.parameter_count)
    on_the_kink[-12:] = 1.0  # the output layer's, so that the hidden units count
    assert gradient_error(settings, make_part(), on_the_kink) > 0.1
    assert gradient_error(settings, make_part(), on_the_kink + 0.5) < 1e-7


def test_the_users_check_takes_a_network_without_gradient():
    nothing = Part(np.zeros((2, 4)), np.zeros((1, 4)))
    settings = Settings((), (), "identity", "squared_error", init="zeros")
    assert gradient_error(settings, nothing) == 0.0
