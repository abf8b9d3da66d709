"""The main job, end to end: the homework's comparison from its YAML to MLflow."""

import re
from pathlib import Path

import pytest
from mlflow.entities import Run
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from src.data import load
from src.evaluation.folds import folds_digest, make_folds
from tests.stores import Homework

MODELS = ("bp", "logistic", "softmax")


@pytest.fixture(scope="module")
def runs(homework: Homework) -> tuple[Run, dict[str, Run]]:
    """The sweep's run, and the jobs' runs by model."""
    (parent,) = homework.parents("homework5")
    return parent, {run.data.params["model.name"]: run for run in homework.children(parent)}


def converged_accuracy() -> float:
    """What scikit-learn's LogisticRegression scores on the same folds."""
    data = load("ex4")
    x, y = data.features.to_numpy(), data.target
    scores = []
    for fold in make_folds(y, folds=5, seed=0):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=float("inf"))).fit(x[fold.train], y[fold.train])
        scores.append(model.score(x[fold.test], y[fold.test]))
    return sum(scores) / len(scores)


def test_the_three_models_score_what_a_converged_logistic_regression_does(runs: tuple[Run, dict[str, Run]]) -> None:
    _, children = runs
    assert set(children) == set(MODELS)
    for run in children.values():
        assert abs(run.data.metrics["test/accuracy"] - converged_accuracy()) * 80 < 2.5


def test_all_three_are_scored_on_the_same_folds(runs: tuple[Run, dict[str, Run]]) -> None:
    _, children = runs
    expected = folds_digest(make_folds(load("ex4").target, folds=5, seed=0))
    assert {run.data.tags["folds_digest"] for run in children.values()} == {expected}


def test_the_record_is_finished_and_nested(runs: tuple[Run, dict[str, Run]]) -> None:
    parent, children = runs
    assert parent.info.status == "FINISHED"
    assert parent.info.run_name == "homework5"
    assert all(run.info.status == "FINISHED" for run in children.values())
    assert {run.data.tags["mlflow.parentRunId"] for run in children.values()} == {parent.info.run_id}


def test_the_artifacts_are_there(homework: Homework, runs: tuple[Run, dict[str, Run]]) -> None:
    parent, children = runs
    assert {"jobs.json", "leaderboard.csv"} <= homework.artifacts(parent)
    expected = {"config.yaml", "overrides.yaml", "fold_scores.csv", "predictions.csv", "curves.csv"}
    for run in children.values():
        assert expected <= homework.artifacts(run)
        drawn = "figures/learning_curve.png" in homework.artifacts(run, "figures")
        assert drawn == (run.info.run_id == parent.data.tags["best_run"])
        assert run.outputs.model_outputs


def test_what_is_printed(homework: Homework) -> None:
    lines = homework.ended.out.splitlines()
    assert all(any(model in line for line in lines) for model in MODELS)
    assert any("python -m src.ui" in line for line in lines)
    assert re.match(r"http://127\.0\.0\.1:50\d\d/#/experiments/", lines[-1])
    assert "/runs?workflowType=machine_learning" in lines[-1]


def test_the_figures_of_ex4_are_the_projects_own() -> None:
    tables = Path(__file__).resolve().parents[1] / "src" / "data" / "tables"
    assert len((tables / "ex4.csv").read_text().splitlines()) == 81
