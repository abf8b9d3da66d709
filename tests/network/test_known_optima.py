"""Training reaches optima that are known from elsewhere.

Without a hidden layer the objective is convex: its minimum is found here by a Newton iteration of our own, by
scikit-learn's LogisticRegression, and in the published solution of the exercise that ex4 comes from.
With hidden layers there are the sanity checks of cs231n ("Learning and evaluation").
"""

from math import log

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

from src.data import load
from src.network import Part, Settings, gradient, objective, predict, shape_of
from src.network.activations import ACTIVATIONS

LOGISTIC = {"hidden_layer_sizes": (), "output": "sigmoid", "loss": "cross_entropy"}
SOFTMAX = {"hidden_layer_sizes": (), "output": "softmax", "loss": "cross_entropy"}
CONVERGED = {"optimizer": "nesterov", "momentum": 0.95, "learning_rate": 0.25, "init": "zeros", "epochs": 2500}

# Logistic regression on ex4 without penalty: the solution, and J before each of Newton's steps from theta = 0
THETA = (-16.37874341, 0.14834077, 0.15890845)
J_OF_NEWTON = (
    0.6931471805599453,
    0.4409414251174191,
    0.40889169253305674,
    0.40551077605901753,
    0.4054474539166042,
    0.4054474249282527,
)


def standardized(name):
    """Return features of mean 0 and deviation 1, shape (samples, features), the classes, and the scaler."""
    dataset = load(name)
    scaler = StandardScaler()
    return scaler.fit_transform(dataset.features.to_numpy(dtype=float)), dataset.target, scaler


def binary(x, target, weight=None):
    return Part(x.T, target[None].astype(float), weight)


def one_hot(x, target, weight=None):
    return Part(x.T, np.eye(target.max() + 1)[:, target], weight)


class TestEx4:
    """80 students, two exams, admitted or not."""

    @pytest.fixture
    def students(self):
        return standardized("ex4")

    def newton(self):
        """Return theta and J before each of Newton's steps from theta = 0, on the unscaled scores."""
        dataset = load("ex4")
        x = np.column_stack([np.ones(80), dataset.features.to_numpy(dtype=float)])
        y, theta, J = dataset.target, np.zeros(3), []
        for _ in range(12):
            h = 1 / (1 + np.exp(-x @ theta))
            J.append(-np.mean(y * np.log(h) + (1 - y) * np.log(1 - h)))
            theta = theta - np.linalg.solve(x.T * (h * (1 - h)) @ x / 80, x.T @ (h - y) / 80)
        return theta, J

    def test_newtons_iteration_reproduces_the_exercise(self):
        theta, J = self.newton()
        assert J[:6] == pytest.approx(J_OF_NEWTON, abs=1e-14)
        assert theta == pytest.approx(THETA, abs=5e-9)

    def test_logistic_regression_reaches_theta_and_J(self, students, train_one, matrices_of):
        x, target, scaler = students
        trained = train_one(Settings(**LOGISTIC, **CONVERGED), binary(x, target))
        [[row]] = matrices_of(trained.shape, trained.parameters)
        slopes = row[:-1] / scaler.scale_  # theta for the unscaled scores
        theta = [row[-1] - slopes @ scaler.mean_, *slopes]
        assert theta == pytest.approx(THETA, rel=1e-7)
        assert theta == pytest.approx(self.newton()[0], rel=1e-9)
        assert objective(trained.shape, trained.parameters, binary(x, target)) == pytest.approx(
            J_OF_NEWTON[-1], abs=1e-14
        )
        h = predict(trained.shape, trained.parameters, x.T)[0]
        assert np.sum((h > 0.5) == target) == 65
        student = scaler.transform([[20.0, 80.0]]).T
        assert 1 - predict(trained.shape, trained.parameters, student)[0, 0] == pytest.approx(
            0.668021864022303, rel=1e-9
        )

    def test_softmax_regression_reaches_the_same_probabilities(self, students, train_one, matrices_of):
        x, target, scaler = students
        trained = train_one(Settings(**SOFTMAX, **CONVERGED), one_hot(x, target))
        [(row_0, row_1)] = matrices_of(trained.shape, trained.parameters)
        slopes = (row_1 - row_0)[:-1] / scaler.scale_  # softmax over two classes is the sigmoid of the difference
        assert [(row_1 - row_0)[-1] - slopes @ scaler.mean_, *slopes] == pytest.approx(THETA, rel=1e-7)
        assert objective(trained.shape, trained.parameters, one_hot(x, target)) == pytest.approx(
            J_OF_NEWTON[-1], abs=1e-14
        )
        student = scaler.transform([[20.0, 80.0]]).T
        assert predict(trained.shape, trained.parameters, student)[:, 0] == pytest.approx(
            [0.668021864022303, 0.331978135977697], rel=1e-9
        )

    def test_the_first_loss_is_ln_2(self, students):
        x, target, _ = students
        shape = shape_of(Settings(**LOGISTIC), 2, 1)
        assert objective(shape, np.zeros(3), binary(x, target)) == pytest.approx(J_OF_NEWTON[0], abs=1e-15)


def reference(x, target, l2, weight=None):
    """Return scikit-learn's solution: C = 1 / (lambda m)."""
    model = LogisticRegression(C=1 / (l2 * len(x)), solver="newton-cholesky", tol=1e-12, max_iter=1000)
    return model.fit(x, target, sample_weight=weight)


def assert_optimal(trained, part, l2):
    assert np.linalg.norm(gradient(trained.shape, trained.parameters, part, l2)) < 1e-10


@pytest.mark.parametrize("name, l2", [("ex4", 0.01), ("breast_cancer", 0.3)])
class TestBinary:
    """The converged network is scikit-learn's LogisticRegression with C = 1 / (lambda m)."""

    def test_sigmoid_output(self, name, l2, train_one, matrices_of):
        x, target, _ = standardized(name)
        expected = reference(x, target, l2)
        trained = train_one(Settings(**LOGISTIC, **CONVERGED, l2=l2), binary(x, target))
        assert_optimal(trained, binary(x, target), l2)
        [[row]] = matrices_of(trained.shape, trained.parameters)
        np.testing.assert_allclose(row[:-1], expected.coef_[0], rtol=1e-7, atol=1e-9)
        assert row[-1] == pytest.approx(expected.intercept_[0], rel=1e-7, abs=1e-9)

    def test_softmax_output_has_two_rows_of_weights_and_so_half_the_penalty(self, name, l2, train_one, matrices_of):
        # At the optimum w_1 = -w_0 = w / 2, so (lambda / 2)(w_0^2 + w_1^2) = (lambda / 4) w^2: lambda / 2 for w.
        x, target, _ = standardized(name)
        expected = reference(x, target, l2 / 2)
        trained = train_one(Settings(**SOFTMAX, **CONVERGED, l2=l2), one_hot(x, target))
        assert_optimal(trained, one_hot(x, target), l2)
        [(row_0, row_1)] = matrices_of(trained.shape, trained.parameters)
        np.testing.assert_allclose(row_1[:-1], -row_0[:-1], rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose((row_1 - row_0)[:-1], expected.coef_[0], rtol=1e-7, atol=1e-9)
        assert (row_1 - row_0)[-1] == pytest.approx(expected.intercept_[0], rel=1e-7, abs=1e-9)


@pytest.mark.parametrize("name, l2, weighted", [("iris", 0.3, False), ("iris", 0.01, True), ("wine", 0.01, False)])
def test_softmax_over_three_classes_is_multinomial_logistic_regression(name, l2, weighted, train_one, matrices_of):
    x, target, _ = standardized(name)
    weight = np.random.default_rng(0).uniform(0.2, 2, len(x)) if weighted else np.ones(len(x))
    weight /= weight.mean()
    expected = reference(x, target, l2, weight)
    part = one_hot(x, target, weight if weighted else None)
    trained = train_one(Settings(**SOFTMAX, **CONVERGED, l2=l2), part)
    assert_optimal(trained, part, l2)
    [rows] = matrices_of(trained.shape, trained.parameters)
    np.testing.assert_allclose(rows[:, :-1], expected.coef_, rtol=1e-7, atol=1e-8)
    # The biases of a softmax are free in their sum, which nothing penalizes: only differences mean anything.
    np.testing.assert_allclose(np.diff(rows[:, -1]), np.diff(expected.intercept_), rtol=1e-7, atol=1e-8)
    h = predict(trained.shape, trained.parameters, part.x)
    np.testing.assert_allclose(h.T, expected.predict_proba(x), rtol=0, atol=1e-8)


def test_every_optimizer_finds_the_same_minimum(train_one):
    x, target, _ = standardized("iris")
    part, l2 = one_hot(x, target), 0.1
    minimum = reference(x, target, l2)
    J = log_loss(target, minimum.predict_proba(x)) + l2 / 2 * np.square(minimum.coef_).sum()
    for optimizer in ("sgd", "momentum", "nesterov", "rmsprop", "adagrad", "adam"):
        rate = {"rmsprop": 1.0, "adagrad": 0.5, "adam": 0.1}.get(optimizer, 0.5)
        schedule = {"schedule": "exponential", "decay": 0.98} if optimizer == "rmsprop" else {}
        settings = Settings(**SOFTMAX, optimizer=optimizer, learning_rate=rate, l2=l2, epochs=1500, **schedule)
        trained = train_one(settings, part)
        found = objective(trained.shape, trained.parameters, part, l2)
        assert found == pytest.approx(J, rel=1e-9), optimizer


class TestCs231n:
    """Sanity checks before any training is believed."""

    @pytest.mark.parametrize("classes, hidden", [(2, ()), (3, (20,)), (10, (20, 10))])
    def test_the_loss_of_a_network_that_knows_nothing_is_ln_K(self, classes, hidden, make_part, drawn):
        part = make_part(features=8, outputs=classes, samples=50)
        shape = shape_of(Settings(hidden, "tanh"), 8, classes)
        assert objective(shape, drawn(shape, scale=1e-4), part) == pytest.approx(log(classes), rel=1e-3)

    @pytest.mark.parametrize("activation", [name for name in ACTIVATIONS if name != "identity"])
    def test_twenty_samples_with_random_labels_are_learned_by_heart(self, activation, make_part, train_one):
        part = make_part(features=10, outputs=4, samples=20, seed=1)
        settings = Settings((30,), activation, optimizer="adam", learning_rate=0.02, epochs=800)
        trained = train_one(settings, part)
        assert objective(trained.shape, trained.parameters, part) < 1e-3
        h = predict(trained.shape, trained.parameters, part.x)
        assert (h.argmax(axis=0) == part.y.argmax(axis=0)).all()

    @pytest.mark.parametrize("output", ["softmax", "sigmoid", "tanh", "identity"])
    def test_twenty_samples_are_learned_by_heart_under_squared_error(self, output, make_part, train_one):
        part = make_part(features=10, outputs=4, samples=20, seed=1)
        # (With another seed a sample may get stuck: where softmax gives its class 0, squared error has no slope.)
        settings = Settings(
            (30,), "tanh", output, "squared_error", optimizer="adam", learning_rate=0.01, epochs=1500, seed=1
        )
        trained = train_one(settings, part)
        assert objective(trained.shape, trained.parameters, part) < 1e-3
