"""``python -m src.predict``: a kept model answers to rows of the user's own, beside MLflow's own way."""

from io import StringIO

import mlflow
import numpy as np
import pandas as pd
import pytest

from src.data import load
from src.run import ROOT
from tests.commandline import command
from tests.stores import Record

COLOURS = ("red", "green", "blue")


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    """A sweep over iris, a run over a table with text and missing values, and one over a table without a header."""
    made = Record.empty(tmp_path_factory.mktemp("predict"))
    swept = ("-m", "data=iris", "model=bp,softmax", "training.epochs=30", "tracking.register=flowers")
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"size": rng.normal(size=60), "colour": rng.choice(COLOURS, 60)})
    table["label"] = np.where(table["size"] + (table["colour"] == "red") > 0, "yes", "no")
    table.loc[::7, "size"] = np.nan
    table.loc[::11, "colour"] = None
    table.to_csv(made.folder / "paint.csv", index=False)
    load("iris").features.assign(kind=load("iris").target).to_csv(made.folder / "bare.csv", index=False, header=False)
    own = ("data=csv", "training.epochs=30")
    for ended in (
        made.run(*swept, "tracking.experiment=iris"),
        made.run(*own, "data.path=paint.csv", "data.missing=impute", "tracking.experiment=paint"),
        made.run(*own, "data.path=bare.csv", "data.header=false", "tracking.experiment=bare"),
    ):
        assert ended.status == 0, ended.err
    return made


def runs(record, experiment):
    """A sweep's run and its jobs' by the model's name, or a single run."""
    found = record.client.search_runs([record.client.get_experiment_by_name(experiment).experiment_id])
    return {run.data.params.get("model.name", "sweep"): run.info.run_id for run in found}


def model_of(record, experiment, run_id):
    """What MLflow knows of the model that a run keeps."""
    found = record.client.search_logged_models([record.client.get_experiment_by_name(experiment).experiment_id])
    (model,) = [model for model in found if model.source_run_id == run_id]
    return model


@pytest.fixture
def flowers(record):
    """Whole numbers, in another order of the columns, with one that the model does not take."""
    rows = load("iris").features.round().astype(int).iloc[::30, ::-1].assign(id=range(100, 105))
    rows.to_csv(record.folder / "rows.csv", index=False)
    return rows


def predicted(record, *arguments):
    ended = record.run(*arguments, module="src.predict")
    assert ended.status == 0, ended.err
    return pd.read_csv(StringIO(ended.out))


def test_a_run_s_model_answers_as_mlflow_loads_it(record, flowers):
    found = predicted(record, runs(record, "iris")["softmax"], "rows.csv")
    model = model_of(record, "iris", runs(record, "iris")["softmax"])
    expected = mlflow.pyfunc.load_model(model.artifact_location).predict(flowers)  # whole numbers too
    pd.testing.assert_frame_equal(
        found.drop(columns=flowers.columns), expected, check_dtype=False, check_column_type=False
    )
    pd.testing.assert_frame_equal(found[flowers.columns], flowers.reset_index(drop=True), check_column_type=False)


def test_sweep_run_address_and_folder_name_the_same_model(record, flowers):
    best = record.client.get_run(runs(record, "iris")["sweep"]).data.tags["best_run"]
    model = model_of(record, "iris", best)
    named = [runs(record, "iris")["sweep"], best, "models:/flowers/1", model.model_uri, model.artifact_location]
    first, *others = [predicted(record, name, "rows.csv") for name in named]
    assert len(first) == len(flowers)
    for other in others:
        pd.testing.assert_frame_equal(other, first)


@pytest.mark.parametrize("address", ["models:/flowers/1", "models:/flowers/latest", "models:/flowers@best"])
def test_an_address_is_looked_up_in_the_store_that_is_named_not_in_the_environment_s(
    record, flowers, address, monkeypatch
):
    record.client.set_registered_model_alias("flowers", "best", "1")
    expected = predicted(record, runs(record, "iris")["sweep"], "rows.csv")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{record.folder / 'other.db'}")
    ended = command(address, str(record.folder / "rows.csv"), "--uri", record.uri, module="src.predict")
    assert ended.status == 0, ended.err
    pd.testing.assert_frame_equal(pd.read_csv(StringIO(ended.out)), expected)
    assert not (record.folder / "other.db").exists()


def test_every_choice_of_a_model_keeps_one_that_answers(tmp_path):
    record = Record.empty(tmp_path)
    choices = sorted(file.stem for file in (ROOT / "conf" / "model").glob("*.yaml"))
    swept = record.run("-m", f"model={','.join(choices)}", "tracking.models=all", "training.epochs=5", "cv.folds=2")
    assert swept.status == 0, swept.err
    load("ex4").features.head().to_csv(tmp_path / "rows.csv", index=False)
    jobs = [run for run in record.client.search_runs(["1"]) if "model.name" in run.data.params]
    assert len(jobs) == len(choices) - 1  # model=sklearn is a random forest
    for run in jobs:
        assert len(predicted(record, run.info.run_id, "rows.csv")) == 5


def test_what_a_command_prints_at_its_end_answers(tmp_path):
    record = Record.empty(tmp_path)
    load("ex4").features.to_csv(tmp_path / "rows.csv", index=False)
    ended = record.run("training.epochs=5")
    (typed,) = [line for line in ended.out.splitlines() if line.startswith("New rows: python -m src.predict ")]
    assert len(predicted(record, *typed.split()[5:])) == 80
    assert "New rows" not in record.single("training.epochs=6").out  # no model is kept


def test_answers_go_to_a_file(record, flowers):
    run = runs(record, "iris")["bp"]
    printed = record.run(run, "rows.csv", module="src.predict").out
    ended = record.run(run, "rows.csv", "-o", "answers.csv", module="src.predict")
    assert (ended.status, ended.out) == (0, "Written to answers.csv\n")
    assert (record.folder / "answers.csv").read_text() == printed


def test_answers_are_not_answered_to_again(record, flowers):
    run = runs(record, "iris")["bp"]
    assert record.run(run, "rows.csv", "-o", "first.csv", module="src.predict").status == 0
    ended = record.run(run, "first.csv", module="src.predict")
    assert (ended.status, ended.out) == (2, "")
    names = "'predicted', 'probability setosa', 'probability versicolor', 'probability virginica'"
    assert ended.err == (
        f"error: first.csv, columns {names}: what a model answers is called so too; remove or rename them.\n"
    )


def test_missing_values_are_filled_in_where_the_model_learned_to(record):
    rows = "colour,size\nred,\n?,2\npurple,1\n"
    (record.folder / "holes.csv").write_text(rows)
    ended = record.run(runs(record, "paint")["bp"], "holes.csv", module="src.predict")
    assert ended.status == 0
    assert "column 'colour': 1 value that the model was not trained with ('purple')" in ended.err
    answers = pd.read_csv(StringIO(ended.out), keep_default_na=False)
    assert answers["colour"].tolist() == ["red", "?", "purple"]
    assert set(answers["predicted"]) <= {"yes", "no"}
    np.testing.assert_allclose(answers[["probability no", "probability yes"]].astype(float).sum(axis=1), 1)


def test_a_table_without_a_header(record):
    load("iris").features.head(3).to_csv(record.folder / "three.tsv", index=False, header=False, sep="\t")
    answers = predicted(record, runs(record, "bare")["bp"], "three.tsv", "--no-header", "--separator", "\t")
    assert answers["predicted"].tolist() == [0, 0, 0]
    typed = predicted(record, runs(record, "bare")["bp"], "three.tsv", "--no-header", "--separator", r"\t")
    pd.testing.assert_frame_equal(typed, answers)


@pytest.mark.parametrize(
    "rows, said",
    [
        ("sepal length (cm),sepal width (cm),petal length (cm)\n1,2,3\n", "there is no column 'petal width (cm)'"),
        (
            "sepal length (cm),sepal width (cm),petal length (cm),petal width cm\n1,2,3,4\n",
            "Did you mean 'petal width cm'?",
        ),
        (
            "sepal length (cm),sepal width (cm),petal length (cm),petal width (cm)\n1,2,3,long\n",
            "line 2, column 'petal width (cm)': the text 'long' among numbers",
        ),
        (
            "sepal length (cm),sepal width (cm),petal length (cm),petal width (cm)\n1,2,,4\n",
            "train a model with data.missing=impute",
        ),
        ("", "ROWS.csv: bad.csv is empty"),
        ("a\n", "bad.csv has a header and no rows; a table with a row for each sample is needed. If the file has no"),
        ("a,a\n1,2\n", "give each its own name, or say --no-header if the file has no header."),
        ("a;b\n1;2\n", "set --separator ';'"),
        ("a\tb\n1\t2\n", r"set --separator '\t'"),
        ("a\n1\n", "there is no column 'sepal length (cm)'"),
    ],
    ids=[
        *("missing column", "misspelt column", "text", "missing value", "empty"),
        *("no rows", "repeated", "separator", "tab", "one column"),
    ],
)
def test_rows_that_do_not_fit_are_told_in_a_sentence(record, rows, said):
    (record.folder / "bad.csv").write_text(rows)
    ended = record.run(runs(record, "iris")["bp"], "bad.csv", module="src.predict")
    assert (ended.status, ended.out) == (2, "")
    assert said in ended.err
    assert ended.err.startswith("error: ")
    assert "data." not in ended.err.replace("train a model with data.missing=impute", "")  # it has no keys


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["nosuch.csv"], "error: ROWS.csv: there is no file nosuch.csv."),
        (["rows.csv", "--separator", "::"], "error: --separator: '::' cannot separate cells"),
        (["three.csv", "--no-header"], "line 1, column 'x0': the text 'a' among numbers: leave out --no-header if"),
    ],
)
def test_arguments_are_called_as_they_are_typed(record, flowers, arguments, said):
    (record.folder / "three.csv").write_text("a,b,c,d\n1,2,3,4\n")
    ended = record.run(runs(record, "bare")["bp"], *arguments, module="src.predict")
    assert (ended.status, ended.out) == (2, "")
    assert said in ended.err


def test_a_model_of_one_column_answers_to_a_file_of_one(record):
    table = pd.DataFrame({"size": range(20), "label": ["small"] * 10 + ["large"] * 10})
    table.to_csv(record.folder / "sizes.csv", index=False)
    table[["size"]].to_csv(record.folder / "column.csv", index=False)
    made = record.run("data=csv", "data.path=sizes.csv", "model=logistic", "tracking.experiment=sizes")
    assert made.status == 0, made.err
    answers = predicted(record, runs(record, "sizes")["logistic"], "column.csv")
    assert answers["predicted"].tolist() == table["label"].tolist()


def test_models_that_are_not_there_are_told_in_a_sentence(record, flowers, tmp_path):
    (tmp_path / "MLmodel").write_text("flavors: {}\n")
    kept = record.single("data=iris", "training.epochs=5", "tracking.experiment=none")
    assert kept.status == 0
    for name, said in {
        "nosuch": "there is no run 'nosuch'",
        "models:/nosuch/1": "nosuch",
        str(tmp_path): "is none that this program has kept",
        runs(record, "none")["bp"]: "keeps no model",
    }.items():
        ended = record.run(name, "rows.csv", module="src.predict")
        assert (ended.status, ended.out) == (2, "")
        assert said in ended.err


def test_the_jobs_of_several_data_sets_that_keep_models_are_named(record):
    made = record.run("-m", "model=logistic", "data=iris,ex4", "training.epochs=5", "tracking.experiment=several")
    assert made.status == 0, made.err
    (parent,) = record.parents("several")
    ended = record.run(parent.info.run_id, "rows.csv", module="src.predict")
    assert ended.status == 2
    for job in record.children(parent):
        assert job.info.run_id in ended.err
