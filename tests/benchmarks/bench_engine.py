"""Measure the engine beside scikit-learn, and beside PyTorch and JAX where they are installed: `make bench`.

All contenders run in this process on one pinned core, one after the other and then again, so that whatever else the
machine does meets all of them. A time is the process's own CPU time: what other programs use of the core is not in it.
"""

import csv
import importlib.metadata
import os
import platform
import statistics
import time
import tracemalloc
from pathlib import Path

import numpy as np
import peers
import sklearn  # noqa: F401  loads the BLAS whose threads are limited below
from peers import Case
from targets import TARGETS, Verdicts, markdown_table, number
from threadpoolctl import threadpool_info, threadpool_limits

from src.network import bytes_per_network, shape_of, train

RESULTS = Path(__file__).with_name("results")
REPEATS = 7
BLAS_SIZE = 1024

CASES = [
    Case(2, 4, 2, 64, 500, 1000),
    Case(4, 16, 3, 32, 400, 1000),
    Case(64, 64, 10, 32, 40, 1000),
    Case(784, 100, 10, 50, 5, 400),
]
# One sample an update, of 64: the five folds of a single job, where the engine gains least, and a sweep's.
ONLINE = [Case(2, 4, 2, 1, 5, 640), Case(64, 64, 10, 1, 5, 640), Case(2, 4, 2, 1, 500, 640)]
ONLINE_SAMPLES = 64
FULL_TABLE, FULL_UNITS, FULL_EPOCHS = (100_000, 50), (4, 64), 20

CONTENDERS = [
    ("engine float64", None, lambda case: peers.engine(case, "float64")),
    ("scikit-learn float64", None, peers.scikit_learn),
    ("engine float32", None, lambda case: peers.engine(case, "float32")),
    ("PyTorch float32", "torch", peers.pytorch),
    ("JAX float32, x W", "jax", peers.jax_by_samples),
    ("JAX float32, W x", "jax", peers.jax_by_units),
    ("engine float64 sigmoid", None, lambda case: peers.engine(case, "float64", "sigmoid")),
    ("engine float32 sigmoid", None, lambda case: peers.engine(case, "float32", "sigmoid")),
    ("engine float64 shuffled", None, lambda case: peers.engine_in_batches(case, "float64", folds=5)),
    ("scikit-learn float64 shuffled", None, lambda case: peers.scikit_learn(case, batches=10)),
]


def version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def pin_to_one_core():
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def measure(case):
    """Return each installed contender's microseconds for one update of one network, and what compiling took."""
    contenders = {name: make(case) for name, package, make in CONTENDERS if package is None or version(package)}
    check_agreement(contenders)
    return (
        in_turns(contenders),
        {name: each.compile_seconds for name, each in contenders.items() if each.compile_seconds},
    )


def measure_online(case):
    """Return the microseconds of one update by one sample, the engine's and scikit-learn's."""
    engine = peers.engine_in_batches(case, "float64", folds=5, batches=ONLINE_SAMPLES)
    return in_turns({"engine": engine, "scikit-learn": peers.scikit_learn(case, batches=ONLINE_SAMPLES)})


def measure_full(units):
    """Return the seconds of full batches of a large table, and the bytes beyond the interpreter's, in tables."""
    makers = {"engine": peers.our_classifier, "scikit-learn": peers.their_classifier}
    contenders = {name: make(FULL_TABLE, units, FULL_EPOCHS) for name, make in makers.items()}
    times = in_turns(contenders)
    seconds = {name: statistics.median(each) / 1e6 for name, each in times.items()}
    tables = {}
    for name in contenders:
        tracemalloc.start()
        makers[name](FULL_TABLE, units, epochs=2).run()
        tables[name] = tracemalloc.get_traced_memory()[1] / (8 * FULL_TABLE[0] * FULL_TABLE[1])
        tracemalloc.stop()
    return seconds, tables


def in_turns(contenders):
    """Return the microseconds that an update of one network takes each contender, one number a repeat."""
    times = {name: [] for name in contenders}
    for _ in range(REPEATS):
        for name, contender in contenders.items():
            before = time.process_time()
            contender.run()
            seconds = time.process_time() - before
            times[name].append(1e6 * seconds / contender.networks / contender.updates)
    return times


def check_agreement(contenders):
    """Refuse to compare contenders that do not compute the same: all that can must end at the same weights."""
    ours = contenders["engine float32"].run()
    for name in ("PyTorch float32", "JAX float32, x W", "JAX float32, W x"):
        if name in contenders:
            theirs = contenders[name].run()
            np.testing.assert_allclose(theirs, ours[: len(theirs)], rtol=1e-2, atol=1e-3, err_msg=name)


def blas_rate(dtype):
    """Return the GFLOP/s of one large matrix product, the best of a few."""
    a, b = np.random.default_rng(0).standard_normal((2, BLAS_SIZE, BLAS_SIZE)).astype(dtype)
    seconds = []
    for _ in range(REPEATS):
        before = time.process_time()
        np.matmul(a, b)
        seconds.append(time.process_time() - before)
    return 2e-9 * BLAS_SIZE**3 / min(seconds)


def gigaflops(case, microseconds):
    """Return the GFLOP/s of an update's five matrix products alone, as if nothing else took time."""
    first, last = case.hidden * (case.inputs + 1), case.outputs * (case.hidden + 1)
    return 1e-3 * 2 * case.batch * (2 * first + 3 * last) / microseconds


def memory(case):
    """Return the most memory that training the stack held, and the bytes that its arrays need, in float64."""
    settings, data = peers.settings_of(case, "float64"), peers.stack_data(case)
    shape = shape_of(settings[0], case.inputs, case.outputs)
    tracemalloc.start()
    trained = train(settings, data, epochs=5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak, len(trained) * bytes_per_network(shape, settings[0], case.batch)


def machine():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        processor = platform.processor() or platform.machine()
    blas = next(each for each in threadpool_info() if each["user_api"] == "blas")
    packages = [(name, version(name)) for name in ("numpy", "scikit-learn", "torch", "jax")]
    return (
        f"{processor}, one core; Python {platform.python_version()}, "
        + ", ".join(f"{name} {number or 'not installed'}" for name, number in packages)
        + f"; {blas['internal_api']} {blas['version']} ({blas['architecture']})"
    )


def cell(times, name):
    return number(statistics.median(times[name])) if name in times else "not installed"


def ratio(times, name, other):
    return statistics.median(times[name]) / statistics.median(times[other]) if other in times else None


def against_scikit_learn(measured, verdict):
    rows = []
    for case in CASES:
        times = measured[case]
        value = ratio(times, "scikit-learn float64", "engine float64")
        faster = verdict(case.layers, value) if case.layers in TARGETS else number(value)
        rows.append([case.name, *(cell(times, name) for name in ("engine float64", "scikit-learn float64")), faster])
    return markdown_table(["float64, µs", "engine", "scikit-learn", "times faster"], rows)


def against_compiled(measured, compile_seconds, verdict):
    rows = []
    names = ("engine float32", "PyTorch float32", "JAX float32, x W", "JAX float32, W x")
    for case in CASES:
        times = measured[case]
        usual, same = (ratio(times, "engine float32", name) for name in names[2:])
        compiled = "/".join(f"{seconds:.1f}" for seconds in compile_seconds[case].values()) or "not installed"
        rows.append(
            [
                case.name,
                *(cell(times, name) for name in names),
                "not installed" if usual is None else number(usual),
                verdict(f"{case.layers}, JAX", same),
                compiled,
            ]
        )
    header = ["float32, µs", "engine", "PyTorch loop", "JAX, x W", "JAX, W x", "engine / JAX, x W", "engine / JAX, W x"]
    return markdown_table([*header, "JAX compiles in, s"], rows)


def online_table(online, verdict):
    rows = []
    for case, times in online.items():
        faster = ratio(times, "scikit-learn", "engine")
        told = verdict("online", faster) if case == ONLINE[0] else number(faster)
        rows.append([case.name, cell(times, "engine"), cell(times, "scikit-learn"), told])
    return markdown_table(["float64, µs", "engine", "scikit-learn", "times faster"], rows)


def full_table(full, verdict):
    rows = []
    for units, (seconds, tables) in full.items():
        share = seconds["engine"] / seconds["scikit-learn"]
        least = units == FULL_UNITS[0]
        rows.append(
            [
                f"{FULL_TABLE[1]}-{units}-2",
                *(f"{seconds[name]:.2f}" for name in ("engine", "scikit-learn")),
                verdict("full time", share) if least else number(share),
                verdict("full memory", tables["engine"]) if least else number(tables["engine"]),
                number(tables["scikit-learn"]),
            ]
        )
    header = ["float64", "engine, s", "scikit-learn, s", "engine / scikit-learn"]
    return markdown_table([*header, "engine's memory, tables", "scikit-learn's"], rows)


def other_times(measured):
    names = [
        "engine float64 sigmoid",
        "engine float32 sigmoid",
        "engine float64 shuffled",
        "scikit-learn float64 shuffled",
    ]
    rows = [[case.name, *(cell(measured[case], name) for name in names)] for case in CASES]
    header = ["µs", "sigmoid, float64", "sigmoid, float32", "10 shuffled batches, float64", "the same, scikit-learn"]
    return markdown_table(header, rows)


def memory_table():
    rows = []
    for case in CASES:
        peak, needed = memory(case)
        rows.append([case.name, f"{peak / 2**20:.1f}", f"{needed / 2**20:.1f}"])
    return markdown_table(["float64, MiB", "peak while training", "arrays of the whole stack"], rows)


def blas_table(measured):
    case = CASES[-1]
    rows = []
    for dtype in ("float64", "float32"):
        reached = gigaflops(case, statistics.median(measured[case][f"engine {dtype}"]))
        rate = blas_rate(dtype)
        rows.append([f"{case.name}, {dtype}", number(reached), number(rate), f"{100 * reached / rate:.0f} %"])
    return markdown_table(["GFLOP/s", "engine", f"BLAS, {BLAS_SIZE} x {BLAS_SIZE}", "share"], rows)


def report(measured, compile_seconds, online, full, verdict):
    return f"""\
Microseconds of CPU time for one update of one network (forward, backward, plain gradient step), median of {REPEATS}.
{machine()}. Command: `make bench`.

All contenders: relu, softmax with cross-entropy, no momentum, no penalty, the whole batch at once, and one batch of its
own for each network. scikit-learn's time holds its loss and stopping bookkeeping (and for two classes one output unit
instead of two). JAX is `jit(vmap)` in a `fori_loop`, first as it is usually written (samples in rows, `x W`), then in
the engine's layout (`W x`); compiling is not in its time. PyTorch and JAX are measured where
they are installed; that their networks end at the engine's weights is checked.

## Beside scikit-learn

{against_scikit_learn(measured, verdict)}

## Beside compiled peers

{against_compiled(measured, compile_seconds, verdict)}

## One sample an update

64 samples, shuffled anew for each epoch; scikit-learn's MLPClassifier with `batch_size=1`.

{online_table(online, verdict)}

## Full batches of a large table

{FULL_TABLE[0]:,} rows x {FULL_TABLE[1]} columns, {FULL_EPOCHS} epochs of one update each, `fit` of BPClassifier and of
MLPClassifier, both with the loss after each epoch. Memory is the most that is held beyond the interpreter, in tables,
the table itself included; the numbers of 64 units alone are four tables.

{full_table(full, verdict)}

## More of the engine

The engine with its default activation; and with mini-batches, 10 an epoch and shuffled anew for each, where the
networks share the training parts of 5 folds as a sweep's do.

{other_times(measured)}

Memory of the stack (`tracemalloc`): parameters, gradient, batch and layer buffers. A stack is trained in blocks that
fit the cache, so that only parameters and samples exist for all its networks at once.

{memory_table()}

The five matrix products of an update against one large product of the same BLAS:

{blas_table(measured)}
"""


def write_csv(measured, online, full):
    with (RESULTS / "engine.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["network", "contender", "median_us", "min_us", "max_us", "repeats"])
        for case, times in [*measured.items(), *online.items()]:
            for name, values in times.items():
                numbers = [statistics.median(values), min(values), max(values)]
                writer.writerow([case.name, name, *(f"{value:.4g}" for value in numbers), len(values)])
        for units, (seconds, _) in full.items():
            for name, value in seconds.items():
                each = f"{1e6 * value / FULL_EPOCHS:.4g}"
                writer.writerow([f"{FULL_TABLE[1]}-{units}-2, batch {FULL_TABLE[0]}", name, each, "", "", REPEATS])


def main():
    pin_to_one_core()
    RESULTS.mkdir(exist_ok=True)
    measured, compile_seconds, online, full, verdict = {}, {}, {}, {}, Verdicts()
    with threadpool_limits(1):
        for case in CASES:
            print(f"measuring {case.name} ...", flush=True)
            measured[case], compile_seconds[case] = measure(case)
        for case in ONLINE:
            print(f"measuring {case.name} ...", flush=True)
            online[case] = measure_online(case)
        for units in FULL_UNITS:
            print(f"measuring full batches, {units} units ...", flush=True)
            full[units] = measure_full(units)
        text = report(measured, compile_seconds, online, full, verdict)
    (RESULTS / "engine.md").write_text(text)
    (RESULTS / "engine_targets.md").write_text(verdict.table() + "\n")
    write_csv(measured, online, full)
    print(text)


if __name__ == "__main__":
    main()
