"""What fits warn of: gathered instead of printed, each warning with the fit that gave it."""

import re
import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

MOST_CHARACTERS = 300
MOST_TEXTS = 5  # of a job: together they fit into a tag of MLflow

_lock = threading.Lock()
_gathering: dict[int, list[str]] = {}  # by thread
_listeners = 0
_patched = ExitStack()


@contextmanager
def listening() -> Iterator[None]:
    """Be ready for `gathered` in this and other threads; needed round threads of which some do not gather.

    Python's own `warnings.catch_warnings` puts back what it found, for all threads: within, that is always the same.
    """
    global _listeners
    with _lock:
        if not _listeners:
            _patched.enter_context(warnings.catch_warnings())
            warnings.simplefilter("always", append=True)
            warnings.showwarning = _taking(warnings.showwarning)
        _listeners += 1
    try:
        yield
    finally:
        with _lock:
            _listeners -= 1
            if not _listeners:
                _patched.close()


@contextmanager
def gathered() -> Iterator[list[str]]:
    """Lend a list that takes what this thread warns of within: ``ConvergenceWarning: it did not converge``.

    Every warning is taken, not the first from each line of code only. What a filter ignores, or makes an error, stays
    so.
    """
    thread = threading.get_ident()
    with listening():
        mine = _gathering[thread] = []
        try:
            yield mine
        finally:
            del _gathering[thread]


def _taking(show: Any) -> Any:
    def take(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        mine = _gathering.get(threading.get_ident())
        if mine is None:
            show(message, category, *place, **more)
        else:
            said = str(message).strip().partition("\n\n")[0]  # what follows is advice, at length
            text = " ".join(f"{category.__name__}: {said}".split())
            mine.append(text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…")

    return take


def told_once(texts: Iterable[str]) -> dict[str, int]:
    """Count warnings; of those that differ in nothing but numbers the first stands for all."""
    first: dict[str, str] = {}
    counts: dict[str, int] = {}
    for text in texts:
        one = first.setdefault(alike(text), text)
        counts[one] = counts.get(one, 0) + 1
    return counts


def alike(text: str) -> str:
    """What warnings have in common that differ in nothing but numbers."""
    return re.sub(r"[\d.e+-]*\d", "#", text)
