"""What a person sees while a sweep runs: one bar on a terminal and in a notebook, plain lines elsewhere."""

import sys
import time
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from src.language import say

# Seconds between two plain lines, where the output is no terminal.
LINE_SECONDS = 10.0
# Seconds between two looks at the counts while networks are trained: a look costs as much as a small stack's epoch.
LOOK_SECONDS = 0.1


@dataclass
class Counts:
    """How far a sweep is: jobs by their fate, network epochs trained and of all, and the best score so far.

    A job that is no network counts one epoch for each fold; these are its `others`.
    """

    jobs: int = 0
    ended: int = 0
    reused: int = 0
    failed: int = 0
    networks: int = 0
    others: int = 0
    epochs: int = 0
    all_epochs: int = 0
    best: float | None = None
    started: float = field(default_factory=time.perf_counter)

    def text(self, metric: str) -> str:
        """Say it in one line."""
        seconds = time.perf_counter() - self.started
        parts = [say("{ended}/{count} jobs", ended=self.ended, count=self.jobs)]
        if self.failed:
            parts.append(say("{count} failed", count=self.failed))
        if self.reused:
            parts.append(say("{count} reused", count=self.reused))
        fits = say("{count} networks", count=self.networks) if self.networks or not self.others else ""
        if self.others:
            others = say("{count} other fits", count=self.others)
            fits = say("{networks}, {others}", networks=fits, others=others) if fits else others
        if seconds > 1:
            fits = say("{fits}, {rate}/s", fits=fits, rate=f"{(self.networks + self.others) / seconds:.0f}")
        parts.append(fits)
        if self.best is not None:
            parts.append(say("best {metric} {score}", metric=metric, score=f"{self.best:.4f}"))
        return " | ".join(parts)


class Display:
    """Shows the counts of a running sweep; use as a context manager."""

    def __init__(self, counts: Counts, metric: str) -> None:
        self.counts = counts
        self.metric = metric
        self.console = Console(file=sys.stderr)
        self._last_line = self._last_look = time.perf_counter()
        self._progress: Progress | None = None
        self._cell: Any = None  # IPython's handle of what a notebook shows
        if self.console.is_terminal and not self.console.is_jupyter:
            self._progress = Progress(
                BarColumn(bar_width=24),
                TaskProgressColumn(),
                TextColumn("{task.description}"),
                TimeRemainingColumn(),
                console=self.console,
                transient=True,
            )

    def __enter__(self) -> "Display":
        """Begin to show."""
        if self._progress is not None:
            self._progress.start()
            self._progress.add_task(self.counts.text(self.metric), total=self.counts.all_epochs)
        elif self.console.is_jupyter:  # Rich would ask for ipywidgets
            from IPython.display import display  # it has no types

            shown: Any = display
            self._cell = shown(self._as_cell(bar=True), raw=True, display_id=True)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop showing; where there is no terminal, leave the last line, without a bar."""
        if self._progress is not None:
            self._progress.stop()
        elif self._cell is not None:
            self._cell.update(self._as_cell(bar=False), raw=True)
        else:
            self._line()

    def passed(self, epochs: int) -> None:
        """Take in that so many network epochs have passed; safe to call from any thread."""
        self.counts.epochs += epochs
        if time.perf_counter() - self._last_look > LOOK_SECONDS:
            self.show()

    def show(self) -> None:
        """Bring what is seen up to date."""
        self._last_look = time.perf_counter()
        if self._progress is not None:
            task = self._progress.task_ids[0]
            self._progress.update(task, completed=self.counts.epochs, description=self.counts.text(self.metric))
        elif self._cell is not None:
            self._cell.update(self._as_cell(bar=True), raw=True)
        elif time.perf_counter() - self._last_line > LINE_SECONDS:
            self._line()

    def _as_cell(self, *, bar: bool) -> dict[str, str]:
        text = self.counts.text(self.metric)
        drawn = f'<progress value="{self.counts.epochs}" max="{self.counts.all_epochs}"></progress> ' if bar else ""
        return {"text/plain": text, "text/html": drawn + text}

    def _line(self) -> None:
        self._last_line = time.perf_counter()
        self.console.print(self.counts.text(self.metric), highlight=False)
