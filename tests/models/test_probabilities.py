"""Probabilities, classes and weights of a fitted network, held against the formulas written out."""

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss

from src.models import BPClassifier

PAIRS = [
    ("softmax", "cross_entropy"),
    ("softmax", "squared_error"),
    ("sigmoid", "cross_entropy"),
    ("sigmoid", "squared_error"),
    ("tanh", "squared_error"),
    ("identity", "squared_error"),
]


def pre_activations(model, x):
    """Return z of the output layer, shape (samples, outputs), for a network with one hidden layer of tanh units."""
    (w1, w2), (b1, b2) = model.coefs_, model.intercepts_
    return np.tanh(x @ w1 + b1) @ w2 + b2


def probability_of(z, output):
    """Return class probabilities: one unit stands for the second of two classes, else each unit for a class."""
    if output == "softmax":
        return softmax(z, axis=1)
    p = {"sigmoid": expit(z), "tanh": (np.tanh(z) + 1) / 2, "identity": z.clip(0, 1)}[output]
    return np.hstack([1 - p, p]) if z.shape[1] == 1 else p / p.sum(axis=1, keepdims=True)


@pytest.fixture(scope="module", params=[(*pair, table) for pair in PAIRS for table in ("ex4", "noisy")], ids="-".join)
def fitted(request):
    output, loss, table = request.param
    x, y = request.getfixturevalue(table)
    model = BPClassifier((3,), activation="tanh", output=output, loss=loss, learning_rate=0.2, epochs=150)
    return model.fit(x, y), x, y, output, loss


class TestEveryOutput:
    def test_probabilities_are_the_output_layers(self, fitted):
        model, x, _, output, _ = fitted
        p = model.predict_proba(x)
        np.testing.assert_allclose(p, probability_of(pre_activations(model, x), output), rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-12)
        assert p.min() >= 0

    def test_the_class_predicted_is_the_most_probable(self, fitted):
        model, x, y, *_ = fitted
        p = model.predict_proba(x)
        assert model.classes_.tolist() == sorted(set(y))
        np.testing.assert_array_equal(model.predict(x), model.classes_[p.argmax(axis=1)])
        # columns are in the order of the classes: each is largest, on average, where its class is the true one
        for code in range(p.shape[1]):
            assert p[y == code, code].mean() > p[y != code, code].mean()

    def test_the_loss_curve_ends_at_the_loss(self, fitted):
        model, x, y, output, loss = fitted
        z = pre_activations(model, x)
        one_unit = z.shape[1] == 1
        target = (y == 1)[:, None] if one_unit else y[:, None] == np.arange(z.shape[1])
        if loss == "squared_error":
            h = {"softmax": softmax(z, axis=1), "sigmoid": expit(z), "tanh": np.tanh(z), "identity": z}[output]
            t = np.where(target, 1, -1 if output == "tanh" else 0)
            expected = 0.5 * np.square(h - t).sum(axis=1).mean()
        elif output == "softmax":
            expected = log_loss(y, model.predict_proba(x))
        else:
            expected = sum(log_loss(t, expit(each)) for t, each in zip(target.T, z.T, strict=True))
        assert len(model.loss_curve_) == model.n_iter_ == model.n_epochs_ == 150
        assert model.loss_curve_[-1] == model.loss_ == pytest.approx(expected, rel=1e-12)
        assert model.loss_curve_[0] > model.loss_curve_[-1]
        assert np.isnan(model.validation_loss_curve_).all()


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_layers_have_scikit_learns_shapes(noisy, ex4, output):
    model = BPClassifier((5, 4), output=output, epochs=1)
    model.fit(*noisy)
    assert [w.shape for w in model.coefs_] == [(3, 5), (5, 4), (4, 3)]
    assert [b.shape for b in model.intercepts_] == [(5,), (4,), (3,)]
    model.fit(*ex4)  # two classes need one unit, unless softmax shares between two
    assert [w.shape for w in model.coefs_] == [(2, 5), (5, 4), (4, 2 if output == "softmax" else 1)]


def test_where_no_unit_stands_for_any_class_all_are_alike():
    # one row of each class, no hidden layer, and rows far away, where every output is cut to 0
    model = BPClassifier((), output="identity", loss="squared_error", epochs=2000, learning_rate=0.1)
    model.fit([[0.0], [1.0], [2.0]], ["a", "b", "c"])
    (w,), (b,) = model.coefs_, model.intercepts_
    model.parameters_ = model.parameters_.copy()
    model.parameters_[1::2] = -5.0  # biases
    assert (w * 0.0 - 5.0 + b * 0 < 0).all()
    np.testing.assert_array_equal(model.predict_proba([[0.0]]), [[1 / 3, 1 / 3, 1 / 3]])


class TestFloat32:
    def test_all_of_it_is_float32(self, noisy):
        x, y = noisy
        model = BPClassifier(dtype="float32", epochs=20, optimizer="adam").fit(x, y)
        assert {each.dtype.name for each in (*model.coefs_, *model.intercepts_)} == {"float32"}
        assert model.predict_proba(x).dtype == np.float32
        np.testing.assert_allclose(model.predict_proba(x).sum(axis=1), 1, rtol=1e-6)

    def test_it_is_float64_to_seven_digits(self, noisy):
        x, y = noisy
        single, double = (BPClassifier(dtype=dtype, epochs=20).fit(x, y) for dtype in ("float32", "float64"))
        np.testing.assert_allclose(single.predict_proba(x), double.predict_proba(x), rtol=0, atol=1e-5)
        assert not np.array_equal(single.predict_proba(x), double.predict_proba(x))

    def test_rows_in_float32_do_not_make_a_network_float32(self, noisy):
        x, y = noisy
        p = BPClassifier(epochs=5).fit(x.astype(np.float32), y).predict_proba(x.astype(np.float32))
        assert p.dtype == np.float64


# without a hidden layer and with squared error, each step of this size overshoots by more than the last
DIVERGING = {"hidden_layer_sizes": (), "output": "identity", "loss": "squared_error", "learning_rate": 1e5}


class TestDivergence:
    @pytest.mark.parametrize("table", ["ex4", "noisy"])
    def test_it_is_told_with_its_epoch_and_gives_no_probability(self, table, request):
        x, y = request.getfixturevalue(table)
        model = BPClassifier(**DIVERGING)
        with pytest.warns(ConvergenceWarning, match=r"diverged in epoch \d+: try a smaller learning_rate than 100000"):
            model.fit(x, y)
        assert model.n_iter_ == model.diverged_epoch_ < 500
        assert len(model.loss_curve_) == model.n_iter_
        assert np.isnan(model.predict_proba(x)).all()
        assert all(np.isnan(w).all() for w in model.coefs_)
        with pytest.raises(ValueError, match=f"diverged in epoch {model.diverged_epoch_}"):
            model.predict(x)

    @pytest.mark.parametrize("output", ["softmax", "sigmoid", "tanh", "identity"])
    @pytest.mark.parametrize("table", ["ex4", "noisy"])
    def test_whatever_the_output(self, output, table, request):
        x, y = request.getfixturevalue(table)
        model = BPClassifier(output=output, loss="squared_error", epochs=3).fit(x, y)
        model.parameters_ = np.full_like(model.parameters_, np.nan)
        assert np.isnan(model.predict_proba(x)).all()

    def test_a_network_that_converged_says_nothing(self, ex4, recwarn):
        assert BPClassifier(epochs=20).fit(*ex4).diverged_epoch_ is None
        assert not recwarn.list


class TestZeros:
    def test_hidden_units_that_start_alike_stay_alike_and_it_is_said(self, ex4):
        with pytest.warns(UserWarning, match="alike"):
            model = BPClassifier((3,), init="zeros", epochs=50).fit(*ex4)
        assert np.ptp(model.coefs_[0], axis=1).max() == 0

    @pytest.mark.parametrize(
        "parameters",
        [{"hidden_layer_sizes": ()}, {"bias_init": "uniform"}],
        ids=["no hidden units", "hidden units that differ"],
    )
    def test_nothing_is_said_where_none_are(self, parameters, ex4, recwarn):
        model = BPClassifier(**{"hidden_layer_sizes": (3,), **parameters}, init="zeros", epochs=50).fit(*ex4)
        assert not recwarn.list
        assert len(model.coefs_) == 1 or np.ptp(model.coefs_[0], axis=1).min() > 0
