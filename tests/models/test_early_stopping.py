"""Early stopping: which rows it holds out, and that it sees nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from src.models import BPClassifier, make_data, predict_probabilities
from src.models.rows import hold_out
from src.network import VALIDATION, Settings, train

CODES = st.lists(st.integers(0, 6), min_size=2, max_size=120).map(np.array)
FRACTIONS = st.floats(0.001, 0.999)


def held_by(codes, fraction, seed=0):
    return hold_out(codes, fraction, np.random.default_rng(seed))


class TestHoldOut:
    @given(CODES, FRACTIONS, st.integers(0, 99))
    def test_every_row_is_in_one_part(self, codes, fraction, seed):
        kept, held = held_by(codes, fraction, seed)
        assert sorted([*kept, *held]) == list(range(len(codes)))
        assert kept.tolist() == sorted(kept)
        assert held.tolist() == sorted(held)

    @given(st.integers(2, 120), FRACTIONS, st.data())
    def test_how_many_depends_on_the_number_of_rows_alone(self, rows, fraction, data):
        several = [data.draw(st.lists(st.integers(0, 4), min_size=rows, max_size=rows)) for _ in range(2)]
        (one, _), (other, _) = (held_by(np.array(codes), fraction, seed) for seed, codes in enumerate(several))
        assert len(one) == len(other)
        assert abs(rows - len(one) - fraction * rows) <= 1
        assert 1 <= len(one) < rows

    @given(CODES, FRACTIONS, st.integers(0, 99))
    def test_each_class_has_its_share_to_within_a_row(self, codes, fraction, seed):
        _, held = held_by(codes, fraction, seed)
        shares = len(held) * np.bincount(codes) / len(codes)
        assert (np.abs(np.bincount(codes[held], minlength=len(shares)) - shares) < 1).all()

    @given(CODES, FRACTIONS)
    def test_classes_have_the_numbers_that_train_test_split_gives_them(self, codes, fraction):
        _, held = held_by(codes, fraction)
        counts = np.bincount(codes)
        if counts[counts > 0].min() < 2 or min(len(held), len(codes) - len(held)) < np.count_nonzero(counts):
            return  # scikit-learn refuses those
        _, test = train_test_split(codes, test_size=len(held), stratify=codes, random_state=0)
        remainders = len(held) * counts % len(codes)
        if len(np.unique(remainders[remainders > 0])) == np.count_nonzero(remainders):  # else ties are drawn
            np.testing.assert_array_equal(np.bincount(codes[held]), np.bincount(test))

    def test_rows_are_drawn_with_equal_chance(self):
        codes = np.repeat([0, 1, 2], [20, 10, 10])
        times = np.zeros(40)
        for seed in range(2000):
            times[held_by(codes, 0.1, seed)[1]] += 1
        assert abs(times - 200).max() < 5 * np.sqrt(2000 * 0.1 * 0.9)

    def test_which_class_gets_the_odd_row_is_drawn_too(self):
        codes = np.repeat([0, 1, 2, 3], 5)
        classes = {int(codes[held_by(codes, 0.05, seed)[1]][0]) for seed in range(50)}
        assert classes == {0, 1, 2, 3}

    @pytest.mark.parametrize("fraction", [0.001, 0.999])
    def test_of_two_rows_one_is_held_whatever_the_share(self, fraction):
        assert [len(part) for part in held_by(np.array([0, 1]), fraction)] == [1, 1]

    def test_one_row_cannot_be_parted(self):
        with pytest.raises(ValueError, match="at least 2, got 1"):
            held_by(np.array([0]), 0.5)


@st.composite
def grouped_rows(draw):
    """Class codes of 2 to 15 groups of 1 to 12 rows in any order, and the rows' groups."""
    sizes = draw(st.lists(st.integers(1, 12), min_size=2, max_size=15))
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    groups = random.permutation(np.repeat(random.permutation(50)[: len(sizes)], sizes))
    return random.integers(0, draw(st.integers(1, 3)), len(groups)), groups


class TestHoldOutOfGroups:
    @given(grouped_rows(), FRACTIONS, st.integers(0, 99))
    def test_a_group_is_in_one_part_and_each_part_has_one(self, rows, fraction, seed):
        codes, groups = rows
        kept, held = hold_out(codes, fraction, np.random.default_rng(seed), groups)
        assert sorted([*kept, *held]) == list(range(len(codes)))
        assert (kept.tolist(), held.tolist()) == (sorted(kept), sorted(held))
        assert not set(groups[kept]) & set(groups[held])
        assert len(kept) > 0
        assert len(held) > 0

    @given(grouped_rows(), st.floats(0.05, 0.6), st.integers(0, 99))
    def test_of_one_class_as_many_rows_are_held_as_groups_allow(self, rows, fraction, seed):
        _, groups = rows
        _, held = hold_out(np.zeros(len(groups), int), fraction, np.random.default_rng(seed), groups)
        sizes = np.unique_counts(groups).counts
        too_large = len(held) == sizes.min() > fraction * len(groups)
        one_is_left = len(set(groups[held])) == len(sizes) - 1
        assert abs(len(held) - fraction * len(groups)) <= sizes.max() / 2 or too_large or one_is_left

    def test_each_class_has_about_its_share(self):
        groups = np.repeat(np.arange(60), 5)
        codes = (groups % 3 == 0).astype(int)  # a third of the groups, each of one class
        for seed in range(50):
            _, held = hold_out(codes, 0.2, np.random.default_rng(seed), groups)
            assert np.bincount(codes[held]).tolist() == [40, 20]

    def test_which_are_held_is_drawn_and_decided_by_the_generator(self):
        groups = np.repeat(np.arange(20), 5)
        codes = np.arange(100) % 2
        drawn = [tuple(hold_out(codes, 0.1, np.random.default_rng(seed), groups)[1]) for seed in (*range(40), 0)]
        assert drawn[0] == drawn[-1]
        assert {int(groups[row]) for held in drawn for row in held} == set(range(20))

    def test_where_every_group_is_too_large_the_nearest_is_held(self):
        groups = np.repeat([7, 5, 9], [20, 12, 30])
        _, held = hold_out(np.zeros(62, int), 0.05, np.random.default_rng(0), groups)
        assert set(groups[held]) == {5}

    def test_names_of_groups_do_not_matter(self):
        codes, groups = np.arange(40) % 2, np.arange(40) // 4
        one, other = (hold_out(codes, 0.3, np.random.default_rng(1), names) for names in (groups, 100 + 3 * groups))
        np.testing.assert_array_equal(one[1], other[1])

    def test_one_group_cannot_be_parted(self):
        with pytest.raises(ValueError, match="whole groups of the training rows and needs at least 2, got 1"):
            hold_out(np.array([0, 1]), 0.5, np.random.default_rng(0), np.array([3, 3]))


NETWORK = {"hidden_layer_sizes": (5,), "optimizer": "adam", "learning_rate": 0.05}
PARAMETERS = {**NETWORK, "random_state": 3}


class TestOfBPClassifier:
    def test_it_is_training_on_the_rows_kept_and_watching_the_others(self, noisy):
        x, y = noisy
        stopping = {"patience": 10_000, "validation_fraction": 0.3}
        model = BPClassifier(**PARAMETERS, early_stopping=stopping, epochs=60).fit(x, y)
        kept, held = hold_out(y, 0.3, Settings(seed=3).random(VALIDATION))
        losses = []
        by_hand = BPClassifier(**PARAMETERS, epochs=60)
        for _ in range(60):
            by_hand.partial_fit(x[kept], y[kept], classes=[0, 1, 2])
            losses.append(log_loss(y[held], by_hand.predict_proba(x[held])))
            if losses[-1] == min(losses):
                best = by_hand.parameters_
        np.testing.assert_allclose(model.validation_loss_curve_, losses, rtol=1e-10)
        np.testing.assert_array_equal(model.loss_curve_, by_hand.loss_curve_)
        assert model.best_epoch_ == 1 + np.argmin(losses)
        np.testing.assert_array_equal(model.parameters_, best)

    def test_patience_of_none_is_off(self, noisy):
        x, y = noisy
        off = BPClassifier(**PARAMETERS, epochs=20, early_stopping={"patience": None}).fit(x, y)
        np.testing.assert_array_equal(off.parameters_, BPClassifier(**PARAMETERS, epochs=20).fit(x, y).parameters_)

    def test_weights_count_in_the_loss_that_is_watched(self, noisy):
        x, y = noisy
        weight = np.random.default_rng(0).uniform(0.1, 3, 90)
        stopping = {"patience": 10_000, "validation_fraction": 0.3}
        model = BPClassifier(**PARAMETERS, early_stopping=stopping, epochs=5, class_weight={0: 1.0, 2: 3.0})
        model.fit(x, y, sample_weight=weight)
        kept, held = hold_out(y, 0.3, Settings(seed=3).random(VALIDATION))
        weight = weight * np.where(y == 2, 3.0, 1.0)
        by_hand = BPClassifier(**PARAMETERS, epochs=5).fit(x[kept], y[kept], sample_weight=weight[kept])
        expected = log_loss(y[held], by_hand.predict_proba(x[held]), sample_weight=weight[held])
        assert model.validation_loss_curve_[-1] == pytest.approx(expected, rel=1e-9)

    def test_one_row_is_too_few(self):
        # two classes, of which one has no weight
        model = BPClassifier(early_stopping={"patience": 1})
        with pytest.raises(ValueError, match="early_stopping holds out a part of the training rows"):
            model.fit([[0.0], [1.0]], [0, 1], sample_weight=[1.0, 0.0])


def test_the_rows_tested_on_change_nothing_but_their_own_curve(noisy):
    x, y = noisy
    settings = Settings(epochs=60, optimizer="adam", patience=5)
    data = [
        make_data(settings, 3, x[:70], y[:70], test=test)
        for test in [(x[70:], y[70:]), (1e6 * x[70:], 2 - y[70:]), None]
    ]
    trained = [train([settings], [each], curve_epochs=range(1, 61))[0] for each in data]
    for other in trained[1:]:
        assert trained[0].parameters.tobytes() == other.parameters.tobytes()
        assert trained[0].epochs == other.epochs
        np.testing.assert_array_equal(trained[0].curve.validation_loss, other.curve.validation_loss)
    assert not np.array_equal(trained[0].curve.test_loss, trained[1].curve.test_loss)
    assert np.isnan(trained[2].curve.test_loss).all()


def test_a_network_is_trained_on_the_groups_that_are_kept_and_watches_the_others(noisy):
    x, y = noisy
    groups = np.arange(90) // 6
    settings = Settings(**NETWORK, seed=3, epochs=30, patience=30, validation_fraction=0.3)
    (trained,) = train([settings], [make_data(settings, 3, x, y, groups=groups)], curve_epochs=range(1, 31))
    kept, held = hold_out(y, 0.3, Settings(seed=3).random(VALIDATION), groups)
    losses = trained.curve.validation_loss
    best = int(np.argmin(losses)) + 1
    assert trained.best_epoch == best
    settings = Settings(**NETWORK, seed=3, epochs=best)
    (by_hand,) = train([settings], [make_data(settings, 3, x[kept], y[kept])])
    np.testing.assert_array_equal(trained.parameters, by_hand.parameters)
    expected = log_loss(y[held], predict_probabilities(by_hand.shape, by_hand.parameters, x[held]), labels=[0, 1, 2])
    assert losses.min() == pytest.approx(expected)
