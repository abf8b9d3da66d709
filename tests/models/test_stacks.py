"""Networks that are fitted together are the networks fitted alone, and a fold is what a Pipeline makes of it."""

import dataclasses
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline

from src.config import check, model_parameters, network_settings
from src.data import Dataset, load, make_preprocessor
from src.evaluation.crossval import EstimatorTask, NetworkTask, StackKeys, fit_fold, fit_stack
from src.evaluation.folds import make_folds
from src.models import (
    BPClassifier,
    ConvergedLogistic,
    make_data,
    make_model,
    network_bytes,
    predict_probabilities,
)
from src.network import Settings, train

ALIKE = [
    {},
    {"output": "sigmoid", "batch_size": 8, "optimizer": "adam"},
    {"output": "tanh", "loss": "squared_error", "dtype": "float32", "clip_norm": 1.0},
    {"hidden_layer_sizes": (), "optimizer": "nesterov", "schedule": "plateau", "plateau_patience": 1},
]


@given(st.data())
def test_a_network_is_what_bpclassifier_fits(drawn):
    """That it is the same in a stack, tests/network/test_stacks.py shows."""
    random = np.random.default_rng(drawn.draw(st.integers(0, 99)))
    x, codes = random.normal(size=(40, 3)), random.permutation(np.arange(40) % 3)
    weight = random.uniform(0.2, 2, 30) if drawn.draw(st.booleans()) else None
    class_weight = drawn.draw(st.sampled_from([None, "balanced", {0: 1.0, 1: 2.0}, {2: 5.0}]))
    told = Settings(
        **{"hidden_layer_sizes": (3,), "epochs": 12, **drawn.draw(st.sampled_from(ALIKE))},
        learning_rate=drawn.draw(st.sampled_from([0.01, 0.3, 2.0])),
        l2=drawn.draw(st.sampled_from([0.0, 0.1])),
        patience=drawn.draw(st.sampled_from([None, 1, 3])),
        validation_fraction=0.2,
        seed=drawn.draw(st.integers(0, 2)),
    )
    (trained,) = train([told], [make_data(told, 3, x[:30], codes[:30], weight=weight, class_weight=class_weight)])
    stopping = {name: getattr(told, name) for name in ("patience", "min_delta", "validation_fraction")}
    names = set(BPClassifier().get_params()) & set(vars(told))
    model = BPClassifier(
        **{name: getattr(told, name) for name in names},
        random_state=told.seed,
        early_stopping=None if told.patience is None else stopping,
        class_weight=class_weight,
    )
    model.fit(x[:30], codes[:30], sample_weight=weight)
    np.testing.assert_array_equal(model.parameters_, trained.parameters)
    p = predict_probabilities(trained.shape, trained.parameters, x[30:])
    np.testing.assert_array_equal(model.predict_proba(x[30:]), p)


def test_rows_go_into_the_engine_without_a_copy():
    x = np.random.default_rng(0).normal(size=(30, 3))
    data = make_data(Settings(), 3, x, np.arange(30) % 3, test=(x, np.arange(30) % 3))
    assert np.shares_memory(data.train.x, x)
    assert np.shares_memory(data.test.x, x)


def task_on(dataset, fold, *, model=None, training=None, **others) -> NetworkTask:
    """A task whose network has BPClassifier's random streams: those of no repeat and fold."""
    job = check({"model": {"name": "bp", **(model or {})}, "training": training or {}})
    return NetworkTask(
        dataset=dataset,
        scale="standard",
        missing="refuse",
        fold=fold,
        settings=network_settings(job),
        class_weight=job.training.class_weight,
        curve_epochs=tuple(range(1, 41)),
        **others,
    )


def estimator_task_on(dataset, fold, estimator) -> EstimatorTask:
    return EstimatorTask(dataset=dataset, scale="standard", missing="refuse", fold=fold, estimator=estimator)


@pytest.mark.parametrize(
    "change, same",
    [
        ({"training": {"learning_rate": 0.1, "l2": 1.0, "momentum": 0.5}, "model": {"init": "zeros"}}, True),
        ({"training": {"early_stopping": {"patience": None, "validation_fraction": 0.3}}}, True),
        ({"training": {"early_stopping": {"patience": 3}}}, False),
        ({"training": {"class_weight": "balanced"}}, False),
        ({"model": {"hidden_layer_sizes": [5]}}, False),
        ({"training": {"epochs": 7}}, False),
    ],
    ids=str,
)
def test_what_may_share_a_stack(change, same, wine):
    dataset, folds = wine
    one, other = (StackKeys().of(task_on(dataset, folds[0], **each)) for each in ({}, change))
    assert (one == other) == same


def test_stopping_networks_share_a_stack_if_they_hold_out_the_same_number(wine):
    dataset, folds = wine

    def key(**stopping):
        return StackKeys().of(task_on(dataset, folds[0], training={"early_stopping": stopping}))

    assert key(patience=3) == key(patience=9, min_delta=0.1) == key(patience=3, validation_fraction=0.1)
    assert key(patience=3) != key(patience=3, validation_fraction=0.2)


def test_class_weights_are_weights_whoever_gives_them(wine):
    dataset, folds = wine
    weighted = dataclasses.replace(dataset, sample_weight=np.ones(178))
    tasks = [task_on(weighted, folds[0], training={"class_weight": each}) for each in (None, "balanced")]
    assert StackKeys().of(tasks[0]) == StackKeys().of(tasks[1])
    assert len(fit_stack(tasks)) == 2


def test_each_network_of_a_stack_has_the_curve_points_it_asks_for(wine):
    dataset, folds = wine
    points = [(1, 10, 20), (1, 5), ()]
    tasks = [
        dataclasses.replace(task_on(dataset, folds[0], training={"epochs": 20}), curve_epochs=each) for each in points
    ]
    assert len({StackKeys().of(task) for task in tasks}) == 1
    first, second, third = fit_stack(tasks)
    assert first.curve.epochs.tolist() == [1, 10, 20]
    assert second.curve.epochs.tolist() == [1, 5]
    assert third.curve is None
    assert first.curve.train_loss[0] == second.curve.train_loss[0]
    for together, task in zip((first, second), tasks, strict=False):
        (alone,) = fit_stack([task])
        np.testing.assert_array_equal(together.curve.train_loss, alone.curve.train_loss)
        np.testing.assert_array_equal(together.curve.test_loss, alone.curve.test_loss)


@pytest.mark.parametrize(
    "parameters, classes, inputs, samples, stack",
    [
        ({}, 2, 2, 64, 250),
        ({"hidden_layer_sizes": (16, 8), "optimizer": "adam", "patience": 3}, 3, 4, 150, 200),
        ({"hidden_layer_sizes": (64,), "batch_size": 32, "dtype": "float32"}, 10, 64, 1400, 20),
        ({"hidden_layer_sizes": (300, 200), "batch_size": 50, "optimizer": "adam"}, 10, 64, 500, 8),
    ],
    ids=["small", "stopping", "many rows", "many weights"],
)
def test_the_memory_a_stack_takes_is_about_what_is_planned_for(parameters, classes, inputs, samples, stack):
    random = np.random.default_rng(0)
    x, codes = random.normal(size=(samples, inputs)), np.arange(samples) % classes
    several = [Settings(**parameters, epochs=2, seed=seed) for seed in range(stack)]
    seen = make_data(several[0], classes, x, codes)
    train(several[:1], [seen])  # what the first training imports is not counted
    tracemalloc.start()
    stops = several[0].patience is not None
    data = [make_data(each, classes, x, codes) if stops else seen for each in several]
    train(several, data, curve_epochs=(1, 2))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 1 / 2 < stack * network_bytes(several[0], classes, inputs, samples) / peak < 2


@pytest.mark.parametrize(
    "parameters, class_weight",
    [(ALIKE[0], None), (ALIKE[1], "balanced"), ({**ALIKE[3], "patience": 1}, None)],
    ids=str,
)
def test_back_propagation_is_right_on_real_rows(parameters, class_weight, noisy):
    x, codes = noisy
    features = pd.DataFrame(x, columns=[f"x{place}" for place in range(x.shape[1])])
    weight = np.random.default_rng(0).uniform(0.2, 2, 90)
    task = NetworkTask(
        dataset=Dataset("noisy", features, codes, ("a", "b", "c"), weight, "made here"),
        scale="none",
        missing="refuse",
        fold=make_folds(codes, folds=3)[0],
        settings=Settings(**{"hidden_layer_sizes": (3,), "epochs": 1, **parameters}),
        class_weight=class_weight,
        check_gradient=True,
    )
    (result,) = fit_stack([task])
    assert result.gradient_error is not None
    assert 0 < result.gradient_error < 1e-6


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
    for seed in range(4):
        for fold in folds:
            for rate in (0.8, 0.3):
                task = task_on(dataset, fold, training={**stopping, "learning_rate": rate})
                told = dataclasses.replace(task.settings, seed=seed, stream=(0, fold.fold))
                task = dataclasses.replace(task, settings=told)
                stacks.setdefault(keys.of(task), []).append(task)
    sizes = [len(stack) for stack in stacks.values()]
    assert len(sizes) > 4  # of one size are the training parts of four folds at most
    assert max(sizes) > 2  # the two learning rates are always together
    for stack in stacks.values():
        for task, together in zip(stack, fit_stack(stack), strict=True):
            (alone,) = fit_stack([task])
            np.testing.assert_array_equal(together.probabilities, alone.probabilities)
            np.testing.assert_array_equal(together.curve.train_loss, alone.curve.train_loss)
            assert together.epochs == alone.epochs


def test_groups_make_no_other_stacks_where_nothing_is_held_out(people):
    dataset, folds = people
    keys = StackKeys()
    alike = {(len(fold.train), len(fold.test)) for fold in folds}
    assert len({keys.of(task_on(dataset, fold)) for fold in folds}) == len(alike)


SECTIONS = [
    {"training": {"epochs": 60}},
    {
        "model": {"output": "sigmoid", "dtype": "float32"},
        "training": {"batch_size": 16, "optimizer": "adam", "epochs": 40},
    },
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
        for fold in folds:
            pipeline = Pipeline(
                [
                    ("rows", make_preprocessor(dataset, "standard", "refuse")),
                    ("model", make_model("bp", model_parameters(check(sections)))),
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
        rows, model = make_preprocessor(weighted, "standard", "refuse"), ConvergedLogistic(0.1)
        task = estimator_task_on(weighted, folds[0], model)
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
        assert fit_fold(estimator_task_on(dataset, folds[0], GaussianNB())).parameters is None

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
        if model == "bp":
            training = {"early_stopping": {"patience": 3}}
            one, other = (fit_stack([task_on(each, fold, training=training)])[0] for each in (dataset, spoilt))
        else:
            reference = ConvergedLogistic(0.01)
            one, other = (fit_fold(estimator_task_on(each, fold, reference)) for each in (dataset, spoilt))
        assert one.train_scores == other.train_scores
        assert one.epochs == other.epochs
        assert one.test_scores != other.test_scores
