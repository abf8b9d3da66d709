"""Run ``python -m src.run`` with the arguments given, and write where its time went to a file, as JSON.

    python tests/benchmarks/phases.py FILE -m training.learning_rate=0.1,0.3

The functions that do the work are timed from outside, so that the product itself carries no clocks, and each is given
its clock when its module is imported, so that nothing is imported sooner than in the product. A phase's seconds are its
own: what is imported, or belongs to another phase, is taken out. What other threads and processes do meanwhile is in
no phase.
"""

import builtins
import functools
import json
import resource
import runpy
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path

# what a person would call it -> the functions that do it, where they are defined
PHASES = {
    "composing": ["src.sweep.compose:compose_jobs"],
    "checking": ["src.sweep.checking:check_all", "src.sweep.jobs:make_jobs"],
    "planning": ["src.sweep.plan:make_plan"],
    "store opened": ["src.tracking.opening:open_store"],
    "training": ["src.sweep.stacks:run_workload"],
    "logging": [
        "src.tracking.recorder:Recorder.begin",
        "src.command.driver:Command._log_together",
        "src.command.record:end_sweep",
    ],
    "models kept": ["src.command.kept:KeptModels.keep"],
    "answer printed": ["src.report.summary:print_summary"],
    # after the last job, what is neither of those above: what the answer is worked out from, figures, the page
    "comparison page": ["src.command.driver:Command._finish", "src.command.driver:Command._tell_where"],
    "waiting, display": ["src.command.driver:Command.run"],
}


class Clock:
    """Seconds of each phase, in the main thread; and when functions were first begun and last ended."""

    def __init__(self):
        self.seconds = defaultdict(float)
        self.first_begun, self.last_ended = {}, {}
        self._within = [0.0]  # seconds taken by what is timed inside of what is timed now
        self._main = threading.main_thread()

    def time(self, phase, path, function):
        """Return the function with this clock on it."""

        @functools.wraps(function)
        def timed(*args, **kwargs):
            if threading.current_thread() is not self._main:
                return function(*args, **kwargs)
            begun = time.perf_counter()
            self.first_begun.setdefault(path, begun)
            self._within.append(0.0)
            try:
                return function(*args, **kwargs)
            finally:
                ended = self.last_ended[path] = time.perf_counter()
                self.seconds[phase] += ended - begun - self._within.pop()
                self._within[-1] += ended - begun

        return timed


def watch(clock):
    """Put the clock on imports, and on each function of the phases once its module is there."""
    waiting = {path: phase for phase, paths in PHASES.items() for path in paths}
    plain_import = clock.time("imports", "import", builtins.__import__)

    def importing(*args, **kwargs):
        module = plain_import(*args, **kwargs)
        for path in [path for path in waiting if is_there(path)]:
            owner, leaf = place_of(path)
            setattr(owner, leaf, clock.time(waiting.pop(path), path, getattr(owner, leaf)))
        return module

    builtins.__import__ = importing


def is_there(path):
    module = sys.modules.get(path.partition(":")[0])
    return module is not None and not module.__spec__._initializing


def place_of(path):
    """Return what holds the function, a module or a class, and the function's name there."""
    module, _, name = path.partition(":")
    *outer, leaf = name.split(".")
    return functools.reduce(getattr, outer, sys.modules[module]), leaf


def between(clock, begun, ended):
    """Return the seconds from the first begin of a function to the last end of another."""
    if begun not in clock.first_begun or ended not in clock.last_ended:
        return 0.0
    return clock.last_ended[ended] - clock.first_begun[begun]


def main():
    started = time.perf_counter()
    file, *arguments = sys.argv[1:]
    clock = Clock()
    watch(clock)
    sys.argv = ["src.run", *arguments]
    try:
        runpy.run_module("src.run", run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        if ended.code:
            raise
    seconds = clock.seconds
    seconds["Hydra"] = time.perf_counter() - started - sum(seconds.values())
    # from the first stack to the last record: `make_plan` is what comes before
    seconds["sweep"] = between(clock, "src.sweep.plan:make_plan", "src.command.driver:Command._log_together")
    last_job = clock.last_ended.get("src.command.driver:Command._log_together")
    told = clock.last_ended.get("src.report.summary:print_summary")
    seconds["answer after the last job"] = told - last_job if told and last_job else 0.0
    seconds["peak bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    Path(file).write_text(json.dumps(seconds))


if __name__ == "__main__":
    main()
