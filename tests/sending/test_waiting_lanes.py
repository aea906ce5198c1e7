"""Lanes that wait for a slot check rarely and report that they wait."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from shared.capacity.pace import AccountPace
from shared.capacity.slots import Slots
from shared.messaging.sequence import MessageSequences
from shared.model.ports import Stored
from shared.model.run import Mode, Run, RunStatus, Trigger, run_columns
from shared.runs.transitions import Transitions
from shared.runs.watchdog import STALLED_AFTER, Watchdog
from shared.sending.lane import Lanes
from shared.sending.run_checks import RunChecks
from tests.fakes import MemoryRecords, MemoryStore, StoreClient

BEGAN = datetime(2026, 11, 1, 6, 0, tzinfo=UTC)


class Busy:
    """Leases that other processes hold."""

    def acquire(self, name: str, seconds: int) -> None:
        return None


class Queue:
    def __init__(self) -> None:
        self.sent: list[tuple[str, float]] = []
        self.messages: list[Mapping[str, Any]] = []

    def send(self, queue: str, message: Mapping[str, object], delay: float = 0) -> None:
        self.sent.append((queue, delay))
        self.messages.append(message)


class Waiting:
    """A run that sends to an account whose slots others hold, and the watchdog."""

    def __init__(self, others: int) -> None:
        self.now = BEGAN
        self.queue = Queue()
        self.storage = StoreClient(MemoryStore())
        self.runs: MemoryRecords[Run] = MemoryRecords(self.storage, "runs", run_columns)
        self.pace = AccountPace(MemoryRecords(self.storage, "paces"), 10, self._now)
        nothing: Callable[..., Any] = lambda *_, **__: None  # noqa: E731
        slots = Slots(Busy(), MemoryRecords(self.storage, "slots"), 10, lambda: "token")
        plan: Any = SimpleNamespace(account_id="a", connection_id="c")
        self.transitions = Transitions(self.runs, self._now)
        self.lanes = Lanes(
            checks=RunChecks(self.runs, lambda: self.now.timestamp()),
            transitions=self.transitions,
            queue=self.queue,
            sequences=MessageSequences(MemoryRecords(self.storage, "sequences")),
            slots=slots,
            pace=self.pace,
            plan_of=lambda _: plan,
            worker=SimpleNamespace(),  # type: ignore[arg-type]
            finish=nothing,
            abandon=SimpleNamespace(),  # type: ignore[arg-type]
            now=self._now,
            meter=SimpleNamespace(add=nothing, record=nothing),  # type: ignore[arg-type]
            stopping=lambda: False,
        )
        run = Run(
            "r0",
            "e",
            Trigger.SCHEDULE,
            Mode.EXPORT,
            RunStatus.SENDING,
            queued_at=BEGAN,
            moved_at=BEGAN,
        )
        self.runs.create("r0", run)
        for number in range(others + 1):
            self.pace.join("a", f"r{number}", lambda _: True)

    def _now(self) -> datetime:
        return self.now

    def retries_after(self, lane: int) -> float:
        """The seconds after which a lane without a slot tries again."""
        self.queue.sent.clear()
        self.lanes.run("r0", lane)
        [(queue, delay)] = self.queue.sent
        assert queue == "send-lanes"
        return delay

    def resumed(self) -> int:
        """The number of messages that the watchdog sends now."""
        self.queue.sent.clear()
        Watchdog(
            self.runs,
            MemoryRecords(self.storage, "chunks"),
            self.transitions,
            self.queue,
            SimpleNamespace(),
            10,
            self._now,
        ).resume_stalled()  # type: ignore[arg-type]
        return len(self.queue.sent)


@pytest.mark.parametrize(("others", "seconds"), [(0, 4), (4, 20), (9, 40), (99, 60)])
def test_waiting_lanes_check_less_often_the_more_runs_share_an_account(
    others: int, seconds: float
) -> None:
    assert Waiting(others).retries_after(lane=0) == seconds
    assert Waiting(others).retries_after(lane=9) == seconds


def test_a_run_waiting_for_a_slot_is_not_resumed_repeatedly() -> None:
    waiting = Waiting(others=99)
    for _ in range(30):  # half an hour without a slot
        waiting.now += timedelta(seconds=waiting.retries_after(lane=0))
        waiting.retries_after(lane=7)
        assert waiting.resumed() == 0


def test_a_waiting_run_is_not_resumed_repeatedly_because_a_wrong_clock_wrote_its_last_move() -> (
    None
):
    waiting = Waiting(others=99)
    waiting.now += timedelta(hours=3)
    waiting.transitions.mark_waiting("r0")
    waiting.now = BEGAN
    waiting.retries_after(lane=0)
    waiting.now += STALLED_AFTER / 2
    assert waiting.resumed() == 0


def test_duplicated_messages_do_not_multiply_lanes() -> None:
    waiting = Waiting(others=2)
    messages: list[Mapping[str, Any]] = [{"lane": lane} for lane in range(10)]
    for _ in range(30):
        waiting.now += timedelta(seconds=12)
        waiting.queue.messages = []
        for message in (*messages, *messages):
            waiting.lanes.run("r0", message["lane"], message.get("number"))
        messages = waiting.queue.messages

    assert sorted(message["lane"] for message in messages) == list(range(10))


def test_a_run_without_a_message_is_resumed() -> None:
    waiting = Waiting(others=99)
    waiting.now += STALLED_AFTER + timedelta(seconds=1)
    assert waiting.resumed() == 10


def test_a_run_that_ended_meanwhile_is_not_changed() -> None:
    waiting = Waiting(others=99)
    stored = waiting.runs.read("r0")
    assert stored is not None
    ended = replace(stored.value, status=RunStatus.FINISHING)
    read = waiting.runs.read

    def just_before(key: str) -> Stored[Run] | None:
        """The lane reads the run as sending, and it ends right after."""
        found = read(key)
        if found is not None and found.value.status is RunStatus.SENDING:
            waiting.runs.replace(key, ended, found.etag)
        return found

    waiting.runs.read = just_before  # type: ignore[method-assign]
    waiting.now += timedelta(minutes=3)
    waiting.lanes.run("r0", 0)
    after = read("r0")
    assert after is not None
    assert after.value == ended
