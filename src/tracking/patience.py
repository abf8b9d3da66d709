"""A server that is gone for a while: what was asked of it is asked again, for as long as ``tracking.patience`` says."""

import re
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from src.escaping import masked
from src.language import say, say_number
from src.tracking.errors import TrackingError
from src.words import counted

if TYPE_CHECKING:
    from src.tracking.store import Store

Answer = TypeVar("Answer")

PAUSE = 1.0  # seconds between two tries
NOT_TWICE = ("add_runs", "register_model")  # methods of a store that are told that they were tried before

# What MLflow's client, a proxy before the server, the driver of PostgreSQL and that of S3 say of a server that is not
# there, or no longer, or not yet; 408, 429 and 5xx are what MLflow's client itself would ask again after.
_GONE = re.compile(
    r"Max retries exceeded|Connection aborted|Connection broken|[Cc]onnection (was )?(refused|reset|closed)|timed? ?out"
    r"|Remote end closed|Could not connect to the endpoint|too many \d+ error responses"
    r"|(error code |\()(408|429|50[0234])\b|\b(408|429|50[0234]) (Client|Server) Error|TEMPORARILY_UNAVAILABLE"
    r"|server closed the connection|connection is (lost|closed)|consuming input failed|terminating connection"
    r"|database system is (starting up|shutting down|not yet accepting|in recovery)"
)


def is_gone(error: BaseException) -> bool:
    """Say whether an error means that no server answers, rather than what one has answered."""
    return not isinstance(error, TrackingError) and _GONE.search(str(error)) is not None


class GoneError(TrackingError):
    """A server that has not answered for as long as it is waited for."""


class Patience:
    """Asks a server again that does not answer; from several threads, what is told is told once.

    Parameters
    ----------
    address : the server's.
    seconds : how long it may be gone.
    told : takes the sentence that it is gone, and the one that it is back.
    """

    def __init__(self, address: str, seconds: float, told: Callable[[str], None]) -> None:
        self._address = masked(address)
        self._seconds = seconds
        self._told = told
        self._gone_since: float | None = None
        self._changing = threading.Lock()

    def end(self) -> None:
        """Wait no longer: from now on every question is asked once."""
        self._seconds = 0

    def trying(self, ask: Callable[[bool], Answer]) -> Answer:
        """Return what `ask` returns; it is told whether it may have been heard before, its answer being lost.

        Raises GoneError if the server does not come back in time.
        """
        again = False
        while True:
            try:
                answer = ask(again)
            except Exception as error:
                if not is_gone(error):
                    raise
                self._missed(error)
            else:
                self._answered(again)
                return answer
            again = True
            time.sleep(PAUSE)

    def _missed(self, error: Exception) -> None:
        with self._changing:
            now, minutes = time.monotonic(), round(self._seconds / 60)
            in_seconds = f"{self._seconds:g} s" if self._seconds < 60 else None
            if self._gone_since is None:
                self._gone_since = now
                if self._seconds:
                    self._told(
                        say(
                            "{server} does not answer; trying again for {length} (tracking.patience).",
                            server=self._address,
                            length=in_seconds or say_number("{number} minute", "{number} minutes", minutes),
                        )
                    )
            if now - self._gone_since >= self._seconds:
                since = f" for {in_seconds or counted(minutes, 'minute')}" if self._seconds else ""
                raise GoneError(f"tracking.uri: {self._address} has not answered{since}.") from error

    def _answered(self, again: bool) -> None:
        """Tell that the server is back; an answer at the first try may be from before it went."""
        with self._changing:
            since = self._gone_since
            if since is not None and (again or time.monotonic() - since >= self._seconds):
                self._gone_since = None
                if self._seconds:
                    self._told(say("{server} answers again.", server=self._address))


class _Patient:
    """A store whose every method is tried again; see `patient`."""

    def __init__(self, store: "Store", patience: Patience) -> None:
        self.patience = patience
        self._store = store

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if not callable(found):
            return found

        def trying(*given: Any, **named: Any) -> Any:
            def ask(again: bool) -> Any:
                return found(*given, **named, **({"again": True} if again and name in NOT_TWICE else {}))

            return self.patience.trying(ask)

        return trying


def patient(store: "Store", patience: Patience) -> "Store":
    """Return a store that waits for its server: every method of a `Store` may be called again with the same."""
    return cast("Store", _Patient(store, patience))
