"""Checking the configurations of a sweep: quick, as nothing is imported that only training needs."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from src import config
from src.config import ConfigError, JobConfig
from src.errors import UserError
from src.sweep.compose import Composed


def check_all(composed: Sequence[Composed]) -> list[JobConfig]:
    """Return the valid, typed form of every configuration.

    Raises
    ------
    ConfigError
        With every problem of every configuration, each told once; for a sweep over how it is itself run or recorded.
    """
    checked = gather([partial(config.check, each.config) for each in composed])
    for section in ("comparison", "tracking", "sweep"):
        values = [getattr(job, section) for job in checked]
        if any(value != values[0] for value in values):
            raise ConfigError(f"{section}: its keys hold for the whole command, so a sweep cannot vary them.")
    return checked


def gather(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Make every call; if some raise a UserError, raise one with all their lines, each once."""
    results, lines = [], dict[str, None]()
    kind: type[UserError] = UserError
    for call in calls:
        try:
            results.append(call())
        except UserError as error:
            kind = ConfigError if isinstance(error, ConfigError) else UserError
            lines.update(dict.fromkeys(str(error).splitlines()))
    if lines:
        raise kind("\n".join(lines))
    return results
