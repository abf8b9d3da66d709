"""Searches: jobs that are proposed batch by batch, from the scores of those before."""

import importlib.util
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.types import Glob, IntervalSweep, Override, RangeSweep

from src.command.driver import Command
from src.config.identity import search_digest
from src.config.messages import shown
from src.errors import UserError
from src.evaluation.metrics import higher_is_better
from src.sweep.jobs import Jobs
from src.words import not_installed

DIRECTIONS = (None, "minimize", "maximize")


class SearchError(UserError):
    """A search that cannot be made here."""


class SearchOver(Exception):  # noqa: N818 - it is no error
    """There is nothing more to search for: it was a dry run, or a job failed and `sweep.on_failure` says stop."""


def check_installed() -> None:
    """Raise SearchError where the library of searches is not installed."""
    if importlib.util.find_spec("hydra_plugins.hydra_optuna_sweeper") is None:
        raise SearchError(f"hydra/sweeper=optuna: {not_installed('hydra-optuna-sweeper')}, or sweep over given values.")


def check_settings(settings: Mapping[str, Any]) -> None:
    """Refuse settings of the sweeper, whose types Hydra has checked: raise SearchError for the first that is bad."""
    given: Callable[[str], Any] = settings.get
    mapping = "a mapping from keys to values"
    recorded = "every job is recorded in MLflow, and the same command goes on from there"
    for key, allowed, is_so in (
        *((key, "a whole number of at least 1", given(key) >= 1) for key in ("n_trials", "n_jobs")),
        ("max_failure_rate", "a number from 0 to 1", 0 <= given("max_failure_rate") <= 1),
        ("direction", "minimize, maximize or null, for what comparison.metric needs", given("direction") in DIRECTIONS),
        ("params", f"{mapping}, such as {{training.l2: 'interval(0,1)'}}", isinstance(given("params"), Mapping | None)),
        ("search_space", f"null: write hydra.sweeper.params, {mapping}", given("search_space") is None),
        ("storage", f"null: {recorded}", given("storage") is None),
    ):
        if not is_so:
            raise SearchError(f"hydra.sweeper.{key}: {shown(given(key))} is not {allowed}.")


def probes(overrides: Sequence[Override]) -> list[list[str]]:
    """Return jobs at the ends of what a search may propose, as overrides: each value is in one of them at least.

    Raises SearchError for a value that a search can make nothing of.
    """
    values = [_ends(override) for override in overrides]
    most = max((len(of_one) for of_one in values), default=0)
    return [[of_one[min(number, len(of_one) - 1)] for of_one in values] for number in range(most)]


def _ends(override: Override) -> list[str]:
    if not override.is_sweep_override():
        return [str(override.input_line)]
    value, key = override.value(), override.get_key_element()
    if isinstance(value, IntervalSweep):
        low, high = value.start, value.end
        assert low is not None
        assert high is not None
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise SearchError(
                f"{override.input_line}: there is no value in this interval. "
                "Write interval(A,B) with finite numbers, A below B."
            )
        if "log" in value.tags and low <= 0:
            raise SearchError(
                f"{override.input_line}: a search by orders of magnitude begins above 0. "
                "Write a small number for 0, or leave out tag(log,...)."
            )
        return [f"{key}={low}", f"{key}={high}"]
    if isinstance(value, RangeSweep) and not value.shuffle:
        return [f"{key}={value.start}"]
    if isinstance(value, Glob):
        raise SearchError(
            f"{override.input_line}: a search proposes values of interval(A,B), range(A,B) or choice(A,B,...), "
            "none of glob(...)."
        )
    return [f"{key}={text}" for text in override.sweep_string_iterator()]


def direction_of(metric: str) -> str:
    """Return optuna's word for what is better."""
    return "maximize" if higher_is_better(metric) else "minimize"


@dataclass(eq=False)
class Search:
    """A command whose jobs are proposed batch by batch; it begins with the first, and ends with what is `opened`."""

    digest: str
    opened: ExitStack
    command: Command | None = None

    def run(self, jobs: Jobs) -> tuple[str | None, list[float | None]]:
        """Run a batch; return the search's run and the scores of `Command.run`.

        Of a diverged network, whose NaN no search can use, it is the worst score there is. Raises SearchOver after a
        failure that stops the search.
        """
        settings = jobs.distinct[0].checked
        if self.command is None:
            self.command = self.opened.enter_context(Command(settings, search=self.digest))
        scores = self.command.run(jobs)
        if self.command.stopped:
            raise SearchOver
        worst = -math.inf if higher_is_better(settings.comparison.metric) else math.inf
        return self.command.run_id, [worst if score is not None and math.isnan(score) else score for score in scores]


@contextmanager
def search(settings: Any, arguments: Sequence[str]) -> Iterator[Search]:
    """Open the record of a search; end it truthfully when the block ends.

    `settings` are the sweeper's, plain data, and `arguments` as typed. The same of both, with the same numerical code,
    are the same search, in whatever language.
    """
    asked = [argument for argument in arguments if argument.partition("=")[0].lstrip("+") != "lang"]
    with ExitStack() as opened:
        found = Search(search_digest(settings, asked), opened)
        try:
            yield found
        except SearchOver:
            pass
        except ValueError:  # optuna says so of a search whose trials have all failed, which is told anyway
            if found.command is None or any(job.status == "FINISHED" for job in found.command.so_far.ended):
                raise
