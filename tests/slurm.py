"""A Slurm of one node on this machine: munged, slurmctld and slurmd in a folder of their own, on free ports.

``python -m tests.slurm`` starts one to try commands on, and ends it with Ctrl-C.
"""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scancel", "squeue", "sinfo")
QUEUE = "normal"
START_SECONDS = 30
SETTINGS = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SchedulerType=sched/builtin
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
PriorityType=priority/basic
ReturnToService=2
KillWait=2
InactiveLimit=0
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory={megabytes} State=UNKNOWN
PartitionName={queue} Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str | None:
    """Why there can be no Slurm here; None where there can."""
    absent = [name for name in PROGRAMS if shutil.which(name, path=_path()) is None]
    if absent:
        return f"{', '.join(absent)} not installed (Debian: slurmctld slurmd slurm-client munge)"
    return None if os.geteuid() == 0 else "slurmd is started by root only"


@contextlib.contextmanager
def slurm(cores: int) -> Iterator[dict[str, str]]:
    """Start a cluster whose node has so many cores; give the environment in which Slurm's commands know it."""
    with tempfile.TemporaryDirectory(prefix="slurm-") as name, contextlib.ExitStack() as stack:
        folder, host = Path(name), socket.gethostname().partition(".")[0]
        for state in ("state", "spool"):
            (folder / state).mkdir()
        controller, node = _free_ports(2)
        settings = {"folder": folder, "host": host, "controller": controller, "node": node, "cores": cores}
        megabytes = psutil.virtual_memory().total // 2**20
        (folder / "slurm.conf").write_text(SETTINGS.format(**settings, megabytes=megabytes, queue=QUEUE))
        key = folder / "munge.key"
        key.touch(0o600)
        key.write_bytes(secrets.token_bytes(128))
        environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf"), "PATH": _path()}
        files = {"key-file": key, "pid-file": "munge.pid", "log-file": "munge.log", "seed-file": "munge.seed"}
        munge = [f"--{option}={folder / file}" for option, file in {**files, "socket": "munge.socket"}.items()]
        for command in (
            ["munged", "--foreground", "--force", *munge],
            ["slurmctld", "-D", "-f", folder / "slurm.conf"],
            ["slurmd", "-D", "-f", folder / "slurm.conf", "-N", host],
        ):
            stack.enter_context(_daemon(command, environment, folder))
        deadline = time.monotonic() + START_SECONDS
        while asked(["sinfo", "--noheader", "--format=%T"], environment) not in ("idle", "mixed", "allocated"):
            logs = "\n".join(log.read_text(errors="replace")[-2000:] for log in folder.glob("*.log"))
            assert time.monotonic() < deadline, f"Slurm's node does not come up:\n{logs}"
            time.sleep(0.2)
        try:
            yield environment
        finally:
            asked(["scancel", "--user=root"], environment)


def asked(command: Sequence[str], environment: dict[str, str]) -> str:
    """What a command of Slurm's prints."""
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout.strip()


@contextlib.contextmanager
def _daemon(command: Sequence[str | Path], environment: dict[str, str], folder: Path) -> Iterator[None]:
    with (folder / f"{command[0]}.out.log").open("wb") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out, start_new_session=True)
    try:
        while command[0] == "munged" and not (folder / "munge.socket").exists():
            assert process.poll() is None, (folder / "munged.out.log").read_text()
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _path() -> str:
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background job ignores the first
        signal.signal(number, signal.default_int_handler)
    with slurm(cores=os.cpu_count() or 1) as found, contextlib.suppress(KeyboardInterrupt):
        print(f"export SLURM_CONF={found['SLURM_CONF']}   # queue: {QUEUE}; Ctrl-C ends it", flush=True)
        while True:
            time.sleep(3600)
