"""Where MLflow's pages over a store are open, and that no link leads to another store's."""

import contextlib
import json
import os
import signal
import socket
import time
from pathlib import Path

import psutil
import pytest
import requests

from src.tracking import pages
from src.tracking.errors import TrackingError
from src.tracking.opening import open_store
from src.tracking.pages import local_address, serve
from src.tracking.processes import process_tags
from src.tracking.store import Store
from tests.browser import free_port
from tests.processes import Commands
from tests.stores import empty_store

# Its controlling terminal is the one named first. `nohup`, and what it started, leave SIGHUP ignored.
ON_A_TERMINAL_WITH_ONE_WORKER = """
import fcntl, os, signal, sys, termios
terminal = os.open(sys.argv.pop(1), os.O_RDWR)
fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
for number in (0, 1, 2):
    os.dup2(terminal, number)
os.close(terminal)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
import subprocess
from src import ui
from src.tracking import pages
from tests.processes import Forked
subprocess.Popen = Forked
pages.WORKERS = 1
sys.exit(ui.main())
"""
# In place of MLflow's server, which takes seconds to begin, one that only answers.
WITH_ANOTHER_SERVER = """
import subprocess, sys
from src.tracking import pages
popen = subprocess.Popen
def other(command, **how):
    return popen([sys.executable, "-m", "http.server", "--bind", "127.0.0.1", sys.argv[-1]], **how)
pages.subprocess.Popen = other
from src import ui
sys.exit(ui.main())
"""


def listening(port: int = 0) -> socket.socket:
    return socket.create_server(("127.0.0.1", port))


def note(store: Store, port: int, **changes: str) -> None:
    assert store.database is not None
    store.database.with_name(f"{store.database.name}.ui").write_text(
        json.dumps({**process_tags(), "port": port, "database": str(store.database)} | changes)
    )


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> int:
    """The only port that pages are opened on, where none is named."""
    port = free_port()
    monkeypatch.setattr(pages, "PORTS", range(port, port + 1))
    return port


def test_a_link_leads_to_the_port_that_serves_this_very_store(store: Store, free: int) -> None:
    assert local_address(store) == f"http://127.0.0.1:{free}", "where they would be opened"
    with listening() as ours:
        port = ours.getsockname()[1]
        note(store, port)
        assert local_address(store) == f"http://127.0.0.1:{port}"
        note(store, port, process_host="elsewhere")
        assert local_address(store) == f"http://127.0.0.1:{free}"
        note(store, port, database="/the/original.db")
        assert local_address(store) == f"http://127.0.0.1:{free}", "the note was copied along with the store"
    note(store, port)
    assert local_address(store) == f"http://127.0.0.1:{free}", "nobody listens there any more"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"port": 5000}'])
def test_a_note_that_is_none_of_ours_is_not_believed(store: Store, free: int, text: str) -> None:
    assert store.database is not None
    store.database.with_name(f"{store.database.name}.ui").write_text(text)
    assert local_address(store) == f"http://127.0.0.1:{free}"


def test_a_port_on_which_something_else_answers_is_not_taken(store: Store, free: int) -> None:
    with listening(free):
        with pytest.raises(TrackingError, match=f"something answers on port {free} already, perhaps another store's"):
            serve(store.address, free, print)
        with pytest.raises(TrackingError, match="something answers on every port"):
            serve(store.address, None, print)


@pytest.mark.slow
@pytest.mark.parametrize("number, status", [(signal.SIGINT, 0), (signal.SIGTERM, 128 + signal.SIGTERM)])
def test_the_pages_end_with_their_server(commands: Commands, tmp_path: Path, number: int, status: int) -> None:
    address, port = empty_store(tmp_path), free_port()
    served = commands.start(tmp_path, "--uri", address, "--port", str(port), program=WITH_ANOTHER_SERVER)
    while "Ctrl-C ends it" not in served.out:
        assert not served.ended(), served.err
        time.sleep(0.05)
    behind = psutil.Process(served.pid).children(recursive=True)
    assert behind
    served.send(number)
    assert served.wait() == status, served.err
    assert not psutil.wait_procs(behind, timeout=60)[1]
    assert not list(tmp_path.glob("*.ui"))


@pytest.mark.slow
def test_the_pages_are_served_and_open_once_until_their_terminal_is_closed(commands: Commands, tmp_path: Path) -> None:
    address, port = empty_store(tmp_path), free_port()
    ours, theirs = os.openpty()
    terminal = os.ttyname(theirs)
    served = commands.start(
        tmp_path, terminal, "--uri", address, "--port", str(port), program=ON_A_TERMINAL_WITH_ONE_WORKER
    )
    every = []
    try:
        shown = b""
        while b"Ctrl-C ends it" not in shown:
            shown += os.read(ours, 1000)
        os.close(theirs)
        assert shown.startswith(b"starting MLflow ...\r\n")
        assert f"MLflow: http://127.0.0.1:{port}  (Ctrl-C ends it)".encode() in shown
        assert requests.get(f"http://127.0.0.1:{port}/health", timeout=60).ok, "it is told when it answers"
        told: list[str] = []
        assert serve(address, None, told.append) == 0
        assert told == [f"MLflow is open already: http://127.0.0.1:{port}"]
        assert local_address(open_store(address)) == f"http://127.0.0.1:{port}"
        every = psutil.Process(served.pid).children(recursive=True)
        assert len(every) > 1, "a server and its workers"
        os.close(ours)  # what a terminal does when its window is closed: the system sends SIGHUP
        assert served.wait() == 128 + signal.SIGHUP
        assert not psutil.wait_procs(every, timeout=60)[1]
        assert not list(tmp_path.glob("*.ui"))
    finally:
        for each in every:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        served.send(signal.SIGKILL)
