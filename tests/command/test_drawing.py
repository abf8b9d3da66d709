"""A command whose figures are drawn by a process of its own, as it is where Matplotlib was not imported before."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from src.run import ROOT
from tests.processes import Commands, Running
from tests.stores import Record

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.cpu_count() == 1, reason="one core draws in the command itself"),
]
# Forked from a process that has imported it.
WITHOUT_MATPLOTLIB = """
import runpy, sys
del sys.modules["matplotlib"]
runpy.run_module("src.run", run_name="__main__", alter_sys=True)
"""
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def record(tmp_path: Path) -> Record:
    return Record.empty(tmp_path)


@pytest.fixture
def start(record: Record) -> Iterator[Start]:
    """Starts a command as the leader of a group, with its folder as the current one."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> "subprocess.Popen[str]":
        pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        process = subprocess.Popen(
            [sys.executable, "-m", "src.run", *arguments, f"tracking.uri={record.uri}"],
            cwd=record.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            start_new_session=True,
            # Ignored where the tests run in a shell's background, and a command heeds no signal that is ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            **pipes,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def drawer_of(command: "subprocess.Popen[str] | Running") -> psutil.Process:
    """The process that draws, once it is there."""
    while psutil.Process(command.pid).status() != psutil.STATUS_ZOMBIE:
        for child in psutil.Process(command.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):  # a zombie is one
                if "src.report.drawing" in child.cmdline():
                    return child
        time.sleep(0.02)
    raise AssertionError("the command ended before")


def test_a_study_is_whole_though_its_drawing_process_is_killed(record: Record, start: Start) -> None:
    command = start("experiments=homework5", "training.epochs=5")
    drawer_of(command).kill()
    out, err = command.communicate()
    assert command.returncode == 0, err
    lines = out.splitlines()
    answer = next(number for number, line in enumerate(lines) if line.startswith("Best of 3"))
    assert lines[-2].startswith("Open the result: ")
    assert answer < len(lines) - 2
    (page,) = record.folder.rglob("comparison.html")
    assert page.read_text().count("data:image/svg+xml") >= 5
    assert len(list(record.folder.rglob("confusion_matrix.png"))) == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_no_drawing_process_outlives_a_command(record: Record, commands: Commands, number: int) -> None:
    endless = ("-m", "training.learning_rate=0.1,0.2", "data=digits", "training.epochs=100000")
    command = commands.start(record.folder, *endless, f"tracking.uri={record.uri}", program=WITHOUT_MATPLOTLIB)
    drawer = drawer_of(command)
    command.send(number, to_all=True)
    assert command.wait() == (-number if number == signal.SIGKILL else 128 + number)
    assert "Traceback" not in command.err
    _, alive = psutil.wait_procs([drawer], timeout=60)
    assert not alive
