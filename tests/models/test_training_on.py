"""partial_fit and warm_start: a training that is interrupted is the training that was not."""

import numpy as np
import pytest
from sklearn.base import clone

from src.models import BPClassifier
from src.network.optimizers import OPTIMIZERS
from src.network.schedules import SCHEDULES

# Numbers with which a schedule changes the rate within ten epochs, where its defaults would not.
NUMBERS = {
    "step": {"decay_every": 3},
    "exponential": {"decay": 0.9},
    "plateau": {"plateau_patience": 1, "learning_rate": 8.0},
}
RATES = [{"warmup": 4}, *({"schedule": name, **NUMBERS.get(name, {})} for name in SCHEDULES)]


def assert_same(one, other):
    np.testing.assert_array_equal(one.parameters_, other.parameters_)
    np.testing.assert_array_equal(one.loss_curve_, other.loss_curve_)
    assert (one.n_epochs_, one.n_steps_) == (other.n_epochs_, other.n_steps_)


def ten_calls(model, x, y, **arguments):
    for _ in range(10):
        model.partial_fit(x, y, classes=np.unique(y), **arguments)
    return model


class TestPartialFit:
    @pytest.mark.parametrize("batch_size", ["full", 7])
    @pytest.mark.parametrize("optimizer", OPTIMIZERS)
    def test_ten_calls_are_ten_epochs(self, optimizer, batch_size, noisy):
        x, y = noisy
        model = BPClassifier((3,), optimizer=optimizer, learning_rate=0.05, batch_size=batch_size, l2=0.01, epochs=10)
        in_calls = ten_calls(clone(model), x, y)
        assert_same(in_calls, model.fit(x, y))
        assert in_calls.n_iter_ == 1
        assert in_calls.n_epochs_ == 10

    @pytest.mark.parametrize("rate", RATES, ids=lambda each: each.get("schedule", "warmup"))
    def test_schedules_go_on_too(self, rate, noisy):
        x, y = noisy
        model = BPClassifier((3,), batch_size=20, epochs=10, **rate)
        assert_same(ten_calls(clone(model), x, y), model.fit(x, y))

    def test_weights_of_rows_and_classes(self, noisy):
        x, y = noisy
        weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
        model = BPClassifier(epochs=10, class_weight={0: 1.0, 1: 2.0, 2: 3.0})
        assert_same(ten_calls(clone(model), x, y, sample_weight=weight), model.fit(x, y, sample_weight=weight))

    def test_it_goes_on_from_fit(self, noisy):
        x, y = noisy
        model = BPClassifier(optimizer="adam", batch_size=10, epochs=6).fit(x, y)
        for _ in range(4):
            model.partial_fit(x, y)
        assert_same(model, BPClassifier(optimizer="adam", batch_size=10, epochs=10).fit(x, y))

    def test_all_rows_train_where_fit_would_hold_some_out(self, noisy):
        x, y = noisy
        model = BPClassifier(early_stopping={"patience": 1, "validation_fraction": 0.5}, epochs=10)
        assert_same(ten_calls(model, x, y), BPClassifier(epochs=10).fit(x, y))

    def test_classes_that_come_later(self, iris):
        x, y = iris
        model = BPClassifier(learning_rate=0.5)
        for _ in range(60):
            for part in (slice(0, 60), slice(60, 120), slice(120, 150)):  # the rows are sorted by class
                model.partial_fit(x[part], y[part], classes=[2, 0, 1])
        assert model.classes_.tolist() == [0, 1, 2]
        assert model.score(x, y) > 0.6
        assert (model.predict_proba(x)[:, 0] > 0.5).sum() == 50

    def test_the_first_call_needs_the_classes(self, noisy):
        with pytest.raises(ValueError, match="classes must be passed on the first call to partial_fit"):
            BPClassifier().partial_fit(*noisy)

    def test_the_classes_stay_the_same(self, noisy):
        model = BPClassifier().partial_fit(*noisy, classes=[0, 1, 2])
        with pytest.raises(ValueError, match="is not the same as on last call to partial_fit"):
            model.partial_fit(*noisy, classes=[0, 1, 2, 3])

    @pytest.mark.parametrize("first", [True, False], ids=["first call", "later call"])
    def test_a_label_that_is_not_among_them(self, first, noisy):
        x, y = noisy
        model = BPClassifier()
        if not first:
            model.partial_fit(x, y, classes=[0, 1, 2])
        with pytest.raises(ValueError, match=r"has classes not in `self.classes_`.*'y' has \[0 1 7\]"):
            model.partial_fit(x, np.where(y == 2, 7, y), classes=[0, 1, 2])

    def test_one_class_is_none_to_tell_apart(self, noisy):
        x, y = noisy
        with pytest.raises(ValueError, match="at least 2 classes"):
            BPClassifier().partial_fit(x, np.zeros_like(y), classes=[0])

    def test_a_first_call_that_failed_leaves_nothing_behind(self, noisy):
        x, y = noisy
        model = BPClassifier()
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            model.partial_fit(x, y[:-1], classes=[0, 1, 2])
        model.partial_fit(x[:, :2], y, classes=[0, 1, 2])
        assert model.n_features_in_ == 2

    def test_other_columns_are_refused(self, noisy):
        x, y = noisy
        model = BPClassifier().partial_fit(x, y, classes=[0, 1, 2])
        with pytest.raises(ValueError, match="X has 2 features"):
            model.partial_fit(x[:, :2], y)


class TestWarmStart:
    @pytest.mark.parametrize("optimizer", OPTIMIZERS)
    @pytest.mark.parametrize("batch_size", ["full", 7])
    def test_two_fits_are_one_of_all_epochs(self, optimizer, batch_size, noisy):
        x, y = noisy
        parameters = {"optimizer": optimizer, "batch_size": batch_size, "learning_rate": 0.05}
        warm = BPClassifier(epochs=4, warm_start=True, **parameters).fit(x, y)
        warm.set_params(epochs=6).fit(x, y)
        assert_same(warm, BPClassifier(epochs=10, **parameters).fit(x, y))
        assert warm.n_iter_ == 6

    def test_without_it_each_fit_begins_anew(self, noisy):
        x, y = noisy
        model = BPClassifier(epochs=4).fit(x, y)
        once = model.parameters_
        np.testing.assert_array_equal(model.fit(x, y).parameters_, once)
        assert model.n_epochs_ == 4

    def test_the_learning_rate_may_change_on_the_way(self, noisy):
        x, y = noisy
        model = BPClassifier(epochs=20, warm_start=True).fit(x, y)
        before = model.loss_
        model.set_params(learning_rate=1e-12).fit(x, y)
        assert model.loss_ == pytest.approx(before, rel=1e-9)

    def test_another_optimizer_begins_without_memories(self, noisy):
        x, y = noisy
        model = BPClassifier(optimizer="adagrad", epochs=5, warm_start=True).fit(x, y)
        model.set_params(optimizer="rmsprop", learning_rate=0.01, epochs=1).fit(x, y)
        # its first step is alpha g / (sqrt(0.1 g^2) + eps) for every parameter, whatever adagrad remembered
        before = BPClassifier(optimizer="adagrad", epochs=5).fit(x, y).parameters_
        moved = np.abs(model.parameters_ - before)
        np.testing.assert_allclose(moved, 0.01 / np.sqrt(0.1), rtol=1e-4)
        assert model.n_steps_ == 1
        assert model.n_epochs_ == 6

    def test_a_network_that_diverged_is_begun_anew(self, ex4):
        x, y = ex4
        line = {"hidden_layer_sizes": (), "output": "identity", "loss": "squared_error", "warm_start": True}
        model = BPClassifier(learning_rate=1e5, **line)
        with pytest.warns(UserWarning, match="diverged"):
            model.fit(x, y)
        model.set_params(learning_rate=0.1).fit(x, y)
        assert_same(model, BPClassifier(learning_rate=0.1, **line).fit(x, y))
        assert model.diverged_epoch_ is None

    def test_a_cosine_falls_anew_in_every_fit(self, noisy):
        x, y = noisy
        # over two epochs the rate is alpha and then 0: two such fits are two epochs at alpha
        cosine = BPClassifier(schedule="cosine", epochs=2, warm_start=True).fit(x, y).fit(x, y)
        np.testing.assert_array_equal(cosine.parameters_, BPClassifier(epochs=2).fit(x, y).parameters_)

    def test_other_classes_are_refused(self, noisy):
        x, y = noisy
        model = BPClassifier(warm_start=True, epochs=2).fit(x, y)
        with pytest.raises(ValueError, match="warm_start can only be used where `y` has the same classes"):
            model.fit(x, y + 1)

    @pytest.mark.parametrize("change", [{"hidden_layer_sizes": (5,)}, {"hidden_layer_sizes": (4, 4)}], ids=str)
    def test_other_layers_are_refused(self, change, noisy):
        model = BPClassifier(warm_start=True, epochs=2).fit(*noisy)
        with pytest.raises(ValueError, match=r"layers of \(3, 4, 3\) units, and cannot go on as \(3, "):
            model.set_params(**change).fit(*noisy)

    def test_parameters_changed_after_fit_do_not_change_what_it_predicts(self, noisy):
        x, y = noisy
        model = BPClassifier(epochs=5).fit(x, y)
        before = model.predict_proba(x)
        model.set_params(output="sigmoid", activation="relu", hidden_layer_sizes=(9,), dtype="float32")
        np.testing.assert_array_equal(model.predict_proba(x), before)

    def test_epochs_are_counted_on(self, noisy):
        x, y = noisy
        model = BPClassifier(optimizer="adam", learning_rate=0.05, epochs=200, warm_start=True)
        model.set_params(early_stopping={"patience": 3}).fit(x, y)
        first = model.n_epochs_
        model.fit(x, y)
        assert (
            first < model.best_epoch_ <= model.n_epochs_ == len(model.loss_curve_) == len(model.validation_loss_curve_)
        )
        best = first + np.argmin(model.validation_loss_curve_[first:])
        assert model.best_epoch_ == best + 1
