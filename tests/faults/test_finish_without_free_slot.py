"""A run that finishes while lanes of other runs use all connections of the account."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.samples import Sample, Segment
from shared.model.run import Mode, Run, RunStatus, Trigger
from tests.faults.simulated_deployment import NewDeployment


def test_a_lane_without_a_slot_waits_and_retries_without_failing(
    new_deployment: NewDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = new_deployment()
    deployment.define(Sample(40, (Segment("AllPeople", 1.0),), seed=5))
    slots, pace = deployment.app.slots, deployment.app.pace
    take, reserve_slot = slots.take, pace.reserve_slot
    asked: list[float] = []
    refused: list[float] = []

    def taken(account_id: str, *more: Any, **most: Any) -> Any:
        """No slot is free for 20 seconds when a run begins to finish."""
        finishing = [
            stored
            for stored in deployment.app.runs.all()
            if stored.value.status is RunStatus.FINISHING
        ]
        if finishing and (not refused or deployment.clock.seconds() < refused[0] + 20):
            refused.append(deployment.clock.seconds())
            return None
        return take(account_id, *more, **most)

    def lane_failed(_: str) -> None:
        pytest.fail("a message was given up although nothing had failed")

    monkeypatch.setattr(slots, "take", taken)
    monkeypatch.setattr(
        pace, "reserve_slot", lambda account: (asked.append(1.0), reserve_slot(account))
    )
    monkeypatch.setattr(
        type(deployment.app.watchdog), "log_lane_given_up", lambda _, run_id: lane_failed(run_id)
    )

    run = deployment.run()

    assert run.status is RunStatus.SUCCESSFUL
    assert len(refused) > 5  # more often than the queue brings a failing message
    assert len(asked) >= len(refused)
    assert len(deployment.audience.members()) == run.counts.created > 0


def test_a_confirmed_run_shares_the_account_again(
    new_deployment: NewDeployment,
) -> None:
    deployment = new_deployment()
    sample = Sample(40, (Segment("AllPeople", 1.0),), seed=5)
    deployment.define(sample)
    deployment.run()
    deployment.define(sample.later(leaving=30))
    waiting = deployment.run()
    assert waiting.status is RunStatus.AWAITING_CONFIRMATION
    account = deployment.sandbox.account.id
    another = Run("another", "e2", Trigger.SCHEDULE, Mode.EXPORT, RunStatus.SENDING)
    deployment.app.runs.create(another.id, another)
    deployment.app.pace.join(account, another.id, lambda _: True)

    deployment.app.commands.confirm(waiting.id)

    assert deployment.app.pace.allowance(account).runs == 2
    assert deployment.app.pace.allowance(account).lanes == 5
    assert deployment.run_to_end(waiting.id).status is RunStatus.SUCCESSFUL
    assert deployment.app.pace.allowance(account).runs == 1
