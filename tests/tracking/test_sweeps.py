"""A sweep read back: its jobs as they were written, those of an older version, and what cannot be read."""

import dataclasses

import numpy as np
import pytest
import yaml

from src.comparison.held_out import HeldOut, held_out_models
from src.config import check
from src.evaluation.metrics import METRICS
from src.evaluation.results import Failure, JobResult
from src.tracking import artifacts, reading, records
from src.tracking.artifacts import config_bytes, read_config
from src.tracking.opening import experiment_id
from src.tracking.records import HELD_OUT, PARENT
from src.tracking.runs import AskedSweep, finish_sweep, set_held_out, start_sweep
from src.tracking.store import Store
from src.tracking.sweeps import read_sweep

ODD = {
    "data": {"name": "csv", "path": "~/some where/優.csv", "separator": "\t", "target": -1, "categorical": ["null", 3]},
    "model": {"hidden_layer_sizes": [8, 4], "activation": ["relu", "tanh"], "dtype": "float32"},
    "training": {"learning_rate": 0.1 + 0.2, "epsilon": 1e-300, "class_weight": {"no": 1, "0": 2.5}, "epochs": 1e3},
    "cv": {"repeats": 2, "inner_folds": 3},
    "seed": 2**32 - 1,
}
SKLEARN = {
    "model": {
        "name": "sklearn",
        "estimator": "sklearn.tree.DecisionTreeClassifier",
        "params": {"max_depth": None, "min_samples_leaf": 1e-3, "max_features": "1", "splitter": "best"},
    }
}


@pytest.mark.parametrize("config", [ODD, SKLEARN, {}])
def test_a_configuration_is_plain_yaml_and_read_back_section_by_section(config):
    plain = check(config).model_dump(mode="json")
    written = config_bytes(check(config))
    assert yaml.safe_load(written) == plain
    for text in (written, written, yaml.safe_dump(plain).encode(), yaml.safe_dump(plain, width=20).encode()):
        assert read_config(text) == plain


def with_inner_scores(result):
    """The same result, as nested cross-validation leaves it."""
    random = np.random.default_rng(7)
    scores = [dict(zip(METRICS, random.random(len(METRICS)).tolist(), strict=True)) for _ in result.folds]
    return JobResult(
        tuple(dataclasses.replace(fold, inner_scores=inner) for fold, inner in zip(result.folds, scores, strict=True))
    )


def same_job(one, other):
    """Whether two recorded jobs agree in every field, numbers to the last bit."""
    apart = ("metrics", "folds")
    fields = [field.name for field in dataclasses.fields(one) if field.name not in apart]
    assert {name: getattr(one, name) for name in fields} == {name: getattr(other, name) for name in fields}
    assert {name: repr(float(value)) for name, value in one.metrics.items()} == {
        name: repr(float(value)) for name, value in other.metrics.items()
    }
    assert list(one.folds) == list(other.folds)
    for name, values in one.folds.items():
        assert values.dtype == other.folds[name].dtype
        assert values.tobytes() == other.folds[name].tobytes()
    assert (one.flat, one.setting) == (other.flat, other.setting)
    return True


def what_is_written_is_read_back(store, make_job, make_result):
    """Write a sweep with jobs of every fate to a store, and read it again."""
    asked = check({"comparison": {"metric": "log_loss", "baselines": ["logistic"], "rope": 0.1 + 0.2}}).comparison
    fates = {
        "plain": {},
        "odd": {"config": ODD, "outcome": with_inner_scores(make_result(3))},
        "diverged": {"outcome": make_result(1, diverged=True), "config": {"training": {"learning_rate": 1e6}}},
        "no network": {"outcome": make_result(2, curve=False), "config": SKLEARN},
        "failed": {"outcome": Failure("ValueError", "no\nluck, 優", "Traceback")},
        "failed without a word": {"outcome": Failure("StopIteration", "", "T")},
        "failed at length": {"outcome": Failure("ValueError", "x" * 9000, "T")},
    }
    jobs = [{"digest": name} for name in [*fates, "never run"]]
    sweep = AskedSweep("r" * 64, "sweep", jobs, asked, searched=True)
    place = start_sweep(store, experiment_id(store, "read back"), sweep, {"code_version": "c" * 64})
    written = []
    for name, changes in fates.items():
        written.append(make_job(name=name, digest=name, **changes).log(store, place))
    lost = held_out_models(
        np.array([0, 1]), [("優", "r1", np.full((2, 2), np.nan)), ("b", "r2", np.array([[1, 0.0]] * 2))]
    )
    held_out = HeldOut("data", 'a "b".csv', "d" * 64, 2, "test/log_loss", 0.9, False, lost, 1, {"優": ["no\nluck"]})
    set_held_out(store, written[0].run_id, held_out.digest, lost[0].scores)
    tags, files = {HELD_OUT: held_out.digest}, {artifacts.HELD_OUT: artifacts.held_out([held_out])}
    finish_sweep(store, place, "FAILED", tags=tags, files=files)

    read = read_sweep(store, reading.get_run(store, place.run_id))
    assert repr(read.held_out) == repr((held_out,))  # NaN is not equal to itself
    assert [job.name for job in read.jobs] == list(fates)
    assert all(same_job(one, other) for one, other in zip(written, read.jobs, strict=True))
    assert (read.missing, read.reused, read.searched, read.unreadable) == (1, frozenset(), True, ())
    assert read.options == asked
    by_name = {job.name: job for job in read.jobs}
    assert "inner/accuracy" in by_name["odd"].folds
    assert np.isnan(by_name["diverged"].folds["test/accuracy"]).sum() == by_name["diverged"].diverged == 1
    assert by_name["failed"].error == "no\nluck, 優"


def test_what_is_written_of_a_sweep_is_read_back(store, make_job, make_result):
    what_is_written_is_read_back(store, make_job, make_result)


def test_what_mlflows_own_client_writes_is_read_back(store, make_job, make_result):
    what_is_written_is_read_back(Store(store.address), make_job, make_result)


def test_the_facts_of_the_rows_are_read_back(store, sweep, make_job):
    facts = {"duplicates": 4, "identifiers": ("patient_id", 'the "user"', "優 id"), "rarest": (7, "優")}
    job = make_job(dataset=dataclasses.replace(make_job().dataset, numberings=("row",), **facts))
    assert reading.StoredRecord(store).dataset(job.log(store, sweep).run_id) == job.dataset


def test_rows_that_an_older_version_counted_with_their_originals_are_counted_without(store, sweep, make_job):
    job = make_job(dataset=dataclasses.replace(make_job().dataset, duplicates=1))
    row = records.dataset_row(job.dataset, "ab" * 32)
    profile = row.profile.replace('"repeated_rows": 1', '"duplicate_rows": 2')
    assert profile != row.profile
    assert records.recorded_dataset(dataclasses.replace(row, profile=profile)) == job.dataset


def test_a_job_that_was_cut_off_while_it_was_written_is_missing(store, make_job):
    """Over the network a run is RUNNING until it is whole; what a killed process leaves has no files."""
    jobs = [{"digest": "whole"}, {"digest": "cut off"}]
    place = start_sweep(store, experiment_id(store, "bp"), AskedSweep("k" * 64, "s", jobs), {})
    make_job(digest="whole").log(store, place)
    tags = {PARENT: place.run_id, "job_digest": "cut off"}
    started = store.client.create_run(place.experiment_id, tags=tags, run_name="cut off")
    store.client.set_terminated(started.info.run_id, "KILLED")
    finish_sweep(store, place, "KILLED")
    read = read_sweep(store, reading.get_run(store, place.run_id))
    assert ([one.digest for one in read.jobs], read.missing) == (["whole"], 1)
    assert read.incomplete.startswith("1 of the 2 jobs of s has no result, as the sweep is killed;")


def test_a_job_whose_configuration_this_version_cannot_read_is_told_and_left_out(store, sweep, make_job):
    kept = make_job(digest="a").log(store, sweep)
    bad = reading.get_run(store, make_job(digest="b", name="from elsewhere").log(store, sweep).run_id)
    store.put(bad, {"config.yaml": b"model: {name: forest}\nseed: 0"})
    read = read_sweep(store, reading.get_run(store, sweep.run_id))
    assert [job.run_id for job in read.jobs] == [kept.run_id]
    (sentence,) = read.unreadable
    assert sentence.startswith("The job from elsewhere was recorded by another version, and is left out: model.name: ")


@pytest.mark.parametrize("rows", [20, 23])
def test_folds_whose_sizes_an_older_version_did_not_record_are_of_the_average_size(store, sweep, make_job, rows):
    job = make_job(digest="a", dataset=dataclasses.replace(make_job().dataset, rows=rows))
    run = reading.get_run(store, job.log(store, sweep).run_id)
    header, *lines = reading.artifact(store, run, "fold_scores.csv").decode().splitlines()
    names = header.split(",")
    kept = [place for place, name in enumerate(names) if name not in ("n_train", "n_test", "parameters", "class_step")]
    old = "\n".join(",".join(line.split(",")[place] for place in kept) for line in [header, *lines])
    (reading.artifacts.local_folder(run.artifact_uri) / "fold_scores.csv").write_text(old + "\n")
    (read,) = read_sweep(store, reading.get_run(store, sweep.run_id)).jobs
    assert read.folds["n_test"].tolist() == [rows / 5] * 5
    assert read.folds["n_train"].tolist() == [rows - rows / 5] * 5
    assert "class_step" not in read.folds
