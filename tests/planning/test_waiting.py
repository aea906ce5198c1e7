"""While a service is unavailable, planning waits with growing pauses and keeps the cause."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta

import pytest

from sandbox.mailchimp.faults import Fault
from sandbox.samples import Sample, Segment
from shared.errors import Changed, Unavailable
from shared.model.run import RunStatus
from tests.faults.simulated_deployment import EXPORT, NewDeployment, SimulatedDeployment

SAMPLE = Sample(16, (Segment("A", 1.0),), seed=5)


def away_for(deployment: SimulatedDeployment, time: timedelta, error: Exception) -> list[float]:
    """Make segments unreadable for a time. Returns the times of the attempts, in seconds."""
    attempts: list[float] = []
    snapshot = deployment.source.snapshot

    def later(segments: list[str]) -> object:
        attempts.append(deployment.clock.seconds())
        if attempts[-1] - attempts[0] < time.total_seconds():
            raise error
        return snapshot(segments)

    deployment.source.snapshot = later  # type: ignore[assignment,method-assign]
    return attempts


@pytest.mark.parametrize("error", [Unavailable("noAnswer"), Changed("sourceMoved")])
@pytest.mark.parametrize("minutes", [4, 40])
def test_a_run_waits_for_a_service_and_is_planned_afterwards(
    new_deployment: NewDeployment, minutes: int, error: Exception
) -> None:
    deployment = new_deployment()
    deployment.define(SAMPLE)
    attempts = away_for(deployment, timedelta(minutes=minutes), error)

    run = deployment.run()

    assert run.status is RunStatus.SUCCESSFUL
    assert run.reason is None
    assert len(deployment.audience.members()) == 16
    assert 5 < len(attempts) < 40
    pauses = [after - before for before, after in itertools.pairwise(attempts)]
    assert pauses[-1] > pauses[0]
    assert max(pauses) < 300


def test_planning_waits_until_an_outage_of_mailchimp_ends(
    new_deployment: NewDeployment,
) -> None:
    deployment = new_deployment()
    deployment.define(SAMPLE)
    deployment.sandbox.arm(Fault("503-html", "GET", "", times=None))
    began = deployment.clock.seconds()

    def call(ask: Callable[[], object]) -> object:
        if deployment.clock.seconds() - began > 240:
            deployment.sandbox.disarm()
        return ask()

    deployment.call = call
    run = deployment.run()

    assert run.status is RunStatus.SUCCESSFUL


def test_after_an_hour_the_run_fails_with_the_last_cause(
    new_deployment: NewDeployment,
) -> None:
    deployment = new_deployment()
    deployment.define(SAMPLE)
    attempts = away_for(deployment, timedelta(days=1), Unavailable("diskFull"))

    run = deployment.run()

    assert run.status is RunStatus.FAILED
    assert run.reason is not None
    assert run.reason.code == "diskFull"
    assert 3600 <= attempts[-1] - attempts[0] < 3600 + 300


def test_a_run_that_waits_shows_the_cause_and_can_be_canceled_at_once(
    new_deployment: NewDeployment,
) -> None:
    deployment = new_deployment()
    deployment.define(SAMPLE)
    away_for(deployment, timedelta(days=1), Unavailable("noAnswer"))
    run = deployment.app.starter.start(EXPORT)
    for _ in range(4):
        deployment._deliver()

    waiting = deployment.app.commands.read(run.id)
    deployment.app.commands.cancel(run.id)
    asked = deployment.clock.seconds()
    ended = deployment.run_to_end(run.id)

    assert (waiting.status, waiting.reason.code) == (RunStatus.PLANNING, "noAnswer")
    assert ended.status is RunStatus.CANCELED
    assert deployment.clock.seconds() - asked < 10
