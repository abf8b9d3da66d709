"""How often the tests find a difference where there is none: ``python -m src.evaluation.simulation``.

Two learners that cannot differ in expectation are compared on simulated data, again and again. Each is a
nearest-centroid classifier on its own half of the features; the halves are drawn independently from one distribution,
so by symmetry the two have the same expected accuracy on every size of training set. A test at the 5 % level should
then report a difference in 5 % of the simulations. The cross-validation is real: its training sets overlap as they do
in a sweep.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from scipy import stats

from src.evaluation.folds import Fold, make_folds
from src.evaluation.significance import corrected_t_test

LEVEL = 0.05
ROWS = 200
PAGE = Path(__file__).parents[2] / "experiments" / "statistics.md"


@dataclass(frozen=True)
class Setting:
    """One way to simulate.

    Attributes
    ----------
    features
        Number of them that each learner sees; the standard deviation of each is 1.
    separation
        Distance between the centers of the two classes in the features of one learner.
    folds, repeats
        Of the cross-validation.
    """

    features: int
    separation: float
    folds: int
    repeats: int


@dataclass(frozen=True)
class ErrorRate:
    """In how many of the simulations a test reported a difference, although there is none."""

    errors: int
    simulations: int

    @property
    def rate(self) -> float:
        """Share of errors, 0 to 1."""
        return self.errors / self.simulations

    @property
    def interval(self) -> tuple[float, float]:
        """Exact 95 % confidence interval of the rate (Clopper and Pearson)."""
        low, high = stats.binomtest(self.errors, self.simulations).proportion_ci()
        return float(low), float(high)


SETTINGS = tuple(
    Setting(features, separation, folds, repeats)
    for features, separation in ((5, 1.0), (20, 1.0), (5, 0.0))
    for folds, repeats in ((5, 1), (10, 1), (5, 5), (10, 10))
)


def simulate(setting: Setting, *, simulations: int = 1000, seed: int = 0) -> tuple[ErrorRate, ErrorRate]:
    """Compare two equal learners on simulated data sets.

    Returns
    -------
    tuple of ErrorRate
        Of the plain paired t-test (`scipy.stats.ttest_rel`) and of the corrected resampled t-test, at the 5 % level.
    """
    pairs = [_simulated_scores(setting, seed, number) for number in range(simulations)]
    first, second = (np.array(scores) for scores in zip(*pairs, strict=True))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # equal differences in every fold: p is 0, or NaN if they are 0
        plain = stats.ttest_rel(first, second, axis=1).pvalue
    n_test = ROWS / setting.folds
    corrected = np.array(
        [corrected_t_test(a, b, n_train=ROWS - n_test, n_test=n_test).p for a, b in zip(first, second, strict=True)]
    )
    return (
        ErrorRate(int((plain < LEVEL).sum()), simulations),
        ErrorRate(int((corrected < LEVEL).sum()), simulations),
    )


def page(rates: Sequence[tuple[Setting, tuple[ErrorRate, ErrorRate]]]) -> str:
    """The measured error rates as a page of Markdown."""
    rows = [
        f"| {setting.features} | {stats.norm.cdf(setting.separation / 2):.0%} | {_scheme(setting)} "
        f"| {_percent(plain)} | {_percent(corrected)} |"
        for setting, (plain, corrected) in rates
    ]
    return _PAGE.format(
        rows="\n".join(rows),
        n_rows=ROWS,
        simulations=rates[0][1][0].simulations,
        plain=_span([plain for _, (plain, _) in rates]),
        corrected=_span([corrected for _, (_, corrected) in rates]),
    )


def main() -> None:
    """Simulate every setting, write the page and show it."""
    console = Console()
    rates = [(setting, simulate(setting)) for setting in track(SETTINGS, "Simulating", console=console)]
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(rates), encoding="utf-8")
    console.print(page(rates), markup=False, highlight=False, soft_wrap=True)
    console.print(f"Written to {PAGE}", highlight=False, soft_wrap=True)


def _simulated_scores(setting: Setting, seed: int, number: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Accuracies of both learners on the folds of the data set of that number."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(*b"simulated data", number)))
    target = np.arange(ROWS) % 2
    features = rng.standard_normal((2, ROWS, setting.features))
    features += setting.separation / np.sqrt(setting.features) * (target[:, np.newaxis] - 0.5)
    folds = make_folds(target, folds=setting.folds, repeats=setting.repeats, seed=seed + number)
    return nearest_centroid(features[0], target, folds), nearest_centroid(features[1], target, folds)


def nearest_centroid(
    features: NDArray[np.float64], target: NDArray[np.int64], folds: Sequence[Fold]
) -> NDArray[np.float64]:
    """Accuracy on each fold of the nearest-centroid classifier (two classes), all folds at once.

    Parameters
    ----------
    features
        Shape (rows, features).
    target
        0 or 1, shape (rows,).

    Returns
    -------
    array of shape (folds,)
    """
    train = np.zeros((len(folds), len(target)))
    test = np.zeros_like(train)
    for row, fold in enumerate(folds):
        train[row, fold.train] = 1
        test[row, fold.test] = 1
    centers = [
        (train * of_class) @ features / (train * of_class).sum(axis=1, keepdims=True)
        for of_class in (target == 0, target == 1)
    ]
    # |x - c0|² > |x - c1|²  <=>  x·(c1 - c0) > (|c1|² - |c0|²) / 2
    middle = ((centers[1] ** 2).sum(axis=1) - (centers[0] ** 2).sum(axis=1)) / 2
    predicted = (centers[1] - centers[0]) @ features.T > middle[:, np.newaxis]
    accuracy: NDArray[np.float64] = ((predicted == target) * test).sum(axis=1) / test.sum(axis=1)
    return accuracy


def _scheme(setting: Setting) -> str:
    return f"{setting.repeats} × {setting.folds}-fold"


def _percent(rate: ErrorRate) -> str:
    low, high = rate.interval
    return f"{rate.rate:.1%} ({low:.1%} to {high:.1%})"


def _span(rates: Sequence[ErrorRate]) -> str:
    return f"{min(rate.rate for rate in rates):.1%} to {max(rate.rate for rate in rates):.1%}"


_PAGE = """\
# How often the tests err

Written by `python -m src.evaluation.simulation`; nothing here is typed by hand.

Two learners with the same expected accuracy are compared on simulated data, {simulations:,} times for each row of the
table: nearest-centroid classifiers, each with independent features of its own, on {n_rows} rows in two classes.
Whatever difference a test reports is an error, and at the 5 % level it should report one in 5 % of the simulations. In
brackets: exact 95 % confidence interval.

| Features of each learner | Best possible accuracy | Cross-validation | Paired t-test | Corrected resampled t-test |
|---:|---:|---|---:|---:|
{rows}

Over these rows the paired t-test errs in {plain} of the simulations, the corrected test in {corrected}.

The paired t-test takes the folds for independent although their training sets overlap; the more often cross-validation
is repeated, the surer it is of differences that do not exist. The corrected resampled t-test (Nadeau and Bengio 2003),
which this project uses, adds the overlap to the variance as n_test / n_train. That is an approximation: how good it is
depends on the learners, the data and the cross-validation, as its column shows. At 50 % best possible accuracy there is
nothing to learn.
"""

if __name__ == "__main__":
    main()
