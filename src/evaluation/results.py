"""What one fold and one job leave behind, and their summary over folds."""

import math
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean  # its sum is rounded once: the order of the values does not matter, to the last bit
from typing import Self

import numpy as np
from numpy.typing import NDArray

from src.evaluation.metrics import METRICS, class_scores, class_step, metric_of, score
from src.evaluation.warned import MOST_TEXTS, told_once

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Curve:
    """A learning curve: the loss on both parts after each of some epochs.

    Attributes
    ----------
    epochs : ascending, shape (p,).
    train_loss, test_loss : mean loss of a row after that epoch, each of shape (p,).
    """

    epochs: IntArray
    train_loss: FloatArray
    test_loss: FloatArray


@dataclass(frozen=True, eq=False)
class FoldResult:
    """What training and testing on one fold gave.

    Attributes
    ----------
    repeat, fold : which fold, as in `src.evaluation.folds.Fold`.
    test_scores, train_scores : `src.evaluation.metrics.score` of each part; all NaN if the network diverged.
    test_index, test_target : row indices of the test part and the codes of their true classes, each of shape (n,).
    probabilities : predicted for those rows, shape (n, C).
    n_train : rows of the training part.
    fit_seconds : wall-clock time of training; the fold's share where folds train together.
    epochs : epochs trained.
    parameters : how many numbers the model has learned; None for an estimator that does not tell.
    curve : None for a model that is not trained epoch by epoch.
    diverged_epoch : the epoch in which the loss or the weights stopped being finite, None if they never did.
    gradient_error : how far back-propagation is from central differences (`src.network.gradient_error`), None if not
        checked.
    warnings : what fitting and predicting warned of, each once; of the folds inside the training part too.
    inner_scores : mean test scores over the folds inside the training part (`cv.inner_folds`), None without them: what
        a setting is selected by.
    """

    repeat: int
    fold: int
    test_scores: dict[str, float]
    train_scores: dict[str, float]
    test_index: IntArray
    test_target: IntArray
    probabilities: FloatArray
    n_train: int
    fit_seconds: float
    epochs: int
    parameters: int | None = None
    curve: Curve | None = None
    diverged_epoch: int | None = None
    gradient_error: float | None = None
    warnings: tuple[str, ...] = ()
    inner_scores: dict[str, float] | None = None

    @property
    def n_test(self) -> int:
        """Rows of the test part."""
        return len(self.test_index)

    @property
    def class_step(self) -> float:
        """How much one row of the test part's rarest class moves a mean over classes."""
        return class_step(self.test_target)


@dataclass(frozen=True, eq=False)
class JobResult:
    """The folds of one job, in the order of `src.evaluation.folds.make_folds`."""

    folds: tuple[FoldResult, ...]

    def metrics(self) -> dict[str, float]:
        """Summarize the folds in one number for each name.

        ``test/...`` and ``train/...``: each metric's mean over folds; ``std/...``: the sample standard deviation over
        folds (ddof=1) of the test score; ``time/fit``: seconds of training, all folds; ``epochs``: mean over folds;
        ``diverged``: number of folds whose network diverged; ``parameters``: the most numbers learned in a fold, if
        known; ``check/gradient_error``: the largest, if checked. A mean over folds of which one diverged is NaN: the
        rest alone would flatter the setting.

        Where every test part is a single row (leave-one-out), a metric that is no mean over rows has no value in a
        fold. Its ``test/...`` is then that of a repeat's out-of-fold predictions put together, mean over repeats, and
        its ``std/...`` is NaN.
        """
        test = {name: [fold.test_scores[name] for fold in self.folds] for name in METRICS}
        train = {name: [fold.train_scores[name] for fold in self.folds] for name in METRICS}
        pooled: dict[str, float] = {}
        if all(fold.n_test == 1 for fold in self.folds):
            repeats = [[fold for fold in self.folds if fold.repeat == repeat] for repeat in self._repeats]
            scores = [score(*_pooled(folds)) for folds in repeats]
            of_parts = [name for name in METRICS if not metric_of(name).mean_of_rows]
            pooled = {name: fmean([each[name] for each in scores]) for name in of_parts}
        errors = [fold.gradient_error for fold in self.folds if fold.gradient_error is not None]
        parameters = [fold.parameters for fold in self.folds if fold.parameters is not None]
        return {
            **{f"test/{name}": pooled.get(name, fmean(values)) for name, values in test.items()},
            **{f"train/{name}": fmean(values) for name, values in train.items()},
            **{f"std/{name}": math.nan if name in pooled else _sample_std(values) for name, values in test.items()},
            "time/fit": float(sum(fold.fit_seconds for fold in self.folds)),
            "epochs": fmean([fold.epochs for fold in self.folds]),
            "diverged": float(sum(fold.diverged_epoch is not None for fold in self.folds)),
            **({"parameters": float(max(parameters))} if parameters else {}),
            **({"check/gradient_error": max(errors)} if errors else {}),
        }

    def columns(self) -> dict[str, NDArray[np.float64]]:
        """List the folds' numbers by name, each of shape (folds,); NaN where a fold has none.

        ``repeat``, ``fold``, ``n_train``, ``n_test``, ``parameters``, ``class_step``, ``epochs``, ``diverged_epoch``,
        ``fit_seconds``; ``test/METRIC`` and ``train/METRIC``; with nested cross-validation ``inner/METRIC``.
        """
        own = ("repeat", "fold", "n_train", "n_test", "parameters", "class_step", "epochs", "diverged_epoch")
        found = {name: [getattr(fold, name) for fold in self.folds] for name in (*own, "fit_seconds")}
        for part in ("test", "train", "inner"):
            scores = [getattr(fold, f"{part}_scores") for fold in self.folds]
            if scores[0] is not None:
                found |= {f"{part}/{name}": [each[name] for each in scores] for name in METRICS}
        return {name: np.array(values, dtype=np.float64) for name, values in found.items()}

    def warnings(self) -> dict[str, int]:
        """What fits warned of, and how many of them did; the first few texts."""
        counts = told_once(text for fold in self.folds for text in fold.warnings)
        return dict(list(counts.items())[:MOST_TEXTS])

    @property
    def _repeats(self) -> set[int]:
        return {fold.repeat for fold in self.folds}

    def class_scores(self) -> dict[str, FloatArray]:
        """Score each class by the out-of-fold predictions of all folds and repeats; its support is that of a repeat."""
        scores = class_scores(*_pooled(self.folds))
        return {**scores, "support": scores["support"] / len(self._repeats)}

    def mean_curve(self) -> Curve | None:
        """Average the folds' learning curves.

        The epochs are those of all folds together; a fold without a point at one of them is interpolated linearly.
        A fold that stopped early keeps its last value from there on, as the network it would predict with does. Where
        a fold has diverged there is no mean: NaN from the first epoch without a finite value. None if no fold has a
        curve.
        """
        with_curve = [(fold.curve, fold.diverged_epoch is not None) for fold in self.folds if fold.curve is not None]
        if not with_curve:
            return None
        epochs = np.unique(np.concatenate([curve.epochs for curve, _ in with_curve]))
        train = [_at_epochs(epochs, curve.epochs, curve.train_loss, diverged) for curve, diverged in with_curve]
        test = [_at_epochs(epochs, curve.epochs, curve.test_loss, diverged) for curve, diverged in with_curve]
        return Curve(epochs, np.mean(train, axis=0), np.mean(test, axis=0))


@dataclass(frozen=True)
class Failure:
    """Why a job gave no result, as text: it can cross to another process, and be recorded."""

    type: str
    message: str
    traceback: str

    @classmethod
    def of(cls, error: BaseException) -> Self:
        """Keep an exception as text."""
        return cls(type(error).__name__, str(error), "".join(traceback.format_exception(error)))


def _pooled(folds: Sequence[FoldResult]) -> tuple[IntArray, FloatArray]:
    """Put the test parts of folds together: true classes, shape (n,), and predicted probabilities, shape (n, C)."""
    return np.concatenate([fold.test_target for fold in folds]), np.concatenate([fold.probabilities for fold in folds])


def _sample_std(values: Sequence[float]) -> float:
    if len(values) < 2:
        return math.nan
    mean = fmean(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def _at_epochs(wanted: IntArray, epochs: IntArray, loss: FloatArray, diverged: bool) -> FloatArray:
    """A fold's loss at the wanted epochs: interpolated, held after its end, NaN once a diverged fold has no value."""
    finite = np.isfinite(loss)
    if not finite.any():
        return np.full(wanted.shape, np.nan)
    last = epochs[finite][-1]
    held = np.interp(wanted, epochs[finite], loss[finite])
    return np.where(wanted > last, np.nan, held) if diverged else held


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """Predictions for rows that were in no training part of the network that made them.

    Attributes
    ----------
    fold : fold of each prediction, counted over all repeats, shape (n,). With repeats a row is predicted once in each.
    target : class codes, shape (n,).
    probabilities : shape (n, C); not finite where the fold's network diverged.
    class_names : in the order of the codes.
    """

    fold: IntArray
    target: IntArray
    probabilities: FloatArray
    class_names: tuple[str, ...] = ()


def ended_curve(curve: Curve, diverged_epoch: int | None) -> Curve:
    """The curve of a fold; of one that diverged, with NaN as its last point."""
    if diverged_epoch is None or (curve.epochs.size and not np.isfinite(curve.test_loss[-1])):
        return curve
    end = max([diverged_epoch, *(curve.epochs[-1:] + 1)])
    return Curve(np.append(curve.epochs, end), np.append(curve.train_loss, np.nan), np.append(curve.test_loss, np.nan))
