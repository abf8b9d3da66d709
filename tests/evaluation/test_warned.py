"""What fits warn of is gathered thread by thread, counted, and told once."""

import threading
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from src.data import load
from src.evaluation.crossval import EstimatorTask, fit_fold
from src.evaluation.folds import make_folds
from src.evaluation.results import JobResult
from src.evaluation.warned import gathered, listening, told_once


def fitted(max_iter: int) -> JobResult:
    dataset = load("iris")
    folds = make_folds(np.asarray(dataset.target), folds=3, repeats=1, stratified=True, seed=0)
    model = LogisticRegression(max_iter=max_iter)
    how = {"dataset": dataset, "scale": "standard", "missing": "refuse", "estimator": model}
    return JobResult(tuple(fit_fold(EstimatorTask(fold=fold, **how)) for fold in folds))


def test_a_fit_says_what_it_warned_of_and_nothing_is_printed(recwarn: pytest.WarningsRecorder) -> None:
    ((text, fits),) = fitted(2).warnings().items()
    assert text.startswith("ConvergenceWarning: lbfgs failed to converge")
    assert "\n" not in text
    assert "https" not in text
    assert fits == 3
    assert fitted(1000).warnings() == {}
    assert recwarn.list == []


def test_threads_have_their_own_and_others_are_shown() -> None:
    taken: dict[int, list[str]] = {}
    ready = threading.Barrier(4)

    def work(number: int) -> None:
        with gathered() as mine:
            for _ in range(50):
                ready.wait()
                with warnings.catch_warnings():  # as libraries do
                    warnings.warn(f"number {number}", RuntimeWarning, stacklevel=1)
                ready.wait()
        taken[number] = mine

    with listening():
        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert taken == {number: 50 * [f"RuntimeWarning: number {number}"] for number in range(4)}
    with pytest.warns(UserWarning, match="nobody gathers this"), listening():
        warnings.warn("nobody gathers this", UserWarning, stacklevel=1)


def test_all_is_left_as_it_was_and_filters_count() -> None:
    before = warnings.showwarning, list(warnings.filters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        with gathered() as mine:
            warnings.warn("not told", ConvergenceWarning, stacklevel=1)
            warnings.warn("told", UserWarning, stacklevel=1)
    assert mine == ["UserWarning: told"]
    assert (warnings.showwarning, list(warnings.filters)) == before


def test_warnings_that_differ_in_numbers_are_one() -> None:
    texts = ["W: gap 1.5e-3 after 10", "W: gap 0.2 after 9", "W: gap is wide", "W: gap 1 after 1"]
    assert told_once(texts) == {"W: gap 1.5e-3 after 10": 3, "W: gap is wide": 1}
