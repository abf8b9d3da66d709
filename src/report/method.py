"""How a comparison was done, as terms and their descriptions, and the commands that do it again."""

import shlex
from collections.abc import Mapping, Sequence

from src.comparison.jobs import DATA, ESTIMATOR, MODEL, SEED
from src.comparison.naming import distinct, grouped, model_label, value_text, varying
from src.comparison.outcome import Outcome
from src.comparison.record import RecordedDataset, RecordedSweep
from src.escaping import masked
from src.evaluation.metrics import LOG_LOSS_CLIP
from src.language import listed, say, say_number, sentences, translated
from src.report.tables import folds_text
from src.report.words import plain, short_name

_MOST_VALUES = 24
_MOST_FEATURES = 12
_MOST_DIGESTS = 6
_COMMIT = "mlflow.source.git.commit"
RUN_BY = "Run by"


def question(outcome: Outcome) -> str:
    """What the sweeps ask: the question they were given, else one made of what varies."""
    if outcome.options.question is not None:
        return masked(translated(outcome.options.question))
    flats = [setting.flat for setting in outcome.settings]
    models = list(dict.fromkeys(map(model_label, flats)))
    data = listed(list(outcome.boards))
    if len(models) > 1:
        *others, last = models
        named = {"models": say(", ").join(others), "last": last}
        return say("Which model predicts best on {data}: {models} or {last}?", data=data, **named)
    keys = [key.rpartition(".")[2] for key in varying(flats) if key not in (DATA, SEED)]
    if keys:
        return say("Which {keys} suits {model} best on {data}?", keys=listed(keys), model=models[0], data=data)
    return say("How well does {model} predict on {data}?", model=models[0], data=data)


def method(
    sweeps: Sequence[RecordedSweep], outcome: Outcome, datasets: Mapping[str, RecordedDataset]
) -> dict[str, str]:
    """The facts of a comparison: data, folds, selection, grid, what was fixed, who ran it, versions, commit, runs.

    Each is known by its English name, for which `term` has the word.
    """
    facts: dict[str, str] = {}
    for label, data in datasets.items():
        digest = outcome.boards[label][0].first.data_digest
        facts["Data" if len(datasets) == 1 else f"Data: {label}"] = _data(label, digest, data)
    facts["Folds"] = _folds(outcome)
    facts["Selection"] = _selection(outcome)
    if outcome.metric == "test/log_loss":
        facts["Log loss"] = say(
            "of probabilities no smaller than {least}, for every model and precision", least=f"{LOG_LOSS_CLIP:.3g}"
        )
    facts["Jobs"] = _counts(sweeps)
    facts["Varied"] = _grid(outcome)
    facts["Fixed"] = _fixed(outcome)
    facts |= _provenance(sweeps)
    return {term: text for term, text in facts.items() if text}


def term(name: str) -> str:
    """The word for a fact's name: `Folds`, `Data`, `Data: iris`."""
    fact, colon, label = name.partition(": ")
    words = {
        "Data": say("Data"),
        "Folds": say("Folds"),
        "Selection": say("Selection"),
        "Log loss": say("Log loss"),
        "Jobs": say("Jobs"),
        "Varied": say("Varied"),
        "Fixed": say("Fixed"),
        RUN_BY: say("Run by"),
        "Versions": say("Versions"),
        "Machine": say("Machine"),
        "Commit": say("Commit"),
        "MLflow": "MLflow",
    }
    return words.get(fact, fact) + colon + label


def commands(sweeps: Sequence[RecordedSweep], metric: str) -> tuple[str, ...]:
    """What to type to do it again, and to make the comparison again from the record."""
    lines = []
    for sweep in sweeps:
        commit, dirty = sweep.tags.get(_COMMIT), sweep.tags.get("git_dirty")
        if commit:
            changes = say("and the changes to the files in changed_files.txt")
            lines.append(f"git checkout {commit}" + f"  # {changes}" * (dirty == "true"))
        if "command" in sweep.tags:
            lines.append(sweep.tags["command"])
    named = " ".join(f"--sweep {sweep.run_id}" for sweep in sweeps)
    again = f"python -m src.compare {named} --metric {shlex.quote(short_name(metric))}"
    return (*dict.fromkeys(lines), again)


def _data(label: str, digest: str, data: RecordedDataset) -> str:
    names = [plain(name, 40) for name in data.columns]
    columns = f" ({', '.join(names)})" if len(names) <= _MOST_FEATURES else ""
    features = say_number("{number} feature", "{number} features", len(names)) + columns
    counts = {"label": label, "rows": data.rows, "features": features, "classes": data.classes}
    return say(
        "{label}: {rows} rows, {features}, {classes} classes; {source}; SHA-256 {digest}",
        **{**counts, "source": data.source, "digest": digest[:16]},
    )


def _folds(outcome: Outcome) -> str:
    kinds: list[tuple[str, str]] = []
    for setting in outcome.settings:
        kind = say_number(
            "{folds}, seed {seeds}",
            "{folds}, seeds {seeds}",
            len(setting.seeds),
            folds=folds_text([setting], stratified=True),
            seeds=", ".join(map(str, setting.seeds)),
        )
        kinds += [(kind, job.folds_digest[:16]) for job in setting.jobs]
    shown = [
        say("{folds}, SHA-256 {digests}", folds=kind, digests=listed(digests, most=_MOST_DIGESTS))
        for kind, digests in grouped(dict.fromkeys(kinds)).items()
    ]
    told = [say("{clauses}.", clauses=listed(shown, most=_MOST_DIGESTS))]
    if any(family.comparisons for family in outcome.families):
        told.append(say("Models that are compared were trained and tested on the same rows."))
    return sentences(told)


def _selection(outcome: Outcome) -> str:
    told = {
        "nested": say("settings selected by the folds inside each outer training part (nested cross-validation)"),
        "other folds": say("the setting of each fold selected by the other folds of the same repeat and seed"),
        "search": say("settings proposed by a search that was told the scores of all folds"),
    }
    kinds = {candidate.selection for candidate in outcome.candidates}
    return say("; ").join(text for kind, text in told.items() if kind in kinds)


def _counts(sweeps: Sequence[RecordedSweep]) -> str:
    told = []
    for name, group in grouped((each.name, each) for each in sweeps).items():  # single runs share one
        reused = sum(len(each.reused) for each in group)
        counts = {"jobs": sum(len(each.jobs) for each in group), "reused": reused, "sweep": plain(name)}
        told.append(
            say("{jobs} ({reused} reused from earlier sweeps) of {sweep}", **counts)
            if reused
            else say("{jobs} of {sweep}", **counts)
        )
    return say("; ").join(told)


def _grid(outcome: Outcome) -> str:
    flats = [job.flat for job in outcome.jobs]
    parts = []
    for key in varying(flats):
        values = [value_text(value) for value in distinct(flats, key)]
        shown = ", ".join(plain(value, 60) for value in values[:_MOST_VALUES])
        if len(values) > _MOST_VALUES:
            shown = say("{values}, ... ({count} values)", values=shown, count=len(values))
        parts.append(f"{key} = {shown}")
    return "; ".join(parts)


def _fixed(outcome: Outcome) -> str:
    """What all jobs that use a key have in common, but for the model and the data, which stand elsewhere."""
    flats = [setting.flat for setting in outcome.settings]
    keys = [key for key in dict.fromkeys(key for flat in flats for key in flat) if not key.startswith("cv.")]
    values = {key: distinct(flats, key) for key in keys if key not in (DATA, MODEL, ESTIMATOR)}
    return ", ".join(f"{key} = {plain(value_text(each[0]), 60)}" for key, each in values.items() if len(each) == 1)


def _provenance(sweeps: Sequence[RecordedSweep]) -> dict[str, str]:
    def each(tag: str) -> str:
        return "; ".join(dict.fromkeys(sweep.tags[tag] for sweep in sweeps if tag in sweep.tags))

    commits = [
        say(
            "{commit} with changes (to the files in changed_files.txt, an artifact of the run)",
            commit=sweep.tags[_COMMIT],
        )
        if sweep.tags.get("git_dirty") == "true"
        else sweep.tags[_COMMIT]
        for sweep in sweeps
        if _COMMIT in sweep.tags
    ]
    whose = {sweep.run_id: _whose(sweep.tags) for sweep in sweeps}
    several = len(set(whose.values())) > 1
    by = [
        say("{whose}: {sweep}", whose=whose[sweep.run_id], sweep=plain(sweep.name)) if several else whose[sweep.run_id]
        for sweep in sweeps
    ]
    return {
        RUN_BY: say("; ").join(dict.fromkeys(by)) if all(whose.values()) else "",
        "Versions": "; ".join(filter(None, [f"Python {each('python')}" if each("python") else "", each("versions")])),
        "Machine": "; ".join(filter(None, [each("platform"), each("blas")])),
        "Commit": "; ".join(dict.fromkeys(commits)),
        "MLflow": "; ".join(say("run {run} ({name})", run=sweep.run_id, name=plain(sweep.name)) for sweep in sweeps),
    }


def _whose(tags: Mapping[str, str]) -> str:
    """Who ran a sweep and where; empty where an older version recorded it."""
    if not {"mlflow.user", "host"} <= tags.keys():
        return ""
    whose = {"user": plain(tags["mlflow.user"]), "host": plain(tags["host"])}
    if "slurm_job_id" in tags:
        return say("{user} on {host} (Slurm job {job})", job=plain(tags["slurm_job_id"]), **whose)
    return say("{user} on {host}", **whose)
