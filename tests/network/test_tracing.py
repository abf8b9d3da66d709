"""A trace holds the derivation's, the engine's and the differences' numbers of one update, and they agree."""

from dataclasses import replace

import numpy as np
import pytest

from src.network.tracing import Trace, trace
from tests.network.cases import Case, cases


def numbers(parameters):
    """All weights and biases, layer by layer."""
    return np.array([parameters.at(place) for layer in parameters.W for place in parameters.places(layer)])


def traced(case: Case, **others) -> Trace:
    return trace(case.settings(learning_rate=0.5, **others), case.part, case.smooth_matrices())


@pytest.mark.parametrize("case", cases(), ids=str)
def test_the_engine_and_the_differences_agree_with_the_sums(case):
    found = traced(case)
    assert found.gradient_error < 1e-7
    np.testing.assert_allclose(numbers(found.engine.gradient), numbers(found.gradient), rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(numbers(found.differences), numbers(found.gradient), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(numbers(found.engine.after), numbers(found.after_update), rtol=1e-12, atol=1e-14)
    assert pytest.approx(found.update.objective.J, rel=1e-13) == found.engine.J
    for engine, one in zip(found.engine.passes, found.update.passes, strict=True):
        assert engine.loss == pytest.approx(one.loss, rel=1e-12)
        for layer in engine.a:
            assert engine.a[layer] == pytest.approx(one.a[layer], rel=1e-12)
            assert engine.delta[layer] == pytest.approx(one.delta[layer], rel=1e-11, abs=1e-14)


def test_weights_are_drawn_as_for_training(train_one):
    case = Case(("tanh",), "softmax", "cross_entropy")
    settings = case.settings(learning_rate=0.5, epochs=1, seed=7)
    trained = train_one(settings, case.part)
    found = trace(settings, case.part)
    views = [matrix[0] for matrix in trained.shape.matrices(trained.parameters[None])]
    assert [found.engine.after.W[layer] for layer in (1, 2)] == [view[:, :-1].tolist() for view in views]


def test_the_schedule_decides_the_step():
    case = Case(("tanh",), "softmax", "cross_entropy")
    found = traced(case, warmup=4)
    assert found.learning_rate == 0.125
    np.testing.assert_allclose(numbers(found.engine.after), numbers(found.after_update), rtol=1e-12, atol=1e-14)


def test_single_precision_is_the_engines_alone():
    found = traced(Case(("tanh",), "softmax", "cross_entropy"), dtype="float32")
    assert found.gradient_error < 1e-7
    assert found.learning_rate == 0.5
    np.testing.assert_allclose(numbers(found.engine.after), numbers(found.after_update), rtol=1e-5)
    assert numbers(found.engine.after).tolist() != numbers(found.after_update).tolist()


@pytest.mark.parametrize("other", [{"optimizer": "adam"}, {"clip_norm": 1.0}], ids=str)
def test_another_step_than_the_derivations_is_refused(other):
    case = Case(("tanh",), "softmax", "cross_entropy")
    with pytest.raises(ValueError, match="gradient descent"):
        traced(case, **other)


def test_matrices_of_another_shape_are_refused():
    case = Case(("tanh",), "softmax", "cross_entropy")
    with pytest.raises(ValueError, match="shapes"):
        trace(replace(case.settings(), hidden_layer_sizes=(9,)), case.part, case.matrices())
