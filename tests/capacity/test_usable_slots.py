"""How many slots of an account were used in the last minute, and how fast they will be used again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shared.capacity.pace import AccountPace, Pace, UsableSlots
from tests.fakes import MemoryRecords, MemoryStore, StoreClient

BEGAN = datetime(2026, 11, 1, tzinfo=UTC)


class Throttled:
    """An account whose lanes read the pace every second."""

    def __init__(self) -> None:
        self.seconds = 0.0
        records: MemoryRecords[Pace] = MemoryRecords(StoreClient(MemoryStore()), "paces")
        self.pace = AccountPace(records, 10, self.now)
        self.used = 0.0

    def now(self) -> datetime:
        return BEGAN + timedelta(seconds=self.seconds)

    def send_for(self, seconds: int) -> None:
        for _ in range(seconds):
            self.used += self.pace.allowance("a").slots
            self.seconds += 1

    def usable_slots(self) -> UsableSlots:
        return self.pace.usable_slots("a")


def test_without_throttling_all_slots_are_used() -> None:
    account = Throttled()
    account.send_for(60)
    assert account.usable_slots().slot_seconds(BEGAN, account.now()) == account.used == 600
    assert account.usable_slots().seconds_to_use(600, account.now()) == 60


@pytest.mark.parametrize("since", [1, 19, 45, 100, 130, 400])
def test_the_used_slots_of_a_throttled_account_are_known(since: int) -> None:
    account = Throttled()
    account.send_for(30)
    account.pace.throttled("a")
    account.send_for(since)

    used = account.usable_slots().slot_seconds(BEGAN, account.now())

    # The limit grows when a lane reads it, up to a second late.
    assert used == pytest.approx(account.used, abs=6)


def test_a_second_throttling_starts_from_the_limit_that_the_first_one_left() -> None:
    account = Throttled()
    account.pace.throttled("a")
    account.send_for(50)
    account.pace.throttled("a")
    halved_at = account.now()
    account.send_for(30)

    used = account.usable_slots().slot_seconds(halved_at - timedelta(seconds=10), account.now())

    assert used == pytest.approx(10 * 7 + 20 * 3 + 10 * 4, abs=2)


@pytest.mark.parametrize("people", [50, 400, 900, 5_000])
def test_the_time_for_the_rest_expects_that_slots_are_used_again(people: int) -> None:
    account = Throttled()
    account.pace.throttled("a")
    account.send_for(5)
    expected = account.usable_slots().seconds_to_use(people, account.now())
    account.used, began = 0.0, account.seconds

    while account.used < people:
        account.send_for(1)

    assert account.seconds - began == pytest.approx(expected, abs=3)


def test_a_pace_without_the_time_of_its_throttling_counts_as_steady() -> None:
    slots = UsableSlots(10, Pace(limit=4, changed_at=BEGAN))
    assert slots.slot_seconds(BEGAN, BEGAN + timedelta(seconds=30)) == 4 * 30
    assert slots.seconds_to_use(40, BEGAN) == 10


@pytest.mark.parametrize("since", [1, 30, 70, 95, 200])
def test_no_slot_counts_as_used_while_the_account_is_paused(since: int) -> None:
    account = Throttled()
    account.send_for(30)
    account.pace.throttled("a", 60)
    account.send_for(since)

    used = account.usable_slots().slot_seconds(BEGAN, account.now())

    assert used == pytest.approx(account.used, abs=6)


@pytest.mark.parametrize("people", [50, 400, 5_000])
def test_the_time_for_the_rest_includes_the_pause_of_the_account(people: int) -> None:
    account = Throttled()
    account.pace.throttled("a", 300)
    account.send_for(5)
    expected = account.usable_slots().seconds_to_use(people, account.now())
    account.used, began = 0.0, account.seconds

    while account.used < people:
        account.send_for(1)

    assert account.seconds - began == pytest.approx(expected, abs=3)
