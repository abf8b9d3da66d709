"""What one command does, in the order it happens: check, plan, train, record, show; interruptions.

The only room that joins the sweep, the record and the report. Imports are inside the functions: `src.run` is to start
quickly.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hydra.core.config_loader import ConfigLoader
    from omegaconf import DictConfig

    from src.command.search import Search
    from src.sweep.compose import Composed
    from src.sweep.jobs import Jobs


def run_single(config: "DictConfig", overrides: Sequence[str]) -> tuple[str | None, float]:
    """Run one job, given its composed configuration and its overrides as typed.

    Returns
    -------
    tuple : its run, None for a dry run, and its ``comparison.metric``, NaN for a dry run.

    Raises
    ------
    UserError : for a problem the user can mend; nothing was trained then, unless the job itself failed.
    """
    from src.sweep.compose import Composed, plain

    jobs = _checked([Composed(tuple(overrides), plain(config))], overrides)
    if jobs.distinct[0].checked.sweep.dry_run:
        from src.command.dry_run import show_plan

        show_plan(jobs, alone=True)
        return None, float("nan")

    from src.command.driver import Command

    with Command(jobs.distinct[0].checked, alone=True) as command:
        (score,) = command.run(jobs)
    return command.run_id, float("nan") if score is None else score


def run_sweep(
    loader: "ConfigLoader",
    config: "DictConfig",
    job_overrides: Sequence[Sequence[str]],
    search: "Search | None" = None,
) -> tuple[str | None, list[float | None]]:
    """Run the jobs of a sweep, or a batch of a search's; see `src.command.driver.Command`.

    Parameters
    ----------
    loader, config : Hydra's, to compose the jobs with.
    job_overrides : what distinguishes each combination.
    search : what the jobs are a batch of; None for a sweep, all of whose jobs these are.

    Returns
    -------
    tuple : the sweep's run, None for a dry run, and each combination's ``comparison.metric``, None where its job failed
        or was not run.

    Raises
    ------
    UserError : for a problem the user can mend, before anything is trained; JobsFailedError at the end, if jobs failed.
    """
    from src.sweep.compose import compose_jobs

    composed = compose_jobs(loader, config, job_overrides)
    jobs = _checked(composed, config.hydra.overrides.task, searched=search is not None)
    settings = jobs.distinct[0].checked
    if settings.sweep.dry_run:
        from src.command.driver import SearchOver
        from src.command.dry_run import show_plan

        show_plan(jobs, alone=False)
        if search is not None:
            raise SearchOver
        return None, [None] * len(jobs.of_combination)

    if search is not None:
        return search.run(jobs)

    from src.command.driver import Command

    with Command(settings) as command:
        scores = command.run(jobs)
    return command.run_id, scores


def _checked(composed: "Sequence[Composed]", typed: Sequence[str], *, searched: bool = False) -> "Jobs":
    from src.sweep.checking import check_all

    sweep = check_all(composed)[0].sweep  # before the imports that take seconds: a misspelt value is told at once

    from src.command.checking import check_command, check_workers, drop_foreign_question
    from src.language import choose
    from src.sweep.jobs import make_jobs

    check_workers(sweep)
    drop_foreign_question(composed, typed)
    jobs = make_jobs(composed)
    choose(jobs.distinct[0].checked.lang)
    check_command(jobs.distinct, searched=searched)
    return jobs
