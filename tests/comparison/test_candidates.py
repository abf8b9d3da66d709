"""What is compared, and which setting scores each fold."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.comparison.candidates import MOST_SETTINGS, Candidate, choose_by_other_folds, find
from src.comparison.jobs import RecordedJob
from tests.sweeps import Given, job_of, model

ACCURACY = "test/accuracy"
BP = (0.80, 0.85, 0.90, 0.75, 0.80)
WORSE = (0.78, 0.80, 0.86, 0.75, 0.79)
LOST = (0.99, math.nan, 0.99, 0.99, 0.99)


def found(jobs: Sequence[Given], metric: str = ACCURACY, **options: bool) -> tuple[dict[str, Candidate], list[str]]:
    candidates, left_out = find("made", [job_of(one) for one in jobs], metric, 0.95, **options)
    return {one.name: one for one in candidates}, list(left_out)


def bp_of(jobs: Sequence[Given], metric: str = ACCURACY, **options: bool) -> Candidate:
    """The candidate of the jobs of bp, which stand beside another model and so are one."""
    candidates, left_out = found([*jobs, model("softmax", WORSE)], metric, **options)
    assert left_out == []
    return candidates["bp"]


def of_seed(seed: int, scores: Sequence[float], settings: dict[str, object], **more: object) -> Given:
    made = model("bp", scores, settings, folds=str(seed), **more)
    return replace(made, params={**made.params, "seed": seed})


# Who is a candidate


def test_of_several_models_each_is_a_candidate_whatever_else_varies() -> None:
    layers = [Given({"model.name": "bp", "model.hidden_layer_sizes": sizes}, BP) for sizes in ([4], [8])]
    candidates, left_out = found([*layers, model("softmax", WORSE)])
    assert {name: len(one.settings) for name, one in candidates.items()} == {"bp": 2, "softmax": 1}
    assert (candidates["bp"].tuned, candidates["softmax"].tuned) == (("model.hidden_layer_sizes",), ())
    assert left_out == []


def test_of_one_model_words_and_lists_are_compared_and_numbers_are_tuned() -> None:
    jobs = [
        Given({"model.activation": word, "training.learning_rate": rate}, tuple(np.array(scores) - 0.1 * rate))
        for word, scores in (("relu", WORSE), ("tanh", BP))
        for rate in (0.1, 0.3)
    ]
    candidates, _ = found(jobs)
    assert list(candidates) == ["tanh", "relu"]
    assert {one.best_text for one in candidates.values()} == {"learning_rate=0.1"}


@pytest.mark.parametrize("inner, many", [(None, MOST_SETTINGS), (None, MOST_SETTINGS + 1), ((0.5,) * 5, 3)])
def test_of_numbers_alone_each_setting_is_a_candidate_unless_there_are_very_many(
    inner: tuple[float, ...] | None, many: int
) -> None:
    jobs = [model("bp", np.array(BP) - rate / 100, {"learning_rate": rate}, inner=inner) for rate in range(1, many + 1)]
    candidates, _ = found(jobs)
    if many == MOST_SETTINGS:
        assert list(candidates) == [f"learning_rate={rate}" for rate in range(1, many + 1)]
        assert {one.selection for one in candidates.values()} == {"only"}
    else:
        assert list(candidates) == ["bp"]
        assert len(candidates["bp"].settings) == many


# The setting of each fold


def reference(settings: Sequence[Sequence[RecordedJob]], metric: str = ACCURACY) -> list[float]:
    """Score each fold of each seed by the setting that is best on the other folds of its repeat; one by one."""
    values = []
    for seed in range(len(settings[0])):
        jobs = [jobs[seed] for jobs in settings]
        for fold, repeat in enumerate(jobs[0].folds["repeat"]):
            others = [each for each in np.flatnonzero(jobs[0].folds["repeat"] == repeat) if each != fold]
            keys = []
            for job in jobs:
                known = np.isfinite(job.folds[metric][[fold, *others]]).all()
                score, loss = (round(job.folds[name][others].mean(), 9) for name in (metric, "test/log_loss"))
                l2 = job.config.training.l2
                keys.append((not known, -score if known else 0.0, loss if known else 0.0, -l2))
            values.append(jobs[keys.index(min(keys))].folds[metric][fold])
    return values


def test_each_fold_is_scored_by_the_setting_that_the_other_folds_of_its_repeat_and_seed_choose() -> None:
    random = np.random.default_rng(3)

    def job(seed: int, l2: float) -> Given:
        losses = {"log_loss": random.integers(0, 3, 8) / 2}
        made = of_seed(seed, random.integers(0, 5, 8) / 4, {"l2": l2}, other_scores=losses)
        return replace(made, params={**made.params, "cv.repeats": 2})

    made = [[job(seed, l2) for seed in (0, 1)] for l2 in (0.0, 0.1, 0.2, 0.3, 0.4)]
    candidate = bp_of([job for jobs in made for job in jobs])
    assert candidate.selection == "other folds"
    assert candidate.scores.tolist() == reference([[job_of(job) for job in jobs] for jobs in made])
    assert len(set(candidate.chosen)) > 2
    assert candidate.mean == pytest.approx(np.mean(candidate.scores))
    chosen = [candidate.settings[place] for place in candidate.chosen]
    losses = [setting.on_folds("test/log_loss")[fold] for fold, setting in enumerate(chosen)]
    assert candidate.log_loss == pytest.approx(np.mean(losses))


@settings(max_examples=50)
@given(st.data())
def test_the_choice_is_that_of_a_search_fold_by_fold(data: st.DataObject) -> None:
    tried, folds, repeats = (data.draw(st.integers(low, 4)) for low in (2, 2, 1))
    count = folds * repeats

    def table(values: list[float]) -> np.ndarray:
        row = st.lists(st.sampled_from(values), min_size=count, max_size=count)
        return np.array(data.draw(st.lists(row, min_size=tried, max_size=tried)))

    scores, losses = table([0.0, 0.25, 0.5, 0.75, math.nan]), table([0.1, 0.2])
    blocks = np.repeat(np.arange(repeats), folds)
    simplicity = [(1.0, 0.0, name) for name in data.draw(st.permutations("abcd"[:tried]))]
    chosen = choose_by_other_folds(scores, losses, simplicity, blocks, ACCURACY)
    for fold in range(count):
        others = [each for each in range(count) if blocks[each] == blocks[fold] and each != fold]
        keys = []
        for row in range(tried):
            lost = math.isnan(scores[row, [fold, *others]].sum())
            mean = math.inf if lost else round(-scores[row, others].mean(), 9)
            keys.append((mean, round(losses[row, others].mean(), 9), simplicity[row]))
        assert chosen[fold] == keys.index(min(keys))
        # What a fold scored has no say in it, but for whether its network diverged.
        changed = scores.copy()
        changed[:, fold] = 1 - scores[:, fold]
        assert choose_by_other_folds(changed, losses, simplicity, blocks, ACCURACY)[fold] == chosen[fold]


def test_nested_selection_scores_each_fold_by_the_setting_that_its_inner_folds_chose() -> None:
    slow = model("bp", (0.9,) * 5, {"learning_rate": 0.1}, inner=(0.5, 0.5, 0.5, 0.8, 0.8))
    fast = model("bp", (0.1, 0.2, 0.3, 0.4, 0.5), {"learning_rate": 0.3}, inner=(0.6, 0.6, 0.6, 0.7, 0.7))
    candidate = bp_of([slow, fast])
    assert candidate.selection == "nested"
    assert candidate.scores.tolist() == [0.1, 0.2, 0.3, 0.9, 0.9]
    assert (candidate.best_text, candidate.best.score(ACCURACY)) == ("learning_rate=0.1", 0.9)
    # By log loss the inner scores are 1 minus these, so the choice is the same.
    by_loss = bp_of([slow, fast], "test/log_loss")
    assert by_loss.scores.tolist() == pytest.approx([0.9, 0.8, 0.7, 0.1, 0.1])


def test_a_search_chooses_by_the_other_folds_and_is_told_as_a_search() -> None:
    jobs = [model("bp", BP, {"l2": 0.1}), model("bp", WORSE, {"l2": 0.2}), model("softmax", WORSE)]
    candidates, _ = found(jobs, searched=True)
    assert {name: one.selection for name, one in candidates.items()} == {"bp": "search", "softmax": "only"}
    assert candidates["bp"].scores.tolist() == found(jobs)[0]["bp"].scores.tolist()
    assert len(found(jobs[:2], searched=True)[0]["bp"].settings) == 2  # one candidate, where a sweep has two
    nested = [replace(job, inner=BP) for job in jobs]
    assert {one.selection for one in found(nested, searched=True)[0].values()} == {"nested", "only"}


@pytest.mark.parametrize("inner", [None, (0.9,) * 5])
def test_a_setting_is_not_chosen_for_a_fold_on_which_it_diverges(inner: tuple[float, ...] | None) -> None:
    steady = None if inner is None else (0.5,) * 5
    jobs = [
        model("bp", LOST, {"learning_rate": 30}, inner=inner),
        model("bp", BP, {"learning_rate": 0.1}, inner=steady),
    ]
    candidate = bp_of(jobs)
    # By its inner folds it is chosen wherever it did not diverge; of the other folds one always did.
    expected = BP if inner is None else (0.99, 0.85, 0.99, 0.99, 0.99)
    assert candidate.scores.tolist() == list(expected)
    assert candidate.best_text == "learning_rate=0.1"


# Seeds


def test_a_seed_is_no_setting_and_a_setting_is_judged_by_all_its_seeds() -> None:
    lucky, poor, steady = (0.9, 0.95, 1.0, 0.9, 0.95), (0.1, 0.2, 0.1, 0.2, 0.1), (0.8, 0.7, 0.8, 0.9, 0.8)
    jobs = [
        of_seed(seed, scores, {"l2": l2})
        for l2, seed, scores in ((0.1, 0, lucky), (0.1, 1, poor), (0.2, 1, BP), (0.2, 0, steady))
    ]
    candidate = bp_of(jobs)
    assert candidate.best_text == "l2=0.2"
    assert [one.seeds for one in candidate.settings] == [(0, 1), (0, 1)]
    assert candidate.best.score(ACCURACY) == pytest.approx(np.mean([*steady, *BP]))
    assert candidate.best.spread(ACCURACY) == pytest.approx(np.std([*steady, *BP], ddof=1))
    assert candidate.best.first.config.seed == 0
    # The other folds of the same seed choose: the lucky setting for seed 0.
    assert candidate.scores.tolist() == [*lucky, *BP]
    assert bp_of(jobs[::-1]).scores.tolist() == [*lucky, *BP]


def test_settings_that_lack_a_seed_are_left_out_and_told() -> None:
    jobs = [
        of_seed(seed, scores, {"l2": l2}) for l2, seed, scores in ((0.1, 0, BP), (0.1, 1, BP), (0.2, 0, (1.0,) * 5))
    ]
    candidates, left_out = found([*jobs, model("softmax", WORSE)])
    assert [one.config.training.l2 for one in candidates["bp"].best.jobs] == [0.1, 0.1]
    assert len(candidates["bp"].settings) == 1
    assert left_out == ["bp: 1 job is left out, as other seeds of the same setting have no result."]
    failed = replace(jobs[0], fate="FAILED")
    candidates, left_out = found([failed, jobs[1], jobs[2], model("softmax", WORSE)])
    assert list(candidates) == ["softmax"]
    assert left_out == ["bp is left out: none of its settings has a result for every seed."]


def test_the_same_job_of_two_sweeps_counts_once_the_later_one() -> None:
    candidates, left_out = found([model("bp", WORSE), model("softmax", WORSE), model("bp", BP)])
    assert candidates["bp"].scores.tolist() == list(BP)
    assert left_out == ["bp: 1 job is left out, as the same setting stands in a sweep named later."]


# Refusals


@pytest.mark.parametrize(
    "jobs, metric, reason",
    [
        ([model("bp", LOST)], ACCURACY, r"it has no accuracy in 1 of 5 folds: its network diverged"),
        ([model("bp", BP, fate="FAILED")], ACCURACY, "none of its jobs has a result"),
        (
            [model("bp", BP, {"l2": l2}, folds=str(l2)) for l2 in (0.1, 0.2)],
            ACCURACY,
            "its jobs were scored on different folds (their cv settings differ)",
        ),
        (
            [model("bp", [1.0] * 12, rows=12, other_scores={"roc_auc": [math.nan] * 12})],
            "test/roc_auc",
            "a fold of one row has no roc_auc: it ranks the settings over all rows together, but models are compared "
            "fold by fold; compare by accuracy, log_loss or brier_score.",
        ),
    ],
)
def test_a_candidate_without_a_score_is_left_out_with_the_reason(jobs: list[Given], metric: str, reason: str) -> None:
    candidates, left_out = found([*jobs, model("softmax", WORSE if "roc" not in metric else jobs[0].scores)], metric)
    assert list(candidates) == ["softmax"]
    (sentence,) = left_out
    assert sentence.startswith(f"bp is left out: {reason}")


def test_older_records_without_the_metric_are_left_out_with_the_reason() -> None:
    old = job_of(model("bp", BP))
    old = replace(old, folds={name: each for name, each in old.folds.items() if not name.endswith("brier_score")})
    candidates, left_out = find("made", [old, job_of(model("softmax", WORSE))], "test/brier_score", 0.95)
    assert [one.name for one in candidates] == ["softmax"]
    assert left_out == (
        "bp is left out: an older version recorded its jobs without test/brier_score; run them again, or compare by "
        "another metric.",
    )
    assert len(find("made", [old, job_of(model("softmax", WORSE))], ACCURACY, 0.95)[0]) == 2


def test_leave_one_out_is_compared_by_what_a_single_row_has() -> None:
    scores = [float(row % 4 > 0) for row in range(12)]
    candidate = bp_of([model("bp", scores, rows=12)])
    assert candidate.scores.tolist() == scores
    assert 0 <= candidate.low < 0.75 < candidate.high <= 1


# A candidate's own interval


@pytest.mark.parametrize("metric, low, high", [(ACCURACY, 0.0, 1.0), ("test/log_loss", 0.0, math.inf)])
def test_the_interval_stays_within_what_the_metric_can_be(metric: str, low: float, high: float) -> None:
    perfect = bp_of([model("bp", (1.0,) * 5)], metric)
    assert low <= perfect.low <= perfect.mean <= perfect.high <= high
    assert perfect.low < perfect.high


def test_the_interval_is_that_of_the_corrected_t_test() -> None:
    candidate = bp_of([model("bp", BP, rows=1000)])
    values = np.array(BP)
    half = 2.7764451051977987 * math.sqrt((1 / 5 + 1 / 4) * values.var(ddof=1))  # 97.5 % of t with 4 df, from tables
    assert (candidate.low, candidate.high) == pytest.approx((values.mean() - half, values.mean() + half))
