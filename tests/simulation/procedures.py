"""The procedures that are measured: learners of known skill, compared by the code that compares recorded jobs.

The cross-validation is real, its training parts overlap as they do in a sweep, and what is reported of a simulated data
set is what `candidates.find` and `families.compare` say of the scores.
"""

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np

from src.comparison.across import ALPHA, wilcoxon
from src.comparison.candidates import NETWORK, Candidate, difference, find
from src.comparison.families import Family, compare
from src.comparison.jobs import LOG_LOSS, FloatArray, RecordedJob, mean
from src.config import JobConfig, check
from src.config.schema import ComparisonConfig
from src.evaluation.folds import make_folds
from src.evaluation.significance import holm, paired_difference
from tests.simulation.learners import Parts, Scores, draw, expected_accuracy, nearest_centroid, sequence

Procedure = Literal["fixed", "other folds", "nested", "named", "best"]

LEVEL = 0.05
METRIC: Final = "test/accuracy"
INNER_FOLDS = 3
OPTIONS = ComparisonConfig(metric=METRIC, confidence=1 - LEVEL)
_BASELINES = ("logistic", "softmax", "sklearn_logistic")
_CHOICES = ("sigmoid", "tanh", "relu", "leaky_relu", "elu", "softplus", "silu", "gelu", "identity")
_DATA = "simulated"


@dataclass(frozen=True)
class Scheme:
    """How data sets are split: folds, their repeats, the seeds of a setting; `rows` is a multiple of 2 * folds."""

    folds: int
    repeats: int = 1
    seeds: int = 1
    rows: int = 200

    @property
    def n_test(self) -> int:
        """Rows of a test part."""
        return self.rows // self.folds

    @property
    def n_train(self) -> int:
        """Rows of a training part."""
        return self.rows - self.n_test

    @property
    def text(self) -> str:
        """As tables have it: `5 × 1`, `5 × 1, 3 seeds`."""
        return f"{self.folds} × {self.repeats}" + (f", {self.seeds} seeds" if self.seeds > 1 else "")


@dataclass(frozen=True)
class Study:
    """What is compared on a simulated data set.

    Attributes
    ----------
    procedure
        - fixed: one setting each, learner 1 against learner 0.
        - other folds: the best of `size` settings, chosen by the other folds, learners 1 to `size`, against learner 0.
        - nested: the same, chosen by inner folds.
        - named: learner 0 against `size` named baselines, learners 1 to `size`.
        - best: learners 0 to `size` - 1 against the best of them.
    size
        The number of settings, of baselines, or of candidates.
    """

    procedure: Procedure
    size: int = 1

    @property
    def tests(self) -> int:
        """The number of comparisons that are corrected for."""
        return {"named": self.size, "best": self.size * (self.size - 1) // 2}.get(self.procedure, 1)

    @property
    def learners(self) -> int:
        """How many it needs."""
        return self.size if self.procedure == "best" else self.size + 1


@dataclass(frozen=True)
class Scenario:
    """Simulated data sets of one kind.

    Attributes
    ----------
    name
        Decides, with a data set's number, what is drawn.
    separations
        Distance of the two classes' centers in the features of each learner, shape (learners,).
    """

    name: str
    scheme: Scheme
    separations: tuple[float, ...]
    studies: tuple[Study, ...]

    @property
    def accuracies(self) -> list[float]:
        """The true accuracy of each learner: the expected one, trained on as many rows as a training part has."""
        return [expected_accuracy(separation, self.scheme.n_train // 2) for separation in self.separations]


class Trial(NamedTuple):
    """What a study reported of one simulated data set, beside the truth; the first five are 0 or 1.

    Attributes
    ----------
    found
        Whether it told any difference.
    false
        Whether it told a difference where there is none, or in the wrong direction.
    covered
        Whether all intervals that it told hold the true differences.
    score_covered
        Whether the interval of the candidate's own score holds its true accuracy.
    contrast_found
        `found` for what is not done: for one setting each the t-test that takes folds for independent; for a choice
        the one on the folds that score it; for named baselines no correction for their number; for the best as
        yardstick Holm's correction for its own comparisons only.
    bias, contrast_bias
        The candidate's score (where the best is the yardstick: the best's) minus its true accuracy; the latter for a
        choice on the folds that score it.
    detectable
        The smallest difference that is told as one that could have been seen, mean over the comparisons.
    """

    found: float
    false: float
    covered: float
    score_covered: float
    contrast_found: float
    bias: float
    contrast_bias: float
    detectable: float


def simulate(scenario: Scenario, numbers: Sequence[int]) -> FloatArray:
    """Draw the data sets of some numbers, which share their splits, and let every study compare the learners.

    Returns
    -------
    array of shape (studies, len(numbers), fields of a Trial)
    """
    scheme, truth = scenario.scheme, scenario.accuracies
    target = np.arange(scheme.rows) % 2
    seeds = [numbers[0] * scheme.seeds + seed for seed in range(scheme.seeds)]
    folds = [make_folds(target, folds=scheme.folds, repeats=scheme.repeats, seed=seed) for seed in seeds]
    outer = Parts.of(target, [fold for of_seed in folds for fold in of_seed])
    inner = None
    if any(study.procedure == "nested" for study in scenario.studies):
        inner = Parts.of(
            target,
            [
                part
                for seed, of_seed in zip(seeds, folds, strict=True)
                for fold in of_seed
                for part in make_folds(target, inside=fold, folds=INNER_FOLDS, seed=seed)
            ],
        )
    trials = []
    for number in numbers:
        features = draw(scenario.name, number, scenario.separations, scheme.rows)
        scores = nearest_centroid(features, target, outer)
        within = None if inner is None else _mean_of_inner(nearest_centroid(features, target, inner))
        trials.append([trial_of(study, scheme, scores, within, truth) for study in scenario.studies])
    return np.array(trials).swapaxes(0, 1)


def trial_of(study: Study, scheme: Scheme, scores: Scores, within: Scores | None, truth: Sequence[float]) -> Trial:
    """Compare learners by their scores as recorded jobs are compared.

    Parameters
    ----------
    scores, within
        Of all learners, on the test parts and, for nested cross-validation, on the inner folds.
    truth
        Each learner's true accuracy.
    """
    jobs = recorded(study, scheme, scores, within if study.procedure == "nested" else None)
    family = compare(_DATA, find(_DATA, jobs, METRIC, OPTIONS.confidence)[0], OPTIONS)
    true = {one.name: truth[int(one.best.first.run_id)] for one in family.candidates}
    differences = [true[one.model] - true[one.baseline] for one in family.comparisons]
    told = list(zip(family.comparisons, differences, strict=True))
    judged = next(one for one in family.candidates if one.model == NETWORK)
    contrast_found, contrast_score = _contrast(study, family, judged)
    return Trial(
        found=any(one.is_difference for one, _ in told),
        false=any(one.is_difference and np.sign(one.difference) != np.sign(gap) for one, gap in told),
        covered=all(one.low <= gap <= one.high for one, gap in told),
        score_covered=judged.low <= true[judged.name] <= judged.high,
        contrast_found=contrast_found,
        bias=judged.mean - true[judged.name],
        contrast_bias=contrast_score - true[judged.name],
        detectable=mean([one.detectable for one in family.comparisons]),
    )


def recorded(study: Study, scheme: Scheme, scores: Scores, within: Scores | None) -> list[RecordedJob]:
    """The jobs of a study as they would be read back from the record; `run_id` is the learner's number."""
    count = scheme.folds * scheme.repeats
    constant = {
        "repeat": np.repeat(np.arange(float(scheme.repeats)), scheme.folds),
        "fold": np.tile(np.arange(float(scheme.folds)), scheme.repeats),
        "n_train": np.full(count, float(scheme.n_train)),
        "n_test": np.full(count, float(scheme.n_test)),
        "train/accuracy": np.full(count, np.nan),  # not simulated: only what is said of separable data asks for it
    }
    jobs = []
    for learner, config in _configurations(study, scheme):
        of_seed = slice(config.seed * count, (config.seed + 1) * count)
        columns = {METRIC: scores.accuracy, LOG_LOSS: scores.log_loss}
        if within is not None:
            columns |= {"inner/accuracy": within.accuracy, "inner/log_loss": within.log_loss}
        folds = {name: values[learner, of_seed] for name, values in columns.items()}
        jobs.append(
            RecordedJob(
                run_id=str(learner),
                name=f"learner {learner}",
                status="FINISHED",
                config=config,
                digest=f"{learner} {config.seed}",
                data=_DATA,
                data_digest=_DATA,
                folds_digest=str(config.seed),
                code_version="",
                metrics={name: mean(folds[name]) for name in (METRIC, LOG_LOSS)},
                folds={**constant, **folds},
            )
        )
    return jobs


def finds_across(sets: int, separations: tuple[float, float], numbers: Iterable[int]) -> list[bool]:
    """Whether Wilcoxon's test tells a difference between two equal learners over `sets` data sets, for each number.

    Each data set has a separation of its own, uniform between the two: some are harder than others.
    """
    scheme, found = Scheme(5), []
    target = np.arange(scheme.rows) % 2
    for number in numbers:
        name = f"{sets} data sets, {separations}"
        spread = np.random.default_rng(sequence(f"separations of {name}", number)).uniform(*separations, sets)
        features = draw(name, number, np.repeat(spread, 2), scheme.rows)
        parts = Parts.of(target, make_folds(target, folds=scheme.folds, seed=number))
        means = nearest_centroid(features, target, parts).accuracy.mean(axis=1)
        found.append(wilcoxon(means[::2], means[1::2]) <= ALPHA)
    return found


def _mean_of_inner(scores: Scores) -> Scores:
    return Scores(*(each.reshape(len(each), -1, INNER_FOLDS).mean(axis=2) for each in scores))


@functools.cache
def _configurations(study: Study, scheme: Scheme) -> tuple[tuple[int, JobConfig], ...]:
    """The learner and the configuration of each job."""
    sections: list[dict[str, object]]  # of each learner, in their order
    if study.procedure == "best":
        sections = [{"model": {"activation": word}} for word in _CHOICES[: study.size]]
    elif study.procedure == "named":
        sections = [{"model": {"name": name}} for name in (NETWORK, *_BASELINES[: study.size])]
    else:
        sections = [{"training": {"learning_rate": setting / 100}} for setting in range(1, study.size + 1)]
        sections = [{"model": {"name": _BASELINES[0]}}, *sections]
    inner = INNER_FOLDS if study.procedure == "nested" else None
    split = {"folds": scheme.folds, "repeats": scheme.repeats, "inner_folds": inner}
    return tuple(
        (learner, check({**section, "cv": split, "seed": seed}))
        for learner, section in enumerate(sections)
        for seed in range(scheme.seeds)
    )


def _contrast(study: Study, family: Family, judged: Candidate) -> tuple[bool, float]:
    """Whether what is not done would have told a difference, and the score that it would show."""
    if study.procedure == "best":
        return min(holm([one.p for one in family.comparisons])) <= LEVEL, judged.mean
    if study.procedure == "named":
        return min(one.p for one in family.comparisons) <= LEVEL, judged.mean
    [baseline] = [one for one in family.candidates if one is not judged]
    if study.procedure == "fixed":
        return paired_difference(judged.scores, baseline.scores, n_train=1, n_test=0).p <= LEVEL, judged.mean
    scores = judged.best.on_folds(METRIC)
    return difference(judged.best, scores, baseline.scores, METRIC).p <= LEVEL, mean(scores)
