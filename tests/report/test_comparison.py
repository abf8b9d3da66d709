"""From recorded sweeps to the comparison: who is compared, at which setting, and what is refused or told."""

import json
from pathlib import Path

import numpy as np
import pytest

from src.errors import UserError
from src.evaluation.significance import FoldScores, compare, corrected_t_test, holm
from src.report.comparison import build_report, full_metric
from src.report.errors import ReportError
from src.report.page import ComparisonReport, files, to_json
from src.report.sweeps import find_sweeps, jobs_of
from src.tracking import reading
from src.tracking.processes import PROCESS_ID
from src.tracking.runs import log_job, recorded_sweep, start_alone
from src.tracking.store import Store, open_store
from tests.sweeps import Given, empty_store, record_of, record_sweep

BP = (0.80, 0.85, 0.90, 0.75, 0.80)
LOGISTIC = (0.78, 0.80, 0.86, 0.75, 0.79)
SOFTMAX = (0.70, 0.72, 0.75, 0.65, 0.71)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    address = empty_store(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    return open_store()


def model(name: str, scores: tuple[float, ...], inner: tuple[float, ...] | None = None, **settings: object) -> Given:
    params = {("seed" if key == "seed" else f"training.{key}"): value for key, value in settings.items()}
    return Given({"model.name": name, **params}, scores, inner)


def report_of(store: Store, metric: str | None = None) -> ComparisonReport:
    return build_report(store, find_sweeps(store), metric)


def test_each_model_is_compared_with_each_baseline_by_the_evaluations_test(store: Store) -> None:
    record_sweep(store, [model("bp", BP), model("logistic", LOGISTIC), model("softmax", SOFTMAX)], question="Who?")
    report = report_of(store)
    given = {"bp": BP, "logistic": LOGISTIC, "softmax": SOFTMAX}
    scores = {name: FoldScores(np.array(values), 16, 4, "folds") for name, values in given.items()}
    assert list(report.comparisons) == compare(scores, ["logistic", "softmax"], "accuracy")
    assert report.question == "Who?"
    assert report.title == "study"
    assert report.refusal is None
    assert report.caveats == ()
    (bp,) = [one for one in report.candidates if one.name == "bp"]
    interval = corrected_t_test(BP, np.zeros(5), n_train=16, n_test=4)
    assert (bp.mean, bp.low, bp.high) == pytest.approx((np.mean(BP), interval.low, min(interval.high, 1.0)))


def test_the_best_setting_stands_for_a_model_and_is_said_to_be_selected_on_its_folds(store: Store) -> None:
    jobs = [model("bp", SOFTMAX, learning_rate=0.1), model("bp", BP, learning_rate=0.3), model("logistic", LOGISTIC)]
    record_sweep(store, jobs)
    report = report_of(store)
    (bp, logistic) = report.candidates
    assert bp.setting == "learning_rate=0.3"
    assert bp.scores.scores.tolist() == list(BP)
    assert (bp.selection, logistic.selection) == ("scored", "single")
    (caveat,) = report.caveats
    assert caveat.startswith("Selected on the folds it is scored on: bp (of 2 settings).")


def test_nested_selection_scores_each_outer_fold_with_the_setting_its_inner_folds_chose(store: Store) -> None:
    slow = model("bp", (0.9, 0.9, 0.9, 0.9, 0.9), (0.5, 0.5, 0.5, 0.8, 0.8), learning_rate=0.1)
    fast = model("bp", (0.1, 0.2, 0.3, 0.4, 0.5), (0.6, 0.6, 0.6, 0.7, 0.7), learning_rate=0.3)
    reference = model("logistic", LOGISTIC, LOGISTIC)
    record_sweep(store, [slow, fast, reference])
    report = report_of(store)
    bp = report.candidates[0]
    assert bp.scores.scores.tolist() == [0.1, 0.2, 0.3, 0.9, 0.9]
    assert bp.selection == "nested"
    assert bp.setting == "learning_rate=0.3"  # three of five folds
    assert report.caveats == ()
    assert "nested cross-validation" in report.method["Selection"]
    # By log loss the inner scores are 1 minus these, so the choice is the same.
    assert report_of(store, "log_loss").candidates[0].scores.scores.tolist() == pytest.approx([0.9, 0.8, 0.7, 0.1, 0.1])


def test_a_diverged_setting_is_not_chosen_and_a_model_without_a_score_is_left_out(store: Store) -> None:
    lost = (0.99, np.nan, 0.99, 0.99, 0.99)
    jobs = [model("bp", lost, learning_rate=30), model("bp", BP, learning_rate=0.1), model("softmax", SOFTMAX)]
    record_sweep(store, [*jobs, model("logistic", lost)])
    report = report_of(store)
    assert [one.name for one in report.candidates] == ["bp", "softmax"]
    assert report.candidates[0].setting == "learning_rate=0.1"
    assert [(one.model, one.baseline) for one in report.comparisons] == [("bp", "softmax")]
    assert any(note.startswith("logistic is left out: it has no accuracy in 1 of 5 folds") for note in report.notes)


def test_choices_of_one_model_are_compared_with_the_best_and_numbers_are_tuned(store: Store) -> None:
    jobs = [
        Given({"model.activation": activation, "training.learning_rate": rate}, tuple(np.array(scores) - 0.1 * rate))
        for activation, scores in (("relu", LOGISTIC), ("tanh", BP), ("sigmoid", SOFTMAX))
        for rate in (0.1, 0.3)
    ]
    record_sweep(store, jobs)
    report = report_of(store)
    assert [(one.model, one.baseline) for one in report.comparisons] == [("relu", "tanh"), ("sigmoid", "tanh")]
    assert {one.setting for one in report.candidates} == {"learning_rate=0.1"}
    assert any("best on these very folds" in note for note in report.notes)


@pytest.mark.parametrize(
    "key, values, names",
    [
        ("model.hidden_layer_sizes", [[], [4], [4, 4]], ["[]", "[4]", "[4, 4]"]),
        ("training.batch_size", [1, 32, "full"], ["batch_size=1", "batch_size=32", "batch_size=full"]),
        ("training.learning_rate", [0.1, 0.3, 1], ["learning_rate=0.1", "learning_rate=0.3", "learning_rate=1"]),
        ("data.scale", ["none", "minmax"], ["none", "minmax"]),
    ],
)
def test_what_candidates_are_called(store: Store, key: str, values: list[object], names: list[str]) -> None:
    record_sweep(store, [Given({key: value}, BP) for value in values])
    assert [one.name for one in report_of(store).candidates] == names


@pytest.mark.parametrize(
    "other, names",
    [
        ("model.loss", ["sigmoid + squared_error", "softmax + cross_entropy"]),
        ("model.activation", ["output=sigmoid, activation=sigmoid", "output=softmax, activation=relu"]),
    ],
)
def test_choices_are_called_by_their_words_where_these_cannot_be_confused(
    store: Store, other: str, names: list[str]
) -> None:
    values = {"model.loss": ("squared_error", "cross_entropy"), "model.activation": ("sigmoid", "relu")}[other]
    record_sweep(
        store,
        [Given({"model.output": out, other: it}, BP) for out, it in zip(("sigmoid", "softmax"), values, strict=True)],
    )
    words = [sorted(one.name.replace(",", "").split()) for one in report_of(store).candidates]
    assert words == [sorted(name.replace(",", "").split()) for name in names]


def test_very_many_numbers_are_one_model_that_was_tuned(store: Store) -> None:
    rates = range(1, 26)
    record_sweep(store, [model("bp", tuple(np.array(BP) - rate / 100), learning_rate=rate) for rate in rates])
    report = report_of(store)
    (bp,) = report.candidates
    assert bp.setting == "learning_rate=1"
    assert report.comparisons == ()
    assert report.refusal is None
    assert report.answer.startswith("bp (learning_rate=1) reaches accuracy ")
    assert "the best of 25 settings on these folds; there is no other model to compare it with." in report.answer


def test_a_sweep_with_one_job_is_told_with_its_interval(store: Store) -> None:
    record_sweep(store, [model("bp", BP)])
    report = report_of(store)
    assert report.answer.startswith("bp reaches accuracy 0.820, 95% interval ")
    assert "comparison.html" in files(report)


def test_jobs_reused_from_an_earlier_sweep_are_part_of_the_sweep(store: Store) -> None:
    earlier = model("logistic", LOGISTIC)
    record_sweep(store, [earlier])
    later = record_sweep(store, [model("bp", BP)], reused=[earlier])
    jobs = jobs_of(store, reading.get_run(store, later))
    assert [run.params["model.name"] for run in jobs.runs] == ["bp", "logistic"]
    assert (len(jobs.reused), jobs.missing) == (1, 0)
    report = build_report(store, find_sweeps(store, run_ids=[later]))
    assert [(one.model, one.baseline) for one in report.comparisons] == [("bp", "logistic")]
    assert report.method["Jobs"] == "2 (1 reused from earlier sweeps) of study"


def test_failed_jobs_are_left_out_and_told(store: Store) -> None:
    failed = Given({"model.name": "bp", "training.learning_rate": 9}, BP, fate="FAILED")
    record_sweep(store, [model("bp", BP), failed, model("logistic", LOGISTIC)], status="FAILED")
    report = report_of(store)
    assert [(one.model, one.baseline) for one in report.comparisons] == [("bp", "logistic")]
    assert report.candidates[0].selection == "single"
    assert "1 of 3 jobs failed and are left out of every comparison." in report.caveats
    page = files(report)["comparison.html"].decode()
    assert "failed: bp (learning_rate=9): no luck" in page


def test_a_job_that_failed_and_then_succeeded_counts_as_finished(store: Store) -> None:
    sweep = record_sweep(store, [Given({"model.name": "bp"}, BP, fate="FAILED"), model("logistic", LOGISTIC)])
    log_job(store, recorded_sweep(reading.get_run(store, sweep)), record_of(Given({"model.name": "bp"}, BP)))
    report = report_of(store)
    assert len(report.comparisons) == 1
    assert report.notes == ()


def test_an_interrupted_sweep_is_not_compared(store: Store) -> None:
    jobs = [model("bp", BP), model("logistic", LOGISTIC), Given({"model.name": "softmax"}, SOFTMAX, fate="absent")]
    record_sweep(store, jobs, status="KILLED")
    report = report_of(store)
    assert report.comparisons == ()
    assert report.answer == (
        "Nothing is compared: 1 of the 3 jobs of study have no result, as the sweep is killed; the same command again "
        "runs only what is missing."
    )
    assert len(report.jobs) == 2


def test_a_running_sweep_is_refused_and_a_dead_one_is_set_right(store: Store) -> None:
    jobs = [model("bp", BP), Given({"model.name": "softmax"}, SOFTMAX, fate="absent")]
    sweep = record_sweep(store, jobs, status="RUNNING")
    with pytest.raises(ReportError, match="is still running; wait for its end"):
        find_sweeps(store)
    store.client.set_tag(sweep, PROCESS_ID, "999999999")
    (found,) = find_sweeps(store)
    assert found.status == "KILLED"


def test_models_scored_on_different_folds_are_not_compared(store: Store) -> None:
    record_sweep(store, [model("bp", BP), Given({"model.name": "logistic", "seed": 1}, LOGISTIC, folds="others")])
    report = report_of(store)
    assert report.comparisons == ()
    assert report.answer.startswith("Nothing is compared: 'bp' and 'logistic' were scored on different folds")


def of_seed(name: str, seed: int, scores: tuple[float, ...], folds: str | None = None, **settings: object) -> Given:
    return Given({"model.name": name, "seed": seed, **settings}, scores, folds=folds or str(seed))


def test_a_setting_is_judged_by_all_its_seeds(store: Store) -> None:
    lucky, poor, steady = (0.9, 0.95, 1.0, 0.9, 0.95), (0.1, 0.2, 0.1, 0.2, 0.1), (0.8, 0.7, 0.8, 0.9, 0.8)
    record_sweep(
        store,
        [
            of_seed("bp", 0, lucky, **{"training.l2": 0.1}),
            of_seed("bp", 1, poor, **{"training.l2": 0.1}),
            of_seed("bp", 1, BP, **{"training.l2": 0.2}),
            of_seed("bp", 0, steady, **{"training.l2": 0.2}),
            of_seed("logistic", 0, LOGISTIC),
            of_seed("logistic", 1, LOGISTIC[::-1]),
        ],
    )
    report = report_of(store)
    bp, logistic = report.candidates
    assert bp.setting == "l2=0.2"
    assert bp.tried == 2
    assert bp.scores.scores.tolist() == [*steady, *BP]
    assert logistic.selection == "single"
    (comparison,) = report.comparisons
    scores = {"bp": (*steady, *BP), "logistic": (*LOGISTIC, *LOGISTIC[::-1])}
    as_repeats = {
        name: FoldScores(np.array(each), n_train=4, n_test=1, folds_digest="") for name, each in scores.items()
    }
    (expected,) = compare(as_repeats, ["logistic"], "accuracy")
    assert comparison == expected


def test_settings_that_lack_a_seed_are_left_out_and_told(store: Store) -> None:
    record_sweep(
        store,
        [
            of_seed("bp", 0, BP, **{"training.l2": 0.1}),
            of_seed("bp", 1, BP, **{"training.l2": 0.1}),
            of_seed("bp", 0, (1.0,) * 5, **{"training.l2": 0.2}),
            of_seed("logistic", 0, LOGISTIC),
            of_seed("logistic", 1, LOGISTIC),
        ],
    )
    report = report_of(store)
    assert [one.tried for one in report.candidates] == [1, 1]
    assert "bp: 1 job is left out, as other seeds of the same setting have no result." in report.notes


def test_a_job_that_two_sweeps_ran_counts_once_and_is_told(store: Store) -> None:
    poor = (0.1, 0.2, 0.1, 0.2, 0.1)
    for name, scores in (("first", poor), ("again", BP)):
        record_sweep(store, [of_seed("bp", 0, scores), of_seed("logistic", 0, LOGISTIC)], name=name)
    first, again = sorted(reading.sweeps(store), key=lambda run: run.name, reverse=True)
    report = build_report(store, [first, again])
    bp = report.candidates[0]
    assert (bp.scores.scores.tolist(), bp.tried, bp.selection) == (list(BP), 1, "single")
    assert "bp: 1 job is left out, as the same setting stands in a sweep named later." in report.notes
    assert not any("other seeds" in note for note in report.notes)


def test_one_seed_with_different_folds_has_no_best_setting(store: Store) -> None:
    jobs = [of_seed("bp", 0, BP, folds=str(l2), **{"training.l2": l2}) for l2 in (0.1, 0.2)]
    record_sweep(store, [*jobs, of_seed("logistic", 0, LOGISTIC)])
    assert any("scored on different folds (their cv settings differ)" in note for note in report_of(store).notes)


def test_all_jobs_failed(store: Store) -> None:
    record_sweep(store, [Given({"model.name": "bp"}, BP, fate="FAILED")], status="FAILED")
    report = report_of(store)
    assert report.answer == "Nothing is compared: bp is left out: none of its jobs has a result."
    assert "comparison.html" in files(report)


def test_several_data_sets_are_compared_each_by_itself_and_corrected_together(store: Store) -> None:
    jobs = [
        Given({"model.name": name, "data.name": data}, scores, data=data * 16, dataset=data, folds=data)
        for data in ("iris", "wine")
        for name, scores in (("bp", BP), ("logistic", LOGISTIC))
    ]
    record_sweep(store, jobs)
    report = report_of(store)
    pairs = [(one.model, one.baseline) for one in report.comparisons]
    assert pairs == [("bp on iris", "logistic on iris"), ("bp on wine", "logistic on wine")]
    assert [one.p_holm for one in report.comparisons] == holm([one.p for one in report.comparisons])
    assert {"Data: iris", "Data: wine"} <= set(report.method)
    assert [picture.name for picture in report.pictures] == ["differences", "models"]


def test_two_files_of_the_same_name_are_two_data_sets(store: Store) -> None:
    jobs = [
        Given({"model.name": "bp", "data.name": "csv", "data.path": "/x/my.csv"}, BP, data=digest * 32, dataset="my")
        for digest in ("ab", "cd")
    ]
    record_sweep(store, [jobs[0]])
    record_sweep(store, [jobs[1]])
    report = build_report(store, reading.sweeps(store))
    assert {one.name for one in report.candidates} == {"bp on my.csv abababab", "bp on my.csv cdcdcdcd"}


def test_several_sweeps_are_one_comparison(store: Store) -> None:
    record_sweep(store, [model("bp", BP)], experiment="one", name="one", question="First?")
    record_sweep(store, [model("logistic", LOGISTIC)], experiment="two", name="two", question="Second?")
    report = build_report(store, find_sweeps(store, ["one", "two"]))
    assert [(one.model, one.baseline) for one in report.comparisons] == [("bp", "logistic")]
    assert report.title == "one and two"
    assert report.question == "First? Second?"


def test_runs_of_different_code_are_told(store: Store) -> None:
    other = Given({"model.name": "logistic"}, LOGISTIC, tags={"code_version": "two"})
    record_sweep(store, [model("bp", BP), other])
    assert "The jobs were run by different versions of the numerical code or its libraries." in report_of(store).notes


def test_method_and_commands_say_how_to_do_it_again(store: Store) -> None:
    tags = {"mlflow.source.git.commit": "c0ffee", "git_dirty": "true", "python": "3.11.7", "versions": "numpy 2.4"}
    jobs = [model(name, BP, learning_rate=rate) for name in ("bp", "logistic") for rate in (0.1, 0.3)]
    sweep = record_sweep(store, jobs, tags=tags)
    report = report_of(store)
    assert report.method["Data"].startswith(
        "made: 20 rows, 3 features (a, b, c), 2 classes; a test's own rows; SHA-256"
    )
    assert report.method["Folds"].startswith("5 stratified folds, seed 0, SHA-256 folds")
    assert report.method["Varied"] == "model.name = bp, logistic; training.learning_rate = 0.1, 0.3"
    assert report.method["Versions"] == "Python 3.11.7; numpy 2.4"
    assert report.method["Commit"] == "c0ffee with changes (git.diff, an artifact of the run)"
    assert report.commands == (
        "git checkout c0ffee && git apply git.diff",
        "python -m src.run experiments=study",
        f"python -m src.compare --sweep {sweep} --metric accuracy",
    )


def test_the_metric_is_the_sweeps_own_unless_another_is_asked_for(store: Store) -> None:
    record_sweep(store, [model("bp", BP), model("logistic", LOGISTIC)], metric="test/log_loss")
    assert report_of(store).metric == "test/log_loss"
    assert report_of(store).comparisons[0].difference == pytest.approx(-np.mean(np.array(BP) - LOGISTIC))
    assert report_of(store, "macro_f1").metric == "test/macro_f1"


@pytest.mark.parametrize(
    "name, message",
    [
        ("logloss", "Did you mean 'log_loss'"),
        ("train/accuracy", "is not a score of the test folds"),
        ("time/fit", "is not a score of the test folds"),
        ("", "not a metric to compare by"),
    ],
)
def test_a_metric_that_does_not_exist(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        full_metric(name)


def test_sweeps_that_do_not_exist(store: Store) -> None:
    with pytest.raises(ReportError, match="the store holds no sweep to compare"):
        find_sweeps(store)
    sweep = record_sweep(store, [model("bp", BP)])
    child = reading.children(store, reading.get_run(store, sweep))[0]
    with pytest.raises(UserError, match=r"there is no MLflow experiment 'studdy'.* Did you mean 'study'"):
        find_sweeps(store, ["studdy"])
    with pytest.raises(UserError, match=f"there is no run '{sweep[:20]}'.* Did you mean {sweep} \\(study\\)"):
        find_sweeps(store, run_ids=[sweep[:20]])
    with pytest.raises(UserError, match=r"there is no run 'zzz' in"):
        find_sweeps(store, run_ids=["zzz"])
    with pytest.raises(ReportError, match=f"one job of a sweep; give the sweep: --sweep {sweep}"):
        find_sweeps(store, run_ids=[child.run_id])
    alone = log_job(store, start_alone(store, "single", {}), record_of(model("bp", BP)))
    with pytest.raises(ReportError, match="a job alone, not a sweep"):
        find_sweeps(store, run_ids=[alone])
    with pytest.raises(ReportError, match="the experiment 'single' holds no sweep to compare; others do: study"):
        find_sweeps(store, ["single"])


def test_the_latest_sweep_is_meant_where_none_is_named(store: Store) -> None:
    record_sweep(store, [model("bp", BP)], experiment="one")
    latest = record_sweep(store, [model("logistic", LOGISTIC)], experiment="two")
    assert [run.run_id for run in find_sweeps(store)] == [latest]
    first, second = find_sweeps(store, ["two", "one"])
    assert first.run_id == latest
    assert second.experiment_id != first.experiment_id
    assert len(find_sweeps(store, ["two"], [latest])) == 1


def test_hostile_names_stay_names(store: Store, hostile: str) -> None:
    classes, features = (hostile, f"{hostile} 2"), (hostile, "b", "c")
    jobs = [
        Given({"model.name": name}, scores, classes=classes, features=features)
        for name, scores in (("bp", BP), ("logistic", LOGISTIC))
    ]
    record_sweep(store, jobs, name=hostile, question=hostile)
    report = report_of(store)
    made = files(report)
    assert b"<script>alert" not in made["comparison.html"]
    assert json.loads(made["comparison.json"])["models"][0]["name"] == "bp"
    assert {"figures/confusion.svg", "figures/learning-curves.svg"} <= set(made)


def test_json_holds_models_with_their_fold_scores(store: Store) -> None:
    record_sweep(store, [model("bp", BP), model("logistic", LOGISTIC)])
    content = json.loads(to_json(report_of(store)))
    assert content["models"][0]["fold_scores"] == list(BP)
    assert content["answer"] == report_of(store).answer
