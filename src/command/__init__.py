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

    Returns its run, None for a dry run, and its ``comparison.metric``, NaN for a dry run. Raises UserError for a
    problem the user can mend; nothing was trained then, unless the job itself failed.
    """
    from src.sweep.compose import Composed, plain

    run_id, (score,) = _run([Composed(tuple(overrides), plain(config))], overrides, alone=True)
    return run_id, float("nan") if score is None else score


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

    Returns the sweep's run, None for a dry run, and each combination's ``comparison.metric``, None where its job failed
    or was not run. Raises UserError for a problem the user can mend, before anything is trained; JobsFailedError at the
    end, if jobs failed; SearchOver if there is nothing more to search for.
    """
    from src.sweep.compose import compose_jobs

    return _run(compose_jobs(loader, config, job_overrides), config.hydra.overrides.task, search=search)


def _run(
    composed: "Sequence[Composed]", typed: Sequence[str], *, alone: bool = False, search: "Search | None" = None
) -> tuple[str | None, list[float | None]]:
    from src.sweep.checking import check_all, check_workers

    check_workers(check_all(composed)[0].sweep)  # before imports that take seconds: a misspelt value is told at once

    from src.command.checking import check_command, drop_foreign_question
    from src.language import choose
    from src.sweep.jobs import make_jobs

    drop_foreign_question(composed, typed)
    jobs = make_jobs(composed)
    settings = jobs.distinct[0].checked
    choose(settings.lang)
    check_command(jobs.distinct, searched=search is not None)
    if settings.sweep.dry_run:
        _show_plan(jobs, alone=alone)
        if search is not None:
            from src.command.search import SearchOver

            raise SearchOver
        return None, [None] * len(jobs.of_combination)
    if search is not None:
        return search.run(jobs)

    from src.command.driver import Command

    with Command(settings, alone=alone) as command:
        scores = command.run(jobs)
    return command.run_id, scores


def _show_plan(jobs: "Jobs", *, alone: bool) -> None:
    """Print what would be trained; not even a store is created. A single job (`alone`) is always trained."""
    from src.sweep.plan import make_plan
    from src.tracking.opening import existing_store
    from src.tracking.reading import experiment_ids, finished_runs

    settings = jobs.distinct[0].checked
    store = existing_store(settings.tracking.uri) if settings.sweep.reuse and not alone else None
    identity = None if store is None else experiment_ids(store).get(settings.tracking.experiment)
    finished = {}
    if store is not None and identity is not None:
        finished = finished_runs(store, identity, {job.digest for job in jobs.distinct})
    print("\n".join(make_plan(jobs, finished, settings.sweep).details()))
