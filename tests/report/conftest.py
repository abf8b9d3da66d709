"""Outcomes and predictions to show, as the other rooms would hand them over."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from src.comparison.families import Comparison
from src.comparison.outcome import Outcome
from src.evaluation.metrics import score
from src.evaluation.results import OutOfFold
from tests.sweeps import Given, model, outcome_of

HOSTILE = [
    "<script>alert('1')</script>",
    'a|b"c`d*e_f',
    "逻辑回归",
    "line\nbreak\r\n  twice",
    "$x^2",
    "&amp; \\ #1 [l](u)",
]
SPREAD = np.array([-0.04, -0.02, 0.0, 0.02, 0.04])  # standard deviation 0.0316


def job(name: str, accuracy: float, settings: dict[str, Any] | None = None, **more: Any) -> Given:
    """A job whose mean accuracy is given; its log loss is 1 minus that."""
    return model(name, accuracy + SPREAD, settings, **more)


def lost(name: str, settings: dict[str, Any] | None = None, **more: Any) -> Given:
    """A job of which two folds diverged."""
    return model(name, [np.nan, 0.5, 0.5, np.nan, 0.5], settings, **more)


@pytest.fixture(scope="session")
def three_models() -> Outcome:
    return outcome_of([job("bp", 0.8), job("logistic", 0.812), job("softmax", 0.775)])


@pytest.fixture(scope="session")
def grid() -> list[Given]:
    """Two swept settings; one job diverged, one failed, one combination was not run."""
    return [
        job("bp", 0.7, {"learning_rate": 0.1, "l2": 0.0}),
        job("bp", 0.9, {"learning_rate": 0.1, "l2": 1e-3}),
        job("bp", 0.8, {"learning_rate": 1.0, "l2": 0.0}),
        job("bp", 0.6, {"learning_rate": 1.0, "l2": 1e-3}),
        lost("bp", {"learning_rate": 30.0, "l2": 0.0}),
        job("softmax", 0.5, {"learning_rate": 0.1, "l2": 0.1}, fate="FAILED"),
    ]


@functools.cache
def four_models(**asked: Any) -> Outcome:
    """bp against three: it surely is better, surely is not different, may be either."""
    random = np.random.default_rng(0)
    base = 0.8 + 0.05 * random.standard_normal(10)
    scores = {
        "bp": base,
        "logistic": base - 0.05 + 0.005 * random.standard_normal(10),
        "softmax": base + 0.0004 * random.standard_normal(10),
        "sklearn_logistic": base + 0.06 * random.standard_normal(10),
    }
    return outcome_of([model(name, each, rows=20_000) for name, each in scores.items()], **asked)


@pytest.fixture
def make_verdicts() -> Callable[..., Outcome]:
    return four_models


@pytest.fixture(scope="session")
def verdicts() -> Outcome:
    return four_models()


@pytest.fixture(scope="session")
def one() -> Comparison:
    """A difference of 0.012 that may be chance."""
    return Comparison(
        data="made",
        model="bp",
        baseline="logistic",
        metric="test/accuracy",
        on_folds=np.array([0.05, -0.03, 0.02, 0.01, 0.01]),
        difference=0.012,
        low=-0.021,
        high=0.045,
        t=0.9,
        df=4,
        p=0.41,
        p_holm=0.43,
        p_worse=0.1,
        p_equal=0.35,
        p_better=0.55,
        verdict="undecided",
        within_rope=False,
        detectable=0.055,
        detectable_at_best=0.031,
        confidence=0.95,
        rope=0.01,
        tests=1,
    )


def told(comparisons: Sequence[Comparison]) -> Outcome:
    """An outcome that tells these comparisons and no others."""
    made = outcome_of([job(name, 0.8) for name in ("bp", "logistic")])
    (family,) = made.families
    by_data: dict[str, list[Comparison]] = {}
    for each in comparisons:
        by_data.setdefault(each.data, []).append(each)
    families = [
        replace(family, data=data, comparisons=tuple(group), tests=len(group)) for data, group in by_data.items()
    ]
    board = next(iter(made.boards.values()))
    return replace(made, families=tuple(families), boards=dict.fromkeys(by_data, board))


@pytest.fixture
def tell() -> Callable[[Sequence[Comparison]], Outcome]:
    return told


def predictions(classes: int = 2, rows: int = 60, folds: int = 5, seed: int = 0) -> OutOfFold:
    random = np.random.default_rng(seed)
    target = np.arange(rows) % classes
    fold = np.arange(rows) // classes % folds
    logits = random.standard_normal((rows, classes)) + 1.2 * np.eye(classes)[target]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return OutOfFold(fold, target, probabilities)


@pytest.fixture
def make_predictions() -> Callable[..., OutOfFold]:
    return predictions


@pytest.fixture
def fold_auc() -> Callable[[OutOfFold], np.ndarray]:
    """Each fold's ROC AUC, by the evaluation's own definition."""

    def areas(made: OutOfFold) -> np.ndarray:
        parts = [made.fold == fold for fold in np.unique(made.fold)]
        return np.array([score(made.target[part], made.probabilities[part])["roc_auc"] for part in parts])

    return areas


@pytest.fixture(params=HOSTILE, ids=range(len(HOSTILE)))
def hostile(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def all_hostile() -> list[str]:
    return HOSTILE
