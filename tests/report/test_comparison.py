"""From recorded sweeps to the report, through a real store."""

import json
from pathlib import Path

import numpy as np
import pytest

from src.comparison.errors import ComparisonError
from src.comparison.outcome import Outcome, compare_sweeps
from src.comparison.record import RecordedSweep
from src.config import check
from src.report.comparison import build_report, published_cells
from src.report.page import ComparisonReport, files
from src.tracking import reading
from src.tracking.opening import open_store
from src.tracking.reading import StoredRecord
from src.tracking.runs import Sweep, add_metrics
from src.tracking.store import Store
from src.tracking.sweeps import find_sweeps, read_sweep
from tests.stores import empty_store
from tests.sweeps import Given, ended_of, model, outcome_of, record_sweep

BP = (0.80, 0.85, 0.90, 0.75, 0.80)
LOGISTIC = (0.78, 0.80, 0.86, 0.75, 0.79)
SOFTMAX = (0.70, 0.72, 0.75, 0.65, 0.71)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", empty_store(tmp_path))
    return open_store()


def sweeps_of(store: Store, *run_ids: str) -> list[RecordedSweep]:
    """The latest sweep, or some."""
    return [read_sweep(store, run) for run in find_sweeps(store, run_ids=run_ids)]


def report_of(store: Store, *run_ids: str, drawn: bool = False) -> ComparisonReport:
    sweeps = sweeps_of(store, *run_ids)
    return build_report(StoredRecord(store), sweeps, compare_sweeps(sweeps), drawn=drawn)


def pairs(outcome: Outcome) -> list[tuple[str, str]]:
    return [(one.model, one.baseline) for one in outcome.comparisons]


def test_what_is_read_back_says_what_the_jobs_said(store: Store) -> None:
    jobs = [
        *(model("bp", scores, {"l2": l2}) for l2, scores in ((0.1, BP), (0.2, SOFTMAX))),
        model("logistic", LOGISTIC),
        model("softmax", SOFTMAX, fate="FAILED"),
    ]
    record_sweep(store, jobs, status="FAILED", question="Who?")
    report, made = report_of(store, drawn=True), outcome_of(jobs)
    assert (report.title, report.question) == ("study", "Who?")
    assert report.answer == ComparisonReport("", "", made).answer
    assert report.outcome.left_out == made.left_out
    assert report.outcome.cautions == made.cautions
    for one, other in zip(report.outcome.comparisons, made.comparisons, strict=True):
        np.testing.assert_array_equal(one.on_folds, other.on_folds)
        assert (one.difference, one.p_holm, one.low) == (other.difference, other.p_holm, other.low)
    assert report.notes == ("1 of 4 jobs failed and are left out of every comparison.",)
    content = files(report)
    assert "failed: softmax" in content["comparison.html"].decode()
    names = {"differences", "models", "along", "learning-curves", "confusion", "roc", "calibration"}
    assert {f"figures/{name}.svg" for name in names} <= set(content)
    assert json.loads(content["comparison.json"])["models"][0]["settings_tried"] == 2


def test_curves_point_to_settings_above_only_where_there_are_some(store: Store) -> None:
    captions = []
    for jobs in ([model("bp", BP)], [model("bp", BP), model("logistic", LOGISTIC)]):
        report = report_of(store, record_sweep(store, jobs), drawn=True)
        captions.append(next(picture.description for picture in report.pictures if picture.name == "learning-curves"))
    alone, two = captions
    assert alone.startswith("Loss by epoch, mean over the folds and one standard deviation. Where the test fold's")
    assert two.startswith("Loss by epoch at each model's setting above, ")


@pytest.mark.parametrize("repeats", [1, 2])
def test_captions_say_which_class_is_positive_what_marks_mean_and_what_is_counted(store: Store, repeats: int) -> None:
    params = {"model.name": "bp", "cv.repeats": repeats}
    jobs = [Given({**params, "training.l2": l2}, BP * repeats, classes=("no", "yes")) for l2 in (0.1, 0.2)]
    report = report_of(store, record_sweep(store, jobs), drawn=True)
    captions = {picture.name: picture.description for picture in report.pictures}
    assert "positive is class yes" in captions["roc"]
    assert "markers only tell the lines apart" in captions["roc"]
    assert "bar is the 95% interval of the share" in captions["calibration"]
    cells = report.class_scores
    assert cells is not None
    assert [row[-1] for row in cells.rows] == ["10"] * len(cells.rows)  # of 20, whatever the repeats
    assert ("Counted over all repeats" in captions["confusion"]) is (repeats > 1)
    assert ("which every repeat tests" in " ".join(cells.notes)) is (repeats > 1)


def test_a_heat_map_says_whose_it_is(store: Store) -> None:
    bp = [
        Given({"model.name": "bp", "training.l2": l2, "training.learning_rate": rate}, BP)
        for l2 in (0.1, 0.2)
        for rate in (0.3, 0.5)
    ]
    for jobs, alone in ((bp, True), ([*bp, model("logistic", LOGISTIC)], False)):
        report = report_of(store, record_sweep(store, jobs), drawn=True)
        heat_map = next(picture for picture in report.pictures if picture.name == "heat-map")
        assert "of bp" in heat_map.title
        assert ("Settings of other models are not in it." in heat_map.description) is not alone


def test_jobs_reused_from_an_earlier_sweep_are_part_of_the_sweep(store: Store) -> None:
    earlier = model("logistic", LOGISTIC)
    record_sweep(store, [earlier])
    later = record_sweep(store, [model("bp", BP)], reused=[earlier])
    report = report_of(store, later)
    assert pairs(report.outcome) == [("bp", "logistic")]
    assert report.reused == 1
    assert report.method["Jobs"] == "2 (1 reused from earlier sweeps) of study"


def test_a_job_that_failed_and_then_succeeded_counts_as_finished(store: Store) -> None:
    sweep = record_sweep(store, [model("bp", BP, fate="FAILED"), model("logistic", LOGISTIC)])
    again = model("bp", BP)
    ended_of(again).log(store, Sweep(reading.get_run(store, sweep), {}))
    report = report_of(store)
    assert pairs(report.outcome) == [("bp", "logistic")]
    assert report.notes == ()


def test_an_interrupted_sweep_is_shown_and_not_compared(store: Store) -> None:
    jobs = [model("bp", BP), model("logistic", LOGISTIC), model("softmax", SOFTMAX, fate="absent")]
    record_sweep(store, jobs, status="KILLED")
    report = report_of(store)
    assert pairs(report.outcome) == []
    assert report.answer.startswith(
        "Nothing is compared: 1 of the 3 jobs of study has no result, as the sweep is killed"
    )
    assert len(report.outcome.settings) == 2
    assert "comparison.csv" not in files(report)


def test_a_sweep_without_any_job_is_refused(store: Store) -> None:
    record_sweep(store, [model("bp", BP, fate="absent")], status="KILLED")
    with pytest.raises(ComparisonError, match="no job of study has been recorded"):
        compare_sweeps(sweeps_of(store))


def test_several_sweeps_are_one_comparison(store: Store) -> None:
    runs = [
        record_sweep(store, [model(name, scores)], experiment=name, name=name, question=f"{name}?")
        for name, scores in (("bp", BP), ("logistic", LOGISTIC))
    ]
    report = report_of(store, *runs)
    assert pairs(report.outcome) == [("bp", "logistic")]
    assert (report.title, report.question) == ("bp and logistic", "bp?")
    assert report.commands[-1] == f"python -m src.compare --sweep {runs[0]} --sweep {runs[1]} --metric accuracy"
    again = record_sweep(store, [model("bp", SOFTMAX)], name="again")
    outcome = compare_sweeps(sweeps_of(store, *runs, again))
    (comparison,) = outcome.comparisons
    assert comparison.difference == pytest.approx(np.mean(SOFTMAX) - np.mean(LOGISTIC))
    assert any("stands in a sweep named later" in sentence for sentence in outcome.left_out)


def test_whose_sweep_it_was_is_told_of_each(store: Store) -> None:
    def of(user: str, name: str, **more: str) -> str:
        tags = {"mlflow.user": user, "host": "node7", **more}
        return record_sweep(store, [model(name, BP)], tags=tags, name=f"{user}'s")

    anna, ben = of("anna", "bp", slurm_job_id="4711"), of("ben", "logistic")
    assert report_of(store, anna).method["Run by"] == "anna on node7 (Slurm job 4711)"
    assert report_of(store, anna, ben).method["Run by"] == (
        "anna on node7 (Slurm job 4711): anna's; ben on node7: ben's"
    )
    assert "Run by" not in report_of(store, record_sweep(store, [model("bp", BP)], name="an old one")).method


def test_a_sweep_is_compared_by_what_it_was_asked_unless_told_otherwise(store: Store) -> None:
    jobs = [model("bp", BP), model("logistic", LOGISTIC), model("softmax", SOFTMAX)]
    record_sweep(store, jobs, metric="log_loss", baselines=["softmax"], confidence=0.9)
    sweeps = sweeps_of(store)
    own = compare_sweeps(sweeps)
    assert (own.metric, own.options.confidence) == ("test/log_loss", 0.9)
    assert pairs(own) == [("bp", "softmax"), ("logistic", "softmax")]
    other = compare_sweeps(sweeps, check({"comparison": {"metric": "macro_f1"}}).comparison)
    assert pairs(other) == [("bp", "logistic"), ("bp", "softmax")]
    assert [one.metric for one in other.comparisons] == ["test/macro_f1"] * 2
    with pytest.raises(ComparisonError, match="'sotfmax' is not among what is compared"):
        compare_sweeps(sweeps, check({"comparison": {"baselines": ["sotfmax"]}}).comparison)


def test_a_search_is_told_as_one(store: Store) -> None:
    record_sweep(store, [model("bp", BP, {"l2": 0.1}), model("bp", SOFTMAX, {"l2": 0.2})], search=True)
    report = report_of(store)
    (candidate,) = report.outcome.candidates
    assert candidate.selection == "search"
    assert "flatters" in report.answer
    assert "search" in report.method["Selection"]


def test_data_sets_are_described_and_warned_of_each_by_itself(store: Store) -> None:
    facts = {"iris": {"duplicates": 4}, "my data": {"identifiers": ("person",), "rarest": (3, "rare")}}
    jobs = [
        model(name, scores, dataset=data, data=data[0] * 64, folds=data, facts=facts[data])
        for data in facts
        for name, scores in (("bp", BP), ("logistic", LOGISTIC))
    ]
    record_sweep(store, jobs)
    report = report_of(store, drawn=True)
    assert [family.data for family in report.outcome.families] == list(facts)
    assert {"Data: iris", "Data: my data"} <= set(report.method)
    assert report.method["Data: iris"].startswith("iris: 20 rows, 3 features (a, b, c), 2 classes; a test's own rows;")
    duplicates, identifier, rare = report.notes
    assert duplicates.startswith("iris: 4 rows repeat an earlier one")
    assert "named like an identifier" in identifier
    assert rare.startswith("my data: the class rare has 3 rows, fewer than the 5 folds")
    assert [picture.name for picture in report.pictures] == ["differences", "models"]


def test_six_data_sets_are_put_together_in_a_figure_and_tables(store: Store) -> None:
    jobs = [
        model(name, np.add(scores, place / 100), dataset=f"set {place}", data=f"{place:02}" * 32)
        for place in range(6)
        for name, scores in (("bp", BP), ("logistic", LOGISTIC), ("softmax", SOFTMAX))
    ]
    record_sweep(store, jobs)
    report = report_of(store, drawn=True)
    assert [picture.name for picture in report.pictures] == ["differences", "critical-difference", "models"]
    headings = [heading for heading, _, _ in report.tables()]
    assert headings == ["Models", "Comparisons", "Over all data sets", "Pairs over all data sets"]
    content = json.loads(files(report)["comparison.json"])
    assert content["across"]["names"] == ["bp", "logistic", "softmax"]


def test_ranks_are_not_drawn_where_friedmans_test_shows_no_difference(store: Store) -> None:
    by_place = [(BP, LOGISTIC, SOFTMAX), (SOFTMAX, BP, LOGISTIC), (LOGISTIC, SOFTMAX, BP)] * 2
    jobs = [
        model(name, scores, dataset=f"set {place}", data=f"{place:02}" * 32)
        for place, every in enumerate(by_place)
        for name, scores in zip(("bp", "logistic", "softmax"), every, strict=True)
    ]
    record_sweep(store, jobs)
    report = report_of(store, drawn=True)
    assert [picture.name for picture in report.pictures] == ["differences", "models"]
    ranks = next(cells for heading, _, cells in report.tables() if heading == "Over all data sets")
    assert "It shows no difference, so ranks are given no critical difference." in ranks.notes


def test_method_and_commands_say_how_to_do_it_again(store: Store) -> None:
    tags = {"mlflow.source.git.commit": "c0ffee", "git_dirty": "true", "python": "3.11.7", "versions": "numpy 2.4"}
    jobs = [
        model(name, BP, {"learning_rate": rate}, code_version="one" if name == "bp" else "two")
        for name in ("bp", "logistic")
        for rate in (0.1, 0.3)
    ]
    sweep = record_sweep(store, jobs, tags=tags)
    report = report_of(store)
    assert report.method["Folds"].startswith("5 stratified folds, seed 0, SHA-256 folds")
    assert "other folds of the same repeat and seed" in report.method["Selection"]
    assert "model.name = bp, logistic; training.learning_rate = 0.1, 0.3" in report.method["Varied"]
    assert "training.epochs = 500" in report.method["Fixed"]
    assert report.method["Versions"] == "Python 3.11.7; numpy 2.4"
    assert report.method["Commit"] == "c0ffee with changes (to the files in changed_files.txt, an artifact of the run)"
    assert report.commands == (
        "git checkout c0ffee  # and the changes to the files in changed_files.txt",
        "python -m src.run experiments=study",
        f"python -m src.compare --sweep {sweep} --metric accuracy",
    )
    assert report.question == "Which model predicts best on made: bp or logistic?"
    assert "The jobs were run by different versions of the numerical code or its libraries." in report.notes


def test_published_scores_stand_beside_ours(store: Store) -> None:
    def published(model: str, metric: str, value: float) -> dict[str, object]:
        return {"data": "made", "model": model, "metric": metric, "value": value, "tolerance": 0.005, "source": "there"}

    values = [
        published("bp", "test/accuracy", 0.82),
        published("bp", "test/accuracy", 0.85),
        published("bp", "fitted/log_loss", 0.4),
        published("logistic", "fitted/log_loss", 0.4),
        published("softmax", "test/accuracy", 0.7),
    ]
    sweep = record_sweep(store, [model("bp", BP), model("logistic", LOGISTIC)], published=values)
    kept = next(
        run for run in reading.children(store, reading.get_run(store, sweep)) if run.params["model.name"] == "bp"
    )
    add_metrics(store, kept.run_id, {"fitted/log_loss": 0.4031})
    cells = published_cells(StoredRecord(store), compare_sweeps(sweeps_of(store)))
    assert cells is not None
    assert [(row[1], row[3], row[4], row[5]) for row in cells.rows] == [
        ("bp", "0.820", "0.820", "reproduced"),
        ("bp", "0.850", "0.820", "differs"),
        ("bp", "0.400", "0.403", "reproduced"),
        ("logistic", "0.400", "–", "not measured"),
        ("softmax", "0.700", "–", "not run"),
    ]


def test_hostile_names_stay_names(store: Store, all_hostile: list[str]) -> None:
    names = {
        "classes": tuple(all_hostile),
        "features": tuple(f"{name} 2" for name in all_hostile),
        "dataset": " ".join(all_hostile).replace("/", ""),
    }
    jobs = [model(name, scores, rows=60, **names) for name, scores in (("bp", BP), ("logistic", LOGISTIC))]
    record_sweep(store, jobs, name=" ".join(all_hostile), question=" ".join(all_hostile))
    made = files(report_of(store, drawn=True))
    assert b"<script>alert" not in made["comparison.html"]
    assert b"&lt;script&gt;alert" in made["comparison.html"]
    assert "逻辑回归" in made["comparison.md"].decode()
    assert json.loads(made["comparison.json"])["models"][0]["name"] == "bp"
    assert {"figures/confusion.svg", "figures/learning-curves.svg"} <= set(made)
