"""``make server``: what it prepares and what it refuses; tests/tracking/ uses the servers that it starts."""

import os
import socket
from pathlib import Path

import pytest

from src import server
from tests.servers import keys, running_bucket
from tests.stores import empty_store


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (server.PASSWORD, server.SECRET, server.STORE):
        monkeypatch.delenv(name, raising=False)


def prepared(folder: Path, *arguments: str) -> tuple[list[str], dict[str, str]]:
    empty_store(folder)
    return server.server_command(server._parser().parse_args(["--port", "0", "--folder", str(folder), *arguments]))


@pytest.fixture(autouse=True)
def _any_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "port", int)  # 0 is a free one


@pytest.fixture
def with_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "find_spec", lambda _: "there")


def test_on_this_machine_it_asks_for_no_account(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command, environment = prepared(tmp_path)
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert "--app-name" not in command
    assert environment["MLFLOW_BACKEND_STORE_URI"] == f"sqlite:///{tmp_path}/mlflow.db"
    assert "export MLFLOW_TRACKING_URI=http://127.0.0.1:" in capsys.readouterr().out


@pytest.mark.usefixtures("with_accounts")
@pytest.mark.parametrize("asked", [["--host", "0.0.0.0"], ["--accounts"]], ids=["network", "asked for"])
def test_for_others_it_makes_a_password_that_only_its_owner_reads(tmp_path: Path, asked: list[str]) -> None:
    command, environment = prepared(tmp_path, *asked)
    assert command[command.index("--app-name") + 1] == "basic-auth"
    password = tmp_path / "admin-password"
    assert environment[server.PASSWORD] == password.read_text()
    assert len(password.read_text()) >= 24
    for name in ("admin-password", "secret-key", "accounts.ini", "accounts.db"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    assert prepared(tmp_path, *asked)[1] == environment, "started again it knows the same account"


@pytest.mark.usefixtures("with_accounts")
def test_a_password_that_is_given_stands_in_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(server.PASSWORD, "hunter2-hunter2")
    command, environment = prepared(tmp_path, "--accounts")
    assert server.PASSWORD not in environment
    assert not (tmp_path / "admin-password").exists()
    assert "hunter2" not in " ".join(command)


@pytest.mark.usefixtures("with_accounts")
def test_it_knows_itself_by_its_names(tmp_path: Path) -> None:
    _, environment = prepared(tmp_path, "--accounts", "--name", "runs.example.org")
    assert "runs.example.org:*" in environment["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")
    assert "https://runs.example.org" in environment["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"].split(",")
    _, everywhere = prepared(tmp_path, "--host", "0.0.0.0")
    assert socket.gethostname() in everywhere["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert server.main(arguments) == 2
    return capsys.readouterr().err


def test_what_cannot_be_is_told_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = ("--folder", str(tmp_path))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert f"something answers on port {port} already; name another" in refused(capsys, *folder, "--port", port)
    assert "'203.0.113.9' is no address of this machine" in refused(capsys, *folder, "--host", "203.0.113.9")
    monkeypatch.setenv(server.STORE, "postgresql://me:hunter2@127.0.0.1:9/runs")
    said = refused(capsys, *folder, "--port", "0")
    assert said.startswith("error: --store: cannot connect to postgresql://me:***@127.0.0.1:9/runs: ")
    (tmp_path / "file").touch()
    assert "cannot be written" in refused(capsys, "--folder", str(tmp_path / "file"), "--port", "0")
    monkeypatch.setattr(server, "find_spec", lambda _: None)
    assert "'flask-wtf'" in refused(capsys, *folder, "--port", "0", "--accounts")


def test_a_second_server_is_told_who_has_the_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even before the first one answers."""
    empty_store(tmp_path)
    arguments = ("--folder", str(tmp_path), "--port", "0")

    def second(*_: object) -> None:
        said = refused(capsys, *arguments)
        assert f"a server (process {os.getpid()}, port 0) has {tmp_path} already; end it, or name another" in said
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "execve", second)
    with pytest.raises(KeyboardInterrupt):
        server.main(arguments)


def test_a_bucket_that_is_not_there_is_told_at_the_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty_store(tmp_path)
    with running_bucket() as bucket:
        said = refused(capsys, "--folder", str(tmp_path), "--port", "0", "--artifacts", "s3://nowhere/kept")
        assert said == "error: --artifacts: no artifact can be added at s3://nowhere/kept: the bucket does not exist.\n"
        prepared(tmp_path, "--artifacts", "s3://runs/kept")
        assert keys(bucket) == [], "the check leaves nothing behind"
