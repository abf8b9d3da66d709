"""Records of the version before `src.comparison`: compared as far as they go, and what they lack is said."""

import csv
import io
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy import stats

from src.tracking import reading
from src.tracking.artifacts import local_folder
from src.tracking.opening import open_store
from src.tracking.records import RunRow
from src.tracking.store import Store
from tests.commandline import Ended, command
from tests.stores import empty_store, leave_figures_empty
from tests.sweeps import Given, record_sweep

BP, LOGISTIC = (0.80, 0.85, 0.90, 0.75, 0.80), (0.78, 0.80, 0.86, 0.75, 0.79)
OLD_METRICS = ("accuracy", "balanced_accuracy", "log_loss", "macro_f1", "roc_auc")
OLD_COLUMNS = ["repeat", "fold", "epochs", "diverged_epoch", "fit_seconds"]
OLD_COLUMNS += [f"{part}/{name}" for part in ("test", "train") for name in OLD_METRICS]


@contextmanager
def rows_of(store: Store) -> Iterator[sqlite3.Connection]:
    assert store.database is not None
    with closing(sqlite3.connect(store.database)) as connection, connection:
        yield connection


def folder_of(run: RunRow) -> Path:
    folder = local_folder(run.artifact_uri)
    assert folder is not None
    return folder


def make_old(store: Store, sweep_id: str) -> list[RunRow]:
    """Turn a recorded sweep into what the version before would have written; return its jobs' runs."""
    sweep = reading.get_run(store, sweep_id)
    jobs = reading.children(store, sweep)
    (folder_of(sweep) / "comparison.yaml").unlink()
    known = {f"{part}/{name}" for part in ("test", "train", "std", "fold") for name in OLD_METRICS}
    known |= {"epochs", "diverged", "time/fit", "curve/train_loss", "curve/test_loss"}
    with rows_of(store) as connection:
        of_sweep = "WHERE run_uuid = ? AND key"
        for old, new in {"sweep.metric": "comparison.metric", "tracking.question": "comparison.question"}.items():
            connection.execute(f"UPDATE params SET key = ? {of_sweep} = ?", [old, sweep_id, new])
        connection.execute(f"DELETE FROM params {of_sweep} LIKE 'comparison.%'", [sweep_id])
        connection.execute(
            "UPDATE datasets SET dataset_profile = ?", ['{"num_rows": 20, "num_features": 3, "num_classes": 2}']
        )
        places = ", ".join("?" * len(known))
        for table in ("metrics", "latest_metrics"):
            connection.execute(f"DELETE FROM {table} WHERE key NOT IN ({places})", [*known])
    for run in jobs:
        folder = folder_of(run)
        config = yaml.safe_load((folder / "config.yaml").read_text())
        asked = config.pop("comparison")
        config["sweep"]["metric"], config["tracking"]["question"] = asked["metric"], asked["question"]
        del config["data"]["groups"], config["data"]["fold"]
        (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
        if run.status != "FINISHED":
            continue
        (folder / "class_scores.csv").unlink()
        table = list(csv.DictReader(io.StringIO((folder / "fold_scores.csv").read_text())))
        with (folder / "fold_scores.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, OLD_COLUMNS, extrasaction="ignore", lineterminator="\n")
            writer.writeheader()
            writer.writerows(table)
    return jobs


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    leave_figures_empty(monkeypatch)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", empty_store(tmp_path))
    return open_store()


@pytest.fixture
def old(store: Store) -> list[RunRow]:
    """The jobs of a sweep that the version before recorded; one failed, one diverged."""
    jobs = [
        Given({"model.name": "bp", "training.learning_rate": 0.1}, BP),
        Given({"model.name": "bp", "training.learning_rate": 0.5}, [score - 0.1 for score in BP]),
        Given({"model.name": "logistic"}, LOGISTIC),
        Given({"model.name": "softmax"}, fate="FAILED"),
        Given({"model.name": "sklearn_logistic"}, [0.8, float("nan"), 0.8, 0.8, 0.8]),
    ]
    return make_old(store, record_sweep(store, jobs, question="Who wins?", status="FAILED"))


def compare(*arguments: str) -> Ended:
    return command(*arguments, module="src.compare")


def words(text: str) -> str:
    return " ".join(text.split())


def test_old_records_are_compared_by_what_they_hold(store: Store, old: list[RunRow]) -> None:
    assert len(old) == 5
    ended = compare("--output", "made")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.splitlines()[:2] == ["study", "Who wins?"]
    content = json.loads(Path("made/comparison.json").read_text())
    models = {one["name"]: one for one in content["models"]}
    assert set(models) == {"bp", "logistic"}
    assert models["bp"]["fold_scores"] == list(BP)  # the better on any four folds
    (one,) = content["comparisons"]
    # The sizes of folds are not recorded: 4 of 20 rows test, on average.
    difference = np.subtract(BP, LOGISTIC)
    variance = max(difference.var(ddof=1), (1 / 4) ** 2 / 5) * (1 / 5 + 4 / 16)
    half = stats.t.ppf(0.975, 4) * np.sqrt(variance)
    assert (one["low"], one["high"]) == pytest.approx((difference.mean() - half, difference.mean() + half))
    said = words(ended.out)
    assert "No difference can be told between bp and logistic" in said
    assert "1 of 5 jobs failed and are left out of every comparison." in said
    assert "sklearn_logistic is left out: it has no accuracy in 1 of 5 folds" in said


def test_old_records_say_in_one_sentence_which_metric_they_lack(store: Store, old: list[RunRow]) -> None:
    ended = compare("--metric", "brier_score")
    assert ended.status == 2
    reason = (
        "bp, logistic and sklearn_logistic are each left out: an older version recorded its jobs without "
        "test/brier_score; run them again, or compare by another metric."
    )
    assert ended.err == f"error: nothing is compared: {reason}\n"
    assert words(ended.out).count("test/brier_score") == 1


def test_an_old_sweep_keeps_its_metric_unless_another_is_asked(store: Store) -> None:
    jobs = [Given({"model.name": "bp"}, BP), Given({"model.name": "logistic"}, LOGISTIC)]
    make_old(store, record_sweep(store, jobs, metric="test/log_loss"))
    asked = json.loads(compare("--format", "json").out)
    assert asked["metric"] == "test/log_loss"
    assert asked["question"].startswith("Which model predicts best")
    assert json.loads(compare("--format", "json", "--metric", "macro_f1").out)["metric"] == "test/macro_f1"


def test_old_and_new_records_are_compared_with_one_another(store: Store) -> None:
    make_old(store, record_sweep(store, [Given({"model.name": "bp"}, BP)], experiment="before"))
    record_sweep(store, [Given({"model.name": "logistic"}, LOGISTIC)], experiment="after")
    content = json.loads(compare("before", "after", "--format", "json").out)
    (one,) = content["comparisons"]
    assert (one["model"], one["baseline"]) == ("bp", "logistic")
    assert one["difference"] == pytest.approx(np.mean(BP) - np.mean(LOGISTIC))


def test_a_record_that_cannot_be_read_is_told_and_the_rest_compared(store: Store) -> None:
    jobs = [
        Given({"model.name": name}, scores) for name, scores in (("bp", BP), ("logistic", LOGISTIC), ("softmax", BP))
    ]
    runs = make_old(store, record_sweep(store, jobs))
    (strange,) = [run for run in runs if run.params["model.name"] == "softmax"]
    file = folder_of(strange) / "config.yaml"
    file.write_text(file.read_text().replace("name: softmax", "name: perceptron"))
    ended = compare("--output", "made")
    assert (ended.status, ended.err) == (0, "")
    content = json.loads(Path("made/comparison.json").read_text())
    assert [one["name"] for one in content["models"]] == ["bp", "logistic"]
    told = "The job job was recorded by another version, and is left out: model.name: 'perceptron' is not a model."
    assert any(caveat.startswith(told) for caveat in content["caveats"])
    assert told in words(ended.out)


def test_an_old_job_can_be_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = empty_store(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    quick = ("-m", "model=bp,logistic", "training.epochs=5", "cv.folds=2", "tracking.models=none")
    assert command(*quick).status == 0
    store = open_store()
    (sweep,) = reading.sweeps(store)
    run = make_old(store, sweep.run_id)[0]
    ended = command(run.run_id, module="src.rerun")
    assert "error" not in ended.err
    equal = int(ended.out.split()[0])
    assert equal >= 2 * 2 * len(OLD_METRICS)  # all that an old fold_scores.csv holds
    assert not [line for line in ended.out.splitlines() if line.startswith("differs: ") and "recorded None" not in line]
