"""The evidence of consent reaches Mailchimp with the fields, as valid values only."""

from __future__ import annotations

import orjson
import pytest

from sandbox.mailchimp.state import digest
from shared.model.export import Evidence, Mapping
from shared.model.run import RunStatus
from tests.faults.simulated_deployment import NewDeployment
from tests.planning.row_deployment import RowDeployment, codes, person

COLUMNS = ("CustomerId", "EMail", "FirstName", "Consent", "At", "From", "SignedUp")


@pytest.fixture
def rows(new_deployment: NewDeployment) -> RowDeployment:
    made = RowDeployment(new_deployment(), COLUMNS)
    evidence = Evidence(timestamp_signup="SignedUp", timestamp_opt="At", ip_opt="From")
    made.define(mapping=Mapping("EMail", "FirstName", evidence=evidence))
    return made


def stored(rows: RowDeployment, number: int) -> dict[str, str]:
    """The evidence that the audience has of a person."""
    evidence = rows.deployment.audience.state.evidence
    return evidence.get(digest(f"p{number}@example.com"), {})


def test_times_and_addresses_are_sent_as_mailchimp_takes_them(rows: RowDeployment) -> None:
    with_offset = {"At": "2026-03-01T08:30:00+09:00", "From": "203.0.113.9"}
    first = rows.run(
        person(0, **with_offset),
        person(1, At="2026-03-01", From="2001:DB8:0:0:0:0:0:1", SignedUp="2026-02-28 23:00:00"),
        person(2, At="yesterday", From="203.0.113.999", SignedUp="2026-01-01T00:00:00Z"),
        person(3, SignedUp="2098-01-01T00:00:00Z"),
    )

    assert stored(rows, 0) == {
        "timestamp_opt": "2026-02-28T23:30:00+00:00",
        "ip_opt": "203.0.113.9",
    }
    assert stored(rows, 1) == {
        "timestamp_opt": "2026-03-01T00:00:00+00:00",
        "ip_opt": "2001:db8::1",
        "timestamp_signup": "2026-02-28T23:00:00+00:00",
    }
    assert stored(rows, 2) == {"timestamp_signup": "2026-01-01T00:00:00+00:00"}
    assert stored(rows, 3) == {}
    assert [rows.status(n) for n in range(4)] == ["subscribed"] * 4
    assert rows.outcomes(first)["p2@example.com"] == ("created", "valueDropped")
    dropped = [f.values for f in first.findings if f.code == "valuesDropped"]
    assert [(f["field"], f["dropped"]) for f in dropped] == [
        ("ip_opt", "1"),
        ("timestamp_opt", "1"),
        ("timestamp_signup", "1"),
    ]
    messages = [f.message for f in first.findings if f.code == "valuesDropped"]
    assert all("A time is in ISO 8601" in message for message in messages)
    assert "$" not in orjson.dumps([f.message for f in first.findings]).decode()

    # A changed value is an update, an empty one changes nothing, and nothing is a merge field.
    second = rows.run(
        person(0, **{**with_offset, "From": "203.0.113.10"}), person(1), person(2), person(3)
    )
    assert second.status is RunStatus.SUCCESSFUL, codes(second)
    assert stored(rows, 0)["ip_opt"] == "203.0.113.10"
    assert stored(rows, 1)["ip_opt"] == "2001:db8::1"
    members = rows.deployment.audience.members()
    assert set(members["p0@example.com"].merge_fields) == {"FNAME"}

    # Evidence is no manual edit, so an undo restores the other values.
    third = rows.run(person(0, FirstName="New", **with_offset), person(1), person(2), person(3))
    assert rows.deployment.undo(third).status is RunStatus.SUCCESSFUL
    assert rows.values(0)["FNAME"] == "P0"
    assert stored(rows, 0)["ip_opt"] == "203.0.113.10"
