"""How a comparison was done, as terms and their descriptions, and the commands that do it again."""

import shlex
from collections.abc import Mapping, Sequence

import pandas as pd

from src.report.candidates import SEED, Candidate
from src.report.sweeps import SweepJobs
from src.report.tables import MODEL, is_parameter, model_name, varying
from src.report.words import is_missing, plain, short_name, value_text
from src.tracking.query import RunRow
from src.tracking.reading import RecordedDataset

QUESTION = "tracking.question"  # param of a sweep's run
_MOST_VALUES = 24
_MOST_FEATURES = 12
_COMMIT = "mlflow.source.git.commit"


def question(sweeps: Sequence[RunRow], jobs: pd.DataFrame) -> str:
    """What the sweeps ask: the question they were given, else one made of what varies."""
    asked = list(dict.fromkeys(sweep.params[QUESTION] for sweep in sweeps if _said(sweep.params.get(QUESTION))))
    if asked:
        return " ".join(asked)
    models = list(dict.fromkeys(model_name(job) for _, job in jobs.iterrows()))
    data = " and ".join(dict.fromkeys(value_text(name) for name in jobs["data.name"]))
    if len(models) > 1:
        return f"Which model predicts best on {data}: {_listed(models)}?"
    keys = [key.rsplit(".", 1)[-1] for key in varying(jobs) if key not in ("data.name", SEED)]
    if keys:
        return f"Which {_listed(keys, 'and')} suits {models[0]} best on {data}?"
    return f"How well does {models[0]} predict on {data}?"


def method(
    sweeps: Sequence[SweepJobs],
    jobs: pd.DataFrame,
    candidates: Sequence[Candidate],
    datasets: Mapping[str, tuple[RunRow, RecordedDataset]],
) -> dict[str, str]:
    """The facts of a comparison: data, folds, selection, grid, what was fixed, versions, commit, where the runs are.

    Parameters
    ----------
    datasets
        By the data set's label, a run on it and its description.
    """
    facts: dict[str, str] = {}
    for label, (run, data) in datasets.items():
        facts["Data" if len(datasets) == 1 else f"Data: {label}"] = _data(label, run, data)
    facts["Folds"] = _folds(jobs)
    facts["Selection"] = _selection(candidates)
    facts["Jobs"] = _counts(sweeps)
    grid = _grid(jobs)
    if grid:
        facts["Varied"] = grid
    facts["Fixed"] = _fixed(jobs)
    facts |= _provenance([each.sweep for each in sweeps])
    return {term: text for term, text in facts.items() if text}


def commands(sweeps: Sequence[RunRow], metric: str) -> tuple[str, ...]:
    """What to type to do it again, and to make the comparison again from the record."""
    lines = []
    for sweep in sweeps:
        commit, dirty = sweep.tags.get(_COMMIT), sweep.tags.get("git_dirty")
        if commit:
            patch = " && git apply git.diff" if dirty == "true" else ""
            lines.append(f"git checkout {commit}{patch}")
        if "command" in sweep.tags:
            lines.append(sweep.tags["command"])
    named = " ".join(f"--sweep {sweep.run_id}" for sweep in sweeps)
    again = f"python -m src.compare {named} --metric {shlex.quote(short_name(metric))}"
    return (*dict.fromkeys(lines), again)


def _said(value: str | None) -> bool:
    return value not in (None, "", "null")


def _listed(words: Sequence[str], last: str = "or") -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def _data(label: str, run: RunRow, data: RecordedDataset) -> str:
    names = [plain(name, 40) for name in data.columns]
    features = f"{len(names)} feature{'s' * (len(names) != 1)}"
    listed = f" ({', '.join(names)})" if len(names) <= _MOST_FEATURES else ""
    digest = run.tags.get("data_digest", "")
    return (
        f"{label}: {data.rows} rows, {features}{listed}, {data.classes} classes; {data.source}; SHA-256 {digest[:16]}"
    )


def _folds(jobs: pd.DataFrame) -> str:
    kinds: dict[str, list[str]] = {}
    for _, job in jobs.drop_duplicates("folds_digest").iterrows():
        repeats = value_text(job.get("cv.repeats"))
        stratified = "stratified " if value_text(job.get("cv.stratified")) == "true" else ""
        text = f"{value_text(job['cv.folds'])} {stratified}folds"
        text += f" × {repeats} repeats" if repeats != "1" else ""
        kinds.setdefault(f"{text}, seed {value_text(job['seed'])}", []).append(str(job["folds_digest"])[:16])
    shown = [f"{kind}, SHA-256 {', '.join(digests)}" for kind, digests in kinds.items()]
    more = f"; and {len(shown) - 6} more" if len(shown) > 6 else ""
    return f"{'; '.join(shown[:6])}{more}. Every model of the same data was trained and tested on the same rows."


def _selection(candidates: Sequence[Candidate]) -> str:
    kinds = {candidate.selection for candidate in candidates}
    parts = []
    if "nested" in kinds:
        parts.append("settings selected by the folds inside each outer training part (nested cross-validation)")
    if "scored" in kinds:
        parts.append("settings selected on the folds that score them")
    return "; ".join(parts)


def _counts(sweeps: Sequence[SweepJobs]) -> str:
    parts = []
    for each in sweeps:
        reused = f" ({len(each.reused)} reused from earlier sweeps)" if each.reused else ""
        parts.append(f"{len(each.runs)}{reused} of {plain(each.sweep.name)}")
    return "; ".join(parts)


def _grid(jobs: pd.DataFrame) -> str:
    parts = []
    for key in varying(jobs):
        values = list(dict.fromkeys(value_text(value) for value in jobs[key] if not is_missing(value)))
        more = f", ... ({len(values)} values)" if len(values) > _MOST_VALUES else ""
        parts.append(f"{key} = {', '.join(plain(value, 60) for value in values[:_MOST_VALUES])}{more}")
    return "; ".join(parts)


def _fixed(jobs: pd.DataFrame) -> str:
    """What all jobs that use a key have in common, but for the model and the data, which stand elsewhere."""
    parts = []
    for key in (str(column) for column in jobs.columns):
        if not is_parameter(key) or key in ("data.name", MODEL) or key.startswith(("cv.", "seed")):
            continue
        values = {value_text(value) for value in jobs[key] if not is_missing(value)}
        if len(values) == 1:
            parts.append(f"{key} = {plain(values.pop(), 60)}")
    return ", ".join(parts)


def _provenance(sweeps: Sequence[RunRow]) -> dict[str, str]:
    def each(tag: str) -> str:
        return "; ".join(dict.fromkeys(sweep.tags[tag] for sweep in sweeps if tag in sweep.tags))

    commits = []
    for sweep in sweeps:
        changed = {"true": " with changes (git.diff, an artifact of the run)", "false": ""}
        if _COMMIT in sweep.tags:
            commits.append(f"{sweep.tags[_COMMIT]}{changed.get(sweep.tags.get('git_dirty', ''), '')}")
    return {
        "Versions": "; ".join(filter(None, [f"Python {each('python')}" if each("python") else "", each("versions")])),
        "Machine": "; ".join(filter(None, [each("platform"), each("blas")])),
        "Commit": "; ".join(dict.fromkeys(commits)),
        "MLflow": "; ".join(f"run {sweep.run_id} ({plain(sweep.name)})" for sweep in sweeps),
    }
