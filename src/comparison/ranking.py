"""The one ranking: what is best, wherever that is asked.

Higher is better or lower is, as the metric has it. What is equal after rounding to 1e-9 is ranked by lower log loss,
then by fewer parameters, larger lambda, and the canonical configuration's text: never by the order in which values were
typed or jobs ended. What has no score comes last. Scores on different data sets are never ranked against each other.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from src.comparison.jobs import LOG_LOSS, Setting
from src.evaluation.metrics import higher_is_better

DIGITS = 9


def order(
    scores: ArrayLike, log_losses: ArrayLike, simplicity: Sequence[tuple[float, float, str]], metric: str
) -> NDArray[np.intp]:
    """Positions, best first.

    Parameters
    ----------
    scores, log_losses : shape (n,), or (n, columns) to rank each column by itself; NaN for none.
    simplicity : `Setting.simplicity` of each of the n.
    metric : what was scored, e.g. ``test/accuracy``.

    Returns
    -------
    array of shape (n,) or (n, columns)
    """
    sign = -1 if higher_is_better(metric) else 1
    places = {key: place for place, key in enumerate(sorted(simplicity))}
    keys = [np.round(np.asarray(values, dtype=float), DIGITS) for values in (log_losses, scores)]
    loss, quality = (np.where(np.isnan(key), np.inf, key) for key in (keys[0], sign * keys[1]))
    last = np.array([places[key] for key in simplicity]).reshape(-1, *(1,) * (quality.ndim - 1))
    return np.lexsort((np.broadcast_to(last, quality.shape), loss, quality), axis=0)


def ranked(settings: Sequence[Setting], metric: str) -> list[Setting]:
    """Settings of one data set, best first."""
    if not settings:
        return []
    scores, losses = ([setting.score(name) for setting in settings] for name in (metric, LOG_LOSS))
    return [settings[place] for place in order(scores, losses, [each.simplicity for each in settings], metric)]


def better(one: Setting, other: Setting, metric: str) -> bool:
    """Whether the first of two settings of one data set ranks above the second."""
    return ranked([other, one], metric)[0] is one
