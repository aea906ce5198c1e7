"""People that an export excludes, by a segment or a list, are never sent."""

from __future__ import annotations

import pytest

from shared.model.exclusions import ExclusionList
from shared.model.export import ExclusionGuard, OnWithdrawal
from shared.model.run import Run, RunStatus, Trigger
from tests.faults.simulated_deployment import EXPORT, NewDeployment
from tests.planning.row_deployment import RowDeployment, codes, person

EXCLUDED = ("kept", "excluded")


@pytest.fixture
def rows(new_deployment: NewDeployment) -> RowDeployment:
    made = RowDeployment(new_deployment())
    made.deployment.sandbox.calls.clear()
    made.define(exclusion_segments=("Complaints",), on_withdrawal=OnWithdrawal.UNSUBSCRIBE)
    return made


def test_members_of_an_exclusion_segment_are_not_sent_and_lose_the_tags(
    rows: RowDeployment,
) -> None:
    everyone = [person(n) for n in range(5)]
    rows.run(*everyone, Complaints=[person(0)])
    assert "p0@example.com" not in rows.deployment.audience.members()
    changed = [
        *(person(n, FirstName="New") for n in range(4)),
        person(4, EMail="new4@example.com"),
    ]

    # Person 1 by address only, person 2 by id only, person 4 by id under another address.
    run = rows.run(
        *changed,
        Complaints=[
            person(9, EMail="P1@example.com"),
            person(2, EMail="not an address"),
            person(4, EMail="x@example.com"),
        ],
    )

    found = rows.outcomes(run)
    assert run.status is RunStatus.SUCCESSFUL
    assert found["p0@example.com"][0] == "created"
    assert [found[f"p{n}@example.com"] for n in (1, 2)] == [EXCLUDED] * 2
    assert found["new4@example.com"] == EXCLUDED
    assert found["p4@example.com"] == ("removed", "excluded")
    assert [rows.tags(n) for n in (1, 2, 4)] == [frozenset()] * 3
    members = rows.deployment.audience.members()
    assert members["p1@example.com"].merge_fields["FNAME"] == "P1"
    assert members["p3@example.com"].merge_fields["FNAME"] == "New"
    assert codes(run)["peopleExcluded"] == {"people": "4"}
    # An exclusion is no withdrawal: no one is unsubscribed.
    assert not rows.deployment.sandbox.calls.statuses_changed


def test_an_excluded_address_excludes_the_later_addresses_of_its_person(
    rows: RowDeployment,
) -> None:
    rows.change(exclusion_segments=())
    rows.run(person(0), person(1))
    lists = rows.deployment.app.exclusion_lists
    lists.write(EXPORT, ExclusionList(("p0@example.com",), ()))

    run = rows.run(person(0, EMail="new0@example.com"), person(1))

    assert rows.outcomes(run)["new0@example.com"] == EXCLUDED
    assert "new0@example.com" not in rows.deployment.audience.members()


def test_an_exclusion_segment_that_excludes_no_one_is_reported(rows: RowDeployment) -> None:
    run = rows.run(person(0), Complaints=[])
    useless = person(1, CustomerId="", EMail="Mr Smith")
    unusable = rows.run(person(0), Complaints=[useless, useless])
    by_id = rows.run(person(0), Complaints=[person(1, EMail="Mr Smith")])

    assert codes(run)["exclusionSegmentUnused"] == {"segment": "Complaints", "rows": "0"}
    assert run.status is RunStatus.SUCCESSFUL
    assert codes(unusable)["exclusionSegmentUnused"] == {"segment": "Complaints", "rows": "2"}
    assert unusable.status is RunStatus.COMPLETED_WITH_WARNINGS
    assert "exclusionSegmentUnused" not in codes(by_id)


def test_a_run_waits_if_an_exclusion_segment_has_lost_most_of_its_members(
    rows: RowDeployment,
) -> None:
    everyone = [person(n) for n in range(5)]
    # The members are those with an address, and one with a CustomerId only, in two rows.
    by_id = person(3, EMail="not an address")
    rows.run(*everyone, Complaints=[*everyone[:3], by_id, by_id])
    assert rows.run(*everyone, Complaints=everyone[:2]).status is RunStatus.SUCCESSFUL
    lost = {"segment": "Complaints", "before": "4", "people": "0"}
    preview = rows.preview(*everyone, Complaints=[])

    waiting = rows.run(*everyone, Complaints=[])

    assert codes(preview)["exclusionShrank"] == lost
    assert (waiting.status, waiting.counts.new) == (RunStatus.AWAITING_CONFIRMATION, 2)
    assert waiting.reason is not None
    assert (waiting.reason.code, waiting.reason.values) == ("exclusionShrank", lost)
    assert waiting.calls.write == 0
    # A run that replaces it waits as well, and one whose segment is right does not.
    assert rows.run(*everyone, Complaints=[]).status is RunStatus.AWAITING_CONFIRMATION
    assert rows.run(*everyone, Complaints=everyone[:2]).status is RunStatus.SUCCESSFUL
    waiting = rows.run(*everyone, Complaints=[])
    rows.deployment.app.commands.confirm(waiting.id)
    assert rows.deployment.run_to_end(waiting.id).counts.created == 2
    assert rows.run(*everyone, Complaints=[]).status is RunStatus.SUCCESSFUL


def test_small_losses_of_an_exclusion_segment_add_up_until_a_person_confirms(
    rows: RowDeployment,
) -> None:
    everyone = [person(n) for n in range(8)]

    def members_of(*counts: int) -> Run:
        return [rows.run(*everyone, Complaints=everyone[:count]) for count in counts][-1]

    assert members_of(4, 6, 5, 4, 6, 4, 3).status is RunStatus.SUCCESSFUL

    waiting = members_of(2)

    assert (waiting.status, waiting.counts.new) == (RunStatus.AWAITING_CONFIRMATION, 1)
    assert waiting.reason is not None
    assert waiting.reason.values == {"segment": "Complaints", "before": "6", "people": "2"}
    rows.deployment.app.commands.confirm(waiting.id)
    assert rows.deployment.run_to_end(waiting.id).status is RunStatus.SUCCESSFUL
    assert members_of(2, 1).status is RunStatus.SUCCESSFUL
    assert members_of(0).status is RunStatus.AWAITING_CONFIRMATION


@pytest.mark.parametrize("consent", ["yes", "no"])
def test_a_confirmation_does_not_cover_members_that_an_exclusion_segment_lost_later(
    rows: RowDeployment, consent: str
) -> None:
    commands = rows.deployment.app.commands
    everyone = [person(n) for n in range(5)]
    rows.run(*everyone, Complaints=[])
    rows.run(*everyone, Complaints=everyone[:3])
    # A run that has carried out a withdrawal of consent is replaced by a new one when it is confirmed.
    waiting = rows.run(*everyone[:4], person(4, consent), Complaints=everyone[:1])
    rows.source.segments["Complaints"] = []

    again = rows.deployment.run_to_end(commands.confirm(waiting.id).id)

    assert (again.status, again.counts.updated) == (RunStatus.AWAITING_CONFIRMATION, 0)
    assert again.reason is not None
    assert again.reason.values == {"segment": "Complaints", "before": "3", "people": "0"}
    rows.source.segments["Complaints"] = everyone[1:2]
    ended = rows.deployment.run_to_end(commands.confirm(again.id).id)
    assert (ended.status, ended.counts.updated) == (RunStatus.SUCCESSFUL, 2)


def test_a_run_waits_again_after_an_undo_of_one_that_was_confirmed_by_mistake(
    rows: RowDeployment,
) -> None:
    everyone = [person(n) for n in range(5)]
    rows.run(*everyone, Complaints=everyone[:2])
    confirmed = rows.run(*everyone, Complaints=[])
    rows.deployment.app.commands.confirm(confirmed.id)
    mistake = rows.deployment.run_to_end(confirmed.id)
    assert mistake.counts.created == 2

    rows.deployment.undo(mistake)

    assert rows.tags(0) == rows.tags(1) == frozenset()
    waiting = rows.run(*everyone, Complaints=[])
    assert waiting.status is RunStatus.AWAITING_CONFIRMATION
    assert codes(waiting)["exclusionShrank"] == {
        "segment": "Complaints",
        "before": "2",
        "people": "0",
    }
    assert rows.run(*everyone, Complaints=everyone[:2]).status is RunStatus.SUCCESSFUL


def test_a_run_that_only_carried_out_withdrawals_does_not_hide_lost_exclusions(
    rows: RowDeployment,
) -> None:
    everyone = [person(n) for n in range(5)]
    rows.run(*everyone, Complaints=everyone[:2])
    withdrawn = [*everyone[:4], person(4, "no")]

    first = rows.run(*withdrawn, Complaints=[])
    second = rows.run(*withdrawn, Complaints=[])

    assert first.consent_proof.unsubscribed == 1
    for run in (first, second):
        assert run.status is RunStatus.AWAITING_CONFIRMATION
        assert run.reason is not None
        assert run.reason.code == "exclusionShrank"


def test_an_export_can_allow_that_exclusion_segments_lose_all_members(
    rows: RowDeployment,
) -> None:
    rows.change(exclusion_guard=ExclusionGuard(max_share=1))
    rows.run(person(0), Complaints=[person(0)])

    assert rows.run(person(0), Complaints=[]).counts.created == 1


def test_a_list_excludes_people_and_a_changed_list_causes_a_run_of_unchanged_files(
    rows: RowDeployment,
) -> None:
    rows.change(exclusion_segments=())
    lists = rows.deployment.app.exclusion_lists
    everyone = [person(n) for n in range(3)]
    rows.run(*everyone)

    def refreshed() -> RunStatus:
        run = rows.deployment.app.starter.start(EXPORT, Trigger.REFRESH)
        return rows.deployment.run_to_end(run.id).status

    assert refreshed() is RunStatus.SKIPPED
    lists.write(EXPORT, ExclusionList(("p0@example.com",), ("1",)))
    assert refreshed() is RunStatus.SUCCESSFUL
    assert [rows.tags(n) for n in range(3)] == [frozenset(), frozenset(), frozenset({"People"})]
    assert refreshed() is RunStatus.SKIPPED

    lists.delete(EXPORT)
    assert refreshed() is RunStatus.SUCCESSFUL
    assert [rows.tags(n) for n in range(3)] == [frozenset({"People"})] * 3


def test_excluded_members_lose_a_tag_that_others_gave_them(rows: RowDeployment) -> None:
    everyone = [person(n) for n in range(3)]
    audience = rows.deployment.audience
    for number in range(2):
        audience.add(f"p{number}@example.com", tags=["People"])
    started = rows.run(*everyone, Complaints=[person(0)])
    assert started.reason is not None
    assert started.reason.code == "tagExists"

    rows.deployment.app.commands.confirm(started.id)
    rows.deployment.run_to_end(started.id)

    assert [rows.tags(n) for n in range(3)] == [frozenset(), {"People"}, {"People"}]
    audience.add("p0@example.com", tags=["People"])

    run = rows.run(*everyone, Complaints=[person(0)])

    assert codes(run)["tagRepaired"] == {"tag": "People", "added": "0", "removed": "1"}
    assert rows.tags(0) == frozenset()


def test_an_excluded_person_who_unsubscribed_with_another_address_loses_a_tag_of_others(
    rows: RowDeployment,
) -> None:
    audience = rows.deployment.audience
    rows.run(person(0), person(1), Complaints=[])
    audience.unsubscribe("p0@example.com")
    audience.add("p2@example.com", tags=["People"])
    moved = [person(0, EMail="p2@example.com"), person(1)]

    run = rows.run(*moved, Complaints=[{"CustomerId": "0"}])

    assert rows.outcomes(run)["p2@example.com"] == ("kept", "excluded")
    assert rows.tags(2) == frozenset()


def test_an_undo_restores_nothing_for_excluded_people(rows: RowDeployment) -> None:
    everyone = [person(n) for n in range(5)]
    rows.run(*everyone, Complaints=[])
    run = rows.run(
        *(person(n, FirstName="New") for n in range(5)),
        Complaints=[person(0)],
    )
    assert rows.tags(0) == frozenset()
    listed = ExclusionList(("p1@example.com",), ("2",))
    rows.deployment.app.exclusion_lists.write(EXPORT, listed)

    undone = rows.deployment.undo(run)

    assert undone.status is RunStatus.SUCCESSFUL
    assert rows.tags(0) == frozenset()
    members = rows.deployment.audience.members()
    names = [members[f"p{n}@example.com"].merge_fields["FNAME"] for n in range(5)]
    assert names == ["P0", "New", "New", "P3", "P4"]
    assert codes(undone)["undoExcluded"] == {"people": "3"}


def test_an_undo_restores_no_tag_of_a_former_address_of_an_excluded_person(
    rows: RowDeployment,
) -> None:
    rows.run(person(0), person(1), person(2), Complaints=[])
    # Person 0 has the address of person 3 now.
    moved = person(0, EMail="p3@example.com")
    run = rows.run(moved, person(2), Complaints=[])
    assert rows.tags(0) == rows.tags(1) == frozenset()
    rows.preview(moved, person(2), Complaints=[moved])

    undone = rows.deployment.undo(run)

    assert rows.tags(0) == frozenset()
    assert rows.tags(1) == {"People"}
    assert codes(undone)["undoExcluded"] == {"people": "1"}


def test_an_exclusion_of_unusually_many_people_waits_for_a_confirmation(
    rows: RowDeployment,
) -> None:
    rows.change(max_removal_share=0.3)
    everyone = [person(n) for n in range(3)]
    rows.run(*everyone, Complaints=[])

    run = rows.run(*everyone, Complaints=everyone[:2])

    assert run.status is RunStatus.AWAITING_CONFIRMATION
    assert rows.tags(0) == {"People"}
