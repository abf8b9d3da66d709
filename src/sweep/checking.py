"""Checking the configurations of a sweep: quick, as nothing is imported that only training needs."""

import importlib.util
import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from src import config
from src.config import ConfigError, JobConfig
from src.config.schema import SweepConfig
from src.errors import UserError
from src.kernels import require
from src.sweep.compose import Composed
from src.words import counted, not_installed

WORKERS_PER_CORE = 8  # more only wait for each other


def check_all(composed: Sequence[Composed]) -> list[JobConfig]:
    """Return the valid, typed form of every configuration.

    Raises ConfigError with every problem of every configuration, each told once; for a sweep over how it is itself run
    or recorded; for more fits than `sweep.max_fits`.
    """
    checked = gather([partial(config.check, each.config) for each in composed])
    for section in ("comparison", "tracking", "sweep"):
        values = [getattr(job, section) for job in checked]
        if any(value != values[0] for value in values):
            raise ConfigError(f"{section}: its keys hold for the whole command, so a sweep cannot vary them.")
    fits, most = sum(map(fits_of, checked)), checked[0].sweep.max_fits
    if fits > most:
        raise ConfigError(
            f"cv.folds, cv.repeats: {counted(len(checked), 'job')} with these folds are {counted(fits, 'fit')}, more "
            f"than {most:,} (sweep.max_fits). Use fewer, or raise sweep.max_fits."
        )
    return checked


def fits_of(job: JobConfig) -> int:
    """How many fits a job asks for, as far as the configuration says it: given folds are in the data."""
    outer = 1 if job.has_given_folds else job.cv.folds * job.cv.repeats
    return outer * (1 + (job.cv.inner_folds or 0))


def check_workers(sweep: SweepConfig) -> None:
    """Refuse more workers than `sweep.max_workers`, and those that cannot be had.

    Raises ConfigError, also for Dask where it is absent; KernelsError for kernels that are not loaded; BackendError for
    options that the kind of cluster does not have, or if what starts workers there is not installed.
    """
    if sweep.backend == "dask" and importlib.util.find_spec("distributed") is None:
        raise ConfigError(f"sweep.backend: {not_installed('dask')}, or choose another (threads, processes).")
    cores = os.cpu_count() or 1
    most = sweep.max_workers or WORKERS_PER_CORE * cores
    elsewhere = sweep.dask.scheduler or sweep.dask.cluster
    if sweep.n_jobs > most and elsewhere is None:
        limit = "sweep.max_workers" if sweep.max_workers else f"{WORKERS_PER_CORE} for each of {counted(cores, 'core')}"
        raise ConfigError(
            f"sweep.n_jobs: {counted(sweep.n_jobs, 'worker')} are more than {most:,} ({limit}). "
            "Use fewer, or -1 for one on each core, or raise sweep.max_workers."
        )
    require(sweep.blas)
    if sweep.backend == "dask" and sweep.dask.cluster is not None:
        from src.sweep.starting import cluster_class  # Dask takes a second to import

        cluster_class(sweep.dask.cluster, sweep)


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
