"""A run that would send people who objected to email, because the attribute with the objections is not filled any more, waits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.model.export import ConsentMeaning, NewContacts
from shared.model.run import Run, RunStatus
from tests.faults.simulated_deployment import EXPORT, NewDeployment
from tests.planning import row_deployment
from tests.planning.row_deployment import Row, RowDeployment, codes

COLUMNS = ("CustomerId", "EMail", "FirstName", "DoNotEmail", "AgreedToEmail")


def consent(attribute: str, meaning: ConsentMeaning) -> NewContacts:
    return NewContacts(consent_attribute=attribute, consent_meaning=meaning)


def person(number: int, objects: str = "yes", **values: str) -> Row:
    return row_deployment.person(number, DoNotEmail=objects, **values)


def people(objecting: int, others: int = 3) -> list[Row]:
    """People of whom the first `objecting` object to email; the attribute has no value for the others."""
    return [person(n, "yes" if n < objecting else "") for n in range(others + 3)]


@pytest.fixture
def rows(new_deployment: NewDeployment) -> RowDeployment:
    made = RowDeployment(new_deployment(), COLUMNS)
    made.define(new_contacts=consent("DoNotEmail", ConsentMeaning.YES_MUST_NOT_BE_MAILED))
    return made


def assert_waits(run: Run, *, before: int, now: int) -> None:
    assert run.status is RunStatus.AWAITING_CONFIRMATION
    assert run.reason is not None
    assert run.reason.code == "fewerObjections"
    values = {"attribute": "DoNotEmail", "before": str(before), "people": str(now)}
    assert run.reason.values == values
    assert run.calls.write == 0


def test_a_run_waits_if_the_attribute_of_objections_is_empty_now(rows: RowDeployment) -> None:
    rows.run(*people(0)[:4])
    # Two people object after they were sent, and one was never sent.
    rows.run(*people(2)[:4], person(4), person(5, ""))
    forgotten = people(0)
    preview = rows.preview(*forgotten)

    waiting = rows.run(*forgotten)

    assert codes(preview)["fewerObjections"] == {
        "attribute": "DoNotEmail",
        "before": "3",
        "people": "3",
    }
    assert_waits(waiting, before=3, now=3)
    assert [rows.tags(n) for n in range(2)] == [frozenset()] * 2
    assert "p4@example.com" not in rows.deployment.audience.members()
    done = rows.confirm(waiting)
    assert (done.status, done.counts.created, done.counts.updated) == (RunStatus.SUCCESSFUL, 1, 2)
    assert rows.run(*forgotten).status is RunStatus.SUCCESSFUL


@pytest.mark.parametrize("answer", ["", "no"])
def test_a_run_waits_if_more_than_half_of_those_who_objected_do_not_any_more(
    rows: RowDeployment, answer: str
) -> None:
    everyone = [person(n) for n in range(5)]
    rows.run(*everyone)

    assert_waits(
        rows.run(*everyone[:2], *(person(n, answer) for n in range(2, 5))), before=5, now=3
    )

    agreed = rows.run(*everyone[:3], *(person(n, answer) for n in range(3, 5)))
    assert (agreed.status, agreed.counts.created) == (RunStatus.SUCCESSFUL, 2)


def test_people_who_objected_and_left_the_segment_make_no_run_wait(rows: RowDeployment) -> None:
    rows.run(*people(3))

    assert rows.run(*people(3)[3:]).status is RunStatus.SUCCESSFUL
    assert rows.run(*people(3)[3:], person(9, "")).status is RunStatus.SUCCESSFUL


def test_people_who_objected_and_may_not_be_sent_for_another_reason_make_no_run_wait(
    rows: RowDeployment,
) -> None:
    rows.run(*people(1))
    rows.deployment.audience.add("p0@example.com", status="unsubscribed")

    assert rows.run(*people(0)).status is RunStatus.SUCCESSFUL


def test_a_first_run_and_one_after_a_run_without_objections_do_not_wait(
    rows: RowDeployment,
) -> None:
    assert rows.run(*people(0)).status is RunStatus.SUCCESSFUL
    assert rows.run(*people(0, 5)).status is RunStatus.SUCCESSFUL


def test_people_who_consent_now_by_an_attribute_that_allows_email_make_no_run_wait(
    rows: RowDeployment,
) -> None:
    rows.change(new_contacts=consent("AgreedToEmail", ConsentMeaning.YES_MAY_BE_MAILED))
    rows.run(person(0, AgreedToEmail=""), person(1, AgreedToEmail="yes"))

    run = rows.run(person(0, AgreedToEmail="yes"), person(1, AgreedToEmail="yes"))

    assert (run.status, run.counts.created) == (RunStatus.SUCCESSFUL, 1)


def test_a_confirmation_does_not_cover_people_whose_objection_is_missing_since(
    rows: RowDeployment,
) -> None:
    everyone = [person(n) for n in range(5)]
    rows.run(*(person(n, "") for n in range(5)))
    rows.run(*everyone)
    waiting = rows.run(*everyone[:2], *(person(n, "") for n in range(2, 5)))
    assert_waits(waiting, before=5, now=3)
    rows.source.segments = {"People": [person(n, "") for n in range(5)]}

    assert_waits(rows.confirm(waiting), before=5, now=5)
    assert rows.confirm(waiting).counts.updated == 5


def test_a_run_asks_again_after_one_that_was_confirmed_by_mistake_was_canceled(
    rows: RowDeployment,
) -> None:
    rows.run(*people(3))
    waiting = rows.run(*people(0))

    def cancel(run: Run) -> None:
        rows.deployment.app.commands.cancel(run.id)
        rows.deployment.clock.forward(3)

    rows.while_sending(cancel)
    assert rows.confirm(waiting).status is RunStatus.CANCELED
    del rows.deployment.call

    assert rows.run(*people(0)).status is RunStatus.AWAITING_CONFIRMATION


@pytest.mark.parametrize("is_updated", [False, True])
def test_a_run_asks_again_after_one_that_was_confirmed_by_mistake_was_undone(
    rows: RowDeployment, is_updated: bool
) -> None:
    rows.run(*people(3))
    if is_updated:
        # The version that wrote the record did not have this field.
        ledgers = rows.deployment.app.ledgers
        stored = ledgers.read(EXPORT)
        ledgers.replace(EXPORT, replace(stored.value, complete_run=""), stored.etag)
    mistake = rows.confirm(rows.run(*people(0)))
    assert mistake.counts.created == 3

    rows.deployment.undo(mistake)

    assert rows.tags(0) == frozenset()
    assert_waits(rows.run(*people(0)), before=3, now=3)


def test_a_retry_between_two_runs_does_not_hide_missing_objections(rows: RowDeployment) -> None:
    unusable = person(8, "", EMail="not an address")
    first = rows.run(*people(3), unusable)
    commands = rows.deployment.app.commands
    retry = rows.deployment.started(lambda: commands.retry(first.id, "Kim"))
    rows.source.segments = {"People": [*people(0), person(8, "")]}

    retried = rows.deployment.run_to_end(retry.id)

    assert (retried.status, retried.counts.created) == (RunStatus.SUCCESSFUL, 1)
    assert_waits(rows.run(*people(0)), before=3, now=3)
