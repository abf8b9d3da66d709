"""What makes two jobs the same, and which keys have no say in it."""

import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.config import JobConfig, canonical, check, digest, flatten, ignored, model_parameters, network_settings
from src.config.identity import (
    FIXED,
    NOT_NUMERICAL,
    NUMERICAL,
    REFERENCES,
    SRC,
    code_version,
    search_digest,
    sweep_digest,
)
from src.config.messages import leaves
from src.config.schema import ModelName
from src.network.settings import TrainingSettings, hyperparameters

MODELS = get_args(get_args(ModelName)[0])
# Some valid values of each key that may shape a result; the first is the default.
VALUES: dict[str, list[Any]] = {
    "data.name": ["ex4", "iris", "csv"],
    "data.target": [None, "label", 0, -1],
    "data.header": [True, False],
    "data.separator": [",", ";"],
    "data.missing": ["refuse", "impute"],
    "data.categorical": [[], ["sex"], ["sex", 3]],
    "data.drop": [[], ["id"], [0]],
    "data.weights": [None, "w", 2],
    "data.groups": [None, "person", 3],
    "data.fold": [None, "site", 4],
    "data.scale": ["standard", "minmax", "none"],
    "model.name": list(MODELS),
    "model.hidden_layer_sizes": [[4], [], [8], [8, 4]],
    "model.activation": ["sigmoid", "relu", ["tanh"], ["tanh", "relu"], ["relu", "relu"]],
    "model.output": ["softmax", "sigmoid", "tanh", "identity"],
    "model.loss": ["cross_entropy", "squared_error"],
    "model.init": ["glorot_uniform", "uniform", "normal", "zeros"],
    "model.init_scale": [0.5, 1, 2.5],
    "model.bias_init": ["zeros", "uniform", "normal"],
    "model.dtype": ["float64", "float32"],
    "model.estimator": ["sklearn.svm.SVC", "sklearn.tree.DecisionTreeClassifier"],
    "model.params": [{}, {"max_depth": 3}],
    "training.optimizer": list(hyperparameters(TrainingSettings)["optimizer"].choices),
    "training.learning_rate": [0.5, 1, 1e-3],
    "training.l2": [0.0, 1, 1e-3],
    "training.batch_size": ["full", 1, 32],
    "training.epochs": [500, 10],
    "training.schedule": list(hyperparameters(TrainingSettings)["schedule"].choices),
    "training.early_stopping.patience": [None, 5],
    "training.early_stopping.min_delta": [0.0, 0.1],
    "training.early_stopping.validation_fraction": [0.1, 0.2],
    "training.class_weight": [None, "balanced", {"0": 1.0, "1": 2.0}],
    "training.clip_norm": [None, 1, 5],
    "training.check_gradient": [False, True],
    "cv.folds": [5, 10],
    "cv.repeats": [1, 3],
    "cv.stratified": [True, False],
    "cv.inner_folds": [None, 3],
    "seed": [0, 7],
    **{
        f"training.{name}": [one.default, one.default + 5 if one.within.whole else one.default / 2 or 1e-4]
        for name, one in hyperparameters(TrainingSettings).items()
        if one.of and one.within is not None
    },
    "training.warmup": [0, 5],
}

# What holds for a whole command: how its jobs are run, recorded and compared.
COMMANDS = ("comparison.", "tracking.", "sweep.", "experiments", "lang")


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    config: dict[str, Any] = {}
    for key, value in flat.items():
        *above, name = key.split(".")
        section = config
        for part in above:
            section = section.setdefault(part, {})
        section[name] = value
    return config


def valid(flat: dict[str, Any]) -> dict[str, Any]:
    """The same choice of values, made to agree where two keys must."""
    fitting = {key: value for key, value in flat.items() if key != "data.path"}
    if flat["data.name"] == "csv":
        fitting["data.path"] = "my.csv"
        if flat["data.fold"] is not None:
            fitting["cv.repeats"] = 1
    if flat["model.output"] in ("tanh", "identity"):
        fitting["model.loss"] = "squared_error"
    if isinstance(flat["model.activation"], list) and len(flat["model.activation"]) != len(
        flat["model.hidden_layer_sizes"]
    ):
        fitting["model.activation"] = "silu"
    return fitting


configurations = st.fixed_dictionaries({key: st.sampled_from(values) for key, values in VALUES.items()}).map(valid)


def identity(job: JobConfig) -> str:
    return json.dumps(canonical(job), sort_keys=True)


def test_the_values_cover_every_key_that_may_shape_a_result() -> None:
    shaping = {key for key in leaves() if not key.startswith(COMMANDS)}
    # The data's digest stands for the rows, and what a model is made of for what it may be made of.
    assert shaping - {"data.path", "data.test", "model.allow"} == set(VALUES)


@given(configurations)
def test_the_canonical_form_is_its_own_canonical_form(flat: dict[str, Any]) -> None:
    once = canonical(check(nested(flat)))
    again = json.loads(json.dumps(once))
    if again["data"]["name"] == "csv":
        again["data"]["path"] = "elsewhere.csv"
    assert canonical(check(again)) == once


@given(configurations, st.randoms())
def test_the_order_of_keys_does_not_matter(flat: dict[str, Any], chance: random.Random) -> None:
    keys = list(flat)
    chance.shuffle(keys)
    shuffled = check(nested({key: flat[key] for key in keys}))
    assert canonical(shuffled) == canonical(check(nested(flat)))
    assert digest(canonical(shuffled), "d", "c") == digest(canonical(check(nested(flat))), "d", "c")


@given(configurations, st.sampled_from(sorted(VALUES)), st.data())
def test_a_key_changes_the_job_or_is_told_to_be_ignored(flat: dict[str, Any], key: str, data: st.DataObject) -> None:
    changed = valid({**flat, key: data.draw(st.sampled_from(VALUES[key]))})
    if valid(flat) != flat or {k for k in changed if changed[k] != flat.get(k)} - {key}:
        return  # another key had to follow, so the difference is not this key's alone
    before, after = check(nested(flat)), check(nested(changed))
    same_value = before == after
    means_nothing = ignored(before, [key]) == (key,) and ignored(after, [key]) == (key,)
    one_word = key == "model.activation" and model_parameters(before) == model_parameters(after)
    assert (identity(before) == identity(after)) == (same_value or means_nothing or one_word)


@given(configurations, configurations)
def test_the_digest_changes_exactly_with_the_canonical_form(one: dict[str, Any], other: dict[str, Any]) -> None:
    first, second = check(nested(one)), check(nested(other))
    digests = [digest(canonical(job), "d", "c") for job in (first, second)]
    assert (digests[0] == digests[1]) == (identity(first) == identity(second))


@given(configurations)
def test_whole_numbers_and_equal_floats_are_the_same_job(flat: dict[str, Any]) -> None:
    def other_type(value: Any) -> Any:
        if isinstance(value, bool) or value is None:
            return value
        if isinstance(value, int):
            return float(value)
        return int(value) if isinstance(value, float) and value.is_integer() else value

    columns = ("data.target", "data.weights", "data.groups", "data.fold")  # positions, which are no measurements
    twin = {key: value if key in columns else other_type(value) for key, value in flat.items()}
    assert identity(check(nested(twin))) == identity(check(nested(flat)))


@given(configurations)
def test_display_and_tracking_do_not_change_a_job(flat: dict[str, Any]) -> None:
    shown = {**flat, "tracking.experiment": "x", "tracking.models": "all", "sweep.n_jobs": 4, "experiments": "study"}
    shown |= {"comparison.metric": "log_loss", "comparison.confidence": 0.9, "comparison.baselines": ["logistic"]}
    assert identity(check(nested(shown))) == identity(check(nested(flat)))


def test_kernels_that_are_asked_for_are_part_of_a_job() -> None:
    assert canonical(check({"sweep": {"blas": None}})) == canonical(check({}))
    haswell, skylake = (canonical(check({"sweep": {"blas": name}})) for name in ("Haswell", "SkylakeX"))
    assert haswell == {**canonical(check({})), "sweep": {"blas": "Haswell"}}
    assert haswell != skylake


@given(configurations)
def test_model_parameters_are_plain_values_of_the_keys_that_count(flat: dict[str, Any]) -> None:
    job = check(nested(flat))
    parameters = model_parameters(job)
    assert parameters["seed"] == flat["seed"]
    assert json.loads(json.dumps(parameters)) is not None
    used = {key for key in flat if not ignored(job, [key])}
    expected = {key.split(".")[1] for key in used if key.startswith(("model.", "training."))} - {"name"}
    layers = {"hidden_layer_sizes", "activation", "output", "loss"}
    fixed = layers if job.model.name in ("logistic", "softmax") else set()
    allowing = {"allow"} if job.model.name == "sklearn" else set()
    assert set(parameters) == expected | fixed | allowing | {"seed"}


def test_regressions_are_what_they_are_whatever_their_keys_say() -> None:
    model = {"hidden_layer_sizes": [9], "activation": "relu", "output": "tanh", "loss": "squared_error"}
    logistic = check({"model": {"name": "logistic", **model}})
    softmax = check({"model": {"name": "softmax", **model}})
    for job, output in ((logistic, "sigmoid"), (softmax, "softmax")):
        fixed = {"hidden_layer_sizes": (), "activation": (), "output": output, "loss": "cross_entropy"}
        assert {key: model_parameters(job)[key] for key in fixed} == fixed
        assert {key: getattr(network_settings(job), key) for key in fixed} == fixed
    assert canonical(logistic) == canonical(check({"model": {"name": "logistic"}}))
    assert canonical(logistic) != canonical(softmax)
    assert ignored(logistic, [f"model.{key}" for key in model]) == tuple(f"model.{key}" for key in model)


def test_without_hidden_layers_their_activation_means_nothing() -> None:
    tanh, relu = (check({"model": {"hidden_layer_sizes": [], "activation": name}}) for name in ("tanh", "relu"))
    assert canonical(tanh) == canonical(relu)
    assert ignored(tanh, ["model.activation", "model.output"]) == ("model.activation",)


def test_what_a_model_may_be_made_of_is_no_part_of_it() -> None:
    tree = {"name": "sklearn", "estimator": "sklearn.tree.DecisionTreeClassifier"}
    assert canonical(check({"model": tree})) == canonical(check({"model": {**tree, "allow": ["xgboost"]}}))


def test_early_stopping_is_a_mapping_or_off() -> None:
    assert model_parameters(check({}))["early_stopping"] is None
    on = check({"training": {"early_stopping": {"patience": 3}}})
    expected = {"patience": 3, "min_delta": 0.0, "validation_fraction": 0.1}
    assert model_parameters(on)["early_stopping"] == expected
    assert canonical(on)["training"]["early_stopping"] == expected


def test_a_model_is_a_network_or_says_what_it_reads() -> None:
    assert set(MODELS) == {"bp", *FIXED, *REFERENCES}


def test_reference_models_keep_only_what_they_use() -> None:
    reference = check({"model": {"name": "sklearn_logistic"}, "training": {"l2": 0.1, "class_weight": "balanced"}})
    assert model_parameters(reference) == {"l2": 0.1, "class_weight": "balanced", "seed": 0}
    forest = check({"model": {"name": "sklearn", "estimator": "sklearn.svm.SVC", "params": {"C": 1}}, "seed": 3})
    assert model_parameters(forest) == {"allow": (), "estimator": "sklearn.svm.SVC", "params": {"C": 1}, "seed": 3}
    assert "training" not in canonical(forest)


def test_the_path_of_a_csv_is_not_its_identity_but_how_it_is_read_is() -> None:
    files = ({"path": "a.csv"}, {"path": "b/a.csv"}, {"path": "a.csv", "test": "c.csv"})
    jobs = [check({"data": {"name": "csv", **each}}) for each in files]
    assert canonical(jobs[0]) == canonical(jobs[1]) == canonical(jobs[2])
    assert canonical(jobs[0])["data"] == {
        "name": "csv",
        "target": None,
        "header": True,
        "separator": ",",
        "missing": "refuse",
        "categorical": [],
        "drop": [],
        "weights": None,
        "groups": None,
        "fold": None,
        "scale": "standard",
    }
    assert ignored(jobs[0], ["data.path", "data.test"]) == ()


def test_sklearn_parameters_keep_the_difference_of_1_and_1_0() -> None:
    """For max_features 1 is one feature and 1.0 is all of them."""
    jobs = [
        check({"model": {"name": "sklearn", "estimator": "sklearn.tree.DecisionTreeClassifier", "params": {"x": one}}})
        for one in (1, 1.0)
    ]
    assert digest(canonical(jobs[0]), "d", "c") != digest(canonical(jobs[1]), "d", "c")


def test_the_digest_depends_on_data_and_code() -> None:
    config = canonical(check({}))
    digests = {digest(config, data, code) for data in ("a", "b") for code in ("1", "2")}
    assert len(digests) == 4
    assert all(len(one) == 64 and int(one, 16) for one in digests)


@pytest.mark.parametrize(
    "overrides, model, meaningless",
    [
        (["model", "data", "seed", "tracking.uri", "sweep.n_jobs", "hydra.run.dir"], "bp", []),
        (["training.momentum", "model.params", "+model.params.C", "data.target"], "bp", None),
        (["training.early_stopping", "training.early_stopping.patience"], "bp", []),
        (["training.early_stopping.min_delta"], "bp", None),
        (["training.epochs", "training.early_stopping", "model.dtype"], "sklearn_logistic", None),
        (["+model.params.C", "model.estimator", "training.clip_norm", "cv.folds"], "sklearn", ["training.clip_norm"]),
    ],
)
def test_overrides_that_mean_nothing_are_told(overrides: list[str], model: str, meaningless: list[str] | None) -> None:
    job = check({"model": {"name": model, "estimator": "sklearn.svm.SVC"}})
    expected = overrides if meaningless is None else meaningless
    assert ignored(job, overrides) == tuple(key.lstrip("+") for key in expected)


OWNERS = {f"training.{name}": one.of for name, one in hyperparameters(TrainingSettings).items() if one.of}


@pytest.mark.parametrize("chooser", ["training.optimizer", "training.schedule"])
def test_a_number_counts_for_its_owners_alone(chooser: str) -> None:
    owned = {key: owners for key, owners in OWNERS.items() if set(owners) <= set(VALUES[chooser])}
    assert owned
    for name in VALUES[chooser]:
        job = check(nested({chooser: name}))
        assert set(ignored(job, list(owned))) == {key for key, owners in owned.items() if name not in owners}


def test_the_keys_that_mean_nothing_for_the_default_job() -> None:
    training = set(OWNERS)
    waiting = {"training.early_stopping.min_delta", "training.early_stopping.validation_fraction"}
    model = {"model.init_scale", "model.allow", "model.estimator", "model.params"}
    read = ("path", "test", "target", "header", "separator", "missing", "categorical", "drop")
    csv = (*read, "weights", "groups", "fold")
    data = {f"data.{key}" for key in csv}
    assert set(ignored(check({}), list(leaves()))) == training | waiting | model | data


def test_given_folds_leave_nothing_to_draw_but_the_inner_folds() -> None:
    drawn = {"cv.folds": 9, "cv.stratified": False, "cv.repeats": 1}
    given_folds = {"data.name": "csv", "data.path": "my.csv", "data.fold": "site"}
    job, same = check(nested(given_folds)), check(nested({**given_folds, **drawn}))
    assert canonical(job) == canonical(same)
    assert canonical(job)["cv"] == {"inner_folds": None}
    assert ignored(job, [*drawn, "cv.inner_folds"]) == tuple(drawn)
    nesting = [check(nested({**given_folds, "cv.inner_folds": 3, "cv.stratified": value})) for value in (True, False)]
    assert canonical(nesting[0]) != canonical(nesting[1])
    assert ignored(nesting[0], list(drawn)) == ("cv.folds", "cv.repeats")
    bundled = check({"data": {"fold": "site"}})  # has no such column
    assert ignored(bundled, [*drawn, "data.fold"]) == ("data.fold",)


def test_flatten_gives_dotted_keys() -> None:
    assert flatten({"a": 1, "b": {"c": [1], "d": {"e": None}, "f": {}}}) == {
        "a": 1,
        "b.c": [1],
        "b.d.e": None,
        "b.f": {},
    }
    assert sorted(flatten(JobConfig().model_dump())) == sorted(leaves())


def test_a_sweep_is_its_jobs_in_any_order_and_what_is_asked_of_them() -> None:
    asked, other = check({}).comparison, check({"comparison": {"metric": "log_loss"}}).comparison
    assert sweep_digest(["a", "b"], asked) == sweep_digest(["b", "a"], asked)
    assert len({sweep_digest(jobs, one) for jobs in (["a", "b"], ["a"]) for one in (asked, other)}) == 4


def test_a_search_is_its_settings_and_arguments() -> None:
    searches = [({"n_trials": 6}, ["a=1"]), ({"n_trials": 9}, ["a=1"]), ({"n_trials": 6}, ["a=1", "b=2"])]
    assert len({search_digest(*one) for one in searches}) == 3
    assert search_digest(*searches[0]) == search_digest({"n_trials": 6}, ("a=1",))


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shutil.copytree(SRC, tmp_path_factory.mktemp("code") / "src", ignore=shutil.ignore_patterns("__pycache__"))


@pytest.fixture
def changed(copied: Path) -> Callable[..., str]:
    """The version of the code with some files changed, or moved to another name."""

    def version_of(change: Callable[[str], str], *names: str, renamed: str | None = None) -> str:
        texts = {copied / name: (copied / name).read_text() for name in names}
        places = {file: file.with_name(renamed or file.name) for file in texts}
        for file, text in texts.items():
            assert renamed or change(text) != text
            file.rename(places[file]).write_text(change(text))
        version = code_version.__wrapped__(copied)  # which remembers nothing of this folder
        for file, text in texts.items():
            places[file].rename(file).write_text(text)
        return version

    return version_of


# A file of each room, or by itself, that can change a number, and a constant in it.
CONSTANTS = {
    "network/activations.py": ("GELU_CUBIC = ", "GELU_CUBIC = 1 + "),
    "network/settings.py": ("declared(0.999,", "declared(0.99,"),
    "models/references.py": ("tol=1e-10", "tol=1e-9"),
    "data/preprocessing.py": ('"median"', '"mean"'),
    "evaluation/metrics.py": ("np.maximum(guessed, 1)", "np.maximum(guessed, 2)"),
    "evaluation/results.py": ("(len(values) - 1)", "len(values)"),
    "config/schema.py": ("Field(5,", "Field(6,"),
    "config/kinds.py": ("value + 0.0", "value + 1.0"),
    "config/identity.py": ('"logistic": {"hidden_layer_sizes": ()', '"logistic": {"hidden_layer_sizes": (1,)'),
    "sweep/jobs.py": ("folds=cv.folds", "folds=5"),
    "sweep/stacks.py": ("LARGEST_STACK = 256", "LARGEST_STACK = 128"),
    "command/keep.py": ("list(pipeline.classes_)", "sorted(pipeline.classes_)"),
}


def test_each_part_of_the_numerical_code_has_a_constant() -> None:
    assert {name if name in NUMERICAL else name.partition("/")[0] for name in CONSTANTS} == set(NUMERICAL)


@pytest.mark.slow
@pytest.mark.parametrize("name", CONSTANTS)
def test_a_changed_constant_is_another_code(name: str, changed: Callable[..., str]) -> None:
    assert changed(lambda text: text.replace(*CONSTANTS[name]), name) != code_version()


def test_comments_docstrings_and_the_look_are_no_code(changed: Callable[..., str]) -> None:
    def otherwise_told(text: str) -> str:
        told = re.sub(r'^( *)"""(?=\w)', r'\1"""In other words: ', text, flags=re.M)
        assert told.count("In other words") > 1
        return told.replace("\n\n\n", "\n\n\n\n# Another comment.\n").replace("\n", "\r\n")

    assert changed(otherwise_told, *CONSTANTS) == code_version()


def test_other_code_changes_no_number(changed: Callable[..., str]) -> None:
    others = (*NOT_NUMERICAL, "config/messages.py", "report/words.py", "command/driver.py")
    assert changed(lambda text: text + "\nMORE = 1\n", *others) == code_version()


@pytest.mark.slow
def test_the_code_is_the_same_in_each_process(copied: Path) -> None:
    """The order of a set of texts, which the compiler makes of `in {...}`, is another in each."""
    file = copied / "network" / "arrays.py"
    text = file.read_text()
    file.write_text(text + '\n\ndef known(word):\n    return word in {"one", "two", "three", "four", "five"}\n')
    program = (
        f"import pathlib; from src.config.identity import code_version as of; print(of(pathlib.Path({str(copied)!r})))"
    )
    told = {
        subprocess.check_output(
            [sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": seed}, cwd=SRC.parent
        )
        for seed in ("1", "2", "3")
    }
    file.write_text(text)
    assert len(told) == 1


def test_a_renamed_file_is_another_code(changed: Callable[..., str]) -> None:
    assert changed(str, "network/updates.py", renamed="steps.py") != code_version()
