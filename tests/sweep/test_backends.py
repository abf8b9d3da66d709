"""Where stacks run makes no difference to a single bit; lost workers and unusable clusters are told."""

import contextlib
import os
import platform
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import psutil
import pytest

from src import kernels
from src.config.schema import SweepConfig
from src.evaluation.results import Failure, JobResult
from src.run import ROOT
from src.sweep import backends, stacks, starting
from src.sweep.backends import BackendError
from src.sweep.checking import check_workers
from src.sweep.jobs import Jobs
from src.sweep.plan import make_plan, train
from src.sweep.stacks import EndedJob
from tests.processes import OUT_OF_SIGHT, Commands
from tests.servers import free_port
from tests.workers import forked_here

MakeJobs = Callable[..., Jobs]


@pytest.fixture(scope="module")
def jobs(jobs_of: MakeJobs) -> Jobs:
    """Networks of three shapes with all that is random in training, and references; 7 folds make uneven stacks."""
    network = ["training.batch_size=16", "training.optimizer=adam", "training.early_stopping.patience=3"]
    return jobs_of(
        ["training.epochs=6", "cv.folds=7"],
        *([*network, f"training.learning_rate={rate}", f"seed={seed}"] for rate in (0.01, 0.1) for seed in (0, 1, 2)),
        *(["model.hidden_layer_sizes=[8,3]", f"training.l2={l2}", "model.dtype=float32"] for l2 in (0, 0.1)),
        ["model=softmax", "cv.inner_folds=2"],
        ["model=sklearn_logistic"],
        ["model=sklearn", "+model.params={n_estimators: 5, random_state: 0}"],
    )


def ended_by(jobs: Jobs, **sweep: Any) -> dict[int, EndedJob]:
    settings = SweepConfig(**sweep)
    ended = [each for step in train(make_plan(jobs, {}, settings), settings) for each in step.ended]
    numbers = [jobs.distinct.index(each.job) for each in ended]
    assert sorted(numbers) == list(range(len(jobs.distinct)))
    return dict(zip(numbers, ended, strict=True))


def bits(result: JobResult | Failure) -> Any:
    """All that a job computed, to the last bit."""
    assert isinstance(result, JobResult)
    return [
        (
            sorted(fold.test_scores.items()),
            sorted(fold.train_scores.items()),
            fold.inner_scores,
            fold.epochs,
            fold.probabilities.tobytes(),
            fold.curve and (fold.curve.train_loss.tobytes(), fold.curve.test_loss.tobytes()),
        )
        for fold in result.folds
    ]


@pytest.fixture(scope="module")
def expected(jobs: Jobs) -> dict[int, Any]:
    return {number: bits(job.outcome) for number, job in ended_by(jobs).items()}


# A program of Dask's that knows the installed packages and nothing of the checkout.
OUTSIDE = f"""
{OUT_OF_SIGHT}
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
WORKER = ("--nthreads", "1", "--no-nanny", "--no-dashboard")


@contextlib.contextmanager
def outside(commands: Commands, folder: Path, module: str, *arguments: str) -> Iterator[None]:
    running = commands.start(folder, *arguments, module=module, program=OUTSIDE)
    try:
        yield
    finally:
        running.send(signal.SIGTERM)
        running.wait()


@contextlib.contextmanager
def worker_with(folder: Path, address: str, **variables: str) -> Iterator[None]:
    """Run a worker as an interpreter of its own, whose libraries look at these variables when they are loaded."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | variables
    command = [sys.executable, "-P", "-m", "distributed.cli.dask_worker", address, *WORKER]
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=60)


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory, commands: Commands) -> Iterator[str]:
    """The address of a Dask cluster that is there already, with one worker (a command's own has two)."""
    pytest.importorskip("distributed")
    folder = tmp_path_factory.mktemp("outside")
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    where = ("--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
    there = outside(commands, folder, "distributed.cli.dask_scheduler", *where)
    with there, outside(commands, folder, "distributed.cli.dask_worker", address, *WORKER):
        yield address


@pytest.fixture(scope="module")
def workers_are_forked() -> Iterator[None]:
    with forked_here():
        yield


BACKENDS = {
    "two threads": {"backend": "threads", "n_jobs": 2},
    "processes": {"backend": "processes", "n_jobs": 2},
    "dask": {"backend": "dask"},
    "little memory": {"max_stack_memory": 20_000},
}


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_backend_gives_the_same_bits(
    jobs: Jobs, expected: dict[int, Any], backend: str, request: pytest.FixtureRequest
) -> None:
    sweep = dict(BACKENDS[backend])
    if backend == "dask":
        sweep["dask"] = {"scheduler": request.getfixturevalue("scheduler")}
    assert {number: bits(job.outcome) for number, job in ended_by(jobs, **sweep).items()} == expected


@pytest.mark.parametrize("backend", ["threads", "processes"])
def test_one_job_at_a_time_gives_the_same_bits(
    jobs: Jobs, expected: dict[int, Any], backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stacks, "LARGEST_STACK", 1)
    ended = ended_by(jobs, backend=backend, n_jobs=2)
    assert {number: bits(job.outcome) for number, job in ended.items()} == expected


def training_threads() -> list[Any]:
    frames = sys._current_frames().values()
    codes = [frame.f_code for top in frames for frame, _ in traceback.walk_stack(top)]
    return [code for code in codes if code is stacks.run_stack.__code__]


def training_processes() -> list[Any]:
    found = []
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # a zombie is one
            found += [child] * ("LokyProcess" in " ".join([child.name(), *child.cmdline()]))
    return found


@pytest.mark.parametrize("backend, training", [("threads", training_threads), ("processes", training_processes)])
def test_nothing_goes_on_once_nobody_asks_for_more(
    jobs_of: MakeJobs, backend: str, training: Callable[[], list[Any]]
) -> None:
    jobs = jobs_of(["training.epochs=100000"], ["training.batch_size=1"], ["training.epochs=1"], ["seed=1"])
    settings = SweepConfig(backend=backend, n_jobs=2)
    running = train(make_plan(jobs, {}, settings), settings)
    next(running)  # that of the one epoch
    assert training()
    running.close()
    deadline = time.monotonic() + 60
    while training() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not training()


def deadly(killed: Path | None, number_of_job: int | None = None) -> Callable[..., Any]:
    """Kill the worker in the middle of a stack: once, until there is a file, or each time with one job."""

    def die(_: int) -> None:
        if killed is None or not killed.exists():
            if killed is not None:
                killed.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    def numbered(number: int, workload: Any, _: Any) -> Any:
        jobs = {place[0] for stack in workload for place in stack.tasks}
        kills = all(stack.networks for stack in workload) if number_of_job is None else number_of_job in jobs
        return number, stacks.run_workload(workload, die if kills else None)

    return numbered


@pytest.fixture
def workers_know_this_file() -> Iterator[None]:
    """Send functions of this file to workers as they are: a worker cannot import a test."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


@pytest.mark.usefixtures("workers_are_forked", "workers_know_this_file")
def test_what_a_worker_of_dask_had_that_was_killed_is_run_again(
    jobs: Jobs, expected: dict[int, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    killed = tmp_path / "killed"
    monkeypatch.setattr(backends, "_numbered", deadly(killed))
    ended = ended_by(jobs, backend="dask", n_jobs=1)
    assert killed.exists()
    assert {number: bits(job.outcome) for number, job in ended.items()} == expected


@pytest.mark.usefixtures("workers_are_forked", "workers_know_this_file")
def test_a_job_that_kills_every_worker_takes_no_other_with_it(
    jobs_of: MakeJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are in one stack with it, and in other workloads: run again, they give an undisturbed sweep's bits."""
    jobs = jobs_of(["training.epochs=2"], *([f"seed={seed}"] for seed in range(3)), ["model.hidden_layer_sizes=[2]"])
    undisturbed = {number: bits(job.outcome) for number, job in ended_by(jobs, backend="threads", n_jobs=1).items()}
    monkeypatch.setattr(backends, "_numbered", deadly(None, 2))
    ended = ended_by(jobs, backend="processes", n_jobs=2)
    lost = ended.pop(2).outcome
    assert isinstance(lost, Failure)
    assert lost.type == "TerminatedWorkerError"
    assert {number: bits(job.outcome) for number, job in ended.items()} == {
        number: result for number, result in undisturbed.items() if number != 2
    }


def test_a_cluster_that_does_not_answer_is_told(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("src.sweep.cluster.SCHEDULER_SECONDS", 0.5)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(BackendError, match=f"^sweep.dask.scheduler: {address} does not answer"):
            ended_by(jobs, backend="dask", dask={"scheduler": address})


@pytest.mark.parametrize("place", ["127.0.0.1", "127.0.0.1:9", "me:secret@127.0.0.1:9"])
def test_an_address_that_is_none_is_told_without_what_a_library_says(jobs: Jobs, place: str) -> None:
    pytest.importorskip("distributed")
    scheme = "nowhere" if place == "127.0.0.1:9" else "tcp"
    with pytest.raises(BackendError) as error:
        ended_by(jobs, backend="dask", dask={"scheduler": f"{scheme}://{place}"})
    told = "is not the address of a scheduler, such as tcp://10.0.0.1:8786."
    assert str(error.value) == f"sweep.dask.scheduler: {scheme}://{place} {told}"


@pytest.mark.parametrize("says", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_what_listens_and_is_no_scheduler_is_told(jobs: Jobs, says: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("src.sweep.cluster.SCHEDULER_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken: list[socket.socket] = []

        def answer() -> None:
            with contextlib.suppress(OSError):
                while True:
                    taken.append(other.accept()[0])
                    taken[-1].sendall(says)

        threading.Thread(target=answer, daemon=True).start()
        address = f"tcp://127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(BackendError, match=f"^sweep.dask.scheduler: {address} does not (answer|understand)"):
            ended_by(jobs, backend="dask", dask={"scheduler": address})


def test_a_cluster_without_a_worker_is_told(jobs: Jobs) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=0, processes=False, protocol="tcp", dashboard_address=None) as empty:
        address = empty.scheduler_address
        with pytest.raises(BackendError, match=f"^sweep.dask: no worker within 0.1 s; start one with .*{address}"):
            ended_by(jobs, backend="dask", dask={"scheduler": address, "timeout": 0.1})


def test_a_worker_of_another_version_is_told(jobs: Jobs, scheduler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed")
    versions = distributed.Client.get_versions

    def with_an_old_worker(client: Any) -> Any:
        found = versions(client)
        packages = found["client"]["packages"] | {"dask": "2024.8.0"}
        return found | {"workers": {"tcp://old": {"packages": packages}}}

    monkeypatch.setattr(distributed.Client, "get_versions", with_an_old_worker)
    with pytest.raises(BackendError, match=r"^sweep.dask: worker tcp://old has dask 2024.8.0, this command 20"):
        ended_by(jobs, backend="dask", dask={"scheduler": scheduler})


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the kernels are those of another processor")
def test_workers_with_other_kernels_are_told_and_recorded_or_refused(
    jobs_of: MakeJobs, scheduler: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = jobs_of(["training.epochs=2"], *([f"seed={seed}"] for seed in range(8)))
    sweep = {"backend": "dask", "n_jobs": 2, "dask": {"scheduler": scheduler}}
    with worker_with(tmp_path, scheduler, OPENBLAS_CORETYPE="Nehalem"):
        deadline = time.monotonic() + 60
        while "caution" not in (said := capsys.readouterr().out) and time.monotonic() < deadline:  # until it is there
            ended = ended_by(jobs, **sweep)
        assert "caution: 1 worker of 2 (tcp://" in said
        assert "Nehalem" in said
        assert {job.blas for job in ended.values()} <= {
            kernels.loaded(),
            *re.findall(r"openblas .*?Nehalem.*?Nehalem", said),
        }
        (own,) = kernels.names()
        with pytest.raises(
            BackendError, match=rf"Nehalem, this command with .*Start it with OPENBLAS_CORETYPE={own}\."
        ):
            ended_by(jobs, **sweep, blas=own)


OPTIONS = {"queue": "long", "memory": "2GB", "walltime": "1:00"}


@pytest.mark.parametrize(
    "kind, told",
    [("slurm", "#SBATCH -p long"), ("pbs", "#PBS -q long"), ("lsf", "#BSUB -q long"), ("sge", "#$ -q long")],
)
def test_a_cluster_is_told_its_options_and_ours(kind: str, told: str) -> None:
    pytest.importorskip("dask_jobqueue")
    dask = {"cluster": kind, "options": OPTIONS}
    sweep = SweepConfig(backend="dask", n_jobs=3, dask=dask, blas="Haswell")
    make, options = starting.cluster_class(kind, sweep)
    jobs = {name: value for name, value in options.items() if name != "scheduler_options"}
    script = make.job_cls("tcp://here", name="one", **jobs).job_script()
    assert told in script
    assert "export OPENBLAS_CORETYPE=Haswell\n" in script
    assert " --nthreads 1 --memory-limit 1.86GiB --no-nanny" in script


def test_an_option_that_the_cluster_does_not_have_is_told() -> None:
    pytest.importorskip("dask_jobqueue")
    sweep = SweepConfig(backend="dask", n_jobs=3, dask={"cluster": "slurm", "options": {"quue": "long"}})
    with pytest.raises(BackendError) as error:
        check_workers(sweep)
    assert str(error.value) == "sweep.dask.options.quue: SLURMCluster has no such option. Did you mean 'queue'?"


def test_a_cluster_whose_commands_are_not_here_is_told(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("dask_jobqueue")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BackendError, match=r"^sweep.dask.cluster: PBSCluster cannot be started: .*'qsub'$"):
        ended_by(jobs, backend="dask", dask={"cluster": "pbs"})


@pytest.fixture
def queue_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Slurm's commands of a queue that takes one job, ever; gives the folder with the number of its process."""
    pytest.importorskip("dask_jobqueue")
    commands = {
        "sbatch": "set -C; { : > begun; } 2> /dev/null || "
        "{ echo >> refused; echo 'sbatch: error: the queue is full' >&2; exit 1; }\n"
        'cp "$1" job; bash job > /dev/null 2>&1 & echo $! > begun.pid; echo Submitted batch job $!',
        "scancel": "pkill -P $1; true",
    }
    for name, text in commands.items():
        (tmp_path / name).write_text(f"#!/bin/bash\ncd {tmp_path}\n{text}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path), os.environ["PATH"]]))
    yield tmp_path
    subprocess.run(["pkill", "-P", (tmp_path / "begun.pid").read_text().strip()], check=False)


ON_THE_QUEUE = {"backend": "dask", "n_jobs": 2}


def test_a_job_that_is_refused_in_the_middle_is_told_once_and_the_others_go_on(
    jobs_of: MakeJobs, queue_of_one: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting, "ASK_AGAIN_SECONDS", 0.1)
    monkeypatch.setitem(starting.ADAPT, "interval", "100ms")
    jobs = jobs_of(["training.epochs=3000"], *([f"seed={seed}"] for seed in range(6)))
    ended = ended_by(jobs, **ON_THE_QUEUE, dask={"cluster": "slurm"})
    assert not any(isinstance(job.outcome, Failure) for job in ended.values())
    assert len((queue_of_one / "refused").read_text()) > 1, "it was asked again"
    (told,) = capsys.readouterr().out.splitlines()
    assert told.startswith("caution: SLURMCluster cannot start another worker: sbatch: error: the queue is full. ")


def test_a_cluster_that_has_no_worker_any_more_is_told(
    jobs_of: MakeJobs, queue_of_one: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from src.sweep import cluster  # Dask takes a second to import, and most processes of the tests do without

    watch = cluster._watched
    # The time that the first worker has to come stays.
    monkeypatch.setattr(cluster, "_watched", lambda client, _: watch(client, 1.0))
    monkeypatch.setattr(cluster, "LOOK_SECONDS", 0.1)
    jobs = jobs_of(["training.epochs=3000"], *([f"seed={seed}"] for seed in range(6)))
    settings = SweepConfig(**ON_THE_QUEUE, dask={"cluster": "slurm", "timeout": 60}, max_stack_memory="1KB")
    running = train(make_plan(jobs, {}, settings), settings)
    next(running)
    subprocess.run(["pkill", "-KILL", "-P", (queue_of_one / "begun.pid").read_text().strip()], check=True)
    with pytest.raises(
        cluster.ClusterLostError, match=r"^sweep.dask: no worker for 60 s\. What is recorded is safe; .* goes on"
    ):
        list(running)


def test_a_worker_imports_what_training_needs_and_no_more() -> None:
    program = (
        "import sys, src.sweep.backends\n"
        "print(sorted({'hydra', 'omegaconf', 'mlflow', 'pydantic', 'matplotlib'} & set(sys.modules)))"
    )
    process = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "[]"
