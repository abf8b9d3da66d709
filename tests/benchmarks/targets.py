"""What is aimed at, all of it, and how a measured number is told beside its target.

Every target is a ratio of two numbers of the same run, but where a unit is named.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """A number that is to be at most (or at least) `limit`."""

    what: str
    limit: float
    at_least: bool = False

    def is_met(self, value: float) -> bool:
        return value >= self.limit if self.at_least else value <= self.limit

    @property
    def aim(self) -> str:
        return f"{'at least' if self.at_least else 'at most'} {self.limit:g}"


TARGETS = {
    # whole commands, beside the usual way of putting Hydra, scikit-learn and MLflow together
    "one job": Target("one job: its time, of the usual way's one job", 0.7),
    "homework5": Target("homework5: its time, of the usual way's one job", 1.0),
    "12 jobs": Target("12 settings x 5 folds: times faster than the usual way", 8, at_least=True),
    "100 jobs": Target("100 settings x 5 folds: times faster than the usual way", 20, at_least=True),
    "further job": Target("each further job: times faster than the usual way", 60, at_least=True),
    "100 jobs, grid": Target("100 settings: times faster than GridSearchCV without a record", 3, at_least=True),
    "help": Target("`--help`: its time, of `python -c 'import mlflow'`", 0.3),
    "typed again": Target("homework5 typed again, all reused: its time, of one job's command", 0.5),
    "compare": Target("store of 5,000 runs: seconds of `src.compare`", 5),
    "answer": Target("store of 5,000 runs: seconds from the last job to the answer", 5),
    # parts of a command
    "logging": Target("logging, ms a job of 1,000", 4),
    "model": Target("a model kept, s (the one of 100 jobs)", 0.3),
    "all but training": Target("all but training, ms a job of 1,000", 25),
    "growth": Target("all but training, a job of 5,000 beside one of 100", 1.2),
    "memory": Target("most memory of a sweep of 5,000, GiB", 2),
    "processes": Target(
        "processes, n_jobs=2: times faster from the first stack to the last record", 1.7, at_least=True
    ),
    "dask": Target("dask, n_jobs=2: times faster from the first stack to the last record", 1.7, at_least=True),
    # the engine
    "784-100-10": Target("784-100-10, float64: times faster than scikit-learn", 1.6, at_least=True),
    **{
        f"{name}, JAX": Target(f"{name}, float32: time, of JAX's in the same layout", 1.0)
        for name in ("2-4-2", "4-16-3", "64-64-10", "784-100-10")
    },
    "online": Target(
        "one sample an update, 2-4-2, one job's 5 folds: times faster than scikit-learn", 5, at_least=True
    ),
    "full memory": Target("full batches of 100,000 x 50, 4 units: memory, of the table's", 3),
    "full time": Target("full batches of 100,000 x 50, 4 units: time, of scikit-learn's", 1.0),
}


class Verdicts:
    """Tells measured numbers beside their targets, and remembers them."""

    def __init__(self) -> None:
        self.measured: dict[str, float] = {}

    def __call__(self, name: str, value: float | None, text: str | None = None) -> str:
        """Return the number, or `text`, with its target; None is a peer that is not installed."""
        if value is None:
            return "not installed"
        self.measured[name] = value
        target = TARGETS[name]
        met = "met" if target.is_met(value) else "missed"
        return f"{number(value) if text is None else text} (target {target.aim}: {met})"

    def table(self) -> str:
        rows = []
        for name, target in TARGETS.items():
            if name in self.measured:
                value = self.measured[name]
                rows.append([target.what, number(value), target.aim, "met" if target.is_met(value) else "missed"])
        return markdown_table(["what", "measured", "target", ""], rows)


def number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def markdown_table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
