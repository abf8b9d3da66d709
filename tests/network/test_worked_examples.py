"""The worked examples of the derivations this project follows, number by number.

Each hand formula is computed here with plain floats, in its own source's notation, indices and signs, and only then
compared: with what derivation.py computes in the notation they share, and with what the engine computes. The four
sources differ in convention:

- derivation 1 numbers the nodes of the whole network, calls the output y and the target t, and its error term is the
  negative of the derivative, delta = -dE/dnet, so that its rule adds: w <- w + eta delta x.
- derivation 2 has W_ij from unit j of the layer below to unit i, and layers from 2 to L.
- derivation 3 averages over m samples and adds the penalty.
- derivation 4 has W transposed, w_lj from hidden unit l to output j, and no biases in its example.
"""

# ruff: noqa: E741, RUF012 -- l is the source's index of a hidden unit; the examples' numbers are never changed

from math import exp, log

import numpy as np
import pytest

from src.network import SHUFFLING, Part, Settings
from tests.network.two_ways import Derivation


def f(z):
    return 1 / (1 + exp(-z))


def part(*samples):
    """Samples given as pairs (x, y)."""
    x, y = zip(*samples, strict=True)
    return Part(np.array(x, dtype=float).T, np.array(y, dtype=float).T)


def exactly(number):
    """What agrees to the rounding of a few operations."""
    return pytest.approx(number, rel=1e-13, abs=1e-15)


class TestDerivation1:
    """The 3-4-2 network of derivation 1: nodes 1 to 3 are inputs, 4 to 7 hidden, 8 and 9 outputs."""

    ETA = 0.7
    ONLINE = Settings((4,), "sigmoid", "sigmoid", "squared_error", batch_size=1, learning_rate=ETA, epochs=1, seed=3)
    # (3.5): each node's row is its weights from the layer below, then its bias w_jb
    ROWS = {
        4: [0.15, -0.40, 0.25, 0.10],
        5: [-0.35, 0.20, 0.55, -0.20],
        6: [0.45, 0.30, -0.10, 0.05],
        7: [-0.05, 0.60, 0.35, -0.30],
        8: [0.50, -0.25, 0.40, -0.15, 0.20],
        9: [-0.45, 0.35, 0.10, 0.65, -0.10],
    }
    X = {1: 0.9, 2: -0.3, 3: 0.4}
    T = {8: 1.0, 9: 0.0}

    @classmethod
    def by_hand(cls, rows, x, t):
        """Return all outputs, the error terms and the updated rows for one sample."""
        w = {}  # w[j, i] leads from node i to node j
        for j, row in rows.items():
            below = (1, 2, 3, "b") if j < 8 else (4, 5, 6, 7, "b")
            w |= {(j, i): value for i, value in zip(below, row, strict=True)}
        a = dict(x)
        for j in (4, 5, 6, 7):  # (3.2), (3.4)
            a[j] = f(w[j, 1] * a[1] + w[j, 2] * a[2] + w[j, 3] * a[3] + w[j, "b"])
        y = {}
        for j in (8, 9):  # (3.3)
            y[j] = f(w[j, 4] * a[4] + w[j, 5] * a[5] + w[j, 6] * a[6] + w[j, 7] * a[7] + w[j, "b"])
        delta = {i: y[i] * (1 - y[i]) * (t[i] - y[i]) for i in (8, 9)}  # (4.1), (4.2)
        for i in (4, 5, 6, 7):  # (4.3), (4.4)
            delta[i] = a[i] * (1 - a[i]) * (w[8, i] * delta[8] + w[9, i] * delta[9])
        a["b"] = 1.0  # the bias's input is always 1: (4.8)
        new = {(j, i): value + cls.ETA * delta[j] * a[i] for (j, i), value in w.items()}  # (4.5)
        updated = {j: [value for (to, _), value in new.items() if to == j] for j in rows}
        return a, y, delta, w, new, updated

    @pytest.fixture
    def start(self):
        rows = list(self.ROWS.values())
        return [rows[:4], rows[4:]]

    def test_outputs(self, way, start):
        _, y, *_ = self.by_hand(self.ROWS, self.X, self.T)
        x = np.array([[each] for each in self.X.values()])
        assert way(self.ONLINE, 3, 2).predict(start, x)[:, 0] == exactly([y[8], y[9]])  # (3.1)

    def test_error_of_one_sample(self, way, start):
        _, y, *_ = self.by_hand(self.ROWS, self.X, self.T)
        E_d = ((self.T[8] - y[8]) ** 2 + (self.T[9] - y[9]) ** 2) / 2  # (4.9)
        samples = part((list(self.X.values()), list(self.T.values())))
        assert way(self.ONLINE, 3, 2).objective(start, samples) == exactly(E_d)

    def test_error_terms_are_the_negatives_of_the_derivations(self, start):
        a, y, delta, *_ = self.by_hand(self.ROWS, self.X, self.T)
        samples = part((list(self.X.values()), list(self.T.values())))
        [computed] = Derivation(self.ONLINE, 3, 2).passes(start, samples)
        assert computed.a[1] == exactly([a[i] for i in (4, 5, 6, 7)])
        assert computed.a[2] == exactly([y[8], y[9]])
        assert computed.delta[1] == exactly([-delta[i] for i in (4, 5, 6, 7)])  # (4.4)
        assert computed.delta[2] == exactly([-delta[8], -delta[9]])  # (4.2)

    def test_derivatives_are_the_negative_of_the_error_terms_times_inputs(self, way, start):
        a, _, delta, *_ = self.by_hand(self.ROWS, self.X, self.T)
        samples = part((list(self.X.values()), list(self.T.values())))
        hidden, output = way(self.ONLINE, 3, 2).gradient(start, samples)
        for j in (4, 5, 6, 7):  # (4.12)
            assert hidden[j - 4] == exactly([-delta[j] * a[i] for i in (1, 2, 3, "b")])
        for j in (8, 9):
            assert output[j - 8] == exactly([-delta[j] * a[i] for i in (4, 5, 6, 7, "b")])

    def test_one_update_with_one_sample(self, way, start):
        a, _, delta, w, new, updated = self.by_hand(self.ROWS, self.X, self.T)
        samples = part((list(self.X.values()), list(self.T.values())))
        hidden, output = way(self.ONLINE, 3, 2).train(start, samples)
        assert output[0, 0] == exactly(w[8, 4] + self.ETA * delta[8] * a[4])  # (4.6)
        assert hidden[0, 0] == exactly(w[4, 1] + self.ETA * delta[4] * self.X[1])  # (4.7)
        assert hidden[0, 3] == exactly(w[4, "b"] + self.ETA * delta[4])  # (4.8)
        for j in (4, 5, 6, 7):  # (4.5), every weight of the network
            assert hidden[j - 4] == exactly(updated[j])
        for j in (8, 9):
            assert output[j - 8] == exactly(updated[j])
        assert new[8, 4] != w[8, 4]

    def test_three_epochs_of_one_sample_at_a_time(self, way, start):
        random = np.random.default_rng(1)
        samples = [(list(map(float, random.normal(size=3))), t) for t in ([1, 0], [0, 1], [1, 1], [0, 0], [1, 0])]
        settings = Settings(**{**vars(self.ONLINE), "epochs": 3})
        rows, shuffling = self.ROWS, settings.random(SHUFFLING)
        for _ in range(3):
            for sample in shuffling.permutation(5):  # every sample once in each epoch, in the network's own order
                x, t = samples[sample]
                *_, rows = self.by_hand(rows, dict(enumerate(x, start=1)), dict(enumerate(t, start=8)))
        hidden, output = way(settings, 3, 2).train(start, part(*samples))
        assert [*hidden.tolist(), *output.tolist()] == [pytest.approx(row, rel=1e-12) for row in rows.values()]


def test_derivation_2_one_update_with_a_batch_of_K_samples_and_penalty(way):
    """Section 6: W <- W - alpha [(1/K) Delta W + lambda W], b <- b - alpha (1/K) Delta b, for a 3-4-2 network."""
    alpha, lam, s1, s2, s3 = 0.8, 0.3, 3, 4, 2
    random = np.random.default_rng(2)
    W = {2: random.normal(size=(s2, s1)).tolist(), 3: random.normal(size=(s3, s2)).tolist()}
    b = {2: random.normal(size=s2).tolist(), 3: random.normal(size=s3).tolist()}
    samples = [(random.normal(size=s1).tolist(), random.uniform(size=s3).tolist()) for _ in range(5)]

    def sigma_prime(z):  # (2)
        return f(z) * (1 - f(z))

    Delta_W = {2: [[0.0] * s1 for _ in range(s2)], 3: [[0.0] * s2 for _ in range(s3)]}
    Delta_b = {2: [0.0] * s2, 3: [0.0] * s3}
    for x, y in samples:
        z2 = [sum(W[2][i][j] * x[j] for j in range(s1)) + b[2][i] for i in range(s2)]
        a2 = [f(z) for z in z2]
        z3 = [sum(W[3][i][j] * a2[j] for j in range(s2)) + b[3][i] for i in range(s3)]
        a3 = [f(z) for z in z3]
        delta3 = [(a3[i] - y[i]) * sigma_prime(z3[i]) for i in range(s3)]  # (7)
        delta2 = [sum(W[3][i][j] * delta3[i] for i in range(s3)) * sigma_prime(z2[j]) for j in range(s2)]  # (8)
        for layer, delta, below in ((3, delta3, a2), (2, delta2, x)):
            for i, delta_i in enumerate(delta):
                Delta_b[layer][i] += delta_i  # (12)
                for j, a_j in enumerate(below):
                    Delta_W[layer][i][j] += delta_i * a_j  # (9), (10)

    K = len(samples)
    settings = Settings((s2,), "sigmoid", "sigmoid", "squared_error", learning_rate=alpha, l2=lam, epochs=1)
    start = [np.column_stack([W[layer], b[layer]]) for layer in (2, 3)]
    for layer, matrix in zip((2, 3), way(settings, s1, s3).train(start, part(*samples)), strict=True):
        for i, row in enumerate(matrix):
            for j, w in enumerate(row[:-1]):
                assert w == exactly(W[layer][i][j] - alpha * (Delta_W[layer][i][j] / K + lam * W[layer][i][j]))
            assert row[-1] == exactly(b[layer][i] - alpha * Delta_b[layer][i] / K)


class TestDerivation3:
    """The objective over m samples with its penalty, and its derivative, for a network with two hidden layers."""

    SIZES = (2, 3, 4, 2)
    SETTINGS = Settings((3, 4), "sigmoid", "sigmoid", "squared_error")
    LAMBDA = 0.25

    @pytest.fixture
    def example(self):
        random = np.random.default_rng(3)
        W = [random.normal(size=(out, n)).tolist() for n, out in zip(self.SIZES[:-1], self.SIZES[1:], strict=True)]
        b = [random.normal(size=n).tolist() for n in self.SIZES[1:]]
        samples = [(random.normal(size=2).tolist(), random.uniform(size=2).tolist()) for _ in range(4)]
        return W, b, samples

    def activations(self, W, b, x):
        a = [x]  # a^(1) = x
        for W_l, b_l in zip(W, b, strict=True):  # z^(l+1) = W^(l) a^(l) + b^(l), a^(l+1) = f(z^(l+1))
            Wa = [sum(w * a_j for w, a_j in zip(W_i, a[-1], strict=True)) for W_i in W_l]
            a.append([f(Wa_i + b_i) for Wa_i, b_i in zip(Wa, b_l, strict=True)])
        return a

    def matrices(self, W, b):
        return [np.column_stack([W_l, b_l]) for W_l, b_l in zip(W, b, strict=True)]

    def test_objective(self, way, example):
        W, b, samples = example
        m, total = len(samples), 0.0
        for x, y in samples:
            h = self.activations(W, b, x)[-1]
            total += 0.5 * sum((h_i - y_i) ** 2 for h_i, y_i in zip(h, y, strict=True))
        squares = 0.0
        for W_l in W:
            for row in W_l:
                for W_ij in row:
                    squares += W_ij**2
        J = total / m + self.LAMBDA / 2 * squares
        assert way(self.SETTINGS, 2, 2).objective(self.matrices(W, b), part(*samples), self.LAMBDA) == exactly(J)

    def test_derivatives(self, way, example):
        W, b, samples = example
        m = len(samples)
        dW = [[[self.LAMBDA * w for w in row] for row in W_l] for W_l in W]
        db = [[0.0] * len(b_l) for b_l in b]
        for x, y in samples:
            a = self.activations(W, b, x)
            # delta^(n_l) = (a - y) f'(z), and f'(z) = a (1 - a)
            delta = [(a_i - y_i) * a_i * (1 - a_i) for a_i, y_i in zip(a[-1], y, strict=True)]
            for layer in (2, 1, 0):
                for i, delta_i in enumerate(delta):
                    db[layer][i] += delta_i / m
                    for j, a_j in enumerate(a[layer]):
                        dW[layer][i][j] += delta_i * a_j / m  # dJ/dW = delta^(l+1) a^(l)
                delta = [
                    sum(delta_k * W[layer][k][j] for k, delta_k in enumerate(delta)) * a_j * (1 - a_j)
                    for j, a_j in enumerate(a[layer])
                ]
        computed = way(self.SETTINGS, 2, 2).gradient(self.matrices(W, b), part(*samples), self.LAMBDA)
        for layer, matrix in enumerate(computed):
            for i, row in enumerate(matrix):
                assert row == exactly([*dW[layer][i], db[layer][i]])


class TestDerivation4:
    """The 5-4-3 network of derivation 4: sigmoid hidden units, softmax output, cross-entropy; v is 5 x 4, w 4 x 3."""

    SETTINGS = Settings((4,), "sigmoid", "softmax", "cross_entropy", learning_rate=0.6, epochs=1)
    Y = (0.0, 1.0, 0.0)  # the class is 2

    @pytest.fixture
    def example(self):
        """Return x, v, w, h and y_hat with indices from 1, as the source counts."""
        random = np.random.default_rng(4)
        x = dict(enumerate(random.normal(size=5).tolist(), start=1))
        v = {(i, l): float(random.normal()) for i in range(1, 6) for l in range(1, 5)}
        w = {(l, j): float(random.normal()) for l in range(1, 5) for j in range(1, 4)}
        p = {l: sum(x[i] * v[i, l] for i in range(1, 6)) for l in range(1, 5)}
        h = {l: 1 / (1 + exp(-p[l])) for l in p}
        o = {j: sum(h[l] * w[l, j] for l in range(1, 5)) for j in range(1, 4)}
        y_hat = {j: exp(o[j]) / sum(exp(o[c]) for c in o) for j in o}
        return x, v, w, h, y_hat

    def matrices(self, v, w):
        """Return the example in this project's convention: each matrix transposed, with a column of zero biases."""
        hidden = [[*(v[i, l] for i in range(1, 6)), 0.0] for l in range(1, 5)]
        output = [[*(w[l, j] for l in range(1, 5)), 0.0] for j in range(1, 4)]
        return [hidden, output]

    def test_hypothesis_and_loss(self, way, example):
        x, v, w, _, y_hat = example
        network, samples = way(self.SETTINGS, 5, 3), part((list(x.values()), self.Y))
        assert network.predict(self.matrices(v, w), samples.x)[:, 0] == exactly(list(y_hat.values()))
        assert network.objective(self.matrices(v, w), samples) == exactly(-log(y_hat[2]))  # J = -log a_y

    def test_w_32_and_v_43(self, way, example):
        x, v, w, h, y_hat = example
        dJ_dw32 = h[3] * (y_hat[2] - self.Y[1])
        dJ_dv43 = x[4] * h[3] * (1 - h[3]) * sum(w[3, j] * (y_hat[j] - self.Y[j - 1]) for j in (1, 2, 3))
        samples = part((list(x.values()), self.Y))
        hidden, output = way(self.SETTINGS, 5, 3).gradient(self.matrices(v, w), samples)
        assert output[2 - 1, 3 - 1] == exactly(dJ_dw32)
        assert hidden[3 - 1, 4 - 1] == exactly(dJ_dv43)

    def test_update_of_every_weight(self, way, example):
        x, v, w, h, y_hat = example
        alpha = self.SETTINGS.learning_rate
        delta2 = {j: y_hat[j] - self.Y[j - 1] for j in (1, 2, 3)}  # delta^(2) = y_hat - y
        delta1 = {l: h[l] * (1 - h[l]) * sum(w[l, j] * delta2[j] for j in delta2) for l in h}
        samples = part((list(x.values()), self.Y))
        hidden, output = way(self.SETTINGS, 5, 3).train(self.matrices(v, w), samples)
        for (i, l), value in v.items():
            assert hidden[l - 1, i - 1] == exactly(value - alpha * x[i] * delta1[l])
        for (l, j), value in w.items():
            assert output[j - 1, l - 1] == exactly(value - alpha * h[l] * delta2[j])

    def test_cross_entropy_is_averaged_over_the_samples(self, way, example):
        x, v, w, _, y_hat = example
        samples = part(*((list(x.values()), np.eye(3)[c]) for c in (0, 1, 2, 1)))
        J = -(log(y_hat[1]) + log(y_hat[2]) + log(y_hat[3]) + log(y_hat[2])) / 4
        assert way(self.SETTINGS, 5, 3).objective(self.matrices(v, w), samples) == exactly(J)

    def test_squared_error_over_sigmoid_outputs(self, way, example):
        """delta^(L) = diag(a (1 - a)) (a - y)."""
        x, v, w, h, _ = example
        squared = Settings((4,), "sigmoid", "sigmoid", "squared_error")
        a = {j: f(sum(h[l] * w[l, j] for l in h)) for j in (1, 2, 3)}
        samples = part((list(x.values()), self.Y))
        _, output = way(squared, 5, 3).gradient(self.matrices(v, w), samples)
        for j in (1, 2, 3):
            delta_j = a[j] * (1 - a[j]) * (a[j] - self.Y[j - 1])
            assert output[j - 1] == exactly([*(h[l] * delta_j for l in h), delta_j])
