"""Which sweeps a comparison is about, and why some are not."""

import pytest

from src.errors import UserError
from src.tracking import reading
from src.tracking.errors import TrackingError
from src.tracking.processes import PROCESS_ID
from src.tracking.runs import no_sweep
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
    with pytest.raises(TrackingError, match="the store holds no sweep to compare"):
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
    alone = ended_of(model("bp", BP)).log(store, no_sweep(store, "single", {}))
    with pytest.raises(TrackingError, match="a job alone, not a sweep"):
        find_sweeps(store, run_ids=[alone.run_id])
    with pytest.raises(TrackingError, match="the experiment 'single' holds no sweep to compare; others do: study"):
        find_sweeps(store, ["single"])


def test_a_running_sweep_is_refused_and_a_dead_one_is_set_right(store: Store) -> None:
    sweep = record_sweep(store, [model("bp", BP), model("softmax", BP, fate="absent")], status="RUNNING")
    with pytest.raises(TrackingError, match="is still running; wait for its end"):
        find_sweeps(store)
    store.client.set_tag(sweep, PROCESS_ID, "999999999")
    (found,) = find_sweeps(store)
    assert found.status == "KILLED"
    incomplete = read_sweep(store, found).incomplete
    assert incomplete is not None
    assert incomplete.startswith("1 of the 2 jobs of study have no result, as the sweep is killed")
