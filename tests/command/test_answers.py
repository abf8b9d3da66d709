"""What the end of a sweep claims of its models, and what it does not claim."""

import csv
import html
import io
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow.entities import Run
from scipy import stats

from tests.stores import Record

SAME_ROWS = "Models that are compared were trained and tested on the same rows."


@pytest.fixture(scope="module")
def drawn(shared: Record) -> Record:
    """The store that the tests share; figures are made, where outcomes are odd."""
    return replace(shared, with_figures=True)


def words(text: str) -> str:
    """What was printed, whatever the lines it was folded into."""
    return " ".join(text.split())


def answered(record: Record, experiment: str, *arguments: str) -> tuple[str, dict[str, Any]]:
    """Run a sweep; return what it printed, and the comparison among its artifacts."""
    ended = record.sweep(*arguments, f"tracking.experiment={experiment}")
    assert ended.status == 0, ended.err
    content: dict[str, Any] = json.loads(record.artifact(parent_of(record, experiment), "comparison.json"))
    assert content["answer"] in words(ended.out)
    return words(ended.out), content


def parent_of(record: Record, experiment: str) -> Run:
    """The latest sweep of an experiment."""
    return record.parents(experiment)[-1]


def folds_of(record: Record, run: Run) -> dict[str, np.ndarray]:
    rows = list(csv.DictReader(io.StringIO(record.artifact(run, "fold_scores.csv"))))
    return {name: np.array([float(row[name] or "nan") for row in rows]) for name in rows[0]}


def plain_p(ours: np.ndarray, theirs: np.ndarray, overlap: float) -> float:
    """P of the corrected resampled t-test (Nadeau and Bengio 2003), blind to how the two were chosen."""
    difference, count = ours - theirs, len(ours)
    t = difference.mean() / math.sqrt(difference.var(ddof=1) * (1 / count + overlap))
    return float(2 * stats.t.sf(abs(t), count - 1))


def table_of(file: Path, rows: int, seed: int, signal: float) -> str:
    """A user's table of numbers whose class follows from the first, or from nothing."""
    random = np.random.default_rng(seed)
    lines = []
    for _ in range(rows):
        values = random.normal(size=3)
        label = "yes" if signal * values[0] + random.normal() > 0 else "no"
        lines.append(",".join(f"{value:.3f}" for value in values) + f",{label}")
    file.write_text("\n".join(["u,v,w,kind", *lines]) + "\n")
    return str(file)


def test_two_folds_do_not_show_a_difference_however_alike_they_are(drawn: Record) -> None:
    said, content = answered(drawn, "two folds", "model=bp,logistic", "data=ex4", "cv.folds=2", "seed=9")
    by_model = {run.data.params["model.name"]: run for run in drawn.children(parent_of(drawn, "two folds"))}
    bp, logistic = (folds_of(drawn, by_model[name])["test/accuracy"] for name in ("bp", "logistic"))
    assert np.ptp(bp - logistic) < 1e-12  # without a floor under the variance this is certainty
    (one,) = content["comparisons"]
    assert one["verdict"] == "undecided"
    assert one["low"] < 0 < one["high"]
    assert one["p_holm"] > 0.05
    assert "No difference can be told between bp and logistic (accuracy −0.025, 95% interval −0.300 to +0.250" in said
    assert "worse" not in said


def test_twelve_rows_without_an_error_do_not_show_that_models_are_equal(drawn: Record, tmp_path: Path) -> None:
    rows = [f"{row + 10 * (row > 5)},{row % 3},{'ab'[row > 5]}" for row in range(12)]
    (tmp_path / "tiny.csv").write_text("\n".join(["x,y,kind", *rows]))
    said, content = answered(
        *(drawn, "tiny", "data=csv", f"data.path={tmp_path}/tiny.csv", "model=softmax,logistic", "cv.folds=3"),
        *("training.learning_rate=1", "training.epochs=100"),
    )
    assert [one["fold_scores"] for one in content["models"]] == [[1.0] * 3] * 2
    (one,) = content["comparisons"]
    assert one["verdict"] == "undecided"
    # One row of four decided otherwise in one of three folds, with the correction for folds that overlap by half.
    half = stats.t.ppf(0.975, 2) * math.sqrt((1 / 4) ** 2 / 3 * (1 / 3 + 4 / 8))
    assert (one["low"], one["high"]) == pytest.approx((-half, half))
    assert half == pytest.approx(0.57, abs=0.005)
    assert "No difference can be told between softmax and logistic (accuracy 0.000, 95% interval −0.567 to" in said
    assert "equal in practice" not in said


GRID = (
    *("model.hidden_layer_sizes=[2],[4],[8]", "training.learning_rate=0.3,1,3", "training.l2=0,0.01,0.1"),
    *("training.epochs=40", "cv.folds=5", "cv.repeats=2"),
)


def test_the_best_of_many_settings_on_random_labels_shows_no_difference(drawn: Record, tmp_path: Path) -> None:
    random = np.random.default_rng(20)
    rows = [
        ",".join(f"{value:.2f}" for value in random.normal(size=3)) + f",{random.choice(['no', 'yes'])}"
        for _ in range(50)
    ]
    (tmp_path / "noise.csv").write_text("\n".join(["a,b,c,kind", *rows]))
    file = ("data=csv", f"data.path={tmp_path}/noise.csv")
    one_model = "[{model: bp, %s}, {model: logistic, training.learning_rate: 0.3, training.epochs: 40, %s}]"
    split = "cv.folds: 5, cv.repeats: 2"
    network = ", ".join(f"{key}: '{values}'" for key, _, values in (axis.partition("=") for axis in GRID))
    grids = f"hydra.sweeper.params={one_model % (network, split)}"
    said, content = answered(drawn, "noise", *file, grids)

    models = {one["name"]: one for one in content["models"]}
    assert (models["bp"]["settings_tried"], models["bp"]["selection"]) == (27, "other folds")
    runs = {run.info.run_id: run for run in drawn.children(parent_of(drawn, "noise"))}
    (logistic,) = [run for run in runs.values() if run.data.params["model.name"] == "logistic"]
    best = max(run.data.metrics["test/accuracy"] for run in runs.values())
    (chosen,) = {
        tuple(folds_of(drawn, run)["test/accuracy"])
        for run in runs.values()
        if run.data.metrics["test/accuracy"] == best
    }
    baseline = folds_of(drawn, logistic)["test/accuracy"]
    assert plain_p(np.array(chosen), baseline, 1 / 4) < 0.05  # on the folds that chose it, it looks better
    assert models["bp"]["best_setting_score"] == pytest.approx(best)
    assert models["bp"]["mean"] < best
    (one,) = content["comparisons"]
    assert (one["model"], one["baseline"], one["verdict"]) == ("bp", "logistic", "undecided")
    assert "No difference can be told between bp and logistic" in said
    assert f"Each fold is scored by a setting that the other folds chose: bp {models['bp']['mean']:.3f}" in said
    assert f"accuracy {best:.3f} ± " in said
    assert "on the folds that chose it." in said
    assert "Tuned with unequal effort: 27 settings of bp, 1 of logistic." in said


def test_the_number_of_comparisons_that_an_answer_is_corrected_for_is_told(shared: Record) -> None:
    said, content = answered(
        *(shared, "corrected", "model=bp,logistic,softmax,sklearn_logistic", "training.epochs=20", "cv.folds=3"),
    )
    assert [one["tests"] for one in content["comparisons"]] == [3] * 3
    assert "corrected for 3 comparisons" in said
    # Without the network the yardstick is picked as the best, so that all pairs were looked at.
    said, content = answered(
        shared, "corrected", "model=logistic,softmax,sklearn_logistic", "training.epochs=20", "cv.folds=3"
    )
    assert [one["tests"] for one in content["comparisons"]] == [3] * 2
    said, content = answered(
        *(shared, "corrected", "model=logistic,softmax,sklearn_logistic", "training.epochs=20", "cv.folds=3"),
        "comparison.baselines=[softmax]",
    )
    assert [(one["baseline"], one["tests"]) for one in content["comparisons"]] == [("softmax", 2)] * 2
    assert "corrected for 2 comparisons" in said


def test_a_baseline_is_named_as_its_model_was_chosen(shared: Record) -> None:
    for named in ("knn", "KNeighborsClassifier"):
        common = ("model=bp,knn,svm", "training.epochs=20", "cv.folds=3", f"comparison.baselines=[{named}]")
        _, content = answered(shared, "choices", *common)
        assert {(one["model"], one["baseline"]) for one in content["comparisons"]} == {("bp", "knn"), ("svm", "knn")}
    compared = shared.run("choices", "--baseline", "svm", "--format", "json", module="src.compare")
    assert {one["baseline"] for one in json.loads(compared.out)["comparisons"]} == {"svm"}, compared.err


def test_ties_inside_training_parts_do_not_depend_on_the_order_typed(drawn: Record) -> None:
    common = ("data=ex4", "cv.inner_folds=3", "training.epochs=20")
    contents = []
    for order in ("0.3,0.5,1", "1,0.5,0.3"):
        name = f"first {order.partition(',')[0]}"
        contents.append(answered(drawn, name, *common, f"training.learning_rate={order}")[1])
    runs = drawn.children(parent_of(drawn, "first 0.3"))
    folds = [folds_of(drawn, run) for run in runs]
    inner, test = (np.array([each[f"{part}/accuracy"] for each in folds]) for part in ("inner", "test"))
    tied = np.isclose(inner, inner.max(axis=0))
    assert any(len(set(test[tied[:, fold], fold])) > 1 for fold in range(5))  # it would matter
    first, second = ([(one["mean"], one["fold_scores"]) for one in each["models"]] for each in contents)
    assert first == second
    assert contents[0]["answer"] == contents[1]["answer"]
    assert contents[0]["models"][0]["selection"] == "nested"


def test_the_same_rows_are_claimed_only_where_something_was_compared(drawn: Record) -> None:
    quick = ("training.epochs=2",)
    _, compared = answered(drawn, "compared", "model=logistic,softmax", "cv.folds=2", *quick)
    assert compared["method"]["Folds"].endswith(SAME_ROWS)
    page = drawn.artifact(parent_of(drawn, "compared"), "comparison.html")
    assert SAME_ROWS in page
    for name, sweep in (("apart", ("cv.folds=2,3",)), ("alone", ("seed=0,1", "cv.folds=2"))):
        said, content = answered(drawn, name, *sweep, *quick)
        assert content["comparisons"] == []
        assert "same rows" not in json.dumps(content["method"])
        assert "same rows" not in drawn.artifact(parent_of(drawn, name), "comparison.html")
    said, _ = answered(drawn, "apart", "cv.folds=2,3", *quick)
    assert "Nothing is compared: 'folds=3' and 'folds=2' were scored on different folds" in said.replace(
        "'folds=2' and 'folds=3'", "'folds=3' and 'folds=2'"
    )


def test_three_files_are_three_data_sets_ranked_together_and_not_tested(drawn: Record, tmp_path: Path) -> None:
    files = [
        table_of(tmp_path / f"{name}.csv", 40, seed, 1.5) for seed, name in enumerate(("spring", "fall", "winter"))
    ]
    said, content = answered(
        *(drawn, "three", "data=csv", f"data.path={','.join(files)}", "model=bp,logistic", "training.epochs=30"),
    )
    assert [one["data"] for one in content["models"]] == ["spring"] * 2 + ["fall"] * 2 + ["winter"] * 2
    across = content["across"]
    assert across["data"] == ["spring", "fall", "winter"]
    scores = {(one["data"], one["name"]): one["mean"] for one in content["models"]}
    table = np.array([[scores[data, name] for data in across["data"]] for name in across["names"]])
    assert across["ranks"] == pytest.approx(stats.rankdata(-np.round(table, 9), axis=0).mean(axis=1))
    assert [pair["p_holm"] for pair in across["pairs"]] == [None]
    assert "model mean rank spring fall winter" in said
    for name, rank in zip(across["names"], across["ranks"], strict=True):
        assert f"{name} {rank:.2f} " in said
    assert (
        "3 data sets cannot reach p < 0.05 by Wilcoxon's test (0.25 is the least), so nothing is tested over data sets."
        in said
    )
    page = html.unescape(drawn.artifact(parent_of(drawn, "three"), "comparison.html"))
    assert "Mean ranks over the data sets" in page
    assert "cannot reach p < 0.05" in page


def test_six_files_are_tested(drawn: Record, tmp_path: Path) -> None:
    files = [table_of(tmp_path / f"{name}.csv", 40, seed, 4.0) for seed, name in enumerate("abcdef")]
    data = ("data=csv", f"data.path={','.join(files)}", "cv.folds=3")
    weak = ("training.epochs=3", "training.learning_rate=0.2")
    said, content = answered(drawn, "six", *data, *weak, "model=logistic,bp")
    assert content["across"]["data"] == list("abcdef")
    (pair,) = content["across"]["pairs"]
    assert (pair["model"], pair["baseline"], pair["losses"]) == ("bp", "logistic", 6)
    assert pair["p_holm"] == pair["p"] == 2 / 2**6  # the least that six data sets can reach
    assert "bp is worse than logistic (p = 0.031)." in said
    assert content["across"]["friedman"] is None  # two are a pair

    said, content = answered(drawn, "six", *data, *weak, "model=logistic,bp,softmax")
    across = content["across"]
    scores = {(one["data"], one["name"]): one["mean"] for one in content["models"]}
    rows = {name: np.round([scores[data, name] for data in across["data"]], 9) for name in across["names"]}
    assert across["friedman"] == pytest.approx(stats.friedmanchisquare(*rows.values()).pvalue)
    assert [pair["baseline"] for pair in across["pairs"]] == [name for name in across["names"] if name != "bp"]
    for pair in across["pairs"]:
        exact = stats.wilcoxon(rows["bp"] - rows[pair["baseline"]], zero_method="pratt", method=every_sign())
        assert pair["p"] == pytest.approx(exact.pvalue)
    assert "Friedman's test over all: p = " in said
    assert "with Holm's correction for 2 pairs" in said
    assert "figures/critical-difference.svg" in drawn.artifacts(parent_of(drawn, "six"), "figures")


def every_sign() -> stats.PermutationMethod:
    return stats.PermutationMethod(n_resamples=2**20)  # more than there are, so that all are gone through


def test_another_metric_is_another_question_over_the_same_jobs(shared: Record) -> None:
    common = ("model=bp,logistic", "training.epochs=20", "cv.folds=3")
    answered(shared, "asked", *common)
    said, content = answered(shared, "asked", *common, "comparison.metric=log_loss")
    assert "2 jobs of 2 reused from the record" in said
    first, second = shared.parents("asked")
    assert (len(shared.children(first)), len(shared.children(second))) == (2, 0)
    assert first.data.tags["sweep_digest"] != second.data.tags["sweep_digest"]
    assert [run.data.params["comparison.metric"] for run in (first, second)] == ["test/accuracy", "test/log_loss"]
    assert content["metric"] == "test/log_loss"
    assert second.data.tags["answer"] == content["answer"]
    assert "(log loss " in content["answer"]
    assert "best log loss first." in said
    losses = {run.info.run_id: run.data.metrics["test/log_loss"] for run in shared.children(first)}
    assert second.data.tags["best_run"] == min(losses, key=losses.__getitem__)
    # Typed a third time, the sweep is there already.
    again, _ = answered(shared, "asked", *common, "comparison.metric=log_loss")
    assert content["answer"] in again
    assert len(shared.parents("asked")) == 2


def test_a_job_alone_tells_that_what_it_solves_has_no_solution(shared: Record) -> None:
    for penalty, is_told in ((0, True), (1e-4, False)):
        ended = shared.single("model=sklearn_logistic", "data=wine", "cv.folds=2", f"training.l2={penalty}")
        assert ended.status == 0, ended.err
        assert ("has every row of 2 of 2 training parts right" in " ".join(ended.out.split())) == is_told


@pytest.mark.parametrize("question", [None, "Is a flower a student?"])
def test_over_other_data_a_study_does_not_ask_of_its_own_and_the_page_is_where_it_is_told(
    shared: Record, question: str | None
) -> None:
    asked = () if question is None else (f"comparison.question='{question}'",)
    few = ("experiments=homework5", "data=iris", "model=bp,softmax", "training.epochs=2", "tracking.models=none")
    ended = shared.run(*few, *asked)
    assert ended.status == 0, ended.err
    (told,) = [line for line in ended.out.splitlines() if line.startswith("The page: ")]
    page = html.unescape((shared.folder / told.removeprefix("The page: ")).read_text())
    assert "students" not in page.replace(str(question), "")
    assert question or "Which model predicts best on iris: softmax or bp?" in page
    assert str(question or "") in page


def test_over_its_own_data_a_study_asks_its_question(shared: Record) -> None:
    few = (
        "experiments=homework5",
        "model=bp,softmax",
        "data.scale=minmax",
        "training.epochs=2",
        "tracking.models=none",
    )
    ended = shared.run(*few)
    assert ended.status == 0, ended.err
    assert "on the students of ex4?" in shared.artifact(parent_of(shared, "homework5"), "comparison.md")
