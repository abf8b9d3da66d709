"""Which of several commands runs a sweep, where only the store joins them: a claim in the tags of its experiment.

MLflow compares and sets nothing in one step, so who is first is decided as in a bakery (Lamport, A New Solution of
Dijkstra's Concurrent Programming Problem, 1974): who comes says so, takes a number above all numbers there are, and
waits for everyone who has not chosen yet or has a smaller number. Each command writes its own tag only.

A claim lives as long as its tag changes: it counts BEAT by BEAT. Clocks of two machines are never compared. Who sees a
claim unchanged for EXPIRY names it in its own tag, looks once more whether it has changed, and if not leaves it out of
account; the other, if it lives after all, finds itself named when it next looks, and ends. A claim that could not be
renewed for LEASE is looked after before anything is written. This is right as long as a request takes no longer than
the difference of the two.
"""

import contextlib
import json
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from filelock import FileLock, Timeout

from src.language import say
from src.tracking.errors import TrackingError, telling
from src.tracking.patience import GoneError
from src.tracking.processes import PROCESS_HOST, is_dead, process_tags, user
from src.tracking.store import Store

BEAT = 10.0  # seconds between two signs of life
LEASE = 30.0
EXPIRY = 60.0
LOOK = 2.0  # seconds between two looks of one who waits

State = dict[str, Any]


@contextlib.contextmanager
def claimed(store: Store, experiment_id: str, digest: str, told: Callable[[str], None]) -> Iterator[Callable[[], None]]:
    """Hold a sweep by its digest while it runs; if another command has it, say so with `told` and wait for its end.

    The same sweep typed twice at once is so trained once. Beside an SQLite file it is a lock, which ends with its
    process, however that ends; over the network a `Claim`.

    Returns
    -------
    callable : raises TrackingError if the sweep is held no longer; to be called before something is written.
    """
    if store.database is None:
        claim = Claim(store, experiment_id, digest)
        try:
            with telling("the sweep cannot be claimed"):
                claim.take(told)
            yield claim.check
        finally:
            claim.leave()
        return
    lock = FileLock(store.database.with_name(f"{store.database.name}.{digest[:16]}.lock"), timeout=0)
    try:
        lock.acquire()
    except Timeout:
        told(say("Another command runs this very sweep on this store; waiting for its end."))
        lock.acquire(timeout=-1)
    try:
        yield lambda: None
    finally:
        with contextlib.suppress(OSError):  # where an open file cannot be removed
            os.unlink(lock.lock_file)
        lock.release()


def _now() -> float:
    """Seconds on a clock that goes on while the machine sleeps, where there is one."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class Claim:
    """One command's place among those that want to run a sweep."""

    def __init__(self, store: Store, experiment_id: str, digest: str) -> None:
        self._store = store
        self._experiment_id = experiment_id
        self._of_sweep = f"claim.{digest[:16]}."
        self._own = uuid.uuid4().hex[:16]
        since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        self._state: State = {"number": 0, "beat": 0, "over": [], "user": user(), "since": since, **process_tags()}
        self._writing = threading.Lock()
        self._over = threading.Event()
        self._renewed = _now()
        self._lost = False
        self._thread = threading.Thread(target=self._beat, name="claim", daemon=True)

    def take(self, told: Callable[[str], None]) -> None:
        """Wait until nobody who came before is left; say with `told` who is at it.

        Raises TrackingError if this command gave no sign of life for so long that another left it out of account.
        """
        self._write()
        self._write(number=1 + max((other["number"] for other in self._others().values()), default=0))
        self._renewed = _now()
        self._thread.start()
        seen: dict[str, tuple[State, float]] = {}
        looked, told_of = _now(), ""
        while True:
            others = self._others()
            before = {name: other for name, other in others.items() if self._is_before(name, other)}
            now = _now()
            if now - looked > LEASE:  # the store was away, and a sign of life could not be given
                seen.clear()
            looked = now
            for name, other in before.items():
                if name not in seen or seen[name][0] != other:
                    seen[name] = other, now
            expired = {name for name, other in before.items() if now - seen[name][1] > EXPIRY or is_dead(other)}
            if expired:
                self._write(over=sorted({*self._state["over"], *expired}))
                again = self._others()
                if revived := {name for name in expired if again.get(name, before[name]) != before[name]}:
                    self._write(over=sorted({*self._state["over"]} - revived))
                continue
            if not before:
                break
            self.check()
            first = min(before, key=lambda name: (before[name]["number"], name))
            if first != told_of:
                told_of = first
                told(
                    say(
                        "A command of {user} on {host}, begun {since}, runs this very sweep on this store; waiting for "
                        "its end.",
                        user=before[first]["user"],
                        host=before[first][PROCESS_HOST],
                        since=before[first]["since"],
                    )
                )
            time.sleep(LOOK)
        for name in self._state["over"]:
            self._store.remove_experiment_tag(self._experiment_id, self._of_sweep + name)

    def check(self) -> None:
        """See to it that this command may still write.

        Raises TrackingError if another has taken the sweep over.
        """
        if _now() - self._renewed > LEASE:
            with telling("the claim on the sweep cannot be renewed"):
                self._renew()
        if self._lost:
            raise TrackingError(
                f"another command has taken this sweep over, as this one gave no sign of life for {EXPIRY:g} s; "
                "the same command shows the sweep when the other has ended."
            )

    def leave(self) -> None:
        """Let the next one in."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()
        with contextlib.suppress(GoneError), telling("the claim on the sweep cannot be given up"):  # or it expires
            self._store.remove_experiment_tag(self._experiment_id, self._of_sweep + self._own)

    def _is_before(self, name: str, other: State) -> bool:
        is_first = (other["number"], name) < (self._state["number"], self._own)  # one who chooses has the number 0
        return is_first and name not in self._state["over"]

    def _tags(self) -> dict[str, State]:
        tags = self._store.experiment_tags(self._experiment_id)
        length = len(self._of_sweep)
        return {key[length:]: json.loads(value) for key, value in tags.items() if key.startswith(self._of_sweep)}

    def _others(self) -> dict[str, State]:
        return {name: state for name, state in self._tags().items() if name != self._own}

    def _write(self, **changes: Any) -> None:
        with self._writing:
            self._state = {**self._state, **changes}
            value = json.dumps(self._state, ensure_ascii=False)
            self._store.tag_experiment(self._experiment_id, {self._of_sweep + self._own: value})

    def _beat(self) -> None:
        while not self._over.wait(BEAT):
            with contextlib.suppress(Exception):  # `check` meets it again, where it is told
                self._renew()

    def _renew(self) -> None:
        """Give a sign of life, then look whether this command was left out of account before."""
        began = _now()
        if began - self._renewed > LEASE and self._own not in self._tags():
            self._lost = True
        if not self._lost:
            self._write(beat=self._state["beat"] + 1)
            tags = self._tags()
            self._lost = self._own not in tags or any(self._own in other["over"] for other in tags.values())
        self._renewed = began
