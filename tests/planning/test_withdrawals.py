"""A withdrawal of consent reaches Mailchimp: who is unsubscribed, and who never is."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox.mailchimp.sandbox import AudienceView
from shared.model.export import ConsentMeaning, GrowthGuard, Mapping, NewContacts, OnWithdrawal
from shared.model.run import ADD_ARCHIVED, Run, RunStatus
from shared.runs.start import RunOptions
from tests.fakes import ProcessKilled
from tests.faults.simulated_deployment import EXPORT, NewDeployment
from tests.planning.row_deployment import RowDeployment, codes, person, proof


@pytest.fixture
def rows(new_deployment: NewDeployment) -> RowDeployment:
    made = RowDeployment(new_deployment())
    made.deployment.sandbox.calls.clear()
    made.define(on_withdrawal=OnWithdrawal.UNSUBSCRIBE)
    return made


def delete(audience: AudienceView, address: str) -> None:
    """Delete a contact in Mailchimp; unlike a permanent deletion, it may be imported again."""
    audience.forget(address)
    audience.state.forgotten.clear()


def test_a_withdrawal_unsubscribes_the_contact_and_a_later_yes_does_not_subscribe_again(
    rows: RowDeployment,
) -> None:
    first = rows.run(*(person(n) for n in range(4)))
    assert proof(first) == {"subscribed": (0, 4, 4, 0)}

    run = rows.run(person(0, "no", FirstName="New"), *(person(n) for n in (1, 2, 3)))

    assert run.status is RunStatus.SUCCESSFUL
    assert (rows.status(0), rows.tags(0), rows.status(1)) == (
        "unsubscribed",
        frozenset(),
        "subscribed",
    )
    assert rows.outcomes(run)["p0@example.com"] == ("kept", "withdrawnUnsubscribed")
    assert run.consent_proof.unsubscribed == 1
    assert run.consent_proof.statuses_changed == 0
    assert codes(run)["unsubscribesPlanned"] == {"people": "1"}
    assert proof(run) == {"subscribed": (4, 3, -1, 0), "unsubscribed": (0, 1, 1, 0)}
    changed = rows.deployment.sandbox.calls.statuses_changed
    assert changed == {("subscribed", "unsubscribed"): 1}
    member = rows.deployment.audience.members()["p0@example.com"]
    assert member.merge_fields["FNAME"] == "P0"  # no data after the withdrawal

    again = rows.run(*(person(n) for n in range(4)))

    assert rows.status(0) == "unsubscribed"
    assert rows.outcomes(again)["p0@example.com"] == ("kept", "unsubscribedByExport")
    assert codes(again)["consentGivenAgain"] == {"people": "1"}
    assert again.consent_proof.unsubscribed == 0
    assert changed == {("subscribed", "unsubscribed"): 1}

    # The person subscribes again at Mailchimp, so the export may write again.
    rows.deployment.audience.add("p0@example.com", status="subscribed")
    rows.run(*(person(n) for n in range(4)))
    assert (rows.status(0), rows.tags(0)) == ("subscribed", frozenset({"People"}))


def test_without_the_setting_a_withdrawal_changes_no_status(rows: RowDeployment) -> None:
    rows.change(on_withdrawal=OnWithdrawal.REMOVE_TAGS)
    rows.run(person(0), person(1))

    run = rows.run(person(0, "no"), person(1))

    assert (rows.status(0), rows.tags(0)) == ("subscribed", frozenset())
    assert rows.outcomes(run)["p0@example.com"] == ("kept", "consentWithdrawn")
    # The setting applies to earlier withdrawals as well, also of people who left the segment.
    rows.change(on_withdrawal=OnWithdrawal.UNSUBSCRIBE)
    later = rows.run(person(0, "no", EMail="new0@example.com"), person(1))
    assert rows.status(0) == "unsubscribed"
    assert rows.outcomes(later)["p0@example.com"] == ("removed", "withdrawnUnsubscribed")
    assert later.counts.removed == later.counts.left == 0
    assert "new0@example.com" not in rows.deployment.audience.members()


def test_people_that_the_export_never_sent_are_not_unsubscribed(rows: RowDeployment) -> None:
    rows.deployment.audience.add("p0@example.com", status="subscribed")
    rows.run(person(0, "no"), person(1))

    run = rows.run(person(0, "no"), person(1))

    assert rows.status(0) == "subscribed"
    assert rows.outcomes(run)["p0@example.com"] == ("kept", "noConsent")


def test_a_contact_whose_status_changes_after_planning_keeps_it(rows: RowDeployment) -> None:
    rows.run(*(person(n) for n in range(6)))
    statuses = ["cleaned", "pending", "transactional", "archived"]

    def change(_: Run) -> None:
        for number, status in enumerate(statuses):
            rows.deployment.audience.add(f"p{number}@example.com", status=status)

    changed = rows.while_sending(change)
    run = rows.run(*(person(n, "no") for n in range(5)), person(5))

    assert changed
    assert [rows.status(n) for n in range(5)] == [*statuses, "unsubscribed"]
    assert proof(run) == {
        "subscribed": (6, 1, -1, -4),
        "unsubscribed": (0, 1, 1, 0),
        **dict.fromkeys(statuses, (0, 1, 0, 1)),
    }
    assert run.status is RunStatus.SUCCESSFUL
    assert run.consent_proof.unsubscribed == 1


def test_a_contact_that_is_removed_between_the_two_calls_does_not_return(
    rows: RowDeployment,
) -> None:
    rows.run(*(person(n) for n in range(4)))
    audience = rows.deployment.audience

    def remove() -> None:
        audience.add("p0@example.com", status="archived")
        delete(audience, "p1@example.com")

    removed = rows.after_first_batch(remove)
    run = rows.run(*(person(n, "no") for n in range(3)), person(3))

    assert removed
    assert [rows.status(n) for n in range(3)] == ["archived", "archived", "unsubscribed"]
    assert run.consent_proof.unsubscribed == 1


def test_a_deleted_contact_is_not_created_and_not_tried_again(rows: RowDeployment) -> None:
    rows.run(person(0), person(1))
    audience = rows.deployment.audience
    delete(audience, "p0@example.com")

    run = rows.run(person(0, "no"), person(1))

    assert "p0@example.com" not in audience.members()
    assert run.consent_proof.unsubscribed == 0
    assert "unsubscribesPlanned" not in codes(rows.run(person(0, "no"), person(1)))


def test_a_contact_that_mailchimp_creates_without_a_status_does_not_stay(
    rows: RowDeployment,
) -> None:
    rows.run(*(person(n) for n in range(3)))
    audience = rows.deployment.audience
    # Whether Mailchimp refuses a missing status is not documented.
    rows.deployment.sandbox.set(missing_status="subscribe")
    rows.source.segments = {"People": [person(0, "no"), person(1, "no"), person(2)]}
    started = rows.deployment.app.starter.start(EXPORT)
    rows.deployment.plan(started.id)
    audience.add("p0@example.com", status="archived")
    delete(audience, "p1@example.com")

    run = rows.deployment.run_to_end(started.id)

    assert [rows.status(n) for n in range(3)] == ["archived", "archived", "subscribed"]
    assert run.consent_proof.unsubscribed == 0
    assert rows.outcomes(run)["p0@example.com"][0] == "kept"


def test_a_contact_that_mailchimp_creates_as_pending_does_not_stay_pending(
    rows: RowDeployment,
) -> None:
    rows.run(person(0), person(1))
    deployment = rows.deployment
    # Mailchimp archives no pending contact.
    deployment.sandbox.set(missing_status="pending")
    rows.source.segments = {"People": [person(0, "no"), person(1)]}
    started = deployment.app.starter.start(EXPORT)
    deployment.plan(started.id)
    delete(deployment.audience, "p0@example.com")

    run = deployment.run_to_end(started.id)

    assert [rows.status(n) for n in range(2)] == ["unsubscribed", "subscribed"]
    assert rows.outcomes(run)["p0@example.com"] == ("kept", "withdrawnUnsubscribed")
    assert run.consent_proof.unsubscribed == 1


def test_an_unusual_number_of_withdrawals_waits_for_a_confirmation(rows: RowDeployment) -> None:
    rows.change(max_removal_share=0.3)
    rows.run(*(person(n) for n in range(4)))
    refusing = [*(person(n, "no") for n in (0, 1)), person(2), person(3)]

    run = rows.run(*refusing)

    assert run.status is RunStatus.AWAITING_CONFIRMATION
    assert codes(run)["unsubscribesHeld"] == {"people": "2"}
    # Tags and data stop at once; only what cannot be taken back waits.
    assert (rows.status(0), rows.tags(0)) == ("subscribed", frozenset())

    rows.deployment.app.commands.confirm(run.id)
    confirmed = rows.deployment.run_to_end(run.id)

    assert confirmed.status is RunStatus.SUCCESSFUL
    assert confirmed.consent_proof.unsubscribed == 2
    assert codes(confirmed)["unsubscribesPlanned"] == {"people": "2"}
    assert "unsubscribesHeld" not in codes(confirmed)
    assert [rows.status(n) for n in range(4)] == ["unsubscribed"] * 2 + ["subscribed"] * 2


def test_a_confirmation_does_not_unsubscribe_by_a_consent_attribute_that_was_corrected_since(
    rows: RowDeployment,
) -> None:
    rows.source.columns = (*rows.columns, "Agreed")
    rows.change(max_removal_share=0.3)
    rows.run(*(person(n) for n in range(4)))
    # The attribute says no for two people by mistake.
    run = rows.run(*(person(n, "no", Agreed="yes") for n in (0, 1)), person(2), person(3))
    assert run.status is RunStatus.AWAITING_CONFIRMATION

    rows.change(new_contacts=NewContacts(consent_attribute="Agreed"))
    rows.source.segments = {"People": [person(n, Agreed="yes") for n in range(4)]}
    confirmed = rows.deployment.run_to_end(rows.deployment.app.commands.confirm(run.id).id)

    assert confirmed.id != run.id
    assert confirmed.status is RunStatus.SUCCESSFUL
    waited = rows.deployment.app.commands.read(run.id)
    assert waited.reason is not None
    assert waited.reason.code == "superseded"
    assert [(rows.status(n), rows.tags(n)) for n in range(4)] == [("subscribed", {"People"})] * 4


def test_a_confirmation_after_a_change_of_the_export_asks_again_if_it_still_concerns_unusually_many(
    rows: RowDeployment,
) -> None:
    rows.change(max_removal_share=0.3)
    rows.run(*(person(n) for n in range(4)))
    refusing = [*(person(n, "no") for n in (0, 1)), person(2), person(3)]
    run = rows.run(*refusing)
    rows.change(mapping=Mapping("EMail"))

    again = rows.deployment.run_to_end(rows.deployment.app.commands.confirm(run.id).id)

    assert again.status is RunStatus.AWAITING_CONFIRMATION
    assert codes(again)["unsubscribesHeld"] == {"people": "2"}
    assert rows.status(0) == "subscribed"


def test_withdrawals_do_not_delay_the_removal_of_tags_from_people_who_left(
    rows: RowDeployment,
) -> None:
    rows.change(max_removal_share=0.3, on_withdrawal=OnWithdrawal.REMOVE_TAGS)
    rows.run(*(person(n) for n in range(6)))

    run = rows.run(*(person(n, "no") for n in range(3)), person(3), person(4))

    assert run.status is RunStatus.SUCCESSFUL
    assert [bool(rows.tags(n)) for n in range(6)] == [False, False, False, True, True, False]


def test_an_undo_does_not_subscribe_again(rows: RowDeployment) -> None:
    rows.run(person(0), person(1))
    run = rows.run(person(0, "no"), person(1, FirstName="New"))
    assert rows.status(0) == "unsubscribed"

    undone = rows.deployment.undo(run)

    assert undone.status is RunStatus.SUCCESSFUL
    assert (rows.status(0), rows.tags(0)) == ("unsubscribed", frozenset())
    assert rows.values(1)["FNAME"] == "P1"
    assert codes(undone)["undoConsentWithdrawn"] == {"people": "1"}


def test_a_run_killed_while_it_unsubscribes_has_the_same_result(rows: RowDeployment) -> None:
    deployment = rows.deployment
    everyone = {number: person(number) for number in range(8)}
    rows.run(*everyone.values())
    # Three calls: remove the tag, read the statuses, unsubscribe.
    for number, (at, applied) in enumerate(itertools.product((1, 2, 3), (False, True))):
        calls = itertools.count(1)
        killed = []

        def call(
            ask: Callable[[], Any],
            at: int = at,
            applied: bool = applied,
            calls: Iterator[int] = calls,
            killed: list[int] = killed,
        ) -> Any:
            run = next(stored.value for stored in deployment.app.runs.all())
            if run.status is not RunStatus.SENDING or next(calls) != at:
                return ask()
            killed.append(at)
            if applied:
                ask().close()
            deployment.client.dead = True
            raise ProcessKilled

        deployment.call = call
        everyone[number] = person(number, "no")
        run = rows.run(*everyone.values())

        assert killed
        assert run.status is RunStatus.SUCCESSFUL
        assert (rows.status(number), rows.tags(number)) == ("unsubscribed", frozenset())
        assert rows.outcomes(run)[f"p{number}@example.com"] == ("kept", "withdrawnUnsubscribed")
        assert run.consent_proof.unsubscribed == 1
    changed = deployment.sandbox.calls.statuses_changed
    assert changed == {("subscribed", "unsubscribed"): 6}


@pytest.mark.parametrize("unsubscribe", [False, True])
def test_a_withdrawal_does_not_wait_with_a_run_that_waits(
    new_deployment: NewDeployment, unsubscribe: bool
) -> None:
    rows = RowDeployment(new_deployment())
    rows.define(on_withdrawal=OnWithdrawal.UNSUBSCRIBE if unsubscribe else OnWithdrawal.REMOVE_TAGS)
    rows.run(*(person(number) for number in range(30)))
    later = [
        person(0, consent="no"),
        *(person(number, FirstName="New") for number in range(1, 200)),
    ]

    waiting = rows.run(*later)

    assert waiting.status is RunStatus.AWAITING_CONFIRMATION
    assert waiting.reason is not None
    assert waiting.reason.code == "growthGuard"
    assert {"growthGuard", "withdrawalsOnly"} <= set(codes(waiting))
    assert (waiting.counts.removed, waiting.counts.not_sent) == (1, 199)
    assert rows.tags(0) == frozenset()
    assert rows.tags(1) == {"People"}
    assert rows.status(0) == ("unsubscribed" if unsubscribe else "subscribed")
    assert rows.values(1)["FNAME"] == "P1"
    assert len(rows.deployment.audience.members()) == 30
    assert rows.outcomes(waiting)["p1@example.com"] == ("notSent", "withdrawalsOnly")

    app = rows.deployment.app
    confirmed = rows.deployment.started(lambda: app.commands.confirm(waiting.id))
    run = rows.deployment.run_to_end(confirmed.id)

    assert run.status is RunStatus.SUCCESSFUL
    assert rows.tags(0) == frozenset()
    assert rows.values(1)["FNAME"] == "New"
    assert len(rows.deployment.audience.members()) == 200
    before = app.runs.read(waiting.id).value
    assert (before.status, before.reason.code) == (
        RunStatus.COMPLETED_WITH_WARNINGS,
        "superseded",
    )


def test_a_person_without_a_tag_is_unsubscribed_while_the_run_waits(rows: RowDeployment) -> None:
    everyone = [person(n) for n in range(3)]
    rows.run(*everyone)
    rows.run(*everyone[1:])
    rows.change(growth_guard=GrowthGuard(max_contacts=1))

    run = rows.run(person(0, "no"), *(person(n) for n in range(1, 6)))

    assert (run.status, run.reason.code) == (RunStatus.AWAITING_CONFIRMATION, "growthGuard")
    assert (rows.status(0), rows.tags(0)) == ("unsubscribed", frozenset())
    assert len(rows.deployment.audience.members()) == 3


def test_a_withdrawal_does_not_wait_for_a_larger_contact_budget(
    new_deployment: NewDeployment,
) -> None:
    rows = RowDeployment(new_deployment())
    rows.define()
    rows.run(*(person(number) for number in range(10)))
    rows.change(contact_budget=12)

    run = rows.run(person(0, consent="no"), *(person(number) for number in range(1, 20)))

    assert run.status is RunStatus.SKIPPED
    assert run.reason is not None
    assert run.reason.code == "contactBudget"
    assert rows.tags(0) == frozenset()
    assert len(rows.deployment.audience.members()) == 10


def test_a_retry_of_a_run_that_only_carried_out_withdrawals_waits_as_well(
    new_deployment: NewDeployment,
) -> None:
    rows = RowDeployment(new_deployment())
    rows.define()
    rows.run(*(person(number) for number in range(30)))
    waiting = rows.run(person(0, consent="no"), *(person(number) for number in range(1, 200)))
    commands = rows.deployment.app.commands
    commands.cancel(waiting.id)

    started = rows.deployment.started(lambda: commands.retry(waiting.id, "Kim"))
    run = rows.deployment.run_to_end(started.id)

    assert run.status is RunStatus.AWAITING_CONFIRMATION
    assert len(rows.deployment.audience.members()) == 30
    done = rows.deployment.started(lambda: commands.confirm(run.id))
    assert rows.deployment.run_to_end(done.id).status is RunStatus.SUCCESSFUL
    assert len(rows.deployment.audience.members()) == 200


@pytest.mark.parametrize(
    ("answer", "meaning", "sent"),
    [
        ("1.0", ConsentMeaning.YES_MAY_BE_MAILED, True),
        ("0.0", ConsentMeaning.YES_MUST_NOT_BE_MAILED, True),
        ("Opted in", ConsentMeaning.YES_MAY_BE_MAILED, True),
        ("Opted in", ConsentMeaning.YES_MUST_NOT_BE_MAILED, True),
        ("Opted out", ConsentMeaning.YES_MUST_NOT_BE_MAILED, False),
        ("Do Not Allow", ConsentMeaning.YES_MAY_BE_MAILED, False),
        ("false", ConsentMeaning.YES_MAY_BE_MAILED, False),
        (" TRUE ", ConsentMeaning.YES_MAY_BE_MAILED, True),
        ("동의함", ConsentMeaning.YES_MAY_BE_MAILED, True),
        ("미동의", ConsentMeaning.YES_MAY_BE_MAILED, False),
        ("수신동의", ConsentMeaning.YES_MUST_NOT_BE_MAILED, True),
        ("수신 거부", ConsentMeaning.YES_MAY_BE_MAILED, False),
        ("수신거부", ConsentMeaning.YES_MUST_NOT_BE_MAILED, False),
        ("Unsubscribed", ConsentMeaning.YES_MUST_NOT_BE_MAILED, False),
        ("Granted", ConsentMeaning.YES_MAY_BE_MAILED, True),
        ("Denied", ConsentMeaning.YES_MAY_BE_MAILED, False),
        ("withdrawn", ConsentMeaning.YES_MAY_BE_MAILED, False),
        ("checked", ConsentMeaning.YES_MUST_NOT_BE_MAILED, False),
        ("opt_in", ConsentMeaning.YES_MUST_NOT_BE_MAILED, True),
        ("Opted_Out", ConsentMeaning.YES_MAY_BE_MAILED, False),
        ("consented", ConsentMeaning.YES_MAY_BE_MAILED, True),
        ("Not consented", ConsentMeaning.YES_MAY_BE_MAILED, False),
        ("unchecked", ConsentMeaning.YES_MUST_NOT_BE_MAILED, True),
        ("동의합니다", ConsentMeaning.YES_MAY_BE_MAILED, True),
        ("동의하지 않습니다", ConsentMeaning.YES_MAY_BE_MAILED, False),
        ("허용", ConsentMeaning.YES_MAY_BE_MAILED, True),
        ("허용 안 함", ConsentMeaning.YES_MAY_BE_MAILED, False),
    ],
)
def test_usual_values_of_a_consent_attribute_are_understood(
    rows: RowDeployment, answer: str, meaning: ConsentMeaning, sent: bool
) -> None:
    rows.change(new_contacts=NewContacts(consent_attribute="Consent", consent_meaning=meaning))

    run = rows.run(person(0, answer), person(1, "", FirstName="Empty"))

    assert ("p0@example.com" in rows.deployment.audience.members()) is sent
    assert "consentUnclear" not in codes(run)


@pytest.mark.parametrize("meaning", list(ConsentMeaning))
@pytest.mark.parametrize("answer", ["O", "x", "Not set"])
def test_an_unclear_value_is_no_consent_in_either_direction(
    rows: RowDeployment, answer: str, meaning: ConsentMeaning
) -> None:
    rows.change(new_contacts=NewContacts(consent_attribute="Consent", consent_meaning=meaning))

    run = rows.run(person(0, answer), person(1, "opted in"))

    assert list(rows.deployment.audience.members()) == ["p1@example.com"]
    assert codes(run)["consentUnclear"] == {"attribute": "Consent", "rows": "1"}


def test_values_of_a_consent_attribute_that_are_not_understood_are_reported(
    rows: RowDeployment,
) -> None:
    few = rows.run(*(person(n, "maybe" if n == 0 else "yes") for n in range(5)))

    assert codes(few)["consentUnclear"] == {"attribute": "Consent", "rows": "1"}
    assert few.status is RunStatus.SUCCESSFUL
    assert "p0@example.com" not in rows.deployment.audience.members()

    many = rows.run(*(person(n, "perhaps") for n in range(5)))

    assert codes(many)["consentUnclear"] == {"attribute": "Consent", "rows": "5"}
    assert many.status is RunStatus.COMPLETED_WITH_WARNINGS
    assert rows.tags(1) == frozenset()


def test_a_person_who_did_not_agree_is_not_sent_under_an_attribute_whose_yes_forbids_email(
    rows: RowDeployment,
) -> None:
    forbids = ConsentMeaning.YES_MUST_NOT_BE_MAILED
    rows.change(new_contacts=NewContacts(consent_attribute="Consent", consent_meaning=forbids))

    run = rows.run(person(0, "미동의"), person(1, "아니요"))

    assert rows.deployment.audience.members().keys() == {"p1@example.com"}
    assert codes(run)["consentUnclear"] == {"attribute": "Consent", "rows": "1"}


def test_a_repeated_header_row_does_not_count_as_unclear_consent(rows: RowDeployment) -> None:
    rows.change(
        new_contacts=NewContacts(
            consent_attribute="Consent", consent_meaning=ConsentMeaning.YES_MUST_NOT_BE_MAILED
        )
    )
    header = {name: name.upper() for name in rows.columns}

    run = rows.run(person(0, ""), header, person(1, ""))

    assert "headerRepeated" in codes(run)
    assert "consentUnclear" not in codes(run)


@pytest.mark.parametrize("stored_by_earlier_version", [False, True])
def test_a_person_who_unsubscribed_with_an_international_domain_is_not_added(
    rows: RowDeployment, stored_by_earlier_version: bool
) -> None:
    audience = rows.deployment.audience
    audience.add("p0@bücher.de", status="unsubscribed", cause="self")
    # Not among the changes that a later run reads.
    audience.state.find("p0@bücher.de").changed -= 86_400
    if stored_by_earlier_version:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("shared.mailchimp.response_values.mail_form", lambda address: address)
            rows.run(person(1))

    run = rows.run(person(0, EMail="P0@BÜCHER.de"), person(1))

    assert rows.outcomes(run)["p0@xn--bcher-kva.de"] == ("kept", "unsubscribed")
    assert set(audience.members()) == {"p0@bücher.de", "p1@example.com"}


def test_an_undo_does_not_archive_a_person_who_gets_a_tag_of_others_meanwhile(
    rows: RowDeployment,
) -> None:
    run = rows.run(person(0), person(1))
    app, audience = rows.deployment.app, rows.deployment.audience
    undo = app.undo.start(run.id, "Dev", True)
    rows.deployment.plan(undo.id)
    # Another export sends the person.
    audience.add("p0@example.com", tags=["Other"])

    ended = rows.deployment.run_to_end(undo.id)

    assert (rows.status(0), rows.tags(0)) == ("subscribed", {"Other"})
    assert rows.status(1) == "archived"
    assert rows.outcomes(ended)["p0@example.com"][0] == "removed"
    assert ended.consent_proof.archived == 1


def test_an_undo_does_not_archive_a_person_who_unsubscribes_meanwhile(rows: RowDeployment) -> None:
    people = [person(n) for n in range(3)]
    run = rows.run(*people)
    app, audience = rows.deployment.app, rows.deployment.audience
    undo = app.undo.start(run.id, "Dev", True)
    rows.deployment.plan(undo.id)
    audience.unsubscribe("p0@example.com")

    ended = rows.deployment.run_to_end(undo.id)

    assert [rows.status(n) for n in range(3)] == ["unsubscribed", "archived", "archived"]
    assert ended.consent_proof.statuses_changed == 0
    # Archived contacts are added again on request.
    again = app.starter.start(EXPORT, options=RunOptions(confirmed=(ADD_ARCHIVED,)))
    rows.deployment.run_to_end(again.id)
    assert [rows.status(n) for n in range(3)] == ["unsubscribed", "subscribed", "subscribed"]


@pytest.mark.parametrize(
    ("meaning", "answers", "reported"),
    [
        (ConsentMeaning.YES_MUST_NOT_BE_MAILED, ("", " "), True),
        (ConsentMeaning.YES_MUST_NOT_BE_MAILED, ("", "no"), False),
        (ConsentMeaning.YES_MAY_BE_MAILED, ("", ""), False),
    ],
)
def test_a_run_says_that_an_attribute_of_objections_has_no_value(
    rows: RowDeployment, meaning: ConsentMeaning, answers: tuple[str, str], reported: bool
) -> None:
    rows.change(new_contacts=NewContacts(consent_attribute="Consent", consent_meaning=meaning))

    found = codes(rows.run(*(person(number, answer) for number, answer in enumerate(answers))))

    assert ("consentEmpty" in found) is reported
    assert not reported or found["consentEmpty"] == {"attribute": "Consent", "rows": "2"}
