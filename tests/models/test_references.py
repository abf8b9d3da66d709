"""The models that networks are compared with: the converged logistic regression, and the user's choice."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from src.data import load
from src.models import ModelError, make_model

CONVERGED = {"optimizer": "nesterov", "momentum": 0.95, "learning_rate": 0.25, "init": "zeros", "epochs": 3000}
SOFTMAX = {"hidden_layer_sizes": (), "output": "softmax", **CONVERGED}
SIGMOID = {"hidden_layer_sizes": (), "output": "sigmoid", **CONVERGED}


def table(name):
    dataset = load(name)
    return StandardScaler().fit_transform(dataset.features.to_numpy(dtype=float)), dataset.target


def reference(l2, class_weight=None):
    return make_model("sklearn_logistic", {"l2": l2, "class_weight": class_weight, "seed": 0})


def objective(x, y, w, b, l2, weight):
    """Return J = (1/m) sum w_i loss_i + (lambda/2) sum W^2 for W (C, features) or, of two classes, (1, features)."""
    z = x @ w.T + b
    if len(w) == 1:
        z = np.hstack([np.zeros_like(z), z])
    loss = np.logaddexp.reduce(z, axis=1) - z[np.arange(len(y)), y]
    return np.average(loss, weights=weight) + l2 / 2 * np.square(w).sum()


class TestConvergedLogistic:
    @pytest.mark.parametrize(
        "name, class_weight, l2",
        [("ex4", None, 0.3), ("ex4", "balanced", 0.01), ("iris", {0: 3.0, 1: 0.5}, 0.3), ("iris", "balanced", 0.3)],
    )
    def test_it_is_where_the_engine_ends(self, name, class_weight, l2):
        x, y = table(name)
        weight = np.random.default_rng(0).uniform(0.2, 2, len(y))
        output = SOFTMAX if name == "iris" else SIGMOID
        network = make_model("bp", {**output, "l2": l2, "class_weight": class_weight})
        network.fit(x, y, sample_weight=weight)
        converged = reference(l2, class_weight).fit(x, y, sample_weight=weight)
        np.testing.assert_allclose(network.predict_proba(x), converged.predict_proba(x), atol=1e-7)
        np.testing.assert_allclose(network.coefs_[0].T, converged.coef_, atol=1e-6)

    def test_a_softmax_of_two_classes_shares_the_weights_and_pays_half(self, ex4):
        x, y = ex4
        network = make_model("softmax", {**SOFTMAX, "l2": 0.2}).fit(x, y)
        np.testing.assert_allclose(network.predict_proba(x), reference(0.1).fit(x, y).predict_proba(x), atol=1e-7)

    @pytest.mark.parametrize("name, l2", [("ex4", 1e-3), ("iris", 1.0), ("breast_cancer", 1e-3), ("digits", 1.0)])
    def test_no_step_from_it_makes_the_objective_smaller(self, name, l2):
        x, y = table(name)
        weight = np.random.default_rng(0).uniform(0.2, 2, len(y))
        model = reference(l2).fit(x, y, sample_weight=weight)
        lowest = objective(x, y, model.coef_, model.intercept_, l2, weight)
        random = np.random.default_rng(1)
        for size in (1e-2, 1e-4):
            for _ in range(20):
                step = size * random.normal(size=model.coef_.shape)
                assert objective(x, y, model.coef_ + step, model.intercept_, l2, weight) > lowest

    def test_it_is_logistic_regression_with_c_of_one_over_lambda_m(self, ex4):
        x, y = ex4
        model = reference(0.05).fit(x, y)
        assert isinstance(model, LogisticRegression)
        plain = LogisticRegression(C=1 / (0.05 * 80), tol=1e-10, solver="newton-cholesky").fit(x, y)
        np.testing.assert_allclose(model.coef_, plain.coef_, rtol=1e-7)

    def test_without_penalty_it_is_the_published_solution_of_ex4(self):
        dataset = load("ex4")
        scaler = StandardScaler()
        x = scaler.fit_transform(dataset.features.to_numpy(dtype=float))
        p = reference(0.0).fit(x, dataset.target).predict_proba(scaler.transform([[20.0, 80.0]]))
        assert p[0, 0] == pytest.approx(0.668021864022303, rel=1e-9)

    @pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer"])
    def test_classes_that_can_be_parted_without_a_mistake_are(self, name, recwarn):
        # without penalty there is no finite optimum: any solution that makes no mistake will do, and none is warned of
        x, y = table(name)
        model = reference(0.0).fit(x, y)
        assert model.score(x, y) > 0.98
        assert not recwarn.list

    @pytest.mark.parametrize("class_weight", [{"no": 2.0}, "balanced", None], ids=str)
    def test_labels_of_text_and_a_clone(self, class_weight, ex4):
        x, y = ex4
        model = clone(reference(0.1, class_weight)).fit(x, np.array(["no", "yes"])[y])
        assert model.classes_.tolist() == ["no", "yes"]
        assert model.get_params() == {"l2": 0.1, "class_weight": class_weight}
        codes = {0: 2.0} if isinstance(class_weight, dict) else class_weight
        np.testing.assert_array_equal(model.predict_proba(x), reference(0.1, codes).fit(x, y).predict_proba(x))

    def test_l2_may_be_searched_over(self, ex4):
        x, y = ex4
        model = reference(10.0).fit(x, y)
        searched = model.set_params(l2=0.01).fit(x, y)
        np.testing.assert_array_equal(searched.coef_, reference(0.01).fit(x, y).coef_)


def user_model(estimator, params=None, seed=0):
    return make_model("sklearn", {"estimator": estimator, "params": params or {}, "seed": seed})


class TestUsersEstimator:
    @pytest.mark.parametrize(
        "estimator, params",
        [
            ("sklearn.ensemble.RandomForestClassifier", {"n_estimators": 7}),
            ("sklearn.neighbors.KNeighborsClassifier", {"n_neighbors": 3}),
            ("sklearn.naive_bayes.GaussianNB", {}),
            ("sklearn.linear_model.SGDClassifier", {"loss": "log_loss"}),
            ("sklearn.calibration.CalibratedClassifierCV", {}),
            ("sklearn.neural_network.MLPClassifier", {"hidden_layer_sizes": [4], "solver": "lbfgs", "alpha": 1}),
        ],
    )
    def test_it_is_made_with_its_parameters_and_fits(self, estimator, params, iris):
        model = user_model(estimator, params)
        assert type(model).__name__ == estimator.rpartition(".")[2]
        assert {name: model.get_params()[name] for name in params} == params
        p = model.fit(*iris).predict_proba(iris[0])
        assert p.shape == (150, 3)

    def test_it_draws_from_the_seed_unless_it_is_given_its_own(self):
        forest = "sklearn.ensemble.RandomForestClassifier"
        assert user_model(forest, seed=5).random_state == 5
        assert user_model(forest, {"random_state": 9}, seed=5).random_state == 9
        assert not hasattr(user_model("sklearn.naive_bayes.GaussianNB", seed=5), "random_state")

    def test_a_parameter_may_be_an_estimator_with_parameters_of_its_own(self, iris):
        machine = {"estimator": "sklearn.svm.SVC", "params": {"C": 2.0}}
        model = user_model("sklearn.calibration.CalibratedClassifierCV", {"estimator": machine, "cv": 3}, seed=5)
        ours = model.fit(*iris).predict_proba(iris[0])
        theirs = CalibratedClassifierCV(SVC(C=2.0, random_state=5), cv=3).fit(*iris).predict_proba(iris[0])
        np.testing.assert_array_equal(ours, theirs)
        forest = {"estimator": "sklearn.ensemble.RandomForestClassifier", "params": {"n_estimators": 3}}
        votes = {"estimators": [["tree", {"estimator": "sklearn.tree.DecisionTreeClassifier"}], ["forest", forest]]}
        voting = user_model("sklearn.ensemble.VotingClassifier", {**votes, "voting": "soft"}, seed=7).fit(*iris)
        assert [each.random_state for each in voting.estimators_] == [7, 7]

    def test_a_parameter_that_is_an_estimator_is_of_scikit_learn_too(self):
        for estimator, params, message in (
            ("os.system", {}, "'os.system' is not a class of scikit-learn"),
            ("sklearn.svm.SVC", {"c": 1}, "sklearn.svm.SVC has no such parameter. Did you mean 'C'?"),
            ("sklearn.svm.SVC", {"C": -1}, "sklearn.svm.SVC refuses them"),
        ):
            inner = {"estimator": estimator, "params": params}
            with pytest.raises(ModelError, match=message):
                user_model("sklearn.calibration.CalibratedClassifierCV", {"estimator": inner})

    @pytest.mark.parametrize(
        "estimator, message",
        [
            ("os.system", "'os.system' is not a class of scikit-learn, and only those may be named, such as sklearn."),
            ("sklearnish.X", "'sklearnish.X' is not a class of scikit-learn, and only those"),
            ("sklearn", "'sklearn' is not a class of scikit-learn, and only those"),
            ("sklearn.svm.SCV", "'sklearn.svm.SCV' does not exist. Did you mean 'sklearn.svm.SVC'?"),
            (
                "sklearn.linear_model.RandomForestClassifier",
                "does not exist. Did you mean 'sklearn.ensemble.RandomForestClassifier'?",
            ),
            ("sklearn.nowhere.Xyzzy", "'sklearn.nowhere.Xyzzy' does not exist."),
            ("sklearn.metrics.accuracy_score", "'sklearn.metrics.accuracy_score' is not a classifier."),
            ("sklearn.datasets", "'sklearn.datasets' is not a classifier."),
            ("sklearn.utils.Bunch", "'sklearn.utils.Bunch' is not a classifier."),
            ("sklearn.base.ClassifierMixin", "'sklearn.base.ClassifierMixin' is not a classifier."),
            ("sklearn.tests.test_base.MyEstimator", "is of scikit-learn's tests, not a classifier."),
            ("sklearn.svm.SVR", "'sklearn.svm.SVR' is not a classifier."),
            ("sklearn.preprocessing.StandardScaler", "'sklearn.preprocessing.StandardScaler' is not a classifier."),
            (
                "sklearn.linear_model.RidgeClassifier",
                "gives no probabilities (predict_proba), which the scores need. Calibrate it, as model=svm does, or",
            ),
            (
                "sklearn.svm.SVC",
                "gives no probabilities (predict_proba), which the scores need. Calibrate it, as model=svm does, or",
            ),
        ],
    )
    def test_what_cannot_be_used_is_told_with_its_key(self, estimator, message):
        with pytest.raises(ModelError) as told:
            user_model(estimator)
        assert str(told.value).startswith("model.estimator: ")
        assert message in str(told.value)
        assert "\n" not in str(told.value)

    @pytest.mark.parametrize(
        "estimator, params, message",
        [
            (
                "sklearn.ensemble.RandomForestClassifier",
                {"n_estimatorz": 5},
                "model.params.n_estimatorz: sklearn.ensemble.RandomForestClassifier has no such parameter. "
                "Did you mean 'n_estimators'? (bootstrap, ",
            ),
            (
                "sklearn.ensemble.RandomForestClassifier",
                {"n_estimators": -5},
                "model.params: sklearn.ensemble.RandomForestClassifier refuses them: The 'n_estimators' parameter of "
                "RandomForestClassifier must be an int in the range [1, inf). Got -5 instead.",
            ),
            (
                "sklearn.ensemble.StackingClassifier",
                {},
                "model.params: sklearn.ensemble.StackingClassifier refuses them: "
                "StackingClassifier.__init__() missing 1 required positional argument: 'estimators'",
            ),
        ],
        ids=["unknown", "out of range", "missing"],
    )
    def test_parameters_it_does_not_take_are_told_with_theirs(self, estimator, params, message):
        with pytest.raises(ModelError) as told:
            user_model(estimator, params)
        assert str(told.value).startswith(message)
        assert "\n" not in str(told.value)

    def test_one_that_takes_no_weights_is_told_before_it_is_fitted(self):
        neighbors = {"estimator": "sklearn.neighbors.KNeighborsClassifier", "params": {}, "seed": 0}
        with pytest.raises(ModelError, match=r"^model.estimator: 'sklearn.neighbors.*' takes no weights of rows"):
            make_model("sklearn", neighbors, weighted=True)
        make_model("sklearn", neighbors)
        make_model("sklearn", {**neighbors, "estimator": "sklearn.naive_bayes.GaussianNB"}, weighted=True)
