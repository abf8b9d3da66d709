"""What varies, and what things are called because of it."""

from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from src.comparison import naming
from src.comparison.naming import (
    MODELS,
    by_data,
    candidate_names,
    data_name,
    distinct,
    job_label,
    label_of,
    model_label,
    numbers,
    setting_text,
    short_keys,
    value_text,
    varying,
)
from src.config import canonical, check, flatten
from tests.sweeps import Given, job_of, model

MOST = 6


def flats(*keys: dict[str, Any]) -> list[dict[str, Any]]:
    return [job_of(Given({"model.name": "bp", **each})).flat for each in keys]


@pytest.mark.parametrize(
    "value, text",
    [
        (0.001, "0.001"),
        (1.0, "1"),
        (1e-5, "1e-05"),
        (0.1 + 0.2, "0.3"),
        (3, "3"),
        ([4, 4], "[4, 4]"),
        ([], "[]"),
        (None, "null"),
        (True, "true"),
        ("sigmoid", "sigmoid"),
        ("1.0", "1.0"),
        ({"a": 2.0}, "{a: 2}"),
    ],
)
def test_a_value_reads_as_the_configuration_spells_it(value: object, text: str) -> None:
    assert value_text(value) == text


def test_what_varies_comes_data_first_then_the_model_then_most_values_first() -> None:
    jobs = [
        job_of(
            Given(
                {"model.name": name, "training.learning_rate": rate, "training.l2": l2, "training.epochs": epochs},
                dataset=data,
            )
        ).flat
        for name in ("bp", "softmax")
        for data in ("iris", "wine")
        for rate, epochs in ((0.1, 100), (0.2, 200))
        for l2 in (0.0, 0.1, 0.2)
    ]
    expected = ["data.name", "model.name", "training.l2", "training.learning_rate", "training.epochs"]
    assert [key for key in varying(jobs) if not key.startswith("data.") or key == "data.name"] == expected
    assert varying(jobs[:1]) == varying([]) == []


def test_what_follows_from_the_model_or_is_of_no_use_does_not_vary() -> None:
    jobs = flats(
        {"model.hidden_layer_sizes": [4]},
        {"model.name": "softmax", "model.init": "zeros"},
        {"model.name": "sklearn_logistic"},
    )
    assert varying(jobs) == ["model.name"]
    two_sizes = flats(
        {"model.hidden_layer_sizes": [4]}, {"model.hidden_layer_sizes": [4, 4]}, {"model.name": "softmax"}
    )
    assert varying(two_sizes) == ["model.name", "model.hidden_layer_sizes"]
    # An optimizer's own numbers vary only among the jobs that have them.
    optimizers = flats({"training.optimizer": "adam", "training.beta1": 0.8}, {"training.optimizer": "sgd"})
    assert varying(optimizers) == ["training.optimizer"]


@pytest.mark.parametrize("key", ["sweep.n_jobs", "tracking.curve_points", "comparison.confidence"])
def test_where_a_job_is_run_and_what_is_asked_of_it_never_vary(key: str) -> None:
    values = {"comparison.confidence": (0.9, 0.8)}.get(key, (2, 3))
    assert varying(flats(*({key: value} for value in values))) == []


def test_numbers_are_ordered_words_stay_as_they_come() -> None:
    jobs = flats(
        {"training.l2": 0.1, "training.batch_size": 32, "training.optimizer": "sgd"},
        {"training.l2": 0.0, "training.batch_size": "full", "training.optimizer": "adam"},
        {"training.l2": 1, "training.batch_size": 8, "training.optimizer": "adam"},
    )
    assert distinct(jobs, "training.l2") == [0, 0.1, 1]
    assert distinct(jobs, "training.batch_size") == [32, "full", 8]
    assert distinct(jobs, "training.optimizer") == ["sgd", "adam"]
    assert numbers(jobs) == ["training.l2"]


def test_keys_are_as_short_as_they_can_be() -> None:
    assert short_keys(["training.l2", "model.name", "training.early_stopping.patience", "training.decay"]) == {
        "training.l2": "l2",
        "model.name": "model.name",
        "training.early_stopping.patience": "patience",
        "training.decay": "decay",
    }
    assert list(short_keys(["a.rate", "b.rate"]).values()) == ["a.rate", "b.rate"]
    (flat,) = flats({"training.l2": 0.001, "training.learning_rate": 1})
    assert setting_text(flat, ["training.learning_rate", "training.l2", "training.rho"]) == "learning_rate=1, l2=0.001"
    assert job_label(flat, ["data.name", "model.name", "training.l2"]) == "bp (l2=0.001)"


@pytest.mark.parametrize(
    "key, values, names",
    [
        ("model.hidden_layer_sizes", [[], [4], [4, 4]], ["[]", "[4]", "[4, 4]"]),
        ("training.batch_size", [1, 32, "full"], ["batch_size=1", "batch_size=32", "batch_size=full"]),
        ("training.learning_rate", [0.1, 0.3, 1], ["learning_rate=0.1", "learning_rate=0.3", "learning_rate=1"]),
        ("training.check_gradient", [True, False], ["check_gradient=true", "check_gradient=false"]),
        ("data.scale", ["none", "minmax"], ["none", "minmax"]),
        ("seed", [0, 1, 2], ["bp", "bp", "bp"]),
    ],
)
def test_what_candidates_are_called(key: str, values: list[object], names: list[str]) -> None:
    assert candidate_names(flats(*({key: value} for value in values)), MOST) == names


def test_choices_are_called_by_their_words_where_these_cannot_be_confused() -> None:
    apart = flats(
        {"model.output": "sigmoid", "model.loss": "squared_error"},
        {"model.output": "softmax", "model.loss": "cross_entropy"},
    )
    assert [set(name.split(" + ")) for name in candidate_names(apart, MOST)] == [
        {"sigmoid", "squared_error"},
        {"softmax", "cross_entropy"},
    ]
    alike = flats(
        {"model.output": "sigmoid", "model.activation": "sigmoid"},
        {"model.output": "softmax", "model.activation": "relu"},
    )
    assert [set(name.split(", ")) for name in candidate_names(alike, MOST)] == [
        {"output=sigmoid", "activation=sigmoid"},
        {"output=softmax", "activation=relu"},
    ]


def test_a_model_of_scikit_learn_is_called_by_its_choice_else_by_its_class() -> None:
    def estimator(name: str, inner: str | None = None) -> dict[str, object]:
        params = {} if inner is None else {"estimator": {"estimator": f"sklearn.{inner}"}}
        return flatten(
            canonical(check({"model": {"name": "sklearn", "estimator": f"sklearn.{name}", "params": params}}))
        )

    calibrated = "calibration.CalibratedClassifierCV"
    jobs = [
        estimator("ensemble.RandomForestClassifier"),
        estimator("tree.DecisionTreeClassifier"),
        estimator(calibrated, "svm.SVC"),
        estimator(calibrated, "svm.LinearSVC"),
    ]
    names = ["random_forest", "DecisionTreeClassifier", "svm", "CalibratedClassifierCV(LinearSVC)"]
    assert candidate_names(jobs, MOST) == names
    assert [job_label(flat, varying(jobs[:2])) for flat in jobs[:2]] == names[:2]


def test_each_choice_of_a_model_is_what_it_is_called() -> None:
    with initialize_config_dir(str(MODELS.parent), version_base="1.3"):
        for choice in {file.stem for file in MODELS.glob("*.yaml")} - {"sklearn"}:
            composed = OmegaConf.to_container(compose("config", [f"model={choice}"]), resolve=True)
            job = check({"model": composed["model"]})
            assert model_label(flatten(canonical(job))) == label_of(choice) == choice


def test_a_model_may_be_named_by_its_class_too() -> None:
    assert label_of("CalibratedClassifierCV(SVC)") == "svm"
    assert label_of("KNeighborsClassifier") == "knn"
    assert label_of("NuSVC") == "NuSVC"


def test_two_choices_of_one_class_are_both_called_by_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their jobs are one candidate, which neither of the names tells."""
    for name in ("few", "many"):
        (tmp_path / f"{name}.yaml").write_text("estimator: sklearn.tree.ExtraTreeClassifier\n", encoding="utf-8")
    monkeypatch.setattr(naming, "MODELS", tmp_path)
    naming._choices.cache_clear()
    try:
        assert label_of("few") == label_of("many") == label_of("ExtraTreeClassifier") == "ExtraTreeClassifier"
    finally:
        naming._choices.cache_clear()


def test_many_settings_or_a_nested_choice_are_one_model() -> None:
    rates = [{"training.learning_rate": rate} for rate in range(1, 8)]
    assert set(candidate_names(flats(*rates), MOST)) == {"bp"}
    assert set(candidate_names(flats(*({**each, "cv.inner_folds": 3} for each in rates[:2])), MOST)) == {"bp"}
    assert candidate_names(flats(*rates[:2]), MOST) == ["learning_rate=1", "learning_rate=2"]


def test_data_sets_of_the_same_name_are_told_apart_by_their_content() -> None:
    assert data_name(check({"data": {"name": "csv", "path": "/x/my.data.csv"}}).data) == "my.data"
    assert data_name(check({}).data) == "ex4"
    sets = [("my", "ab" * 32), ("iris", "cd" * 32), ("my", "ef" * 32), ("my", "ab" * 32)]
    one, two, three, four = jobs = [job_of(model("bp", (0.8,) * 5, dataset=name, data=digest)) for name, digest in sets]
    assert by_data(jobs) == {"my abababab": [one, four], "iris": [two], "my efefefef": [three]}
    assert job_of(model("bp", (0.8,) * 5, dataset="my")).data == "my"
