"""MLflow's pages over a store, served on this machine for one person, and the address that they have.

While the pages of an SQLite file are open, a small file beside it says on which port, so that a link that a run prints
never leads to the pages of another store.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from src.escaping import masked
from src.folders import own_folder
from src.language import say
from src.tracking.errors import TrackingError
from src.tracking.opening import open_store
from src.tracking.processes import PROCESS_HOST, PROCESS_ID, is_dead, process_tags
from src.tracking.sqlite_file import ARTIFACTS
from src.tracking.store import Store

HOST = "127.0.0.1"
PORTS = range(5000, 5100)
WORKERS = 2
ENDING = ("SIGTERM", "SIGHUP")  # the second where a terminal is closed; MLflow's server takes it for "begin anew"
PATIENCE_SECONDS = 10  # how long its processes may take to end


def local_address(store: Store) -> str:
    """Return where the pages of a store are open on this machine or, if they are not, where `serve` would open them."""
    return f"http://{HOST}:{_open_port(store.database) or _free_port()}"


def serve(uri: str | None, port: int | None, told: Callable[[str], None]) -> int:
    """Serve MLflow's pages over a store until Ctrl-C; tell where they are with `told`. Return the exit status.

    Where they are open already, or the store is a server itself, there is nothing to do but to say so.

    Raises TrackingError if the store cannot be used, or something else answers on the port.
    """
    store = open_store(uri)
    if store.address.startswith("http"):
        told(say("The runs are on {address}: open it in a browser.", address=masked(store.address)))
        return 0
    if _open_port(store.database):
        told(say("MLflow is open already: {address}", address=local_address(store)))
        return 0
    if port is None:
        port = _free_port()
    elif _answers(port):
        raise TrackingError(
            f"something answers on port {port} already, perhaps another store's pages. Name another, or none: then it "
            f"is the first free one from {PORTS[0]} on."
        )
    told(say("starting MLflow ..."))
    with _noted(store.database, port):
        return _served(store, port, told)


def _served(store: Store, port: int, told: Callable[[str], None]) -> int:
    """Run MLflow's server until it ends, or is ended, with all its processes; tell where it is once it answers."""
    folder = own_folder() if store.database is None else store.database.parent
    environment = {
        **os.environ,
        "MLFLOW_BACKEND_STORE_URI": store.address,  # no argument, which every user of the machine could read
        # A folder, so that runs made with and without the server keep their files in one place.
        "MLFLOW_DEFAULT_ARTIFACT_ROOT": str(folder / ARTIFACTS),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # which takes 2 GB
        "PYTHONWARNINGS": "ignore",
    }
    of_server = f"--host {HOST} --port {port} --workers {WORKERS} --uvicorn-opts".split()
    command = [sys.executable, "-m", "mlflow", "server", *of_server, "--log-level warning"]
    ending = [getattr(signal, name) for name in ENDING if hasattr(signal, name)]
    for number in ending:
        if signal.getsignal(number) is not signal.SIG_IGN:  # which nohup asks for
            signal.signal(number, lambda number, _: sys.exit(128 + number))
    # In a session of its own no signal of the terminal reaches a part of it before this process ends it as a whole.
    server = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        while not _answers(port) and server.poll() is None:
            time.sleep(0.2)
        if server.poll() is None:
            told(say("MLflow: {address}  (Ctrl-C ends it)", address=f"http://{HOST}:{port}"))
            if port != PORTS[0]:
                told(
                    say(
                        "In a link that a run printed before, write {port} in place of its port if it has another.",
                        port=port,
                    )
                )
        return server.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        for number in (signal.SIGINT, *ending):
            signal.signal(number, signal.SIG_IGN)
        _end(server)


def _end(server: "subprocess.Popen[bytes]") -> None:
    """End the server with its workers, if it still runs."""
    if server.poll() is None:
        first = psutil.Process(server.pid)
        every = [*first.children(recursive=True), first]
        for each in every:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.terminate()
        for each in psutil.wait_procs(every, timeout=PATIENCE_SECONDS)[1]:
            each.kill()


@contextlib.contextmanager
def _noted(database: Path | None, port: int) -> Iterator[None]:
    """Say beside an SQLite file, while its pages are open, on which port of which process."""
    if database is None:
        yield
        return
    try:
        _note(database).write_text(json.dumps({**process_tags(), "port": port, "database": str(database)}))
        yield
    finally:
        _note(database).unlink(missing_ok=True)


def _open_port(database: Path | None) -> int | None:
    """Return the port on which the pages of an SQLite file are open now, None if they are not.

    The process that wrote the note, or one that it started, listens there itself: so it is no other store's.
    """
    if database is None:
        return None
    try:
        note = json.loads(_note(database).read_text())
        # A note may have been copied along with its file.
        if note["database"] != str(database) or note[PROCESS_HOST] != socket.gethostname() or is_dead(note):
            return None
        process = psutil.Process(int(note[PROCESS_ID]))
        for each in [process, *process.children(recursive=True)]:
            for connection in each.net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN and connection.laddr.port == note["port"]:
                    return connection.laddr.port
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):  # no note, none of ours, or not ours to ask
        return None
    return None


def _note(database: Path) -> Path:
    return database.with_name(f"{database.name}.ui")


def _free_port() -> int:
    for port in PORTS:
        if not _answers(port):
            return port
    raise TrackingError(f"something answers on every port from {PORTS[0]} to {PORTS[-1]}; name another with --port.")


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0
