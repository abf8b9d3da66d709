"""Early stopping ends a network's training when its validation loss has not improved, and gives back its best weights.

What should happen is worked out from the curve of the same training without early stopping.
"""

import dataclasses
import math

import numpy as np
import pytest

from src.network import Data, Part, Settings, objective, train
from tests.network.covering import pairwise

EPOCHS = 120
BASE = Settings((6,), "tanh", optimizer="momentum", learning_rate=0.2, epochs=EPOCHS)


@pytest.fixture
def data(make_part):
    """Few samples with classes at random: what is learned from some is soon worse than nothing for others."""
    return Data(
        make_part(samples=12, seed=1), validation=make_part(samples=8, seed=2), test=make_part(samples=5, seed=3)
    )


def expected_end(losses, patience, min_delta):
    """Return (epochs trained, best epoch) for the validation losses of epochs 1, 2, ..."""
    best, best_epoch = math.inf, 0
    for epoch, loss in enumerate(losses, start=1):
        if loss < best - min_delta:
            best, best_epoch = loss, epoch
        if epoch - best_epoch >= patience:
            return epoch, best_epoch
    return len(losses), best_epoch


@pytest.mark.parametrize(
    "case",
    pairwise(patience=(1, 3, 10, 500), min_delta=(0.0, 0.01, 0.1), batch_size=("full", 5)),
    ids=lambda case: "-".join(map(str, case.values())),
)
def test_it_ends_after_patience_epochs_without_improvement(case, data):
    patience, min_delta, batch_size = case.values()
    free = dataclasses.replace(BASE, batch_size=batch_size)
    [without] = train([free], [data], curve_epochs=range(1, EPOCHS + 1))
    epochs, best_epoch = expected_end(without.curve.validation_loss, patience, min_delta)
    stopping = dataclasses.replace(free, patience=patience, min_delta=min_delta)
    [stopped] = train([stopping], [data], curve_epochs=range(1, EPOCHS + 1))
    assert (stopped.epochs, stopped.best_epoch) == (epochs, best_epoch)
    assert stopped.curve.validation_loss.tolist() == without.curve.validation_loss[:epochs].tolist()
    if patience < 500:
        assert epochs < EPOCHS

    [best] = train([dataclasses.replace(free, epochs=best_epoch)], [data])
    assert stopped.parameters.tolist() == best.parameters.tolist()
    [last] = train([dataclasses.replace(free, epochs=epochs)], [data])
    assert stopped.state.parameters.tolist() == last.parameters.tolist()


def test_a_loss_that_stands_still_is_no_improvement(data):
    [trained] = train([dataclasses.replace(BASE, learning_rate=0.0, patience=3)], [data])
    assert (trained.epochs, trained.best_epoch) == (4, 1)


def test_each_network_of_a_stack_stops_on_its_own(data):
    networks = [dataclasses.replace(BASE, patience=patience, stream=(0, patience)) for patience in (1, 5, 20, 500)]
    finished = []
    together = train(networks, [data] * 4, on_epochs=finished.append)
    assert len({each.epochs for each in together}) > 2
    assert sum(finished) == sum(each.epochs for each in together)


def test_the_training_loss_is_watched_where_nothing_is_held_out(data, train_one):
    improving = dataclasses.replace(BASE, optimizer="sgd", learning_rate=0.01, patience=2, epochs=30)
    assert train_one(improving, data.train).best_epoch == 30
    hardly = dataclasses.replace(improving, min_delta=10.0)
    assert (train_one(hardly, data.train).epochs, train_one(hardly, data.train).best_epoch) == (3, 1)


def test_the_test_part_is_never_looked_at(data, make_part):
    stopping = dataclasses.replace(BASE, patience=5)
    [one] = train([stopping], [data])
    [other] = train([stopping], [dataclasses.replace(data, test=make_part(samples=5, seed=99))])
    [none] = train([stopping], [dataclasses.replace(data, test=None)])
    assert one.parameters.tolist() == other.parameters.tolist() == none.parameters.tolist()


def test_curves_of_many_samples_are_the_mean_over_all_of_them(make_part):
    parts = [make_part(samples=samples, weighted=True, seed=samples) for samples in (700, 513, 257)]
    for batch_size in ("full", 100):
        [trained] = train([Settings(epochs=2, batch_size=batch_size)], [Data(*parts)], curve_epochs=[2])
        curve = trained.curve
        for part, loss in zip(parts, (curve.train_loss, curve.validation_loss, curve.test_loss), strict=True):
            each = [Part(part.x[:, [i]], part.y[:, [i]]) for i in range(part.x.shape[1])]
            losses = [objective(trained.shape, trained.parameters, sample) for sample in each]
            assert loss == pytest.approx([np.mean(part.weight * losses)], rel=1e-13)


def test_curves_are_the_data_losses_after_the_epochs_asked_for(data):
    penalized = dataclasses.replace(BASE, l2=0.1, epochs=7, batch_size=5)
    [trained] = train([penalized], [data], curve_epochs=[2, 7])
    assert trained.curve.epochs.tolist() == [2, 7]
    for part, losses in zip(
        (data.train, data.validation, data.test),
        (trained.curve.train_loss, trained.curve.validation_loss, trained.curve.test_loss),
        strict=True,
    ):
        expected = []
        for epochs in (2, 7):
            [after] = train([dataclasses.replace(penalized, epochs=epochs)], [data])
            expected.append(objective(after.shape, after.parameters, part))
        np.testing.assert_allclose(losses, expected, rtol=1e-13)
