"""Which sweeps a comparison is about, and why some are not."""

import time
from dataclasses import replace
from typing import Any

import pytest

from src.errors import UserError
from src.tracking import reading
from src.tracking.errors import TrackingError
from src.tracking.opening import experiment_id
from src.tracking.processes import PROCESS_ID
from src.tracking.runs import NoSweep
from src.tracking.store import Store
from src.tracking.sweeps import find_sweeps, read_sweep
from tests.sweeps import ended_of, model, record_sweep

BP = (0.80, 0.85, 0.90, 0.75, 0.80)


def test_the_latest_sweep_is_meant_where_none_is_named(store: Store) -> None:
    record_sweep(store, [model("bp", BP)], experiment="one")
    latest = record_sweep(store, [model("logistic", BP)], experiment="two")
    assert [run.run_id for run in find_sweeps(store)] == [latest]
    first, second = find_sweeps(store, ["two", "one"])
    assert first.run_id == latest
    assert second.experiment_id != first.experiment_id
    assert len(find_sweeps(store, ["two"], [latest])) == 1


def test_sweeps_that_do_not_exist_are_told_with_what_was_likely_meant(store: Store) -> None:
    with pytest.raises(TrackingError, match="the store holds no finished run to compare; run a sweep"):
        find_sweeps(store)
    sweep = record_sweep(store, [model("bp", BP)])
    child = reading.children(store, reading.get_run(store, sweep))[0]
    with pytest.raises(UserError, match=r"there is no MLflow experiment 'studdy'.* Did you mean 'study'"):
        find_sweeps(store, ["studdy"])
    with pytest.raises(UserError, match=f"there is no run '{sweep[:20]}'.* Did you mean {sweep} \\(study\\)"):
        find_sweeps(store, run_ids=[sweep[:20]])
    with pytest.raises(UserError, match=r"there is no run 'zzz' in"):
        find_sweeps(store, run_ids=["zzz"])
    with pytest.raises(TrackingError, match=f"one job of a sweep; give the sweep: --sweep {sweep}"):
        find_sweeps(store, run_ids=[child.run_id])
    failed = ended_of(model("bp", BP, fate="FAILED")).log(store, NoSweep(experiment_id(store, "single"), {}))
    with pytest.raises(TrackingError, match=f"the run {failed.run_id} is FAILED: it has no result"):
        find_sweeps(store, run_ids=[failed.run_id])
    with pytest.raises(TrackingError, match="'single' holds no finished run to compare; others do: study"):
        find_sweeps(store, ["single"])
    foreign = store.client.create_run(child.experiment_id).info.run_id
    with pytest.raises(TrackingError, match=f"the run {foreign} was not recorded by this program"):
        find_sweeps(store, run_ids=[foreign])


def single_run(store: Store, name: str, **more: Any) -> str:
    time.sleep(0.002)  # the record counts milliseconds
    ended = replace(ended_of(model(name, BP, **more)), started=time.time())
    return ended.log(store, NoSweep(experiment_id(store, "study"), {})).run_id


def test_single_runs_on_the_folds_of_the_latest_are_meant_where_one_is_newer_than_the_sweep(store: Store) -> None:
    early = single_run(store, "softmax")
    sweep = record_sweep(store, [model("bp", BP)])
    assert [run.run_id for run in find_sweeps(store, ["study"])] == [sweep]
    single_run(store, "sklearn_logistic", folds="others")
    single_run(store, "sklearn_logistic", code_version="two")
    single_run(store, "sklearn_logistic", fate="FAILED")
    single_run(store, "bp")
    late = single_run(store, "logistic")
    again = single_run(store, "bp")
    found = find_sweeps(store, ["study"])
    assert [run.run_id for run in found] == [again, late, early], "of the same job the newest"
    assert {run.name for run in found} == {
        "study: 3 single runs on the same folds (2 more on other folds or by other code)"
    }
    assert [run.run_id for run in find_sweeps(store)] == [sweep], "a sweep, where nothing is named"


def test_single_runs_are_compared_where_there_is_no_sweep_and_by_their_ids(store: Store) -> None:
    bp, logistic = single_run(store, "bp"), single_run(store, "logistic")
    assert [run.run_id for run in find_sweeps(store)] == [logistic, bp]
    first, second = (read_sweep(store, run) for run in find_sweeps(store, run_ids=[bp, logistic]))
    assert [job.run_id for job in (*first.jobs, *second.jobs)] == [bp, logistic]
    assert (first.missing, first.incomplete, first.options) == (0, None, first.jobs[0].config.comparison)


def test_a_running_sweep_is_refused_and_a_dead_one_is_set_right(store: Store) -> None:
    sweep = record_sweep(store, [model("bp", BP), model("softmax", BP, fate="absent")], status="RUNNING")
    with pytest.raises(TrackingError, match="is still running; wait for its end"):
        find_sweeps(store)
    store.client.set_tag(sweep, PROCESS_ID, "999999999")
    (found,) = find_sweeps(store)
    assert found.status == "KILLED"
    incomplete = read_sweep(store, found).incomplete
    assert incomplete is not None
    assert incomplete.startswith("1 of the 2 jobs of study has no result, as the sweep is killed")
