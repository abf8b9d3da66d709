"""Run ``python -m src.run`` with the arguments given, and write where its time went to a file, as JSON.

    python tests/benchmarks/phases.py FILE -m training.learning_rate=0.1,0.3

The functions that do a sweep's work are timed from outside, so that the product itself carries no clocks.
"""

import functools
import json
import resource
import runpy
import sys
import time
from collections import defaultdict
from pathlib import Path

STARTED = time.perf_counter()

# what a person would call it -> the functions that do it, none of which calls another but where said
PHASES = {
    "composing": ["src.sweep.compose:compose_jobs"],
    "checking": ["src.sweep.checking:check_all", "src.sweep.jobs:make_jobs"],
    "planning": ["src.command.driver:make_plan"],
    "training": ["src.sweep.backends:run_workload"],
    "logging": [
        "src.command.record:Recorder.begin",  # opens the store
        "src.command.driver:Command._log_together",
        "src.command.record:Recorder.finish",
    ],
    "models kept": [f"src.command.record:Recorder.{name}" for name in ("draw_figures", "keep", "add_figures")],
    "comparison page": [f"src.command.record:Recorder.{name}" for name in ("report", "begin_page")],
    "table printed": ["src.command.driver:print_summary"],
    "store opened": ["src.command.record:open_store"],
    "sweep": ["src.command.driver:Command.run"],  # from opening the store to the last job that is logged
}


def timed(function, phase, seconds):
    @functools.wraps(function)
    def timing(*args, **kwargs):
        before = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            seconds[phase] += time.perf_counter() - before

    return timing


def watch(seconds):
    """Put a clock on each function of the phases, where its callers look it up."""
    for phase, functions in PHASES.items():
        for path in functions:
            module, _, name = path.partition(":")
            owner = functools.reduce(getattr, name.split(".")[:-1], __import__(module, fromlist=["_"]))
            leaf = name.rpartition(".")[2]
            setattr(owner, leaf, timed(getattr(owner, leaf), phase, seconds))


def main():
    file, *arguments = sys.argv[1:]
    seconds = defaultdict(float)
    watch(seconds)
    seconds["imports"] = time.perf_counter() - STARTED
    sys.argv = ["src.run", *arguments]
    try:
        runpy.run_module("src.run", run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        if ended.code:
            raise
    seconds["all"] = time.perf_counter() - STARTED
    seconds["peak bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    Path(file).write_text(json.dumps(seconds))


if __name__ == "__main__":
    main()
