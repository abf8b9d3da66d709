"""Commands and programs as processes of their own, for tests of signals, limits and several of them at once.

Importing MLflow and scikit-learn takes seconds. So one process imports them, opens no store, and forks itself for each
command; what comes out is a process like any other, the leader of a group of its own.

    python tests/processes.py     # reads a request in JSON from each line of stdin, answers on stdout
"""

import contextlib
import gc
import importlib
import json
import os
import resource
import runpy
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parents[1]
# What a sweep imports on its way, of which some is imported where it is first used.
IMPORTED = (
    *("src.command.driver", "src.command.checking", "src.command.search", "src.models.references"),
    *("src.report.pictures", "src.report.figures.curves", "src.report.figures.predictions", "src.tracking.database"),
    *("hydra._internal.hydra", "narwhals._pandas_like.dataframe", "pyarrow.pandas_compat", "sklearn.pipeline"),
    *("sklearn.preprocessing", "sqlalchemy.dialects.sqlite"),
)


@dataclass
class Running:
    """A command that was started."""

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

    @property
    def out(self) -> str:
        """What it has printed so far."""
        return self._printed("out")

    @property
    def err(self) -> str:
        """What it has printed so far on stderr."""
        return self._printed("err")

    def _printed(self, stream: str) -> str:
        file = self.folder / f"{self.pid}.{stream}"
        return file.read_text() if file.exists() else ""  # not there before the process has begun


class Commands:
    """Starts commands; closed by closing the process it forks them from."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def ask(self, **request: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def start(
        self,
        folder: Path,
        *arguments: str,
        program: str | None = None,
        largest_file: int | None = None,
        powers: bool = True,
    ) -> Running:
        """Start ``python -m src.run ARGUMENTS`` in a folder.

        Parameters
        ----------
        program : what to run instead, as ``python -c PROGRAM ARGUMENTS`` would.
        largest_file : the bytes no file may grow beyond, as on a disk that is full.
        powers : keep root's, to whom file modes mean nothing.
        """
        pid = self.ask(
            folder=str(folder), arguments=arguments, program=program, largest_file=largest_file, powers=powers
        )
        return Running(self, pid, folder)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def serve() -> None:
    sys.path.insert(0, str(ROOT))
    for module in IMPORTED:
        importlib.import_module(module)
    from tests.composing import composed_once, warm_hydra
    from tests.fuzz.forks import end

    leave_figures_empty()
    with composed_once():
        warm_hydra()
        gc.freeze()  # a collection in a command would touch, and so copy, every page
        answer_requests(end)


def answer_requests(end: Callable[[int], NoReturn]) -> None:
    answers = os.fdopen(os.dup(1), "w")
    alive = set()
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            answer = os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])
            alive.remove(request["wait"])
        else:
            answer = os.fork()
            if answer == 0:
                answers.close()
                end(run(**request))
            alive.add(answer)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
    for command in alive:  # of tests that failed
        os.kill(command, signal.SIGKILL)


def leave_figures_empty() -> None:
    """Draw nothing on the figures of the commands: that takes longer than their jobs, and nobody looks at them."""
    from matplotlib.figure import Figure

    setattr(Figure, "draw", lambda *_: None)  # noqa: B010


def run(folder: str, arguments: list[str], program: str | None, largest_file: int | None, powers: bool) -> int:
    """Be the command, or the program; return its exit status."""
    os.setsid()
    os.chdir(folder)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(f"{os.getpid()}.{name}", os.O_CREAT | os.O_WRONLY), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    if largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    sys.argv = ["src.run", *arguments]
    try:
        with contextlib.nullcontext() if powers else without_root_powers():
            if program is None:
                runpy.run_module("src.run", run_name="__main__", alter_sys=True)
            else:
                exec(program, {"__name__": "__main__"})
    except SystemExit as ended:
        return int(ended.code or 0)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


@contextlib.contextmanager
def without_root_powers() -> Iterator[None]:
    helper = runpy.run_path(str(Path(__file__).with_name("unprivileged.py")))
    with helper["without_root_powers"]():
        yield


if __name__ == "__main__":
    serve()
