"""Processes and runs share the connections of an account."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from shared.capacity.pace import AccountPace, Pace
from tests.capacity.new_slots import new_slots
from tests.fakes import MemoryRecords, MemoryStore, ProcessKilled, StoreClient


def test_two_processes_never_hold_more_slots_than_allowed() -> None:
    store = MemoryStore()
    here, there = new_slots(StoreClient(store)), new_slots(StoreClient(store))

    taken = [here.take("acc", prefer=1), there.take("acc"), here.take("acc")]

    held = [slot for slot in taken if slot]
    assert sorted(slot.index for slot in held) == [0, 1, 2]
    assert there.take("acc") is None
    assert there.take("other account") is not None
    held[0].release()
    assert there.take("acc").index == held[0].index


def test_a_slot_whose_holder_cannot_be_recorded_is_free_and_no_longer_renewed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = MemoryStore()
    slots = new_slots(StoreClient(store), connections=1)
    before = threading.active_count()

    def fail(_key: str) -> None:
        raise RuntimeError

    monkeypatch.setattr(slots.holders, "read", fail)
    with pytest.raises(RuntimeError):
        slots.take("acc")

    assert threading.active_count() == before
    with new_slots(StoreClient(store), connections=1).take("acc") as slot:
        assert slot.index == 0


def test_the_slot_of_a_killed_holder_is_free_when_its_lease_expires() -> None:
    store = MemoryStore()
    dying = StoreClient(store)
    slot = new_slots(dying).take("acc")
    alive = new_slots(StoreClient(store))
    assert not alive.is_gone("acc", slot.index, slot.token)
    dying.dead = True
    with pytest.raises(ProcessKilled):
        slot.release()
    assert not alive.is_gone("acc", slot.index, slot.token)

    store.clock.forward(31)

    assert alive.is_gone("acc", slot.index, slot.token)
    fresh = alive.take("acc")
    assert fresh.index == slot.index
    assert alive.is_gone("acc", slot.index, slot.token)
    assert not alive.is_gone("acc", fresh.index, fresh.token)
    fresh.release()


def test_the_pace_is_halved_at_once_and_grows_slowly() -> None:
    store = MemoryStore()
    pace = AccountPace(MemoryRecords(StoreClient(store), "paces"), 10, store.clock.now)
    assert pace.allowance("acc").slots == 10

    for _ in range(10):  # ten lanes throttled at the same moment
        pace.throttled("acc")
    assert pace.allowance("acc").slots == 5
    store.clock.forward(6)
    pace.throttled("acc")
    assert pace.allowance("acc").slots == 2
    for expected in (3, 4, 5):
        store.clock.forward(20)
        assert pace.allowance("acc").slots == expected
        assert pace.allowance("acc").slots == expected
    for _ in range(9):
        store.clock.forward(6)
        pace.throttled("acc")
    assert pace.allowance("acc").slots == 1


@pytest.mark.parametrize("hours", [1, 24])
def test_a_clock_that_is_hours_ahead_does_not_stop_or_slow_down_an_account_until_then(
    hours: int,
) -> None:
    store = MemoryStore()
    records = MemoryRecords[Pace](StoreClient(store), "paces")
    ahead = AccountPace(records, 10, lambda: store.clock.now() + timedelta(hours=hours))
    pace = AccountPace(records, 10, store.clock.now)
    ahead.throttled("acc", 400)
    ahead.reserve_slot("acc")

    assert pace.allowance("acc").slots == 6
    assert pace.usable_slots("acc").pause(store.clock.now())[1] == 0
    # Throttling counts at once, and so does a pause that is named now.
    store.clock.forward(6)
    pace.throttled("acc", 60)
    assert pace.allowance("acc").slots == 0
    store.clock.forward(61)
    assert pace.allowance("acc").slots == 3
    for expected in (4, 5, 6):
        store.clock.forward(20)
        assert pace.allowance("acc").slots == expected


def test_runs_of_one_account_share_its_connections() -> None:
    store = MemoryStore()
    pace = AccountPace(MemoryRecords(StoreClient(store), "paces"), 10, store.clock.now)

    def lanes() -> int:
        allowed = pace.allowance("acc")
        assert allowed.slots == 10
        return allowed.lanes

    for run in ("r1", "r2", "r1", "r3"):
        pace.join("acc", run, lambda _: True)
    assert lanes() == 4
    pace.join("acc", "r4", lambda run: run != "r3")  # r3 has ended without a word
    assert lanes() == 4
    pace.leave("acc", "r4")
    assert lanes() == 5
    for run in ("r1", "r2", "r2"):
        pace.leave("acc", run)
    assert lanes() == 10
    pace.leave("nobody", "r1")
