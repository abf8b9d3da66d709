"""The penalty's weight lambda means the same for every batch size, and converts to scikit-learn's alpha.

J = (1/m) sum loss + (lambda / 2) sum W^2. scikit-learn's MLPClassifier divides its penalty by the samples of the
batch, (1/K) [sum loss + (alpha / 2) sum W^2], so alpha = lambda K: and a last batch that is smaller decays harder.
"""

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier

from src.network import Part, Settings, shape_of
from src.network.optimizers import OPTIMIZERS

L2 = 0.07
HIDDEN = (5, 4)
SHAPE = shape_of(Settings(HIDDEN, "tanh"), 3, 3)


def cut(part, size):
    """Return consecutive batches of a part."""
    count = part.x.shape[1]
    return [Part(part.x[:, i : i + size], part.y[:, i : i + size]) for i in range(0, count, size)]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("size", [1, 4, 5])
def test_batches_of_any_size_follow_the_same_objective(size, optimizer, make_part, drawn, train_one):
    # All samples are one sample, so every batch has the gradient of all, the smaller last batch of 10 = 4 + 4 + 2 too.
    one = make_part(samples=1)
    part = Part(np.repeat(one.x, 10, axis=1), np.repeat(one.y, 10, axis=1))
    numbers = {"optimizer": optimizer, "learning_rate": 0.02, "l2": L2}
    updates = 3 * -(-10 // size)
    in_batches = train_one(Settings(HIDDEN, "tanh", batch_size=size, epochs=3, **numbers), part, start=drawn(SHAPE))
    in_one = train_one(Settings(HIDDEN, "tanh", epochs=updates, **numbers), part, start=drawn(SHAPE))
    np.testing.assert_allclose(in_batches.parameters, in_one.parameters, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("size", [7, 8])
def test_a_batch_size_of_all_samples_or_more_is_the_full_batch(size, make_part, train_one):
    part = make_part(samples=7)
    full = train_one(Settings(l2=L2, epochs=5), part)
    assert train_one(Settings(l2=L2, epochs=5, batch_size=size), part).parameters.tolist() == full.parameters.tolist()


class TestMLPClassifier:
    """One gradient step of scikit-learn's own network from the same weights on the same samples."""

    RATE = 0.3

    def peers_step(self, part, alpha, batch_size, matrices):
        """Return the matrices [W b] after MLPClassifier has gone once through the samples, in their order."""
        peer = MLPClassifier(
            HIDDEN,
            activation="tanh",
            solver="sgd",
            alpha=alpha,
            batch_size=batch_size,
            learning_rate_init=self.RATE,
            momentum=0.0,
            nesterovs_momentum=False,
            shuffle=False,
        )
        x, target = part.x.T, part.y.argmax(axis=0)
        peer.partial_fit(x, target, classes=[0, 1, 2])  # makes its arrays, which then get our weights
        for layer, matrix in enumerate(matrices):
            peer.coefs_[layer][...] = matrix[:, :-1].T
            peer.intercepts_[layer][...] = matrix[:, -1]
        peer.partial_fit(x, target)
        return [np.column_stack([W.T, b]) for W, b in zip(peer.coefs_, peer.intercepts_, strict=True)]

    def our_step(self, part, l2, start, train_one):
        settings = Settings(HIDDEN, "tanh", learning_rate=self.RATE, l2=l2, epochs=1)
        return train_one(settings, part, start=start).parameters

    @pytest.mark.parametrize("samples", [1, 4, 10])
    def test_alpha_is_lambda_times_the_samples_of_the_batch(self, samples, make_part, drawn, matrices_of, train_one):
        part, row = make_part(samples=samples), drawn(SHAPE)
        peer = self.peers_step(part, L2 * samples, samples, matrices_of(SHAPE, row))
        for ours, theirs in zip(matrices_of(SHAPE, self.our_step(part, L2, row, train_one)), peer, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)

    def test_its_smaller_last_batch_decays_harder_and_ours_does_not(self, make_part, drawn, matrices_of, train_one):
        part, row = make_part(samples=10), drawn(SHAPE)
        peer = self.peers_step(part, L2 * 4, 4, matrices_of(SHAPE, row))  # batches of 4, 4 and 2

        def our_steps(*lambdas):
            now = row
            for batch, l2 in zip(cut(part, 4), lambdas, strict=True):
                now = self.our_step(batch, l2, now, train_one)
            return matrices_of(SHAPE, now)

        for ours, theirs in zip(our_steps(L2, L2, 2 * L2), peer, strict=True):  # alpha / 2 samples = 2 lambda
            np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-14)
        for ours, theirs in zip(our_steps(L2, L2, L2), peer, strict=True):
            assert np.abs(ours[:, :-1] - theirs[:, :-1]).max() > 1e-3
