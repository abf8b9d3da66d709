"""Sample weights and class weights: what they mean, and what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_sample_weight

from src.models import BPClassifier
from src.models.rows import row_weights

GIVEN = {0: 0.5, 1: 2.0, 2: 7.0}


def fitted(x, y, sample_weight=None, **parameters):
    return BPClassifier((3,), activation="tanh", epochs=40, **parameters).fit(x, y, sample_weight=sample_weight)


@pytest.fixture
def counts():
    """How often each of the 90 rows is meant: zero to three times."""
    return np.random.default_rng(1).integers(0, 4, 90)


class TestSampleWeight:
    @pytest.mark.parametrize("parameters", [{}, {"batch_size": 8}, {"early_stopping": {"patience": 4}}], ids=str)
    def test_a_row_of_weight_zero_is_not_there(self, parameters, noisy, counts):
        x, y = noisy
        there = counts > 0
        weighted = fitted(x, y, there.astype(float), **parameters)
        without = fitted(x[there], y[there], np.ones(there.sum()), **parameters)
        np.testing.assert_array_equal(weighted.parameters_, without.parameters_)

    def test_a_class_of_weight_zero_is_still_a_class(self, noisy):
        x, y = noisy
        model = fitted(x, y, (y != 2).astype(float))
        assert model.classes_.tolist() == [0, 1, 2]
        assert model.predict_proba(x)[:, 2].max() < 0.1

    def test_only_their_proportions_count(self, noisy):
        x, y = noisy
        weight = np.random.default_rng(0).uniform(0.1, 3, 90)
        one, thousand = fitted(x, y, weight, l2=0.1), fitted(x, y, 1000 * weight, l2=0.1)
        np.testing.assert_allclose(one.parameters_, thousand.parameters_, rtol=1e-9)

    @pytest.mark.parametrize(
        "weight, message",
        [(np.full(90, -1.0), "Negative values"), (np.zeros(90), "non-zero"), (np.ones(89), "shape"), ("text", "float")],
        ids=["negative", "all zero", "too few", "text"],
    )
    def test_what_is_refused(self, weight, message, noisy):
        with pytest.raises(ValueError, match=message):
            BPClassifier().fit(*noisy, sample_weight=weight)


class TestClassWeight:
    @pytest.mark.parametrize("class_weight", ["balanced", GIVEN, {2: 4.0}], ids=str)
    @pytest.mark.parametrize("parameters", [{}, {"batch_size": 8, "optimizer": "adam"}], ids=str)
    def test_it_is_the_sample_weight_that_scikit_learn_makes_of_it(self, class_weight, parameters, noisy):
        x, y = noisy
        by_class = fitted(x, y, class_weight=class_weight, **parameters)
        by_row = fitted(x, y, compute_sample_weight(class_weight, y), **parameters)
        np.testing.assert_allclose(by_class.parameters_, by_row.parameters_, rtol=1e-9, atol=1e-12)
        assert not np.allclose(by_class.parameters_, fitted(x, y, **parameters).parameters_)

    def test_it_multiplies_the_sample_weight(self, noisy):
        x, y = noisy
        weight = np.random.default_rng(0).uniform(0.1, 3, 90)
        both = fitted(x, y, weight, class_weight=GIVEN)
        product = fitted(x, y, weight * compute_sample_weight(GIVEN, y))
        np.testing.assert_allclose(both.parameters_, product.parameters_, rtol=1e-9, atol=1e-12)

    def test_balanced_classes_weigh_the_same_in_all(self, noisy):
        _, y = noisy
        weight = np.random.default_rng(0).uniform(0.1, 3, 90)
        for sample_weight in (None, weight):
            row = row_weights(y, 3, sample_weight, "balanced")
            np.testing.assert_allclose([row[y == code].sum() for code in range(3)], 30)

    def test_classes_are_meant_by_their_labels(self, noisy):
        x, y = noisy
        names = np.array(["b", "c", "a"])[y]  # codes in the order of names: 1, 2, 0
        by_name = fitted(x, names, class_weight={"b": 0.5, "c": 2.0, "a": 7.0}, output="sigmoid", init="normal")
        by_row = fitted(x, names, compute_sample_weight(GIVEN, y), output="sigmoid", init="normal")
        np.testing.assert_allclose(by_name.parameters_, by_row.parameters_, rtol=1e-9, atol=1e-12)

    @pytest.mark.parametrize(
        "class_weight, message",
        [
            ({0: 1.0, 9: 2.0}, r"names classes \[9\] that are not among \[0, 1, 2\]"),
            ({0: 0.0}, "finite weights greater than 0"),
            ({0: -1.0}, "finite weights greater than 0"),
            ({0: np.nan}, "finite weights greater than 0"),
            ({0: "2"}, "finite weights greater than 0"),
            ("even", "The 'class_weight' parameter of BPClassifier must be"),
        ],
        ids=str,
    )
    def test_what_is_refused(self, class_weight, message, noisy):
        with pytest.raises(ValueError, match=message):
            BPClassifier(class_weight=class_weight).fit(*noisy)


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.floats(0.01, 100)), min_size=1, max_size=40),
    st.sampled_from([None, "balanced", {0: 2.0, 3: 0.1}]),
)
def test_row_weights_are_scikit_learns_scaled_to_a_mean_of_one(rows, class_weight):
    codes, weight = np.array([code for code, _ in rows]), np.array([each for _, each in rows])
    row = row_weights(codes, 4, weight, class_weight)
    assert row.mean() == pytest.approx(1)
    if class_weight == "balanced":
        # rows of one class keep their proportions, and classes are level
        sums = np.array([row[codes == code].sum() for code in np.unique(codes)])
        np.testing.assert_allclose(sums, sums.mean())
        for code in np.unique(codes):
            ratio = row[codes == code] / weight[codes == code]
            np.testing.assert_allclose(ratio, ratio[0])
    else:
        present = None if class_weight is None else {c: w for c, w in class_weight.items() if c in codes}
        product = weight * compute_sample_weight(present, codes)
        np.testing.assert_allclose(row, product / product.mean())


def test_rows_that_count_alike_have_no_weights():
    assert row_weights(np.array([0, 1, 1]), 2, None, None) is None
