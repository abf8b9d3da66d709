"""How far the program's own answer is to be trusted: what simulation has measured of its procedures.

`error_rates.csv` is written by ``python -m tests.simulation``.
"""

import csv
import functools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from src.comparison.families import Family
from src.comparison.naming import grouped
from src.comparison.outcome import Outcome
from src.language import listed, say, say_number

Procedure = Literal["fixed", "other folds", "nested", "best"]

TABLE = Path(__file__).with_name("error_rates.csv")
LEVEL = 0.05
LOWEST, HIGHEST = 0.03, 0.07
"""A rate of false differences within these is as good as the 5 % that a test at this level promises."""
_FEW_FOLDS = 7  # so many are nearer to 5 folds than to 10
_MOST_FOLDS = 20  # more are like none that was measured: leave-one-out tests single rows


@dataclass(frozen=True)
class Rates:
    """How often comparisons at the 5 % level showed a difference where there was none.

    Attributes
    ----------
    folds, repeats, seeds : with how many it was measured.
    low, high : the lowest and the highest rate over learnable data and pure noise, and over all sizes that were
        simulated.
    """

    folds: int
    repeats: int
    seeds: int
    low: float
    high: float

    @property
    def scheme(self) -> str:
        """The folds in words: `10 folds`, `5 folds, 5 repeats`, `5 folds, 3 seeds`."""
        words = [say_number("{number} fold", "{number} folds", self.folds)]
        if self.repeats > 1:
            words.append(say_number("{number} repeat", "{number} repeats", self.repeats))
        if self.seeds > 1:
            words.append(say_number("{number} seed", "{number} seeds", self.seeds))
        return say(", ").join(words)


def measured(procedure: Procedure, folds: int, repeats: int) -> Rates | None:
    """What was measured of a procedure with the nearest folds: 5 or 10, repeated or not, repeats over all seeds."""
    nearest_folds = 5 if folds <= _FEW_FOLDS else 10
    near = {
        scheme[2:]: rates
        for scheme, rates in _table().items()
        if scheme[:2] == (procedure, nearest_folds) and (math.prod(scheme[2:]) > 1) == (repeats > 1)
    }
    if not near or folds > _MOST_FOLDS:
        return None
    nearest = min(near, key=lambda scheme: abs(math.log(math.prod(scheme) / repeats)))
    return Rates(nearest_folds, *nearest, low=min(near[nearest]), high=max(near[nearest]))


def sentence(outcome: Outcome) -> str | None:
    """How often the nearest simulated comparisons err, over all procedures used; None where as often as promised.

    None too for what was not measured: another confidence than 95 %, and a choice made by a search.
    """
    families = [family for family in outcome.families if family.comparisons]
    searched = any(one.selection == "search" for family in families for one in family.candidates)
    if searched or not math.isclose(1 - outcome.options.confidence, LEVEL):
        return None
    found = []
    for family in families:
        jobs = family.candidates[0].best.jobs
        repeats = sum(len(set(job.folds["repeat"])) for job in jobs)  # over all seeds
        folds = len(family.candidates[0].scores) // repeats
        found += [rates for one in _procedures(family) if (rates := measured(one, folds, repeats)) is not None]
    if not found:
        return None
    low, high = min(one.low for one in found), max(one.high for one in found)
    if low >= LOWEST and high <= HIGHEST:
        return None
    share = f"{low:.1%}"
    if share != f"{high:.1%}":
        share = say("{low} to {high}", low=share, high=f"{high:.1%}")
    return say(
        "The nearest comparisons that were simulated ({folds}; accuracy) show a difference where there is none in "
        "{share} of cases, not in {level} (experiments/statistics.md).",
        folds=listed(dict.fromkeys(one.scheme for one in found)),
        share=share,
        level=f"{LEVEL:.0%}",
    )


def _procedures(family: Family) -> list[Procedure]:
    """Those by which settings were chosen, and that of several comparisons, simulated where nothing was chosen."""
    chosen = {one.selection for one in family.candidates}
    used: list[Procedure] = [each for each in ("other folds", "nested") if each in chosen]
    if not used or family.tests > 1:
        used.append("best" if family.yardstick == "best" and family.tests > 1 else "fixed")
    return used


@functools.cache
def _table() -> dict[tuple[str, int, int, int], list[float]]:
    """The measured rates by procedure, folds, repeats and seeds."""
    rows = csv.DictReader(TABLE.read_text(encoding="utf-8").splitlines())
    return grouped(
        ((row["procedure"], int(row["folds"]), int(row["repeats"]), int(row["seeds"])), float(row["rate"]))
        for row in rows
    )
