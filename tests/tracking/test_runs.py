import dataclasses
import json
import math
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from mlflow import MlflowClient

from src.config import check
from src.evaluation.metrics import METRICS
from src.evaluation.results import Failure
from src.tracking import reading
from src.tracking.artifacts import local_folder
from src.tracking.errors import TrackingError
from src.tracking.opening import experiment_id
from src.tracking.runs import AskedSweep, add_metrics, finish_sweep, log_jobs, reopen_sweep, start_sweep
from tests.tracking.conftest import finished, logged


def fresh(store):
    return MlflowClient(store.address)


def test_a_sweep_is_running_until_it_is_ended_and_its_jobs_are_listed_before(store, sweep):
    run = fresh(store).get_run(sweep.run_id)
    assert run.info.status == "RUNNING"
    assert run.info.run_name == "sweep"
    assert run.data.tags["sweep_digest"] == "s" * 64
    assert reading.recorded_jobs(store, reading.get_run(store, sweep.run_id)) == [{"digest": "a"}, {"digest": "b"}]


def test_everything_of_a_job_is_read_back(store, sweep, make_job):
    job = make_job()
    run = fresh(store).get_run(logged(store, sweep, job))

    assert run.info.status == "FINISHED"
    assert run.info.run_name == "lr 0.1"
    assert (run.info.start_time, run.info.end_time) == (int(job.started * 1000), int(job.ended * 1000))
    params = run.data.params
    assert (params["model.name"], params["model.hidden_layer_sizes"]) == ("bp", "[4, 2]")
    assert (params["training.l2"], params["tracking.register"], params["seed"]) == ("0.001", "null", "0")
    assert "model.estimator" not in params, "a key that means nothing for the job"
    expected = job.result.metrics()
    assert expected["parameters"] == 17
    assert {name: run.data.metrics[name] for name in expected} == pytest.approx(expected, abs=0, nan_ok=True)
    tags = run.data.tags
    assert tags["mlflow.parentRunId"] == sweep.run_id
    assert (tags["job_digest"], tags["sweep_digest"]) == (job.job.digest, "s" * 64)
    assert (tags["folds_digest"], tags["data_digest"], tags["git"]) == ("f" * 64, "ab" * 32, "x")
    (used,) = run.inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("ex4", "abababab")
    assert [column["name"] for column in json.loads(used.dataset.schema)["mlflow_colspec"]] == ["exam1", "b"]
    assert [(tag.key, tag.value) for tag in used.tags] == [("mlflow.data.context", "training")]
    paths = {item.path for item in fresh(store).list_artifacts(run.info.run_id)}
    tables = {"fold_scores.csv", "class_scores.csv", "predictions.csv", "curves.csv"}
    assert paths == {"config.yaml", "overrides.yaml"} | tables


def test_fold_scores_and_curves_are_series_with_the_fold_and_the_epoch_as_step(store, sweep, make_job):
    job = make_job({"tracking": {"curve_points": 10}})
    run_id = logged(store, sweep, job)
    folds = fresh(store).get_metric_history(run_id, "fold/accuracy")
    assert [(point.step, point.value) for point in folds] == [
        (step, fold.test_scores["accuracy"]) for step, fold in enumerate(job.result.folds)
    ]
    curve = fresh(store).get_metric_history(run_id, "curve/test_loss")
    mean = job.result.mean_curve()
    assert len(curve) == 10
    assert (curve[0].step, curve[-1].step) == (1, 40)
    assert {point.step: point.value for point in curve} == {
        epoch: loss
        for epoch, loss in zip(mean.epochs.tolist(), mean.test_loss.tolist(), strict=True)
        if epoch in {point.step for point in curve}
    }


def test_files_give_back_the_same_bits(store, sweep, make_job):
    job = make_job()
    run = reading.get_run(store, logged(store, sweep, job))
    assert reading.recorded_config(store, run) == job.job.config.model_dump(mode="json")
    assert check(reading.recorded_config(store, run)) == job.job.config
    assert reading.recorded_overrides(store, run) == ["training.learning_rate=0.1"]

    scores = reading.fold_scores(store, run)
    for name in METRICS:
        for part in ("test", "train"):
            recorded = [getattr(fold, f"{part}_scores")[name] for fold in job.result.folds]
            assert scores[f"{part}/{name}"].tolist() == recorded
    for name in ("repeat", "fold", "n_train", "n_test", "parameters", "class_step", "epochs", "fit_seconds"):
        assert scores[name].tolist() == [getattr(fold, name) for fold in job.result.folds]
    assert scores["n_test"].tolist() == [4] * 5
    assert scores["class_step"].tolist() == [1 / 4] * 5  # two classes of two rows
    assert np.isnan(scores["diverged_epoch"]).all()

    predictions = reading.predictions(store, run)
    rows = np.concatenate([fold.test_index for fold in job.result.folds])
    probabilities = np.concatenate([fold.probabilities for fold in job.result.folds])
    assert predictions["row"].tolist() == rows.tolist()
    assert predictions[["probability no", "probability yes"]].to_numpy().tobytes() == probabilities.tobytes()
    assert predictions["target"].tolist() == [("no", "yes")[row % 2] for row in rows]
    assert predictions["predicted"].tolist() == [("no", "yes")[i] for i in probabilities.argmax(axis=1)]

    curves = reading.StoredRecord(store).curves(run.run_id)
    recorded, made = (
        [each.train_loss for each in some] for some in (curves, [fold.curve for fold in job.result.folds])
    )
    assert np.concatenate(recorded).tolist() == np.concatenate(made).tolist()


def test_class_names_of_every_kind_survive_the_predictions_file(store, sweep, make_job):
    names = ('NA, "or" so', "优\n秀")
    run = reading.get_run(store, logged(store, sweep, make_job(class_names=names)))
    predictions = reading.predictions(store, run)
    assert set(predictions["target"]) == set(names)
    assert list(predictions.columns[5:]) == [f"probability {name}" for name in names]


def test_a_diverged_job_is_finished_and_says_so(store, sweep, make_job, make_result):
    run = reading.get_run(store, logged(store, sweep, make_job(outcome=make_result(diverged=True))))
    assert run.status == "FINISHED"
    assert run.tags["diverged"] == "true"
    assert run.metrics["diverged"] == 1
    assert math.isnan(run.metrics["test/accuracy"])
    assert math.isnan(fresh(store).get_run(run.run_id).data.metrics["test/accuracy"])
    scores = reading.fold_scores(store, run)
    assert scores["diverged_epoch"].tolist()[3] == 21
    predictions = reading.predictions(store, run)
    assert set(predictions.loc[predictions["fold"] == 3, "predicted"]) == {""}
    assert predictions.loc[predictions["fold"] == 3, "probability yes"].isna().all()


def test_classes_are_scored_by_their_names(store, sweep, make_job, make_result):
    job = make_job()
    names = ("NA", "优, 秀")
    table = reading.StoredRecord(store).class_scores(logged(store, sweep, make_job(class_names=names)))
    assert list(table.columns) == ["class", "precision", "recall", "f1", "support"]
    assert tuple(table["class"]) == names
    scores = job.result.class_scores()
    for name in ("precision", "recall", "f1", "support"):
        assert table[name].tolist() == scores[name].tolist()
    assert table["support"].tolist() == [10, 10]

    diverged = make_job(outcome=make_result(diverged=True), class_names=names)
    table = reading.StoredRecord(store).class_scores(logged(store, sweep, diverged))
    assert table[["precision", "recall", "f1"]].isna().all(axis=None)
    assert tuple(table["class"]) == names


def test_a_record_from_before_class_scores_and_sizes_is_read(store, sweep, make_job):
    run = reading.get_run(store, logged(store, sweep, make_job()))
    folder = local_folder(run.artifact_uri)
    (folder / "class_scores.csv").unlink()
    (folder / "fold_scores.csv").write_text(
        "repeat,fold,epochs,diverged_epoch,fit_seconds,test/accuracy,train/accuracy\n0,0,5,,0.5,0.75,1.0\n"
    )
    assert reading.fold_scores(store, run)["test/accuracy"].tolist() == [0.75]
    with pytest.raises(TrackingError, match=r"has no artifact 'class_scores\.csv'"):  # a new record has lost it
        reading.StoredRecord(store).class_scores(run.run_id)
    with sqlite3.connect(store.database) as connection:
        connection.execute("DELETE FROM latest_metrics WHERE key = 'test/brier_score'")
    assert reading.StoredRecord(store).class_scores(run.run_id) is None


def test_a_model_without_epochs_has_no_curves(store, sweep, make_job, make_result):
    run = reading.get_run(store, logged(store, sweep, make_job(outcome=make_result(curve=False))))
    assert not [name for name in run.metrics if name.startswith("curve/")]
    assert reading.StoredRecord(store).curves(run.run_id) == ()


def test_a_record_that_has_read_a_run_sees_the_metrics_that_are_added_later(store, sweep, make_job):
    record, run_id = reading.StoredRecord(store), logged(store, sweep, make_job())
    assert len(record.curves(run_id)) == 5
    add_metrics(store, run_id, {"fitted/accuracy": 0.9})
    assert record.metrics(run_id)["fitted/accuracy"] == 0.9


def test_a_model_that_does_not_tell_its_parameters_has_empty_cells(store, sweep, make_job, make_result):
    run = reading.get_run(store, logged(store, sweep, make_job(outcome=make_result(curve=False))))
    assert "parameters" not in run.metrics
    assert np.isnan(reading.fold_scores(store, run)["parameters"]).all()
    assert b",None" not in reading.artifact(store, run, "fold_scores.csv")


def test_a_failed_job_keeps_its_error_and_traceback(store, sweep, make_job):
    try:
        raise ValueError("the data set vanished")
    except ValueError as error:
        job = make_job(outcome=Failure.of(error))
    run = reading.get_run(store, logged(store, sweep, job))
    assert run.status == "FAILED"
    assert (run.tags["error_type"], run.tags["error_message"]) == ("ValueError", "the data set vanished")
    assert b'raise ValueError("the data set vanished")' in reading.artifact(store, run, "traceback.txt")
    assert not run.metrics
    assert reading.StoredRecord(store).class_scores(run.run_id) is None


def test_params_over_the_limit_are_cut_and_whole_in_the_configuration(store, sweep, make_job):
    sizes = list(range(1, 2001))
    job = make_job({"model": {"hidden_layer_sizes": sizes}})
    run = reading.get_run(store, logged(store, sweep, job))
    text = run.params["model.hidden_layer_sizes"]
    assert len(text) == 6000
    assert text.startswith("[1, 2, 3")
    assert text.endswith("…")
    assert reading.recorded_config(store, run)["model"]["hidden_layer_sizes"] == sizes


@pytest.mark.parametrize("status", ["FINISHED", "FAILED", "KILLED"])
def test_a_sweep_ends_as_it_ended(store, sweep, status):
    finish_sweep(
        store,
        sweep,
        status,
        metrics={"test/accuracy": 0.8},
        files={"leaderboard.csv": b"model\n"},
        tags={"best_run": "r"},
        note="bp wins",
    )
    run = reading.get_run(store, sweep.run_id)
    assert run.status == status
    assert run.ended is not None
    assert run.metrics == {"test/accuracy": 0.8}
    assert (run.tags["best_run"], run.tags["mlflow.note.content"]) == ("r", "bp wins")
    assert reading.artifact(store, run, "leaderboard.csv") == b"model\n"


def test_an_interrupted_sweep_is_continued_under_the_same_parent(store, sweep, make_job):
    logged(store, sweep, make_job(digest="a"))
    finish_sweep(store, sweep, "KILLED")
    found = reading.unfinished_sweep(store, sweep.experiment_id, "s" * 64)
    assert found is not None
    again = reopen_sweep(store, found.run_id, {"git": "y"})
    assert again is not None
    assert again.run_id == sweep.run_id
    assert reading.get_run(store, sweep.run_id).status == "RUNNING"
    logged(store, again, make_job(digest="b"))
    finish_sweep(store, again, "FINISHED")
    runs = reading.children(store, reading.get_run(store, sweep.run_id))
    assert {(run.tags["job_digest"], run.tags["git"]) for run in runs} == {("a", "x"), ("b", "y")}
    assert reading.unfinished_sweep(store, sweep.experiment_id, "s" * 64) is None


def test_a_sweep_that_goes_on_forgets_what_ended_it_before(store, sweep):
    try:
        raise OSError("no space left on device")
    except OSError as error:
        finish_sweep(store, sweep, "FAILED", failure=Failure.of(error))
    ended = reading.get_run(store, sweep.run_id)
    assert b"no space left" in reading.artifact(store, ended, "traceback.txt")
    again = reopen_sweep(store, sweep.run_id, {})
    assert again is not None
    finish_sweep(store, again, "FINISHED")
    run = reading.get_run(store, sweep.run_id)
    assert {"error_type", "error_message"}.isdisjoint(run.tags)
    with pytest.raises(TrackingError):
        reading.artifact(store, run, "traceback.txt")


def test_metrics_that_are_there_are_not_added_again(store, sweep, make_job):
    """A model is kept in several steps, and a kill between them has the same command do all of them again."""
    run_id = logged(store, sweep, make_job())
    add_metrics(store, run_id, {"fitted/accuracy": 0.9})
    add_metrics(store, run_id, {"fitted/accuracy": 0.9, "fitted/log_loss": 0.3})
    history = {name: fresh(store).get_metric_history(run_id, f"fitted/{name}") for name in ("accuracy", "log_loss")}
    assert {name: [point.value for point in points] for name, points in history.items()} == {
        "accuracy": [0.9],
        "log_loss": [0.3],
    }


def test_a_sweep_that_runs_elsewhere_is_not_taken_up(store, sweep):
    assert reading.unfinished_sweep(store, sweep.experiment_id, "s" * 64) is None
    assert reopen_sweep(store, sweep.run_id, {}) is None


def test_a_deleted_experiment_is_told(store, sweep):
    store.client.delete_experiment(sweep.experiment_id)
    with pytest.raises(TrackingError, match="'bp' was deleted; choose another name, or restore it"):
        start_sweep(store, experiment_id(store, "bp"), AskedSweep("d", "s", []), {})


def test_files_that_cannot_be_written_are_told_and_leave_no_run(store, sweep, make_job, tmp_path):
    logged(store, sweep, make_job())
    (tmp_path / "mlartifacts").rename(tmp_path / "elsewhere")
    (tmp_path / "mlartifacts").write_text("a file where a folder has to be")
    with pytest.raises(TrackingError, match=r"the run 'lr 0\.2' cannot be written: .*[Nn]ot a directory"):
        logged(store, sweep, make_job(name="lr 0.2"))
    assert len(reading.children(store, reading.get_run(store, sweep.run_id))) == 1


def test_a_write_that_fails_half_way_leaves_nothing_of_the_run(store, sweep, make_job):
    with sqlite3.connect(store.database) as connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE INSERT ON latest_metrics "
            "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        )
    with pytest.raises(TrackingError, match=r"the run 'lr 0\.1' cannot be written: database or disk is full"):
        logged(store, sweep, make_job())
    with sqlite3.connect(store.database) as connection:
        connection.execute("DROP TRIGGER full")
        for table in ("metrics", "inputs"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
        assert connection.execute("SELECT DISTINCT run_uuid FROM params").fetchall() == [(sweep.run_id,)]
    assert reading.children(store, reading.get_run(store, sweep.run_id)) == []
    logged(store, sweep, make_job())


def test_jobs_written_together_are_all_recorded_or_none_is(store, sweep, make_job):
    jobs = [make_job(digest=digest * 64, name=digest) for digest in "abc"]
    written = log_jobs(store, [job.job for job in jobs], [job.run(sweep) for job in jobs])
    found = finished(store, sweep.experiment_id)
    assert found == {job.digest: job.run_id for job in written}
    assert all(
        reading.recorded_overrides(store, reading.get_run(store, run)) == jobs[0].overrides for run in found.values()
    )

    more = [make_job(digest="d" * 64), make_job(digest="e" * 64, name="lr 0.2")]
    runs = [more[0].run(sweep), dataclasses.replace(more[1].run(sweep), files={"a": b"", "a/b": b""})]
    with pytest.raises(TrackingError, match="cannot be written"):
        log_jobs(store, [job.job for job in more], runs)
    assert finished(store, sweep.experiment_id) == found


def test_two_writers_at_once_lose_nothing(store, sweep, make_job):
    jobs = [make_job(digest=str(number)) for number in range(24)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda job: logged(store, sweep, job), jobs))
    assert finished(store, sweep.experiment_id).keys() == {job.job.digest for job in jobs}
