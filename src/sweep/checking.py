"""Checking the configurations of a sweep: quick, as nothing is imported that only training needs."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from src import config
from src.config import ConfigError, JobConfig
from src.errors import UserError
from src.sweep.compose import Composed

if TYPE_CHECKING:
    from src.sweep.jobs import Job


def check_all(composed: Sequence[Composed]) -> list[JobConfig]:
    """Return the valid, typed form of every configuration.

    Raises
    ------
    ConfigError
        With every problem of every configuration, each told once.
    """
    checked = gather([partial(config.check, each.config) for each in composed])
    _check_one_command(checked)
    return checked


def _check_one_command(checked: Sequence[JobConfig]) -> None:
    """Refuse a sweep over how the sweep itself is run or recorded."""
    for section in ("comparison", "tracking", "sweep"):
        values = [getattr(job, section) for job in checked]
        if any(value != values[0] for value in values):
            raise ConfigError(f"{section}: its keys hold for the whole command, so a sweep cannot vary them.")


def check_command(jobs: Sequence["Job"], *, searched: bool) -> None:
    """Refuse what is asked of these jobs together and cannot be answered.

    Raises
    ------
    ConfigError, ComparisonError
        If a search is to be nested; if several data sets, whose scores are never ranked together, are to register a
        model; if a baseline is none of what is compared.
    """
    from src.comparison.candidates import MOST_SETTINGS
    from src.comparison.families import check_baselines
    from src.comparison.naming import candidate_names

    settings = jobs[0].checked
    if searched and any(job.checked.cv.inner_folds for job in jobs):
        raise ConfigError(
            "cv.inner_folds: a search is told the scores of the test folds and proposes its settings by them, so folds "
            "inside the training parts cannot make its choice honest. Leave cv.inner_folds out, or sweep over values."
        )
    by_data: dict[str, list[Job]] = {}
    for job in jobs:
        by_data.setdefault(job.dataset.digest, []).append(job)
    if settings.tracking.register is not None and len(by_data) > 1:
        names = ", ".join(group[0].dataset.name for group in by_data.values())
        raise ConfigError(
            f"tracking.register: the best model of several data sets ({names}) cannot be told, as scores on different "
            "data are not ranked together. Register from a sweep over one of them."
        )
    if not searched:  # whose candidates show as it goes on
        names_by_data = [candidate_names([job.flat for job in group], MOST_SETTINGS) for group in by_data.values()]
        check_baselines(settings.comparison.baselines, names_by_data)


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
