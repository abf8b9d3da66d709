"""The settings of gunicorn, which runs the workers of MLflow's server for `src.server`; it reads this file by itself.

MLflow starts uvicorn unless it is told otherwise, which takes a third more processor time for a job's requests.
"""

import os
import signal
import sqlite3
from collections.abc import Callable, Iterable
from typing import Any

import sqlalchemy as sa

worker_class = "gthread"
threads = 8  # of each worker: a large file that comes slowly keeps one of them
keepalive = 75  # seconds a connection may rest; a client that has just taken up one that is closed is refused
graceful_timeout = 2  # seconds for what is under way when it is ended
loglevel = "warning"

hangs_up = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN  # which nohup asks for


def when_ready(server: Any) -> None:
    """Let a terminal that is closed end the server, which gunicorn would take for the wish to read this file again."""
    if hangs_up:
        signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))


def post_worker_init(worker: Any) -> None:
    """Let a request be read to its end before it is answered, also where MLflow refuses it without a look at its body.

    Else gunicorn (26.2) reads the body after the answer, and with it the client's next request on that connection, of
    which nobody then knows: the client waits in vain.
    """
    answer = worker.wsgi

    def read_whole(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(*status_and_headers: Any) -> Any:
            while environ["wsgi.input"].read(1 << 16):
                pass
            return start_response(*status_and_headers)

        return answer(environ, start)  # type: ignore[no-any-return]

    worker.wsgi = read_whole


def worker_exit(server: Any, worker: Any) -> None:
    """End a worker whose requests are answered: threads of MLflow would keep it until gunicorn kills it."""
    os._exit(0)


@sa.event.listens_for(sa.Engine, "connect")
def settle(connection: Any, _: Any) -> None:
    """As `src.tracking.database` does it: a job is eight commits here, each of which would wait for the disk."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous = NORMAL")
