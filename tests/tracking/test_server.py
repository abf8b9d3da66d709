"""The same record over the network: an MLflow server of its own, with the artifacts in its keeping."""

import pytest
import requests

from src.tracking import models, reading
from src.tracking.opening import experiment_id, open_store
from src.tracking.processes import repair_dead_sweeps
from src.tracking.runs import AskedSweep, finish_sweep, reopen_sweep, start_sweep
from src.tracking.view import prepare_view
from tests.tracking.conftest import logged
from tests.tracking.test_sweeps import what_is_written_is_read_back
from tests.tracking.test_view import stored_state


@pytest.fixture
def requests_made(monkeypatch):
    """The requests of this process, as method and path, in their order."""
    made, request = [], requests.Session.request

    def counted(session, method, url, **more):
        made.append((method, url.partition("/mlflow")[2]))
        return request(session, method, url, **more)

    monkeypatch.setattr(requests.Session, "request", counted)
    return made


def test_a_sweep_over_the_network_is_the_same_record(server, make_job, make_result):
    store = open_store(server)
    sweep = start_sweep(store, experiment_id(store, "bp"), AskedSweep("d" * 64, "s", [{"digest": "a"}]), {})
    done = make_job(digest="a")
    run_id = logged(store, sweep, done)
    logged(store, sweep, make_job(digest="b", outcome=make_result(diverged=True)))
    assert reading.finished_runs(store, sweep.experiment_id, {"a", "b", "c"}).keys() == {"a", "b"}

    run = reading.get_run(store, run_id)
    expected = done.result.metrics()
    assert {name: run.metrics[name] for name in expected} == pytest.approx(expected, abs=0, nan_ok=True)
    assert reading.recorded_config(store, run)["model"]["name"] == "bp"
    assert len(reading.predictions(store, run)) == 20
    assert reading.recorded_jobs(store, reading.get_run(store, sweep.run_id)) == [{"digest": "a"}]

    finish_sweep(store, sweep, "KILLED", metrics={"test/accuracy": 0.5}, files={"leaderboard.csv": b"x"}, note="n")
    assert repair_dead_sweeps(store, sweep.experiment_id) == ()
    unfinished = reading.unfinished_sweep(store, sweep.experiment_id, "d" * 64)
    assert unfinished is not None
    again = reopen_sweep(store, unfinished.run_id, {})
    assert again is not None
    finish_sweep(store, again, "FINISHED")
    assert reading.get_run(store, sweep.run_id).status == "FINISHED"
    assert len(reading.children(store, reading.get_run(store, sweep.run_id))) == 2


def test_a_job_is_four_requests_and_one_for_each_file(server, make_job, requests_made):
    store = open_store(server)
    sweep = start_sweep(store, experiment_id(store, "counted"), AskedSweep("c" * 64, "s", []), {})
    for number in range(2):
        job = make_job(digest=str(number))
        requests_made.clear()
        logged(store, sweep, job)
        of_run = [path for method, path in requests_made if not path.startswith("-artifacts/")]
        assert of_run == ["/runs/create", "/runs/log-batch", "/runs/log-inputs", "/runs/update"]
        assert len(requests_made) - len(of_run) == len(job.run(sweep).files)


def test_what_is_written_of_a_sweep_is_read_back_over_the_network(server, make_job, make_result):
    what_is_written_is_read_back(open_store(server), make_job, make_result)


def test_a_model_is_kept_and_registered_over_the_network(server, make_job):
    import mlflow
    from sklearn.pipeline import Pipeline

    from src.data import load, make_preprocessor
    from src.models import BPClassifier

    store = open_store(server)
    sweep = start_sweep(store, experiment_id(store, "models"), AskedSweep("m", "s", []), {})
    run_id = logged(store, sweep, make_job())
    data = load("ex4")
    steps = [("preprocess", make_preprocessor(data, "standard", "refuse")), ("model", BPClassifier(epochs=5))]
    pipeline = Pipeline(steps).fit(data.features, [data.class_names[code] for code in data.target])
    address = models.log_model(store, run_id, pipeline, data.features, data.class_names)
    assert models.register_model(store, "best", address, run_id) == 1
    kept = reading.StoredRecord(store).pipeline(run_id)  # while the environment names another store
    assert kept.predict(data.features).tolist() == pipeline.predict(data.features).tolist()
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(server)
    try:
        answer = mlflow.pyfunc.load_model("models:/best/1").predict(data.features)
    finally:
        mlflow.set_tracking_uri(before)
    column = f"probability {data.class_names[1]}"
    assert answer[column].tolist() == pipeline.predict_proba(data.features)[:, 1].tolist()


def test_the_view_is_prepared_over_the_network(server, make_job):
    """tests/report/test_browser.py looks at the page itself."""
    store = open_store(server)
    sweep = start_sweep(store, experiment_id(store, "view"), AskedSweep("v", "s", []), {})
    logged(store, sweep, make_job())
    shown = prepare_view(store, sweep.experiment_id, sweep.run_id, ["training.learning_rate"], ["test/accuracy"])
    assert shown.startswith(f"{server}/#/experiments/{sweep.experiment_id}/runs?")
    state = stored_state(store, sweep)
    assert state["searchFilter"] == f"tags.`mlflow.parentRunId` = '{sweep.run_id}'"
    assert state["selectedColumns"][:2] == ["params.`training.learning_rate`", "metrics.`test/accuracy`"]
