"""An undo restores nothing for people who withdrew consent or were excluded after the run."""

from __future__ import annotations

import pytest

from shared.model.exclusions import ExclusionList
from shared.model.export import NewContacts, NewContactStatus
from shared.model.one_person import ChosenPerson
from shared.model.run import RunStatus
from tests.faults.simulated_deployment import EXPORT, NewDeployment
from tests.planning.row_deployment import RowDeployment, codes, person


@pytest.fixture
def rows(new_deployment: NewDeployment) -> RowDeployment:
    made = RowDeployment(new_deployment())
    made.define(exclusion_segments=("Never",))
    made.run(*(person(n) for n in range(4)), Never=[])
    return made


def test_a_later_run_that_sent_no_one_shows_who_gets_no_tag_back(rows: RowDeployment) -> None:
    second = rows.run(person(0), Never=[])
    assert rows.run(person(0), person(1, "no"), person(2), Never=[person(2)]).calls.write == 0

    undo = rows.deployment.undo(second)

    assert [rows.tags(n) for n in range(4)] == [{"People"}, set(), set(), {"People"}]
    assert codes(undo)["undoConsentWithdrawn"] == codes(undo)["undoExcluded"] == {"people": "1"}


def test_a_later_preview_shows_who_gets_no_tag_back(rows: RowDeployment) -> None:
    second = rows.run(person(0), Never=[])
    rows.preview(person(0), person(1, "no"), person(2), Never=[person(2)])
    rows.preview(person(0), person(1, "no"), person(2), Never=[person(2)])

    undo = rows.deployment.undo(second)

    assert [rows.tags(n) for n in range(4)] == [{"People"}, set(), set(), {"People"}]
    assert codes(undo)["undoConsentWithdrawn"] == codes(undo)["undoExcluded"] == {"people": "1"}


def test_a_preview_of_a_definition_that_was_changed_back_keeps_no_tag_from_anyone(
    rows: RowDeployment,
) -> None:
    second = rows.run(person(0), Never=[])
    # In this attribute, no value is a yes.
    rows.change(new_contacts=NewContacts(consent_attribute="FirstName"))
    preview = rows.preview(*(person(n) for n in range(4)), Never=[])
    rows.change(new_contacts=NewContacts(consent_attribute="Consent"))

    undo = rows.deployment.undo(second)

    assert preview.counts.kept == 4
    assert [rows.tags(n) for n in range(4)] == [{"People"}] * 4
    assert "undoConsentWithdrawn" not in codes(undo)


def test_a_preview_of_the_changed_definition_shows_who_gets_no_tag_back(
    rows: RowDeployment,
) -> None:
    second = rows.run(person(0), Never=[])
    rows.change(exclusion_segments=("Never", "Complaints"))
    rows.preview(*(person(n) for n in range(4)), Never=[], Complaints=[person(2)])

    undo = rows.deployment.undo(second)

    assert [rows.tags(n) for n in range(4)] == [{"People"}, {"People"}, set(), {"People"}]
    assert codes(undo)["undoExcluded"] == {"people": "1"}


def test_later_runs_of_one_person_show_who_gets_no_tag_and_no_value_back(
    rows: RowDeployment,
) -> None:
    changed = [person(n, FirstName="New") for n in range(4)]
    second = rows.run(*changed, Never=[])
    changed[1] = person(1, "no", FirstName="New")
    rows.source.segments = {"People": changed, "Never": [person(2)]}
    for number in (1, 2, 3):
        chosen = ChosenPerson(f"p{number}@example.com", "")
        rows.deployment.run_to_end(rows.deployment.app.one_person.start(EXPORT, "Kim", chosen).id)

    undo = rows.deployment.undo(second)

    assert [rows.tags(n) for n in range(4)] == [{"People"}, set(), set(), {"People"}]
    names = [m.merge_fields["FNAME"] for m in rows.deployment.audience.members().values()]
    assert sorted(names) == ["New", "New", "P0", "P3"]
    assert codes(undo)["undoConsentWithdrawn"] == codes(undo)["undoExcluded"] == {"people": "1"}


def test_a_second_undo_after_a_canceled_one_gives_the_same_people_no_tag_back(
    rows: RowDeployment,
) -> None:
    second = rows.run(person(0), Never=[])
    rows.run(person(0), person(1, "no"), person(2), Never=[person(2)])
    canceled = rows.while_sending(lambda run: rows.deployment.app.commands.cancel(run.id))
    assert rows.deployment.undo(second).status is RunStatus.CANCELED
    assert canceled

    undo = rows.deployment.undo(second)

    assert [rows.tags(n) for n in range(4)] == [{"People"}, set(), set(), {"People"}]
    assert codes(undo)["undoConsentWithdrawn"] == {"people": "1"}


def test_an_undo_reports_only_people_whom_the_undone_run_changed(rows: RowDeployment) -> None:
    others = [person(1, "no"), person(2), person(3)]
    rows.run(person(0), *others, Never=[])
    second = rows.run(person(0, FirstName="New"), *others, Never=[])

    undo = rows.deployment.undo(second)

    assert undo.counts.updated == 1
    assert "undoConsentWithdrawn" not in codes(undo)


def test_a_person_without_consent_who_unsubscribed_with_another_address_gets_no_tag_back(
    rows: RowDeployment,
) -> None:
    rows.deployment.audience.unsubscribe("p1@example.com")
    swapped = [person(1, "no", EMail="p2@example.com"), person(2, EMail="p1@example.com")]
    second = rows.run(person(0), *swapped, person(3, FirstName="New"), Never=[])
    assert rows.tags(2) == set()

    undo = rows.deployment.undo(second)

    assert [rows.tags(n) for n in (0, 2, 3)] == [{"People"}, set(), {"People"}]
    assert undo.counts.updated == 1
    assert codes(undo)["undoConsentWithdrawn"] == {"people": "2"}


@pytest.mark.parametrize("listed", [True, False])
def test_an_excluded_person_who_unsubscribed_with_another_address_gets_no_tag_back(
    rows: RowDeployment, listed: bool
) -> None:
    rows.deployment.audience.unsubscribe("p1@example.com")
    swapped = [person(1, EMail="p2@example.com"), person(2, EMail="p1@example.com")]
    if listed:
        app = rows.deployment.app
        app.exclusion_lists.write(EXPORT, ExclusionList((), ("1",)))
    second = rows.run(person(0), *swapped, Never=[] if listed else [{"CustomerId": "1"}])
    assert rows.tags(2) == rows.tags(3) == set()

    undo = rows.deployment.undo(second)

    assert [rows.tags(n) for n in (0, 2, 3)] == [{"People"}, set(), {"People"}]
    assert codes(undo)["undoExcluded"] == {"people": "1"}


def test_archived_contacts_of_people_who_withdrew_consent_are_not_added_again(
    rows: RowDeployment,
) -> None:
    app = rows.deployment.app
    rows.run(person(0), Never=[])
    archiving = rows.deployment.run_to_end(app.unused_contacts.archive(EXPORT, "Kim", 3).id)
    assert archiving.consent_proof.archived == 3
    rows.run(person(0), person(1, "no"), Never=[])

    undo = rows.deployment.undo(archiving)

    assert [rows.status(n) for n in range(4)] == ["subscribed", "archived", *["subscribed"] * 2]
    assert codes(undo)["undoConsentWithdrawn"] == {"people": "1"}


def test_a_person_who_unsubscribed_with_another_address_gets_no_tag_and_no_value_back(
    rows: RowDeployment,
) -> None:
    second = rows.run(person(0, EMail="p9@example.com"), person(2, FirstName="New"), Never=[])
    rows.deployment.audience.unsubscribe("p9@example.com")

    undo = rows.deployment.undo(second)

    assert [rows.tags(n) for n in range(4)] == [set(), *[{"People"}] * 3]
    assert undo.counts.updated == 3
    assert undo.status is RunStatus.COMPLETED_WITH_WARNINGS
    assert codes(undo)["undoUnsubscribedElsewhere"] == {"people": "1"}
    # A run with the former address in the segment does not send this person either.
    again = rows.run(*(person(n) for n in range(4)), Never=[])
    assert rows.outcomes(again)["p0@example.com"] == ("kept", "unsubscribed")
    assert rows.tags(0) == set()


def test_a_person_whose_other_address_bounced_gets_the_tag_back(rows: RowDeployment) -> None:
    second = rows.run(person(0, EMail="p9@example.com"), Never=[])
    rows.deployment.audience.add("p9@example.com", status="cleaned")

    undo = rows.deployment.undo(second)

    assert [rows.tags(n) for n in range(4)] == [{"People"}] * 4
    assert "undoUnsubscribedElsewhere" not in codes(undo)
    # As in a run with the former address in the segment.
    again = rows.run(*(person(n) for n in range(4)), Never=[])
    assert rows.outcomes(again)["p0@example.com"][0] in ("updated", "unchanged")


@pytest.mark.parametrize("asked", [True, False])
def test_a_person_who_has_not_confirmed_another_address_gets_a_tag_back_only_if_new_people_are_asked(
    rows: RowDeployment, asked: bool
) -> None:
    status = NewContactStatus.PENDING if asked else NewContactStatus.SUBSCRIBED
    rows.change(new_contacts=NewContacts(status, consent_attribute="Consent"))
    second = rows.run(person(0, EMail="p9@example.com"), Never=[])
    rows.deployment.audience.add("p9@example.com", status="pending")

    undo = rows.deployment.undo(second)

    assert rows.tags(0) == ({"People"} if asked else set())
    assert ("undoUnsubscribedElsewhere" in codes(undo)) is not asked


def test_an_address_that_only_a_later_preview_has_shows_who_gets_no_tag_back(
    rows: RowDeployment,
) -> None:
    second = rows.run(person(0), Never=[])
    rows.deployment.audience.add("p9@example.com", status="unsubscribed")
    rows.preview(person(0), person(1, EMail="p9@example.com"), person(2), Never=[])

    undo = rows.deployment.undo(second)

    assert [rows.tags(n) for n in range(4)] == [{"People"}, set(), {"People"}, {"People"}]
    assert codes(undo)["undoUnsubscribedElsewhere"] == {"people": "1"}


def test_an_archived_contact_of_a_person_who_unsubscribed_with_another_address_is_not_added_again(
    rows: RowDeployment,
) -> None:
    app = rows.deployment.app
    rows.run(person(0, EMail="p9@example.com"), Never=[])
    archiving = rows.deployment.run_to_end(app.unused_contacts.archive(EXPORT, "Kim", 4).id)
    assert archiving.consent_proof.archived == 4
    rows.deployment.audience.unsubscribe("p9@example.com")

    undo = rows.deployment.undo(archiving)

    assert [rows.status(n) for n in range(4)] == ["archived", *["subscribed"] * 3]
    assert codes(undo)["undoUnsubscribedElsewhere"] == {"people": "1"}
