"""derivation.py is right: its functions by values worked out on paper, its derivatives by central differences.

The engine is compared with it in `test_gradients.py`, both with the derivations' own examples in
`test_worked_examples.py`, and both at the ends of the range of numbers in `test_numerical_range.py`.
"""

from math import log, tanh

import numpy as np
import pytest

from src.network import activations, derivation, outputs
from src.network.derivation import ACTIVATIONS, OUTPUTS
from tests.network.cases import Case, cases
from tests.network.two_ways import Derivation, joined, samples_of

H = 1e-5  # the step of a central difference


@pytest.mark.parametrize("module", [activations, outputs], ids=["activations", "outputs"])
def test_whatever_the_engine_offers_has_its_plain_formula(module):
    name = "ACTIVATIONS" if module is activations else "OUTPUTS"
    missing = f"name it in {name} of src/network/derivation.py too: the engine is tested against the formula there"
    assert set(getattr(module, name)) == set(getattr(derivation, name)), missing


ON_PAPER = {
    "identity": {-2.0: -2.0},
    "sigmoid": {0.0: 0.5, log(3): 3 / 4, -log(3): 1 / 4},
    "tanh": {log(2): 3 / 5, -log(3): -4 / 5},
    "relu": {2.0: 2.0, 0.0: 0.0, -2.0: 0.0},
    "leaky_relu": {2.0: 2.0, -2.0: -0.02},
    "elu": {2.0: 2.0, -log(2): -1 / 2},
    "softplus": {0.0: log(2), log(3): log(4), -log(2): log(3 / 2)},
    "silu": {log(3): 3 / 4 * log(3), -log(3): -log(3) / 4},
    "gelu": {0.0: 0.0, 1.0: (1 + tanh(0.833561970)) / 2},  # sqrt(2 / pi) = 0.797884561, times 1.044715
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_have_the_values_worked_out_on_paper(name):
    for z, f in ON_PAPER[name].items():
        assert ACTIVATIONS[name].f(z) == pytest.approx(f, rel=1e-8, abs=0)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_slopes_are_central_differences(name):
    f, slope = ACTIVATIONS[name].f, ACTIVATIONS[name].slope
    for z in (-30.0, -4.3, -1.1, -0.2, 0.1, 0.9, 2.7, 25.0):
        assert slope(z) == pytest.approx((f(z + H) - f(z - H)) / (2 * H), rel=1e-8, abs=1e-9)


def test_a_unit_on_its_kink_has_the_slope_below_it():
    assert [ACTIVATIONS[name].slope(0.0) for name in ("relu", "leaky_relu")] == [0.0, 0.01]


# Powers of 2, 3 and 5 are shares of 2, 3 and 5 in 10, sigmoids p / (1 + p), and tanh (p^2 - 1) / (p^2 + 1).
Z, Y = [log(2), log(3), log(5)], [0.0, 1.0, 0.0]
SHARES, SIGMOIDS, TANHS = [2 / 10, 3 / 10, 5 / 10], [2 / 3, 3 / 4, 5 / 6], [3 / 5, 4 / 5, 12 / 13]
OUTPUTS_ON_PAPER = {
    ("softmax", "cross_entropy"): (SHARES, -log(3 / 10)),
    ("softmax", "squared_error"): (SHARES, (0.2**2 + 0.7**2 + 0.5**2) / 2),
    ("sigmoid", "cross_entropy"): (SIGMOIDS, -log(1 / 3) - log(3 / 4) - log(1 / 6)),
    ("sigmoid", "squared_error"): (SIGMOIDS, ((2 / 3) ** 2 + (1 / 4) ** 2 + (5 / 6) ** 2) / 2),
    ("tanh", "squared_error"): (TANHS, ((3 / 5) ** 2 + (1 / 5) ** 2 + (12 / 13) ** 2) / 2),
    ("identity", "squared_error"): (Z, (log(2) ** 2 + (log(3) - 1) ** 2 + log(5) ** 2) / 2),
}


@pytest.mark.parametrize("pair", OUTPUTS_ON_PAPER, ids="-".join)
def test_outputs_and_losses_have_the_values_worked_out_on_paper(pair):
    a, loss = OUTPUTS_ON_PAPER[pair]
    assert OUTPUTS[pair].h(Z) == pytest.approx(a, rel=1e-14)
    assert OUTPUTS[pair].loss(Z, a, Y) == pytest.approx(loss, rel=1e-14)


@pytest.mark.parametrize("y", [[0.0, 1.0, 0.0], [0.2, 0.5, 0.3]], ids=["class", "soft_target"])
@pytest.mark.parametrize("pair", OUTPUTS, ids="-".join)
def test_the_output_error_is_a_central_difference_of_the_loss(pair, y):
    output = OUTPUTS[pair]
    for i, delta in enumerate(output.delta(output.h(Z), y)):
        above, below = ([z + by * (k == i) for k, z in enumerate(Z)] for by in (H, -H))
        difference = output.loss(above, output.h(above), y) - output.loss(below, output.h(below), y)
        assert delta == pytest.approx(difference / (2 * H), rel=1e-8, abs=1e-9)


def central_differences(way, matrices, part, l2):
    """Return those of J's data and of its penalty, each by every number of the matrices [W b]."""
    data, penalty = ([np.empty_like(matrix) for matrix in matrices] for _ in range(2))
    for layer, matrix in enumerate(matrices):
        for place in np.ndindex(matrix.shape):
            J = []
            for by in (H, -H):
                moved = [each.copy() for each in matrices]
                moved[layer][place] += by
                J.append(derivation.objective(way.network(moved), way.passes(moved, part), l2))
            data[layer][place] = (J[0].data - J[1].data) / (2 * H)
            penalty[layer][place] = (J[0].penalty - J[1].penalty) / (2 * H)
    return data, penalty


# That every slope is right is tested above: of the chain three activations, one of them with a kink, tell enough.
@pytest.mark.parametrize("case", cases(("tanh", "leaky_relu", "gelu"), OUTPUTS), ids=str)
def test_the_gradients_of_data_and_penalty_are_central_differences(case):
    way, matrices = Derivation(case.settings(), 3, 3), case.smooth_matrices()
    gradient = derivation.gradient(way.network(matrices), way.passes(matrices, case.part), case.l2)
    data, penalty = central_differences(way, matrices, case.part, case.l2)
    no_biases = {layer: np.zeros(len(b)) for layer, b in gradient.b.items()}
    for found, expected in (
        (joined(gradient.W_data, gradient.b), data),
        (joined(gradient.W_penalty, no_biases), penalty),
        (joined(gradient.W, gradient.b), [one + other for one, other in zip(data, penalty, strict=True)]),
    ):
        for matrix, differences in zip(found, expected, strict=True):
            np.testing.assert_allclose(matrix, differences, rtol=1e-7, atol=1e-9)


def test_an_update_holds_every_number_that_led_to_it():
    case = Case(("tanh", "relu"), "softmax", "cross_entropy", weighted=True, l2=0.3)
    way, matrices = Derivation(case.settings(), 3, 3), case.matrices()
    before, samples = way.network(matrices), samples_of(case.part)
    update = derivation.update(before, samples, 0.5, case.l2)
    assert update.passes == [derivation.propagate(before, sample) for sample in samples]
    assert update.objective == derivation.objective(before, update.passes, case.l2)
    assert update.gradient == derivation.gradient(before, update.passes, case.l2)
    steps = joined(update.gradient.W, update.gradient.b)
    for after, matrix, step in zip(joined(update.network.W, update.network.b), matrices, steps, strict=True):
        np.testing.assert_allclose(after, matrix - 0.5 * step, rtol=1e-14, atol=1e-16)
    assert before == way.network(matrices)
