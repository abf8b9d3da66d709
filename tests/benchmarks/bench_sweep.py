"""Measure whole commands beside the usual way of putting Hydra, scikit-learn and MLflow together: `make bench`.

Every command is a process of its own with one BLAS thread and nothing beside it, from its start to its end; times are
wall-clock, as writing to a store is waiting too. What is compared takes turns.
"""

import csv
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path

from targets import Verdicts, markdown_table

HERE = Path(__file__).parent
RESULTS = HERE / "results"
ROOT = HERE.parents[1]
REPEATS = 3

RATES, PENALTIES = "0.05,0.1,0.2,0.5,1", "0,1e-4,1e-3,1e-2,1e-1"
FEW_RATES, FEW_PENALTIES = "0.1,0.2,0.5,1", "0,1e-3,1e-1"
# jobs -> learning rates, lambdas, seeds; one job is the default
GRIDS = {
    12: (FEW_RATES, FEW_PENALTIES, 1),
    100: (RATES, PENALTIES, 4),
    1000: (RATES, PENALTIES, 40),
    5000: (RATES, PENALTIES, 200),
}
MEASURED, LARGEST = (1, 12, 100), 1000  # what the others need for the largest is reckoned from a further job
HOMEWORK = ("experiments=homework5",)
SHORT = ("training.epochs=50",)  # the store of 5,000: as many points of each curve, less training
LARGE = (
    *("-m", "data=digits", "model.hidden_layer_sizes=[64]", "model.activation=relu"),
    *("training.learning_rate=0.01,0.02,0.05,0.1,0.2", "training.l2=0,1e-4", "seed=0,1,2,3"),
    *("training.batch_size=32", "training.epochs=60", "tracking.models=none"),
)
BACKENDS = {
    "n_jobs=1": (),
    "processes": ("sweep.backend=processes", "sweep.n_jobs=2"),
    "dask": ("sweep.backend=dask", "sweep.n_jobs=2"),
    "threads": ("sweep.n_jobs=2",),
}

PER_JOB = ("composing", "checking", "planning", "logging")
ONCE = (
    *("imports", "Hydra", "store opened", *PER_JOB, "training", "waiting, display"),
    *("models kept", "answer printed", "comparison page"),
)


def environment(folder):
    """Return what a command in this folder, which holds its store, is started with."""
    own = {"PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/store.db"}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return os.environ | own | threads | {"MLFLOW_DISABLE_TELEMETRY": "true"}


def run(folder, *arguments):
    """Run Python with these arguments in a folder; return its wall-clock seconds."""
    command = [sys.executable, *(str(each) for each in arguments)]
    before = time.perf_counter()
    ended = subprocess.run(
        command,
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    seconds = time.perf_counter() - before
    if ended.returncode:
        raise SystemExit(f"{' '.join(command)}\n{ended.stdout}\n{ended.stderr}")
    print(f"    {seconds:7.2f} s  {' '.join(command[1:])[-110:]}", flush=True)
    return seconds


def phases(folder, *arguments):
    """Run the program in a folder; return the seconds of its phases, the whole command among them."""
    whole = run(folder, HERE / "phases.py", "phases.json", *arguments)
    found = json.loads((Path(folder) / "phases.json").read_text())
    inside = sum(value for name, value in found.items() if name in ONCE)
    return found | {"start and exit of Python": whole - inside, "the whole command": whole}


def here(jobs):
    """Return the program's arguments for so many jobs."""
    if jobs == 1:
        return ()
    rates, penalties, seeds = GRIDS[jobs]
    return ("-m", f"training.learning_rate={rates}", f"training.l2={penalties}", f"seed=range({seeds})")


def usual(jobs):
    if jobs == 1:
        return ("-m",)
    rates, penalties, seeds = GRIDS[jobs]
    return ("-m", f"learning_rate={rates}", f"l2={penalties}", f"seed=range({seeds})")


def grid_search(jobs):
    rates, penalties, seeds = GRIDS.get(jobs, ("0.5", "0", 1))
    return (rates, penalties, ",".join(map(str, range(seeds))))


WAYS = {
    "here": lambda folder, jobs: run(folder, "-m", "src.run", *here(jobs)),
    "usual": lambda folder, jobs: run(folder, HERE / "usual_way.py", *usual(jobs)),
    "grid": lambda folder, jobs: run(folder, HERE / "grid_search.py", *grid_search(jobs)),
}


class Folders:
    """Empty folders with a store that is there, as a person's is after the first command."""

    def __init__(self, parent):
        self.parent = Path(parent)
        self.store = self.parent / "store.db"
        with self.empty() as folder:
            run(folder, HERE / "usual_way.py", "epochs=1")  # MLflow makes it
            (folder / "store.db").replace(self.store)

    @contextmanager
    def empty(self):
        with tempfile.TemporaryDirectory(dir=self.parent) as folder:
            if self.store.exists():
                shutil.copy(self.store, folder)
            yield Path(folder)


def measure_commands(folders):
    """Seconds of whole commands, one number a repeat, by what it is and how many jobs."""
    seconds = defaultdict(list)
    for _ in range(REPEATS):
        for jobs in (*MEASURED, LARGEST):
            for way, command in WAYS.items():
                if jobs in MEASURED or way == "here":
                    with folders.empty() as folder:
                        seconds[way, jobs].append(command(folder, jobs))
        with folders.empty() as folder:
            seconds["homework5", 3].append(run(folder, "-m", "src.run", *HOMEWORK))
            seconds["typed again", 3].append(run(folder, "-m", "src.run", *HOMEWORK))
            seconds["--help", 0].append(run(folder, "-m", "src.run", "--help"))
            seconds["import mlflow", 0].append(run(folder, "-c", "import mlflow"))
    return dict(seconds)


PHASE_COLUMNS = {
    "one job": (here(1), REPEATS),
    "homework5": (HOMEWORK, REPEATS),
    "12 jobs": (here(12), REPEATS),
    "100 jobs": (here(100), REPEATS),
    "1,000 jobs": (here(1000), 1),
}
JOBS = {"100 jobs": 100, "1,000 jobs": 1000, "5,000 jobs": 5000}


def measure_phases(folders):
    """Where the time goes: each phase's median, by command."""
    found = defaultdict(list)
    for turn in range(REPEATS):
        for column, (arguments, repeats) in PHASE_COLUMNS.items():
            if turn < repeats:
                with folders.empty() as folder:
                    found[column].append(phases(folder, *arguments))
    return {column: median_of_each(each) for column, each in found.items()}


def measure_large_store(folders):
    """Make a store of 5,000 runs with one sweep; return that sweep's phases, and the seconds of `src.compare` on it."""
    with folders.empty() as folder:
        made = phases(folder, *here(5000), *SHORT)
        compared = [run(folder, "-m", "src.compare") for _ in range(REPEATS)]
    return made, compared


def measure_backends(folders):
    """Seconds from the first stack to the last record, and of the whole command: medians."""
    found = defaultdict(list)
    for _ in range(REPEATS):
        for backend, settings in BACKENDS.items():
            with folders.empty() as folder:
                found[backend].append(phases(folder, *LARGE, *settings))
    return {backend: median_of_each(each) for backend, each in found.items()}


def median_of_each(found):
    names = dict.fromkeys(name for each in found for name in each)
    return {name: statistics.median(each.get(name, 0.0) for each in found) for name in names}


def command_table(seconds, verdict):
    middle = {key: statistics.median(values) for key, values in seconds.items()}
    further = {way: (middle[way, 100] - middle[way, 1]) / 99 for way in WAYS}
    for way in ("usual", "grid"):
        middle[way, LARGEST] = middle[way, 100] + (LARGEST - 100) * further[way]
    rows = []
    for jobs in (*MEASURED, LARGEST):
        ours, theirs, grid = (middle[way, jobs] for way in WAYS)
        share, reckoned = ours / theirs, "" if jobs in MEASURED else " (reckoned)"
        faster = f"{1 / share:.1f}"
        if jobs == 1:
            faster = f"{faster}: {verdict('one job', share, f'{share:.2f} of its time')}"
        elif jobs in MEASURED:
            faster = verdict(f"{jobs} jobs", 1 / share, faster)
        against = f"{grid / ours:.1f}"
        if jobs == 100:
            against = verdict("100 jobs, grid", grid / ours, against)
        name = "one job" if jobs == 1 else f"{jobs:,} jobs"
        rows.append([name, f"{theirs:.1f}{reckoned}", f"{grid:.1f}{reckoned}", f"{ours:.1f}", faster, against])
    more = further["usual"] / further["here"]
    rows.append(
        [
            "each further job",
            *(f"{further[way]:.3f}" for way in ("usual", "grid")),
            f"{further['here']:.4f}",
            verdict("further job", more, f"{more:.1f}"),
            f"{further['grid'] / further['here']:.1f}",
        ]
    )
    header = ["seconds", "the usual way", "GridSearchCV, no record", "here", "faster than the usual way"]
    return markdown_table([*header, "faster than GridSearchCV"], rows)


def other_table(seconds, made, compared, verdict):
    middle = {what: statistics.median(values) for (what, _), values in seconds.items() if what not in WAYS}
    one_here, one_usual = (statistics.median(seconds[way, 1]) for way in ("here", "usual"))
    homework, again = middle["homework5"], middle["typed again"]
    first, answer = statistics.median(compared), made["answer after the last job"]
    of = [
        ("homework5", homework, "homework5", homework / one_usual, "the usual way's one job"),
        ("homework5 typed again, all reused", again, "typed again", again / one_here, "one job's command"),
        ("--help", middle["--help"], "help", middle["--help"] / middle["import mlflow"], "`import mlflow`"),
    ]
    rows = [[what, f"{took:.2f}", f"{verdict(name, share)} of {peer}"] for what, took, name, share, peer in of]
    rows.append(["store of 5,000 runs: `src.compare`", f"{first:.2f}", verdict("compare", first)])
    rows.append(["store of 5,000 runs: from the last job to the answer", f"{answer:.2f}", verdict("answer", answer)])
    return markdown_table(["seconds", "here", "against"], rows)


def phase_table(found, made):
    columns = {**found, "5,000 jobs": made}
    names = [*ONCE, "start and exit of Python", "the whole command"]
    rows = [[name, *(f"{each.get(name, 0.0):.2f}" for each in columns.values())] for name in names]
    return markdown_table(["seconds", *columns], rows)


def per_job_table(found, made, verdict):
    columns = {column: {**found, "5,000 jobs": made}[column] for column in JOBS}

    def milliseconds(column, *names):
        return 1e3 * sum(columns[column].get(name, 0.0) for name in names) / JOBS[column]

    rows = [[name, *(f"{milliseconds(column, name):.2f}" for column in columns)] for name in (*PER_JOB, "training")]
    logging = milliseconds("1,000 jobs", "logging")
    rows[PER_JOB.index("logging")][2] = verdict("logging", logging, f"{logging:.2f}")
    small, middle, large = (milliseconds(column, *PER_JOB) for column in columns)
    rows.append(
        [
            "all but training",
            f"{small:.1f}",
            verdict("all but training", middle, f"{middle:.1f}"),
            verdict("growth", large / small, f"{large:.1f}, {large / small:.2f} times"),
        ]
    )
    memory = [columns[column]["peak bytes"] / 2**30 for column in columns]
    rows.append(["most memory, GiB", *(f"{each:.2f}" for each in memory[:2]), verdict("memory", memory[2])])
    verdict("model", found["100 jobs"]["models kept"])
    return markdown_table(["ms a job", *columns], rows)


def backend_table(found, verdict):
    rows = []
    for backend, parts in found.items():
        faster, whole = (found["n_jobs=1"][what] / parts[what] for what in ("sweep", "the whole command"))
        cell = f"{faster:.2f}"
        if backend in ("processes", "dask"):
            cell = verdict(backend, faster, cell)
        name = backend if backend == "n_jobs=1" else f"{backend}, n_jobs=2"
        rows.append([name, f"{parts['sweep']:.1f}", cell, f"{parts['the whole command']:.1f}", f"{whole:.2f}"])
    return markdown_table(
        ["seconds", "first stack to last record", "times faster", "whole command", "times faster"], rows
    )


def report(commands, phases_found, large_store, backends, verdict):
    made, compared = large_store
    return f"""\
Wall-clock seconds of whole commands, from the start of the process to its end, in a store that is there and holds one
run; median of {REPEATS} (phases of 1,000 and 5,000 jobs: once). {processor()}, {os.cpu_count()} cores;
Python {platform.python_version()}. Command: `make bench`.

## Beside the usual way

Settings x 5 folds on ex4: learning rate x λ x seed, 2-4-2, 500 epochs, the whole training part at once. The usual way
(tests/benchmarks/usual_way.py) is Hydra's basic launcher, `cross_validate` of a pipeline with MLPClassifier and
MLflow's fluent calls, one run a job. GridSearchCV (grid_search.py) scores accuracy alone and records nothing. Each
further job: the difference between 100 jobs and one, over 99. What the other two need for 1,000 jobs is not measured
but reckoned: 900 further jobs more than for 100.

{command_table(commands, verdict)}

## Other commands

{other_table(commands, made, compared, verdict)}

## Where it goes

Each phase without what is imported in it; `Hydra` is its own composing and what is in no other row; the comparison
page holds the working out of the answer. The sweep of 5,000 has {SHORT[0].partition("=")[2]} epochs, the others 500.

{phase_table(phases_found, made)}

## A job

{per_job_table(phases_found, made, verdict)}

## Two cores

40 settings x 5 folds on digits, 64-64-10, batches of 32, 60 epochs.

{backend_table(backends, verdict)}
"""


def processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def write_csv(commands, phases_found, large_store, backends):
    made, compared = large_store
    with (RESULTS / "sweep.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["what", "which", "part", "median", "min", "max", "repeats"])
        for (way, jobs), values in commands.items():
            writer.writerow(["command", jobs, way, *spread(values)])
        writer.writerow(["command", 5000, "src.compare", *spread(compared)])
        for column, parts in {**phases_found, "5,000 jobs": made, **backends}.items():
            for part, value in parts.items():
                writer.writerow(["phase", column, part, f"{value:.4g}", "", "", ""])


def spread(values):
    return [*(f"{each:.4g}" for each in (statistics.median(values), min(values), max(values))), len(values)]


def main():
    RESULTS.mkdir(exist_ok=True)
    measured, verdict = [], Verdicts()
    with tempfile.TemporaryDirectory() as parent:
        folders = Folders(parent)
        for measure in (measure_commands, measure_phases, measure_large_store, measure_backends):
            print(f"{measure.__name__.replace('_', ' ')} ...", flush=True)
            measured.append(measure(folders))
    text = report(*measured, verdict)
    (RESULTS / "sweep.md").write_text(text)
    (RESULTS / "sweep_targets.md").write_text(verdict.table() + "\n")
    write_csv(*measured)
    print(text)


if __name__ == "__main__":
    main()
