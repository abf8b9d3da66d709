import signal
import socket
import threading
import time
from queue import Queue

import psutil

from src.tracking import reading
from src.tracking.claims import claimed
from src.tracking.opening import experiment_id
from src.tracking.processes import is_dead, process_tags, repair_dead_sweeps
from src.tracking.runs import AskedSweep, finish_sweep, reopen_sweep, start_sweep
from tests.tracking.conftest import logged

PROGRAM = """
import sys, time
from src.tracking.runs import AskedSweep, start_sweep
from src.tracking.opening import experiment_id, open_store
store = open_store(sys.argv[1])
sweep = start_sweep(store, experiment_id(store, "bp"), AskedSweep("d", "doomed", []), {})
store.client.create_run(sweep.experiment_id, tags={"mlflow.parentRunId": sweep.run_id}, run_name="cut off")
print(sweep.run_id, flush=True)
time.sleep(600)
"""


def test_a_killed_sweep_is_set_right_and_others_are_left_alone(store, sweep, make_job, commands, tmp_path):
    process = commands.start(tmp_path, store.address, program=PROGRAM)
    while not process.out.endswith("\n"):
        time.sleep(0.01)
    dead_id = process.out.strip()
    assert repair_dead_sweeps(store, sweep.experiment_id) == (), "it still lives"

    process.send(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    logged(store, sweep, make_job())
    (repaired,) = repair_dead_sweeps(store, sweep.experiment_id)
    assert (repaired.run_id, repaired.name) == (dead_id, "doomed")
    parent = reading.get_run(store, dead_id)
    assert parent.status == "KILLED"
    assert parent.ended is not None
    assert [run.status for run in reading.children(store, parent)] == ["KILLED"]
    assert reading.get_run(store, sweep.run_id).status == "RUNNING", "this process lives"
    assert repair_dead_sweeps(store, sweep.experiment_id) == ()

    taken = reopen_sweep(store, dead_id, {})
    assert taken is not None
    assert not is_dead(reading.get_run(store, dead_id).tags)
    finish_sweep(store, taken, "FINISHED")


def test_a_process_id_that_was_given_away_again_is_dead(store, sweep):
    store.client.set_tag(sweep.run_id, "process_started", repr(psutil.Process().create_time() - 3600))
    assert is_dead(reading.get_run(store, sweep.run_id).tags)


def test_a_process_of_another_machine_is_not_known_to_be_dead(store, sweep):
    store.client.set_tag(sweep.run_id, "process_host", "another")
    store.client.set_tag(sweep.run_id, "process_id", "999999")
    assert not is_dead(reading.get_run(store, sweep.run_id).tags)


def test_a_run_that_this_program_did_not_start_is_left_alone(store, sweep):
    other = store.client.create_run(sweep.experiment_id, run_name="someone else's")
    assert repair_dead_sweeps(store, sweep.experiment_id) == ()
    assert store.client.get_run(other.info.run_id).info.status == "RUNNING"


def test_the_process_is_this_one():
    tags = process_tags()
    assert tags["process_host"] == socket.gethostname()
    assert psutil.Process(int(tags["process_id"])).create_time() == float(tags["process_started"])


def test_two_sweeps_of_one_digest_do_not_share_a_parent_while_both_run(store, sweep):
    other = start_sweep(store, experiment_id(store, "bp"), AskedSweep("s" * 64, "again", []), {})
    assert other.run_id != sweep.run_id
    found = reading.sweeps_of_digest(store, sweep.experiment_id, "s" * 64)
    assert {run.run_id for run in found} == {sweep.run_id, other.run_id}


def test_whoever_types_a_running_sweep_is_told_and_waits_for_its_end(store):
    told, entered = Queue(), threading.Event()

    def second():
        with claimed(store, "0", "digest", told.put):
            entered.set()

    with claimed(store, "0", "digest", told.put):
        other = threading.Thread(target=second)
        other.start()
        assert "this very sweep" in told.get(timeout=60)
        assert not entered.is_set()
        with claimed(store, "0", "another", told.put):
            assert told.empty()
    other.join(timeout=60)
    assert entered.is_set()
    assert not list(store.database.parent.glob("*digest*"))
