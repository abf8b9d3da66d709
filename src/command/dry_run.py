"""A dry run: what a command would do, told without doing it."""

from src.sweep.jobs import Jobs
from src.sweep.plan import make_plan
from src.tracking.reading import experiment_ids, finished_runs
from src.tracking.store import existing_store


def show_plan(jobs: Jobs, *, alone: bool) -> None:
    """Print what would be trained; not even a store is created. A single job (`alone`) is always trained."""
    recorded = [] if alone else _recorded(jobs)
    print("\n".join(make_plan(jobs, recorded, jobs.distinct[0].checked.sweep).details()))


def _recorded(jobs: Jobs) -> list[int]:
    """The positions of the jobs that need not be trained."""
    checked = jobs.distinct[0].checked
    store = existing_store(checked.tracking.uri) if checked.sweep.reuse else None
    if store is None:
        return []
    identity = experiment_ids(store).get(checked.tracking.experiment)
    digests = {job.digest for job in jobs.distinct}
    finished = {} if identity is None else finished_runs(store, identity, digests)
    return [number for number, job in enumerate(jobs.distinct) if job.digest in finished]
