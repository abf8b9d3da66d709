"""Servers for tests over the network: MLflow's as `make server` starts it, which can be killed, and one for S3."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.stores import empty_store

ROOT = Path(__file__).resolve().parents[1]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Server:
    """``python -m src.server`` with its files in a folder and more arguments; `start` comes first."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        empty_store(folder)

    def start(self) -> None:
        """Start it and wait until it answers."""
        where = ["--port", str(self.port), "--folder", str(self.folder)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "src.server", *where, *self._arguments],
            cwd=self.folder,
            env={"MLFLOW_WORKERS": "1", **os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for _ in range(1200):
            assert self._process.poll() is None, "the server ended"
            try:
                urllib.request.urlopen(f"{self.address}/health", timeout=5).close()
                return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.1)
        raise AssertionError("the server did not come up")

    def end(self, number: int = signal.SIGTERM) -> None:
        """Send it a signal and wait for its end; nothing where it has ended."""
        if self._process is not None:
            os.killpg(self._process.pid, number)
            self._process.wait(60)
            self._process = None


@contextmanager
def running_server(folder: Path, *arguments: str) -> Iterator[str]:
    """Run a server within the block; yield its address."""
    server = Server(folder, *arguments)
    try:
        server.start()
        yield server.address
    finally:
        server.end()


@contextmanager
def running_bucket() -> Iterator[str]:
    """Run a server that speaks S3's protocol within the block, with the bucket ``runs``; yield its address.

    The environment names it, as MLflow and boto3 read it.
    """
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ACCESS_KEY_ID", "me")
            patch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
            patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
            patch.setenv("MLFLOW_S3_ENDPOINT_URL", address)
            boto3.client("s3", endpoint_url=address).create_bucket(Bucket="runs")
            yield address
    finally:
        server.stop()


def keys(bucket: str) -> list[str]:
    """What is in the bucket of a `running_bucket`."""
    found = boto3.client("s3", endpoint_url=bucket).list_objects_v2(Bucket="runs")
    return [each["Key"] for each in found.get("Contents", [])]
