"""Each optimizer takes the steps that its paper describes.

The network is one line through the data, h(x) = w x + b with squared error, so that its gradient can be written down:
dJ/dw = (1/m) sum (w x + b - y) x + lambda w and dJ/db = (1/m) sum (w x + b - y). The updates are written below for
plain numbers. (`test_torch.py` compares with PyTorch's optimizers on a whole network.)
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
import pytest

from src.network import Part, Settings
from src.network.optimizers import OPTIMIZERS

LINE = Settings((), (), "identity", "squared_error")


@dataclass
class PlainOptimizer:
    """One parameter's update, with what it remembers."""

    settings: Settings
    velocity: float = 0.0
    first: float = 0.0
    second: float = 0.0
    steps: int = 0

    def step(self, p, g):
        s = self.settings
        self.steps += 1
        return getattr(self, "adam" if s.optimizer == "adamw" else s.optimizer)(p, g, s.learning_rate, s)

    def sgd(self, p, g, alpha, s):
        return p - alpha * g

    def momentum(self, p, g, alpha, s):
        self.velocity = s.momentum * self.velocity - alpha * g
        return p + self.velocity

    def nesterov(self, p, g, alpha, s):
        """Sutskever's look-ahead, written for the point that the gradient is taken at."""
        before = self.velocity
        self.velocity = s.momentum * before - alpha * g
        return p - s.momentum * before + (1 + s.momentum) * self.velocity

    def rmsprop(self, p, g, alpha, s):
        self.second = s.rho * self.second + (1 - s.rho) * g**2
        return p - alpha * g / (sqrt(self.second) + s.epsilon)

    def adagrad(self, p, g, alpha, s):
        self.second += g**2
        return p - alpha * g / (sqrt(self.second) + s.epsilon)

    def adam(self, p, g, alpha, s):
        self.first = s.beta1 * self.first + (1 - s.beta1) * g
        self.second = s.beta2 * self.second + (1 - s.beta2) * g**2
        m_hat = self.first / (1 - s.beta1**self.steps)
        v_hat = self.second / (1 - s.beta2**self.steps)
        return p - alpha * m_hat / (sqrt(v_hat) + s.epsilon)


def plain_training(settings, xs, ys, w, b):
    """Return the line after full-batch training, computed with plain numbers."""
    optimizer_of_w, optimizer_of_b = PlainOptimizer(settings), PlainOptimizer(settings)
    for _ in range(settings.epochs):
        errors = [w * x + b - y for x, y in zip(xs, ys, strict=True)]
        g_w = sum(e * x for e, x in zip(errors, xs, strict=True)) / len(xs)
        g_b = sum(errors) / len(xs)
        decoupled = settings.optimizer == "adamw"
        if not decoupled:
            g_w += settings.l2 * w
        norm = sqrt(g_w**2 + g_b**2)
        if settings.clip_norm is not None and norm > settings.clip_norm:
            g_w, g_b = g_w / norm * settings.clip_norm, g_b / norm * settings.clip_norm
        if decoupled:  # Loshchilov and Hutter: the weights shrink by alpha lambda apart from the moments
            w = w - settings.learning_rate * settings.l2 * w
        w, b = optimizer_of_w.step(w, g_w), optimizer_of_b.step(b, g_b)
    return w, b


@pytest.mark.parametrize("clip_norm", [None, 0.3, 1e6], ids=["no_clipping", "clipped", "never_reached"])
@pytest.mark.parametrize("l2", [0.0, 0.2])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)  # a method of PlainOptimizer for each
def test_updates_are_those_of_plain_numbers(optimizer, l2, clip_norm, train_one):
    xs, ys, w, b = [0.5, -1.0, 2.0, 1.5], [1.0, 0.3, -0.7, 0.2], 0.8, -0.4
    numbers = {"momentum": 0.8, "beta1": 0.7, "beta2": 0.95, "rho": 0.85, "epsilon": 1e-3, "learning_rate": 0.05}
    for epochs in (1, 2, 3, 10):
        settings = Settings(
            **{**vars(LINE), **numbers, "optimizer": optimizer, "l2": l2, "clip_norm": clip_norm, "epochs": epochs}
        )
        trained = train_one(settings, Part(np.array([xs]), np.array([ys])), start=np.array([w, b]))
        assert trained.parameters == pytest.approx(plain_training(settings, xs, ys, w, b), rel=1e-12)


# One sample x = 1, y = 0 and w = 1, b = 0 give the error e = w + b = 1, and g_w = g_b = e in every step; alpha = 0.1.
TWO_STEPS = {
    # w: 1 - 0.1 = 0.9, e: 0.9 - 0.1 = 0.8, w: 0.9 - 0.08
    "sgd": (0.82, -0.18),
    # v: -0.1, then -0.9 * 0.1 - 0.1 * 0.8 = -0.17
    "momentum": (0.73, -0.27),
    # v: -0.1, w: 1 - 0.09 - 0.1 = 0.81, e: 0.62, v: -0.09 - 0.062 = -0.152, w: 0.81 - 0.9 * 0.152 - 0.062
    "nesterov": (0.6112, -0.3888),
    # s: 0.1, step 0.1 / sqrt(0.1) = 0.31622777, e: 0.36754447, s: 0.09 + 0.1 * 0.13508894 = 0.10350889,
    # step 0.036754447 / sqrt(0.10350889) = 0.11424073
    "rmsprop": (0.56953150, -0.43046850),
    # s: 1, step 0.1, e: 0.8, s: 1.64, step 0.08 / sqrt(1.64) = 0.06246950
    "adagrad": (0.83753050, -0.16246950),
    # step 0.1, e: 0.8, m: 0.17 / 0.19 = 0.89473684, v: 0.001639 / 0.001999 = 0.81990995, step 0.08947368 / 0.90548879
    "adam": (0.80118742, -0.19881258),
    # w: 1 - 0.1 * 0.5 - 0.1 = 0.85, e: 0.75, m: (0.09 + 0.075) / 0.19 = 0.86842105,
    # v: (0.000999 + 0.0005625) / 0.001999 = 0.78114057, step 0.08684211 / 0.88382157 = 0.09825751, w: 0.85 * 0.95 - it
    "adamw": (0.70924249, -0.19825751),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_two_steps_worked_out_on_paper(optimizer, train_one):
    l2 = 0.5 if optimizer == "adamw" else 0.0
    settings = Settings(**{**vars(LINE), "optimizer": optimizer, "learning_rate": 0.1, "epochs": 2, "l2": l2})
    trained = train_one(settings, Part(np.array([[1.0]]), np.array([[0.0]])), start=np.array([1.0, 0.0]))
    assert trained.parameters == pytest.approx(TWO_STEPS[optimizer], abs=2e-8)


def test_adamw_shrinks_a_weight_whose_gradient_is_zero_by_its_rate_times_lambda(train_one):
    settings = Settings(**{**vars(LINE), "optimizer": "adamw", "learning_rate": 0.1, "l2": 0.5, "epochs": 3})
    trained = train_one(settings, Part(np.array([[0.0]]), np.array([[2.0]])), start=np.array([4.0, 2.0]))
    assert trained.parameters == pytest.approx([4.0 * (1 - 0.1 * 0.5) ** 3, 2.0], rel=1e-15)


def test_clipping_scales_the_whole_gradient_and_keeps_its_direction(make_part, drawn, train_one):
    settings = Settings((4,), learning_rate=1.0, epochs=1)
    part = make_part()
    start = drawn(train_one(settings, part).shape)
    free = start - train_one(settings, part, start=start).parameters
    norm = float(np.linalg.norm(free))
    for limit in (norm / 7, norm * 7):
        settings = Settings((4,), learning_rate=1.0, epochs=1, clip_norm=limit)
        clipped = start - train_one(settings, part, start=start).parameters
        np.testing.assert_allclose(clipped, free * min(1.0, limit / norm), rtol=1e-11, atol=1e-16)


def test_clipping_takes_a_gradient_of_zero(train_one):
    settings = Settings(**{**vars(LINE), "clip_norm": 1.0, "epochs": 2})
    at_optimum = np.array([1.0, 0.0])
    trained = train_one(settings, Part(np.array([[3.0]]), np.array([[3.0]])), start=at_optimum)
    assert trained.diverged_epoch is None
    assert trained.parameters.tolist() == at_optimum.tolist()
