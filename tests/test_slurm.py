"""A sweep on a real Slurm: a job cancelled, a worker killed, and the bits of threads on this machine."""

import contextlib
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from mlflow import MlflowClient

from tests.slurm import QUEUE, asked, missing, slurm
from tests.stores import computed, empty_store

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 120  # that something may take on a busy machine
# 60 jobs in small stacks.
GRID = (
    *("-m", "model.hidden_layer_sizes=[4],[8],[16,8]", "training.learning_rate=0.1,0.3,1,3"),
    *("training.l2=0,1e-3,1e-2,0.1,1", "training.epochs=600", "sweep.max_stack_memory=100KB", "tracking.models=none"),
)
ON_SLURM = (
    *("sweep.backend=dask", "sweep.n_jobs=2", "sweep.dask.cluster=slurm", f"sweep.dask.options.queue={QUEUE}"),
    *("sweep.dask.options.memory=1GB", f"sweep.dask.timeout={SECONDS}"),
)

pytestmark = [pytest.mark.slow, pytest.mark.daemons]


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    """That of a user of a cluster with two cores."""
    pytest.importorskip("dask_jobqueue")
    if (why := missing()) is not None:
        pytest.skip(f"no Slurm: {why}")
    with slurm(cores=2) as found:
        lost_after = {"DASK_DISTRIBUTED__DEPLOY__LOST_WORKER_TIMEOUT": "2s"}  # that a worker is replaced: 15 s usually
        yield {name: value for name, value in found.items() if name != "PYTHONPATH"} | lost_after


def sweep(environment: dict[str, str], folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    """Start the sweep in the checkout, with a store of its own; its workers start in a folder that has no code."""
    uri = empty_store(folder)
    command = [sys.executable, "-m", "src.run", *GRID, f"tracking.uri={uri}", *arguments]
    if "sweep.dask.cluster=slurm" in arguments:
        command.append(f'sweep.dask.options.job_extra_directives=["--chdir={folder}"]')
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def results(folder: Path) -> dict[str, str]:
    """What each job has computed, to the last bit."""
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db", registry_uri=f"sqlite:///{folder}/mlflow.db")
    (experiment,) = (each for each in client.search_experiments() if each.name == "bp")
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    assert {run.info.status for run in runs} == {"FINISHED"}
    jobs = [run for run in runs if "job_digest" in run.data.tags]
    found = {run.data.tags["job_digest"]: repr(sorted(computed(run).items())) for run in jobs}
    assert len(found) == len(jobs)
    return found


def until(happened: Callable[[], object], command: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + SECONDS
    while not happened():
        assert command.poll() is None, command.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)


def workers(folder: Path) -> list[psutil.Process]:
    """The workers that were started in a folder and have imported what training needs."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.cwd() == str(folder) and "distributed.cli.dask_worker" in process.cmdline():
                found += [process] * (sum(process.cpu_times()[:2]) > 2)
    return found


def test_a_sweep_loses_a_job_and_a_worker_and_is_complete(environment: dict[str, str], tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    command = sweep(environment, there, *ON_SLURM)

    def running() -> list[str]:
        return asked(["squeue", "--noheader", "--states=R", "--format=%A"], environment).split()

    until(lambda: len(running()) == 2 and len(workers(there)) == 2, command)
    cancelled = running()[0]
    asked(["scancel", cancelled], environment)
    until(lambda: len(workers(there)) == 1, command)
    workers(there)[0].send_signal(signal.SIGKILL)
    until(lambda: [job for job in running() if int(job) > 2], command)  # another takes their place
    out, err = command.communicate(timeout=SECONDS)
    assert command.returncode == 0, err
    assert "60/60 jobs" in err
    assert "Traceback" not in out + err
    until_empty = time.monotonic() + SECONDS
    while asked(["squeue", "--noheader"], environment) and time.monotonic() < until_empty:
        time.sleep(0.1)
    assert asked(["squeue", "--noheader"], environment) == ""
    threads = sweep(environment, here)
    assert threads.wait() == 0
    found = results(there)
    assert len(found) == 60
    assert found == results(here)


def test_ctrl_c_gives_the_jobs_back(environment: dict[str, str], tmp_path: Path) -> None:
    command = sweep(environment, tmp_path, *ON_SLURM, "training.epochs=1000000")
    until(lambda: workers(tmp_path), command)
    training = workers(tmp_path)
    command.send_signal(signal.SIGINT)
    _, err = command.communicate(timeout=SECONDS)
    assert command.returncode == 128 + signal.SIGINT
    assert re.search(r"^interrupted; recorded: \d+ of 60 jobs; the same command goes on with the others$", err, re.M)
    assert asked(["squeue", "--noheader", "--states=R,PD"], environment) == ""
    _, alive = psutil.wait_procs(training, timeout=SECONDS)
    assert not alive


def test_a_queue_that_does_not_exist_is_told(environment: dict[str, str], tmp_path: Path) -> None:
    command = sweep(environment, tmp_path, *ON_SLURM, "sweep.dask.options.queue=nope")
    _, err = command.communicate(timeout=SECONDS)
    assert command.returncode == 2
    told = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(told) == 1
    assert "SLURMCluster cannot be started: sbatch: error: invalid partition specified: nope" in told[0]
    assert "Traceback" not in err
