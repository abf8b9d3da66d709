"""All that jobs say together: boards, families, what is left out and why."""

import math
from dataclasses import replace

import numpy as np
import pytest

from src.comparison.jobs import settings_of
from src.comparison.outcome import compare_jobs
from src.config import check
from tests.sweeps import Given, job_of, model, outcome_of

BP = (0.80, 0.85, 0.90, 0.75, 0.80)
WORSE = (0.78, 0.80, 0.86, 0.75, 0.79)
POOR = (0.70, 0.72, 0.75, 0.65, 0.71)
LOST = (0.99, math.nan, 0.99, 0.99, 0.99)


def test_settings_are_ranked_and_those_without_a_result_stand_last() -> None:
    jobs = [
        model("softmax", POOR),
        model("bp", LOST, {"learning_rate": 30}),
        model("bp", BP, {"learning_rate": 0.1}),
        model("logistic", WORSE, fate="FAILED"),
    ]
    made = outcome_of(jobs)
    (board,) = made.boards.values()
    assert [one.first.config.model.name for one in board][:2] == ["bp", "softmax"]
    assert [one.has_result(made.metric) for one in board] == [True, True, False, False]
    assert made.best is board[0]
    assert made.best.score(made.metric) == pytest.approx(np.mean(BP))
    assert [(one.model, one.baseline) for one in made.comparisons] == [("bp", "softmax")]
    assert [one.best for one in made.candidates] == made.best_of_each
    assert made.left_out == ("logistic is left out: none of its jobs has a result.",)
    assert made.refusal is None


@pytest.mark.parametrize("fate, scores", [("FAILED", BP), ("FINISHED", LOST)])
def test_without_any_result_the_reason_is_told(fate, scores: tuple[float, ...]) -> None:
    made = outcome_of([model("bp", scores, fate=fate)])
    assert made.best is None
    assert made.candidates == made.comparisons == ()
    assert made.refusal is not None
    assert made.refusal.startswith("bp is left out: ")


def test_no_jobs_have_no_best() -> None:
    made = outcome_of([])
    assert (made.best, made.settings, made.refusal) == (None, (), "no job has a result.")


def test_one_candidate_alone_is_no_refusal() -> None:
    made = outcome_of([model("bp", BP)])
    assert len(made.candidates) == 1
    assert (made.comparisons, made.refusal, made.across) == ((), None, None)


def test_what_is_left_out_for_one_reason_is_told_in_one_sentence() -> None:
    made = outcome_of([model("bp", BP), *(model(name, BP, fate="FAILED") for name in ("logistic", "softmax"))])
    assert made.left_out == ("logistic and softmax are each left out: none of its jobs has a result.",)


def test_a_setting_that_lacks_a_seed_is_never_the_best() -> None:
    jobs = [
        replace(given, params={**given.params, "seed": seed})
        for seed, given in (
            *((seed, model("bp", BP, {"l2": 0.1}, folds=str(seed))) for seed in (0, 1)),
            (0, model("bp", (1.0,) * 5, {"l2": 0.2}, folds="0")),
            *((seed, model("softmax", POOR, folds=str(seed))) for seed in (0, 1)),
        )
    ]
    made = outcome_of(jobs)
    (board,) = made.boards.values()
    assert [one.seeds for one in board] == [(0, 1), (0, 1), (0,)]
    assert made.best is board[0]
    assert made.best.flat["training.l2"] == 0.1


def test_where_no_candidate_can_be_compared_the_best_setting_keeps_its_model() -> None:
    alone = {"rows": 12, "other_scores": {"roc_auc": [math.nan] * 12}}  # a row alone has none, all rows together have
    jobs = [job_of(model(name, (score,) * 12, **alone)) for name, score in (("bp", 0.9), ("softmax", 0.5))]
    jobs = [replace(job, metrics={**job.metrics, "test/roc_auc": job.metrics["test/accuracy"]}) for job in jobs]
    made = compare_jobs(jobs, check({"comparison": {"metric": "roc_auc"}}).comparison)
    assert made.candidates == ()
    (kept,) = made.best_of_each
    assert kept is made.best
    assert kept.flat["model.name"] == "bp"


def on(data: str, name: str, scores: tuple[float, ...], **more: object) -> Given:
    return model(name, scores, dataset=data, data=data[0] * 64, folds=data, **more)


def test_each_data_set_is_a_family_by_itself() -> None:
    jobs = [
        *(on("iris", name, scores) for name, scores in (("bp", BP), ("softmax", WORSE), ("logistic", POOR))),
        *(on("wine", name, scores) for name, scores in (("bp", WORSE), ("softmax", BP))),
    ]
    made = outcome_of(jobs)
    assert list(made.boards) == [family.data for family in made.families] == ["iris", "wine"]
    assert [family.tests for family in made.families] == [2, 1]
    alone = outcome_of(jobs[3:])
    assert made.families[1].comparisons[0].p_holm == alone.comparisons[0].p_holm
    assert made.best is None
    best = {data: made.best_on(data) for data in made.boards}
    assert {data: one and one.first.config.model.name for data, one in best.items()} == {
        "iris": "bp",
        "wine": "softmax",
    }
    assert made.across is None


def test_what_is_left_out_on_one_of_several_data_sets_names_it() -> None:
    jobs = [
        *(on("iris", name, BP) for name in ("bp", "softmax")),
        on("wine", "bp", BP),
        on("wine", "softmax", BP, fate="FAILED"),
        *(on("zoo", "bp", BP), model("softmax", BP, dataset="zoo", data="z" * 64, folds="others")),
    ]
    made = outcome_of(jobs)
    assert [len(family.comparisons) for family in made.families] == [1, 0, 0]
    assert made.refusal is None
    assert made.left_out[0] == "On wine: softmax is left out: none of its jobs has a result."
    assert any("were scored on different folds" in sentence for sentence in made.left_out)
    only_refused = outcome_of(jobs[4:])
    assert only_refused.refusal is not None
    assert "were scored on different folds" in only_refused.refusal


def test_two_files_of_the_same_name_are_two_data_sets() -> None:
    made = outcome_of([model("bp", BP, dataset="my", data=digest * 32) for digest in ("ab", "cd")])
    assert list(made.boards) == ["my abababab", "my cdcdcdcd"]
    assert {one.data for one in made.candidates} == set(made.boards)
    assert {one.name for one in made.candidates} == {"bp"}


def test_a_sweep_that_was_cut_off_is_shown_and_not_compared() -> None:
    made = outcome_of([model("bp", BP), model("softmax", WORSE)], incomplete="1 of 3 jobs has no result.")
    assert made.refusal == "1 of 3 jobs has no result."
    assert made.comparisons == ()
    assert len(made.candidates) == 2
    assert made.best is not None


def test_a_search_is_told_and_three_data_sets_are_put_together() -> None:
    jobs = [
        on(data, "bp", tuple(np.subtract(BP, l2)), settings={"l2": l2}) for data in ("a", "b", "c") for l2 in (0.0, 0.1)
    ]
    jobs += [on(data, "softmax", WORSE) for data in ("a", "b", "c")]
    made = outcome_of(jobs, searched=True)
    assert {one.selection for one in made.candidates} == {"search", "only"}
    assert made.across is not None
    assert made.across.data == ("a", "b", "c")
    assert not outcome_of(jobs, searched=True, incomplete="cut off").across


def test_a_setting_has_its_jobs_by_seed_and_its_score_from_all_of_them() -> None:
    jobs = [
        replace(given, params={**given.params, "seed": seed})
        for seed, given in ((5, model("bp", BP)), (2, model("bp", POOR)), (9, model("bp", WORSE)))
    ]
    (setting,) = settings_of([job_of(one) for one in jobs])
    assert setting.seeds == (2, 5, 9)
    assert setting.first.config.seed == 2
    assert setting.score("test/accuracy") == pytest.approx(np.mean([*BP, *POOR, *WORSE]))
    assert setting.on_folds("test/accuracy").tolist() == [*POOR, *BP, *WORSE]
    assert math.isnan(setting.score("test/unknown"))
    assert math.isnan(setting.spread("time/fit"))
    assert (setting.parameters, setting.flat["model.name"]) == (9, "bp")
    assert "seed" not in setting.flat


def test_the_same_job_named_twice_counts_once_the_later_one() -> None:
    (setting,) = settings_of([job_of(model("bp", POOR), "first"), job_of(model("bp", BP), "second")])
    assert [job.run_id for job in setting.jobs] == ["second"]


def test_where_a_job_is_recorded_makes_no_setting() -> None:
    keys = ({"tracking.experiment": "one", "sweep.n_jobs": 2}, {"tracking.experiment": "two", "comparison.rope": 0.1})
    assert len(settings_of([job_of(Given({"model.name": "bp", **each}, BP)) for each in keys])) == 1
    moved = [job_of(replace(model("bp", BP), params={"data.path": path})) for path in ("/a/made.csv", "/b/made.csv")]
    assert len(settings_of(moved)) == 1
    other_rows = [job_of(model("bp", BP, data=digest * 32)) for digest in ("ab", "cd")]
    assert len(settings_of(other_rows)) == 2
