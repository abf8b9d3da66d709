"""What scores say of the difference of two models: on the same folds, and on rows that are tested once.

Training parts of cross-validation overlap, so the scores of different folds are correlated, and the plain paired t-test
takes chance for a difference far too often (experiments/statistics.md shows how often). What is said of folds uses the
variance corrected for that by Nadeau and Bengio, "Inference for the generalization error", Machine Learning 52 (2003).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr, nctdtrinc, ndtri, stdtr, stdtrit  # scipy.stats takes a second to import

from src.evaluation.errors import EvaluationError

FloatArray = NDArray[np.float64]

POWER = 0.8
"""The probability with which the smallest difference that folds could have shown would have been found."""


@dataclass(frozen=True)
class Posterior:
    """Probabilities that a difference is below, inside and above the region of practical equivalence."""

    below: float
    inside: float
    above: float


@dataclass(frozen=True)
class PairedDifference:
    """The mean of J paired differences of fold scores, and how sure it is.

    Attributes
    ----------
    mean : in the metric's unit.
    variance : of one fold's difference: the sample variance s² (ddof 1), or the floor where that is larger.
    folds : J, over all repeats and seeds.
    overlap : n_test / n_train, the part of the variance that more repeats do not lower.
    """

    mean: float
    variance: float
    folds: int
    overlap: float

    @property
    def df(self) -> int:
        """Degrees of freedom."""
        return self.folds - 1

    @property
    def standard_error(self) -> float:
        """Of the mean: sqrt((1/J + n_test/n_train) s²) (Nadeau and Bengio 2003)."""
        return math.sqrt((1 / self.folds + self.overlap) * self.variance)

    @property
    def is_identical(self) -> bool:
        """Whether no fold's scores differ, and there is no spread to judge by."""
        return self.variance == 0.0 and self.mean == 0.0

    @property
    def t(self) -> float:
        """Student's t; 0 where there is no spread."""
        return self.mean / self.standard_error if self.variance else 0.0

    @property
    def p(self) -> float:
        """Two-sided p-value of the corrected resampled t-test; 1 where there is no spread to judge by."""
        return 2 * float(stdtr(self.df, -abs(self.t))) if self.variance else 1.0

    def interval(self, level: float) -> tuple[float, float]:
        """The confidence interval that misses the true mean with probability `level`; without a spread unbounded."""
        if not self.variance:
            return -math.inf, math.inf
        half_width = -float(stdtrit(self.df, level / 2)) * self.standard_error
        return self.mean - half_width, self.mean + half_width

    def posterior(self, rope: float) -> Posterior:
        """Bayesian correlated t-test; NaN where all differences are equal and not zero: there is no spread to judge by.

        The posterior of the difference is Student's t with J - 1 degrees of freedom, the mean difference as location
        and the corrected standard error as scale: the correlation ρ = n_test / (n_test + n_train) gives ρ/(1-ρ) =
        n_test/n_train (Corani and Benavoli, "A Bayesian approach for comparing cross-validated algorithms on multiple
        data sets", Machine Learning 100, 2015).

        Parameters
        ----------
        rope : half width of the region of practical equivalence around zero, in the metric's unit; 0 for none. A
            negative one raises EvaluationError.
        """
        if not rope >= 0:
            raise EvaluationError(f"the region of practical equivalence cannot be {rope} wide; use 0 or more.")
        if not self.variance:  # nothing to judge by
            return Posterior(0.0, 1.0, 0.0) if self.is_identical else Posterior(math.nan, math.nan, math.nan)
        below = float(stdtr(self.df, -(rope + self.mean) / self.standard_error))
        above = float(stdtr(self.df, (self.mean - rope) / self.standard_error))
        return Posterior(below, max(0.0, 1.0 - below - above), above)

    def detectable(self, level: float) -> float:
        """The smallest true difference that a test at `level` on such folds finds with probability `POWER`.

        The noncentrality is that of the noncentral t distribution (Cohen, "Statistical power analysis for the
        behavioral sciences", 1988), the variance the one found.
        """
        return float(nctdtrinc(self.df, 1 - POWER, -stdtrit(self.df, level / 2))) * self.standard_error

    def detectable_at_best(self, level: float) -> float:
        """`detectable` with so many repeats that only the overlap of training parts is left of the standard error."""
        return float(-ndtri(level / 2) + ndtri(POWER)) * math.sqrt(self.overlap * self.variance)


def paired_difference(
    scores: ArrayLike, baseline: ArrayLike, *, n_train: float, n_test: float, step: float = 0.0
) -> PairedDifference:
    """The difference of two models' scores on the same folds, model minus baseline.

    Folds that agree to the last row are no certainty. So the variance has a floor: that of `step` in one of the J
    folds and zero in the others, step²/J, which is what one test row decided otherwise would have made of it.

    Parameters
    ----------
    scores, baseline : one for each fold of each repeat and seed, shape (J,), in the same order.
    n_train, n_test : rows of the training and of the test part, on average over the folds.
    step : what one test row decided otherwise changes in a fold's score; 0 for a metric without such a step.

    Raises EvaluationError if the scores are not pairs of at least two folds, or one is missing.
    """
    ours, theirs = np.asarray(scores, dtype=np.float64), np.asarray(baseline, dtype=np.float64)
    if ours.shape != theirs.shape or ours.ndim != 1:
        raise EvaluationError(f"the scores are of {ours.size} and {theirs.size} folds; they must be of the same folds.")
    if len(ours) < 2:
        raise EvaluationError(f"{len(ours)} fold cannot show a spread; at least 2 are needed.")
    missing = np.flatnonzero(~np.isfinite(ours) | ~np.isfinite(theirs))
    if missing.size:
        raise EvaluationError(
            f"fold {missing[0]} has no score: its network diverged, or the metric is not defined on its test part."
        )
    differences = ours - theirs
    # 0.7 - 0.6 and 0.9 - 0.8 differ in the last bit; a t-value made of such bits would mean nothing.
    rounding = 4 * np.finfo(np.float64).eps * max(np.abs(ours).max(), np.abs(theirs).max())
    mean = math.fsum(differences) / len(differences)
    spread = 0.0 if np.ptp(differences) <= rounding else float(differences.var(ddof=1))
    return PairedDifference(
        mean=mean if abs(mean) > rounding else 0.0,
        variance=max(spread, step**2 / len(differences)),
        folds=len(differences),
        overlap=n_test / n_train,
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for several comparisons by Holm's step-down method (Scandinavian J. of Statistics 6, 1979).

    The i-th smallest of m is multiplied by m - i + 1, and is no smaller than the one before it. (statsmodels, which a
    test holds this to, takes a second to import, and every sweep would wait for it at its end.)
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return [float(each) for each in adjusted]


def mcnemar(only_one: int, only_other: int) -> float:
    """Two-sided p-value of the exact test of McNemar (Psychometrika 12, 1947) for two models on the same rows.

    Of the rows that just one of the two has right, so many are `only_one`'s and so many `only_other`'s. If both are
    right equally often, each such row is either one's with probability 1/2: twice the smaller binomial tail.
    """
    rows = only_one + only_other
    return min(1.0, 2 * float(bdtr(min(only_one, only_other), rows, 0.5))) if rows else 1.0
