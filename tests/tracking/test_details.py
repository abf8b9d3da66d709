"""What is recorded of a job beside its scores comes back as it was."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from src.evaluation.results import Curve, JobResult
from src.report.pictures import job_figures
from src.tracking.opening import experiment_id, open_store
from src.tracking.reading import StoredRecord
from src.tracking.runs import NoSweep
from src.tracking.store import Store
from tests.stores import empty_store
from tests.sweeps import Given, ended_of, result_of

CLASSES = ('yes, "a"', "否|<b>")
GIVEN = Given({"cv.repeats": 2}, [0.5, 0.75, 0.5, 0.25, np.nan, 0.5], rows=12, classes=CLASSES)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(empty_store(tmp_path))


def with_random_numbers(made: JobResult) -> JobResult:
    """A result whose predictions and losses are all different; the fifth fold stays diverged."""
    random = np.random.default_rng(1)
    folds = []
    for fold in made.folds:
        second = random.random(fold.n_test) * (np.nan if fold.diverged_epoch else 1)
        curve = Curve(np.arange(1, 6), random.random(5), random.random(5))
        folds.append(replace(fold, probabilities=np.column_stack([1 - second, second]), curve=curve))
    return JobResult(tuple(folds))


def test_curves_and_predictions_come_back_to_the_last_bit(store: Store) -> None:
    made = with_random_numbers(result_of(GIVEN))
    job = replace(ended_of(GIVEN), outcome=made).log(store, NoSweep(experiment_id(store, "study"), {}))
    record = StoredRecord(store)

    back = record.predictions(job.run_id)
    assert back.class_names == CLASSES
    sizes = [fold.n_test for fold in made.folds]
    np.testing.assert_array_equal(back.fold, np.repeat(np.arange(6), sizes))
    np.testing.assert_array_equal(back.target, np.concatenate([fold.test_target for fold in made.folds]))
    np.testing.assert_array_equal(back.probabilities, np.concatenate([fold.probabilities for fold in made.folds]))

    shown = record.curves(job.run_id)
    assert len(shown) == 6
    for one, fold in zip(shown, made.folds, strict=True):
        assert fold.curve is not None
        kept = slice(0, 5)
        for name in ("epochs", "train_loss", "test_loss"):
            np.testing.assert_array_equal(getattr(one, name)[kept], getattr(fold.curve, name))
        # Of the diverged fold the curve says so.
        assert len(one.epochs) == (6 if fold.diverged_epoch else 5)
        assert np.isnan(one.test_loss[-1]) == bool(fold.diverged_epoch)


def test_a_job_keeps_figures_of_its_own(store: Store) -> None:
    job = ended_of(GIVEN).log(store, NoSweep(experiment_id(store, "study"), {}))
    record = StoredRecord(store)
    drawn = job_figures("bp", record.predictions(job.run_id), record.curves(job.run_id))
    assert set(drawn) == {f"figures/{name}.png" for name in ("confusion_matrix", "roc_curve", "learning_curve")}
    assert all(content.startswith(b"\x89PNG") for content in drawn.values())
