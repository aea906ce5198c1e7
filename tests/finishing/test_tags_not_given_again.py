"""The check of tags gives no tag back to people who left the segment or must not be sent."""

from __future__ import annotations

from shared.model.export import Leavers, NewContacts
from shared.model.run import Mode, Run, RunStatus
from tests.planning.row_deployment import RowDeployment, codes, person


def take_tags(rows: RowDeployment, number: int) -> None:
    """Someone takes all tags from a person in Mailchimp."""
    state = rows.deployment.audience.state
    with state.lock:
        state.set_tags(state.find(f"p{number}@example.com"), set(), 1)


def test_a_person_who_left_and_may_keep_the_tag_does_not_get_it_again(rows: RowDeployment) -> None:
    rows.define(new_contacts=NewContacts(), leavers=Leavers.KEEP_TAG)
    everyone = [person(number) for number in range(5)]
    rows.run(*everyone)
    rows.run(*everyone[:3])
    take_tags(rows, 2)
    take_tags(rows, 4)

    checked = rows.run(*everyone[:3])

    assert [rows.tags(number) for number in (2, 3, 4)] == [{"People"}, {"People"}, set()]
    assert codes(checked) == {"tagRepaired": {"tag": "People", "added": "1", "removed": "0"}}
    calls = rows.deployment.sandbox.calls
    calls.clear()
    for run in (rows.run(*everyone[:3]), rows.deployment.run(Mode.FULL)):
        assert (run.status, codes(run)) == (RunStatus.SUCCESSFUL, {})
    assert not rows.tags(4)
    # The person gets the tag with the segment.
    rows.run(*everyone)
    assert [rows.tags(number) for number in (3, 4)] == [{"People"}] * 2


def test_a_removal_that_waits_gives_no_tag_back(rows: RowDeployment) -> None:
    rows.define(
        new_contacts=NewContacts(), exclusion_segments=("Complaints",), max_removal_share=0.1
    )
    everyone = [person(number) for number in range(6)]
    rows.run(*everyone, Complaints=[])
    take_tags(rows, 0)
    take_tags(rows, 2)
    take_tags(rows, 4)

    # Persons 0 and 1 are excluded now, and 2 and 3 left.
    waiting = rows.run(everyone[0], everyone[1], *everyone[4:], Complaints=everyone[:2])

    def tagged() -> list[bool]:
        return [bool(rows.tags(number)) for number in range(6)]

    assert waiting.status is RunStatus.AWAITING_CONFIRMATION
    assert tagged() == [False, True, False, True, True, True]
    assert "tagCountDiffers" not in codes(waiting)
    assert confirmed(rows, waiting).status is RunStatus.SUCCESSFUL
    assert tagged() == [False, False, False, False, True, True]
    again = rows.run(everyone[0], everyone[1], *everyone[4:], Complaints=everyone[:2])
    assert (again.status, set(codes(again))) == (RunStatus.SUCCESSFUL, {"peopleExcluded"})


def confirmed(rows: RowDeployment, run: Run) -> Run:
    rows.deployment.app.commands.confirm(run.id)
    return rows.deployment.run_to_end(run.id)
