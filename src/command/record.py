"""What a command's record holds: each job as it ends, at last the comparison of all and the true status of its run."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from src.command.so_far import JobsSoFar
from src.comparison import naming
from src.comparison.held_out import HeldOut
from src.comparison.jobs import RecordedJob
from src.comparison.outcome import Outcome
from src.comparison.record import RecordedSweep, described
from src.config.identity import code_version
from src.errors import UserError
from src.evaluation.results import Failure, JobResult
from src.report.comparison import build_report, described_data, one_of, published_cells
from src.report.drawing import Drawer, begin_pictures
from src.report.held_out import held_out_line
from src.report.page import ComparisonReport, files
from src.report.tables import best_line, leaderboard_csv
from src.report.words import markdown, short_name
from src.sweep.stacks import EndedJob
from src.tracking import artifacts, view
from src.tracking.reading import StoredRecord, single_runs
from src.tracking.recorder import Recorder
from src.tracking.records import ANSWER, BEST_RUN, BLAS, HELD_OUT, SHAPING, NewRun, Status
from src.tracking.runs import NoSweep, Sweep, finish_sweep, job_run
from src.tracking.store import Store

HEADLINE = ("test/accuracy", "test/balanced_accuracy", "test/log_loss", "test/macro_f1", "test/roc_auc", "std/accuracy")


class RecordError(UserError):
    """What could not be recorded or kept of jobs that ran; all else is."""

    exit_status = 1


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
        data=naming.data_name(job.checked.data),
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


def sweep_report(recorder: Recorder, so_far: JobsSoFar, outcome: Outcome) -> ComparisonReport:
    """The comparison of the sweep's jobs, without figures."""
    run, complete = recorder.sweep.run, recorder.complete
    sweep = RecordedSweep(
        run_id=run.run_id,
        name=run.name,
        status=run.status if complete else _status(so_far.ended, None),
        tags=run.tags,
        seconds=run.seconds if complete else time.time() - run.started / 1000,
        jobs=so_far.ended,
        reused=frozenset(recorder.borrowed),
        missing=so_far.missing,
        options=so_far.settings.comparison,
        searched=so_far.search is not None,
        held_out=recorder.held_out,
    )
    return build_report(recorder.record, [sweep], outcome, drawn=False)


def begin_page(
    record: StoredRecord, drawer: Drawer, report: ComparisonReport
) -> Callable[[tuple[HeldOut, ...]], ComparisonReport]:
    """Begin to draw the page's figures; the function that is returned waits for the page.

    It is to be called when the models are kept, whose scores and decisions stand on the page too.
    """
    outcome = report.outcome
    drawn = begin_pictures(drawer, record, outcome, one_of(described_data(record, outcome.jobs)))
    return lambda held_out: replace(
        report,
        published=published_cells(record, outcome),
        held_out=held_out,
        pictures=drawn(),
        figure_note=drawer.note(),
    )


def end_sweep(
    recorder: Recorder,
    jobs: Sequence[RecordedJob],
    outcome: Outcome,
    *,
    error: BaseException | None = None,
    report: ComparisonReport | None = None,
) -> None:
    """End the sweep's parent run truthfully, with all that it came to; there may be no report after an `error`.

    KILLED if it was interrupted, FAILED if a job failed or `error` ended it, else FINISHED.
    """
    recorder.check_held()
    store, sweep, best, held_out = recorder.store, recorder.sweep, outcome.best, recorder.held_out
    columns, told = _headline(outcome), [best_line(outcome)]
    metrics: dict[str, float] = {}
    tags: dict[str, str] = {}
    if best is not None:
        spread = {"std/accuracy": best.spread("test/accuracy")}
        metrics |= {name: spread[name] if name in spread else best.score(name) for name in columns}
        tags[BEST_RUN] = best.first.run_id
    if report is None:
        made = {"leaderboard.csv": leaderboard_csv(outcome).encode()}
    else:
        made, tags[ANSWER] = files(report), report.answer
        told = [report.answer, *map(held_out_line, held_out), *report.caveats, *told]
    if held_out:
        columns.append(f"held_out/{short_name(outcome.metric)}")
        scores = held_out[0].models[0].scores if best is not None else {}
        metrics |= {f"held_out/{name}": value for name, value in scores.items()}
        tags[HELD_OUT] = " ".join(each.digest for each in held_out)
        made[artifacts.HELD_OUT] = artifacts.held_out(held_out)
    view.prepare_view(store, sweep.experiment_id, sweep.run_id, naming.varying([job.flat for job in jobs]), columns)
    finish_sweep(
        store,
        sweep,
        _status(jobs, error),
        metrics=metrics,
        tags=tags,
        note="\n\n".join(map(markdown, told)),
        files=made,
        failure=Failure.of(error) if isinstance(error, Exception) else None,
    )


def show_single_runs(store: Store, experiment_id: str, outcome: Outcome) -> None:
    """Prepare the view of the experiment's single runs, this command's among them."""
    runs = single_runs(store, [experiment_id])
    deciding = [{key: text for key, text in run.params.items() if key.startswith(SHAPING)} for run in runs]
    view.prepare_view(store, experiment_id, None, naming.varying(deciding), _headline(outcome))


def _headline(outcome: Outcome) -> list[str]:
    return list(dict.fromkeys([outcome.metric, *HEADLINE]))


def _status(jobs: Sequence[RecordedJob], error: BaseException | None) -> Status:
    if isinstance(error, KeyboardInterrupt):
        return "KILLED"
    return "FAILED" if error is not None or any(job.status == "FAILED" for job in jobs) else "FINISHED"
