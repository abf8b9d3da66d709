"""A job that has ended, as its record will hold it."""

from functools import cache

from src.comparison.cautions import row_facts
from src.comparison.jobs import RecordedJob
from src.comparison.naming import data_name
from src.comparison.record import RecordedDataset
from src.config.identity import code_version
from src.data import Dataset
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
        dataset=_recorded_dataset(job.dataset),
        class_names=job.dataset.class_names,
        overrides=job.overrides,
        tags={BLAS: ended.blas},
    )
    return recorded, run


@cache
def _recorded_dataset(data: Dataset) -> RecordedDataset:
    """Return what the record holds of a job's data."""
    kinds = {name: "double" for name in data.numeric_names} | {name: "string" for name in data.categorical_names}
    return RecordedDataset(
        name=data.name,
        source=data.source,
        rows=len(data.target),
        classes=len(data.class_names),
        columns={name: kinds[name] for name in data.feature_names},
        facts=row_facts(data),
    )
