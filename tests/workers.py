"""Workers of loky and Dask, forked from a process that has imported what they import: each would spend two seconds.

A worker has the parent, arguments, variables, folder, files and signal mask that it would have as an interpreter of its
own. Where there is no such system call, it is one.

    python tests/workers.py SOCKET     # imports, and forks workers of its parent, which asks over that socket
"""

import ctypes
import importlib
import json
import os
import platform
import runpy
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing import util
from pathlib import Path
from typing import Any, NoReturn
from unittest import mock

from joblib.externals.loky.backend import fork_exec

ROOT = Path(__file__).resolve().parents[1]
IMPORTED = ("src.sweep.stacks", "src.models.references", "sklearn.preprocessing", "src.sweep.cluster")
CLONE = {"x86_64": 56, "aarch64": 220}.get(platform.machine())
CLONE_PARENT = 0x00008000  # of linux/sched.h: the new process is a child of this one's parent
MOST_FILES = 64  # that a worker is given


@contextmanager
def forked_here() -> Iterator[None]:
    """Fork the workers that this process starts within the block from one that imports at once."""
    if CLONE is None:
        yield
        return
    asking, asked = socket.socketpair()
    with asking:
        command = [sys.executable, __file__, str(asked.fileno())]
        with asked:
            process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, pass_fds=[asked.fileno()])
        with ExitStack() as patched:
            for patch in _asking(asking):
                patched.enter_context(patch)
            yield
    process.wait()


def fork_from_now_on() -> None:
    """Fork the workers of this process from what it is now: it has imported already, and has no thread yet."""
    if CLONE is None:
        return
    asking, asked = socket.socketpair()
    if os.fork() == 0:
        asking.close()
        _serve(asked)
        os._exit(0)
    asked.close()
    for patch in _asking(asking):
        patch.start()


def _asking(connection: socket.socket) -> list[Any]:
    """The patches by which the workers of this process are asked for."""
    anew, one_at_a_time = util.spawnv_passfds, threading.Lock()

    def of_loky(command: Sequence[str], files: Sequence[int], env: dict[str, str] | None = None) -> int:
        return start(command, files, env or {})

    def of_dask(path: bytes, command: Sequence[str | bytes], files: Sequence[int]) -> int:
        texts = [os.fsdecode(argument) for argument in command]
        is_worker = "--multiprocessing-fork" in texts
        return start(texts, files, {}) if is_worker else anew(path, command, files)

    def start(command: Sequence[str], files: Sequence[int], env: dict[str, str]) -> int:
        numbers = [0, 1, 2, *map(int, files)]
        mask = [int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, [])]
        request = {"command": command, "numbers": numbers, "folder": os.getcwd(), "mask": mask}
        message = json.dumps(request | {"environment": {**os.environ, **env}}).encode()
        with one_at_a_time:
            connection.sendall(len(message).to_bytes(4, "big"))
            socket.send_fds(connection, [message[:1]], numbers)
            connection.sendall(message[1:])
            answer = connection.recv(4, socket.MSG_WAITALL)
        assert answer, "the process that workers are forked from has ended"
        return int.from_bytes(answer, "big")

    return [mock.patch.object(fork_exec, "fork_exec", of_loky), mock.patch.object(util, "spawnv_passfds", of_dask)]


def _serve(connection: socket.socket) -> None:
    """Fork a worker for each request, until nobody can ask any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while length := connection.recv(4, socket.MSG_WAITALL):
        first, files, _, _ = socket.recv_fds(connection, 1, MOST_FILES)
        message = first + connection.recv(int.from_bytes(length, "big") - 1, socket.MSG_WAITALL)
        pid = _sibling()
        if pid == 0:
            _work(files, **json.loads(message))
        for file in files:
            os.close(file)
        connection.sendall(pid.to_bytes(4, "big"))


def _sibling() -> int:
    """Fork as `os.fork` does, a child of this process's parent."""
    ctypes.pythonapi.PyOS_BeforeFork()
    pid = ctypes.CDLL(None).syscall(CLONE, CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0)
    (ctypes.pythonapi.PyOS_AfterFork_Parent if pid else ctypes.pythonapi.PyOS_AfterFork_Child)()
    return int(pid)


def _work(
    files: list[int],
    command: list[str],
    numbers: list[int],
    folder: str,
    mask: list[int],
    environment: dict[str, Any],
) -> NoReturn:
    """Be the worker: the interpreter that the command starts, with these files under these numbers."""
    above = max(*files, *numbers) + 1
    for place, file in enumerate(files):
        os.dup2(file, above + place)
    os.closerange(3, above)
    for place, number in enumerate(numbers):
        os.dup2(above + place, number)
        os.close(above + place)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    if config := sys.modules.get("dask.config"):  # which has read the variables there were
        config.refresh()
        if distributed := sys.modules.get("distributed.config"):
            distributed.initialize_logging(config.config)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    status: Any = 1
    try:
        if "-m" in command:
            where = command.index("-m") + 1
            sys.argv = command[where:]
            sys.modules.pop(command[where], None)  # or it would be warned of
            Path("/proc/self/comm").write_text(command[command.index("--process-name") + 1][:15])
            runpy.run_module(command[where], run_name="__main__", alter_sys=True)
        else:
            where = command.index("-c") + 1
            sys.argv = ["-c", *command[where + 1 :]]
            exec(command[where], {"__name__": "__main__"})
    except SystemExit as ended:
        status = ended.code
    except BaseException:
        traceback.print_exc()
    from tests.processes import end

    end(int(status or 0))


if __name__ == "__main__":
    sys.path[0] = str(ROOT)
    for module in IMPORTED:
        importlib.import_module(module)
    _serve(socket.socket(fileno=int(sys.argv[1])))
