"""``model.allow``: a classifier of the user's own module, from the run to the answers of the model that is kept."""

import sys
from pathlib import Path
from typing import Any

import pytest
from mlflow import pyfunc

from src.config import check
from src.config.identity import _module, modules_of
from src.data import load
from src.experiment import compare
from tests.stores import Record

HELPER = "ADDED = 1.0\n"
MODULE = '''"""Answers every row with the classes' shares; it knows classes by their codes only."""

import numpy as np
import shares_helper
from sklearn.base import BaseEstimator, ClassifierMixin


class Shares(ClassifierMixin, BaseEstimator):
    def __init__(self, strength=1.0, random_state=None):
        self.strength = strength
        self.random_state = random_state

    def fit(self, X, y):
        if list(np.unique(y)) != list(range(max(y) + 1)):
            raise ValueError("codes are wanted")
        self.classes_, counts = np.unique(y, return_counts=True)
        self.shares_ = (counts + shares_helper.ADDED * self.strength) / (counts + self.strength).sum()
        return self

    def predict_proba(self, X):
        return np.tile(self.shares_, (len(X), 1))


class Silent(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        return self


class Plain:
    pass
'''
ASKED = ("data=iris", "cv.folds=3", "model=sklearn", "model.estimator=own_shares.Shares", "model.allow=[own_shares]")


def afresh() -> None:
    """Forget what this process has imported, as another process has not."""
    for name in ("own_shares", "shares_helper", "broken_module"):
        sys.modules.pop(name, None)
    _module.cache_clear()


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(tmp_path)  # as python -m does with the folder it is started in
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # two versions of a file in one second
    (tmp_path / "own_shares.py").write_text(MODULE)
    (tmp_path / "shares_helper.py").write_text(HELPER)
    (tmp_path / "broken_module.py").write_text("import no_such_module_anywhere\n")
    afresh()
    yield Record.empty(tmp_path)
    afresh()


def test_the_users_own_module_is_trained_kept_asked_and_run_again(record: Record, tmp_path: Path) -> None:
    ended = record.run("-m", *ASKED, "seed=0,1")
    assert ended.status == 0, ended.err
    (sweep,) = record.parents()
    job = record.children(sweep)[0]
    assert job.data.metrics["test/accuracy"] == pytest.approx(1 / 3, abs=0.05)
    kept = compare(uri=record.uri).run_id
    rows = tmp_path / "rows.csv"
    load("iris").features.head(3).to_csv(rows, index=False)

    refused = record.run(kept, str(rows), module="src.predict")
    assert refused.status == 2
    assert refused.err.count("\n") == 1
    assert "own_shares.Shares" in refused.err
    assert "--allow MODULE" in refused.err
    answered = record.run(kept, str(rows), "--allow", "own_shares", module="src.predict")
    assert answered.out.splitlines()[1].split(",")[4:] == ["setosa", *3 * ["0.3333333333333333"]]
    assert "--allow own_shares rows.csv" in ended.out

    again = record.run(job.info.run_id, module="src.rerun")
    assert again.status == 2
    assert again.err.rstrip().endswith("If you trust it: --allow own_shares.")
    again = record.run(job.info.run_id, "--allow", "own_shares", module="src.rerun")
    assert again.status == 0, again.err
    assert "changed" not in again.out


def test_the_model_is_served_with_the_module_beside_it(record: Record, tmp_path: Path) -> None:
    assert record.run(*ASKED, "tracking.models=all").status == 0
    (folder,) = (tmp_path / "mlartifacts").rglob("code")
    assert {"own_shares.py", "shares_helper.py", "src"} == {file.name for file in folder.iterdir()}
    afresh()
    for name in ("own_shares.py", "shares_helper.py"):
        (tmp_path / name).unlink()
    answers = pyfunc.load_model(str(folder.parent)).predict(load("iris").features.head(2))
    assert list(answers["predicted"]) == ["setosa", "setosa"]


def test_a_changed_module_is_trained_anew_and_a_comment_is_no_change(record: Record, tmp_path: Path) -> None:
    again = ("-m", *ASKED, "tracking.models=none")
    assert record.run(*again).status == 0
    commented = f"# a comment\n{HELPER.rstrip()}  # another\n"
    changes = ((commented, True), ("ADDED = 1.5\n", False))
    for text, reused in changes:
        (tmp_path / "shares_helper.py").write_text(text)
        afresh()
        out = record.run(*again).out
        assert ("1 job of 1 reused" in out) == reused, out
    assert len([run for run in record.runs() if run.data.tags.get("model_modules", "").startswith("own_shares ")]) == 2


BAD = {
    ("model.allow=[]",): "'own_shares.Shares' is not a class of scikit-learn, and only those may be named, such as "
    "sklearn.ensemble.RandomForestClassifier, unless model.allow=[own_shares] lets the code of own_shares be run.",
    ("model.allow=[nowhere]", "model.estimator=nowhere.Tree"): "there is no module 'nowhere' here. Install it (pip "
    "install nowhere), or start the command in the folder that holds nowhere.py.",
    (
        "model.allow=[broken_module]",
        "model.estimator=broken_module.Tree",
    ): "broken_module cannot be imported: No module named 'no_such_module_anywhere'",
    ("model.estimator=own_shares.Shapes",): "own_shares has no 'Shapes'. Did you mean 'Shares'?",
    ("model.estimator=own_shares.Plain",): "'own_shares.Plain' is not a classifier of scikit-learn's kind, a class "
    "derived from sklearn.base.ClassifierMixin and sklearn.base.BaseEstimator.",
    ("model.estimator=own_shares.Silent",): "'own_shares.Silent' gives no probabilities (predict_proba), which the "
    "scores need. Choose another classifier.",
}


@pytest.mark.parametrize("typed, told", BAD.items(), ids=lambda one: one[-1] if isinstance(one, tuple) else "")
def test_what_cannot_be_used_is_told_in_a_sentence(record: Record, typed: tuple[str, ...], told: str) -> None:
    ended = record.run(*ASKED, *typed)
    assert ended.status == 2
    assert ended.err == f"error: model.estimator: {told}\n"
    assert record.runs() == []


def test_a_parameter_of_another_name(record: Record) -> None:
    ended = record.run(*ASKED, "+model.params.strenght=2")
    assert (
        "error: model.params.strenght: own_shares.Shares has no such parameter. Did you mean 'strength'?" in ended.err
    )


def test_a_package_counts_by_its_version_wherever_it_is_named() -> None:
    inner = {"estimator": {"estimator": "joblib.Never", "params": {"x": [{"estimator": "yaml.Loader"}]}}}
    asked = {"name": "sklearn", "estimator": "sklearn.calibration.CalibratedClassifierCV", "params": inner}
    packages = [module.packages[0].partition("==")[0] for module in modules_of(check({"model": asked}))]
    assert packages == ["joblib", "PyYAML"]
    assert modules_of(check({})) == ()
