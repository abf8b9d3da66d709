"""``python -m src.run`` with a bad configuration: exit status 2, sentences, nothing trained, nothing recorded."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from src.run import ROOT
from tests.commandline import command


def errors(folder: Path, *arguments: str) -> list[str]:
    """The lines on stderr without their ``error: ``, after checking all that holds for any bad configuration."""
    store = folder / "store.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{store}")
        ended = command(*arguments)
    assert ended.status == 2, ended.err
    assert ended.out == ""
    lines = ended.err.splitlines()
    assert all(line.startswith("error: ") for line in lines), ended.err
    assert not store.exists()
    return [line.removeprefix("error: ") for line in lines]


ONE_PROBLEM = {
    "unknown key": (
        ["training.lerning_rate=1"],
        "training.lerning_rate: there is no such key. Did you mean 'training.l",
    ),
    "key of another group": (
        ["learning_rate=1"],
        "learning_rate: there is no such key. Did you mean 'training.learning_",
    ),
    "added key": (["+training.lr=1"], "training.lr: there is no such key."),
    "unknown group": (["modle=bp"], "modle: there is no such key. Did you mean 'model'?"),
    "unknown choice": (
        ["model=sofmax"],
        "model: 'sofmax' is not a choice of model. Did you mean 'softmax'? (bp, logistic",
    ),
    "number for a choice": (["data=4"], "data: '4' is not a choice of data. (breast_cancer, csv"),
    "unknown experiment": (
        ["experiments=homwork5"],
        "experiments: 'homwork5' is not a choice of experiments. Did you mean",
    ),
    "unknown choice in a sweep": (["-m", "model=bp,sofmax"], "model: 'sofmax' is not a choice of model. Did you mean"),
    "no value": (["seed"], "seed: this is not of the form KEY=VALUE."),
    "open bracket": (["model.hidden_layer_sizes=[4"], "model.hidden_layer_sizes=[4: the value cannot be read."),
    "unquoted separator": (["data.separator=;"], "data.separator=;: the value cannot be read."),
    "sweep without -m": (["training.l2=0,1"], "training.l2=0,1: several values make a sweep, which needs the flag -m."),
    "new parameter without +": (
        ["model.params.C=1"],
        "model.params.C: model.params does not hold this yet. Add it with",
    ),
    "interpolation of nothing": (["seed=${nothing}"], "seed: Interpolation key 'nothing' not found"),
    "unknown key of Hydra": (["hydra.foo=1"], "hydra.foo: Hydra has no such key"),
    "csv without a path": (["data=csv"], "data.path: data=csv needs a file. Set data.path=FILE."),
    "path without csv": (
        ["data=iris", "data.path=my.csv"],
        "data.path: 'my.csv' is not read, because data.name is 'iris'.",
    ),
    "loss that does not fit": (
        ["model.output=tanh"],
        "model.loss: 'cross_entropy' does not fit model.output 'tanh': it takes",
    ),
    "activations and layers": (
        ["model.activation=[relu,tanh]"],
        "model.activation: 2 activations for 1 hidden layer.",
    ),
    "bad value in a sweep": (
        ["-m", "training.learning_rate=0.1,-1"],
        "training.learning_rate: -1 is not a finite number",
    ),
    "old name of the metric": (["sweep.metric=log_loss"], "sweep.metric: this key is now called comparison.metric."),
    "old name of the question": (
        ["-m", "tracking.question=who", "model=bp,logistic"],
        "tracking.question: this key is now called comparison.question.",
    ),
    "baseline that is no candidate": (
        ["-m", "model=bp,logistic", "comparison.baselines=[logstic]"],
        "comparison.baselines: 'logstic' is not among what is compared. Did you mean 'logistic'? (bp, logistic)",
    ),
    "nothing beside the baselines": (
        ["-m", "model=bp,logistic", "comparison.baselines=[logistic,bp]"],
        "comparison.baselines: logistic, bp leaves nothing to compare with them. (bp, logistic)",
    ),
    "sweep over how it is compared": (
        ["-m", "comparison.confidence=0.9,0.95"],
        "comparison: its keys hold for the whole command, so a sweep cannot vary them.",
    ),
    "certainty": (["comparison.confidence=1"], "comparison.confidence: 1 is not a number greater than 0 and below 1."),
    "bad value in a study": (
        ["experiments=homework5", "training.l2=-1"],
        "training.l2: -1 is not a finite number of at least",
    ),
}


@pytest.mark.parametrize("arguments, sentence", ONE_PROBLEM.values(), ids=list(ONE_PROBLEM))
def test_a_problem_is_told_in_one_sentence(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    (line,) = errors(tmp_path, *arguments)
    assert line.startswith(sentence)


MANY_PROBLEMS = [
    {
        "model.activation": "sigmod",
        "model.loss": "cros_entropy",
        "model.hidden_layer_sizes": "[4,0]",
        "training.optimizer": "sdg",
        "training.learning_rate": "0",
        "training.l2": "-1e-3",
        "training.epochs": "0",
        "training.batch_size": "0",
        "training.momentum": "1",
        "training.decay": "0",
        "training.clip_norm": "0",
        "comparison.confidence": "0",
        "training.early_stopping.patience": "0",
        "cv.folds": "1",
        "cv.inner_folds": "1",
        "seed": "-1",
    },
    {
        "model.hidden_layer_sizes": "[-4]",
        "model.output": "sofmax",
        "training.learning_rate": "-0.1",
        "training.epochs": "-5",
        "training.batch_size": "-1",
        "training.class_weight": "equal",
        "training.early_stopping.validation_fraction": "1",
        "cv.folds": "0",
        "sweep.n_jobs": "0",
        "comparison.rope": "-0.01",
        "data.scale": "standart",
    },
    {
        "model.hidden_layer_sizes": "[four]",
        "training.learning_rate": "nan",
        "training.l2": "nan",
        "training.epochs": "1.5",
        "training.batch_size": "2.5",
        "cv.folds": "2.5",
        "data.separator": "ab",
        "sweep.backend": "thread",
    },
    {
        "model.hidden_layer_sizes": "4",
        "training.learning_rate": "inf",
        "training.epochs": "many",
        "training.batch_size": "half",
        "training.l2": "small",
        "cv.folds": "five",
        "comparison.metric": "acuracy",
        "comparison.rope": "small",
        "model.estimator": "os.system",
    },
    {
        "model.hidden_layer_sizes": "[true]",
        "training.learning_rate": "fast",
        "training.epochs": "'100'",
        "training.batch_size": "true",
        "cv.folds": "true",
        "comparison.confidence": "true",
        "comparison.baselines": "logistic",
        "tracking.models": "some",
        "sweep.dask.scheduler": "localhost",
    },
]


@pytest.mark.parametrize("bad", MANY_PROBLEMS, ids=["zero", "negative", "fractional", "text", "truth"])
def test_all_bad_values_are_told_at_once_each_in_one_sentence(tmp_path: Path, bad: dict[str, str]) -> None:
    lines = errors(tmp_path, *(f"{key}={value}" for key, value in bad.items()))
    assert sorted(line.partition(":")[0] for line in lines) == sorted(bad)


def test_a_study_with_old_keys_is_told_their_new_names(tmp_path: Path) -> None:
    file = tmp_path / "studies" / "experiments" / "mine.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(
        "# @package _global_\n"
        "hydra: {mode: MULTIRUN, sweeper: {params: {model: 'bp,logistic'}}}\n"
        "sweep: {metric: test/log_loss}\n"
        "tracking: {question: Who wins, experiment: mine}\n"
    )
    assert sorted(errors(tmp_path, "--config-dir", str(tmp_path / "studies"), "experiments=mine")) == [
        "sweep.metric: this key is now called comparison.metric.",
        "tracking.question: this key is now called comparison.question.",
    ]


def process(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a shell would see: a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "src.run", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": "sqlite:///store.db", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_process_says_the_sentence_and_nothing_else(tmp_path: Path) -> None:
    ended = process(tmp_path, "training.l2=-1", HYDRA_FULL_ERROR="0")
    assert (ended.returncode, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("error: training.l2: -1 is not")
    assert not (tmp_path / "store.db").exists()


def test_a_traceback_is_for_those_who_ask_for_it(tmp_path: Path) -> None:
    ended = process(tmp_path, "training.l2=-1", HYDRA_FULL_ERROR="1")
    assert ended.returncode == 2
    assert "Traceback (most recent call last)" in ended.stderr
    assert ended.stderr.splitlines()[-1].startswith("error: training.l2: -1 is not")
