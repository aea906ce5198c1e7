"""People who were asked to confirm their subscription under one address, and have another one now."""

from __future__ import annotations

import pytest

from shared.model.export import NewContacts, NewContactStatus
from tests.faults.simulated_deployment import NewDeployment
from tests.planning.row_deployment import RowDeployment, person


@pytest.mark.parametrize(
    ("status", "outcome"), [("subscribed", ("kept", "pending")), ("pending", ("created", None))]
)
def test_people_who_have_not_confirmed_are_only_added_if_they_are_asked_again(
    new_deployment: NewDeployment,
    status: str,
    outcome: tuple[str, str | None],
) -> None:
    rows = RowDeployment(new_deployment())
    rows.define(new_contacts=NewContacts(NewContactStatus(status)))
    rows.deployment.audience.add("p1@example.com", status="pending")

    run = rows.run(person(1), person(1, EMail="other@example.com"))

    assert rows.outcomes(run) == {
        "p1@example.com": ("kept", "pending"),
        "other@example.com": outcome,
    }
    assert rows.status(1) == "pending"
