import fractions
import importlib
import importlib.metadata
import io
import json
import pydoc
import re
import signal
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from src.data import load, make_preprocessor
from src.folders import ROOT
from src.models import BPClassifier
from src.models.kept import skops_io, write_pipeline
from src.tracking import models, pyfunc, reading
from src.tracking.errors import TrackingError
from src.tracking.runs import add_files
from src.tracking.store import Store
from tests.processes import OUT_OF_SIGHT
from tests.servers import free_port
from tests.tracking.conftest import logged


@pytest.fixture(scope="module")
def iris():
    return load("iris")


def fitted(dataset, model):
    labels = np.array(dataset.class_names)[dataset.target]
    return Pipeline([("preprocess", make_preprocessor(dataset, "standard", "refuse")), ("model", model)]).fit(
        dataset.features, labels
    )


@pytest.fixture
def run_id(store, sweep, make_job):
    return logged(store, sweep, make_job())


@pytest.fixture
def as_default(store):
    """MLflow's own functions look in the default store."""
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(store.address)
    yield
    mlflow.set_tracking_uri(before)


MODELS = {
    "network": lambda: BPClassifier((3,), epochs=30, optimizer="adam", learning_rate=0.05, early_stopping=None),
    "stopped early": lambda: BPClassifier(
        epochs=30, early_stopping={"patience": 3, "min_delta": 0.0, "validation_fraction": 0.2}
    ),
    "logistic regression": lambda: LogisticRegression(),
    "forest": lambda: RandomForestClassifier(5, random_state=0),
}


@pytest.mark.parametrize("kind", MODELS)
def test_a_model_answers_as_the_pipeline_it_was_made_of(store, run_id, iris, as_default, kind):
    pipeline = fitted(iris, MODELS[kind]())
    order = iris.class_names[::-1]
    address = models.log_model(store, run_id, pipeline, iris.features, order)
    loaded = mlflow.pyfunc.load_model(address)
    answer = loaded.predict(iris.features)
    assert list(answer.columns) == ["predicted", *(f"probability {name}" for name in order)]
    assert answer["predicted"].tolist() == pipeline.predict(iris.features).tolist()
    expected = pipeline.predict_proba(iris.features)
    for name in order:
        column = expected[:, list(pipeline.classes_).index(name)]
        assert answer[f"probability {name}"].to_numpy().tobytes() == np.ascontiguousarray(column).tobytes()


def test_the_run_records_what_the_model_answers_to_ten_rows(store, run_id, iris, as_default):
    models.log_model(store, run_id, fitted(iris, MODELS["network"]()), iris.features, iris.class_names)
    recorded = pd.read_csv(io.BytesIO(reading.artifact(store, reading.get_run(store, run_id), "model_example.csv")))
    assert len(recorded) == 10
    loaded = mlflow.pyfunc.load_model(f"runs:/{run_id}/model")
    pd.testing.assert_frame_equal(
        loaded.predict(recorded[list(iris.features.columns)]), recorded[recorded.columns[4:]], check_dtype=False
    )


def test_where_there_is_a_model_there_are_its_answers_whatever_was_cut_off(store, run_id, iris, monkeypatch):
    def cut_off(*_):
        raise KeyboardInterrupt

    pipeline = fitted(iris, LogisticRegression())
    with monkeypatch.context() as patch:
        patch.setattr(store, "add_model", cut_off)
        with pytest.raises(KeyboardInterrupt):
            models.log_model(store, run_id, pipeline, iris.features, iris.class_names)
    run = reading.get_run(store, run_id)
    assert models.logged_model(store, run_id) is None  # so that the same command keeps it
    assert reading.artifact(store, run, "model_example.csv")
    models.log_model(store, run_id, pipeline, iris.features, iris.class_names)
    assert len(pd.read_csv(io.BytesIO(reading.artifact(store, run, "model_example.csv")))) == 10


def test_the_signature_says_which_columns_are_numbers_and_which_text(store, run_id, tmp_path, as_default):
    path = tmp_path / "people.csv"
    rows = [f"{20 + i},{'red' if i % 3 else 'blue'},{'yes' if i % 2 else 'no'}" for i in range(20)]
    path.write_text("age,colour,bought\n" + "\n".join(rows))
    people = load("csv", path=path)
    pipeline = fitted(people, BPClassifier(epochs=20))
    loaded = mlflow.pyfunc.load_model(models.log_model(store, run_id, pipeline, people.features, people.class_names))
    kinds = {column["name"]: column["type"] for column in loaded.metadata.signature.inputs.to_dict()}
    assert kinds == {"age": "any", "colour": "string"}
    answer = loaded.predict(pd.DataFrame({"colour": ["red", "green"], "age": [30.0, 31.0]}))
    expected = pipeline.predict_proba(pd.DataFrame({"age": [30.0, 31.0], "colour": ["red", "green"]}))
    assert answer[["probability no", "probability yes"]].to_numpy() == pytest.approx(expected)


def test_nothing_of_a_model_is_pickled_and_its_requirements_are_exact(iris, tmp_path):
    pyfunc.save_model(tmp_path / "model", fitted(iris, MODELS["network"]()), iris.features, iris.class_names)
    names = {path.name for path in (tmp_path / "model").rglob("*")}
    assert not {name for name in names if name.endswith((".pkl", ".pickle", ".pyc", ".joblib"))}
    with zipfile.ZipFile(tmp_path / "model" / "artifacts" / "pipeline.skops") as archive:
        assert {Path(name).suffix for name in archive.namelist()} == {".npy", ".json"}
    requirements = (tmp_path / "model" / "requirements.txt").read_text().splitlines()
    exact = dict(line.split("==") for line in requirements)
    modules = {name: importlib.import_module({"scikit-learn": "sklearn"}.get(name, name)) for name in exact}
    assert exact == {name: module.__version__ for name, module in modules.items()}
    locked = set(re.findall(r"^([\w-]+)==", (ROOT / "requirements.lock").read_text(), re.M))
    assert exact.keys() <= locked


def test_an_environment_without_pip_and_setuptools_keeps_models_too(tmp_path, monkeypatch):
    def version(name):
        if name in ("pip", "setuptools", "wheel"):
            raise importlib.metadata.PackageNotFoundError(name)
        return importlib.metadata.version(name)

    monkeypatch.setattr(pyfunc, "version", version)
    monkeypatch.setattr(pyfunc, "_environment", pyfunc._environment.__wrapped__)  # which asks once for all models
    people = load("ex4")
    pyfunc.save_model(tmp_path / "model", fitted(people, BPClassifier(epochs=5)), people.features, people.class_names)
    described = yaml.safe_load((tmp_path / "model" / "python_env.yaml").read_text())
    assert described["build_dependencies"] == ["pip", "setuptools", "wheel"]


@pytest.mark.filterwarnings("ignore")
def test_a_model_is_the_folder_that_mlflow_would_write(tmp_path):
    table = tmp_path / "people.csv"
    rows = [f"{20 + i},{'red' if i % 3 else 'blue'},{'yés' if i % 2 else 'no'}" for i in range(20)]
    table.write_text("age,colour,bought\n" + "\n".join(rows))
    people = load("csv", path=table)
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    pyfunc.save_model(ours, fitted(people, BPClassifier(epochs=5)), people.features, people.class_names, run_id="r")
    example = people.features.head(10)
    answers = pd.DataFrame({"predicted": ["no"], "probability no": [0.5], "probability yés": [0.5]})
    mlflow.pyfunc.save_model(
        path=theirs,
        python_model=str(pyfunc.SCRIPT),
        artifacts={"pipeline": str(ours / "artifacts" / "pipeline.skops")},
        model_config={"class_names": list(people.class_names)},
        signature=mlflow.models.infer_signature(example, answers),
        input_example=example,
        pip_requirements=(ours / "requirements.txt").read_text().splitlines(),
        code_paths=[str(ours / "code" / "src")],
        mlflow_model=mlflow.models.Model(run_id="r"),
    )

    def described(folder):
        said = mlflow.models.Model.load(folder).to_dict()
        flavor = said["flavors"]["python_function"]
        flavor["model_code_path"] = Path(flavor["model_code_path"]).name
        del flavor["artifacts"]["pipeline"]["uri"], said["model_uuid"], said["utc_time_created"]
        assert said.pop("model_size_bytes") > 10_000  # the spaces in a JSON file may be others
        said["signature"] = {key: json.loads(text or "null") for key, text in said["signature"].items()}
        for column in said["signature"]["inputs"]:
            column["type"] = {"double": "any"}.get(column["type"], column["type"])  # whole numbers are taken too
        return said

    def contents(folder):
        files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        read = {".json": json.loads, ".yaml": yaml.safe_load}
        return {
            name: read.get(Path(name).suffix, bytes)(content) for name, content in files.items() if name != "MLmodel"
        }

    assert described(ours) == described(theirs)
    assert contents(ours) == contents(theirs)


def test_a_file_that_holds_anything_but_a_pipeline_is_not_loaded(iris, tmp_path):
    pyfunc.save_model(tmp_path / "model", fitted(iris, MODELS["network"]()), iris.features, iris.class_names)
    write_pipeline(fractions.Fraction(1, 2), tmp_path / "model" / "artifacts" / "pipeline.skops")
    with pytest.raises(skops_io().exceptions.UntrustedTypesFoundException, match="Fraction"):
        mlflow.pyfunc.load_model(str(tmp_path / "model"))


@pytest.mark.parametrize(
    "named", ["numpy.f2py.crackfortran.myeval", "numpy.memmap", "numpy.sin", "sklearn.linear_model.LogisticRegression"]
)
def test_a_pipeline_that_would_call_what_it_names_on_its_rows_is_not_loaded(iris, tmp_path, named):
    """Held by an estimator of scikit-learn: a function that evaluates text, a class that writes files, any other."""
    pyfunc.save_model(tmp_path / "model", fitted(iris, MODELS["network"]()), iris.features, iris.class_names)
    called = pydoc.locate(named)
    hostile = make_pipeline(CountVectorizer(preprocessor=called), LogisticRegression())
    write_pipeline(hostile, tmp_path / "model" / "artifacts" / "pipeline.skops")
    with pytest.raises(skops_io().exceptions.UntrustedTypesFoundException, match=named.rpartition(".")[2]):
        mlflow.pyfunc.load_model(str(tmp_path / "model"))


def test_a_model_file_that_may_unpack_to_any_size_is_not_loaded(iris, tmp_path):
    pyfunc.save_model(tmp_path / "model", fitted(iris, MODELS["network"]()), iris.features, iris.class_names)
    file = tmp_path / "model" / "artifacts" / "pipeline.skops"
    with zipfile.ZipFile(file) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    with pytest.raises(skops_io().exceptions.UntrustedTypesFoundException, match=r"schema\.json"):
        mlflow.pyfunc.load_model(str(tmp_path / "model"))


def test_a_model_belongs_to_its_run_and_can_be_registered_twice(store, run_id, iris, as_default):
    address = models.log_model(store, run_id, fitted(iris, MODELS["network"]()), iris.features, iris.class_names)
    outputs = store.client.get_run(run_id).outputs.model_outputs
    assert [f"models:/{output.model_id}" for output in outputs] == [address]
    assert [models.register_model(store, "best", address, run_id, note="the best") for _ in range(2)] == [1, 2]
    version = store.client.get_model_version("best", "1")
    assert (version.run_id, version.description) == (run_id, "the best")
    by_name = mlflow.pyfunc.load_model("models:/best/2").predict(iris.features.head(3))
    pd.testing.assert_frame_equal(by_name, mlflow.pyfunc.load_model(address).predict(iris.features.head(3)))


@pytest.mark.parametrize("by_tables", [True, False])
def test_a_model_that_cannot_be_kept_is_told_and_is_none_or_marked_as_failed(
    store, run_id, iris, monkeypatch, by_tables
):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pyfunc, "write_pipeline", full)
    used = store if by_tables else Store(store.address)
    with pytest.raises(TrackingError, match=r"cannot be kept: .*No space left on device"):
        models.log_model(used, run_id, fitted(iris, MODELS["network"]()), iris.features, iris.class_names)
    assert models.logged_model(store, run_id) is None
    found = store.client.search_logged_models([reading.get_run(store, run_id).experiment_id])
    assert [model.status.name for model in found if model.source_run_id == run_id] == ([] if by_tables else ["FAILED"])


def test_a_model_of_a_run_that_is_not_there_is_told(store, iris):
    with pytest.raises(TrackingError, match="there is no run '0123'"):
        models.log_model(store, "0123", None, iris.features, iris.class_names)


def test_files_are_added_to_a_run_that_has_ended(store, run_id):
    add_files(store, run_id, {"figures/a.png": b"a"})
    assert reading.artifact(store, reading.get_run(store, run_id), "figures/a.png") == b"a"


# It starts uvicorn through a shell.
SERVE = f"""
import shlex, subprocess
from tests.processes import Forked
def served(command, **how):
    shell, option, line = command
    assert (shell, option, line[:5]) == ("bash", "-c", "exec "), command
    return Forked([sys.executable, "-m", *shlex.split(line)[1:]], **how)
subprocess.Popen = served
{OUT_OF_SIGHT}
runpy.run_module("mlflow", run_name="__main__", alter_sys=True)
"""


def test_a_served_model_answers_and_needs_of_this_project_only_what_lies_beside_it(
    store, run_id, iris, tmp_path, commands
):
    pipeline = fitted(iris, MODELS["network"]())
    address = models.log_model(store, run_id, pipeline, iris.features, iris.class_names)
    port = free_port()
    server = commands.start(
        tmp_path,
        *("models", "serve", "-m", address, "--env-manager", "local", "--port", str(port)),
        program=SERVE,
        environment={"MLFLOW_TRACKING_URI": store.address},
    )
    try:
        rows = iris.features.head(10)
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/invocations",
            json.dumps({"dataframe_split": rows.to_dict("split")}).encode(),
            {"Content-Type": "application/json"},
        )
        answer = _when_up(request, server)
    finally:
        server.send(signal.SIGTERM, to_all=True)
        server.wait()
    probabilities = pipeline.predict_proba(rows)
    for row, expected, predicted in zip(answer["predictions"], probabilities, pipeline.predict(rows), strict=True):
        assert row == {"predicted": predicted} | {
            f"probability {name}": value for name, value in zip(pipeline.classes_, expected, strict=True)
        }


def _when_up(request, server):
    for _ in range(600):
        assert not server.ended(), server.err
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError:
            raise
        except urllib.error.URLError:
            time.sleep(0.1)
    raise AssertionError("the server did not come up")
