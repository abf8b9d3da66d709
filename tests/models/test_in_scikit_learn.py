"""BPClassifier where scikit-learn's users put classifiers."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris
from sklearn.ensemble import BaggingClassifier, StackingClassifier
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_validate
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from src.models import BPClassifier


@pytest.fixture(scope="module")
def flowers():
    """The iris table as pandas has it: named columns, and species by name."""
    bunch = load_iris(as_frame=True)
    return bunch.data, bunch.target.map(dict(enumerate(bunch.target_names))).rename("species")


@pytest.fixture
def pipeline():
    return make_pipeline(StandardScaler(), BPClassifier(epochs=150))


def test_in_a_pipeline_with_a_table_and_labels_of_text(flowers, pipeline):
    table, species = flowers
    pipeline.fit(table, species)
    assert pipeline.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    assert set(pipeline.predict(table)) == set(species)
    assert pipeline.score(table, species) > 0.95


def test_text_labels_are_only_names(flowers, pipeline):
    table, species = flowers
    by_name = clone(pipeline).fit(table, species).predict_proba(table)
    by_code = clone(pipeline).fit(table, species.astype("category").cat.codes).predict_proba(table)
    np.testing.assert_array_equal(by_name, by_code)


def test_columns_of_a_table_are_known_by_name(flowers):
    table, species = flowers
    model = BPClassifier(epochs=5).fit(table, species)
    assert model.feature_names_in_.tolist() == table.columns.tolist()
    assert model.n_features_in_ == 4
    with pytest.raises(ValueError, match="feature names"):
        model.predict(table.rename(columns={table.columns[0]: "other"}))


@pytest.mark.parametrize("labels", [[True, False], [-1, 1], [0.0, 1.0], ["no", "yes"]], ids=str)
def test_labels_of_any_kind_come_back_as_they_were(labels, ex4):
    x, codes = ex4
    y = np.array(labels)[codes]
    model = BPClassifier(epochs=50).fit(x, y)
    assert model.classes_.tolist() == sorted(labels)
    assert model.predict(x).dtype == y.dtype


def test_categorical_labels_of_pandas(ex4):
    x, codes = ex4
    y = pd.Series(pd.Categorical(np.array(["rejected", "admitted"])[codes]))
    assert BPClassifier(epochs=50).fit(x, y).classes_.tolist() == ["admitted", "rejected"]


def test_grid_search_ranks_settings_and_predicts_with_the_best(flowers, pipeline):
    table, species = flowers
    grid = {
        "bpclassifier__hidden_layer_sizes": [(), (3,)],
        "bpclassifier__learning_rate": [1e-5, 0.5],
        "bpclassifier__early_stopping": [None, {"patience": 5}],
    }
    search = GridSearchCV(pipeline, grid, cv=3, scoring=["accuracy", "neg_log_loss"], refit="neg_log_loss")
    search.fit(table, species)
    assert search.best_params_["bpclassifier__learning_rate"] == 0.5
    assert np.isfinite(search.cv_results_["mean_test_neg_log_loss"]).all()
    assert search.best_estimator_.score(table, species) > 0.95


def test_grid_search_gives_a_diverged_network_no_score(ex4):
    x, y = ex4
    line = BPClassifier((), output="identity", loss="squared_error")
    search = GridSearchCV(line, {"learning_rate": [0.1, 1e5]}, cv=3)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        search.fit(x, y)
    assert {"ConvergenceWarning", "UserWarning"} == {each.category.__name__ for each in told}
    scores = search.cv_results_["mean_test_score"]
    assert scores[0] > 0.7
    assert np.isnan(scores[1])
    assert search.best_params_ == {"learning_rate": 0.1}


def test_cross_validate_is_fitting_each_fold_by_hand(iris):
    x, y = iris
    folds = [(np.flatnonzero(np.arange(150) % 3 != k), np.flatnonzero(np.arange(150) % 3 == k)) for k in range(3)]
    scores = cross_validate(BPClassifier(epochs=60), x, y, cv=folds, scoring="neg_log_loss", return_estimator=True)
    p = cross_val_predict(BPClassifier(epochs=60), x, y, cv=folds, method="predict_proba")
    for (train, test), score, fitted in zip(folds, scores["test_score"], scores["estimator"], strict=True):
        by_hand = BPClassifier(epochs=60).fit(x[train], y[train]).predict_proba(x[test])
        np.testing.assert_array_equal(fitted.predict_proba(x[test]), by_hand)
        np.testing.assert_array_equal(p[test], by_hand)
        assert score == pytest.approx(np.log(by_hand[np.arange(len(test)), y[test]]).mean())


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibrated(method, noisy):
    x, y = noisy
    calibrated = CalibratedClassifierCV(BPClassifier(epochs=100), method=method, cv=3).fit(x, y)
    p = calibrated.predict_proba(x)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert calibrated.score(x, y) > 0.6


def test_inside_other_ensembles(noisy):
    x, y = noisy
    network = BPClassifier(epochs=50)
    for ensemble in (
        BaggingClassifier(network, n_estimators=3, random_state=0),
        StackingClassifier([("network", network), ("regression", LogisticRegression())], cv=3),
        OneVsRestClassifier(network),
    ):
        p = ensemble.fit(x, y).predict_proba(x)
        np.testing.assert_allclose(p.sum(axis=1), 1)
    importance = permutation_importance(network.fit(x, y), x, y, n_repeats=2, random_state=0)
    assert importance.importances_mean.shape == (3,)


def test_a_clone_has_the_parameters_and_nothing_learned(ex4):
    parameters = {"hidden_layer_sizes": [3, 2], "activation": ["tanh", "relu"], "early_stopping": {"patience": 3}}
    model = BPClassifier(**parameters, class_weight={0: 2.0}, random_state=7, epochs=5).fit(*ex4)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert not hasattr(copy, "parameters_")
    np.testing.assert_array_equal(copy.fit(*ex4).predict_proba(ex4[0]), model.predict_proba(ex4[0]))


def test_pickled_it_predicts_the_same_and_can_go_on(ex4):
    x, y = ex4
    model = BPClassifier(optimizer="adam", batch_size=16, epochs=20, warm_start=True).fit(x, y)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.predict_proba(x), model.predict_proba(x))
    np.testing.assert_array_equal(copy.fit(x, y).predict_proba(x), model.fit(x, y).predict_proba(x))


def test_the_same_seed_gives_the_same_network_and_another_another(ex4):
    x, y = ex4
    one, same, other = (BPClassifier(epochs=20, random_state=seed).fit(x, y).predict_proba(x) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_an_ensemble_seeds_its_members(ex4):
    members = BaggingClassifier(BPClassifier(epochs=1), 2, bootstrap=False, random_state=0).fit(*ex4).estimators_
    assert not np.array_equal(members[0].parameters_, members[1].parameters_)
