"""Ctrl-C, SIGTERM and a closed terminal: all end a sweep in the same way, and none cuts the writing of a run in two."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# So many signals during one piece of writing are no longer waited with: who sends them does not want to wait.
IMPATIENCE = 3


class Interrupted(KeyboardInterrupt):
    """The sweep was told to stop; `exit_status` is 128 plus the signal's number, as shells have it."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_status = 128 + number


class Interruptions:
    """Raises Interrupted in the main thread on a signal, but not inside `shield`: after it."""

    def __init__(self) -> None:
        self._shielded = False
        self._waiting: list[int] = []

    @contextmanager
    def heeded(self) -> Iterator[None]:
        """Listen to the signals within; outside the main thread, where Python cannot, do nothing.

        A signal that is ignored (SIGHUP under nohup, SIGINT in a shell's background job) stays ignored.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in SIGNALS}
        heeded = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}
        for number in heeded:
            signal.signal(number, self._heed)
        try:
            yield
        finally:
            for number, handler in heeded.items():
                signal.signal(number, handler)

    @contextmanager
    def shield(self) -> Iterator[None]:
        """Finish what is within before a signal takes effect."""
        self._shielded = True
        try:
            yield
        finally:
            self._shielded = False
        if self._waiting:
            first = self._waiting[0]
            self._waiting.clear()
            raise Interrupted(first)

    def _heed(self, number: int, _: FrameType | None) -> None:
        self._waiting.append(number)
        if not self._shielded or len(self._waiting) >= IMPATIENCE:
            self._waiting.clear()
            raise Interrupted(number)
