"""The one ranking: what is best, wherever that is asked.

Higher is better or lower is, as the metric has it. What is equal after rounding to 1e-9 is ranked by lower log loss,
then by fewer parameters, larger lambda, and the canonical configuration's text: never by the order in which values were
typed or jobs ended. What has no score comes last. Scores on different data sets are never ranked against each other.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from src.comparison.jobs import LOG_LOSS, RecordedJob, Setting, settings_of
from src.evaluation.metrics import higher_is_better

DIGITS = 9


def order(
    scores: ArrayLike, log_losses: ArrayLike, simplicity: Sequence[tuple[float, float, str]], metric: str
) -> NDArray[np.intp]:
    """Positions, best first, shape (n,) or (n, columns).

    Parameters
    ----------
    scores, log_losses : shape (n,), or (n, columns) to rank each column by itself; NaN for none.
    simplicity : `Setting.simplicity` of each of the n.
    metric : what was scored, e.g. ``test/accuracy``.
    """
    sign = -1 if higher_is_better(metric) else 1
    places = {key: place for place, key in enumerate(sorted(simplicity))}
    keys = [np.round(np.asarray(values, dtype=float), DIGITS) for values in (log_losses, scores)]
    loss, quality = (np.where(np.isnan(key), np.inf, key) for key in (keys[0], sign * keys[1]))
    last = np.array([places[key] for key in simplicity]).reshape(-1, *(1,) * (quality.ndim - 1))
    return np.lexsort((np.broadcast_to(last, quality.shape), loss, quality), axis=0)


def ranked(settings: Sequence[Setting], metric: str) -> list[Setting]:
    """Settings of one data set, best first."""
    scores, losses = ([setting.score(name) for setting in settings] for name in (metric, LOG_LOSS))
    return [settings[place] for place in order(scores, losses, [each.simplicity for each in settings], metric)]


@dataclass(eq=False)
class BestSoFar:
    """The best of the settings that have ended with all their seeds.

    There is none over several data sets: scores on different data are not ranked against each other.
    """

    metric: str
    setting: Setting | None = None
    _expected: Counter[str] = field(default_factory=Counter)
    _ended: dict[str, list[RecordedJob]] = field(default_factory=dict)
    _data: set[str] = field(default_factory=set)

    @property
    def score(self) -> float | None:
        """That of the best setting, None if there is none yet."""
        return None if self.setting is None else self.setting.score(self.metric)

    def expect(self, setting: str, data_digest: str) -> None:
        """Learn of a job to come: its setting, and its data."""
        self._expected[setting] += 1
        self._data.add(data_digest)

    def add(self, job: RecordedJob) -> None:
        """Take in a job that has ended well."""
        ended = self._ended.setdefault(job.setting, [])
        ended.append(job)
        if len(ended) == self._expected[job.setting] and len(self._data) == 1:
            (setting,) = settings_of(ended)
            if setting.has_result(self.metric):
                self.setting = ranked([*filter(None, [self.setting]), setting], self.metric)[0]
