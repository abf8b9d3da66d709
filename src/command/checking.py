"""What is asked of a command's jobs together, checked before anything is trained."""

from collections.abc import Sequence

from src.comparison.families import check_baselines
from src.config import ConfigError
from src.sweep.compose import Composed
from src.sweep.jobs import Job

OTHER_DATA = {"data", "data.name", "data.path", "data.target"}  # whose table it is, and what is to be told from it


def drop_foreign_question(composed: Sequence[Composed], typed: Sequence[str]) -> None:
    """Leave out a study's question, which is about its own data, where others were typed: its page asks what varies."""
    keys = {override.partition("=")[0].lstrip("+") for override in typed}
    if not keys.isdisjoint(OTHER_DATA) and "comparison.question" not in keys:
        for each in composed:
            if each.config.get("experiments") is not None:
                each.config["comparison"]["question"] = None


def check_command(jobs: Sequence[Job], *, searched: bool) -> None:
    """Refuse what is asked of these jobs together and cannot be answered.

    Raises ConfigError if a search is to be nested, or several data sets, whose scores are never ranked together, are to
    register a model; ComparisonError if a baseline is none of what is compared.
    """
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
        check_baselines(settings.comparison.baselines, ([job.flat for job in group] for group in by_data.values()))
