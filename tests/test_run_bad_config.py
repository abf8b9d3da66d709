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
        "model: 'sofmax' is not a choice of model. Did you mean 'softmax'? (bp, gradient_boosting",
    ),
    "number for a choice": (["data=4"], "data: '4' is not a choice of data. (breast_cancer, csv"),
    "unknown experiment": (
        ["experiments=homwork5"],
        "experiments: 'homwork5' is not a choice of experiments. Did you mean",
    ),
    "unknown choice in a sweep": (["-m", "model=bp,sofmax"], "model: 'sofmax' is not a choice of model. Did you mean"),
    "no value": (["seed"], "seed: this is not of the form KEY=VALUE."),
    "open bracket": (["model.hidden_layer_sizes=[4"], "model.hidden_layer_sizes=[4: the value cannot be read."),
    "unquoted brackets": (["data.target=width (cm)"], "data.target=width (cm): the value cannot be read."),
    "sweep without -m": (["training.l2=0,1"], "training.l2=0,1: several values make a sweep, which needs the flag -m."),
    "port that is no number": (
        ["tracking.uri='http://127.0.0.1:port'"],
        "tracking.uri: 'http://127.0.0.1:port' names a port that is no whole number from 0 to 65535.",
    ),
    "port of a database": (
        ["tracking.uri='postgresql://me:secret@127.0.0.1:port/x'"],
        "tracking.uri: 'postgresql://me:***@127.0.0.1:port/x' names a port that is no whole number",
    ),
    "range without a search": (
        ["-m", "training.l2=interval(0,1)"],
        "training.l2=interval(0,1): values are drawn by a search only. Add hydra/sweeper=optuna, or list the values.",
    ),
    "new parameter without +": (
        ["model.params.C=1"],
        "model.params.C: model.params does not hold this yet. Add it with a plus sign: +model.params.C=VALUE",
    ),
    "new parameters without +": (
        ["model.params={n_estimators: 20, max_depth: 3}"],
        "model.params.n_estimators: model.params does not hold this yet. Add it with a plus sign: +model.params."
        "n_estimators=VALUE, or several, in quotes: '+model.params={NAME: VALUE, NAME: VALUE}'.",
    ),
    "interpolation of nothing": (["seed=${nothing}"], "seed: Interpolation key 'nothing' not found"),
    "unknown part of the configuration": (
        ["--package", "nosuch", "--cfg", "job"],
        "package 'nosuch' not found in config.",
    ),
    "unknown flag": (["--hlep"], "--hlep: there is no such flag. Did you mean '--help'? (--cfg, --config-dir, "),
    "bad value of a flag": (["--cfg", "jbo"], "argument --cfg/-c: invalid choice: 'jbo'"),
    "values of a sweep for a single job": (
        ["hydra.sweeper.params={seed: '0,1'}"],
        "hydra.sweeper.params: these values are for a sweep, and this is a single job. Write 'mode: MULTIRUN' below",
    ),
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

OPTUNA = ("-m", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=2", "training.l2=interval(0,1)")
OF_HYDRA = {
    "mapping for a group": (["model={a:1}"], "model.a: there is no such key."),
    "range without a value": (["-m", "seed=range(0,1,-1)"], "seed=range(0,1,-1): there is no value in it."),
    "range without an end": (["-m", "data.target=range(0,nan)"], "data.target=range(0,nan): there is no value in it."),
    "glob without a match": (["-m", "model=glob(x*)"], "model=glob(x*): there is no value in it."),
    "glob for a value": (["-m", "data.target=glob(*)"], "data.target=glob(*): there is no value in it."),
    "choice of nothing": (["-m", "model=shuffle()"], "model=shuffle(): there is no value in it."),
    "mapping for a list": (
        ["model.hidden_layer_sizes={b:1}"],
        "model.hidden_layer_sizes={b:1}: model.hidden_layer_sizes does not hold a value of this kind.",
    ),
    "variable that is not set": (
        ["seed=${oc.env:NO_SUCH}"],
        "seed: its value is NO_SUCH, which is not set: export NO_SUCH=VALUE.",
    ),
    "line end": (["seed=\n"], "seed=\\n: the value cannot be read."),
    "grids that are no mappings": (["-m", "hydra.sweeper.params=[1,2]"], "hydra.sweeper.params: 1 is not a mapping"),
    "grids that are a word": (["-m", "hydra.sweeper.params=x"], "hydra.sweeper.params: 'x' is not a mapping"),
    "folder of a run": (["hydra.run.dir=/dev/null/x"], "hydra.run.dir: /dev/null/x cannot be made: not a directory"),
    "folder of a sweep": (["-m", "seed=0,1", "hydra.sweep.dir=/dev/null/x"], "hydra.sweep.dir: /dev/null/x cannot be"),
    "verbose list": (["hydra.verbose=[1]"], "hydra.verbose: write true, false, or a list"),
    "verbose mapping": (["hydra.verbose={a:1}"], "hydra.verbose: write true, false, or a list"),
    "callback that does not exist": (
        ["+hydra.callbacks.x._target_=nosuch.Thing"],
        "hydra.callbacks.x: nosuch.Thing cannot be made: is that its name, and is it installed?",
    ),
    "callback that is a number": (["+hydra.callbacks.x=5"], "hydra.callbacks: each is a mapping"),
    "search path that does not exist": (["hydra.searchpath=[file:///nowhere]"], "hydra.searchpath: /nowhere does not"),
    "rerun of nothing": (["--experimental-rerun", "nowhere"], "File nowhere does not exist!"),
    "a key for Hydra's help": (["--hydra-help", "training.epochs=2"], "training: it cannot be set here."),
    "a flag between the keys": (
        ["data=iris", "-m", "seed=a,0"],
        "seed: 'a' is not a whole number from 0 to 4294967295",
    ),
    "no trials": (
        [*OPTUNA, "hydra.sweeper.n_trials=-1"],
        "hydra.sweeper.n_trials: -1 is not a whole number of at least",
    ),
    "no trials at a time": ([*OPTUNA, "hydra.sweeper.n_jobs=0"], "hydra.sweeper.n_jobs: 0 is not a whole number"),
    "rate of failures": ([*OPTUNA, "hydra.sweeper.max_failure_rate=2"], "hydra.sweeper.max_failure_rate: 2.0 is not a"),
    "direction": ([*OPTUNA, "hydra.sweeper.direction=5"], "hydra.sweeper.direction: 5 is not minimize, maximize or"),
    "storage": (
        [*OPTUNA, "hydra.sweeper.storage=sqlite:///s.db"],
        "hydra.sweeper.storage: 'sqlite:///s.db' is not null",
    ),
    "search space": ([*OPTUNA, "hydra.sweeper.search_space={a:1}"], "hydra.sweeper.search_space: {'a': 1} is not null"),
    "keys of a search": ([*OPTUNA, "hydra.sweeper.params=[1]"], "hydra.sweeper.params: [1] is not a mapping"),
    "sampler that is called": (
        [*OPTUNA, "hydra.sweeper.sampler._target_=os.getcwd"],
        "hydra.sweeper.sampler: os.getcwd is not a class of optuna.samplers.",
    ),
    "seed of a sampler": ([*OPTUNA, "hydra.sweeper.sampler.seed=-1"], "hydra.sweeper.sampler: optuna.samplers.TPESamp"),
    "interval without a value": (
        [*OPTUNA[:-1], "training.l2=interval(1,0)"],
        "training.l2=interval(1,0): there is no value in this interval.",
    ),
    "orders of magnitude from zero": (
        [*OPTUNA[:-1], "training.l2=tag(log,interval(0,1))"],
        "training.l2=tag(log,interval(0,1)): a search by orders of magnitude begins above 0.",
    ),
    "endless interval": (
        [*OPTUNA[:-1], "training.l2=interval(0,nan)"],
        "training.l2=interval(0,nan): there is no value",
    ),
    "interval that leads to bad values": (
        [*OPTUNA[:-1], "training.l2=interval(-1,1)"],
        "training.l2: -1.0 is not a finite number of at least 0",
    ),
    "glob in a search": ([*OPTUNA[:-1], "model=glob(*)"], "model=glob(*): a search proposes values of interval(A,B)"),
}
TOO_MUCH = {
    "epochs": (
        ["training.epochs=1e300"],
        "training.epochs: 1e+300 is not a whole number from 1 to 4 billion",
    ),
    "repeats": (
        ["cv.repeats=1e9"],
        "cv.folds, cv.repeats: 1 job with these folds are 5,000,000,000 fits, more than 100,000 (sweep.max_fits).",
    ),
    "fits that a key allows": (
        ["sweep.max_fits=4"],
        "cv.folds, cv.repeats: 1 job with these folds are 5 fits, more th",
    ),
    "fits of a sweep": (["-m", "seed=0,1", "sweep.max_fits=9"], "cv.folds, cv.repeats: 2 jobs with these folds are 10"),
    "layers": (
        ["model.hidden_layer_sizes=[1000000000]"],
        "model.hidden_layer_sizes: 5 fits on 80 rows of ex4 need abo",
    ),
    "memory that a key allows": (
        ["sweep.max_memory=1KB"],
        "model.hidden_layer_sizes: 5 fits on 80 rows of ex4 need ab",
    ),
    "combinations": (
        ["-m", "seed=range(0,1e9)", "training.l2=0,1"],
        "seed=range(0,1e9): with it there are 2,000,000,000 combinations, more than 100,000 fits (sweep.max_fits).",
    ),
    "threads": (["sweep.n_jobs=1000000"], "sweep.n_jobs: 1,000,000 workers are more than "),
    "processes": (["sweep.n_jobs=100000", "sweep.backend=processes"], "sweep.n_jobs: 100,000 workers are more than "),
    "workers that a key allows": (
        ["sweep.n_jobs=3", "sweep.max_workers=2"],
        "sweep.n_jobs: 3 workers are more than 2 (",
    ),
    "name of an experiment": (["tracking.experiment=" + "e" * 600], "tracking.experiment: 'eeeee"),
    "name of a model": (["tracking.register=a/b"], "tracking.register: 'a/b' is not null or text without / and :"),
}
ONE_PROBLEM |= OF_HYDRA | TOO_MUCH


@pytest.mark.parametrize("arguments, sentence", ONE_PROBLEM.values(), ids=list(ONE_PROBLEM))
def test_a_problem_is_told_in_one_sentence(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    (line,) = errors(tmp_path, *arguments)
    assert line.startswith(sentence)


def test_dask_that_is_not_installed_is_told_with_what_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    (line,) = errors(tmp_path, "-m", "sweep.backend=dask", "model=bp,softmax")
    assert line.startswith("sweep.backend: dask is not installed. `make install` adds it (without make: ")


@pytest.mark.parametrize("mark", ["\x1b[31m", "\u202e", "\x07", "\x9b"])
def test_nothing_that_a_terminal_obeys_is_printed(tmp_path: Path, mark: str) -> None:
    (line,) = errors(tmp_path, "data=csv", f"data.path='go{mark}od.csv'")
    written = mark[0].encode("unicode_escape").decode()
    assert line.startswith(f"data.path: there is no file go{written}")
    assert mark[0] not in line


def test_a_flag_with_a_mark_is_told_with_the_mark_written_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for module, arguments in (("src.run", ["-\u202em", "seed=1"]), ("src.rerun", ["a", "\u202eb"])):
        ended = command(*arguments, module=module)
        assert ended.status == 2
        assert {"src.run": "error: -\\u202em: there is no such flag.", "src.rerun": "unrecognized"}[module] in ended.err
        assert "\\u202e" in ended.err
        assert "\u202e" not in ended.err


@pytest.mark.parametrize(
    "program",
    [
        ["-m", "src.run", "--cfg", "job"],
        ["-c", "from rich.console import Console; from src.errors import *; deaf_to_closed_pipes(); "
         "[Console(highlight=False).print('a' * 999) for _ in range(99)]; print('b')"],
    ],
    ids=["program", "rich"],
)  # fmt: skip
def test_a_pipe_that_nobody_reads_ends_nothing(tmp_path: Path, program: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, *program], stdout=writer, stderr=subprocess.PIPE, cwd=tmp_path, env=environment, check=False
    )
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_an_endless_name_is_cut(tmp_path: Path) -> None:
    (line,) = errors(tmp_path, "data=csv", f"data.path={'a' * 5000}")
    assert "aaa... (5,000 characters)" in line
    assert len(line) < 500


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


@pytest.mark.parametrize(
    "text, sentence",
    [
        (
            "hydra:\n\tmode: MULTIRUN\n",
            "line 2: a tab begins this line. YAML is indented with spaces only: write spaces.",
        ),
        ("seed: 1\n  cv: 2\n", "line 2: this is not YAML, mapping values are not allowed in this context. Mend this"),
    ],
    ids=["tab", "indented"],
)
def test_a_study_that_is_not_yaml_is_told_with_its_line(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "experiments" / "mine.yaml"
    file.parent.mkdir()
    file.write_text(text)
    (line,) = errors(tmp_path, "--config-dir", str(tmp_path), "experiments=mine")
    assert line.startswith(f"{file}, {sentence}")


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
