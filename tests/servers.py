"""MLflow's server as `make server` starts it, for tests over the network; it can be killed and started again."""

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
