"""What a person should know before they take the numbers at their face value: a sentence each."""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import numpy as np

from src.comparison.candidates import Candidate
from src.comparison.families import Family
from src.comparison.jobs import mean
from src.comparison.naming import distinct, grouped, numbers, short_keys, value_text
from src.comparison.record import RecordedDataset
from src.config import JobConfig
from src.evaluation.metrics import higher_is_better, metric_of
from src.language import listed, say, say_number, sentences

UNEQUAL = 3  # times as many settings tried for one candidate as for another
FAR_OUT = 3.0  # interquartile ranges beyond the median (Tukey 1977 calls what is so far out "far out")
FEWEST_ROWS = 5  # of a test part whose score can be far from others by more than chance
FAR_ERRORS = 4.0  # and, of a share, binomial standard errors of a fold's score
CONVERGED = "sklearn_logistic"  # the model that is solved, not trained for so many epochs
NAMED = 4  # folds, candidates and columns that a sentence names
# Lower ends that are no choice: there is nothing beyond them.
NATURAL_ENDS = {"training.l2": 0.0, "training.warmup": 0, "training.batch_size": 1, "training.min_learning_rate": 0.0}


def of_data(name: str, data: RecordedDataset, config: JobConfig) -> Iterator[str]:
    """What is to be known of the rows: duplicates, shared identifiers, a class with fewer rows than folds."""
    has_groups = config.data.groups is not None
    if data.duplicates and not has_groups:
        told = say_number(
            "{data}: {number} row repeats an earlier one, so that the same row may train a model and test it.",
            "{data}: {number} rows repeat an earlier one, so that the same row may train a model and test it.",
            data.duplicates,
            data=name,
        )
        mend = say("Remove the copies, or keep them together by data.groups.")
        yield sentences([told, mend]) if config.data.name == "csv" else told
    if data.identifiers and not has_groups:
        yield say(
            "{data}: rows share values of {columns}, which is named like an identifier; such rows stand in training "
            "and in test parts, and a model may know them again. If they belong together, set data.groups={first}; "
            "else leave it out: {key}.",
            data=name,
            columns=listed(data.identifiers, most=NAMED),
            first=data.identifiers[0],
            key=f"data.drop=[{','.join(data.identifiers[:NAMED])}]",
        )
    if data.numberings:
        yield say(
            "{data}: another value in each row of {columns}, as a number of the row or its name would have. From a "
            "number a model reads the class where rows are sorted by class, from a text it learns nothing of other "
            "rows. Unless it was measured, leave it out: {key}.",
            data=name,
            columns=listed(data.numberings, most=NAMED),
            key=f"data.drop=[{','.join(data.numberings[:NAMED])}]",
        )
    count, label = data.rarest or (math.inf, "")
    if config.data.fold is None and count < config.cv.folds < data.rows:
        yield say(
            "{data}: the class {name} has {count} rows, fewer than the {folds} folds: some test parts hold none of it, "
            "and no metric over classes is defined there.",
            data=name,
            name=label,
            count=count,
            folds=config.cv.folds,
        )


def of_families(families: Sequence[Family], metric: str) -> Iterator[str]:
    """What is to be known of the candidates of each data set; effort is told once, of the most unequal."""
    for family in families:
        candidates = family.candidates
        for sentence in chain(at_edges(candidates), far_folds(candidates, metric), without_solution(candidates)):
            yield say("On {data}: {sentence}", data=family.data, sentence=sentence) if len(families) > 1 else sentence
    yield from unequal_effort(family.candidates for family in families if family.candidates)


def at_edges(candidates: Sequence[Candidate]) -> Iterator[str]:
    """Candidates whose best setting has the smallest or the largest value that was tried."""
    ends: list[tuple[tuple[str, str, bool], str]] = []
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
            ends.append(((names[key], value_text(value), value == values[0]), candidate.name))
    for (key, value, is_smallest), names_at in grouped(ends).items():
        fields = {"key": key, "models": listed(names_at, most=NAMED), "value": value}
        yield (
            say("The best {key} of {models} is {value}, the smallest tried: a better one may lie beyond.", **fields)
            if is_smallest
            else say("The best {key} of {models} is {value}, the largest tried: a better one may lie beyond.", **fields)
        )


def unequal_effort(groups: Iterable[Sequence[Candidate]]) -> Iterator[str]:
    """The data set with by far the most unequal effort: the more settings are tried, the better the best one looks."""
    by_effort = [sorted(candidates, key=lambda one: len(one.settings)) for candidates in groups]
    ends = [(group[0], group[-1]) for group in by_effort]
    ends.sort(key=lambda pair: len(pair[0].settings) / len(pair[1].settings))
    for least, most in ends[:1]:
        many, few = len(most.settings), len(least.settings)
        if many >= UNEQUAL * few:
            names = {"most": most.name, "least": least.name}
            yield say(
                "Tuned with unequal effort: {many} settings of {most}, {few} of {least}.", many=many, few=few, **names
            )


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
        yield say(
            "The mean of {model}, {mean}, hides {folds} far from the others: {named}; its median is {median}.",
            model=candidate.name,
            mean=f"{candidate.mean:.3f}",
            folds=say_number("{number} fold", "{number} folds", len(far)),
            named=named,
            median=f"{np.median(candidate.scores):.3f}",
        )


def without_solution(candidates: Sequence[Candidate]) -> Iterator[str]:
    """Settings that are to be solved and cannot be: no penalty, and a linear model that makes no error in training.

    Larger weights then fit better without end (Albert and Anderson, Biometrika 71, 1984).
    """
    solved = [one for one in candidates if one.model == CONVERGED]
    for candidate, setting in ((one, setting) for one in solved for setting in one.settings):
        right = setting.on_folds("train/accuracy") == 1
        if setting.flat["training.l2"] == 0 and right.any():
            yield say(
                "{model} without a penalty (l2=0) has every row of {separable} of {parts} right: there no weights are "
                "the best, as larger ones fit better without end, and the solver takes long to stop. A penalty, such "
                "as training.l2=1e-4, gives it a solution.",
                model=candidate.name,
                separable=right.sum(),
                parts=say_number("{number} training part", "{number} training parts", len(right)),
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
            place = say("fold {fold}", fold=int(fold) + 1)
            if several:
                place = say("{place} of repeat {repeat}", place=place, repeat=int(repeat) + 1)
            if len(setting.jobs) > 1:
                place = say("{place} of seed {seed}", place=place, seed=job.config.seed)
            names.append(place)
    return names
