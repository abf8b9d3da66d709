"""Sweeps on a server: two commands at once, one of them killed, and the server gone for a while.

The commands and the server are processes of their own; see `tests.test_sweep_faults`.
"""

import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.processes import Commands, Running
from tests.servers import Server
from tests.test_sweep_faults import Store, each_job_once, ended_well, until

JOBS = 12
GRID = (
    *("-m", "training.learning_rate=0.1,0.2,0.3,0.4", "training.l2=0,1e-3,1e-2", "training.epochs=50"),
    *("cv.folds=2", "tracking.models=none", "sweep.max_stack_memory=300KB"),
)

# Signs of life often, on a machine of that name; who gives none is dead once SIGUSR1 says so. As long as the file
# `hold` is there, the sweep and two or three jobs are all that is written, so that a fault strikes in between.
PROGRAM = """
import runpy, signal, socket, time
from pathlib import Path
from src.tracking import claims, patience, sending, store
claims.BEAT, claims.LEASE, claims.LOOK = 0.3, 3.0, 0.1
signal.signal(signal.SIGUSR1, lambda *_: setattr(claims, "EXPIRY", 0.5))
patience.PAUSE = 0.1
sending.FOLDER = Path("waiting {host}").resolve()
sending.TOGETHER = 2
socket.gethostname = lambda: {host!r}
hold, given, add_runs = Path("hold").resolve(), [], store.Store.add_runs
def held(self, runs, again=False):
    while len(given) > 2 and hold.exists():
        time.sleep(0.02)
    given.extend(runs)
    return add_runs(self, runs, again)
store.Store.add_runs = held
runpy.run_module("src.run", run_name="__main__", alter_sys=True)
"""


@dataclass(frozen=True)
class Served(Store):
    """A store that a server keeps; what is recorded is read from its database."""

    server: Server

    @property
    def database(self) -> Path:
        return self.folder / "mlflow.db"

    @property
    def uri(self) -> str:
        return self.server.address

    @property
    def hold(self) -> Path:
        """The file that stops what is written."""
        return self.folder / "hold"

    def on(self, host: str, *arguments: str) -> Running:
        """Start a sweep on a machine of this name."""
        program = PROGRAM.format(host=host)
        return self.commands.start(self.folder, *GRID, *arguments, f"tracking.uri={self.uri}", program=program)

    def waiting(self) -> list[Path]:
        """The jobs that wait on the disk of any machine."""
        return list(self.folder.glob("waiting */**/*.zip"))

    def is_complete(self) -> None:
        """Every job was recorded once and whole, under one sweep that has finished, and nothing is left over."""
        (parent,) = self.parents()
        assert parent.info.status == "FINISHED"
        jobs = self.jobs()
        each_job_once(jobs, JOBS)
        assert {run.data.tags["mlflow.parentRunId"] for run in jobs} == {parent.info.run_id}
        client = MlflowClient(self.uri)
        for run in jobs:
            if run.info.status == "FINISHED":
                assert len(client.list_artifacts(run.info.run_id)) == 6
                assert len(client.get_run(run.info.run_id).inputs.dataset_inputs) == 1
        experiment = client.get_experiment(parent.info.experiment_id)
        assert [key for key in experiment.tags if key.startswith("claim.")] == []
        assert list(self.folder.glob("waiting *")) == []


@pytest.fixture
def served(tmp_path: Path, commands: Commands) -> Iterator[Served]:
    with Server(tmp_path, commands) as server:
        yield Served(tmp_path, commands, server)


def test_of_two_commands_on_one_sweep_the_second_goes_on_when_the_first_is_killed(served: Served) -> None:
    served.hold.touch()
    first = served.on("alpha")
    until(lambda: served.count() >= 2 and served.waiting(), first)
    second = served.on("beta")
    until(lambda: "runs this very sweep" in second.out, second)
    assert "on alpha, begun 20" in second.out
    first.send(signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL
    served.hold.unlink()
    second.send(signal.SIGUSR1)
    ended_well(second)
    assert f"jobs of {JOBS} reused from the record" in second.out
    waited = len(served.waiting())
    again = served.on("alpha")  # where jobs wait that the other has trained meanwhile
    ended_well(again)
    assert f"An earlier command had {waited} jobs waiting on this machine; all are recorded." in again.out
    served.is_complete()


def test_a_server_that_comes_back_is_told_everything_that_ended_meanwhile(served: Served) -> None:
    served.hold.touch()
    command = served.on("alpha")
    until(lambda: served.count() >= 2, command)
    served.server.end(signal.SIGKILL)
    served.hold.unlink()
    until(lambda: "does not answer" in command.out and len(served.waiting()) > 2, command)
    served.server.start()
    ended_well(command)
    assert command.out.count("does not answer; trying again for 5 minutes") == 1
    assert command.out.count("answers again.") == 1
    served.is_complete()


def test_what_a_server_did_not_take_in_time_is_sent_by_the_next_command(served: Served) -> None:
    served.hold.touch()
    command = served.on("alpha", "tracking.patience=0.025")
    until(lambda: served.count() >= 2, command)
    served.server.end(signal.SIGKILL)
    served.hold.unlink()
    assert command.wait() == 1
    waiting = len(served.waiting())
    assert waiting > 2
    told = command.err.splitlines()
    assert any(f"error: tracking.uri: {served.uri} has not answered for 1.5 s. Recorded: " in line for line in told)
    assert any(f"; {waiting} more wait on this machine and are sent by the same command" in line for line in told)
    assert "Traceback" not in command.err

    served.server.start()
    again = served.on("alpha")
    ended_well(again)
    assert f"An earlier command had {waiting} jobs waiting on this machine; all are recorded." in again.out
    reused = re.search(rf"(\d+) jobs of {JOBS} reused from the record", again.out)
    assert reused is not None
    assert int(reused[1]) >= waiting
    served.is_complete()
