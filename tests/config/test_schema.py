"""The schema: what it accepts, what it refuses, and in which words."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.config import ConfigError, check
from src.config.messages import leaves
from src.network.activations import ACTIVATIONS
from src.network.settings import TrainingSettings, hyperparameters


def nested(key: str, value: Any) -> dict[str, Any]:
    for part in reversed(key.split(".")):
        value = {part: value}
    return value


def told(config: dict[str, Any]) -> list[str]:
    """The lines of the error that a configuration gives."""
    with pytest.raises(ConfigError) as raised:
        check(config)
    return str(raised.value).splitlines()


REFUSED = {
    "training.learning_rate": [0, 0.0, -1, math.nan, math.inf, "fast", "0.5", True, None, [0.1]],
    "training.l2": [-1e-9, math.nan, math.inf, "x", False],
    "training.epochs": [0, -1, 1.5, "100", True, None, math.inf],
    "training.batch_size": [0, -1, 2.5, "half", "32", True, None],
    "training.momentum": [1, 1.0, -0.1, math.nan, "x"],
    "training.decay": [0, -0.5, 1.1, math.nan],
    "training.decay_every": [0, 1.5],
    "training.power": [-1, math.inf],
    "training.min_learning_rate": [-1, math.nan],
    "training.warmup": [-1, 0.5],
    "training.plateau_patience": [0, "x"],
    "training.early_stopping.patience": [0, -3, 1.5, "x", True],
    "training.early_stopping.min_delta": [-0.1, math.nan],
    "training.early_stopping.validation_fraction": [0, 1, -0.1, 1.5],
    "training.early_stopping": [3, None, "on"],
    "training.class_weight": ["equal", {"a": 0}, {"a": -1}, {"a": "x"}, {True: 1.0}, [1, 2], 3],
    "training.clip_norm": [0, -1, math.inf, "x"],
    "training.check_gradient": [1, "yes", None],
    "training.optimizer": ["sgdd", None, 3],
    "training.schedule": ["cosin", 1],
    "model.name": ["mlp", None],
    "model.hidden_layer_sizes": [[0], [-4], [4, 0], ["4"], [True], [2.5], 4, "4", None, {"a": 1}],
    "model.activation": ["sigmod", ["sigmoid", "rely"], None, 3, [3]],
    "model.output": ["sofmax"],
    "model.loss": ["crossentropy"],
    "model.init": ["xavier", None],
    "model.init_scale": [0, -1],
    "model.bias_init": ["ones"],
    "model.dtype": ["float16"],
    "model.allow": ["xgboost", ["a.b"], [""], [3], None],
    "model.estimator": ["os.system", "sklearn", "sklearn.svm", "sklearn._private.Thing", "SVC", 3],
    "model.params": [None, [1], {"a": math.nan}, {"a": [math.inf]}, {"a": object()}],
    "cv.folds": [0, 1, -1, 2.5, "5", None],
    "cv.repeats": [0, "x"],
    "cv.stratified": ["no", 1],
    "cv.inner_folds": [0, 1, 2.5],
    "data.name": ["exam4", None],
    "data.target": [True, 1.5, ["a"]],
    "data.header": ["yes", 0],
    "data.separator": ["", "ab", None, 3],
    "data.missing": ["drop"],
    "data.categorical": ["sex", [1.5], [True], None],
    "data.drop": ["id", [1.5], [True], None],
    "data.weights": [1.5, False],
    "data.groups": [1.5, ["person"]],
    "data.fold": [True, {"site": 1}],
    "data.scale": ["log", None],
    "data.test": ["", " ", 3],
    "comparison.metric": ["acc", "train/accuracy", "time/fit", "test/acc", "", None, 3],
    "comparison.baselines": ["logistic", [""], [3], None],
    "comparison.confidence": [0, 1, -0.5, 95, math.nan, "x", True, None],
    "comparison.rope": [-0.01, math.nan, math.inf, "small", "0.01", True],
    "comparison.question": ["", 3],
    "comparison.published": ["wine", [3], None, [{"data": "wine"}]],
    "tracking.uri": ["", " ", 3],
    "tracking.experiment": ["", None],
    "tracking.models": ["some"],
    "tracking.curve_points": [0, 1, "x"],
    "tracking.register": [""],
    "tracking.patience": [-1, math.inf, "long", None],
    "sweep.backend": ["ray"],
    "sweep.n_jobs": [0, -2, 1.5, "all"],
    "sweep.max_fits": [0, 1.5, "all"],
    "sweep.max_workers": [0, -1, "all"],
    "sweep.max_memory": [0, -1, "much", True],
    "sweep.max_stack_memory": [0, -1, "much", True],
    "sweep.dry_run": ["x"],
    "sweep.on_failure": ["ignore"],
    "sweep.reuse": [None],
    "sweep.blas": ["haswel", 3, ""],
    "sweep.dask.scheduler": ["localhost", 3],
    "sweep.dask.cluster": ["slurn", 3],
    "sweep.dask.options": [{"queue": "long"}, "queue=long", {3: 1}],  # of no cluster; of no kind; no name
    "sweep.dask.timeout": [0, -1, "long"],
    "seed": [-1, 1.5, "x", True, None, 2**32],
    "lang": ["fr", "zh_CN", "", 1, True],
    "experiments": [3],
    "data": [3, None],
    "training": ["fast"],
}


@pytest.mark.parametrize("key", REFUSED)
def test_a_bad_value_is_refused_in_one_line_that_names_its_key(key: str) -> None:
    for value in REFUSED[key]:
        (line,) = told(nested(key, value))
        assert line.startswith(f"{key}: "), value


NUMBERS = {
    f"training.{name}": one.within
    for name, one in hyperparameters(TrainingSettings).items()
    if one.within is not None and not one.choices
}


@pytest.mark.parametrize("key", NUMBERS)
def test_a_number_beyond_its_declared_range_is_refused(key: str) -> None:
    allowed = NUMBERS[key]
    beyond = [allowed.low - (allowed.closed in ("left", "both"))]
    if allowed.high is not None:
        beyond.append(allowed.high + (allowed.closed in ("right", "both")))
    for value in beyond:
        (line,) = told(nested(key, value))
        assert line.startswith(f"{key}: {value} is not ")


def test_every_key_has_a_value_that_is_refused() -> None:
    assert set(leaves()) - set(REFUSED) - set(NUMBERS) == {"data.path"}  # any text is a path; its rules are below


ACCEPTED = {
    "training.learning_rate": [1, 1e-300],
    "training.l2": [0],
    "training.epochs": [1e3, 1],
    "training.batch_size": [1, "full", 32.0],
    "training.momentum": [0],
    "training.decay": [1],
    "training.class_weight": [None, "balanced", {"a": 1, "b": 2.5}, {0: 1, 1: 2}, {1.5: 1}],
    "training.early_stopping.patience": [None, 1],
    "model.hidden_layer_sizes": [[], [1], [16, 8, 4]],
    "model.activation": ["gelu", ["relu"]],
    "model.params": [{}, {"a": {"b": [1, None, "x", True]}}],
    "data.target": [None, "label", 0, -1],
    "data.groups": [None, "person", 0, -1],
    "data.fold": [None, "site", 3],
    "data.separator": [";", "\t", r"\t"],
    "data.categorical": [[], ["sex", 3, -1]],
    "data.drop": [[], ["id", 0, -1]],
    "cv.inner_folds": [None, 2],
    "comparison.metric": ["accuracy", "test/accuracy", "log_loss", "brier_score"],
    "comparison.baselines": [[], ["logistic", "softmax"]],
    "comparison.rope": [None, 0, 0.05],
    "sweep.n_jobs": [-1, 1],
    "sweep.max_stack_memory": [None, 1000, "500MB", "2GiB"],
    "sweep.blas": [None, "Haswell"],
    "sweep.dask.scheduler": [None, "tcp://10.0.0.1:8786"],
    "sweep.dask.timeout": [1, 0.5],
    "tracking.uri": [None, "sqlite:////tmp/x.db", "http://127.0.0.1:5000"],
    "seed": [0, 2**32 - 1],
    "experiments": [None, "homework5"],
}


@pytest.mark.parametrize("key", ACCEPTED)
def test_a_good_value_is_accepted(key: str) -> None:
    for value in ACCEPTED[key]:
        check(nested(key, value))


def test_a_cluster_is_asked_for_workers_as_it_can_be() -> None:
    def sentence(dask: dict[str, Any], **sweep: Any) -> str:
        (line,) = told({"sweep": {"backend": "dask", "n_jobs": 4, "dask": dask, **sweep}})
        return line

    check({"sweep": {"backend": "dask", "dask": {"cluster": "slurm", "options": {"queue": "long", "cores": 2}}}})
    assert sentence({"cluster": "slurn"}).endswith("Did you mean 'slurm'? (kubernetes, lsf, pbs, sge, slurm)")
    assert "starts a scheduler of its own" in sentence({"cluster": "slurm", "scheduler": "tcp://10.0.0.1:8786"})
    assert "Set sweep.n_jobs=NUMBER" in sentence({"cluster": "slurm"}, n_jobs=-1)
    assert "with sweep.backend=dask" in sentence({"cluster": "slurm"}, backend="threads")


def test_values_are_kept_in_one_type() -> None:
    job = check(
        {
            "training": {"learning_rate": 1, "epochs": 1e3, "class_weight": {0: 1, "b": 2}, "l2": -0.0},
            "model": {"hidden_layer_sizes": [4.0, 2]},
            "data": {"separator": r"\t"},
            "sweep": {"max_stack_memory": "2GiB"},
        }
    )
    assert repr(job.training.learning_rate) == "1.0"
    assert repr(job.training.epochs) == "1000"
    assert repr(job.training.l2) == "0.0"
    assert repr(job.training.class_weight) == "{'0': 1.0, 'b': 2.0}"
    assert repr(job.model.hidden_layer_sizes) == "(4, 2)"
    assert job.data.separator == "\t"
    assert job.sweep.max_stack_memory == 2 * 1024**3


def test_the_message_of_the_design_word_for_word() -> None:
    assert told({"model": {"activation": "sigmod"}}) == [
        f"model.activation: 'sigmod' is not an activation. Did you mean 'sigmoid'? ({', '.join(sorted(ACTIVATIONS))})"
    ]


@pytest.mark.parametrize(
    "config, line",
    [
        ({"training": {"learning_rate": 0}}, "training.learning_rate: 0 is not a finite number greater than 0."),
        (
            {"training": {"learning_rate": "0.5"}},
            "training.learning_rate: '0.5' is not a finite number greater than 0. It is text: write it without quotes.",
        ),
        ({"model": {"activation": ["relu", "tahn"]}, "cv": {}}, "model.activation: 'tahn' is not an activation. Did"),
        ({"cv": {"folds": True}}, "cv.folds: true is not a whole number from 2 to 4 billion."),
        ({"cv": {"inner_folds": 1}}, "cv.inner_folds: 1 is not null or a whole number from 2 to 4 billion."),
        (
            {"training": {"lerning_rate": 1}},
            "training.lerning_rate: there is no such key. Did you mean 'training.learn",
        ),
        (
            {"learning_rate": 1},
            "learning_rate: there is no such key. Did you mean 'training.learning_rate'? (comparison, cv, data,",
        ),
        (
            {"modle": {}},
            "modle: there is no such key. Did you mean 'model'? (comparison, cv, data, experiments, lang, model, seed,",
        ),
        (
            {"training": {"early_stopping": {"patiance": 1}}},
            "training.early_stopping.patiance: there is no such key. Did",
        ),
        ({"cv": {"quux": 1}}, "cv.quux: there is no such key. (folds, inner_folds, repeats, stratified)"),
        ({"sweep": {"metric": "log_loss"}}, "sweep.metric: this key is now called comparison.metric."),
        ({"tracking": {"question": "Who?"}}, "tracking.question: this key is now called comparison.question."),
        (
            {"comparison": {"metric": "acuracy"}},
            "comparison.metric: 'acuracy' is not a metric of a test fold. Did you mean 'test/accuracy'?",
        ),
        ({"comparison": {"confidence": 1}}, "comparison.confidence: 1 is not a number greater than 0 and below 1."),
        ({"comparison": {"rope": -0.01}}, "comparison.rope: -0.01 is not null or a finite number of at least 0."),
        ({"cv": 5}, "cv: 5 is not a group of keys. (folds, inner_folds, repeats, stratified)"),
    ],
)
def test_the_words_of_a_message(config: dict[str, Any], line: str) -> None:
    (only,) = told(config)
    assert only.startswith(line)


def test_all_problems_are_told_at_once() -> None:
    keys = ["training.l2", "model.init", "model.loss", "cv.folds", "seed", "extra", "data.path", "model.activation"]
    lines = told(
        {
            "data": {"name": "csv"},
            "model": {"init": "x", "output": "tanh", "hidden_layer_sizes": [2], "activation": ["relu", "tanh"]},
            "training": {"l2": -1},
            "cv": {"folds": 1},
            "seed": -1,
            "extra": 1,
        }
    )
    assert sorted(line.split(":")[0] for line in lines) == sorted(keys)


FITTING = {
    ("softmax", "cross_entropy"),
    ("softmax", "squared_error"),
    ("sigmoid", "cross_entropy"),
    ("sigmoid", "squared_error"),
    ("tanh", "squared_error"),
    ("identity", "squared_error"),
}


@pytest.mark.parametrize("output", ["softmax", "sigmoid", "tanh", "identity"])
@pytest.mark.parametrize("loss", ["cross_entropy", "squared_error"])
def test_a_loss_must_fit_the_output(output: str, loss: str) -> None:
    model = {"output": output, "loss": loss}
    check({"model": {**model, "name": "softmax"}})  # which has its own, so that these keys mean nothing
    if (output, loss) in FITTING:
        check({"model": model})
    else:
        (line,) = told({"model": model})
        assert line.startswith(f"model.loss: '{loss}' does not fit model.output '{output}'")
        assert "logarithm" in line


def test_a_list_of_activations_has_one_for_each_hidden_layer() -> None:
    check({"model": {"hidden_layer_sizes": [8, 4], "activation": ["relu", "tanh"]}})
    check({"model": {"name": "softmax", "hidden_layer_sizes": [8], "activation": ["relu", "tanh"]}})
    for sizes, layers in (([8], "1 hidden layer."), ([], "0 hidden layers."), ([8, 4, 2], "3 hidden layers.")):
        (line,) = told({"model": {"hidden_layer_sizes": sizes, "activation": ["relu", "tanh"]}})
        assert line.startswith(f"model.activation: 2 activations for {layers}")


def test_csv_needs_a_path_and_nothing_else_takes_one() -> None:
    check({"data": {"name": "csv", "path": "my.csv"}})
    for path in (None, ""):
        (line,) = told({"data": {"name": "csv", "path": path}})
        assert line == "data.path: data=csv needs a file. Set data.path=FILE."
    for key in ("path", "test"):
        (line,) = told({"data": {"name": "iris", key: "my.csv"}})
        assert line.startswith(f"data.{key}: 'my.csv' is not read, because data.name is 'iris'.")


def test_models_that_are_scored_on_a_file_are_kept() -> None:
    data = {"name": "csv", "path": "my.csv", "test": "other.csv"}
    check({"data": data, "tracking": {"models": "all"}})
    (line,) = told({"data": data, "tracking": {"models": "none"}})
    assert line.startswith("tracking.models: 'none' keeps no model that could be scored on data.test 'other.csv'.")


def test_given_folds_cannot_be_repeated() -> None:
    data = {"name": "csv", "path": "my.csv", "fold": "site"}
    check({"data": data, "cv": {"repeats": 1}})
    check({"data": {"fold": "site"}, "cv": {"repeats": 3}})  # which means nothing there
    assert told({"data": data, "cv": {"repeats": 3}}) == [
        "cv.repeats: 3 repeats of the folds given by data.fold would all be the same. "
        "Set cv.repeats=1, or data.fold=null to draw folds."
    ]


def test_model_sklearn_needs_an_estimator() -> None:
    check({"model": {"name": "sklearn", "estimator": "sklearn.ensemble.RandomForestClassifier"}})
    (line,) = told({"model": {"name": "sklearn"}})
    assert line.startswith("model.estimator: model=sklearn needs a classifier.")


@pytest.mark.parametrize("schedule", ["cosine", "plateau"])
def test_a_rate_cannot_fall_to_a_higher_one(schedule: str) -> None:
    check({"training": {"schedule": "step", "learning_rate": 0.1, "min_learning_rate": 0.2}})
    check({"training": {"schedule": schedule, "learning_rate": 0.1, "min_learning_rate": 0.1}})
    (line,) = told({"training": {"schedule": schedule, "learning_rate": 0.1, "min_learning_rate": 0.2}})
    assert line.startswith("training.min_learning_rate: 0.2 is above training.learning_rate 0.1")


def test_a_job_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        check({}).seed = 1  # type: ignore[misc]


def choices(key: str) -> list[str]:
    """The words that the message for a wrong word of ``key`` offers."""
    (line,) = told(nested(key, "?"))
    return line.rpartition("(")[2].rstrip(")").split(", ")


WORDS = [
    (key, word)
    for key in ("data.name", "model.activation", "model.output", "model.loss", "model.init", "training.optimizer")
    for word in choices(key)
]


@given(st.sampled_from(WORDS), st.data())
def test_a_slip_of_the_keyboard_is_recognized(key_and_word: tuple[str, str], data: st.DataObject) -> None:
    key, word = key_and_word
    at = data.draw(st.integers(0, len(word) - 1))
    slips = [word[:at] + word[at + 1 :], word[:at] + word[at] + word[at:], word.upper(), word.replace("_", "-") + "-"]
    slip = data.draw(st.sampled_from(slips).filter(lambda text: text not in choices(key)))
    (line,) = told(nested(key, slip))
    meant = line.partition("Did you mean '")[2].partition("'")[0]
    assert meant in choices(key)
    assert meant == word or abs(len(meant) - len(slip)) <= 2  # lecun_uniform and glorot_uniform stay apart
