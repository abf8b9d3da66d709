"""How a comparison was done, as terms and their descriptions, and the commands that do it again."""

import shlex
from collections.abc import Mapping, Sequence

from src.comparison.jobs import DATA, ESTIMATOR, MODEL, SEED
from src.comparison.naming import distinct, grouped, model_label, value_text, varying
from src.comparison.outcome import Outcome
from src.comparison.record import RecordedDataset, RecordedSweep
from src.escaping import masked
from src.evaluation.metrics import LOG_LOSS_CLIP
from src.report.tables import folds_text
from src.report.words import plain, short_name
from src.words import counted, listed, plural

_MOST_VALUES = 24
_MOST_FEATURES = 12
_MOST_DIGESTS = 6
_COMMIT = "mlflow.source.git.commit"
RUN_BY = "Run by"


def question(outcome: Outcome) -> str:
    """What the sweeps ask: the question they were given, else one made of what varies."""
    if outcome.options.question is not None:
        return masked(outcome.options.question)
    flats = [setting.flat for setting in outcome.settings]
    models = list(dict.fromkeys(map(model_label, flats)))
    data = listed(list(outcome.boards))
    if len(models) > 1:
        return f"Which model predicts best on {data}: {listed(models, 'or')}?"
    keys = [key.rpartition(".")[2] for key in varying(flats) if key not in (DATA, SEED)]
    if keys:
        return f"Which {listed(keys)} suits {models[0]} best on {data}?"
    return f"How well does {models[0]} predict on {data}?"


def method(
    sweeps: Sequence[RecordedSweep], outcome: Outcome, datasets: Mapping[str, RecordedDataset]
) -> dict[str, str]:
    """The facts of a comparison: data, folds, selection, grid, what was fixed, who ran it, versions, commit, runs."""
    facts: dict[str, str] = {}
    for label, data in datasets.items():
        digest = outcome.boards[label][0].first.data_digest
        facts["Data" if len(datasets) == 1 else f"Data: {label}"] = _data(label, digest, data)
    facts["Folds"] = _folds(outcome)
    facts["Selection"] = _selection(outcome)
    if outcome.metric == "test/log_loss":
        facts["Log loss"] = f"of probabilities no smaller than {LOG_LOSS_CLIP:.3g}, for every model and precision"
    facts["Jobs"] = _counts(sweeps)
    facts["Varied"] = _grid(outcome)
    facts["Fixed"] = _fixed(outcome)
    facts |= _provenance(sweeps)
    return {term: text for term, text in facts.items() if text}


def commands(sweeps: Sequence[RecordedSweep], metric: str) -> tuple[str, ...]:
    """What to type to do it again, and to make the comparison again from the record."""
    lines = []
    for sweep in sweeps:
        commit, dirty = sweep.tags.get(_COMMIT), sweep.tags.get("git_dirty")
        if commit:
            changes = "  # and the changes to the files in changed_files.txt" if dirty == "true" else ""
            lines.append(f"git checkout {commit}{changes}")
        if "command" in sweep.tags:
            lines.append(sweep.tags["command"])
    named = " ".join(f"--sweep {sweep.run_id}" for sweep in sweeps)
    again = f"python -m src.compare {named} --metric {shlex.quote(short_name(metric))}"
    return (*dict.fromkeys(lines), again)


def _data(label: str, digest: str, data: RecordedDataset) -> str:
    names = [plain(name, 40) for name in data.columns]
    columns = f" ({', '.join(names)})" if len(names) <= _MOST_FEATURES else ""
    return (
        f"{label}: {data.rows} rows, {counted(len(names), 'feature')}{columns}, {data.classes} classes; {data.source}; "
        f"SHA-256 {digest[:16]}"
    )


def _folds(outcome: Outcome) -> str:
    kinds: list[tuple[str, str]] = []
    for setting in outcome.settings:
        given = setting.first.config.data.fold is not None
        stratified = setting.first.config.cv.stratified and not given
        split = folds_text([setting]).replace("folds", "stratified folds" if stratified else "folds", 1)
        kind = f"{split}, {plural('seed', len(setting.seeds))} "
        kind += ", ".join(map(str, setting.seeds))
        kinds += [(kind, job.folds_digest[:16]) for job in setting.jobs]
    shown = [
        f"{kind}, SHA-256 {listed(digests, most=_MOST_DIGESTS)}"
        for kind, digests in grouped(dict.fromkeys(kinds)).items()
    ]
    compared = [family for family in outcome.families if family.comparisons]
    same = "Models that are compared were trained and tested on the same rows." if compared else ""
    return f"{listed(shown, most=_MOST_DIGESTS)}. {same}".rstrip()


def _selection(outcome: Outcome) -> str:
    told = {
        "nested": "settings selected by the folds inside each outer training part (nested cross-validation)",
        "other folds": "the setting of each fold selected by the other folds of the same repeat and seed",
        "search": "settings proposed by a search that was told the scores of all folds",
    }
    kinds = {candidate.selection for candidate in outcome.candidates}
    return "; ".join(text for kind, text in told.items() if kind in kinds)


def _counts(sweeps: Sequence[RecordedSweep]) -> str:
    told = []
    for name, group in grouped((each.name, each) for each in sweeps).items():  # single runs share one
        reused = sum(len(each.reused) for each in group)
        some = f" ({reused} reused from earlier sweeps)" if reused else ""
        told.append(f"{sum(len(each.jobs) for each in group)}{some} of {plain(name)}")
    return "; ".join(told)


def _grid(outcome: Outcome) -> str:
    flats = [job.flat for job in outcome.jobs]
    parts = []
    for key in varying(flats):
        values = [value_text(value) for value in distinct(flats, key)]
        more = f", ... ({len(values)} values)" if len(values) > _MOST_VALUES else ""
        parts.append(f"{key} = {', '.join(plain(value, 60) for value in values[:_MOST_VALUES])}{more}")
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

    dirty = " with changes (to the files in changed_files.txt, an artifact of the run)"
    tags = [sweep.tags for sweep in sweeps if _COMMIT in sweep.tags]
    commits = [each_tags[_COMMIT] + dirty * (each_tags.get("git_dirty") == "true") for each_tags in tags]
    whose = {sweep.run_id: _whose(sweep.tags) for sweep in sweeps}
    several = len(set(whose.values())) > 1
    by = [f"{whose[sweep.run_id]}: {plain(sweep.name)}" if several else whose[sweep.run_id] for sweep in sweeps]
    return {
        RUN_BY: "; ".join(dict.fromkeys(by)) if all(whose.values()) else "",
        "Versions": "; ".join(filter(None, [f"Python {each('python')}" if each("python") else "", each("versions")])),
        "Machine": "; ".join(filter(None, [each("platform"), each("blas")])),
        "Commit": "; ".join(dict.fromkeys(commits)),
        "MLflow": "; ".join(f"run {sweep.run_id} ({plain(sweep.name)})" for sweep in sweeps),
    }


def _whose(tags: Mapping[str, str]) -> str:
    """Who ran a sweep and where; empty where an older version recorded it."""
    if not {"mlflow.user", "host"} <= tags.keys():
        return ""
    job = f" (Slurm job {tags['slurm_job_id']})" if "slurm_job_id" in tags else ""
    return plain(f"{tags['mlflow.user']} on {tags['host']}{job}")
