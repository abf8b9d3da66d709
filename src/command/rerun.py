"""Running a recorded job again, from MLflow alone, and comparing every metric to the last bit."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from src.config import recorded
from src.config.identity import foreign_names, modules_of
from src.data.frames import FOLDER
from src.errors import UserError
from src.evaluation.results import Failure, FloatArray, JobResult
from src.kernels import VARIABLE, require
from src.language import say
from src.sweep.compose import Composed
from src.sweep.jobs import Job, Jobs, make_jobs
from src.sweep.plan import make_plan, train
from src.tracking import provenance
from src.tracking.opening import open_store
from src.tracking.reading import fold_scores, get_run, recorded_config, recorded_overrides
from src.tracking.records import BLAS, DATA_DIGEST, FOLDS_DIGEST, JOB_DIGEST, MODULES, RunRow, metric_points

# Wall-clock time is never the same twice; the scores of the model kept belong to that model.
NOT_COMPARED = ("time/", "fitted/", "held_out/")


class RerunError(UserError):
    """A run that cannot be run again."""


@dataclass(frozen=True)
class Rerun:
    """What running a recorded job again gave.

    Attributes
    ----------
    equal : the metrics with the recorded bits.
    different : recorded and new value of each metric that differs; None where one side does not have it.
    changed : what is no longer as recorded: its name with the recorded and the present value.
    """

    equal: tuple[str, ...]
    different: Mapping[str, tuple[float | None, float | None]]
    changed: Mapping[str, tuple[str, str]]


def rerun(run_id: str, uri: str | None = None, allow: Collection[str] = ()) -> Rerun:
    """Rebuild a recorded job from MLflow, train it, and compare.

    `allow` names the modules beside scikit-learn whose code may be run; what the record says of that does not count.

    Raises UserError if there is no such run, it is not a finished job's, its data are gone, its model is of a module
    that is not allowed, or training fails.
    """
    store = open_store(uri)
    run = get_run(store, run_id)
    if JOB_DIGEST not in run.tags:
        raise RerunError(f"the run {run_id} is not a job's; give the id of one of its child runs.")
    if run.status != "FINISHED":
        raise RerunError(f"the run {run_id} is {run.status}: it has no result to compare with.")
    asked = recorded(recorded_config(store, run))
    if foreign := [name for name in foreign_names(asked) if name not in allow]:
        raise RerunError(
            f"the run {run_id} fitted a class of the module {foreign[0]}, whose code would be run. If you trust it: "
            f"--allow {foreign[0]}."
        )
    config = asked.model_dump(mode="json")
    config["sweep"] |= {"backend": "threads", "n_jobs": 1, "dask": {}}
    config["data"]["test"] = None  # of the model that was kept
    frame = FOLDER / Path(asked.data.path or "").name
    if asked.data.path and frame.is_file() and not Path(asked.data.path).exists():  # the checkout was moved
        config["data"]["path"] = str(frame)
    config["model"] = {**config["model"], "allow": list(allow)}
    jobs = make_jobs([Composed(tuple(recorded_overrides(store, run)), config)])
    (job,) = jobs.distinct
    require(job.checked.sweep.blas)
    result = _trained(jobs)
    before = {**run.metrics, **_by_fold(fold_scores(store, run))}
    points = metric_points(result.metrics(), result, job.checked.tracking.curve_points)
    # What MLflow gives as a run's metrics.
    last = {name: value for name, value, _ in sorted(points, key=lambda point: point[2])}
    return _compared(before, {**last, **_by_fold(result.columns())}, run, job)


def _trained(jobs: Jobs) -> JobResult:
    sweep = jobs.distinct[0].checked.sweep
    (outcome,) = (each.outcome for step in train(make_plan(jobs, (), sweep), sweep) for each in step.ended)
    if isinstance(outcome, Failure):
        raise RerunError(f"training failed: {outcome.type}: {outcome.message}")
    return outcome


def _by_fold(folds: Mapping[str, FloatArray]) -> dict[str, float]:
    """Name each fold's scores on both parts, as `test/accuracy of fold 0.3` (repeat and fold)."""
    places = [f"{int(repeat)}.{int(fold)}" for repeat, fold in zip(folds["repeat"], folds["fold"], strict=True)]
    return {
        f"{name} of fold {place}": float(value)
        for name, values in folds.items()
        if name.startswith(("test/", "train/"))
        for place, value in zip(places, values, strict=True)
    }


def _compared(recorded: Mapping[str, float], present: Mapping[str, float], run: RunRow, job: Job) -> Rerun:
    names = [name for name in dict.fromkeys([*recorded, *present]) if not name.startswith(NOT_COMPARED)]
    pairs = {name: (recorded.get(name), present.get(name)) for name in names}
    equal = [name for name, (old, new) in pairs.items() if old == new or (old != old and new != new)]
    tags = {**provenance.tags(), DATA_DIGEST: job.dataset.digest, FOLDS_DIGEST: job.folds_digest}
    if modules := modules_of(job.checked):
        tags[MODULES] = ", ".join(module.code for module in modules)
    then, now, absent = _origins(run.tags), _origins(tags), say("not installed")
    origins = {what: (then.get(what, absent), now.get(what, absent)) for what in {**then, **now}}
    return Rerun(
        tuple(equal),
        {name: pairs[name] for name in names if name not in set(equal)},
        {what: (old, new) for what, (old, new) in origins.items() if old != new},
    )


def _origins(tags: Mapping[str, str]) -> dict[str, str]:
    """What a run's tags say of where its numbers come from, and in what words to tell that it has changed."""
    told = {
        DATA_DIGEST: say("the data"),
        FOLDS_DIGEST: say("the folds"),
        "code_version": say("the numerical code or its libraries"),
        "mlflow.source.git.commit": say("the commit"),
        BLAS: _kernels(),
        "platform": say("the machine"),
        "python": "Python",
    }
    return {
        **{words: tags.get(tag, say("unknown")) for tag, words in told.items()},
        **provenance.parse_versions(tags.get("versions", "")),
        say("the model's modules"): tags.get(MODULES, say("unknown")),
    }


def report(outcome: Rerun) -> list[str]:
    """Say the outcome in lines: how many metrics are equal, which differ and by how much, what has changed."""
    equal, count = len(outcome.equal), len(outcome.equal) + len(outcome.different)
    lines = [
        say("{equal} of {count} metrics equal to the last bit", equal=equal, count=count),
        *(
            say("differs: {name}: recorded {old}, now {new}", name=name, old=repr(old), new=repr(new))
            for name, (old, new) in outcome.different.items()
        ),
        *(
            say("changed: {what}: recorded {old}, now {new}", what=what, old=old, new=new)
            for what, (old, new) in outcome.changed.items()
        ),
    ]
    if outcome.different and _kernels() in outcome.changed:
        lines.append(
            say(
                "Other kernels give other last bits; {variable}=NAME before the command asks for the recorded ones.",
                variable=VARIABLE,
            )
        )
    return lines


def _kernels() -> str:
    return say("the linear algebra and its kernels")
