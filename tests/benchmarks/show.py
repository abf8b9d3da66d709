"""Write README's section on speed from what was measured last: `make bench` ends with it.

python tests/benchmarks/show.py
"""

import re
from pathlib import Path

RESULTS = Path(__file__).with_name("results")
README = Path(__file__).parents[2] / "README.md"
BEGIN, END = "<!-- benchmark -->\n", "<!-- end -->"

SECTION = """\
`make bench` measures whole commands beside the usual way, then the engine beside its peers, and writes this section.
The tables in full, with memory and more: [sweep.md](tests/benchmarks/results/sweep.md),
[engine.md](tests/benchmarks/results/engine.md).

### Targets

{targets}

### Whole commands

Settings × 5 folds on ex4 (2-4-2, 500 epochs). The usual way: Hydra's basic launcher, `cross_validate` of a pipeline
with MLPClassifier, MLflow's fluent calls, one run a job. GridSearchCV: one process, accuracy alone, no record. For
1,000 jobs the two are not measured but reckoned from the time of a further job. {machine}

{commands}

{others}

Where the seconds go, each phase without what is imported in it (5,000 jobs: 50 epochs):

{phases}

Two cores, 40 settings × 5 folds on digits (64-64-10, 60 epochs). Threads wait for one another, as Python has one lock;
Dask's time holds the start of its cluster:

{cores}

### The engine

Beside scikit-learn's MLPClassifier, a PyTorch loop and JAX `jit(vmap)`, in one process on one core: microseconds of
CPU time for one update of one network. PyTorch and JAX are measured where they are installed (`make bench
PEERS=FOLDER`). {engine_machine}

{scikit_learn}

{compiled}

One sample an update:

{online}

Full batches of 100,000 rows × 50 columns, 20 epochs; memory in tables, the table itself included:

{full}
"""


def tables(text: str, heading: str) -> str:
    """Return the first table under a heading of a page."""
    under = text.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    found = re.search(r"(^\|.*\n)+", under, re.M)
    if found is None:
        raise SystemExit(f"{heading!r}: there is no such table; run the benchmarks first")
    return found[0].rstrip()


def section() -> str:
    """Return what README is to show."""
    sweep, engine, sweep_targets, engine_targets = (
        (RESULTS / f"{name}.md").read_text() for name in ("sweep", "engine", "sweep_targets", "engine_targets")
    )
    machine = re.search(r"once\)\. (.+? cores;)\s(Python \S+)\. Command", sweep)
    return SECTION.format(
        targets=sweep_targets.rstrip() + "\n" + "\n".join(engine_targets.splitlines()[2:]),
        machine="" if machine is None else " ".join(machine.groups()) + ".",
        engine_machine=engine.splitlines()[1].removesuffix(" Command: `make bench`."),
        commands=tables(sweep, "Beside the usual way"),
        others=tables(sweep, "Other commands"),
        phases=tables(sweep, "Where it goes"),
        cores=tables(sweep, "Two cores"),
        scikit_learn=tables(engine, "Beside scikit-learn"),
        compiled=tables(engine, "Beside compiled peers"),
        online=tables(engine, "One sample an update"),
        full=tables(engine, "Full batches of a large table"),
    )


def main() -> None:
    before, begin, rest = README.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"README.md: {BEGIN.strip()} ... {END} is not there")
    README.write_text(before + begin + section() + end + after)


if __name__ == "__main__":
    main()
