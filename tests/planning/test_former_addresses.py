"""A person's address changes: the contact with the former address is reported, and archived if the export is set so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shared.model.export import Leavers, OnAddressChange, SegmentChoice
from shared.model.run import RunStatus
from shared.model.source import UnreadableRow
from tests.fakes import ProcessKilled
from tests.faults.simulated_deployment import NewDeployment
from tests.planning.row_deployment import RowDeployment, codes, person, proof


@pytest.fixture
def rows(new_deployment: NewDeployment) -> RowDeployment:
    made = RowDeployment(new_deployment())
    made.define(on_address_change=OnAddressChange.ARCHIVE)
    return made


def moved(number: int) -> dict[str, str]:
    return person(number, EMail=f"new{number}@example.com")


def test_a_contact_with_a_former_address_is_reported_and_then_archived_if_only_this_export_uses_it(
    rows: RowDeployment,
) -> None:
    audience = rows.deployment.audience
    audience.add("p1@example.com", status="subscribed")  # not created by the export
    rows.run(*(person(n) for n in range(5)))
    audience.add("p2@example.com", tags=["Other"])
    changed = [*(moved(n) for n in range(4)), person(4)]

    first = rows.run(*changed)

    assert [rows.outcomes(first)[f"p{n}@example.com"] for n in range(4)] == [
        ("removed", "addressChanged")
    ] * 4
    assert codes(first)["addressChangedToArchive"] == {"people": "4"}
    assert rows.status(0) == "subscribed"
    audience.unsubscribe("p3@example.com")

    second = rows.run(*changed)

    assert [rows.status(n) for n in range(5)] == [
        "archived",
        "subscribed",
        "subscribed",
        "unsubscribed",
        "subscribed",
    ]
    found = rows.outcomes(second)
    assert codes(second)["formerPlanned"] == {"people": "2"}
    assert "addressChangedToArchive" not in codes(second)
    assert found["p0@example.com"] == ("removed", "formerArchived")
    assert found["p2@example.com"] == ("notSent", "taggedByOthers")
    assert "p1@example.com" not in found
    # The person who unsubscribed under the former address gets nothing under the new one.
    assert found["new3@example.com"] == ("kept", "unsubscribed")
    assert second.consent_proof.archived == 1
    assert proof(second)["archived"] == (0, 1, 1, 0)
    assert proof(second)["unsubscribed"] == (1, 1, 0, 0)
    assert second.counts.removed == second.counts.left == 0
    assert second.status is RunStatus.SUCCESSFUL

    rows.deployment.sandbox.calls.clear()
    third = rows.run(*changed)

    assert third.consent_proof.archived == 0
    assert "p2@example.com" not in rows.outcomes(third)
    assert third.calls.write == 0
    assert rows.deployment.audience.members()["new0@example.com"].status == "subscribed"


def test_a_contact_with_a_former_address_stays_until_the_new_address_is_accepted(
    rows: RowDeployment,
) -> None:
    rows.deployment.sandbox.set(refused_domains=frozenset({"refused.example"}))
    rows.run(person(0), person(1))
    for _ in range(2):
        run = rows.run(person(0, EMail="p0@refused.example"), person(1))
        assert run.counts.rejected == 1
    rows.deployment.sandbox.set(refused_domains=frozenset())

    assert rows.status(0) == "subscribed"


def test_an_unusual_number_of_new_addresses_is_archived_after_a_confirmation(
    rows: RowDeployment,
) -> None:
    rows.run(*(person(n) for n in range(4)))
    rows.run(*(moved(n) for n in range(4)))
    rows.change(max_removal_share=0.3)

    run = rows.run(*(moved(n) for n in range(4)))

    assert run.status is RunStatus.AWAITING_CONFIRMATION
    assert codes(run)["formerHeld"] == {"people": "4"}
    assert rows.status(0) == "subscribed"
    sending = rows.deployment.app.commands.confirm(run.id)
    assert sending.status is RunStatus.SENDING
    assert codes(sending)["formerPlanned"] == {"people": "4"}
    assert "formerHeld" not in codes(sending)

    # The process ends after the first contact was archived, before that is recorded.
    killed = []

    def call(ask: Callable[[], Any]) -> Any:
        before = rows.deployment.audience.statuses().get("archived", 0)
        answer = ask()
        if rows.deployment.audience.statuses().get("archived", 0) > before and not killed:
            killed.append(True)
            answer.close()
            rows.deployment.client.dead = True
            raise ProcessKilled
        return answer

    rows.deployment.call = call
    confirmed = rows.deployment.run_to_end(run.id)

    assert killed
    assert confirmed.status is RunStatus.SUCCESSFUL
    assert confirmed.consent_proof.archived == 4
    assert codes(confirmed)["formerPlanned"] == {"people": "4"}
    assert "formerHeld" not in codes(confirmed)
    assert rows.deployment.audience.statuses() == {"archived": 4, "subscribed": 4}


def test_contacts_with_a_former_address_are_not_archived_while_the_removal_of_their_tags_waits(
    rows: RowDeployment,
) -> None:
    rows.change(segments=(SegmentChoice("People"), SegmentChoice("Few")), max_removal_share=0.3)
    others = [person(n) for n in range(2, 12)]
    rows.run(person(0), *others, Few=[person(1)])
    for _ in range(2):
        # One of one person loses the tag of the segment Few, which is more than the share, and one contact of
        # twelve would be archived, which is less. No one confirms.
        run = rows.run(person(0), *others, Few=[moved(1)])
        assert run.status is RunStatus.AWAITING_CONFIRMATION

    assert codes(run)["formerHeld"] == {"people": "1"}
    assert (rows.status(1), rows.tags(1)) == ("subscribed", {"Few"})

    rows.deployment.app.commands.confirm(run.id)
    confirmed = rows.deployment.run_to_end(run.id)

    assert confirmed.status is RunStatus.SUCCESSFUL
    assert (rows.status(1), rows.tags(1)) == ("archived", frozenset())


def test_a_contact_is_not_archived_while_a_row_that_cannot_be_read_may_be_its_person(
    rows: RowDeployment,
) -> None:
    both = (person(0), moved(0))
    rows.run(*both, person(1))
    rows.source.unreadable = (UnreadableRow("People", "one.csv", 4, "rowBadQuoting"),)

    run = rows.run(moved(0), person(1))

    assert (rows.status(0), rows.tags(0)) == ("subscribed", {"People"})
    assert run.consent_proof.archived == 0
    rows.source.unreadable = ()

    again = rows.run(moved(0), person(1))

    assert (rows.status(0), rows.tags(0)) == ("archived", frozenset())
    assert again.consent_proof.archived == 1


def test_with_tags_that_stay_a_row_that_cannot_be_read_keeps_the_contact_as_well(
    rows: RowDeployment,
) -> None:
    rows.change(leavers=Leavers.KEEP_TAG)
    rows.run(person(0), moved(0), person(1), moved(1))
    rows.source.unreadable = (UnreadableRow("People", "one.csv", 4, "rowBadQuoting"),)
    rows.run(moved(0), moved(1))
    assert [rows.status(n) for n in range(2)] == ["subscribed", "subscribed"]

    # The malformed address is that of one person, whom the CustomerId names.
    rows.source.unreadable = ()
    rows.run(person(0, EMail="p0@example,com"), moved(0), moved(1))
    assert [rows.status(n) for n in range(2)] == ["subscribed", "archived"]

    rows.run(moved(0), moved(1))
    assert rows.status(0) == "archived"


def test_a_retry_of_other_rows_does_not_archive_a_contact_that_still_has_its_tag(
    rows: RowDeployment,
) -> None:
    refused = person(2, EMail="p2@refused.example")
    rows.deployment.sandbox.set(refused_domains=frozenset({"refused.example"}))
    failed = rows.run(person(0), moved(0), refused)
    assert failed.counts.rejected == 1
    rows.source.segments = {"People": [moved(0), refused]}

    retry = rows.deployment.app.commands.retry(failed.id, "Dev")
    rows.deployment.run_to_end(retry.id)

    assert (rows.status(0), rows.tags(0)) == ("subscribed", {"People"})
    rows.deployment.sandbox.set(refused_domains=frozenset())
