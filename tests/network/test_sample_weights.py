"""A sample of weight 3 counts as three samples: weights are scaled to a mean of 1, and J divides by the samples."""

import numpy as np
import pytest

from src.network import Part, Settings
from src.network.outputs import OUTPUTS

COUNTS = np.array([1, 3, 0, 2, 1, 5])


@pytest.mark.parametrize("output, loss", OUTPUTS)
def test_whole_numbers_train_the_network_of_repeated_samples(output, loss, make_part, train_one):
    part, rows = make_part(samples=len(COUNTS)), np.repeat(np.arange(len(COUNTS)), COUNTS)
    weighted = Part(part.x, part.y, COUNTS / COUNTS.mean())
    repeated = Part(part.x[:, rows], part.y[:, rows])
    for optimizer in ("sgd", "nesterov", "adam"):
        settings = Settings((4,), "tanh", output, loss, optimizer=optimizer, learning_rate=0.1, l2=0.02, epochs=40)
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
