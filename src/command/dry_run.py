"""A dry run: what a command would do, told without doing it."""

from src.sweep.jobs import Jobs
from src.sweep.plan import make_plan
from src.tracking.opening import existing_store
from src.tracking.reading import experiment_ids, finished_runs


def show_plan(jobs: Jobs, *, alone: bool) -> None:
    """Print what would be trained; not even a store is created. A single job (`alone`) is always trained."""
    settings = jobs.distinct[0].checked
    store = existing_store(settings.tracking.uri) if settings.sweep.reuse and not alone else None
    identity = None if store is None else experiment_ids(store).get(settings.tracking.experiment)
    finished = {}
    if store is not None and identity is not None:
        finished = finished_runs(store, identity, {job.digest for job in jobs.distinct})
    print("\n".join(make_plan(jobs, finished, settings.sweep).details()))
