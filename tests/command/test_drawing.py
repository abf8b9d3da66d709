"""A command whose figures are drawn by a process of its own, as it is where Matplotlib was not imported before."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.processes import Commands, Running
from tests.stores import Record

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.cpu_count() == 1, reason="one core draws in the command itself"),
]
# Forked from a process that has imported Matplotlib, so that it would draw by itself.
AS_IF_NOT_IMPORTED = """
import runpy, sys
from src.report.drawing import Drawer
start = Drawer.start
def started(drawer):
    hidden = sys.modules.pop("matplotlib")
    start(drawer)
    sys.modules["matplotlib"] = hidden
Drawer.start = started
runpy.run_module("src.run", run_name="__main__", alter_sys=True)
"""


Start = Callable[..., Running]


@pytest.fixture
def record(tmp_path: Path) -> Record:
    return Record.empty(tmp_path)


@pytest.fixture
def start(record: Record, commands: Commands) -> Start:
    """Starts a command with its folder as the current one."""

    def start(*arguments: str) -> Running:
        store = f"tracking.uri={record.uri}"
        return commands.start(record.folder, *arguments, store, program=AS_IF_NOT_IMPORTED)

    return start


def drawer_of(command: Running) -> psutil.Process:
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
    assert command.wait() == 0, command.err
    lines = command.out.splitlines()
    answer = next(number for number, line in enumerate(lines) if line.startswith("Best of 3"))
    assert lines[-2].startswith("Open the result: ")
    assert answer < len(lines) - 2
    (page,) = record.folder.rglob("comparison.html")
    assert page.read_text().count("data:image/svg+xml") >= 5
    assert len(list(record.folder.rglob("confusion_matrix.png"))) == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_no_drawing_process_outlives_a_command(start: Start, number: int) -> None:
    command = start("-m", "training.learning_rate=0.1,0.2", "data=digits", "training.epochs=100000")
    drawer = drawer_of(command)
    command.send(number, to_all=True)
    assert command.wait() == (-number if number == signal.SIGKILL else 128 + number)
    assert "Traceback" not in command.err
    _, alive = psutil.wait_procs([drawer], timeout=60)
    assert not alive
