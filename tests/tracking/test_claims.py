"""Commands on one sweep in a store that only the network joins: one at a time, and the next when one has died."""

import sqlite3
import threading
import time

import pytest

from src.tracking import claims
from src.tracking.claims import Claim
from src.tracking.errors import TrackingError
from src.tracking.processes import PROCESS_HOST

DIGEST = "d" * 64


@pytest.fixture
def make_claim(store, sweep, monkeypatch):
    """Claims of processes on machines of other names; each is given up in the end."""
    monkeypatch.setattr(claims, "LOOK", 0.01)
    made = []

    def make(host="alpha"):
        claim = Claim(store, sweep.experiment_id, DIGEST)
        claim._state[PROCESS_HOST] = host
        made.append(claim)
        return claim

    yield make
    for claim in made:
        claim.leave()


def tags(store, sweep):
    return [key for key in store.experiment_tags(sweep.experiment_id) if key.startswith("claim.")]


def test_the_second_says_who_is_at_it_and_waits_for_the_end(make_claim, store, sweep):
    first, second, told = make_claim(), make_claim("beta"), []
    first.take(told.append)
    waiting = threading.Thread(target=second.take, args=[told.append])
    waiting.start()
    while not told:
        time.sleep(0.01)
    waiting.join(0.1)
    assert waiting.is_alive()
    assert "on alpha, begun 20" in told[0]
    first.leave()
    waiting.join(60)
    assert not waiting.is_alive()
    second.check()
    second.leave()
    assert len(told) == 1
    assert tags(store, sweep) == []


def test_of_many_only_one_is_at_it_at_a_time(make_claim):
    inside, most, entered = [], [], []

    def work(claim):
        claim.take(entered.append)
        inside.append(claim)
        most.append(len(inside))
        time.sleep(0.02)
        inside.remove(claim)
        claim.leave()

    threads = [threading.Thread(target=work, args=[make_claim(f"host {number}")]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert most == [1] * 6


def test_a_claim_without_a_sign_of_life_expires_and_is_held_no_longer(make_claim, store, sweep, monkeypatch):
    monkeypatch.setattr(claims, "EXPIRY", 0.5)
    dead, next_one = make_claim(), make_claim("beta")
    dead.take(print)
    dead._over.set()  # as a process that sleeps
    next_one.take(print)
    monkeypatch.setattr(claims, "LEASE", 0.0)
    with pytest.raises(TrackingError, match="another command has taken this sweep over"):
        dead.check()
    assert len(tags(store, sweep)) == 1


def test_a_store_that_fails_while_a_sweep_is_held_is_told_in_a_sentence(make_claim, store, monkeypatch):
    def refuse(*_):
        raise sqlite3.OperationalError("attempt to write a readonly database")

    claim = make_claim()
    claim.take(print)
    with monkeypatch.context() as patch:
        patch.setattr(claims, "LEASE", 0.0)
        patch.setattr(store, "tag_experiment", refuse)
        with pytest.raises(TrackingError, match=r"^MLflow: the claim on the sweep cannot be renewed: attempt to write"):
            claim.check()


def test_a_claim_that_gives_signs_of_life_does_not_expire(make_claim, monkeypatch):
    monkeypatch.setattr(claims, "EXPIRY", 0.6)
    monkeypatch.setattr(claims, "BEAT", 0.05)
    first, second, told = make_claim(), make_claim("beta"), []
    first.take(told.append)
    waiting = threading.Thread(target=second.take, args=[told.append])
    waiting.start()
    waiting.join(2.0)
    assert waiting.is_alive()
    first.check()
    first.leave()
    waiting.join(60)
    assert not waiting.is_alive()


def test_who_was_left_out_of_account_while_choosing_does_not_enter(make_claim, monkeypatch):
    """It had said that it came, and slept before it took a number."""
    monkeypatch.setattr(claims, "EXPIRY", 0.3)
    slow, quick = make_claim(), make_claim("beta")
    slow._write()
    quick.take(print)
    monkeypatch.setattr(claims, "LEASE", 0.0)
    with pytest.raises(TrackingError, match="another command has taken this sweep over"):
        slow.check()


def test_the_claim_of_a_process_of_this_machine_that_is_gone_is_seen_at_once(make_claim):
    dead, next_one = make_claim(), make_claim()
    dead._state.update({"process_id": "999999999", PROCESS_HOST: claims.process_tags()[PROCESS_HOST]})
    dead._write(number=1)
    next_one.take(print)
    next_one.check()
