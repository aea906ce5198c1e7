"""Calls at the same time, over connections that are free."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast

import pytest

from shared.capacity.on_demand import OnDemandSessions
from shared.capacity.pace import AccountPace, Pace
from shared.capacity.parallel_calls import MOST_AT_A_TIME
from shared.capacity.slots import Slots
from shared.errors import Disconnected, Refused, Unavailable
from shared.mailchimp.gateway import MailchimpGateway
from shared.model.audience import CallCounts
from shared.model.ports import Lease, Leases
from tests.capacity.new_slots import new_slots
from tests.fakes import MemoryRecords, MemoryStore, StoreClient

CONNECTIONS = 10
# Seconds after which a call that waits for others fails the test.
_STUCK = 60.0


class Connection:
    """A connection to Mailchimp that counts its calls."""

    def __init__(self, mailchimp: CountingMailchimp) -> None:
        self.calls = CallCounts()
        self._mailchimp = mailchimp

    def call(self) -> None:
        self.calls += CallCounts(read=1)

    def close(self) -> None:
        self._mailchimp.open_now -= 1


class CountingMailchimp:
    """Opens connections; `refuse_after` is the number of those that can be opened."""

    def __init__(self, refuse_after: int = 100) -> None:
        self.open_now = 0
        self.opened = 0
        self._refuse_after = refuse_after

    def open(self, connection_id: str, on_throttled: object = None) -> Connection:
        if self.opened >= self._refuse_after:
            raise Disconnected("reconnect")
        self.open_now += 1
        self.opened += 1
        return Connection(self)


@dataclass(frozen=True)
class CountingLeases:
    """Leases that list the names that were asked for."""

    leases: Leases
    asked: list[str]

    def acquire(self, name: str, seconds: int) -> Lease | None:
        self.asked.append(name)
        return self.leases.acquire(name, seconds)


def _sessions(mailchimp: CountingMailchimp) -> tuple[OnDemandSessions, Slots]:
    client = StoreClient(MemoryStore())
    paces: MemoryRecords[Pace] = MemoryRecords(client, "paces")
    slots = new_slots(client, CONNECTIONS)
    clock = client.store.clock
    pace = AccountPace(paces, CONNECTIONS, clock.now)
    given = cast("MailchimpGateway", mailchimp)
    return OnDemandSessions(given, slots, pace, str, clock.seconds, clock.forward), slots


def test_calls_are_made_at_the_same_time_and_all_are_counted() -> None:
    mailchimp = CountingMailchimp()
    sessions, slots = _sessions(mailchimp)
    together = threading.Barrier(MOST_AT_A_TIME, timeout=_STUCK)

    def call(session: Any) -> str:
        session.call()
        together.wait()
        return "answer"

    with sessions.parallel("connection", "account") as calls:
        answers = [calls.submit(call) for _ in range(2 * MOST_AT_A_TIME)]
    assert [one.result() for one in answers] == ["answer"] * 2 * MOST_AT_A_TIME
    assert calls.calls.read == 2 * MOST_AT_A_TIME
    assert mailchimp.opened == MOST_AT_A_TIME
    assert mailchimp.open_now == 0
    assert all(slots.take("account") for _ in range(CONNECTIONS)), "a slot was not released"


@pytest.mark.parametrize(("held", "opened"), [(CONNECTIONS - 1, 1), (CONNECTIONS - 3, 3)])
def test_only_connections_that_are_free_are_used(held: int, opened: int) -> None:
    mailchimp = CountingMailchimp()
    sessions, slots = _sessions(mailchimp)
    assert all(slots.take("account") for _ in range(held))
    gathered = threading.Barrier(opened, timeout=_STUCK)
    with sessions.parallel("connection", "account") as calls:
        for answer in [calls.submit(lambda _: gathered.wait()) for _ in range(3 * opened)]:
            answer.result()
    assert mailchimp.opened == opened


def test_slots_of_others_are_asked_for_only_once_when_several_connections_are_opened() -> None:
    sessions, slots = _sessions(CountingMailchimp())
    assert all(slots.take("account") for _ in range(4))
    asked: list[str] = []
    slots.leases = CountingLeases(slots.leases, asked)
    gathered = threading.Barrier(MOST_AT_A_TIME, timeout=_STUCK)
    with sessions.parallel("connection", "account") as calls:
        for answer in [calls.submit(lambda _: gathered.wait()) for _ in range(MOST_AT_A_TIME)]:
            answer.result()
    assert len(asked) == 4 + MOST_AT_A_TIME


def test_calls_are_made_one_after_the_other_when_no_further_connection_can_be_opened() -> None:
    mailchimp = CountingMailchimp(refuse_after=1)
    sessions, slots = _sessions(mailchimp)
    with sessions.parallel("connection", "account") as calls:
        answers = [calls.submit(lambda session: id(session)) for _ in range(8)]
    assert len({one.result() for one in answers}) == 1
    assert all(slots.take("account") for _ in range(CONNECTIONS)), "a slot was not released"


def test_without_a_free_connection_nothing_is_called() -> None:
    sessions, slots = _sessions(CountingMailchimp())
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        assert all(threads.map(slots.take, ["account"] * CONNECTIONS))
    with (
        pytest.raises(Unavailable) as caught,
        sessions.parallel("connection", "account", patience=0.0),
    ):
        raise AssertionError
    assert caught.value.code == "noSlot"


def test_the_error_of_a_call_is_raised_by_its_result_and_other_calls_continue() -> None:
    sessions, slots = _sessions(CountingMailchimp())

    def refused(_: object) -> None:
        raise Refused("notAllowed")

    with sessions.parallel("connection", "account") as calls:
        failing, fine = calls.submit(refused), calls.submit(lambda _: "answer")
    assert fine.result() == "answer"
    with pytest.raises(Refused):
        failing.result()
    assert all(slots.take("account") for _ in range(CONNECTIONS)), "a slot was not released"
