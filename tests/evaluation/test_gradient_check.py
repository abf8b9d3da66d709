"""`training.check_gradient`: right derivatives are told by how little they err, a wrong one trains nothing."""

import dataclasses

import numpy as np
import pytest

from src.config import check, network_settings
from src.data import load
from src.evaluation.crossval import GradientError, NetworkTask, fit_stack
from src.evaluation.folds import make_folds
from src.network.activations import ACTIVATIONS
from src.network.outputs import OUTPUTS


def task(**model) -> NetworkTask:
    data = load("ex4")
    [fold, *_] = make_folds(np.asarray(data.target), folds=5, repeats=1, stratified=True, seed=0)
    settings = network_settings(check({"model": model, "training": {"epochs": 1, "l2": 0.01}}))
    return NetworkTask(
        dataset=data, scale="standard", missing="refuse", fold=fold, settings=settings, check_gradient=True
    )


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_what_the_engine_offers_passes(activation, dtype):
    [result] = fit_stack([task(activation=activation, dtype=dtype)])
    assert result.gradient_error is not None
    assert 0 < result.gradient_error < 1e-7


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_wrong_slope_ends_before_anything_is_trained(monkeypatch, dtype):
    right = ACTIVATIONS["tanh"]

    def wrong(a, slope, scratch):
        right(a, slope, scratch)
        slope *= 1 + 1e-5

    monkeypatch.setitem(ACTIVATIONS, "tanh", wrong)
    monkeypatch.setattr("src.evaluation.crossval.network.train", None)  # would raise TypeError
    with pytest.raises(GradientError, match=r"training\.check_gradient: .* tanh, softmax and cross_entropy is wrong"):
        fit_stack([task(activation="tanh", dtype=dtype)])


def test_a_wrong_output_error_ends_it_too(monkeypatch):
    pair = "sigmoid", "squared_error"
    wrong = dataclasses.replace(OUTPUTS[pair], error=OUTPUTS["sigmoid", "cross_entropy"].error)
    monkeypatch.setitem(OUTPUTS, pair, wrong)
    with pytest.raises(GradientError, match="sigmoid, sigmoid and squared_error"):
        fit_stack([task(output="sigmoid", loss="squared_error")])
