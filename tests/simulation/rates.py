"""How often what is reported of simulated data is false, how often its intervals hold the truth, and its power."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import joblib
import numpy as np
from rich.progress import track
from scipy import stats

from src.comparison.jobs import FloatArray
from tests.simulation.learners import expected_accuracy, separation_of
from tests.simulation.procedures import Scenario, Scheme, Study, Trial, finds_across, simulate

SIMULATIONS = 2000
BATCH = 50  # data sets that share their splits, and are simulated by one process at a time

LEARNABLE, NOISE = 1.0, 0.0  # separations
SCHEMES = (Scheme(5), Scheme(10), Scheme(5, repeats=5), Scheme(10, repeats=10))
SMALL = Scheme(5, rows=80)
SEEDS = Scheme(5, seeds=3)
FIXED = Study("fixed")
NAMED = Study("named", 3)
CHOICES = (Study("other folds", 9), Study("other folds", 25), Study("nested", 9), Study("nested", 25))
BEST = (Study("best", 5), Study("best", 9))
SETS = (6, 10)
MULTIPLES = (0.5, 0.75, 1.0)  # of the smallest difference that is told as one that could have been seen


@dataclass(frozen=True)
class Rate:
    """In how many of the simulations something happened."""

    count: int
    simulations: int

    @property
    def share(self) -> float:
        """Between 0 and 1."""
        return self.count / self.simulations

    @property
    def interval(self) -> tuple[float, float]:
        """Exact 95 % confidence interval of the share (Clopper and Pearson 1934)."""
        low, high = stats.binomtest(self.count, self.simulations).proportion_ci()
        return float(low), float(high)


@dataclass(frozen=True, eq=False)
class Measured:
    """What a study reported in all simulations of a scenario; `trials` has the shape (simulations, fields)."""

    scenario: Scenario
    study: Study
    trials: FloatArray

    def rate(self, field: str) -> Rate:
        """In how many of the simulations a field of `Trial` is 1."""
        return Rate(int(self._column(field).sum()), len(self.trials))

    def mean(self, field: str) -> float:
        """The mean of a field of `Trial`."""
        return float(self._column(field).mean())

    def standard_error(self, field: str) -> float:
        """That of `mean`; 0 for a single simulation."""
        values = self._column(field)
        return float(values.std() / np.sqrt(max(len(values) - 1, 1)))

    @property
    def is_learnable(self) -> bool:
        """Whether there is anything to learn."""
        return max(self.scenario.separations) > 0

    def _column(self, field: str) -> FloatArray:
        column: FloatArray = self.trials[:, Trial._fields.index(field)]
        return column


class MeasuredAcross(NamedTuple):
    """How often two equal learners differ over several data sets."""

    sets: int
    is_learnable: bool
    rate: Rate


@dataclass(frozen=True, eq=False)
class Proof:
    """All that is measured: learners without a difference, over several data sets, with one, with several."""

    equal: tuple[Measured, ...]
    across: tuple[MeasuredAcross, ...]
    different: tuple[Measured, ...]
    mixed: tuple[Measured, ...]


def prove(simulations: int = SIMULATIONS, schemes: Sequence[Scheme] = SCHEMES, n_jobs: int = -1) -> Proof:
    """Measure every procedure; the same arguments give the same numbers, on however many processes."""
    equal = measure("Without a difference", list(equal_learners(schemes)), simulations, n_jobs)
    likely = {
        one.scenario.scheme: one.mean("detectable")
        for one in equal
        if one.study == FIXED and one.is_learnable and one.scenario.scheme in schemes
    }
    different = [each for scheme, size in likely.items() for each in one_difference(scheme, size)]
    mixed = [each for scheme, size in likely.items() for each in mixed_differences(scheme, size)]
    return Proof(
        equal=tuple(equal),
        across=tuple(measure_across(simulations, n_jobs)),
        different=tuple(measure("With a difference", different, simulations, n_jobs)),
        mixed=tuple(measure("With several differences", mixed, simulations, n_jobs)),
    )


def equal_learners(schemes: Sequence[Scheme]) -> Iterator[Scenario]:
    """Learners of the same skill, on learnable data and on pure noise."""
    everything = (FIXED, NAMED, *CHOICES, *BEST)
    by_other_folds = tuple(one for one in CHOICES if one.procedure == "other folds")
    of_scheme = {**dict.fromkeys((*schemes, SMALL), everything), SEEDS: (FIXED, *by_other_folds)}
    for separation in (LEARNABLE, NOISE):
        for scheme, studies in of_scheme.items():
            learners = max(study.learners for study in studies)
            yield Scenario(f"equal, {separation}, {scheme}", scheme, (separation,) * learners, studies)


def one_difference(scheme: Scheme, detectable: float) -> Iterator[Scenario]:
    """Learner 0, and nine that are all better than it by the same, half of it below and half above the usual skill."""
    studies = (FIXED, *(one for one in CHOICES if one.size == 9))
    for multiple in MULTIPLES:
        gaps = [-multiple * detectable / 2] + [multiple * detectable / 2] * 9
        yield Scenario(f"{multiple} of the detectable, {scheme}", scheme, _separations(scheme, gaps), studies)


def mixed_differences(scheme: Scheme, detectable: float) -> Iterator[Scenario]:
    """A network that is better than its baselines by much and by little, and worse; candidates spread evenly."""
    gaps = detectable * np.array([0.5, -0.5, 0.25, 0.6])
    yield Scenario(f"mixed, {scheme}", scheme, _separations(scheme, gaps), (NAMED,))
    for study in BEST:
        gaps = detectable * np.linspace(-0.5, 0.5, study.size)
        yield Scenario(f"spread, {study.size}, {scheme}", scheme, _separations(scheme, gaps), (study,))


def measure(what: str, scenarios: Sequence[Scenario], simulations: int, n_jobs: int = -1) -> list[Measured]:
    """Simulate scenarios; `what` stands beside the progress bar."""
    tasks = [(scenario, numbers) for scenario in scenarios for numbers in _batches(simulations)]
    parts: dict[Scenario, list[FloatArray]] = {}
    results = _in_parallel(what, [joblib.delayed(simulate)(*task) for task in tasks], n_jobs)
    for (scenario, _), trials in zip(tasks, results, strict=True):
        parts.setdefault(scenario, []).append(trials)
    return [
        Measured(scenario, study, trials)
        for scenario, found in parts.items()
        for study, trials in zip(scenario.studies, np.concatenate(found, axis=1), strict=True)
    ]


def measure_across(simulations: int, n_jobs: int = -1) -> list[MeasuredAcross]:
    """Compare two equal learners over several data sets, of which learnable ones differ in how hard they are."""
    kinds = [(sets, separations) for sets in SETS for separations in ((NOISE, 2 * LEARNABLE), (NOISE, NOISE))]
    tasks = [(*kind, numbers) for kind in kinds for numbers in _batches(simulations)]
    found = dict.fromkeys(kinds, 0)
    results = _in_parallel("Several data sets", [joblib.delayed(finds_across)(*task) for task in tasks], n_jobs)
    for (sets, separations, _), batch in zip(tasks, results, strict=True):
        found[sets, separations] += sum(batch)
    return [
        MeasuredAcross(sets, separations[1] > 0, Rate(count, simulations))
        for (sets, separations), count in found.items()
    ]


def table(equal: Sequence[Measured]) -> list[dict[str, Any]]:
    """The rates of false differences, a row each, by the columns of error_rates.csv."""
    rows = []
    for one in equal:
        scheme, study, rate = one.scenario.scheme, one.study, one.rate("false")
        low, high = rate.interval
        rows.append(
            {
                "procedure": "fixed" if study == NAMED else study.procedure,
                "size": study.size,
                "rows": scheme.rows,
                "folds": scheme.folds,
                "repeats": scheme.repeats,
                "seeds": scheme.seeds,
                "learnable": str(one.is_learnable).lower(),
                "tests": study.tests,
                "rate": rate.share,
                "low": low,
                "high": high,
                "simulations": rate.simulations,
            }
        )
    return rows


def _batches(simulations: int) -> list[range]:
    return [range(start, min(start + BATCH, simulations)) for start in range(0, simulations, BATCH)]


def _separations(scheme: Scheme, gaps: Iterable[float]) -> tuple[float, ...]:
    """The separations of learners whose accuracies differ from the usual one by these gaps."""
    per_class = scheme.n_train // 2
    usual = expected_accuracy(LEARNABLE, per_class)
    return tuple(separation_of(usual + float(gap), per_class) for gap in gaps)


def _in_parallel(what: str, tasks: Sequence[Any], n_jobs: int) -> Iterator[Any]:
    """The tasks' results, in their order."""
    with joblib.parallel_config(backend="loky", n_jobs=n_jobs, inner_max_num_threads=1):
        results = joblib.Parallel(return_as="generator")(tasks)
    yield from track(results, what, total=len(tasks))
