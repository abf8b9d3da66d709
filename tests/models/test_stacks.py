"""Networks that are fitted together are the networks fitted alone, and a fold is what a Pipeline makes of it."""

import dataclasses
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.pipeline import Pipeline

from src import network
from src.config import check, model_parameters
from src.data import Dataset, load, make_preprocessor
from src.evaluation.crossval import FoldTask, StackKeys, fit_fold, fit_stack
from src.evaluation.folds import make_folds
from src.models import (
    BPClassifier,
    FitRequest,
    LabelledRows,
    fit_networks,
    gradient_error,
    make_model,
    network_bytes,
    network_key,
    predict_probabilities,
)

ALIKE = [
    {},
    {"output": "sigmoid", "batch_size": 8, "optimizer": "adam"},
    {"output": "tanh", "loss": "squared_error", "dtype": "float32", "clip_norm": 1.0},
    {"hidden_layer_sizes": (), "optimizer": "nesterov", "schedule": "plateau", "plateau_patience": 1},
]
CLASS_WEIGHTS = st.sampled_from(["balanced", {0: 1.0, 1: 2.0}, {2: 5.0}])


@st.composite
def requests(draw):
    """Networks that may share a stack: rows of the same or other folds, own settings, weights, early stopping."""
    weighted, stops = draw(st.booleans()), draw(st.booleans())
    random = np.random.default_rng(draw(st.integers(0, 99)))
    folds = []
    for _ in range(3):
        x, codes = random.normal(size=(40, 3)), random.permutation(np.arange(40) % 3)
        weight = random.uniform(0.2, 2, 30) if weighted else None
        folds.append((LabelledRows(x[:30], codes[:30], weight), LabelledRows(x[30:], codes[30:])))
    common = {"hidden_layer_sizes": (3,), "epochs": 12, **draw(st.sampled_from(ALIKE))}
    common["class_weight"] = draw(CLASS_WEIGHTS) if draw(st.booleans()) else None
    made = []
    for _ in range(draw(st.integers(2, 7))):
        own = {"learning_rate": draw(st.sampled_from([0.01, 0.3, 2.0])), "l2": draw(st.sampled_from([0.0, 0.1]))}
        own["seed"] = draw(st.integers(0, 2))
        if stops:
            patience = draw(st.integers(1, 3))
            own["early_stopping"] = {"patience": patience, "validation_fraction": 0.2}
        if common["class_weight"] is not None:
            own["class_weight"] = draw(CLASS_WEIGHTS)
        fold = draw(st.integers(0, 2))
        train, test = folds[fold]
        if draw(st.booleans()):
            train = dataclasses.replace(train)  # the same rows as another object
        made.append(FitRequest({**common, **own}, 3, train, test, stream=(0, draw(st.integers(0, 2)))))
    return made


@settings(max_examples=60)
@given(requests())
def test_together_is_alone_to_the_last_bit(several):
    assert len({network_key(each.parameters, 3, each.train.weight is not None) for each in several}) == 1
    together = fit_networks(several, curve_epochs=range(1, 13))
    for request, trained in zip(several, together, strict=True):
        (alone,) = fit_networks([request], curve_epochs=range(1, 13))
        assert trained.parameters.tobytes() == alone.parameters.tobytes()
        assert (trained.epochs, trained.best_epoch, trained.diverged_epoch) == (
            alone.epochs, alone.best_epoch, alone.diverged_epoch)  # fmt: skip
        for name in ("train_loss", "test_loss", "validation_loss"):
            np.testing.assert_array_equal(getattr(trained.curve, name), getattr(alone.curve, name))


@settings(max_examples=30)
@given(requests())
def test_one_of_them_is_what_bpclassifier_fits(several):
    request = dataclasses.replace(several[0], stream=())
    (trained,) = fit_networks([request])
    model = BPClassifier(**request.parameters)
    model.fit(request.train.x, request.train.codes, sample_weight=request.train.weight)
    np.testing.assert_array_equal(model.parameters_, trained.parameters)
    np.testing.assert_array_equal(model.predict_proba(request.test.x), predict_probabilities(trained, request.test.x))


@pytest.mark.parametrize(
    "change, same",
    [
        ({"learning_rate": 0.1, "l2": 1.0, "seed": 5, "init": "zeros", "momentum": 0.5}, True),
        ({"early_stopping": None}, True),
        ({"early_stopping": {"patience": None, "validation_fraction": 0.3}}, True),
        ({"early_stopping": {"patience": 3}}, False),
        ({"class_weight": "balanced"}, False),
        ({"hidden_layer_sizes": (5,)}, False),
        ({"epochs": 7}, False),
    ],
    ids=str,
)
def test_what_may_share_a_stack(change, same):
    assert (network_key({}, 3, False) == network_key(change, 3, False)) == same


def test_stopping_networks_share_a_stack_if_they_hold_out_the_same_number():
    def key(**stopping):
        return network_key({"early_stopping": stopping}, 3, False)

    assert key(patience=3) == key(patience=9, min_delta=0.1) == key(patience=3, validation_fraction=0.1)
    assert key(patience=3) != key(patience=3, validation_fraction=0.2)


def test_class_weights_are_weights_whoever_gives_them():
    assert network_key({"class_weight": "balanced"}, 3, False) == network_key({}, 3, True)


@pytest.mark.parametrize(
    "parameters, classes, inputs, samples, stack",
    [
        ({}, 2, 2, 64, 250),
        ({"hidden_layer_sizes": (16, 8), "optimizer": "adam", "early_stopping": {"patience": 3}}, 3, 4, 150, 200),
        ({"hidden_layer_sizes": (64,), "batch_size": 32, "dtype": "float32"}, 10, 64, 1400, 20),
        ({"hidden_layer_sizes": (300, 200), "batch_size": 50, "optimizer": "adam"}, 10, 64, 500, 8),
    ],
    ids=["small", "stopping", "many rows", "many weights"],
)
def test_the_memory_a_stack_takes_is_about_what_is_planned_for(parameters, classes, inputs, samples, stack):
    random = np.random.default_rng(0)
    rows = LabelledRows(random.normal(size=(samples, inputs)), np.arange(samples) % classes)
    several = [FitRequest({**parameters, "epochs": 2, "seed": seed}, classes, rows) for seed in range(stack)]
    fit_networks(several[:1])  # what the first training imports is not counted
    tracemalloc.start()
    fit_networks(several, curve_epochs=(1, 2))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 1 / 2 < stack * network_bytes(parameters, classes, inputs, samples) / peak < 2


class TestGradientError:
    @pytest.mark.parametrize("parameters", [*ALIKE[:2], *ALIKE[3:], {"output": "identity", "loss": "squared_error"}])
    @pytest.mark.parametrize("more", [{}, {"class_weight": "balanced"}, {"early_stopping": {"patience": 1}}], ids=str)
    def test_back_propagation_is_right_on_real_rows(self, parameters, more, noisy):
        x, y = noisy
        weight = np.random.default_rng(0).uniform(0.2, 2, 90)
        request = FitRequest({"hidden_layer_sizes": (3,), **parameters, **more}, 3, LabelledRows(x, y, weight))
        assert 0 < gradient_error(request) < 1e-6

    def test_it_tells_a_wrong_derivative(self, noisy, monkeypatch):
        request = FitRequest({"output": "sigmoid", "loss": "squared_error"}, 3, LabelledRows(*noisy))
        wrong = dataclasses.replace(network.shape.OUTPUTS["sigmoid", "squared_error"])
        wrong = dataclasses.replace(wrong, error=network.shape.OUTPUTS["sigmoid", "cross_entropy"].error)
        monkeypatch.setitem(network.shape.OUTPUTS, ("sigmoid", "squared_error"), wrong)
        assert gradient_error(request) > 0.1


def task_on(dataset, fold, name="bp", *, model=None, training=None) -> FoldTask:
    """A task whose network has BPClassifier's random streams: those of no repeat and fold."""
    job = check({"model": {"name": name, **(model or {})}, "training": training or {}})
    return FoldTask(dataset, "standard", "refuse", fold, name, model_parameters(job), stream=())


@pytest.fixture(scope="module")
def people():
    """Rows of persons with 1 to 6 rows each, and folds that keep each person's rows together."""
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(24), 1 + np.arange(24) % 6)
    target = random.integers(0, 3, len(groups))
    features = pd.DataFrame(random.normal(size=(len(groups), 3)) + target[:, None], columns=["a", "b", "c"])
    dataset = Dataset("people", features, target, ("x", "y", "z"), None, "here", groups=groups)
    return dataset, make_folds(target, folds=4, groups=groups)


def test_networks_that_hold_out_groups_share_a_stack_if_they_hold_out_as_many_rows(people):
    dataset, folds = people
    stopping = {"early_stopping": {"patience": 5, "validation_fraction": 0.2}, "epochs": 40, "learning_rate": 0.8}
    keys, stacks = StackKeys(), {}
    for seed in range(6):
        for fold in folds:
            for rate in (0.8, 0.3):
                task = task_on(dataset, fold, training={**stopping, "learning_rate": rate})
                task = dataclasses.replace(task, parameters={**task.parameters, "seed": seed}, stream=(0, fold.fold))
                stacks.setdefault(keys.of(task), []).append(task)
    sizes = [len(stack) for stack in stacks.values()]
    assert len(sizes) > 4  # of one size are the training parts of four folds at most
    assert max(sizes) > 2  # the two learning rates are always together
    for stack in stacks.values():
        for task, together in zip(stack, fit_stack(stack, curve_epochs=range(1, 41)), strict=True):
            (alone,) = fit_stack([task], curve_epochs=range(1, 41))
            np.testing.assert_array_equal(together.probabilities, alone.probabilities)
            np.testing.assert_array_equal(together.curve.train_loss, alone.curve.train_loss)
            assert together.epochs == alone.epochs


def test_groups_make_no_other_stacks_where_nothing_is_held_out(people):
    dataset, folds = people
    keys = StackKeys()
    alike = {(len(fold.train), len(fold.test)) for fold in folds}
    assert len({keys.of(task_on(dataset, fold)) for fold in folds}) == len(alike)


SECTIONS = [
    {},
    {"model": {"output": "sigmoid", "dtype": "float32"}, "training": {"batch_size": 16, "optimizer": "adam"}},
    {"training": {"early_stopping": {"patience": 5}, "optimizer": "adam", "class_weight": "balanced"}},
]


@pytest.fixture(scope="module")
def wine():
    dataset = load("wine")
    return dataset, make_folds(dataset.target, folds=5, repeats=1, stratified=True, seed=0)


class TestFold:
    @pytest.mark.parametrize("sections", SECTIONS, ids=["plain", "minibatch", "stopping"])
    def test_a_fold_is_a_pipeline_fitted_by_hand(self, sections, wine):
        dataset, folds = wine
        tasks = [task_on(dataset, fold, **sections) for fold in folds]
        keys = StackKeys()
        stacks = {}
        for task in tasks:
            stacks.setdefault(keys.of(task), []).append(task)
        results = {each.fold: each for stack in stacks.values() for each in fit_stack(stack)}
        for task, fold in zip(tasks, folds, strict=True):
            pipeline = Pipeline(
                [
                    ("rows", make_preprocessor(dataset, "standard", "refuse")),
                    ("model", make_model("bp", task.parameters)),
                ]
            ).fit(dataset.features.iloc[fold.train], dataset.target[fold.train])
            test = dataset.features.iloc[fold.test]
            np.testing.assert_array_equal(results[fold.fold].probabilities, pipeline.predict_proba(test))
            score = pipeline.score(test, dataset.target[fold.test])
            assert results[fold.fold].test_scores["accuracy"] == pytest.approx(score)
            assert results[fold.fold].epochs == pipeline["model"].n_iter_
            assert results[fold.fold].parameters == len(pipeline["model"].parameters_)
            assert results[fold.fold].n_train == len(fold.train)
            np.testing.assert_array_equal(results[fold.fold].test_target, dataset.target[fold.test])

    def test_a_reference_is_a_pipeline_fitted_by_hand(self, wine):
        dataset, folds = wine
        weighted = dataclasses.replace(dataset, sample_weight=np.random.default_rng(0).uniform(0.5, 2, 178))
        task = task_on(weighted, folds[0], "sklearn_logistic", training={"l2": 0.1})
        rows, model = make_preprocessor(weighted, "standard", "refuse"), make_model(task.model, task.parameters)
        train, test = folds[0].train, folds[0].test
        model.fit(
            rows.fit_transform(dataset.features.iloc[train]), dataset.target[train], weighted.sample_weight[train]
        )
        expected = model.predict_proba(rows.transform(dataset.features.iloc[test]))
        result = fit_fold(task)
        np.testing.assert_array_equal(result.probabilities, expected)
        assert result.parameters == 3 * (13 + 1)  # classes by features and a bias
        assert result.n_train == len(train)

    def test_an_estimator_of_any_other_kind_does_not_tell_its_parameters(self, wine):
        dataset, folds = wine
        task = task_on(dataset, folds[0], "sklearn", model={"estimator": "sklearn.naive_bayes.GaussianNB"})
        assert fit_fold(task).parameters is None

    @pytest.mark.parametrize("model", ["bp", "sklearn_logistic"])
    def test_nothing_of_the_test_part_leaks_into_training(self, model, wine):
        dataset, folds = wine
        fold, random = folds[0], np.random.default_rng(0)
        features, target = dataset.features.to_numpy(copy=True), dataset.target.copy()
        features[fold.test] = 1e3 * random.normal(size=(len(fold.test), features.shape[1]))
        target[fold.test] = random.permutation(target[fold.test])
        spoilt = dataclasses.replace(
            dataset, features=pd.DataFrame(features, columns=dataset.features.columns), target=target
        )
        training = {"l2": 0.01} if model == "sklearn_logistic" else {"early_stopping": {"patience": 3}}
        tasks = [task_on(each, fold, model, training=training) for each in (dataset, spoilt)]
        one, other = [fit_fold(task) if model == "sklearn_logistic" else fit_stack([task])[0] for task in tasks]
        assert one.train_scores == other.train_scores
        assert one.epochs == other.epochs
        assert one.test_scores != other.test_scores
