"""SECURITY.md, claim by claim: what another person wrote is data, and what is secret is not recorded."""

import csv
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from src.escaping import masked
from src.tracking import provenance
from tests.commandline import Ended, command
from tests.stores import Record

SMALL = ("training.epochs=2", "cv.folds=2")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Record, str]:
    """A store with one job, which another person may have written, and its run."""
    record = Record.empty(tmp_path_factory.mktemp("shared"))
    assert record.single(*SMALL).status == 0
    (run,) = record.runs()
    return record, run.info.run_id


def _config(record: Record, run_id: str) -> Path:
    return Path(record.client.get_run(run_id).info.artifact_uri.removeprefix("file://")) / "config.yaml"


CALL = {"_target_": "os.mkdir", "path": "called"}
INNER = {"kernel": [{"estimator": "os.Mkdir", "params": {"path": "called"}}]}


@pytest.mark.parametrize(
    "changes, told",
    [
        ({"model": {"_target_": "os.mkdir", "path": "called"}}, "model._target_"),
        ({"hydra": {"callbacks": {"one": CALL}}}, "hydra"),
        ({"hydra": {"sweeper": CALL, "searchpath": ["file://elsewhere"]}}, "hydra"),
        ({"data": CALL}, "data._target_"),
        ({"training": {"learning_rate": "${oc.decode:0.5}"}}, "training.learning_rate"),
        ({"seed": "${oc.env:HOSTILE_SEED}"}, "seed"),
        ({"model": {"name": "sklearn", "estimator": "os.mkdir"}}, "model.estimator"),
        ({"model": {"name": "sklearn", "estimator": "src.models.BPClassifier"}}, "the run"),
        ({"model": {"name": "sklearn", "estimator": "tests.hostile.Called", "allow": ["tests"]}}, "the run"),
        ({"model": {"name": "sklearn", "estimator": "sklearn.svm.SVC", "allow": ["os"], "params": INNER}}, "the run"),
        ({"model": {"name": "sklearn", "estimator": "sklearn.svm.SVC", "params": {"kernel": CALL}}}, "model.params"),
        (
            {
                "model": {
                    "name": "sklearn",
                    "estimator": "sklearn.pipeline.Pipeline",
                    "params": {"steps": [["a", CALL]]},
                }
            },
            "model.",
        ),
        ({"sweep": {"backend": "dask", "dask": CALL}}, "sweep.dask._target_"),
        ({"data": {"name": "csv", "path": "/dev/zero", "target": "a"}}, "data.path"),
        ({"data": {"name": "csv", "path": "http://127.0.0.1:9/a.csv", "target": "a"}}, "data.path"),
    ],
)
def test_a_recorded_configuration_calls_nothing_when_it_is_run_again(
    shared: tuple[Record, str], changes: dict[str, Any], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, run_id = shared
    file = _config(record, run_id)
    genuine = file.read_text()
    monkeypatch.setenv("HOSTILE_SEED", "1")
    config = yaml.safe_load(genuine)
    for section, keys in changes.items():
        config[section] = {**config.get(section, {}), **keys} if isinstance(keys, dict) else keys
    try:
        file.write_text(yaml.safe_dump(config))
        ended = record.run(run_id, module="src.rerun")
    finally:
        file.write_text(genuine)
    assert ended.status == 2, ended
    assert f"error: {told}" in ended.err
    assert not ended.out
    assert not (record.folder / "called").exists()


# What a terminal obeys: control characters but the end of a line, and marks that turn the direction of what follows.
OBEYED = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
SCRIPT = re.compile(r"<(?:script>|img src=x)")
FORMULA = re.compile(r"[=+\-@](?!\d+(?:\.\d+)?(?:e-?\d+)?$)")
BINARY = (".db", ".png", ".skops", ".db-wal", ".db-shm")
CLASSES = ("=1+1", "+cmd|' /C calc'!A0", "\x1b]8;;http://evil.example\x07click", "<script>alert(1)</script>", "-1")
FEATURES = ("@SUM(A1)", "$\\frac{1}{$", "\u202egnp.exe", "<img src=x onerror=alert(1)>", "[x](javascript:alert(1))")
FILE = "=SUM(A1)\x1b[31m\u202e<img src=x>$x_{$.csv"
EXPERIMENT = "=a\u202eb<script>"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[Record, Ended]:
    """A sweep over another person's table, in a folder of its own, and the comparison of it; with all figures."""
    record = Record.empty(tmp_path_factory.mktemp("hostile"))
    with (record.folder / FILE).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*FEATURES, "target"])
        for row in range(60):
            kind = row % len(CLASSES)
            writer.writerow([*((row * place + kind) % 7 for place in range(1, 5)), CLASSES[row % 2], CLASSES[kind]])
    table = ("data=csv", f"data.path='{FILE}'", "data.target=target")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(record.folder)
        patch.setenv("MLFLOW_TRACKING_URI", record.uri)
        models = "model=softmax,sklearn_logistic"
        ended = command("-m", *SMALL, *table, models, f"tracking.experiment='{EXPERIMENT}'")
        compared = command(module="src.compare")
    assert (ended.status, compared.status) == (0, 0), ended.err + compared.err
    return record, Ended(0, ended.out + compared.out, ended.err + compared.err)


def _texts(folder: Path) -> Iterator[tuple[Path, str]]:
    for file in sorted(folder.rglob("*")):
        if file.is_file() and not file.name.endswith((*BINARY, FILE)):
            yield file, file.read_text()


def test_no_name_is_obeyed_by_a_terminal(hostile: tuple[Record, Ended]) -> None:
    record, ended = hostile
    assert not OBEYED.search(ended.out + ended.err)
    assert [file.name for file, text in _texts(record.folder) if OBEYED.search(text)] == []


def test_no_name_is_a_formula_in_a_table_that_is_kept(hostile: tuple[Record, Ended]) -> None:
    record, _ = hostile
    tables = [file for file, _ in _texts(record.folder) if file.suffix == ".csv"]
    names = {"class_scores.csv", "predictions.csv", "fold_scores.csv", "model_example.csv", "leaderboard.csv"}
    assert names <= {file.name for file in tables}
    for file in tables:
        with file.open(newline="") as content:
            cells = [cell for row in csv.reader(content) for cell in row]
        assert [cell for cell in cells if FORMULA.match(cell)] == [], file.name


def test_no_name_is_a_script_or_a_link_on_a_page(hostile: tuple[Record, Ended]) -> None:
    record, _ = hostile
    pages = [(file, text) for file, text in _texts(record.folder) if file.suffix in (".html", ".svg", ".md")]
    assert {file.suffix for file, _ in pages} == {".html", ".svg", ".md"}
    assert [file.name for file, text in pages if SCRIPT.search(text)] == []
    (sweep,) = record.parents(EXPERIMENT)
    note = sweep.data.tags["mlflow.note.content"]
    assert not SCRIPT.search(note)
    assert not OBEYED.search(note)
    assert "[x](javascript" not in note + "".join(text for file, text in pages if file.suffix == ".md")


def test_a_class_is_called_as_in_the_data_when_the_record_is_read(hostile: tuple[Record, Ended]) -> None:
    record, _ = hostile
    drawn = [text for file, text in _texts(record.folder) if file.name == "comparison.html"]
    assert "=1+1" in drawn[0]
    assert "&#39;=1+1" not in drawn[0]  # without the apostrophe that a spreadsheet needs
    assert "'=1+1" not in drawn[0]


ENVIRONMENT = {
    "AWS_SECRET_ACCESS_KEY": "env-3f9a1c",
    "MLFLOW_TRACKING_PASSWORD": "env-77b0de",
    "OPENAI_API_KEY": "env-a41e5b",
}
PLANTED = re.compile(r"(?:env|diff|file|typed)-[0-9a-f]{6}")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The checkout that the command runs from, with a password in a changed file and in one that git does not know."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "settings.py").write_text("")
    for arguments in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "first"]):
        git = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run([*git, *arguments], check=True)
    (folder / "settings.py").write_text("PASSWORD = 'diff-5c2e90'\n")
    (folder / ".env").write_text("PASSWORD=file-c04d11\n")
    state = provenance.git_state(folder)
    assert state.changed == ("1 0 settings.py",)
    monkeypatch.setattr(provenance, "git_state", lambda: state)
    return folder


@pytest.mark.timeout(60)
@pytest.mark.parametrize("word", ["q", "password", "http://", "a.", "http://a:", "token."])
def test_a_long_text_is_masked_at_once(word: str) -> None:
    """A pattern whose time grows with the square of a text's length would not come back from this."""
    assert masked(word * 50_000) == word * 50_000
    assert masked(f"{word * 1000} password=abc") == f"{word * 1000} password=***"


def test_no_password_is_recorded_or_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkout: Path) -> None:
    record = Record.empty(tmp_path)
    for name, secret in ENVIRONMENT.items():
        monkeypatch.setenv(name, secret)
    typed = (
        f"tracking.uri='{record.uri}?password=typed-1b7f33'",
        "sweep.dask.scheduler='tcp://me:typed-8d20aa@127.0.0.1:9'",
        "+hydra.job.env_set.AWS_SECRET_ACCESS_KEY=typed-e61f02",
        "comparison.question='Is https://me:typed-905bb4@example.org right?'",
    )
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "src.run", "-m", *typed])
    provenance.of_process.cache_clear()
    optuna = ("hydra/sweeper=optuna", "hydra.sweeper.storage='postgresql://me:typed-c3a7d0@127.0.0.1:9/db'")
    ended = [
        record.run("-m", *SMALL, "model=logistic,softmax", *typed),
        record.run(*SMALL, *typed[:2]),
        record.run(module="src.compare"),
        record.run("tracking.uri='postgresql://me:typed-4402fd@127.0.0.1:9/db'"),
        record.run("tracking.uri='http://me:typed-9b1cc7@127.0.0.1:9'"),
        record.run("seed='https://me:typed-2f6c18@example.org'"),
        record.run("data=csv", "data.path='https://me:typed-77e1a5@example.org/a.csv'", "data.target=a"),
        record.run("-m", *optuna, "training.l2=interval(0,1)"),
    ]
    provenance.of_process.cache_clear()
    assert [each.status for each in ended] == [0, 0, 0, 2, 2, 2, 2, 2], ended
    said = "".join(each.out + each.err for each in ended)
    assert "***" in said
    assert PLANTED.findall(said) == []
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
        rows = "\n".join(connection.iterdump())
    assert "me:***@127.0.0.1:9" in rows
    assert PLANTED.findall(rows) == []
    files = [file for file in tmp_path.rglob("*") if file.is_file() and not file.is_relative_to(checkout)]
    found = {file.name: PLANTED.findall(file.read_bytes().decode(errors="replace")) for file in files}
    assert {"config.yaml", "overrides.yaml", "jobs.json", "comparison.html", "changed_files.txt"} <= found.keys()
    assert {name: leaked for name, leaked in found.items() if leaked} == {}
