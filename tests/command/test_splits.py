"""Whole commands with the user's own splits: groups, given folds, leave-one-out."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow.entities import Run

from src.evaluation.folds import folds_digest, given_folds, make_folds
from tests.commandline import Ended
from tests.stores import Record

ROWS = 24
PERSON = np.arange(ROWS) // 3  # of the sites north, east, south, west, two persons each
SITE = PERSON // 2
UNKEPT = "tracking.models=none"
YES = np.random.default_rng(3).integers(0, 2, ROWS)


@pytest.fixture
def table(tmp_path: Path) -> Record:
    """A store of the test's own, with my.csv beside it."""
    record = Record.empty(tmp_path, with_figures=True)
    random = np.random.default_rng(0)
    columns = {
        "a": (random.normal(size=ROWS) + YES).round(3),
        "b": random.normal(size=ROWS).round(3),
        "person": [f"p{person}" for person in PERSON],
        "site": np.array(["north", "east", "south", "west"])[SITE],
        "label": np.array(["no", "yes"])[YES],
    }
    pd.DataFrame(columns).to_csv(record.folder / "my.csv", index=False)
    return record


def run(table: Record, *arguments: str) -> Ended:
    return table.run(*arguments, "data=csv", "data.path=my.csv", "training.epochs=15")


def jobs(table: Record) -> list[Run]:
    """The runs with a result of their own."""
    return [each for each in table.runs() if "folds_digest" in each.data.tags]


def parts(table: Record, job: Run) -> list[list[int]]:
    """The rows tested in each fold, as the predictions say."""
    predictions = pd.read_csv(io.StringIO(table.artifact(job, "predictions.csv")))
    return [sorted(rows) for _, rows in predictions.groupby(["repeat", "fold"])["row"]]


def test_groups(table: Record) -> None:
    stopping = ("training.early_stopping.patience=3", "training.early_stopping.validation_fraction=0.3")
    ended = run(table, "-m", "data.groups=person", "cv.folds=4", "model=bp,sklearn_logistic", "seed=0,1", *stopping)
    assert ended.status == 0, ended.err
    assert len(jobs(table)) == 4
    for job in jobs(table):
        assert job.info.status == "FINISHED"
        tested = parts(table, job)
        assert sorted(row for rows in tested for row in rows) == list(range(ROWS))
        owners = [person for rows in tested for person in set(PERSON[rows])]
        assert sorted(owners) == list(range(8))
        expected = make_folds(YES, folds=4, seed=int(job.data.params["seed"]), groups=PERSON)
        assert job.data.tags["folds_digest"] == folds_digest(expected)
        assert job.data.params["data.groups"] == "person"


def test_given_folds(table: Record) -> None:
    models = "model=bp,logistic"
    ended = run(table, "-m", models, "data.fold=site", "data.groups=person", "cv.inner_folds=2", "cv.folds=9")
    assert ended.status == 0, ended.err
    assert "cv.folds means nothing for bp, logistic and is ignored there" in ended.out + ended.err
    east, north, south, west = ([row for row in range(ROWS) if SITE[row] == site] for site in (1, 0, 2, 3))
    assert len(jobs(table)) == 2
    for job in jobs(table):
        assert job.info.status == "FINISHED"
        assert parts(table, job) == [east, north, south, west]
        assert job.data.tags["folds_digest"] == folds_digest(given_folds(np.array([1, 0, 2, 3])[SITE]))
        assert "cv.folds" not in job.data.params


def test_leave_one_out(table: Record) -> None:
    ended = run(table, "-m", f"cv.folds={ROWS}", "model=bp,sklearn_logistic", UNKEPT)
    assert ended.status == 0, ended.err
    assert len(jobs(table)) == 2
    for job in jobs(table):
        assert job.info.status == "FINISHED"
        assert parts(table, job) == [[row] for row in range(ROWS)]


def test_a_job_with_groups_is_trained_again_to_the_last_bit(table: Record) -> None:
    quick = ("cv.folds=8", UNKEPT)
    ended = run(table, "data.groups=person", "training.early_stopping.patience=3", *quick)
    assert ended.status == 0, ended.err
    (job,) = jobs(table)
    again = table.run(job.info.run_id, module="src.rerun")
    assert again.status == 0, again.err
