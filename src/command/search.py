"""Searches: jobs that are proposed batch by batch, from the scores of those before."""

import importlib.util
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from src.command.driver import Command, SearchOver
from src.config.identity import search_digest
from src.errors import UserError
from src.evaluation.metrics import higher_is_better


class SearchError(UserError):
    """A search that cannot be made here."""


def check_installed() -> None:
    """Refuse a search where its library is not installed.

    Raises
    ------
    SearchError
        If hydra-optuna-sweeper is not there.
    """
    if importlib.util.find_spec("hydra_plugins.hydra_optuna_sweeper") is None:
        raise SearchError(
            "hydra/sweeper=optuna: hydra-optuna-sweeper is not installed; "
            "install it with pip install hydra-optuna-sweeper, or sweep over given values."
        )


def direction_of(metric: str) -> str:
    """Return optuna's word for what is better."""
    return "maximize" if higher_is_better(metric) else "minimize"


def without_nan(scores: Sequence[float | None], metric: str) -> list[float | None]:
    """Return scores with the worst there is in place of NaN (a diverged network), which no search can use."""
    worst = -math.inf if higher_is_better(metric) else math.inf
    return [worst if score is not None and math.isnan(score) else score for score in scores]


@contextmanager
def search(settings: Any, arguments: Sequence[str]) -> Iterator[Command]:
    """Open the record of a search; end it truthfully when the block ends.

    Parameters
    ----------
    settings
        The sweeper's, plain data.
    arguments
        As typed. The same settings and arguments, with the same numerical code, are the same search.
    """
    with Command(search=search_digest(settings, arguments)) as command:
        try:
            yield command
        except SearchOver:
            pass
        except ValueError:
            if command.has_scores:  # optuna says so of a search whose trials have all failed, which is told anyway
                raise
