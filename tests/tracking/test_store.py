import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from src.errors import UserError
from src.folders import ROOT
from src.tracking.address import resolve_address
from src.tracking.errors import TrackingError
from src.tracking.opening import experiment_id, open_store
from tests.stores import empty_store
from tests.unprivileged import without_root_powers


def test_the_configuration_comes_before_the_environment_before_the_default(monkeypatch, tmp_path):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert resolve_address(None) == f"sqlite:///{ROOT}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://there:5000/")
    assert resolve_address(None) == "http://there:5000"
    assert resolve_address(f"sqlite:///{tmp_path}/a.db") == f"sqlite:///{tmp_path}/a.db"


def test_a_relative_file_is_made_absolute(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert resolve_address("sqlite:///sub/../runs.db") == f"sqlite:///{tmp_path}/runs.db"


@pytest.mark.parametrize(
    "uri, message",
    [
        ("runs.db", "tracking.uri: 'runs.db' is no address of a store .* For a file write 'sqlite:////"),
        ("ftp://host/x", "tracking.uri: 'ftp://host/x' is no address of a store"),
        ("file:///tmp/mlruns", "is no address of a store"),
        ("http://", "names no host"),
        ("http://[", "names no host"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("", "is no address of a store"),
    ],
)
def test_a_wrong_address_is_told(uri, message):
    with pytest.raises(TrackingError, match=message):
        open_store(uri)


def test_the_message_names_the_variable_when_the_address_came_from_there(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nonsense")
    with pytest.raises(TrackingError, match="MLFLOW_TRACKING_URI: 'nonsense'"):
        open_store()


def test_a_missing_folder_is_told_and_not_created(tmp_path):
    with pytest.raises(TrackingError, match=r"the folder .*/missing does not exist"):
        open_store(f"sqlite:///{tmp_path}/missing/mlflow.db")
    assert not (tmp_path / "missing").exists()


def test_a_folder_in_place_of_the_file_is_told(tmp_path):
    with pytest.raises(TrackingError, match="is a folder; name a file in it"):
        open_store(f"sqlite:///{tmp_path}")


def test_a_file_that_is_no_database_is_told_and_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("my notes, longer than a header")
    with pytest.raises(TrackingError, match=r"notes\.txt is no SQLite database"):
        open_store(f"sqlite:///{tmp_path}/notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "my notes, longer than a header"


def test_a_damaged_database_is_told(tmp_path):
    (tmp_path / "mlflow.db").write_bytes(b"SQLite format 3\x00" + b"damaged " * 500)
    with pytest.raises(TrackingError, match="cannot be"):
        open_store(f"sqlite:///{tmp_path}/mlflow.db")


def test_a_read_only_file_is_told(tmp_path):
    address = empty_store(tmp_path)
    (tmp_path / "mlflow.db").chmod(0o444)
    with without_root_powers(), pytest.raises(TrackingError, match="cannot be written: attempt to write a readonly"):
        open_store(address)


def test_a_read_only_folder_is_told(tmp_path):
    folder = tmp_path / "fixed"
    folder.mkdir()
    folder.chmod(0o555)
    with without_root_powers(), pytest.raises(TrackingError, match="cannot be written: permission denied"):
        open_store(f"sqlite:///{folder}/mlflow.db")


@pytest.mark.parametrize(
    "revision, told",
    [
        ("451aebb31d03", "an older version of MLflow; keep a copy of it and run `mlflow db upgrade"),
        ("ffffffffffff", "a newer version of MLflow than"),
    ],
)
def test_tables_of_another_version_are_told_and_left_as_they_are(tmp_path, revision, told):
    address = empty_store(tmp_path)
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", [revision])
        connection.execute("DROP TABLE logged_model_tags")  # MLflow adds what it lacks, and changes the version
    with pytest.raises(TrackingError, match=f"was written by {told}"):
        open_store(address)
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(revision,)]


def test_unusual_paths_hold_database_and_artifacts(tmp_path):
    folder = tmp_path / "a b 100%20 作业 it's #1 why?"
    folder.mkdir()
    store = open_store("sqlite:///" + str(folder).replace("%", "%25").replace("?", "%3F") + "/mlflow.db")
    assert (folder / "mlflow.db").is_file()
    experiment = store.client.get_experiment(experiment_id(store, "bp"))
    run = store.client.create_run(experiment.experiment_id)
    store.client.log_text(run.info.run_id, "x", "file.txt")
    assert list((folder / "mlartifacts" / "bp").rglob("file.txt"))


def test_an_experiment_is_created_once_and_its_folder_is_its_own(store):
    first = experiment_id(store, "learning rate / λ")
    assert experiment_id(store, "learning rate / λ") == first
    other = experiment_id(store, "learning rate _ λ")
    locations = {store.client.get_experiment(found).artifact_location for found in (first, other)}
    assert len(locations) == 2


def test_an_unreachable_server_is_told_within_seconds():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = time.monotonic()
    with pytest.raises(TrackingError, match=f"http://127.0.0.1:{port} cannot be used: connection refused"):
        open_store(f"http://127.0.0.1:{port}")
    assert time.monotonic() - started < 30, "MLflow's own retries take minutes"


def test_a_server_that_is_no_mlflow_is_told():
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(404)
            self.end_headers()
            self.wfile.write(b"<html>" + b"no such page " * 100)

        def do_POST(self):
            self.do_GET()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with pytest.raises(TrackingError, match="cannot be used: ") as caught:
        open_store(f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)


def test_limits_for_the_first_answer_do_not_stay(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "6")
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_TIMEOUT", raising=False)
    with pytest.raises(TrackingError):
        open_store("http://127.0.0.1:9")
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "6"
    assert "MLFLOW_HTTP_REQUEST_TIMEOUT" not in os.environ


def test_a_database_server_without_its_driver_or_answer_is_told_without_the_password():
    with pytest.raises(TrackingError) as caught:
        open_store("postgresql://me:secret@127.0.0.1:9/runs")
    assert "secret" not in str(caught.value)
    assert "postgresql://me:***@127.0.0.1:9/runs" in str(caught.value)


@pytest.mark.parametrize(
    "scheme, driver, how",
    [
        ("postgresql", "psycopg", "psycopg is not installed. `make install` adds it"),
        ("mysql+pymysql", "pymysql", "pymysql is not installed: python -m pip install pymysql."),
    ],
)
def test_a_driver_that_is_not_installed_is_told_with_what_installs_it(monkeypatch, scheme, driver, how):
    monkeypatch.setitem(sys.modules, driver, None)
    with pytest.raises(TrackingError, match=re.escape(how)):
        open_store(f"{scheme}://127.0.0.1:9/x")


def test_processes_that_create_one_store_at_once_all_use_it(tmp_path, commands):
    program = (  # MLflow may stand beside child packages of another version, and says so: of that nothing is claimed
        "import sys, warnings; from src.tracking.opening import open_store, experiment_id\n"
        "warnings.filterwarnings('ignore', r'Versions of mlflow \\(.* and child packages', UserWarning)\n"
        "store = open_store(sys.argv[1])\n"
        "run = store.client.create_run(experiment_id(store, 'bp'))\n"
        "store.client.set_terminated(run.info.run_id)\n"
    )
    address = f"sqlite:///{tmp_path}/mlflow.db"
    processes = [commands.start(tmp_path, address, program=program) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert [process.err for process in processes] == ["", ""], "nothing is told, not even MLflow's greeting"
    store = open_store(address)
    assert len(store.client.search_runs([experiment_id(store, "bp")])) == 2


def test_importing_turns_the_telemetry_off_unless_the_user_turned_it_on():
    program = "import os, src.tracking; print(os.environ['MLFLOW_DISABLE_TELEMETRY'])"
    for chosen, expected in ((None, "true"), ("false", "false")):
        environment = {key: value for key, value in os.environ.items() if key != "MLFLOW_DISABLE_TELEMETRY"}
        environment |= {} if chosen is None else {"MLFLOW_DISABLE_TELEMETRY": chosen}
        ended = subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
        assert ended.stdout.strip() == expected


def test_the_errors_are_for_the_user():
    assert issubclass(TrackingError, UserError)
    assert Path(ROOT / "src" / "tracking").is_dir()


def test_a_creation_that_was_killed_leaves_nothing_in_the_way(tmp_path, commands):
    address, temporary = f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "temporary"
    temporary.mkdir()
    program = (
        f"import tempfile; from src.tracking.opening import open_store; tempfile.tempdir = {str(temporary)!r}\n"
        f"open_store({address!r})"
    )
    creating = commands.start(tmp_path, program=program)
    while not list(temporary.glob("*/mlflow.db")):  # where the tables are made
        assert not creating.ended(), creating.err
        time.sleep(0.001)
    creating.send(signal.SIGKILL)
    assert creating.wait() == -signal.SIGKILL
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
        assert connection.execute("SELECT * FROM sqlite_master").fetchall() == []
    assert experiment_id(open_store(address), "after") == "1"
    assert {file.name for file in tmp_path.glob("mlflow*")} <= {"mlflow.db", "mlflow.db.lock"}
