"""A contact that is archived or deleted before a call is not subscribed by it."""

from __future__ import annotations

import pytest

from sandbox.mailchimp import Fault
from shared.model.export import NewContacts, NewContactStatus
from shared.sending import absent_people
from tests.faults.conftest import clock, mailchimp, new_deployment
from tests.faults.simulated_deployment import EXPORT, NewDeployment
from tests.planning.row_deployment import RowDeployment, person
from tests.planning.test_withdrawals import delete

__all__ = ["clock", "mailchimp", "new_deployment"]


@pytest.mark.parametrize("most", [20, 1])
def test_contacts_that_no_sweep_has_read_stay_archived(
    new_deployment: NewDeployment,
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
    delete(audience, "p3@example.com")

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


@pytest.fixture
def rows(new_deployment: NewDeployment) -> RowDeployment:
    """An export whose new people must confirm, and a Mailchimp that subscribes people without a status."""
    made = RowDeployment(new_deployment())
    # Whether Mailchimp refuses a missing status is not documented.
    made.deployment.sandbox.set(missing_status="subscribe")
    made.define(new_contacts=NewContacts(NewContactStatus.PENDING))
    return made


def confirmed(rows: RowDeployment) -> None:
    """Add three people, who confirm."""
    people = [person(number) for number in range(3)]
    rows.run(*people)
    for number in range(3):
        rows.deployment.audience.add(f"p{number}@example.com", status="subscribed")
    rows.run(*people)


@pytest.mark.parametrize("when", ["before the run", "after the plan"])
def test_an_update_does_not_subscribe_a_person_who_must_confirm(
    rows: RowDeployment, when: str
) -> None:
    confirmed(rows)
    deployment, audience = rows.deployment, rows.deployment.audience
    rows.source.segments = {"People": [person(n, FirstName="Changed") for n in range(3)]}
    if when == "before the run":
        delete(audience, "p0@example.com")
    started = deployment.app.starter.start(EXPORT)
    if when == "after the plan":
        deployment.plan(started.id)
        delete(audience, "p0@example.com")
        audience.add("p1@example.com", status="archived")

    run = deployment.run_to_end(started.id)

    second = "subscribed" if when == "before the run" else "pending"
    assert [rows.status(n) for n in range(3)] == ["pending", second, "subscribed"]
    assert rows.outcomes(run)["p0@example.com"] == ("created", None)
    assert run.consent_proof.statuses_changed == 0


def test_a_deleted_person_whom_mailchimp_asks_to_confirm_counts_as_added(
    rows: RowDeployment,
) -> None:
    rows.define(new_contacts=NewContacts(NewContactStatus.SUBSCRIBED))
    people = [person(number) for number in range(3)]
    rows.run(*people)
    # Mailchimp archives no pending contact.
    rows.deployment.sandbox.set(missing_status="pending")
    delete(rows.deployment.audience, "p0@example.com")

    run = rows.run(person(0, FirstName="Changed"), *people[1:])

    assert rows.outcomes(run)["p0@example.com"] == ("created", None)
    assert [rows.status(n) for n in range(3)] == ["pending", "subscribed", "subscribed"]


def test_a_contact_archived_after_its_addition_was_refused_must_confirm(
    rows: RowDeployment,
) -> None:
    audience = rows.deployment.audience
    audience.add("p0@example.com", status="subscribed")

    archived = rows.after_first_batch(lambda: audience.add("p0@example.com", status="archived"))
    run = rows.run(person(0), person(1))

    assert archived
    assert [rows.status(n) for n in range(2)] == ["pending", "pending"]
    assert rows.outcomes(run)["p0@example.com"] == ("created", None)


@pytest.mark.parametrize(
    ("times", "status", "outcome"), [(3, "pending", "created"), (None, "subscribed", "rejected")]
)
def test_a_wrong_status_is_corrected_or_reported_although_calls_fail(
    rows: RowDeployment, times: int | None, status: str, outcome: str
) -> None:
    confirmed(rows)
    delete(rows.deployment.audience, "p0@example.com")
    rows.deployment.sandbox.arm(Fault("400-empty", "DELETE", times=times))

    run = rows.run(*(person(n, FirstName="Changed") for n in range(3)))

    assert rows.outcomes(run)["p0@example.com"][0] == outcome
    assert [rows.status(n) for n in range(3)] == [status, "subscribed", "subscribed"]
