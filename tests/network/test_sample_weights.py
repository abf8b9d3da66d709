"""A sample of weight 3 counts as three samples: weights are scaled to a mean of 1, and J divides by the samples."""

import numpy as np
import pytest

from src.network import Part, Settings, gradient, objective, shape_of
from src.network.outputs import OUTPUTS

COUNTS = np.array([1, 3, 0, 2, 1, 5])
L2 = 0.02


@pytest.fixture
def weighted_and_repeated(make_part):
    part = make_part(samples=len(COUNTS))
    rows = np.repeat(np.arange(len(COUNTS)), COUNTS)
    return Part(part.x, part.y, COUNTS / COUNTS.mean()), Part(part.x[:, rows], part.y[:, rows])


@pytest.mark.parametrize("output, loss", OUTPUTS)
class TestWholeNumbers:
    def test_give_the_objective_and_gradient_of_repeated_samples(self, output, loss, weighted_and_repeated, drawn):
        weighted, repeated = weighted_and_repeated
        shape = shape_of(Settings((4,), "tanh", output, loss), 3, 3)
        row = drawn(shape)
        assert objective(shape, row, weighted, L2) == pytest.approx(objective(shape, row, repeated, L2), rel=1e-14)
        by_weight, by_repetition = gradient(shape, row, weighted, L2), gradient(shape, row, repeated, L2)
        np.testing.assert_allclose(by_weight, by_repetition, rtol=1e-11, atol=1e-15)

    @pytest.mark.parametrize("optimizer", ["sgd", "nesterov", "adam"])
    def test_train_the_network_of_repeated_samples(self, output, loss, optimizer, weighted_and_repeated, train_one):
        weighted, repeated = weighted_and_repeated
        settings = Settings((4,), "tanh", output, loss, optimizer=optimizer, learning_rate=0.1, l2=L2, epochs=40)
        one = train_one(settings, weighted, curve_epochs=[1, 40])
        other = train_one(settings, repeated, curve_epochs=[1, 40])
        np.testing.assert_allclose(one.parameters, other.parameters, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(one.curve.train_loss, other.curve.train_loss, rtol=1e-10)


def test_weights_of_one_are_no_weights(make_part, train_one):
    part = make_part(samples=9)
    ones = Part(part.x, part.y, np.ones(9))
    for batch_size in ("full", 1, 4):
        settings = Settings(batch_size=batch_size, epochs=5)
        assert train_one(settings, ones).parameters.tolist() == train_one(settings, part).parameters.tolist()


def test_a_weight_stays_with_its_sample_when_the_order_is_shuffled(make_part, train_one):
    # A sample of weight 0 teaches nothing: neither its features nor its class may matter, in whatever batch it falls.
    part = make_part(samples=9)
    weight = np.array([1.0, 2.0, 0.0, 1.0, 0.5, 1.5, 1.0, 1.0, 1.0])
    x, y = part.x.copy(), part.y.copy()
    x[:, 2], y[:, 2] = 7.0, y[::-1, 2]
    for batch_size in ("full", 1, 4):
        settings = Settings(batch_size=batch_size, epochs=5)
        one, other = (train_one(settings, Part(*samples, weight)) for samples in ((part.x, part.y), (x, y)))
        np.testing.assert_allclose(one.parameters, other.parameters, rtol=1e-13)
