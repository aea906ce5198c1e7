"""A person who unsubscribed stays unsubscribed for the app after someone archives the contact in Mailchimp."""

from __future__ import annotations

import pytest

from shared.model.run import ADD_ARCHIVED
from shared.runs.start import RunOptions
from tests.consent_updates.consent_deployment import ConsentDeployment
from tests.consent_updates.test_changed_addresses import A, B, deploy
from tests.faults.simulated_deployment import EXPORT, NewDeployment
from tests.planning.row_deployment import person


@pytest.fixture
def made(new_deployment: NewDeployment) -> ConsentDeployment:
    return deploy(new_deployment())


def let_them(made: ConsentDeployment, *statuses: str) -> None:
    """The first person gets these statuses, one after the other. A sweep reads each."""
    for status in statuses:
        made.audience.add(A, status=status)
        made.sweep()


@pytest.mark.parametrize(
    ("statuses", "outcome"),
    [
        (("unsubscribed", "archived"), ("kept", "unsubscribed")),
        (("unsubscribed", "subscribed", "archived"), ("created", None)),
    ],
)
def test_another_address_of_the_person_is_added_only_if_they_subscribed_again_before(
    made: ConsentDeployment, statuses: tuple[str, ...], outcome: tuple[str, str | None]
) -> None:
    let_them(made, *statuses)

    run = made.rows.run(person(1), person(1, EMail=B), person(2))

    assert made.rows.outcomes(run)[B] == outcome
    assert (B in made.audience.members()) is (outcome[0] == "created")
    assert made.audience.members()[A].status == "archived"


def test_they_are_not_added_again_with_the_people_that_an_undo_archived(
    made: ConsentDeployment,
) -> None:
    app, deployment = made.app, made.deployment
    (run,) = [one.value for one in app.runs.all()]
    deployment.undo(run, archive_created=True)
    made.sweep()
    let_them(made, "subscribed", "unsubscribed", "archived")

    again = app.starter.start(EXPORT, options=RunOptions(confirmed=(ADD_ARCHIVED,)))
    deployment.run_to_end(again.id)

    assert [made.rows.status(n) for n in (1, 2, 3)] == ["archived", "subscribed", "subscribed"]


def test_the_undo_of_archiving_unused_contacts_does_not_add_them(made: ConsentDeployment) -> None:
    app, deployment = made.app, made.deployment
    made.rows.run(person(3))
    archiving = deployment.run_to_end(app.unused_contacts.archive(EXPORT, "Kim", 2).id)
    made.sweep()
    let_them(made, "subscribed", "unsubscribed", "archived")

    deployment.undo(archiving)

    assert [made.rows.status(n) for n in (1, 2, 3)] == ["archived", "subscribed", "subscribed"]
