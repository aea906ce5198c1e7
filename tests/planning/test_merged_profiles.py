"""Customer Insights gives a profile another CustomerId when it merges or splits profiles."""

from __future__ import annotations

from tests.planning.row_deployment import RowDeployment, person


def test_a_person_who_unsubscribed_is_not_added_under_another_address_after_profiles_were_merged(
    rows: RowDeployment,
) -> None:
    rows.run(person(1))
    rows.deployment.audience.unsubscribe("p1@example.com")
    moved = person(1, EMail="new@example.com")
    kept = rows.run(moved, person(2))
    assert rows.outcomes(kept)["new@example.com"] == ("kept", "unsubscribed")

    run = rows.run({**moved, "CustomerId": "99"}, person(2))

    assert rows.outcomes(run)["new@example.com"] == ("kept", "unsubscribed")
    assert "new@example.com" not in rows.deployment.audience.members()
