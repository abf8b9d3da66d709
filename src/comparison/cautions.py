"""What a person should know before they take the numbers at their face value: a sentence each."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from src.comparison.candidates import Candidate
from src.comparison.families import Family
from src.comparison.jobs import mean
from src.comparison.naming import distinct, grouped, numbers, short_keys, value_text
from src.config import JobConfig
from src.data import Dataset
from src.evaluation.metrics import higher_is_better, metric_of
from src.words import counted, listed

UNEQUAL = 3  # times as many settings tried for one candidate as for another
FAR_OUT = 3.0  # interquartile ranges beyond the median (Tukey 1977 calls what is so far out "far out")
FEWEST_ROWS = 5  # of a test part whose score can be far from others by more than chance
FAR_ERRORS = 4.0  # and, of a share, binomial standard errors of a fold's score
FEWEST_NUMBERED = 10  # rows below which whole numbers in order may well be measured
CONVERGED = "sklearn_logistic"  # the model that is solved, not trained for so many epochs
NAMED = 4  # folds, candidates and columns that a sentence names
# Lower ends that are no choice: there is nothing beyond them.
NATURAL_ENDS = {"training.l2": 0.0, "training.warmup": 0, "training.batch_size": 1, "training.min_learning_rate": 0.0}
_IDENTIFIER = re.compile(r"(^|[\s_.-])(id|patient|subject|participant|person|user|customer|group)s?$", re.IGNORECASE)


@dataclass(frozen=True)
class RowFacts:
    """What of a data set's rows bears on a comparison.

    Attributes
    ----------
    rows
        Their number.
    duplicates
        Rows that stand in it more than once, all their values and the label alike.
    identifiers
        Features that are called like an identifier and whose values several rows share.
    numberings
        Features that tell rows apart instead of describing them: another value in each row, and called like an
        identifier, or whole numbers without a gap or in the rows' order.
    rarest
        The number of rows of the rarest class, and its name.
    """

    rows: int
    duplicates: int
    identifiers: tuple[str, ...]
    rarest: tuple[int, str]
    numberings: tuple[str, ...] = ()


def row_facts(data: Dataset) -> RowFacts:
    """What of a data set's rows bears on a comparison."""
    labeled = data.features.assign(**{"": data.target})
    counts = np.bincount(data.target)
    rarest = int(counts.argmin())
    named = [name for name in data.feature_names if _IDENTIFIER.search(name)]
    return RowFacts(
        rows=len(data.target),
        duplicates=int(labeled.duplicated(keep=False).sum()),
        identifiers=tuple(name for name in named if not data.features[name].is_unique),
        rarest=(int(counts[rarest]), data.class_names[rarest]),
        numberings=tuple(name for name in data.feature_names if _numbers_rows(name, data.features[name])),
    )


def _numbers_rows(name: str, column: pd.Series) -> bool:
    if len(column) < FEWEST_NUMBERED or not column.is_unique:
        return False
    if _IDENTIFIER.search(name):
        return True
    if not is_numeric_dtype(column) or not (column % 1 == 0).all():
        return False
    return bool(column.max() - column.min() == len(column) - 1 or column.is_monotonic_increasing)


def of_data(name: str, facts: RowFacts, config: JobConfig) -> Iterator[str]:
    """What is to be known of the rows: duplicates, shared identifiers, a class with fewer rows than folds."""
    grouped = config.data.groups is not None
    if facts.duplicates and not grouped:
        mend = "; remove the copies, or keep them together by data.groups" if config.data.name == "csv" else ""
        yield (
            f"{name}: {facts.duplicates} rows stand in the table more than once, so that the same row may train a "
            f"model and test it{mend}."
        )
    if facts.identifiers and not grouped:
        yield (
            f"{name}: rows share values of {listed(facts.identifiers, most=NAMED)}, which is named like an identifier; "
            "such rows stand in training and in test parts, and a model may know them again. If they belong together, "
            f"set data.groups={facts.identifiers[0]}."
        )
    if facts.numberings:
        yield (
            f"{name}: another value in each row of {listed(facts.numberings, most=NAMED)}, as a number of the row or "
            "its name would have. Where rows are sorted by class, a model reads the class from it. Unless it was "
            f"measured, leave it out: data.drop=[{','.join(facts.numberings[:NAMED])}]."
        )
    count, label = facts.rarest
    if config.data.fold is None and count < config.cv.folds < facts.rows:
        yield (
            f"{name}: the class {label} has {count} rows, fewer than the {config.cv.folds} folds: some test parts "
            "hold none of it, and no metric over classes is defined there."
        )


def of_families(families: Sequence[Family], metric: str) -> Iterator[str]:
    """What is to be known of the candidates of each data set; effort is told once, of the most unequal."""
    for family in families:
        where = f"On {family.data}: " if len(families) > 1 else ""
        told = [
            *at_edges(family.candidates),
            *far_folds(family.candidates, metric),
            *without_solution(family.candidates),
        ]
        yield from (where + sentence for sentence in told)
    yield from unequal_effort([family.candidates for family in families if family.candidates])


def at_edges(candidates: Sequence[Candidate]) -> Iterator[str]:
    """Candidates whose best setting has the smallest or the largest value that was tried."""
    ends: list[tuple[tuple[str, str, str], str]] = []
    for candidate in candidates:
        if candidate.selection == "search":  # tries no grid
            continue
        flats = [setting.flat for setting in candidate.settings]
        own = numbers(flats)
        names = short_keys(own)
        for key in own:
            values, value = distinct(flats, key), candidate.best.flat.get(key)
            if value is None or value not in (values[0], values[-1]) or value == NATURAL_ENDS.get(key):
                continue
            end = "smallest" if value == values[0] else "largest"
            ends.append(((names[key], value_text(value), end), candidate.name))
    for (key, value, end), names_at in grouped(ends).items():
        who = listed(names_at, most=NAMED)
        yield f"The best {key} of {who} is {value}, the {end} tried: a better one may lie beyond."


def unequal_effort(groups: Sequence[Sequence[Candidate]]) -> Iterator[str]:
    """The data set with by far the most unequal effort: the more settings are tried, the better the best one looks."""
    by_effort = [sorted(candidates, key=lambda one: len(one.settings)) for candidates in groups]
    ends = [(candidates[0], candidates[-1]) for candidates in by_effort]
    ratios = [len(most.settings) / len(least.settings) for least, most in ends]
    if max(ratios, default=0) >= UNEQUAL:
        least, most = ends[int(np.argmax(ratios))]
        many, few = len(most.settings), len(least.settings)
        yield f"Tuned with unequal effort: {many} settings of {most.name}, {few} of {least.name}."


def far_folds(candidates: Sequence[Candidate], metric: str) -> Iterator[str]:
    """Candidates whose mean hides a few folds that went very badly: the median beside it, the folds named."""
    for candidate in candidates:
        if candidate.best.on_folds("n_test").min() < FEWEST_ROWS:
            continue
        scores = candidate.scores if higher_is_better(metric) else -candidate.scores
        low, middle, high = np.quantile(scores, (0.25, 0.5, 0.75))
        far = np.flatnonzero(scores < middle - max(FAR_OUT * (high - low), _by_chance(candidate, middle, metric)))
        if not far.size:
            continue
        folds = _fold_names(candidate)
        named = listed([f"{folds[place]} ({candidate.scores[place]:.3f})" for place in far], most=NAMED)
        yield (
            f"The mean of {candidate.name}, {candidate.mean:.3f}, hides {counted(len(far), 'fold')} far from the "
            f"others: {named}; its median is {np.median(candidate.scores):.3f}."
        )


def without_solution(candidates: Sequence[Candidate]) -> Iterator[str]:
    """Settings that are to be solved and cannot be: no penalty, and a linear model that makes no error in training.

    Larger weights then fit better without end (Albert and Anderson, Biometrika 71, 1984).
    """
    for candidate in candidates:
        for setting in candidate.settings:
            if candidate.model != CONVERGED or setting.flat["training.l2"] != 0:
                continue
            right = setting.on_folds("train/accuracy") == 1
            if right.any():
                yield (
                    f"{candidate.name} without a penalty (l2=0) has every row of {right.sum()} of "
                    f"{counted(len(right), 'training part')} right: there no weights are the best, as larger ones fit "
                    "better without end, and the solver takes long to stop. A penalty, such as training.l2=1e-4, "
                    "gives it a solution."
                )


def _by_chance(candidate: Candidate, middle: float, metric: str) -> float:
    """How far from the median a fold's score may well be by chance; of a loss, as far as twice the median."""
    if not metric_of(metric).is_share:
        return abs(middle)
    rows = mean(candidate.best.on_folds("n_test"))
    share = (middle * rows + 1) / (rows + 2)  # Laplace's: a fold without an error does not make errors impossible
    return FAR_ERRORS * math.sqrt(share * (1 - share) / rows)


def _fold_names(candidate: Candidate) -> list[str]:
    """What to call each fold: its number, with its repeat and seed where there are several."""
    setting = candidate.best
    several = setting.on_folds("repeat").max() > 0
    names = []
    for job in setting.jobs:
        for repeat, fold in zip(job.folds["repeat"], job.folds["fold"], strict=True):
            parts = [f"fold {int(fold) + 1}"]
            parts += [f"repeat {int(repeat) + 1}"] * bool(several)
            parts += [f"seed {job.config.seed}"] * (len(setting.jobs) > 1)
            names.append(" of ".join(parts))
    return names
