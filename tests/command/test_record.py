"""What MLflow holds of a sweep: parent and jobs as they ended, what is reused, what failed, and running it again."""

import csv
import io
import math

import pytest
from mlflow.entities import Run

from src.config.identity import code_version
from src.data import load
from src.evaluation.folds import folds_digest, make_folds
from tests.stores import Record, computed, same

QUICK = ("training.epochs=20", "cv.folds=3")
RATES = "training.learning_rate=0.1,0.5"
NEIGHBORS = ("model=sklearn", "model.estimator=sklearn.neighbors.KNeighborsClassifier", "cv.folds=3")
TEST_SCORES = {"accuracy", "balanced_accuracy", "log_loss", "macro_f1", "roc_auc"}


def rates(runs: list[Run]) -> list[str]:
    return sorted(run.data.params["training.learning_rate"] for run in runs)


@pytest.fixture(scope="module")
def recorded(shared: Record) -> tuple[Run, list[Run]]:
    """A sweep of three jobs, one of them scikit-learn's."""
    ended = shared.run("-m", "model=bp,logistic,sklearn_logistic", *QUICK, "tracking.experiment=whole")
    assert ended.status == 0, ended.err
    (parent,) = shared.parents("whole")
    return parent, shared.children(parent)


def test_a_sweep_is_a_finished_parent_with_a_finished_run_for_each_job(
    shared: Record, recorded: tuple[Run, list[Run]]
) -> None:
    parent, jobs = recorded
    assert {run.info.status for run in [parent, *jobs]} == {"FINISHED"}
    assert sorted(run.data.params["model.name"] for run in jobs) == ["bp", "logistic", "sklearn_logistic"]
    assert len({run.data.tags["job_digest"] for run in jobs}) == 3
    for run in jobs:
        names = set(run.data.metrics)
        assert {f"{part}/{score}" for part in ("test", "train") for score in TEST_SCORES} <= names
        assert {"std/accuracy", "time/fit"} <= names


def test_a_jobs_params_are_what_it_uses(recorded: tuple[Run, list[Run]]) -> None:
    params = {run.data.params["model.name"]: run.data.params for run in recorded[1]}
    assert params["bp"]["model.hidden_layer_sizes"] == "[4]"
    assert params["bp"]["training.epochs"] == "20"
    assert "model.hidden_layer_sizes" not in params["logistic"]
    assert "training.epochs" not in params["sklearn_logistic"]
    assert {each["data.name"] for each in params.values()} == {"ex4"}


def test_tags_say_what_the_numbers_come_from(recorded: tuple[Run, list[Run]]) -> None:
    data = load("ex4")
    for run in recorded[1]:
        assert run.data.tags["data_digest"] == data.digest
        assert run.data.tags["folds_digest"] == folds_digest(make_folds(data.target, folds=3, seed=0))
        assert run.data.tags["code_version"] == code_version()
        assert run.data.tags["git_dirty"] in ("true", "false", "unknown")
        assert run.data.tags["sweep_digest"] == recorded[0].data.tags["sweep_digest"]
        assert run.data.tags["command"].startswith("python ")


def test_artifacts_of_a_sweep_and_its_jobs(shared: Record, recorded: tuple[Run, list[Run]]) -> None:
    parent, jobs = recorded
    assert {"jobs.json", "leaderboard.csv", "comparison.html"} <= shared.artifacts(parent)
    table = list(csv.DictReader(io.StringIO(shared.artifact(parent, "leaderboard.csv"))))
    assert len(table) == 3
    for run in jobs:
        assert {"config.yaml", "overrides.yaml", "fold_scores.csv", "predictions.csv"} <= shared.artifacts(run)
        assert len(shared.artifact(run, "predictions.csv").splitlines()) == 1 + 80  # every row is tested once
        assert len(shared.artifact(run, "fold_scores.csv").splitlines()) == 1 + 3


def test_a_command_alone_gives_the_same_metrics_twice(shared: Record) -> None:
    for _ in range(2):
        assert shared.single(*QUICK, "tracking.experiment=twice").status == 0
    first, second = shared.runs("twice")
    assert same(computed(first), computed(second))
    assert first.data.tags["job_digest"] == second.data.tags["job_digest"]
    assert "mlflow.parentRunId" not in first.data.tags


def test_what_is_recorded_is_not_trained_again_unless_asked(shared: Record) -> None:
    where = "tracking.experiment=reuse"
    assert shared.sweep(*QUICK, RATES, where).status == 0
    (first,) = shared.parents("reuse")

    again = shared.sweep(*QUICK, RATES, where)
    assert again.status == 0, again.err
    assert "2 jobs of 2 reused" in again.out
    assert len(shared.runs("reuse")) == 3

    grown = shared.sweep(*QUICK, f"{RATES},0.9", where)
    assert grown.status == 0, grown.err
    assert "2 jobs of 3 reused" in grown.out
    (second,) = [run for run in shared.parents("reuse") if run.info.run_id != first.info.run_id]
    assert rates(shared.children(first)) == ["0.1", "0.5"]
    assert rates(shared.children(second)) == ["0.9"]
    leaderboard = list(csv.DictReader(io.StringIO(shared.artifact(second, "leaderboard.csv"))))
    assert {row["training.learning_rate"]: row["run_id"] for row in leaderboard} == {
        run.data.params["training.learning_rate"]: run.info.run_id
        for run in [*shared.children(first), *shared.children(second)]
    }
    assert "Reused from the record: 2 of 3 jobs." in " ".join(grown.out.split())

    anew = shared.sweep(*QUICK, RATES, where, "sweep.reuse=false")
    assert anew.status == 0, anew.err
    (third,) = [
        run for run in shared.parents("reuse") if run.info.run_id not in (first.info.run_id, second.info.run_id)
    ]
    trained = {run.data.tags["job_digest"]: computed(run) for run in shared.children(third)}
    before = {run.data.tags["job_digest"]: computed(run) for run in shared.children(first)}
    assert set(trained) == set(before)
    assert all(same(trained[digest], before[digest]) for digest in before)


def test_a_job_that_diverges_is_finished_and_says_so(shared: Record) -> None:
    ended = shared.sweep(
        *(*QUICK, "tracking.experiment=diverged", "training.learning_rate=0.1,1e6", "model.activation=relu"),
        *("model.output=identity", "model.loss=squared_error"),
    )
    assert ended.status == 0, ended.err
    (parent,) = shared.parents("diverged")
    runs = {run.data.params["training.learning_rate"]: run for run in shared.children(parent)}
    assert {run.info.status for run in [parent, *runs.values()]} == {"FINISHED"}
    diverged = next(run for rate, run in runs.items() if float(rate) == 1e6)
    assert diverged.data.tags["diverged"] == "true"
    assert 1 <= int(diverged.data.tags["diverged_epoch"]) <= 20
    assert all(math.isnan(diverged.data.metrics[f"test/{score}"]) for score in TEST_SCORES)
    assert "diverged" not in runs["0.1"].data.tags
    assert math.isfinite(runs["0.1"].data.metrics["test/accuracy"])


def test_a_job_that_fails_is_recorded_and_told_and_the_others_are_finished(shared: Record) -> None:
    # so many neighbors are a valid parameter; that there are fewer rows only shows when they are looked for
    ended = shared.sweep(*NEIGHBORS, "+model.params.n_neighbors=3,1000,5", "tracking.experiment=failed")
    assert ended.status == 1
    (line,) = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    assert "model.params.n_neighbors=1000" in line
    assert "ValueError" in line
    (parent,) = shared.parents("failed")
    assert parent.info.status == "FAILED"
    runs = {run.data.params["model.params.n_neighbors"]: run for run in shared.children(parent)}
    assert {key: run.info.status for key, run in runs.items()} == {"3": "FINISHED", "5": "FINISHED", "1000": "FAILED"}
    assert "n_neighbors" in shared.artifact(runs["1000"], "traceback.txt")
    assert runs["1000"].data.tags["error_type"] == "ValueError"
    assert "test/accuracy" not in runs["1000"].data.metrics


def test_a_failure_can_stop_the_sweep(shared: Record) -> None:
    ended = shared.sweep(
        *NEIGHBORS, "+model.params.n_neighbors=1000,3,5", "tracking.experiment=stopped", "sweep.on_failure=stop"
    )
    assert ended.status == 1
    assert "sweep.on_failure=stop" in ended.err
    (parent,) = shared.parents("stopped")
    assert parent.info.status == "FAILED"
    assert [run.info.status for run in shared.children(parent)] == ["FAILED"]


def test_one_bad_value_among_several_is_refused_before_anything_is_recorded(record: Record) -> None:
    ended = record.sweep(*QUICK, "training.learning_rate=0.1,0.2,-1,0.4")
    assert ended.status == 2
    assert "training.learning_rate" in ended.err
    assert "-1" in ended.err
    assert record.runs() == []


def test_running_a_recorded_job_again(shared: Record, recorded: tuple[Run, list[Run]]) -> None:
    run = next(run for run in recorded[1] if run.data.params["model.name"] == "bp")
    again = shared.run(run.info.run_id, "--uri", shared.uri, module="src.rerun")
    assert again.status == 0, again.out + again.err
    equal, _, total = again.out.splitlines()[0].partition(" of ")
    assert total == f"{equal} metrics equal to the last bit"
    assert int(equal) > len(TEST_SCORES)

    unknown = shared.run("0" * 32, "--uri", shared.uri, module="src.rerun")
    assert unknown.status == 2
    assert unknown.err.startswith("error: there is no run")
