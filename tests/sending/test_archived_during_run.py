"""A contact that is archived between the plan and the call is not subscribed again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.sending import absent_people
from tests.faults.conftest import clock, mailchimp, new_deployment
from tests.faults.simulated_deployment import EXPORT, SimulatedDeployment
from tests.planning.row_deployment import RowDeployment, person

__all__ = ["clock", "mailchimp", "new_deployment"]


@pytest.mark.parametrize("most", [20, 1])
def test_contacts_that_no_sweep_has_read_stay_archived(
    new_deployment: Callable[[], SimulatedDeployment],
    monkeypatch: pytest.MonkeyPatch,
    most: int,
) -> None:
    monkeypatch.setattr(absent_people, "MOST_LOOKUPS", most)
    rows = RowDeployment(new_deployment())
    deployment, audience = rows.deployment, rows.deployment.audience
    rows.define()
    rows.run(*(person(number) for number in range(1, 5)))
    deployment.clock.forward(3_600)
    rows.source.segments = {"People": [person(n, FirstName="Changed") for n in range(1, 5)]}
    started = deployment.app.starter.start(EXPORT)
    deployment.plan(started.id)
    audience.add("p1@example.com", status="archived")
    audience.unsubscribe("p2@example.com")
    audience.add("p2@example.com", status="archived")
    audience.forget("p3@example.com")
    audience.state.forgotten.clear()

    run = deployment.run_to_end(started.id)

    assert rows.outcomes(run) == {
        "p1@example.com": ("kept", "archived"),
        "p2@example.com": ("kept", "archived"),
        # Deleted, and the audience accepts the address.
        "p3@example.com": ("created", None),
        "p4@example.com": ("updated", None),
    }
    assert [rows.status(n) for n in (1, 2)] == ["archived", "archived"]
    assert run.consent_proof.statuses_changed == 0
