"""A job that has ended, as its record will hold it."""

from src.comparison.jobs import RecordedJob
from src.comparison.naming import data_name
from src.comparison.record import described
from src.config.identity import code_version
from src.evaluation.results import Failure, JobResult
from src.sweep.stacks import EndedJob
from src.tracking.records import BLAS, NewRun
from src.tracking.runs import NoSweep, Sweep, job_run


def record_of(ended: EndedJob, name: str, place: Sweep | NoSweep) -> tuple[RecordedJob, NewRun]:
    """Return what is read back of a job once it is recorded, but for the run's id, and the run that is to hold it."""
    job, outcome = ended.job, ended.outcome
    result = outcome if isinstance(outcome, JobResult) else None
    recorded = RecordedJob(
        run_id="",
        name=name,
        status="FAILED" if result is None else "FINISHED",
        config=job.checked,
        digest=job.digest,
        data=data_name(job.checked.data),
        data_digest=job.dataset.digest,
        folds_digest=job.folds_digest,
        code_version=code_version(),
        metrics={} if result is None else result.metrics(),
        folds={} if result is None else result.columns(),
        error=outcome.message if isinstance(outcome, Failure) else None,
        warnings={} if result is None else result.warnings(),
    )
    run = job_run(
        place,
        recorded,
        outcome,
        started=ended.started,
        ended=ended.ended,
        dataset=described(job.dataset),
        class_names=job.dataset.class_names,
        overrides=job.overrides,
        tags={BLAS: ended.blas},
    )
    return recorded, run
