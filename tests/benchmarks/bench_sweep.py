"""Measure whole sweeps beside the usual way of putting Hydra, scikit-learn and MLflow together: `make bench`.

Everything is a process of its own with a new store, one BLAS thread, and nothing beside it; times are wall-clock, as
writing to a store is waiting too.
"""

import csv
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
RESULTS = HERE / "results"
ROOT = HERE.parents[1]
REPEATS = 3

# learning rate x lambda x seed; 4 seeds are 100 settings
GRID = ("training.learning_rate=0.05,0.1,0.2,0.5,1", "training.l2=0,1e-4,1e-3,1e-2,1e-1")
SEEDS = {1: None, 100: 4, 1000: 40, 5000: 200}
USUAL = ("learning_rate=0.05,0.1,0.2,0.5,1", "l2=0,1e-4,1e-3,1e-2,1e-1", "seed=0,1,2,3")
LARGE = (
    *("-m", "data=digits", "model.hidden_layer_sizes=[64]", "model.activation=relu"),
    *("training.learning_rate=0.01,0.02,0.05,0.1,0.2", "training.l2=0,1e-4", "seed=0,1,2,3"),
    *("training.batch_size=32", "training.epochs=200", "tracking.models=none"),
)
BACKENDS = {
    "n_jobs=1": (),
    "processes": ("sweep.backend=processes", "sweep.n_jobs=2"),
    "dask": ("sweep.backend=dask", "sweep.n_jobs=2"),
    "threads": ("sweep.n_jobs=2",),
}

PER_JOB = ("composing", "checking", "planning", "logging")
ONCE = ("imports", "store opened", "models kept", "comparison page", "table printed")
FASTER, MOST_OVERHEAD_MS, MOST_GROWTH, MOST_BYTES, MOST_SPEED_UP = 20, 25, 1.2, 2 * 2**30, 1.7


def run(script, *arguments):
    """Run a script in an empty folder; return its wall-clock seconds, and what it wrote to phases.json."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MLFLOW_DISABLE_TELEMETRY": "true"}
    environment |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    with tempfile.TemporaryDirectory() as folder:
        environment["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/store.db"
        command = [sys.executable, str(HERE / script), *arguments]
        before = time.perf_counter()
        ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - before
        if ended.returncode:
            raise SystemExit(f"{' '.join(command)}\n{ended.stderr}")
        written = Path(folder) / "phases.json"
        return seconds, json.loads(written.read_text()) if written.exists() else None


def sweep(jobs):
    seeds = SEEDS[jobs]
    grid = ("-m",) if seeds is None else ("-m", *GRID, f"seed=range({seeds})")
    return run("phases.py", "phases.json", *grid)


def usual_way(jobs):
    return run("usual_way.py", "-m", *(USUAL if jobs == 100 else ()))


def measure_usual():
    """Seconds of both ways with one job and with a hundred, one number a repeat."""
    seconds = {(way, jobs): [] for way in ("usual", "here") for jobs in (1, 100)}
    for _ in range(REPEATS):
        for jobs in (1, 100):
            seconds["usual", jobs].append(usual_way(jobs)[0])
            seconds["here", jobs].append(sweep(jobs)[0])
    return seconds


def measure_phases():
    """Where the time goes, and the most memory held: medians for each number of jobs."""
    found = {}
    for jobs in (100, 1000, 5000):
        phases = [sweep(jobs)[1] for _ in range(REPEATS if jobs < 5000 else 1)]
        found[jobs] = {name: statistics.median(each.get(name, 0.0) for each in phases) for name in phases[0]}
    return found


def measure_backends():
    """Seconds from the first stack to the last record, and of the whole command, one number a repeat."""
    seconds = {(backend, what): [] for backend in BACKENDS for what in ("sweep", "all")}
    for _ in range(REPEATS):
        for backend, settings in BACKENDS.items():
            _, phases = run("phases.py", "phases.json", *LARGE, *settings)
            for what in ("sweep", "all"):
                seconds[backend, what].append(phases[what])
    return seconds


def verdict(text, target, met):
    return f"{text} (target {target}: {'met' if met else 'missed'})"


def table(header, rows):
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def usual_table(seconds):
    middle = {key: statistics.median(values) for key, values in seconds.items()}
    rows = [("one job, whole command", 1), ("100 jobs, whole command", 100)]
    lines = [
        [name, f"{middle['usual', jobs]:.1f}", f"{middle['here', jobs]:.1f}", f"{ratio(middle, jobs):.1f}"]
        for name, jobs in rows
    ]
    more = {way: (middle[way, 100] - middle[way, 1]) / 99 for way in ("usual", "here")}
    faster = more["usual"] / more["here"]
    lines.append(
        [
            "each further job",
            f"{more['usual']:.3f}",
            f"{more['here']:.4f}",
            verdict(f"{faster:.1f}", FASTER, faster >= FASTER),
        ]
    )
    return table(["seconds", "the usual way", "here", "times faster"], lines)


def ratio(middle, jobs):
    return middle["usual", jobs] / middle["here", jobs]


def phase_table(phases):
    jobs = list(phases)
    rows = [
        [name, *(f"{1e3 * phases[number].get(name, 0.0) / number:.2f}" for number in jobs)]
        for name in (*PER_JOB, "training")
    ]
    overhead = [sum(phases[number].get(name, 0.0) for name in PER_JOB) / number for number in jobs]
    cells = [verdict(f"{1e3 * each:.1f}", MOST_OVERHEAD_MS, 1e3 * each <= MOST_OVERHEAD_MS) for each in overhead]
    rows.append(["all but training", *cells])
    whole = [each + phases[number]["training"] / number for each, number in zip(overhead, jobs, strict=True)]
    growth = [f"{1e3 * whole[0]:.1f}"] + [
        verdict(f"{1e3 * each:.1f}, {each / whole[0]:.2f} times", MOST_GROWTH, each <= MOST_GROWTH * whole[0])
        for each in whole[1:]
    ]
    rows.append(["a job in all", *growth])
    return table(["ms a job", *(f"{number:,} jobs" for number in jobs)], rows)


def once_table(phases):
    jobs = list(phases)
    rows = [[name, *(f"{phases[number].get(name, 0.0):.1f}" for number in jobs)] for name in ONCE]
    rows.append(["the whole command", *(f"{phases[number]['all']:.1f}" for number in jobs)])
    peaks = [phases[number]["peak bytes"] for number in jobs]
    rows.append(
        ["most memory, GiB", *(verdict(f"{peak / 2**30:.2f}", "2", peak < MOST_BYTES) for peak in peaks)],
    )
    return table(["seconds, once a command", *(f"{number:,} jobs" for number in jobs)], rows)


def backend_table(seconds):
    middle = {key: statistics.median(values) for key, values in seconds.items()}
    rows = []
    for backend in BACKENDS:
        faster, whole = (middle["n_jobs=1", what] / middle[backend, what] for what in ("sweep", "all"))
        cell = f"{faster:.2f}"
        if backend in ("processes", "dask"):
            cell = verdict(cell, MOST_SPEED_UP, faster >= MOST_SPEED_UP)
        name = backend if backend == "n_jobs=1" else f"{backend}, n_jobs=2"
        rows.append([name, f"{middle[backend, 'sweep']:.1f}", cell, f"{middle[backend, 'all']:.1f}", f"{whole:.2f}"])
    return table(["seconds", "first stack to last record", "times faster", "whole command", "times faster"], rows)


def report(usual, phases, backends):
    return f"""\
Wall-clock seconds of whole commands, each a process of its own with a new SQLite store; median of {REPEATS} (of 5,000
jobs: once). {processor()}, {os.cpu_count()} cores; Python {platform.python_version()}. Command: `make bench`.

100 settings x 5 folds on ex4: learning rate x λ x seed, 2-4-2, 500 epochs, the whole training part at once. The usual
way (tests/benchmarks/usual_way.py) is Hydra's basic launcher, `cross_validate` of a pipeline with MLPClassifier and
MLflow's fluent calls, one run a job. Each further job: the difference between 100 jobs and one, over 99, so that
start-up is apart; here the one job already makes the comparison page, which the usual way does not have.

{usual_table(usual)}

Where it goes; `logging` writes a run with all its metrics, curves and files. The output folder that a sweep has,
with one file, is in no row.

{phase_table(phases)}

{once_table(phases)}

Two cores: 40 settings x 5 folds on digits, 64-64-10, batches of 32, 200 epochs.

{backend_table(backends)}
"""


def processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def write_csv(usual, phases, backends):
    with (RESULTS / "sweep.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["what", "jobs", "part", "median", "min", "max", "repeats"])
        for (way, jobs), values in usual.items():
            writer.writerow(["command", jobs, way, *spread(values)])
        for jobs, parts in phases.items():
            for part, value in parts.items():
                writer.writerow(["phase", jobs, part, f"{value:.4g}", "", "", ""])
        for (backend, part), values in backends.items():
            writer.writerow(["backend", 40, f"{backend} {part}", *spread(values)])


def spread(values):
    return [*(f"{each:.4g}" for each in (statistics.median(values), min(values), max(values))), len(values)]


def main():
    RESULTS.mkdir(exist_ok=True)
    measured = []
    for measure in (measure_usual, measure_phases, measure_backends):
        print(f"{measure.__name__.replace('_', ' ')} ...", flush=True)
        measured.append(measure())
    text = report(*measured)
    (RESULTS / "sweep.md").write_text(text)
    write_csv(*measured)
    print(text)


if __name__ == "__main__":
    main()
