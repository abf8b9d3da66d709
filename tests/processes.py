"""Commands and programs as processes of their own, for tests of signals, limits and several of them at once.

Importing MLflow and scikit-learn takes seconds. So one process imports them, for all workers of a test session, opens
no store and starts no thread; it forks itself for each `Commands`, and that process for each command. What comes out is
a process like any other, the leader of a group of its own.

    python tests/processes.py ADDRESS OWNER     # listens on a Unix socket until the process OWNER has ended
"""

import atexit
import contextlib
import ctypes
import faulthandler
import gc
import importlib
import json
import os
import resource
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Self

import psutil
from filelock import FileLock

ROOT = Path(__file__).resolve().parents[1]
# What commands import on their way, of which some is imported where it is first used.
IMPORTED = (
    "skops.io",  # looks each of its types up in all modules there are, so the fewer the better
    *("src.command.driver", "src.command.search", "src.command.rerun", "src.compare", "src.rerun", "src.studies"),
    *("src.report.figures.scores", "src.report.figures.curves", "src.tracking.view", "matplotlib.pyplot"),
    *("mlflow.store.tracking.sqlalchemy_store", "mlflow.store.model_registry.sqlalchemy_store", "mlflow.pyfunc"),
    *("src.command.checking", "src.report.pictures", "src.report.figures.predictions", "src.tracking.database"),
    *("src.models.references", "hydra._internal.hydra", "sklearn.pipeline", "sklearn.preprocessing"),
    *("sklearn.ensemble", "sklearn.neighbors", "sklearn.datasets", "optuna"),
    *("narwhals._pandas_like.dataframe", "pyarrow.pandas_compat", "sqlalchemy.dialects.sqlite"),
    "src.sweep.cluster",
    *("mlflow.cli", "mlflow.server.fastapi_app", "uvicorn.protocols.http.h11_impl"),
)
ENVIRONMENT = {
    **{f"{name}_NUM_THREADS": "1" for name in ("OPENBLAS", "OMP", "MKL")},
    "MPLBACKEND": "Agg",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PYTHONPATH": str(ROOT),
    "MPLCONFIGDIR": f"{tempfile.gettempdir()}/matplotlib-of-the-tests",  # its own could not be written
}
# As Python starts where nothing of the checkout is to be seen; a program's first lines.
OUT_OF_SIGHT = """
import importlib.util, os, runpy, sys
root = os.environ.pop("PYTHONPATH")
sys.path[:] = [place for place in sys.path if place not in ("", root)]
for name in [name for name in sys.modules if name.partition(".")[0] in ("src", "tests")]:
    del sys.modules[name]
assert importlib.util.find_spec("src") is None
"""
NEW_MOUNTS = 0x00020000  # CLONE_NEWNS of linux/sched.h

# For root, to whom file modes mean nothing: everything but the temporary folder and shared memory can only be read, in
# what this process and its children see. A bad path once made the program replace /dev/null.
CONFINE = """
set -e
mount --bind "$0" "$0"
while read -r _ at _; do
    case $at in "$0" | /dev/shm | /dev/pts) ;; *) mount -o remount,bind,ro "$at" ;; esac
done < /proc/self/mounts
exec "$@"
"""


def alone_in_temp(command: Sequence[str]) -> list[str]:
    """The command, unable to write outside the temporary folder if it is root's."""
    if os.geteuid() != 0:
        return list(command)
    return ["unshare", "--mount", "sh", "-c", CONFINE, tempfile.gettempdir(), *command]


@dataclass(frozen=True)
class Limits:
    """What a command may take: seconds of processor time, seconds by the clock, bytes above what the imports take."""

    processor: float = 10.0
    clock: float = 30.0
    memory: int = 1 << 30


@dataclass
class Running:
    """A command that was started, and where its output goes."""

    commands: "Commands"
    pid: int
    folder: Path

    def send(self, number: int, *, to_all: bool = False) -> None:
        """Send a signal to the command, or as Ctrl-C does to its workers too."""
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if to_all else os.kill)(self.pid, number)

    def wait(self) -> int:
        """Wait for its end; return its exit status, or the number of the signal that ended it, negative."""
        return int(self.commands.ask(wait=self.pid))

    def ended(self) -> bool:
        """Whether it needs no more waiting."""
        return bool(self.commands.ask(look=self.pid))

    def _text(self, suffix: str) -> str:
        file = self.folder / f"{self.pid}.{suffix}"
        return file.read_bytes().decode(errors="backslashreplace") if file.exists() else ""

    @property
    def out(self) -> str:
        return self._text("out")

    @property
    def err(self) -> str:
        return self._text("err")

    @property
    def stuck(self) -> str:
        """Where each thread was when a limit of time ended the command; empty if none did."""
        return self._text("stuck")


class Commands:
    """Starts commands; leaving the block ends the process that they are forked from.

    Parameters
    ----------
    confined : commands can write to the temporary folder only.
    figures : draw on figures; where nobody looks at them that takes longer than the jobs.
    """

    def __init__(self, *, confined: bool = False, figures: bool = True) -> None:
        self._connection = _connected()
        self._lines = self._connection.makefile("rw")
        self.ask(confined=confined, figures=figures, environment={**os.environ, **ENVIRONMENT})

    def ask(self, **request: Any) -> Any:
        self._lines.write(json.dumps(request) + "\n")
        self._lines.flush()
        return json.loads(self._lines.readline())

    def start(
        self,
        folder: Path,
        *arguments: str,
        module: str = "src.run",
        program: str | None = None,
        environment: dict[str, str] | None = None,
        limits: Limits | None = None,
        largest_file: int | None = None,
        powers: bool = True,
        clock: float = 0.0,
        fork_workers: bool = False,
    ) -> Running:
        """Start ``python -m MODULE ARGUMENTS`` in a folder.

        Parameters
        ----------
        program : what to run instead, as ``python -c PROGRAM ARGUMENTS`` would.
        environment : variables beside those of this process.
        limits : what ends it; None for nothing.
        largest_file : the bytes no file may grow beyond, as on a disk that is full.
        powers : keep root's, to whom file modes mean nothing.
        clock : seconds by which the time of day is wrong.
        fork_workers : see `tests.workers`.
        """
        pid = self.ask(
            folder=str(folder),
            arguments=arguments,
            module=module,
            program=program,
            environment=environment or {},
            limits=None if limits is None else vars(limits),
            largest_file=largest_file,
            powers=powers,
            clock=clock,
            fork_workers=fork_workers,
        )
        return Running(self, pid, folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.shutdown(socket.SHUT_RDWR)
        self._lines.close()
        self._connection.close()


def _connected() -> socket.socket:
    """Connect to the process that imports, which the first who needs it starts."""
    session = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    owner = os.getppid() if session else os.getpid()
    folder = Path(tempfile.gettempdir()) / f"commands-{session or owner}"
    folder.mkdir(mode=0o700, exist_ok=True)
    address = folder / "socket"
    with FileLock(folder / "lock"):
        if not address.exists():
            command = [sys.executable, __file__, str(address), str(owner)]
            process = subprocess.Popen(command, env={**os.environ, **ENVIRONMENT}, start_new_session=True)
            while not address.exists():
                assert process.poll() is None, "the process that imports has ended"
                time.sleep(0.05)
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(address))
    return connection


def serve(address: Path, owner: int) -> None:
    sys.path[0] = str(ROOT)
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"  # Arrow's own takes a gigabyte of addresses at its first array
    for module in IMPORTED:
        importlib.import_module(module)
    from src.config.identity import code_version
    from tests.composing import composed_once, warm_hydra

    code_version()  # is remembered
    with composed_once(), socket.socket(socket.AF_UNIX) as listening:
        warm_hydra()
        gc.freeze()  # a collection in a command would touch, and so copy, every page
        listening.bind(f"{address}.new")
        listening.listen()
        listening.settimeout(1.0)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that serve
        address.with_name("socket.new").rename(address)
        while psutil.pid_exists(owner):
            with contextlib.suppress(TimeoutError):
                connection = listening.accept()[0]
                if os.fork() == 0:
                    listening.close()
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    connection.setblocking(True)
                    _answer_requests(connection)
                    os._exit(0)
                connection.close()
        shutil.rmtree(address.parent)


def _prepare(confined: bool, figures: bool, environment: dict[str, str]) -> None:
    """Become what commands are forked from."""
    os.environ.clear()
    os.environ.update(environment)
    if not figures:
        setattr(importlib.import_module("matplotlib.figure").Figure, "draw", lambda *_: None)  # noqa: B010
    if confined and os.geteuid() == 0:
        assert ctypes.CDLL(None).unshare(NEW_MOUNTS) == 0
        program = f"set -e; mount --make-rprivate /\n{CONFINE}"
        subprocess.run(["sh", "-c", program, tempfile.gettempdir(), "true"], check=True)


def _answer_requests(connection: socket.socket) -> None:
    lines = connection.makefile("rw")
    ended: dict[int, int] = {}
    alive = set()
    for line in lines:
        request = json.loads(line)
        answer: Any = None
        if "confined" in request:
            _prepare(**request)
        elif "look" in request:
            pid, status = os.waitpid(request["look"], os.WNOHANG) if request["look"] in alive else (1, 0)
            if pid and request["look"] in alive:
                alive.remove(pid)
                ended[pid] = os.waitstatus_to_exitcode(status)
            answer = bool(pid)
        elif "wait" in request:
            pid = request["wait"]
            if pid in alive:
                ended[pid] = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                alive.remove(pid)
            answer = ended[pid]
        else:
            answer = os.fork()
            if answer == 0:
                os.close(connection.detach())
                end(_run(**request))
            alive.add(answer)
        lines.write(json.dumps(answer) + "\n")
        lines.flush()
    for pid in alive:  # of a caller that failed
        os.kill(pid, signal.SIGKILL)


def _run(
    folder: str,
    arguments: list[str],
    module: str,
    program: str | None,
    environment: dict[str, str],
    limits: dict[str, Any] | None,
    largest_file: int | None,
    powers: bool,
    clock: float,
    fork_workers: bool,
) -> int:
    """Be the command, or the program; return its exit status."""
    os.setsid()
    os.chdir(folder)
    sys.path.insert(0, folder)  # as -m does
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(f"{os.getpid()}.{name}", os.O_CREAT | os.O_WRONLY), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    if limits is not None:
        _limit(Limits(**limits))
    if largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    if clock:
        real = time.time
        time.time = lambda: real() + clock
    from tests.unprivileged import without_root_powers
    from tests.workers import fork_from_now_on

    if fork_workers:
        fork_from_now_on()
    with contextlib.nullcontext() if powers else without_root_powers():
        return _become(module, program, arguments)


def _become(module: str, program: str | None, arguments: Sequence[str]) -> int:
    """Be the interpreter of a module or, unless it is None, of a program; return its exit status."""
    sys.argv = [module, *arguments]
    sys.orig_argv = [sys.executable, *(["-m", module] if program is None else ["-c", program]), *arguments]
    if not hasattr(sys.modules.get(module), "__path__"):  # of a package it is `__main__` that runs
        sys.modules.pop(module, None)
    try:
        if program is None:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        else:
            exec(program, {"__name__": "__main__"})
    except SystemExit as ended:
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
            return 1
        return int(ended.code or 0)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def end(status: int) -> NoReturn:
    """End as an interpreter does, apart from freeing every object, which takes half a second."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


class Forked(subprocess.Popen[bytes]):
    """In place of `subprocess.Popen` in a command: ``python -m MODULE`` is a fork of it, which has imported already."""

    def __init__(self, command: Sequence[str], preexec_fn: Callable[[], object] | None = None, **how: Any) -> None:
        def become() -> NoReturn:
            if preexec_fn is not None:
                preexec_fn()
            os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0])  # over which Popen waits for a new program
            os.environ.clear()
            os.environ.update(how["env"])
            gc.enable()
            for number in signal.valid_signals():
                if callable(signal.getsignal(number)):
                    signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
            end(_become(command[2], None, command[3:]))

        of_module = command[:2] == [sys.executable, "-m"]
        super().__init__(command, preexec_fn=become if of_module else preexec_fn, **how)


def _limit(limits: Limits) -> None:
    """A signal ends the command where time is up, after writing where it was."""
    stuck = open(f"{os.getpid()}.stuck", "w")  # noqa: SIM115 - open as long as the process lives
    for number, timer, seconds in (
        (signal.SIGALRM, signal.ITIMER_REAL, limits.clock),
        (signal.SIGPROF, signal.ITIMER_PROF, limits.processor),
    ):
        faulthandler.register(number, file=stuck, all_threads=True, chain=True)
        signal.setitimer(timer, seconds)
    with open("/proc/self/statm") as statm:
        taken = int(statm.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + limits.memory, taken + limits.memory))


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
