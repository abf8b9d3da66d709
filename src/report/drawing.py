"""Where figures are drawn: in a process of its own, which imports Matplotlib while this one trains, or in this one.

The process is given plain values and gives back files' contents; it reads and writes nothing else.
"""

import contextlib
import gc
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from typing import Any

from src.comparison.outcome import Outcome
from src.comparison.record import Record, RecordedDataset
from src.folders import ROOT
from src.language import chosen, speaking
from src.report.material import read_fitted, read_material
from src.report.page import Picture


def draw(name: str, *arguments: Any) -> Any:
    """Call a function of `src.report.pictures`, which imports matplotlib (0.5 s)."""
    return getattr(import_module("src.report.pictures"), name)(*arguments)


class Drawer:
    """Calls functions of `src.report.pictures`, one after the other: in this process unless it is started."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._was_asked = False
        self._thread = ThreadPoolExecutor(max_workers=1)  # waits for the process

    def start(self) -> None:
        """Start the process, where there is a second core for it and Matplotlib is not imported here already.

        It has no terminal, so that Ctrl-C is this process's to answer, and ends when this process has ended.
        """
        if self._process is None and (os.cpu_count() or 1) > 1 and "matplotlib" not in sys.modules:
            pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
            with contextlib.suppress(OSError):  # no more processes: it is drawn here
                self._process = subprocess.Popen(
                    [sys.executable, "-m", __name__], cwd=ROOT, start_new_session=True, **pipes
                )

    def ask(self, name: str, *arguments: Any) -> Callable[[], Any]:
        """Begin to draw; the function that is returned waits for it, and gives or raises what `draw` does."""
        self._was_asked = True
        if self._process is None:
            return partial(draw, name, *arguments)
        answer = self._thread.submit(_asked, self._process, name, arguments)

        def drawn() -> Any:
            try:
                return answer.result()
            except (OSError, EOFError, pickle.UnpicklingError):  # the process is gone: killed, or it could not
                return draw(name, *arguments)

        return drawn

    def note(self) -> str | None:
        """What is to be known of the figures that were drawn, if anything."""
        note: str | None = self.ask("font_note")() if self._was_asked else None
        return note

    def close(self) -> None:
        """End the process, whatever it is doing."""
        if self._process is not None:
            self._process.kill()
        self._thread.shutdown(cancel_futures=True)
        if self._process is not None:
            with contextlib.suppress(OSError):  # what it has not read is not wanted any more
                self._process.communicate()


def begin_pictures(
    drawer: Drawer, record: Record, outcome: Outcome, described: RecordedDataset | None
) -> Callable[[], tuple[Picture, ...]]:
    """Begin to draw a comparison's figures: the answer's first, then how it came about.

    `described` is the data set where there is but one, which the figures of single models are about. The function that
    is returned asks the fitted models, which may be kept in the meantime, draws that too, and waits.

    Raises TrackingError if the store fails.
    """
    answer = drawer.ask("answer_pictures", outcome)
    if described is None or not outcome.candidates:
        return answer
    models = drawer.ask("model_pictures", read_material(record, outcome))

    def drawn() -> tuple[Picture, ...]:
        fitted = drawer.ask("fitted_pictures", read_fitted(record, outcome, described))
        return (*answer(), *fitted(), *models())

    return drawn


def _asked(process: subprocess.Popen[bytes], name: str, arguments: tuple[Any, ...]) -> Any:
    assert process.stdin is not None
    assert process.stdout is not None
    pickle.dump((chosen(), name, arguments), process.stdin)
    process.stdin.flush()
    return pickle.load(process.stdout)


def _serve() -> None:
    """Be the process: draw what is asked for until nobody asks any more."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever else is printed is no answer
    gc.set_threshold(100_000)  # as the command itself does
    import_module("src.report.pictures")
    while True:
        try:
            lang, name, arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        with speaking(lang):
            pickle.dump(draw(name, *arguments), answers)
        answers.flush()


if __name__ == "__main__":
    _serve()
