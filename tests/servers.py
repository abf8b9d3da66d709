"""Servers for tests over the network: MLflow's as `make server` starts it, which can be killed, and one for S3."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pytest

from tests.processes import Commands, Running
from tests.stores import empty_store

ROOT = Path(__file__).resolve().parents[1]
# A command that ends in MLflow's server as one process, which has imported everything: three interpreters take 7 s.
IN_ONE = """
import os, runpy, sys
def run(command):
    sys.argv = command[2:]
    runpy.run_module(command[2], run_name="__main__", alter_sys=True)
def become(_, command, environment):
    os.environ.update(environment)
    run(command)
def serve(command, extra_env, **_):
    os.environ.update(extra_env)
    run(command)
import mlflow.server
os.execve, mlflow.server._exec_cmd = become, serve
run([sys.executable, "-m", *sys.argv[1:]])
"""


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Server:
    """``python -m src.server`` with its files in a folder and more arguments; it runs within the block."""

    def __init__(self, folder: Path, commands: Commands, *arguments: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._arguments = arguments
        self._commands = commands
        self._running: Running | None = None
        empty_store(folder)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end(signal.SIGKILL)  # it would take two seconds to say farewell

    def start(self) -> None:
        """Start it, which the block does, and wait until it answers."""
        where = ("--port", str(self.port), "--folder", str(self.folder))
        self._running = in_one(self._commands, self.folder, self.port, "src.server", *where, *self._arguments)

    def end(self, number: int = signal.SIGTERM) -> None:
        """Send it a signal and wait for its end; nothing where it has ended."""
        if self._running is not None:
            self._running.send(number, to_all=True)
            self._running.wait()
            self._running = None


def in_one(commands: Commands, folder: Path, port: int, *arguments: str, **environment: str) -> Running:
    """Start ``python -m ARGUMENTS``, which ends in MLflow's server, and wait until it answers."""
    running = commands.start(folder, *arguments, program=IN_ONE, environment={"MLFLOW_WORKERS": "1", **environment})
    wait_for(port, lambda: not running.ended())
    return running


def wait_for(port: int, lives: Callable[[], bool]) -> None:
    """Wait until a server of MLflow's answers on a port, as long as it lives."""
    for _ in range(1200):
        assert lives(), "the server ended"
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise AssertionError("the server did not come up")


@contextmanager
def running_server(folder: Path, *arguments: str) -> Iterator[str]:
    """Run a server within the block, in processes as the user starts them; yield its address."""
    port = free_port()
    empty_store(folder)
    command = [sys.executable, "-m", "src.server", "--port", str(port), "--folder", str(folder), *arguments]
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={"MLFLOW_WORKERS": "1", **os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(port, lambda: process.poll() is None)
        yield f"http://127.0.0.1:{port}"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


@contextmanager
def running_bucket() -> Iterator[str]:
    """Run a server that speaks S3's protocol within the block, with the bucket ``runs``; yield its address.

    The environment names it, as MLflow and boto3 read it.
    """
    import boto3  # late: most processes collect the tests over S3 and run none
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ACCESS_KEY_ID", "me")
            patch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
            patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
            patch.setenv("MLFLOW_S3_ENDPOINT_URL", address)
            # What an earlier one in this process was given is there still.
            with urllib.request.urlopen(urllib.request.Request(f"{address}/moto-api/reset", method="POST")):
                boto3.client("s3", endpoint_url=address).create_bucket(Bucket="runs")
            yield address
    finally:
        server.stop()


def keys(bucket: str) -> list[str]:
    """What is in the bucket of a `running_bucket`."""
    import boto3

    found = boto3.client("s3", endpoint_url=bucket).list_objects_v2(Bucket="runs")
    return [each["Key"] for each in found.get("Contents", [])]
