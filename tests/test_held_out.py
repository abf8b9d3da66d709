"""``data.test=FILE``: the kept models are scored once, on rows that had no part in training or choice."""

import json
from io import StringIO

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from src.data import frames
from src.experiment import compare, run, sweep
from src.tracking.records import DATA_DIGEST, HELD_OUT, JOB_DIGEST
from tests.stores import Record, leave_figures_empty

OWN = ("data=csv", "data.path=learn.csv", "training.epochs=20", "cv.folds=3")
TESTED = (*OWN, "data.test=test.csv")
METRICS = ("accuracy", "log_loss", "macro_f1", "roc_auc")


@pytest.fixture(scope="module")
def table():
    """A hundred noisy rows of two classes, of which the last forty are held out."""
    random = np.random.default_rng(1)
    rows = pd.DataFrame(random.normal(size=(100, 3)), columns=["a", "b", "c"])
    rows["kind"] = np.where(rows["a"] + rows["b"] + random.normal(size=100) > 0, "yes", "no")
    return rows


def prepare(folder, table):
    """An empty store, and beside it the two files; the second has its columns in another order, and one more."""
    table[:60].to_csv(folder / "learn.csv", index=False)
    table[60:].assign(remark="x")[["kind", "remark", "c", "a", "b"]].to_csv(folder / "test.csv", index=False)
    return Record.empty(folder)


@pytest.fixture(scope="module")
def study(tmp_path_factory, table):
    """A sweep of three models, its parent run and its jobs' by the model's name and λ."""
    record = prepare(tmp_path_factory.mktemp("held_out"), table)
    ended = record.run("-m", *TESTED, "model=bp,softmax,sklearn_logistic", "training.l2=0.01,0.3")
    assert ended.status == 0, ended.err
    (parent,) = record.parents()
    jobs = {(job.data.params["model.name"], job.data.params["training.l2"]): job for job in record.children(parent)}
    return record, ended, parent, jobs


def words(text):
    return " ".join(text.split())


def held_out(job):
    return {key.removeprefix("held_out/"): value for key, value in job.data.metrics.items() if key.startswith("held_")}


def answers(record, job):
    """What the model that a run keeps says of the file, beside the truth."""
    ended = record.run(job.info.run_id, "test.csv", module="src.predict")
    assert ended.status == 0, ended.err
    return pd.read_csv(StringIO(ended.out))


def test_each_kept_model_and_no_other_has_scikit_learn_s_scores_on_the_file(study):
    record, _, _, jobs = study
    tested = {name: job for name, job in jobs.items() if HELD_OUT in job.data.tags}
    assert sorted(name for name, _ in tested) == ["bp", "sklearn_logistic", "softmax"]
    for job in tested.values():
        told = answers(record, job)
        truth, yes = told["kind"], told["probability yes"]
        expected = {
            "accuracy": accuracy_score(truth, told["predicted"]),
            "log_loss": log_loss(truth, told[["probability no", "probability yes"]], labels=["no", "yes"]),
            "macro_f1": f1_score(truth, told["predicted"], average="macro"),
            "roc_auc": roc_auc_score(truth == "yes", yes),
        }
        found = held_out(job)
        assert {name: found[name] for name in METRICS} == pytest.approx(expected, abs=1e-12)
    assert not any(held_out(job) for name, job in jobs.items() if name not in tested)


def test_the_model_is_fitted_on_all_rows_of_the_first_file_alone(study, table):
    _, _, _, jobs = study
    ((_, penalty), job), *_ = [each for each in jobs.items() if each[0][0] == "sklearn_logistic" and held_out(each[1])]
    learned, test = table[:60], table[60:]
    fitted = make_pipeline(StandardScaler(), LogisticRegression(C=1 / (float(penalty) * 60), tol=1e-10, max_iter=9999))
    fitted.fit(learned[["a", "b", "c"]], learned["kind"])
    probabilities = fitted.predict_proba(test[["a", "b", "c"]])
    assert held_out(job)["accuracy"] == fitted.score(test[["a", "b", "c"]], test["kind"])
    assert held_out(job)["log_loss"] == pytest.approx(log_loss(test["kind"], probabilities), abs=1e-6)


def test_the_chosen_model_s_scores_stand_with_the_sweep(study):
    record, _, parent, _ = study
    best = record.client.get_run(parent.data.tags["best_run"])
    assert held_out(best)
    assert held_out(parent) == held_out(best)
    assert parent.data.tags[HELD_OUT] == best.data.tags[HELD_OUT] != best.data.tags[DATA_DIGEST]


def test_intervals_and_pairs_are_those_of_statsmodels(study):
    record, ended, parent, jobs = study
    runs = {job.info.run_id: job for job in jobs.values()}
    (file,) = json.loads(record.artifact(parent, "held_out.json"))
    assert [file["file"], file["rows"], file["data"]] == ["test.csv", 40, "learn"]
    chosen, *others = file["models"]
    assert chosen["run_id"] == parent.data.tags["best_run"]
    right = {}
    for model in file["models"]:
        told = answers(record, runs[model["run_id"]])
        right[model["name"]] = told["kind"] == told["predicted"]
        low, high = proportion_confint(right[model["name"]].sum(), 40, method="wilson")
        assert f"{low:.3f} to {high:.3f}" in ended.out
    both = [False, True]
    tables = [
        pd.crosstab(right[chosen["name"]], right[model["name"]]).reindex(index=both, columns=both, fill_value=0)
        for model in others
    ]
    expected = multipletests([mcnemar(pairs, exact=True).pvalue for pairs in tables], method="holm")[1]
    board = compare(sweeps=[parent.info.run_id], uri=record.uri).held_out
    np.testing.assert_allclose(board["p"][1:], expected, atol=1e-12)
    for model, pairs in zip(others, tables, strict=True):
        assert (model["only_it"], model["only_chosen"]) == (pairs.loc[False, True], pairs.loc[True, False])


def test_it_is_printed_and_on_the_page_and_in_the_comparison_of_recorded_sweeps(study):
    record, ended, parent, _ = study
    best = record.client.get_run(parent.data.tags["best_run"])
    name, accuracy = best.data.params["model.name"], held_out(best)["accuracy"]
    assert f"{name} (chosen) {40 * accuracy:.0f} {accuracy:.3f}" in words(ended.out.split("Held out: test.csv")[1])
    note = words(parent.data.tags["mlflow.note.content"])
    assert f"On test.csv, 40 rows held out until the choice was made, {name} is right in {40 * accuracy:.0f}" in note
    for page in ("comparison.html", "comparison.md"):
        assert f"{name} (chosen)" in record.artifact(parent, page)
    again = record.run(module="src.compare")
    assert again.status == 0
    assert "test.csv: 40 rows, SHA-256" in words(again.out)


def test_the_same_sweep_typed_again_tells_what_is_recorded(study):
    record, ended, parent, _ = study
    again = record.run("-m", *TESTED, "model=bp,softmax,sklearn_logistic", "training.l2=0.01,0.3")
    assert again.out.split("Held out")[1].split("New rows")[0] == ended.out.split("Held out")[1].split("New rows")[0]
    assert [each.info.run_id for each in record.parents()] == [parent.info.run_id]


def test_another_file_tests_the_same_jobs_again(study, table):
    record, _, first, jobs = study
    table[70:].to_csv(record.folder / "fewer.csv", index=False)
    typed = ("-m", *OWN, "data.test=fewer.csv", "model=bp,softmax,sklearn_logistic", "training.l2=0.01,0.3")
    ended = record.run(*typed, "tracking.experiment=bp")
    assert "Reused from the record: 6 of 6 jobs." in ended.out
    (second,) = [each for each in record.parents() if each.info.run_id != first.info.run_id]
    assert second.data.tags["best_run"] == first.data.tags["best_run"]  # what is tested chooses nothing
    assert second.data.tags[HELD_OUT] != first.data.tags[HELD_OUT]
    ((fewer,), (all_rows,)) = (json.loads(record.artifact(each, "held_out.json")) for each in (second, first))
    assert (fewer["rows"], all_rows["rows"]) == (30, 40)
    assert len(record.children(first)) == len(jobs)


def test_a_job_alone_is_the_same_job_with_and_without_a_file(tmp_path, table):
    record = prepare(tmp_path, table)
    assert record.run(*OWN).status == 0
    ended = record.run(*TESTED)
    assert ended.status == 0, ended.err
    without, tested = record.runs()
    assert without.data.tags[JOB_DIGEST] == tested.data.tags[JOB_DIGEST]
    told = answers(record, tested)
    assert held_out(tested)["accuracy"] == (told["kind"] == told["predicted"]).mean()
    assert "held_out.json" in record.artifacts(tested)
    (record.folder / "test.csv").unlink()  # a job is run again without it
    again = record.run(tested.info.run_id, module="src.rerun")
    assert again.status == 0, again.out


def test_rows_of_one_group_have_no_interval(tmp_path, table):
    record = prepare(tmp_path, table)
    table[:60].assign(who=[f"p{row // 6}" for row in range(60)]).to_csv(tmp_path / "learn.csv", index=False)
    ended = record.run("-m", *TESTED, "data.groups=who", "model=softmax,logistic")
    assert ended.status == 0, ended.err
    said = ended.out.split("Held out: test.csv")[1]
    assert "neither an interval nor a test is given" in words(said)
    assert "95%" not in said


def test_missing_values_are_filled_in_and_strange_and_shared_rows_are_told(tmp_path):
    record = Record.empty(tmp_path)
    rows = "colour,size,kind\n" + "red,1,a\nblue,2,b\nred,3,a\nblue,?,b\n" * 5
    (tmp_path / "learn.csv").write_text(rows)
    (tmp_path / "test.csv").write_text("size,kind,colour\n1,a,red\n?,b,green\n7,b,?\n")
    ended = record.run(*TESTED, "data.missing=impute")
    assert ended.status == 0, ended.err
    said = words(ended.out)
    assert "test.csv shares 1 of its 3 rows with learn" in said
    assert "test.csv, column 'colour': 1 value that no model was trained with ('green')" in said
    (job,) = record.runs()
    assert held_out(job)["accuracy"] == (answers(record, job)["predicted"] == ["a", "b", "b"]).mean()


def test_files_without_a_header_and_with_another_separator(tmp_path, table):
    record = Record.empty(tmp_path)
    table[:60].to_csv(tmp_path / "learn.csv", index=False, header=False, sep=";")
    table[60:].to_csv(tmp_path / "test.csv", index=False, header=False, sep=";")
    ended = record.run(*TESTED, "data.header=false", "data.separator=';'")
    assert ended.status == 0, ended.err
    assert "test.csv: 40 rows" in words(ended.out)


BAD = {
    "no such file": ("data.test=tset.csv", "data.test: there is no file tset.csv. Did you mean "),
    "the same file": ("data.test=learn.csv", "data.test: learn.csv holds the same rows as "),
    "the same rows": ("data.test=shuffled.csv", "data.test: shuffled.csv holds the same rows as "),
    "no model kept": ("tracking.models=none", "tracking.models: 'none' keeps no model"),
    "a data set by name": ("data=iris", "data.test: 'test.csv' is not read, because data.name is 'iris'"),
    "several files": ("data.test=test.csv,fewer.csv", "data.test: test.csv and fewer.csv for the same data, learn."),
    "missing column": ("data.test=lacks.csv", "there is no column 'b', which learn has."),
    "unseen class": ("data.test=unseen.csv", "line 2, target column 'kind': 'maybe' is none of the classes of learn"),
    "no label": ("data.test=unlabeled.csv", "line 2, target column 'kind': '' is none of the classes of learn"),
    "text": ("data.test=text.csv", "line 2, column 'a': the text 'much' among numbers: write a number"),
    "missing value": ("data.test=holes.csv", "line 2: values are missing (column 'a')"),
    "another separator": ("data.test=other.csv", "save it with the separator that data.path has."),
}


@pytest.fixture(scope="module")
def bad(tmp_path_factory, table):
    record = prepare(tmp_path_factory.mktemp("bad"), table)
    test = table[60:].astype(object).reset_index(drop=True)
    for name, column, value in (
        ("unseen", "kind", "maybe"),
        ("unlabeled", "kind", ""),
        ("text", "a", "much"),
        ("holes", "a", None),
    ):
        changed = test.copy()
        changed.loc[0, column] = value
        changed.to_csv(record.folder / f"{name}.csv", index=False)
    table[:60].sample(frac=1, random_state=0)[["kind", "c", "b", "a"]].to_csv(
        record.folder / "shuffled.csv", index=False
    )
    test.drop(columns="b").to_csv(record.folder / "lacks.csv", index=False)
    test.to_csv(record.folder / "other.csv", index=False, sep=";")
    test[:9].to_csv(record.folder / "fewer.csv", index=False)
    return record


@pytest.mark.parametrize("override, said", BAD.values(), ids=BAD)
def test_what_cannot_be_tested_is_told_before_anything_is_trained(bad, override, said):
    ended = bad.run("-m", *TESTED, override)
    assert (ended.status, ended.out) == (2, "")
    assert all(line.startswith("error: ") for line in ended.err.splitlines())
    assert said in ended.err
    assert bad.runs() == []


def test_tables_of_python_are_tested_as_files_are(tmp_path, monkeypatch, table):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(frames, "FOLDER", tmp_path / "frames")
    leave_figures_empty(monkeypatch)
    record = prepare(tmp_path, table)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", record.uri)
    learned, test = table[:60], table[60:]
    pairs = [(part[["a", "b", "c"]], part["kind"]) for part in (learned, test)]
    quick = {"training.epochs": 20, "cv.folds": 3}
    made = run(quick, data=pairs[0], test=pairs[1])
    study = sweep("model=bp,softmax", quick, data=learned, test=test)
    assert made.held_out["accuracy"].item() == study.held_out.set_index("model").loc["bp", "accuracy"]
    expected = (study.model().predict(test[["a", "b", "c"]]) == test["kind"]).mean()
    assert study.held_out["accuracy"][0] == expected
    pd.testing.assert_frame_equal(compare(sweeps=[study]).held_out, study.held_out)
    assert "Wilson" in study._repr_html_()
    assert run(quick, data=learned).held_out.empty
