"""``src.experiment``: what is called from Python, beside the command line's own record."""

import os
import signal
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

from src.command.rerun import rerun
from src.data import frames, load
from src.errors import UserError
from src.experiment import compare, run, sweep
from src.tracking.records import JOB_DIGEST, SWEEP_DIGEST
from tests.commandline import command
from tests.stores import Record, computed, leave_figures_empty, same

QUICK = ("training.epochs=20", "cv.folds=3", "tracking.models=none")
CLASSES = ("<script>a</script>", "b, 'c'")


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Record:
    """An empty store, which is the default; tables go into a folder beside it."""
    leave_figures_empty(monkeypatch)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(frames, "FOLDER", tmp_path / "frames")
    made = Record.empty(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", made.uri)
    return made


@pytest.fixture
def frame() -> pd.DataFrame:
    """Floats of all sizes, a column of text, and classes whose names mean something elsewhere."""
    random = np.random.default_rng(0)
    codes = np.arange(36) % 2
    return pd.DataFrame(
        {
            "width": random.normal(size=36) + codes,
            "tiny": random.normal(size=36) * 10.0 ** random.integers(-12, 12, 36),
            "colour": random.choice(["red", "green"], 36),
            "kind": np.array(CLASSES)[codes],
        }
    )


def test_a_run_is_what_the_command_line_records(record: Record) -> None:
    made = run("data=iris", *QUICK, {"training.l2": 0.01}, model__hidden_layer_sizes=[5], seed=3)
    ended = command("data=iris", *QUICK, "training.l2=0.01", "model.hidden_layer_sizes=[5]", "seed=3")
    assert ended.status == 0, ended.err
    first, second = record.runs()
    assert made.run_id == first.info.run_id
    assert first.data.tags[JOB_DIGEST] == second.data.tags[JOB_DIGEST]
    assert first.data.params == second.data.params
    assert same(computed(first), computed(second))
    assert made.metrics == {name: first.data.metrics[name] for name in made.metrics}
    typed = " ".join(("data=iris", *QUICK, "training.l2=0.01", "'model.hidden_layer_sizes=[5]'", "seed=3"))
    assert first.data.tags["command"] == f"python -m src.run {typed}"


def test_scores_and_predictions_are_those_of_the_folds(record: Record) -> None:
    made = run("data=iris", *QUICK)
    assert len(made.scores) == 3
    assert made.scores["test/accuracy"].mean() == pytest.approx(made.metrics["test/accuracy"], abs=1e-15)
    right = made.predictions["target"] == made.predictions["predicted"]
    by_fold = right.groupby(made.predictions["fold"]).mean()
    np.testing.assert_allclose(by_fold, made.scores["test/accuracy"])
    assert made.run_id in repr(made)


def test_a_sweep_is_what_the_command_line_records(record: Record, tmp_path: Path) -> None:
    study = sweep({"model": ["bp", "softmax"], "training.l2": np.array([0, 0.1])}, *QUICK)
    (tmp_path / "typed").mkdir()
    typed = Record.empty(tmp_path / "typed")
    ended = typed.run("-m", "model=bp,softmax", "training.l2=0,0.1", *QUICK)
    assert ended.status == 0, ended.err
    (ours,), (theirs,) = record.parents(), typed.parents()
    assert study.run_id == ours.info.run_id
    assert ours.data.tags[SWEEP_DIGEST] == theirs.data.tags[SWEEP_DIGEST]
    assert study.answer == ours.data.tags["answer"] == theirs.data.tags["answer"]
    sides = (record.children(ours), typed.children(theirs))
    metrics = [{each.data.tags[JOB_DIGEST]: computed(each) for each in side} for side in sides]
    assert metrics[0].keys() == metrics[1].keys()
    assert all(same(each, metrics[1][digest]) for digest, each in metrics[0].items())
    assert len(study.scores) == len(study.runs) == 4
    assert study.best.metrics["test/accuracy"] == study.scores["test/accuracy"].max()
    assert list(study.comparisons["baseline"]) == ["softmax"]
    assert study.answer in repr(study)
    assert not (tmp_path / "multirun").exists()


def test_the_same_sweep_again_is_read_from_the_record(record: Record) -> None:
    typed = ("model=logistic,softmax", *QUICK)
    first, again = sweep(*typed), sweep(*typed)
    assert first.run_id == again.run_id
    assert len(record.runs()) == 3


def test_a_call_says_what_it_shows_in_its_language(record: Record) -> None:
    study = sweep("model=bp,softmax", *QUICK, lang="zh")
    assert "准确率" in study.answer
    assert "准确率" in study._repr_html_()
    assert "准确率" in compare(sweeps=[study], lang="zh").answer
    assert "accuracy" in compare(sweeps=[study]).answer
    with pytest.raises(UserError, match="lang: 'fr' is not null or a language"):
        compare(sweeps=[study], lang="fr")


def test_a_list_sweeps_and_a_tuple_is_one_value(record: Record) -> None:
    networks = sweep({"model.hidden_layer_sizes": [(4,), (3, 2)]}, *QUICK).runs
    assert {one.job.config.model.hidden_layer_sizes for one in networks} == {(4,), (3, 2)}
    (one,) = sweep({"model.hidden_layer_sizes": (3, 2), "model.activation": ("tanh", "relu")}, *QUICK).runs
    assert one.job.config.model.activation == ("tanh", "relu")


def test_values_arrive_as_they_are(record: Record) -> None:
    values = {"training.l2": np.float64(1e-05), "training.clip_norm": None, "training.class_weight": "balanced"}
    question = "Is it 'so', \\ or {not}: a=b?"
    made = run(values, *QUICK, {"comparison.question": question}).job.config
    assert (made.training.l2, made.training.clip_norm, made.training.class_weight) == (1e-05, None, "balanced")
    assert made.comparison.question == question
    weights = run({"training.class_weight": {"0": 2.5, "1": np.float64(1)}}, *QUICK).job.config.training.class_weight
    assert weights == {"0": 2.5, "1": 1.0}


def test_a_frame_is_a_file(record: Record, frame: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    frame.to_csv(path, index=False)
    of_frame = run(*QUICK, data=frame, target="kind")
    of_file = run(*QUICK, data=path, target="kind")
    of_pair = run(*QUICK, data=(frame.drop(columns="kind"), frame["kind"]))
    assert of_frame.job.data_digest == of_file.job.data_digest == of_pair.job.data_digest
    assert of_frame.job.data == of_frame.job.config.data.path.rpartition("/")[2].removesuffix(".csv")
    for other in (of_file, of_pair):
        assert of_frame.predictions.equals(other.predictions)
    assert len(list((tmp_path / "frames").iterdir())) == 1


def test_a_table_keeps_every_bit(record: Record, frame: pd.DataFrame) -> None:
    numbers, labels = frame[["width", "tiny"]].to_numpy(), frame["kind"].to_numpy()
    for features in (numbers, numbers.astype(np.float32)):
        path = frames.kept(frames.joined(features, labels))
        read = load("csv", path=path).features
        assert list(read.columns) == ["x0", "x1"]
        np.testing.assert_array_equal(read.to_numpy(), features.astype(np.float64))


def test_the_run_of_a_frame_can_be_run_again(record: Record, frame: pd.DataFrame) -> None:
    again = rerun(run(*QUICK, data=frame, target="kind").run_id)
    assert again.equal
    assert again.different == {}
    assert "the data" not in again.changed


def test_models_and_figures_are_at_hand(record: Record, frame: pd.DataFrame) -> None:
    study = sweep("model=logistic,softmax", "training.epochs=20", "cv.folds=3", data=frame, target="kind")
    predicted = study.model().predict(frame.drop(columns="kind"))
    assert set(predicted) <= set(CLASSES)
    assert {"differences", "models"} <= {one.name for one in study.figures}
    assert study.figures._repr_html_().count("data:image/svg+xml") == len(study.figures)
    assert "data:image/svg+xml" in study.figures[0]._repr_html_()
    single = run(*QUICK, data=frame, target="kind")
    assert single.figures
    with pytest.raises(UserError, match="keeps no model"):
        single.model()


def test_what_a_notebook_shows_is_escaped(record: Record, frame: pd.DataFrame) -> None:
    study = sweep("model=bp,softmax", *QUICK, data=frame.rename(columns={"width": "<i>"}), target="kind")
    shown = study._repr_html_()
    assert "&lt;script&gt;a" in shown
    assert "<script>" not in shown
    assert study.answer.split(" (")[0] in shown
    assert "<table>" in study.best._repr_html_()


def test_recorded_sweeps_are_compared(record: Record) -> None:
    one = sweep("model=bp,softmax", *QUICK)
    other = sweep("model=logistic", *QUICK)
    assert compare().run_id == other.run_id
    both = compare(sweeps=[one, other.run_id], metric="log_loss", baselines=["logistic"])
    assert both.run_ids == (one.run_id, other.run_id)
    assert both.outcome.metric == "test/log_loss"
    assert set(both.comparisons["baseline"]) == {"logistic"}


def state() -> tuple[Any, ...]:
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    hydra = GlobalHydra.instance().is_initialized(), HydraConfig.instance().cfg
    return os.getcwd(), list(sys.argv), dict(os.environ), list(warnings.filters), handlers, yaml.SafeLoader, hydra


def test_calls_leave_the_process_as_it_was(record: Record) -> None:
    GlobalHydra.instance().clear()
    HydraConfig.instance().cfg = None
    before = state()
    run(*QUICK)
    sweep("model=logistic,softmax", *QUICK)
    with pytest.raises(UserError):
        run("model.activation=sigmod")
    assert state() == before


COLUMNS = pd.DataFrame({"a": [1, 2], "b": [0, 1]})
BAD: dict[str, tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any], str]] = {
    "word": (run, ("model.activation=sigmod",), {}, "model.activation: 'sigmod' is not an activation. Did you mean"),
    "key": (run, ({"training.epoch": 3},), {}, "training.epoch: there is no such key"),
    "file": (run, (), {"data": "my.csv"}, r"data: .*a file is given as Path\('my\.csv'\)"),
    "override": (run, (5,), {}, "5 is of type int. An override is a text"),
    "list": (run, ({"training.l2": [0, 1]},), {}, r"training.l2: \[0, 1\] is not .* sweep tries each of its values\.$"),
    "choice": (run, (), {"data": "irs"}, "data: 'irs' is not a choice of data"),
    "several values": (run, ("training.l2=0,1",), {}, "training.l2=0,1: several values make a sweep, which sweep runs"),
    "study": (run, ("experiments=homework5",), {}, "experiments=homework5: this study is a sweep. Call sweep"),
    "empty list": (sweep, ({"training.l2": []},), {}, "training.l2: the list is empty."),
    "object": (run, ({"training.l2": object},), {}, "<class 'object'> is of type type. A value is"),
    "dry run": (run, ("sweep.dry_run=true",), {}, "sweep.dry_run: the plan is printed"),
    "dry sweep": (sweep, ("sweep.dry_run=true", "seed=0,1"), {}, "sweep.dry_run: the plan is printed"),
    "column": (run, (), {"data": COLUMNS, "target": "c"}, "data.target: .* has no column"),
    "lengths": (run, (), {"data": ([[1], [2]], [0])}, "data: X has 2 rows and y has 1"),
    "name": (run, (), {"data": (pd.DataFrame({"a": [1]}), pd.Series([1], name="a"))}, "y is called 'a', and so is"),
    "no table": (run, (), {"data": [[1, 2]]}, "data: a list is no table."),
    "no sweep": (compare, ("nothing",), {}, "there is no MLflow experiment 'nothing'"),
}


@pytest.mark.parametrize("call, overrides, keys, sentence", BAD.values(), ids=BAD)
def test_what_is_wrong_is_told_in_a_sentence(
    record: Record, call: Callable[..., Any], overrides: tuple[Any, ...], keys: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence) as told:
        call(*overrides, **keys)
    assert told.value._render_traceback_()[0].startswith("error: ")
    assert record.runs() == []
