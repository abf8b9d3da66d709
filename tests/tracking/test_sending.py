"""What is on its way to a server: it waits on disk, is written once, and outlives the process and the server."""

import shutil
import threading

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import BAD_REQUEST

from src.evaluation.results import Failure
from src.tracking import artifacts, claims, models, patience, reading, sending
from src.tracking.claims import Claim
from src.tracking.errors import TrackingError
from src.tracking.patience import GoneError, Patience, is_gone, patient
from src.tracking.processes import PROCESS_HOST
from src.tracking.records import JOB_DIGEST
from src.tracking.sending import Sender, read_run, write_run
from src.tracking.store import Store
from tests.tracking.conftest import finished, result

GONE = "API request to http://h failed with exception ('Connection aborted.', RemoteDisconnected('Remote end closed'))"


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(sending, "FOLDER", tmp_path / "waiting")
    monkeypatch.setattr(patience, "PAUSE", 0.0)


@pytest.fixture
def client_store(store, sweep):
    """A store that is written as a server is, run by run and request by request."""
    return Store(store.address)


@pytest.mark.parametrize("outcome", [result(), result(diverged=True), Failure("ValueError", "é\n", "trace")])
def test_a_run_that_waits_is_read_back_equal(outcome, sweep, make_job, tmp_path):
    run = make_job(outcome=outcome).run(sweep)
    write_run(tmp_path / "1.zip", run)
    assert repr(read_run(tmp_path / "1.zip")) == repr(run)  # NaN equals itself by its text only
    assert [file.name for file in tmp_path.glob("1.*")] == ["1.zip"]


def losing(request_, heard):
    """The same request, but that its first answer is lost, or it is not even heard."""
    lost = []

    def lose(*given, **named):
        answer = request_(*given, **named) if heard or lost else None
        if not lost:
            lost.append(given)
            raise MlflowException(GONE)
        return answer

    return lose


@pytest.mark.parametrize("heard", [True, False])
@pytest.mark.parametrize("request_", ["create_run", "log_batch", "log_inputs", "set_terminated"])
def test_a_job_is_written_once_whichever_answer_is_lost(request_, heard, client_store, sweep, make_job, monkeypatch):
    monkeypatch.setattr(client_store.client, request_, losing(getattr(client_store.client, request_), heard))
    told = []
    waits = patient(client_store, Patience("http://h", 60, told.append))
    job = make_job()
    written = job.log(waits, sweep)
    assert told == [
        "http://h does not answer; trying again for 1 minute (tracking.patience).",
        "http://h answers again.",
    ]
    (run,) = reading.children(client_store, sweep.run)
    assert (run.run_id, run.status) == (written.run_id, "FINISHED")
    expected = job.result.metrics()
    assert {name: run.metrics[name] for name in expected} == expected
    assert len(client_store.client.get_run(run.run_id).inputs.dataset_inputs) == 1
    assert len(client_store.client.get_metric_history(run.run_id, "fold/test_accuracy")) in (0, 5)


@pytest.mark.parametrize("heard", [True, False])
@pytest.mark.parametrize("request_", ["create_registered_model", "create_model_version", "set_logged_model_tags"])
def test_a_model_is_registered_once_whichever_answer_is_lost(
    request_, heard, client_store, sweep, make_job, monkeypatch
):
    (run,) = client_store.add_runs([make_job().run(sweep)])
    model = client_store.add_model(run, lambda _, folder: artifacts.write_files(folder, {"MLmodel": b"{}"}))
    lose = losing(getattr(client_store.client, request_), heard)
    monkeypatch.setattr(client_store.client, request_, lose)
    waits = patient(client_store, Patience("http://h", 60, print))
    assert models.register_model(waits, "best", f"models:/{model}", run.run_id) == 1
    assert [each.version for each in client_store.client.search_model_versions("name = 'best'")] == [1]
    assert (
        client_store.client.get_logged_model(model).tags["mlflow.modelVersions"] == '[{"name": "best", "version": 1}]'
    )


def test_a_data_set_that_another_run_brings_at_the_same_moment_is_used_all_the_same(
    client_store, sweep, make_job, monkeypatch
):
    log_inputs, refused = client_store.client.log_inputs, []

    def refuse_once(run_id, datasets):
        if not refused:
            refused.append(run_id)
            raise MlflowException("(psycopg.errors.UniqueViolation) duplicate key value", BAD_REQUEST)
        log_inputs(run_id, datasets)

    monkeypatch.setattr(client_store.client, "log_inputs", refuse_once)
    run = make_job().log(client_store, sweep)
    assert refused == [run.run_id]
    assert len(client_store.client.get_run(run.run_id).inputs.dataset_inputs) == 1


def test_what_one_command_could_not_send_the_next_one_sends(store, sweep, make_job, monkeypatch):
    jobs = [make_job(digest=digest * 64) for digest in "ab"]
    add_runs, is_there = store.add_runs, threading.Event()

    def serve(runs, again=False):
        if not is_there.is_set():
            raise ConnectionRefusedError(111, "Connection refused")
        return add_runs(runs, again)

    monkeypatch.setattr(store, "add_runs", serve)
    first = Sender(store, Patience("http://h", 0, print), sweep.experiment_id, "s" * 64, None)
    first.send([jobs[0].run(sweep)])
    with pytest.raises(GoneError, match=r"^tracking.uri: http://h has not answered\.$"):
        first.sent()
    with pytest.raises(GoneError):
        first.send([jobs[1].run(sweep)])
    first.close()
    assert first.count == 1
    assert finished(store, sweep.experiment_id) == {}

    is_there.set()
    other = Sender(store, Patience("http://h", 0, print), sweep.experiment_id, "another sweep", None)
    assert other.sent() == {}
    other.close()
    second = Sender(store, Patience("http://h", 0, print), sweep.experiment_id, "s" * 64, None)
    written = second.sent()
    assert written.keys() == {"a" * 64}
    second.close()
    assert finished(store, sweep.experiment_id) == {digest: run.run_id for digest, run in written.items()}
    assert not sending.FOLDER.exists()


def test_what_lives_still_is_left_to_the_command_that_sends_it(store, sweep, make_job, monkeypatch):
    writes = threading.Event()
    add_runs = store.add_runs
    monkeypatch.setattr(store, "add_runs", lambda runs, again=False: writes.wait(60) and add_runs(runs, again))
    first = Sender(store, Patience("http://h", 0, print), sweep.experiment_id, "s" * 64, None)
    first.send([make_job().run(sweep)])
    second = Sender(store, Patience("http://h", 0, print), sweep.experiment_id, "s" * 64, None)
    assert second.count == 0
    writes.set()
    assert first.sent().keys() == {make_job().job.digest}
    second.close()
    first.close()
    assert not sending.FOLDER.exists()


def test_a_run_the_store_refuses_stays_on_disk_and_is_told(store, sweep, make_job, monkeypatch):
    def refuse(runs, again=False):
        raise MlflowException("no")

    monkeypatch.setattr(store, "add_runs", refuse)
    sender = Sender(store, Patience("http://h", 60, print), sweep.experiment_id, "s" * 64, None)
    sender.send([make_job().run(sweep)])
    with pytest.raises(TrackingError, match=r"the runs that wait in .* cannot be written: no\."):
        sender.sent()
    sender.close()
    assert len(list(sender.folder.glob("*.zip"))) == 1


def test_a_disk_that_takes_nothing_more_is_told(store, sweep, make_job):
    sender = Sender(store, Patience("http://h", 60, print), sweep.experiment_id, "s" * 64, None)
    shutil.rmtree(sender.folder)
    with pytest.raises(TrackingError, match=r"the run 'lr 0.1' cannot wait in .*: .*No such file or directory"):
        sender.send([make_job().run(sweep)])
    assert sender.sent() == {}
    sender.close()


def test_a_sweep_that_is_held_no_longer_is_not_written(store, sweep, make_job):
    def check():
        raise TrackingError("another command has it.")

    sender = Sender(store, Patience("http://h", 60, print), sweep.experiment_id, "s" * 64, check)
    sender.send([make_job().run(sweep)])
    with pytest.raises(TrackingError, match="another command has it"):
        sender.sent()
    sender.close()
    assert finished(store, sweep.experiment_id) == {}


def test_of_two_commands_of_which_one_slept_too_long_only_the_other_writes(client_store, sweep, make_job, monkeypatch):
    """The first trains on while its claim gives no sign of life; what it then sends is not written a second time."""
    monkeypatch.setattr(claims, "LOOK", 0.01)
    monkeypatch.setattr(claims, "EXPIRY", 0.3)
    senders = []

    def begin():
        claim = Claim(client_store, sweep.experiment_id, "s" * 64)
        claim._state[PROCESS_HOST] = f"host {len(senders)}"  # whose processes cannot be looked up here
        claim.take(print)
        patient_ = Patience("http://h", 60, print)
        senders.append(Sender(client_store, patient_, sweep.experiment_id, "s" * 64, claim.check))
        return claim, senders[-1]

    sleeping, first = begin()
    first.send([make_job(digest="a" * 64).run(sweep)])
    assert first.sent().keys() == {"a" * 64}
    sleeping._over.set()  # no thread runs while a machine sleeps
    sleeping._thread.join()
    living, second = begin()
    monkeypatch.setattr(claims, "LEASE", 0.0)
    second.send([make_job(digest="b" * 64).run(sweep)])
    assert second.sent().keys() == {"b" * 64}
    first.send([make_job(digest="b" * 64).run(sweep)])
    with pytest.raises(TrackingError, match="another command has taken this sweep over, as this one gave no sign of"):
        first.sent()
    first.close()
    second.close()
    assert sorted(run.tags[JOB_DIGEST] for run in reading.children(client_store, sweep.run)) == ["a" * 64, "b" * 64]
    for claim in (sleeping, living):
        claim.leave()


@pytest.mark.parametrize(
    "said, gone",
    [
        (GONE, True),
        ("API request to endpoint /api/2.0/mlflow/runs/create failed with error code 503 != 200.", True),
        ("HTTPConnectionPool(host='h'): Max retries exceeded with url: / (Caused by ...('too many 502 error", True),
        ("502 Server Error: Bad Gateway for url: http://h", True),
        ("consuming input failed: server closed the connection unexpectedly", True),
        ("connection failed: FATAL:  the database system is starting up", True),
        ("INVALID_PARAMETER_VALUE: Param value 'x' had length 503000", False),
        ("RESOURCE_DOES_NOT_EXIST: Run '503' not found", False),
        ("403 Client Error: Forbidden for url: http://h", False),
        ('connection failed: FATAL:  password authentication failed for user "me"', False),
    ],
)
def test_a_server_that_is_gone_is_told_from_one_that_refuses(said, gone):
    assert is_gone(MlflowException(said)) == gone


def test_after_its_time_a_server_is_waited_for_no_longer():
    told = []
    waiting = Patience("http://me:secret@h", 0.05, told.append)
    asked = []

    def ask(again):
        asked.append(again)
        raise ConnectionRefusedError(111, "Connection refused")

    with pytest.raises(GoneError, match=r"^tracking.uri: http://.*@h has not answered for 0.05 s\.$"):
        waiting.trying(ask)
    assert asked[:2] == [False, True]
    assert set(asked[1:]) == {True}
    assert len(told) == 1
    assert "secret" not in told[0]
