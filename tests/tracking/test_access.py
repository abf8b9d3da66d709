"""Whether a store over the network can be used is told in a sentence, within seconds and before anything is trained."""

import datetime
import http.client
import importlib.util
import ipaddress
import json
import select
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from src.tracking import access
from src.tracking.access import PROBE, check_writing
from src.tracking.errors import TrackingError
from src.tracking.opening import experiment_id, open_store
from src.tracking.runs import AskedSweep, start_sweep
from tests.commandline import command
from tests.servers import Server, keys, running_bucket
from tests.tracking.conftest import logged

Answer = tuple[int, str]


@contextmanager
def answering(answer: Callable[[str, str], Answer], context: ssl.SSLContext | None = None) -> Iterator[str]:
    """A server that answers as the function says, which is given the method and the path; yields its address."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, text = answer(self.command, self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        do_POST = do_DELETE = do_PUT = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Page)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"{'http' if context is None else 'https'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def tried(address: str, experiment_id: str | None) -> None:
    store = open_store(address)
    if experiment_id is not None:
        check_writing(store, experiment_id, print)


def refusal(address: str, experiment_id: str | None = None) -> str:
    with pytest.raises(TrackingError) as caught:
        tried(address, experiment_id)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    return str(caught.value)


@pytest.mark.parametrize(
    "answer, told",
    [
        ((401, "You are not authenticated."), "cannot be used: it refuses the account 'me': wrong name or password."),
        ((403, "Invalid Host header - possible DNS rebinding attack detected"), "--allowed-hosts"),
        ((404, "<html>" + "no such page " * 100), "that is no MLflow server"),
        ((200, "<html>Welcome to nginx!</html>"), "that is no MLflow server"),
        ((400, "<html>The plain HTTP request was sent to HTTPS port</html>"), "it speaks TLS; write https://"),
        ((500, "oh"), "the server answers with an error, which its own lines tell"),
    ],
)
def test_what_answers_and_lets_nobody_in_is_told(answer: Answer, told: str) -> None:
    with answering(lambda *_: answer) as address:
        said = refusal(address.replace("//", "//me:hunter2@"))
    assert told in said
    assert "hunter2" not in said


def test_a_server_whose_address_is_not_set_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    ended = command("tracking=server")
    assert ended.status == 2
    assert "MLFLOW_TRACKING_URI, which is not set: export MLFLOW_TRACKING_URI=" in ended.err


def certificate(folder: Path, days: int) -> ssl.SSLContext:
    """Make a certificate that ends in so many days and is its own authority: ``folder / "own.pem"``."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now - datetime.timedelta(9)).add_extension(names, critical=False)
    signed = made.not_valid_after(now + datetime.timedelta(days)).sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "own.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "own.pem", folder / "key.pem")
    return context


def test_certificates_that_are_unknown_or_over_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def experiments(*_: str) -> Answer:
        return 200, json.dumps({"experiments": []})

    with answering(experiments, certificate(tmp_path, 9)) as address:
        assert "not trusted (self-signed certificate); MLFLOW_TRACKING_SERVER_CERT_PATH" in refusal(address)
        monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(tmp_path / "own.pem"))
        assert open_store(address).address == address
        monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(tmp_path / "none.pem"))
        assert f"there is no file of certificates {tmp_path / 'none.pem'}" in refusal(address)
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(tmp_path / "own.pem"))
    with answering(experiments, certificate(tmp_path, -1)) as address:
        assert "its certificate has expired" in refusal(address)


def test_who_may_read_only_is_told_before_training() -> None:
    def answer(_: str, path: str) -> Answer:
        return (200, '{"experiments": []}') if "search" in path else (403, "Permission denied")

    with answering(answer) as address:
        assert refusal(address, "1").endswith("no run can be added to the experiment: permission denied.")


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with running_bucket() as address:
        yield address


def test_a_sweep_is_recorded_with_its_artifacts_in_s3(server, bucket, make_job):
    store = open_store(server)
    identity = store.client.create_experiment("in S3", artifact_location="s3://runs/direct")
    check_writing(store, identity, print)
    assert keys(bucket) == [], "the check leaves nothing behind"
    sweep = start_sweep(store, experiment_id(store, "in S3"), AskedSweep("d", "s", []), {})
    run_id = logged(store, sweep, make_job())
    assert f"direct/{run_id}/artifacts/fold_scores.csv" in keys(bucket)
    assert store.read(store.runs([run_id])[0].artifact_uri, "fold_scores.csv").startswith(b"repeat,fold")


def test_a_bucket_that_is_not_there_is_told_before_training(server, bucket):
    store = open_store(server)
    store.client.create_experiment("no bucket", artifact_location="s3://nowhere/runs")
    ended = command(f"tracking.uri={server}", "tracking.experiment=no bucket", "tracking.models=none")
    assert ended.status == 2
    assert "no artifact can be added at s3://nowhere/runs: the bucket does not exist." in ended.err
    assert store.find_runs([store.experiments()["no bucket"][0]]) == []


def test_a_bucket_that_goes_later_is_told_in_a_sentence(server, bucket, make_job):
    import boto3

    s3 = boto3.client("s3", endpoint_url=bucket)
    s3.create_bucket(Bucket="short")
    store = open_store(server)
    store.client.create_experiment("short", artifact_location="s3://short/runs")
    sweep = start_sweep(store, experiment_id(store, "short"), AskedSweep("d", "s", []), {})
    for key in s3.list_objects_v2(Bucket="short")["Contents"]:
        s3.delete_object(Bucket="short", Key=key["Key"])
    s3.delete_bucket(Bucket="short")
    with pytest.raises(TrackingError, match=r"^MLflow: the run '.*' cannot be written: .*NoSuchBucket.*exist\.$"):
        make_job().log(store, sweep)


def test_the_check_leaves_nothing_where_the_server_keeps_the_artifacts(server):
    store = open_store(server)
    identity = store.client.create_experiment("checked")
    check_writing(store, identity, print)
    listed = requests.get(f"{server}/api/2.0/mlflow-artifacts/artifacts", {"path": identity}, timeout=60).json()
    assert PROBE not in str(listed)
    assert store.experiment_tags(identity) == {}
    assert store.find_runs([identity]) == []


@pytest.mark.skipif(importlib.util.find_spec("flask_wtf") is None, reason="MLflow's accounts need flask-wtf")
def test_accounts_that_may_not_are_told(tmp_path, monkeypatch, commands):
    monkeypatch.setitem(access._LIMITS, "MLFLOW_HTTP_REQUEST_TIMEOUT", "60")  # a password takes long to check
    with Server(tmp_path, commands, "--accounts") as served:
        address = served.address
        password = (tmp_path / "admin-password").read_text()
        users = f"{address}/api/2.0/mlflow/users/create"
        for name in ("anna", "ben"):
            account = {"username": name, "password": f"{name}-hunter2-hunter2"}
            requests.post(users, json=account, auth=("admin", password), timeout=60).raise_for_status()
        assert "it asks for an account, which MLFLOW_TRACKING_USERNAME and" in refusal(address)
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "anna")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "wrong-hunter2")
        assert "it refuses the account 'anna': wrong name or password." in refusal(address)
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "anna-hunter2-hunter2")
        store = open_store(address)
        identity = store.client.create_experiment("Anna's")
        check_writing(store, identity, print)
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ben")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "ben-hunter2-hunter2")
        assert refusal(address, identity).endswith("no run can be added to the experiment: permission denied.")
        a_refused_request_is_read_to_its_end(address)


def a_refused_request_is_read_to_its_end(address: str) -> None:
    """Or the next one on the connection would be read with what is left of it, and never answered."""
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=60)
    connection.putrequest("POST", "/api/2.0/mlflow/experiments/search")
    connection.putheader("Content-Length", "2")
    connection.endheaders()
    assert not select.select([connection.sock], [], [], 1.0)[0], "it is answered before it has come"
    connection.send(b"{}")
    refused = connection.getresponse()
    assert (refused.status, bool(refused.read())) == (401, True)
    connection.request("GET", "/health")
    assert connection.getresponse().status == 200
    connection.close()
