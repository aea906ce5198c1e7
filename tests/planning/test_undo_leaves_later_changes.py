"""An undo leaves alone what a run of one person or someone in Mailchimp changed after the run."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.mailchimp import Fault
from shared.model.one_person import ChosenPerson
from tests.faults.simulated_deployment import CONNECTION, EXPORT
from tests.planning.row_deployment import RowDeployment, codes, person


def state(rows: RowDeployment) -> dict[str, tuple[str, frozenset[str], dict[str, Any]]]:
    """Status, tags and values of each contact."""
    members = rows.deployment.audience.members()
    return {a: (m.status, m.tags, dict(m.merge_fields)) for a, m in members.items()}


def untag(rows: RowDeployment, address: str) -> None:
    """Remove the only tag of the audience from a contact, in Mailchimp."""
    audience = rows.deployment.audience
    (tag_id,) = audience.state.segments
    with rows.deployment.app.sessions.for_request(CONNECTION) as session:
        session.untag(audience.id, tag_id, [address])


def test_an_undo_leaves_people_alone_whom_only_a_later_run_of_one_person_sent(
    rows: RowDeployment,
) -> None:
    everyone = [person(number) for number in range(5)]
    rows.run(*everyone)
    run = rows.run(person(0, FirstName="New"), *everyone[1:3], person(4))
    assert rows.tags(3) == set()
    later = [person(0, FirstName="New"), person(1, FirstName="Sent later"), person(3), person(9)]
    rows.source.segments = {"People": later}
    app = rows.deployment.app
    for number in (1, 3, 9):
        chosen = ChosenPerson(f"p{number}@example.com", "")
        rows.deployment.run_to_end(app.one_person.start(EXPORT, "Kim", chosen).id)
    expected = state(rows)
    expected["p0@example.com"] = ("subscribed", frozenset({"People"}), {"FNAME": "P0"})
    assert expected["p9@example.com"] == ("subscribed", {"People"}, {"FNAME": "P9"})

    undo = rows.deployment.undo(run)

    assert state(rows) == expected
    assert undo.counts.updated == 1
    assert codes(undo) == {}


def test_an_undo_restores_people_whom_the_run_and_a_later_run_of_one_person_sent(
    rows: RowDeployment,
) -> None:
    rows.run(person(0), person(1))
    run = rows.run(person(0, FirstName="New"), person(1))
    rows.source.segments = {"People": [person(0, FirstName="Sent later"), person(1)]}
    one = rows.deployment.app.one_person.start(EXPORT, "Kim", ChosenPerson("p0@example.com", ""))
    rows.deployment.run_to_end(one.id)

    rows.deployment.undo(run)

    assert state(rows)["p0@example.com"] == ("subscribed", {"People"}, {"FNAME": "P0"})


def test_an_undo_gives_no_tag_back_that_someone_had_removed_in_mailchimp_before_the_run(
    rows: RowDeployment,
) -> None:
    everyone = [person(number) for number in range(5)]
    rows.run(*everyone)
    untag(rows, "p1@example.com")
    run = rows.run(person(0, FirstName="New"), person(4))
    assert run.counts.removed == 3

    undo = rows.deployment.undo(run)

    assert [rows.tags(number) for number in range(5)] == [{"People"}, set(), *[{"People"}] * 3]
    assert undo.counts.updated == 3
    assert codes(undo) == {}
    # The next run gives the tag to everyone in the segment.
    rows.run(*everyone)
    assert rows.tags(1) == {"People"}


@pytest.mark.parametrize("lost", [1, 2])
def test_an_undo_gives_a_tag_back_although_the_response_to_its_removal_was_lost(
    rows: RowDeployment, lost: int
) -> None:
    everyone = [person(number) for number in range(5)]
    rows.run(*everyone)
    fault = Fault("reset-applied", "POST", r"/segments/\d+$", times=lost)
    rows.deployment.sandbox.arm(fault)
    # The repeated call does not find the tag that the first one removed.
    run = rows.run(person(0))
    assert (fault.affected, run.counts.removed) == (lost, 4)

    rows.deployment.undo(run)

    assert [rows.tags(number) for number in range(5)] == [{"People"}] * 5


def test_an_undo_leaves_a_tag_alone_that_someone_gave_or_removed_in_mailchimp_after_the_run(
    rows: RowDeployment,
) -> None:
    rows.run(*(person(number) for number in range(4)))
    run = rows.run(*(person(number, FirstName="New") for number in range(3)), person(5))
    rows.deployment.clock.forward(3_600)
    for name in ("by-hand", "too"):
        rows.deployment.audience.add(f"{name}@example.com", tags=["People"])
    untag(rows, "p1@example.com")

    undo = rows.deployment.undo(run)

    tagged = {address for address, (_, tags, _) in state(rows).items() if tags}
    assert tagged == {f"{name}@example.com" for name in ("p0", "p2", "p3", "by-hand", "too")}
    assert codes(undo) == {"undoCreatedStay": {"people": "1"}}
    # The next run gives and removes the tag by the segment.
    rows.run(*(person(number) for number in range(4)))
    assert [rows.tags(number) for number in (1, 5)] == [{"People"}, set()]
    assert rows.deployment.audience.members()["by-hand@example.com"].tags == set()
