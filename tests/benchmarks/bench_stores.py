"""Measure what a job's record costs in each kind of store: `python tests/benchmarks/bench_stores.py`.

A short sweep and a long one of the same small jobs, each a command of its own: their difference, for each job that
the long one has more, is a further job's time, training included. All is on this machine: PostgreSQL (Debian's, in a
cluster of its own), MLflow's server as `make server` starts it, moto's server for S3. The table goes into README.md,
README.zh.md and results/stores.md.
"""

import logging
import os
import platform
import pwd
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT))

from tests.servers import free_port, running_bucket, running_server  # noqa: E402

FEW, MANY, REPEATS = 10, 160, 2
BEGIN, END = "<!-- stores -->\n", "<!-- end of stores -->"


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """Start a cluster of its own; yield the address of its server, with a user that has two databases."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"))
    owner = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
    shutil.chown(folder, owner)
    port = free_port()

    def run(*command: str) -> None:
        subprocess.run(command, check=True, cwd="/", user=owner, stdout=subprocess.DEVNULL)

    data = str(folder / "data")
    run(str(programs / "initdb"), "-D", data, "-U", "me", "-A", "trust")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
    run(str(programs / "pg_ctl"), "-D", data, "-o", options, "-l", f"{data}/log", "-w", "start")
    try:
        for name in ("direct", "served"):
            run(str(programs / "createdb"), "-h", "127.0.0.1", "-p", str(port), "-U", "me", name)
        yield f"postgresql+psycopg://me@127.0.0.1:{port}"
    finally:
        run(str(programs / "pg_ctl"), "-D", data, "-m", "immediate", "stop")


def seconds(folder: Path, address: str, first: int, jobs: int) -> float:
    """Run a sweep of so many jobs, from this seed on; return how long the command took."""
    seeds = ",".join(map(str, range(first, first + jobs)))
    command = [sys.executable, "-m", "src.run", "-m", f"seed={seeds}", "training.epochs=20", "tracking.models=none"]
    begun = time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MLFLOW_DISABLE_TELEMETRY": "true"}
    command.append(f"tracking.uri={address}")
    subprocess.run(command, check=True, cwd=folder, env=environment, capture_output=True)
    return time.perf_counter() - begun


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is ended too
    os.environ["MLFLOW_WORKERS"] = "2"
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as open_until_the_end:

        def folder(name: str) -> Path:
            made = Path(temporary, name)
            made.mkdir(mode=0o755)
            return made

        Path(temporary).chmod(0o755)
        start = open_until_the_end.enter_context
        stores = {"SQLite": f"sqlite:///{folder('sqlite')}/mlflow.db"}
        stores["HTTP: SQLite and a folder"] = start(running_server(folder("http")))
        if Path("/usr/lib/postgresql").is_dir():
            database = start(postgresql(folder("postgresql")))
            stores["PostgreSQL by its address"] = f"{database}/direct"
            start(running_bucket())
            served = start(
                running_server(folder("s3"), "--store", f"{database}/served", "--artifacts", "s3://runs/kept")
            )
            stores["HTTP: PostgreSQL and S3"] = served
        else:
            print("PostgreSQL is not installed and left out.")
        work, first = folder("work"), 0
        further: dict[str, list[float]] = {name: [] for name in stores}
        for repeat in range(REPEATS + 1):
            for name, address in stores.items():
                short, long = seconds(work, address, first, FEW), seconds(work, address, first + FEW, MANY)
                print(f"{name}: {FEW} jobs {short:.1f} s, {MANY} jobs {long:.1f} s", flush=True)
                if repeat:  # the first time tables, experiment and caches are made
                    further[name].append((long - short) / (MANY - FEW) * 1000)
            first += FEW + MANY
    machine = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[2]:.1f}"
    what = f"ex4, 5 folds, 20 epochs, no model kept; {REPEATS} sweeps of {MANY} jobs less as many of {FEW}; {machine}."
    text = f"{what}\n\n{table('store', 'ms a further job, training included', 'from least to most', further)}"
    (HERE / "results" / "stores.md").write_text(text)
    print(text)
    write_into("README.md", table("store", "ms a further job", "least to most", further))
    write_into("README.zh.md", table("存储", "每多一个任务的毫秒数", "最小到最大", further))


def table(store: str, of_job: str, span: str, further: Mapping[str, Sequence[float]]) -> str:
    """Return a table in Markdown, under these three headings."""
    rows = (
        f"| {name} | {statistics.median(ms):.0f} | {min(ms):.0f} to {max(ms):.0f} |" for name, ms in further.items()
    )
    return "\n".join([f"| {store} | {of_job} | {span} |", "| --- | ---: | ---: |", *rows]) + "\n"


def write_into(name: str, text: str) -> None:
    """Put a table in its place in a page of the checkout."""
    page = ROOT / name
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"{name}: {BEGIN.strip()} ... {END} is not there")
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}")


if __name__ == "__main__":
    main()
