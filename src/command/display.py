"""What a person sees while a sweep runs: one bar on a terminal and in a notebook, plain lines elsewhere."""

import sys
import time
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from src.command.so_far import JobsSoFar
from src.language import say

# Seconds between two plain lines, where the output is no terminal.
LINE_SECONDS = 10.0
# Seconds between two looks at the counts while networks are trained: a look costs as much as a small stack's epoch.
LOOK_SECONDS = 0.1


class Display:
    """Shows in one line how far a command is, while a batch of its jobs is trained: a context manager, of each batch.

    Attributes
    ----------
    networks, others : how many networks and other models have been fitted.
    trained, all_epochs : network epochs, trained and of all; a fit of another model counts as one of all.
    """

    def __init__(self, so_far: JobsSoFar) -> None:
        self.so_far = so_far
        self.networks = self.others = self.trained = self.all_epochs = 0
        self.console = Console(file=sys.stderr)
        self._started = self._last_line = self._last_look = time.perf_counter()
        self._progress: Progress | None = None
        self._cell: Any = None  # IPython's handle of what a notebook shows

    @property
    def epochs(self) -> int:
        """How many of all epochs are over."""
        return self.trained + self.others

    def text(self) -> str:
        """How far it is: jobs by their fate, fits, the best score so far."""
        so_far, seconds = self.so_far, time.perf_counter() - self._started
        parts = [say("{ended}/{count} jobs", ended=len(so_far.recorded), count=len(so_far.jobs))]
        if so_far.failures:
            parts.append(say("{count} failed", count=len(so_far.failures)))
        if so_far.reused:
            parts.append(say("{count} reused", count=so_far.reused))
        fits = say("{count} networks", count=self.networks) if self.networks or not self.others else ""
        if self.others:
            others = say("{count} other fits", count=self.others)
            fits = say("{networks}, {others}", networks=fits, others=others) if fits else others
        if seconds > 1:
            fits = say("{fits}, {rate}/s", fits=fits, rate=f"{(self.networks + self.others) / seconds:.0f}")
        parts.append(fits)
        if (best := so_far.best.score) is not None:
            metric = so_far.settings.comparison.metric
            parts.append(say("best {metric} {score}", metric=metric, score=f"{best:.4f}"))
        return " | ".join(parts)

    def __enter__(self) -> Self:
        """Begin to show."""
        if self.console.is_jupyter:  # Rich would ask for ipywidgets
            from IPython.display import display  # it has no types

            shown: Any = display
            self._cell = shown(self._as_cell(bar=True), raw=True, display_id=True)
        elif self.console.is_terminal:
            columns = (TaskProgressColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
            self._progress = Progress(BarColumn(bar_width=24), *columns, console=self.console, transient=True)
            self._progress.start()
            self._progress.add_task(self.text(), total=self.all_epochs)
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
        self.trained += epochs
        if time.perf_counter() - self._last_look > LOOK_SECONDS:
            self.show()

    def show(self) -> None:
        """Bring what is seen up to date."""
        self._last_look = time.perf_counter()
        if self._progress is not None:
            self._progress.update(self._progress.task_ids[0], completed=self.epochs, description=self.text())
        elif self._cell is not None:
            self._cell.update(self._as_cell(bar=True), raw=True)
        elif time.perf_counter() - self._last_line > LINE_SECONDS:
            self._line()

    def _as_cell(self, *, bar: bool) -> dict[str, str]:
        text = self.text()
        drawn = f'<progress value="{self.epochs}" max="{self.all_epochs}"></progress> ' if bar else ""
        return {"text/plain": text, "text/html": drawn + text}

    def _line(self) -> None:
        self._last_line = time.perf_counter()
        self.console.print(self.text(), highlight=False)
