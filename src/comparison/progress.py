"""The best setting so far, while jobs still end."""

from collections import Counter
from dataclasses import dataclass, field

from src.comparison.jobs import RecordedJob, Setting, settings_of
from src.comparison.outcome import has_result
from src.comparison.ranking import better


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
            if has_result(setting, self.metric) and (
                self.setting is None or better(setting, self.setting, self.metric)
            ):
                self.setting = setting
