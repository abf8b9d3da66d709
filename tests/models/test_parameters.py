"""One set of names: the keys of the configuration and BPClassifier's parameters, as the engine declares both."""

import inspect
import re
from typing import Any, get_type_hints

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from src.config import ConfigError, check, model_parameters, network_settings
from src.config.messages import kind_of
from src.config.schema import EarlyStoppingConfig, JobConfig, ModelConfig, TrainingConfig
from src.models import BPClassifier, make_model
from src.network import Settings

KEYS = {
    **{name: "model" for name in ModelConfig.model_fields if name not in ("name", "allow", "estimator", "params")},
    **{name: "training" for name in TrainingConfig.model_fields if name != "check_gradient"},
}
PARAMETERS = inspect.signature(BPClassifier).parameters


def default_of(key: str) -> Any:
    section: Any = ModelConfig if KEYS[key] == "model" else TrainingConfig
    return section.model_fields[key].default


class TestSignature:
    def test_every_key_is_a_parameter_and_every_parameter_a_key(self):
        # `allow`, `estimator` and `params` are of scikit-learn's models; check_gradient is done by those who score
        assert set(PARAMETERS) == {*KEYS, "random_state", "warm_start"}

    def test_it_is_explicit(self):
        inexplicit = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        assert not [each for each in PARAMETERS.values() if each.kind in inexplicit or each.default is each.empty]

    def test_the_docstring_names_every_parameter(self):
        section = inspect.getdoc(BPClassifier).partition("Parameters\n")[2].partition("\nAttributes\n")[0]
        names = [name for line in re.findall(r"^([\w, ]+) :", section, re.M) for name in line.split(", ")]
        assert sorted(names) == sorted(PARAMETERS)


class TestDefaults:
    @pytest.mark.parametrize("key", KEYS)
    def test_are_those_of_the_configuration(self, key):
        expected = None if key == "early_stopping" else default_of(key)
        assert PARAMETERS[key].default == expected
        assert type(PARAMETERS[key].default) is type(expected)

    def test_early_stopping_is_off_and_fills_in_the_same_numbers(self, noisy):
        assert EarlyStoppingConfig().patience is None
        explicit = EarlyStoppingConfig(patience=4).model_dump()
        one, other = (BPClassifier(early_stopping=each, epochs=50).fit(*noisy) for each in ({"patience": 4}, explicit))
        np.testing.assert_array_equal(one.parameters_, other.parameters_)

    def test_the_engines_are_the_same(self):
        assert network_settings(check({})) == Settings()

    def test_the_seed(self):
        assert PARAMETERS["random_state"].default == JobConfig().seed == Settings().seed


VALUES = [-1, -0.5, 0, 0.25, 1, 1.5, 2, 7, float("nan"), float("inf"), None, "text", "full", [], [2], [0], [2.5], {}]


@pytest.mark.parametrize("key", [key for key in KEYS if key not in ("early_stopping", "class_weight")])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_what_one_refuses_the_other_refuses_too(key, ex4):
    in_yaml = {repr(value): accepts_in_yaml({KEYS[key]: {key: value}}) for value in VALUES}
    assert in_yaml == {repr(value): accepts_in_python({key: value}, ex4) for value in VALUES}


@pytest.mark.parametrize("key", EarlyStoppingConfig.model_fields)
def test_within_early_stopping_too(key, ex4):
    several = [{"patience": 3, key: value} for value in VALUES]
    in_yaml = {repr(each): accepts_in_yaml({"training": {"early_stopping": each}}) for each in several}
    assert in_yaml == {repr(each): accepts_in_python({"early_stopping": each}, ex4) for each in several}


def accepts_in_yaml(config: Any) -> bool:
    try:
        check(config)
    except ConfigError:
        return False
    return True


def accepts_in_python(parameters: dict[str, Any], table: Any) -> bool:
    try:
        BPClassifier(**{"epochs": 1, **parameters}).fit(*table)
    except ValueError:
        return False
    return True


TRAINING = {"optimizer": "nesterov", "momentum": 0.95, "learning_rate": 0.25, "epochs": 2500, "l2": 0.02}


def made(name: str, classes: int = 3, **training: Any) -> Any:
    model = {"name": name, **({"estimator": "sklearn.naive_bayes.GaussianNB"} if name == "sklearn" else {})}
    job = check({"model": {**model, "init": "zeros" if name != "bp" else "he_normal"}, "training": training})
    return make_model(name, model_parameters(job))


class TestModelsOfAConfiguration:
    @pytest.mark.parametrize("name", kind_of(get_type_hints(ModelConfig, include_extras=True)["name"]).choices)
    @pytest.mark.parametrize("table", ["ex4", "iris"])
    def test_every_model_learns(self, name, table, request):
        x, y = request.getfixturevalue(table)
        model = made(name, epochs=300).fit(x, y)
        assert model.score(x, y) > (0.9 if table == "iris" else 0.75)
        assert model.predict_proba(x).shape == (len(y), len(set(y)))

    def test_every_key_reaches_the_network(self):
        model = {"hidden_layer_sizes": [5, 3], "activation": ["tanh", "relu"], "output": "sigmoid", "init": "normal"}
        training = {
            "optimizer": "adam", "batch_size": 16, "schedule": "plateau", "check_gradient": True, "clip_norm": 2.0,
            "early_stopping": {"patience": 7, "min_delta": 0.1, "validation_fraction": 0.25},
        }  # fmt: skip
        job = check({"model": model, "training": training, "seed": 3})
        parameters = make_model("bp", model_parameters(job)).get_params()
        for key, value in {**model, **training, "random_state": 3}.items():
            if key != "check_gradient":
                assert parameters[key] == (tuple(value) if isinstance(value, list) else value)

    @pytest.mark.parametrize("class_weight", [None, {"0": 1.0, "1": 4.0, "2": 0.5}], ids=["alike", "weighted"])
    def test_logistic_is_one_against_the_rest(self, class_weight, iris):
        x, y = iris
        weight = None if class_weight is None else np.array(list(class_weight.values()))[y]
        model = made("logistic", **TRAINING, class_weight=class_weight).fit(x, y.astype(str))
        m = len(y) if weight is None else weight.sum()
        each = LogisticRegression(C=1 / (0.02 * m), tol=1e-10, solver="newton-cg")
        rest = [each.fit(x, y == code, weight).predict_proba(x)[:, 1] for code in range(3)]
        expected = np.transpose(rest) / np.sum(rest, axis=0)[:, None]
        np.testing.assert_allclose(model.predict_proba(x), expected, atol=1e-6)
        if weight is None:
            reference = OneVsRestClassifier(LogisticRegression(C=1 / (0.02 * m), tol=1e-10, solver="newton-cg"))
            np.testing.assert_allclose(model.predict_proba(x), reference.fit(x, y).predict_proba(x), atol=1e-6)

    def test_a_word_that_is_no_parameter_is_not_passed_over(self):
        with pytest.raises(TypeError, match="learning_rte"):
            make_model("bp", {"learning_rte": 0.1})
