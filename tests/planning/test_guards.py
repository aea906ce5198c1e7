"""Runs that look like an accident wait for a confirmation before they write anything."""

from __future__ import annotations

import pytest

from shared.model.export import GrowthGuard, NewContacts, SegmentChoice
from shared.model.one_person import ChosenPerson
from shared.model.run import Run, RunStatus
from shared.planning.checking.guards import FEW_PEOPLE
from tests.faults.simulated_deployment import EXPORT, NewDeployment
from tests.planning.row_deployment import RowDeployment, codes, person

PAST_THE_LIMIT = FEW_PEOPLE + 1


@pytest.fixture
def rows(new_deployment: NewDeployment) -> RowDeployment:
    made = RowDeployment(new_deployment())
    made.define(new_contacts=NewContacts())
    made.deployment.sandbox.calls.clear()
    return made


def people(first: int, count: int, **values: str) -> list[dict[str, str]]:
    return [person(number, **values) for number in range(first, first + count)]


def assert_waits(run: Run, code: str, **values: str) -> None:
    assert run.status is RunStatus.AWAITING_CONFIRMATION
    assert run.reason is not None
    assert (run.reason.code, run.reason.values) == (code, values)
    assert run.calls.write == 0


def members(rows: RowDeployment) -> set[str]:
    return set(rows.deployment.audience.members())


def interrupt(rows: RowDeployment, *segment: dict[str, str]) -> None:
    """Cancel a run of these people while it sends."""

    def cancel(run: Run) -> None:
        rows.deployment.app.commands.cancel(run.id)
        # Lanes read the state of their run every two seconds.
        rows.deployment.clock.forward(3)

    rows.while_sending(cancel)
    assert rows.run(*segment).status is RunStatus.CANCELED
    del rows.deployment.call


def test_a_run_that_more_than_doubles_the_people_of_the_export_waits(rows: RowDeployment) -> None:
    rows.run(*people(0, 60))

    run = rows.run(*people(0, 60 + PAST_THE_LIMIT))

    assert_waits(run, "growthGuard", people="101", allowed="100")
    assert len(members(rows)) == 60
    done = rows.confirm(run)
    assert done.status is RunStatus.SUCCESSFUL
    assert len(members(rows)) == 60 + PAST_THE_LIMIT


def test_the_run_after_an_interrupted_one_sends_the_rest_without_waiting(
    rows: RowDeployment,
) -> None:
    interrupt(rows, *people(0, 300))
    assert 0 < len(members(rows)) < 150

    assert rows.run(*people(0, 300)).status is RunStatus.SUCCESSFUL
    assert len(members(rows)) == 300


def test_a_run_after_an_interrupted_update_still_waits_for_a_large_growth(
    rows: RowDeployment,
) -> None:
    rows.run(*people(0, 60))
    interrupt(rows, *people(0, 60, FirstName="New"))

    run = rows.run(*people(0, 60 + PAST_THE_LIMIT))

    assert_waits(run, "growthGuard", people="101", allowed="100")
    assert len(members(rows)) == 60


def test_a_first_run_waits_only_above_a_number_that_the_export_names(rows: RowDeployment) -> None:
    rows.change(growth_guard=GrowthGuard(max_contacts=5))

    assert_waits(rows.run(*people(0, 6)), "growthGuard", people="6", allowed="5")
    assert members(rows) == set()

    assert rows.run(*people(0, 5)).status is RunStatus.SUCCESSFUL


def test_people_who_must_not_be_sent_do_not_count_as_growth(rows: RowDeployment) -> None:
    rows.change(
        growth_guard=GrowthGuard(max_contacts=2),
        new_contacts=NewContacts(consent_attribute="Consent"),
    )

    run = rows.run(*people(0, 2), *people(2, 5, consent="no"))

    assert run.status is RunStatus.SUCCESSFUL
    assert len(members(rows)) == 2


def test_people_who_were_kept_count_as_growth_once_they_may_be_sent(rows: RowDeployment) -> None:
    rows.change(new_contacts=NewContacts(consent_attribute="Consent"))
    rows.run(*people(0, 60), *people(60, PAST_THE_LIMIT, consent="no"))

    run = rows.run(*people(0, 60 + PAST_THE_LIMIT))

    assert_waits(run, "growthGuard", people="101", allowed="100")
    assert len(members(rows)) == 60


def test_a_segment_with_ten_times_its_usual_people_waits(rows: RowDeployment) -> None:
    rows.change(segments=(SegmentChoice("People"), SegmentChoice("VIP")))
    everyone = people(0, 130)
    rows.run(*everyone, VIP=everyone[:10])

    run = rows.run(*everyone, VIP=everyone[:120])

    assert_waits(run, "segmentGrew", segment="VIP", before="10", people="120")
    assert rows.confirm(run).status is RunStatus.SUCCESSFUL
    assert "VIP" in rows.tags(119)


def test_a_confirmation_does_not_cover_people_that_a_segment_got_later(rows: RowDeployment) -> None:
    rows.change(segments=(SegmentChoice("People"), SegmentChoice("VIP")))
    everyone = people(0, 130)
    rows.run(*everyone, VIP=everyone[:10])
    run = rows.run(*everyone, VIP=everyone[:120])
    rows.source.segments["VIP"] = everyone

    assert_waits(rows.confirm(run), "segmentGrew", segment="VIP", before="10", people="130")
    assert "VIP" not in rows.tags(119)
    assert rows.confirm(run).status is RunStatus.SUCCESSFUL


def test_an_email_attribute_with_few_addresses_waits(rows: RowDeployment) -> None:
    wrong = people(0, PAST_THE_LIMIT)
    for number, row in enumerate(wrong):
        row["EMail"] = f"+82 10 {number:08}"

    run = rows.run(*wrong, *people(1_000, 20))

    assert_waits(run, "fewAddresses", attribute="EMail", usable="20", rows="121")
    assert members(rows) == set()


@pytest.mark.parametrize("subscribers", [FEW_PEOPLE, 3 * FEW_PEOPLE])
def test_an_audience_of_other_people_waits(rows: RowDeployment, subscribers: int) -> None:
    for number in range(subscribers):
        rows.deployment.audience.add(f"other{number}@example.com", status="subscribed")

    run = rows.run(*people(0, 150))

    if subscribers <= FEW_PEOPLE:
        assert run.status is RunStatus.SUCCESSFUL
    else:
        assert_waits(run, "strangeAudience", people="150", compared="350", both="0")
        assert rows.confirm(run).status is RunStatus.SUCCESSFUL


def test_the_question_about_other_people_is_correct_after_one_person_was_sent(
    rows: RowDeployment,
) -> None:
    for number in range(3 * FEW_PEOPLE):
        rows.deployment.audience.add(f"other{number}@example.com", status="subscribed")
    rows.source.segments = {"People": people(0, 150)}
    one_person = rows.deployment.app.one_person
    tried = one_person.start(EXPORT, "Kim", ChosenPerson("p0@example.com", ""))
    assert rows.deployment.run_to_end(tried.id).counts.created == 1

    run = rows.run(*people(0, 150))

    assert run.reason is not None
    assert run.reason.code == "strangeAudience"
    assert run.reason.message.startswith(
        "The export has not sent its segments to this audience yet and would add 149 people"
    )


def test_a_small_segment_of_a_large_audience_does_not_wait(rows: RowDeployment) -> None:
    for number in range(1_500):
        rows.deployment.audience.add(f"a{number:04}@example.com", status="subscribed")
    for number in range(150):
        rows.deployment.audience.add(f"p{number}@example.com", status="subscribed")

    assert rows.run(*people(0, 150)).status is RunStatus.SUCCESSFUL


def test_a_retry_of_a_run_that_was_canceled_while_it_waited_waits_as_well(
    rows: RowDeployment,
) -> None:
    rows.change(growth_guard=GrowthGuard(max_contacts=5))
    waiting = rows.run(*people(0, 6))
    commands = rows.deployment.app.commands
    commands.cancel(waiting.id)

    started = rows.deployment.started(lambda: commands.retry(waiting.id, "Kim"))
    run = rows.deployment.run_to_end(started.id)

    assert_waits(run, "growthGuard", people="6", allowed="5")
    assert members(rows) == set()


def test_an_audience_that_has_some_of_the_people_does_not_wait(rows: RowDeployment) -> None:
    for number in range(200):
        rows.deployment.audience.add(f"other{number}@example.com", status="subscribed")
    for number in range(5):
        rows.deployment.audience.add(f"p{number}@example.com", status="unsubscribed")

    assert rows.run(*people(0, 150)).status is RunStatus.SUCCESSFUL


def test_a_preview_names_the_accident_and_does_not_wait(rows: RowDeployment) -> None:
    rows.change(growth_guard=GrowthGuard(max_contacts=5))

    run = rows.preview(*people(0, 6))

    assert run.status is RunStatus.COMPLETED_WITH_WARNINGS
    assert codes(run)["growthGuard"] == {"people": "6", "allowed": "5"}
    assert members(rows) == set()


def test_a_confirmation_does_not_apply_to_an_export_that_was_edited_since(
    rows: RowDeployment,
) -> None:
    for number in range(3 * FEW_PEOPLE):
        rows.deployment.audience.add(f"other{number}@example.com", status="subscribed")
    waiting = rows.run(*people(0, 150))
    assert_waits(waiting, "strangeAudience", people="150", compared="350", both="0")
    rows.change(segments=(SegmentChoice("VIP"),))
    rows.source.segments = {"VIP": people(1_000, 150)}

    run = rows.confirm(waiting)

    assert_waits(run, "strangeAudience", people="150", compared="350", both="0")
    assert len(members(rows)) == 3 * FEW_PEOPLE
    assert rows.confirm(run).status is RunStatus.SUCCESSFUL


def test_a_confirmation_does_not_apply_to_more_new_people_than_it_was_given_for(
    rows: RowDeployment,
) -> None:
    rows.run(*people(0, 150))
    waiting = rows.run(*people(0, 400))
    assert_waits(waiting, "growthGuard", people="250", allowed="150")
    rows.source.segments = {"People": people(0, 401)}

    run = rows.confirm(waiting)

    assert_waits(run, "growthGuard", people="251", allowed="150")
    rows.source.segments = {"People": people(0, 399)}
    assert rows.confirm(run).status is RunStatus.SUCCESSFUL
