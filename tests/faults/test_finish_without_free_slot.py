"""A run that wants to finish while lanes of other runs hold every connection of the account."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.samples import Sample, Segment
from shared.model.run import Mode, Run, RunStatus, Trigger
from tests.faults.simulated_deployment import Mill


def test_it_asks_for_room_and_comes_again_without_failing(
    new_mill: Callable[[], Mill], monkeypatch: pytest.MonkeyPatch
) -> None:
    mill = new_mill()
    mill.define(Sample(40, (Segment("Everybody", 1.0),), seed=5))
    slots, pace = mill.house.slots, mill.house.pace
    take, guest = slots.take, pace.guest
    asked: list[float] = []
    refused: list[float] = []

    def taken(account_id: str, *more: Any, **most: Any) -> Any:
        """Nothing is free for two minutes, once a run is finishing."""
        finishing = [
            stored for stored in mill.house.runs.all() if stored.value.status is RunStatus.FINISHING
        ]
        if finishing and (not refused or mill.clock.seconds() < refused[0] + 120):
            refused.append(mill.clock.seconds())
            return None
        return take(account_id, *more, **most)

    def lane_failed(_: str) -> None:
        pytest.fail("a message was given up although nothing had failed")

    monkeypatch.setattr(slots, "take", taken)
    monkeypatch.setattr(pace, "guest", lambda account: (asked.append(1.0), guest(account)))
    monkeypatch.setattr(
        type(mill.house.watchdog), "log_lane_given_up", lambda _, run_id: lane_failed(run_id)
    )

    run = mill.run()

    assert run.status is RunStatus.SUCCESSFUL
    assert len(refused) > 5  # more often than the queue brings a failing message
    assert len(asked) >= len(refused)
    assert len(mill.audience.members()) == run.counts.created > 0


def test_a_run_that_goes_on_after_a_yes_shares_the_account_again(
    new_mill: Callable[[], Mill],
) -> None:
    mill = new_mill()
    sample = Sample(40, (Segment("Everybody", 1.0),), seed=5)
    mill.define(sample)
    mill.run()
    mill.define(sample.later(leaving=30))
    waiting = mill.run()
    assert waiting.status is RunStatus.AWAITING_CONFIRMATION
    account = mill.box.account.id
    another = Run("another", "e2", Trigger.SCHEDULE, Mode.EXPORT, RunStatus.SENDING)
    mill.house.runs.create(another.id, another)
    mill.house.pace.join(account, another.id, lambda _: True)

    mill.house.commands.confirm(waiting.id)

    assert mill.house.pace.allowance(account).runs == 2
    assert mill.house.pace.allowance(account).lanes == 5
    assert mill.go_on(waiting.id).status is RunStatus.SUCCESSFUL
    assert mill.house.pace.allowance(account).runs == 1
