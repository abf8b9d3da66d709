"""What MLflow's room reads back becomes what this room shows."""

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from src.evaluation.metrics import score
from src.evaluation.results import Curve, FoldResult, JobResult
from src.report import runs_table
from src.report.figures import fold_curves, out_of_fold
from src.report.recorded import recorded_classes, recorded_curves, recorded_predictions
from src.report.runs import jobs_table
from src.report.tables import best_line, leaderboard_cells
from src.tracking import reading
from src.tracking.records import DatasetFacts, Failure, JobRecord
from src.tracking.runs import finish_sweep, log_job, start_sweep
from src.tracking.store import Store, open_store

TARGET = np.arange(12) % 2
CLASSES = ('yes, "a"', "否|<b>")


def result(*, diverged: bool = False) -> JobResult:
    random = np.random.default_rng(1)
    folds = []
    for number in range(3):
        test = np.arange(number, 12, 3)
        second = random.random(4)
        lost = diverged and number == 1
        probabilities = np.column_stack([1 - second, second]) * (np.nan if lost else 1)
        scores = score(TARGET[test], probabilities)
        curve = Curve(np.arange(1, 6), random.random(5), random.random(5))
        folds.append(
            FoldResult(
                repeat=0,
                fold=number,
                test_scores=scores,
                train_scores=scores,
                test_index=test,
                test_target=TARGET[test],
                probabilities=probabilities,
                n_train=8,
                parameters=None,
                curve=curve,
                epochs=5,
                diverged_epoch=6 if lost else None,
                fit_seconds=0.1,
            )
        )
    return JobResult(tuple(folds))


def record(name: str, made: JobResult | None, **params: object) -> JobRecord:
    now = time.time()
    return JobRecord(
        name=name,
        digest=name * 8,
        config={},
        overrides=[],
        params={"model.name": "bp", "training.l2": 0.001, "data.path": None, "cv.folds": 3, **params},
        dataset=DatasetFacts("d", "ab" * 32, "here", 12, {"a": "double"}, CLASSES),
        target=TARGET,
        started=now - 1,
        ended=now,
        status="FINISHED" if made else "FAILED",
        result=made,
        failure=None if made else Failure("ValueError", "no luck", "Traceback"),
    )


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    return open_store()


def test_recorded_jobs_come_back(store: Store) -> None:
    sweep = start_sweep(store, experiment="study", name="s", digest="d" * 64, jobs=[], tags={})
    made, diverged = result(), result(diverged=True)
    log_job(store, sweep, record("one", made, **{"training.learning_rate": 0.1}))
    log_job(store, sweep, record("two", diverged, **{"training.learning_rate": 30.0}))
    log_job(store, sweep, record("bad", None, **{"training.learning_rate": -1.0}))
    finish_sweep(store, sweep, "FAILED")

    table = runs_table("study").sort_values("name", ascending=False)
    assert list(table["name"]) == ["two", "one", "bad"]
    assert list(table["status"]) == ["FINISHED", "FINISHED", "FAILED"]
    assert list(table["training.learning_rate"]) == ["30.0", "0.1", "-1.0"]
    assert list(table["error"].isna()) == [True, True, False]
    assert table["data.path"].isna().all()
    for metric, value in made.metrics().items():
        assert table.loc[table["name"] == "one", metric].item() == pytest.approx(value, rel=0, abs=0, nan_ok=True)
    cells = leaderboard_cells(table)
    assert [row[:2] for row in cells.rows] == [("bp", "0.1"), ("bp", "30"), ("bp", "-1")]
    assert [row[2] for row in cells.rows][1:] == ["diverged", "failed"]
    assert "no luck" in cells.warnings[0]
    assert best_line(table).startswith("Result: bp (learning_rate=0.1), accuracy ")

    runs = {run.name: run for run in reading.children(store, reading.sweeps(store)[0])}
    for name, expected in (("one", made), ("two", diverged)):
        table_of_predictions = reading.predictions(store, runs[name])
        back, before = recorded_predictions(table_of_predictions), out_of_fold(expected, TARGET)
        np.testing.assert_array_equal(back.fold, before.fold)
        np.testing.assert_array_equal(back.target, before.target)
        np.testing.assert_array_equal(back.probabilities, before.probabilities)
        assert recorded_classes(table_of_predictions) == CLASSES

        curves = reading.curves(store, runs[name])
        assert curves is not None
        pairs = zip(recorded_curves(curves, reading.fold_scores(store, runs[name])), fold_curves(expected), strict=True)
        for one, other in pairs:
            np.testing.assert_array_equal(one.epochs, other.epochs)
            np.testing.assert_array_equal(one.train_loss, other.train_loss)
            np.testing.assert_array_equal(one.test_loss, other.test_loss)


def test_a_table_without_runs_is_a_table_of_no_jobs() -> None:
    fixed = ["run_id", "experiment_id", "parent_id", "name", "status", "started", "ended"]
    table = jobs_table(pd.DataFrame(columns=fixed))
    assert table.empty
    assert set(table.columns) == {*fixed, "error"}
    assert leaderboard_cells(table).rows == ()
