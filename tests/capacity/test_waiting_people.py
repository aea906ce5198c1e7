"""An HTTP request gets its answer although Mailchimp does not answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from shared.capacity.on_demand import OnDemandSessions
from shared.capacity.pace import AccountPace, Pace
from shared.errors import Unavailable
from shared.mailchimp.gateway import MailchimpGateway
from shared.model.connection import Connection, ConnectionStatus, Consent, Grant, GrantKind
from shared.request_time import request_time
from tests.capacity.new_slots import new_slots
from tests.fakes import Clock, MemoryRecords, MemoryStore, StoreClient

# Azure ends a request after so many seconds.
LONGEST_REQUEST = 230
NOW = datetime(2026, 11, 30, tzinfo=UTC)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of calls that Mailchimp does not answer: each takes as long as the app waits for it."""
    clock = Clock()

    def send(self: object, request: object, timeout: tuple[float, float], **_: Any) -> None:
        clock.forward(timeout[1])
        raise requests.ReadTimeout

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    return clock


def _gateway(clock: Clock) -> MailchimpGateway:
    grant = Grant(GrantKind.API_KEY, "us1", "account", "Contoso", NOW, "Ada")
    consent = Consent("Ada", NOW, "en", "1")
    connection = Connection(
        "c", "C", consent, (), ConnectionStatus.CONNECTED, grant, created_at=NOW
    )
    return MailchimpGateway(
        lambda _: connection, lambda _: "k-us1", clock.seconds, clock.forward, lambda: 0.5
    )


def _sessions(clock: Clock) -> OnDemandSessions:
    client = StoreClient(MemoryStore(clock))
    paces: MemoryRecords[Pace] = MemoryRecords(client, "paces")
    pace = AccountPace(paces, 10, clock.now)
    slots = new_slots(client, 10)
    return OnDemandSessions(
        _gateway(clock), slots, pace, lambda _: "account", clock.seconds, clock.forward
    )


def _read_audiences(clock: Clock) -> None:
    with _sessions(clock).for_request("c") as session:
        list(session.audiences())


def _check_key(clock: Clock) -> None:
    _gateway(clock).open_with(GrantKind.API_KEY, "k-us1", "us1").ping()


@pytest.mark.parametrize("ask", [_read_audiences, _check_key])
def test_a_person_sees_that_mailchimp_does_not_answer(
    ask: Callable[[Clock], None], clock: Clock
) -> None:
    began = clock.seconds()
    with request_time(clock.seconds), pytest.raises(Unavailable, match="did not answer"):
        ask(clock)
    assert clock.seconds() - began < LONGEST_REQUEST


def test_a_request_that_needs_an_account_again_does_not_wait_for_it_twice(clock: Clock) -> None:
    sessions = _sessions(clock)

    def ask() -> float:
        began = clock.seconds()
        with (
            pytest.raises(Unavailable, match="did not answer"),
            sessions.for_request("c") as session,
        ):
            list(session.audiences())
        return clock.seconds() - began

    with request_time(clock.seconds):
        assert ask() > 100
        assert ask() == 0
    with request_time(clock.seconds):
        assert ask() > 100


def test_a_request_that_needs_several_accounts_is_answered(clock: Clock) -> None:
    sessions = _sessions(clock)
    began = clock.seconds()
    codes = []
    with request_time(clock.seconds):
        for number in range(5):
            try:
                with sessions.session("c", f"account{number}") as session:
                    list(session.audiences())
            except Unavailable as error:
                codes.append(error.code)
    assert codes == ["noAnswer", "noAnswer", "requestTimeUp", "requestTimeUp", "requestTimeUp"]
    assert clock.seconds() - began < LONGEST_REQUEST


def test_a_run_makes_a_second_try(clock: Clock) -> None:
    began = clock.seconds()
    with _sessions(clock).session("c", "account") as session, pytest.raises(Unavailable):
        list(session.audiences())
    assert clock.seconds() - began > 2 * 120
