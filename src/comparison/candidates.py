"""What is compared, and how honestly the setting that scores for it was chosen.

A candidate is a model, or a choice of words and lists, with all settings that were tried for it. The best of k settings
on the folds that score it flatters it, the more the more settings there are (experiments/statistics.md measures by how
much). So each fold is scored by a setting that was chosen without it: by the folds inside its training part
(`cv.inner_folds`, nested cross-validation: Varma and Simon, BMC Bioinformatics 7:91, 2006), else by the other folds of
the same repeat and seed, which needs nothing that is not recorded already (compare Tibshirani and Tibshirani, Annals of
Applied Statistics 3:822, 2009). Folds of another repeat hold the same rows and have no say.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from src.comparison import ranking
from src.comparison.errors import ComparisonError
from src.comparison.jobs import LOG_LOSS, FloatArray, RecordedJob, Setting, mean, settings_of
from src.comparison.naming import candidate_names, grouped, model_label, setting_text, tuned
from src.evaluation.metrics import IntArray, metric_of
from src.evaluation.significance import PairedDifference, paired_difference
from src.language import listed, say, say_number

Selection = Literal["only", "other folds", "nested", "search"]

NETWORK = "bp"
NAMED = 8  # of the candidates that one sentence is about
MOST_SETTINGS = 6  # of a sweep over numbers alone, that are compared with one another: 15 pairs to be corrected for


@dataclass(frozen=True, eq=False)
class Candidate:
    """A model, or a choice, with the settings that were tried for it.

    Attributes
    ----------
    name, data, model : what it is called on its data set, the data set, its model.
    settings : those with a result for every seed, best first by the one ranking.
    tuned : the keys in which they differ.
    chosen : the place among `settings` of the one that scores each fold, shape (J,).
    selection : how that was found: there is but one; by the other folds of the same repeat and seed; by the folds
        inside each training part (nested cross-validation); or, in a search, by the other folds, while the search
        itself has seen all of them, so that the score is flattered.
    scores : test scores, one for each fold of each seed, shape (J,).
    log_loss : their mean test log loss, which ranks equals.
    low, high : confidence interval of the mean score, of this candidate alone.
    """

    name: str
    data: str
    model: str
    settings: tuple[Setting, ...]
    tuned: tuple[str, ...]
    chosen: IntArray
    selection: Selection
    scores: FloatArray
    log_loss: float
    low: float
    high: float

    @property
    def mean(self) -> float:
        """Mean score over the folds."""
        return mean(self.scores)

    @property
    def best(self) -> Setting:
        """The best setting by all folds; its score flatters it where there are several."""
        return self.settings[0]

    @property
    def best_text(self) -> str:
        """What is set in it: `learning_rate=0.1, l2=0.001`; empty where there is nothing to set."""
        return setting_text(self.best.flat, self.tuned)


def find(
    data: str, jobs: Sequence[RecordedJob], metric: str, confidence: float, *, searched: bool = False
) -> tuple[tuple[Candidate, ...], tuple[str, ...]]:
    """Find the candidates of one data set, best first, and say in a sentence what is left out, each thing by itself.

    Parameters
    ----------
    jobs : all that were run on it, whatever became of them.
    confidence : of each candidate's own interval.
    searched : whether a search proposed them, from the scores of those before.
    """
    most_settings = 0 if searched else MOST_SETTINGS  # what a search tries on its way nobody asked to compare
    names = candidate_names([job.flat for job in jobs], most_settings)
    found, left_out = [], []
    reasons: list[tuple[str, str]] = []
    for name, group in grouped(zip(names, jobs, strict=True)).items():
        try:
            candidate, sentences = _candidate(name, data, group, metric, confidence, searched)
            found.append(candidate)
            left_out += [say("{name}: {sentence}", name=name, sentence=sentence) for sentence in sentences]
        except ComparisonError as problem:
            reasons.append((str(problem), name))
    for reason, alike in grouped(reasons).items():
        left_out.append(
            say_number(
                "{models} is left out: {reason}",
                "{models} are each left out: {reason}",
                len(alike),
                models=listed(alike, most=NAMED),
                reason=reason,
            )
        )
    scores, losses = [one.mean for one in found], [one.log_loss for one in found]
    places = ranking.order(scores, losses, [one.best.simplicity for one in found], metric)
    return tuple(found[place] for place in places), tuple(left_out)


def choose_by_other_folds(
    scores: FloatArray,
    log_losses: FloatArray,
    simplicity: Sequence[tuple[float, float, str]],
    blocks: IntArray,
    metric: str,
) -> IntArray:
    """Choose a setting for each fold, shape (J,), by the mean score of the other folds of its block.

    Parameters
    ----------
    scores, log_losses : of each setting on each fold, shape (settings, J); NaN where a network diverged. A setting that
        has none on the fold, whose training part alone shows that it diverges, or on one of the others is not chosen
        while there is another.
    simplicity : of each setting, see `src.comparison.ranking`.
    blocks : which repeat of which seed each fold belongs to, shape (J,).
    """
    same = blocks == blocks[:, None]
    others = (same & ~np.eye(len(blocks), dtype=bool)).astype(float)
    means = np.where(np.isnan(scores), np.nan, _mean_of(scores, others))
    best: IntArray = ranking.order(means, _mean_of(log_losses, others), simplicity, metric)[0]
    return best


def difference(setting: Setting, scores: FloatArray, baseline: FloatArray, metric: str) -> PairedDifference:
    """How two rows of scores on the folds of a setting differ, each of shape (J,).

    Raises EvaluationError if a score is missing, or there is but one fold.
    """
    n_train, n_test = (mean(setting.on_folds(column)) for column in ("n_train", "n_test"))
    kind, step = metric_of(metric), 0.0
    if kind.step == "class" and "class_step" in setting.first.folds:
        step = kind.step_scale * mean(setting.on_folds("class_step"))
    elif kind.step is not None:
        step = kind.step_scale / n_test
    return paired_difference(scores, baseline, n_train=n_train, n_test=n_test, step=step)


def _mean_of(values: FloatArray, weights: FloatArray) -> FloatArray:
    """The mean of some of each row's values, shape (rows, J); NaN where one of these is NaN."""
    missing = np.isnan(values)
    total: FloatArray = np.where(missing, 0.0, values) @ weights.T / weights.sum(axis=1)
    return np.where(missing.astype(float) @ weights.T > 0, np.nan, total)


def _candidate(
    name: str, data: str, jobs: Sequence[RecordedJob], metric: str, confidence: float, searched: bool
) -> tuple[Candidate, list[str]]:
    usable = [job for job in jobs if job.status == "FINISHED"]
    if not usable:
        raise ComparisonError(say("none of its jobs has a result."))
    if any(metric not in job.folds for job in usable):
        raise ComparisonError(
            say(
                "an older version recorded its jobs without {metric}; run them again, or compare by another metric.",
                metric=metric,
            )
        )
    settings, sentences = _complete(usable)
    settings = ranking.ranked(settings, metric)
    simplicity = [setting.simplicity for setting in settings]
    scores, losses = (np.array([each.on_folds(column) for each in settings]) for column in (metric, LOG_LOSS))
    inner = [column.replace("test/", "inner/") for column in (metric, LOG_LOSS)]
    nested = all(inner[0] in job.folds for setting in settings for job in setting.jobs)
    selection: Selection
    if len(settings) == 1:
        selection, chosen = "only", np.zeros(scores.shape[1], dtype=np.int64)
    elif nested:
        inner_scores, inner_losses = (np.array([each.on_folds(column) for each in settings]) for column in inner)
        trained = np.where(np.isnan(scores), np.nan, inner_scores)  # as in choose_by_other_folds
        selection, chosen = "nested", ranking.order(trained, inner_losses, simplicity, metric)[0]
    else:
        selection = "search" if searched else "other folds"
        repeats = [(job.config.seed, repeat) for job in settings[0].jobs for repeat in job.folds["repeat"]]
        blocks = np.unique(repeats, axis=0, return_inverse=True)[1].ravel()
        chosen = choose_by_other_folds(scores, losses, simplicity, blocks, metric)
    every_fold = np.arange(scores.shape[1])
    values, log_losses = scores[chosen, every_fold], losses[chosen, every_fold]
    _check_scored(values, settings[0], metric)
    lowest, highest = metric_of(metric).range
    low, high = difference(settings[0], values, np.zeros_like(values), metric).interval(1 - confidence)
    candidate = Candidate(
        name=name,
        data=data,
        model=model_label(settings[0].flat),
        settings=tuple(settings),
        tuned=tuple(tuned([setting.flat for setting in settings])),
        chosen=chosen,
        selection=selection,
        scores=values,
        log_loss=mean(log_losses),
        low=max(low, lowest),
        high=min(high, highest),
    )
    return candidate, sentences


def _check_scored(values: FloatArray, setting: Setting, metric: str) -> None:
    missing = int((~np.isfinite(values)).sum())
    if not missing:
        return
    if not metric_of(metric).mean_of_rows and setting.on_folds("n_test").max() == 1:
        raise ComparisonError(
            say(
                "a fold of one row has no {metric}: it ranks the settings over all rows together, but models are "
                "compared fold by fold; compare by accuracy, log_loss or brier_score.",
                metric=metric.rpartition("/")[2],
            )
        )
    raise ComparisonError(
        say(
            "it has no {metric} in {missing} of {count} folds: its network diverged, or a class is absent there.",
            metric=metric.rpartition("/")[2],
            missing=missing,
            count=len(values),
        )
    )


def _complete(jobs: Sequence[RecordedJob]) -> tuple[list[Setting], list[str]]:
    """The settings that have a job for every seed, and a sentence for each kind of job that is left out."""
    seeds = {job.config.seed for job in jobs}
    if len({(job.config.seed, job.folds_digest) for job in jobs}) > len(seeds):
        raise ComparisonError(
            say(
                "its jobs were scored on different folds (their cv settings differ), so that the best of them cannot "
                "be told."
            )
        )
    settings = settings_of(jobs)
    complete = [setting for setting in settings if len(setting.jobs) == len(seeds)]
    if not complete:
        raise ComparisonError(say("none of its settings has a result for every seed."))
    once, kept = (sum(len(setting.jobs) for setting in some) for some in (settings, complete))
    told = []
    if again := len(jobs) - once:
        told.append(
            say_number(
                "{number} job is left out, as the same setting stands in a sweep named later.",
                "{number} jobs are left out, as the same setting stands in a sweep named later.",
                again,
            )
        )
    if alone := once - kept:
        told.append(
            say_number(
                "{number} job is left out, as other seeds of the same setting have no result.",
                "{number} jobs are left out, as other seeds of the same setting have no result.",
                alone,
            )
        )
    return complete, told
