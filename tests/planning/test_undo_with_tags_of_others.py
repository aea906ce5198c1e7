"""An undo leaves tags alone that another export owns now, and gives back those that the run took over from others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.errors import Unavailable
from shared.model.export import NewContacts, SegmentChoice
from shared.model.one_person import ChosenPerson
from shared.model.run import Run, RunStatus
from shared.planning.audience.client import AudienceClient
from tests.faults.simulated_deployment import EXPORT
from tests.planning.row_deployment import RowDeployment, codes, person


def test_an_undo_keeps_a_tag_that_another_export_owns_now(rows: RowDeployment) -> None:
    app = rows.deployment.app
    rows.define(new_contacts=NewContacts())
    run = rows.run(*(person(number) for number in range(3)))
    tagged = app.exports.read(EXPORT).value
    rows.change(segments=(SegmentChoice("People", "Another tag"),))
    app.exports.create("e2", replace(tagged, id="e2"))
    waiting = rows.deployment.run_to_end(app.starter.start("e2").id)
    assert waiting.reason.code == "tagExists"
    app.commands.confirm(waiting.id)
    assert "tagTakenOver" in codes(rows.deployment.run_to_end(waiting.id))

    undo = rows.deployment.undo(run)

    assert undo.status is RunStatus.SUCCESSFUL
    assert [rows.tags(number) for number in range(3)] == [frozenset({"People"})] * 3


def test_a_withdrawal_in_a_run_that_asks_about_a_tag_of_others_leaves_the_tag_alone(
    rows: RowDeployment,
) -> None:
    everyone = [person(number) for number in range(4)]
    rows.run(*everyone)
    for number in (1, 2, 8):
        rows.deployment.audience.add(f"p{number}@example.com", tags=["VIP"])
    rows.change(segments=(SegmentChoice("People", "VIP"),))

    waiting = rows.run(person(0, "no"), *everyone[1:])

    assert (waiting.status, waiting.reason.code) == (RunStatus.AWAITING_CONFIRMATION, "tagExists")
    assert [rows.tags(number) for number in (0, 1, 8)] == [set(), {"People", "VIP"}, {"VIP"}]
    run = rows.deployment.run_to_end(rows.deployment.app.commands.confirm(waiting.id).id)
    assert [rows.tags(number) for number in (1, 3, 8)] == [{"VIP"}, {"VIP"}, set()]
    rows.deployment.undo(run)
    assert [rows.tags(number) for number in (1, 3, 8)] == [{"People", "VIP"}, {"People"}, {"VIP"}]


def test_an_undo_gives_a_tag_back_that_the_run_took_over(rows: RowDeployment) -> None:
    deployment, audience = rows.deployment, rows.deployment.audience
    rows.define(new_contacts=NewContacts(), exclusion_segments=("Complaints",))
    everyone = [person(number) for number in range(4)]
    # Persons 0 and 1 are in the segment, 7 and 8 are not, and 9 is excluded.
    for number in (0, 7, 8, 9):
        audience.add(f"p{number}@example.com", tags=["People", "Other"])
    audience.add("p1@example.com")
    waiting = rows.run(*everyone, Complaints=[person(9)])
    assert waiting.reason.code == "tagExists"
    deployment.app.commands.confirm(waiting.id)
    run = deployment.run_to_end(waiting.id)
    assert "tagTakenOver" in codes(run)
    tagged = {"People"}
    assert [rows.tags(number) for number in (0, 1, 2)] == [tagged | {"Other"}, tagged, tagged]
    assert [rows.tags(number) for number in (7, 8, 9)] == [{"Other"}] * 3
    audience.unsubscribe("p8@example.com")

    undo = deployment.undo(run)

    assert [rows.tags(number) for number in range(4)] == [tagged | {"Other"}, set(), set(), set()]
    assert [rows.tags(number) for number in (7, 8, 9)] == [tagged | {"Other"}, {"Other"}, {"Other"}]
    assert codes(undo)["undoNotSubscribed"] == {"people": "1"}
    assert audience.members()["p7@example.com"].merge_fields.get("FNAME", "") == ""
    # The tag follows the segment again with the next run.
    again = rows.run(*everyone, Complaints=[person(9)])
    assert (again.status, again.counts.removed) == (RunStatus.SUCCESSFUL, 1)
    assert [rows.tags(number) for number in (0, 1, 7)] == [tagged | {"Other"}, tagged, {"Other"}]


def test_an_undo_knows_who_had_a_tag_although_the_planning_of_the_run_was_repeated(
    rows: RowDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment, audience = rows.deployment, rows.deployment.audience
    rows.define(new_contacts=NewContacts())
    for number in (0, 7):
        audience.add(f"p{number}@example.com", tags=["People"])
    waiting = rows.run(person(0), person(1))
    create, created = AudienceClient.create_missing, []

    def create_once(*given: Any) -> Any:
        made = create(*given)
        created.append(made)
        if len(created) == 1:
            raise Unavailable("mailchimpUnavailable")
        return made

    monkeypatch.setattr(AudienceClient, "create_missing", create_once)
    deployment.app.commands.confirm(waiting.id)
    run = deployment.run_to_end(waiting.id)
    assert [rows.tags(number) for number in (0, 1, 7)] == [{"People"}, {"People"}, set()]
    assert deployment.app.undo.gives_tags_back(run.id)

    deployment.undo(run)

    assert [rows.tags(number) for number in (0, 1, 7)] == [{"People"}, set(), {"People"}]


@pytest.mark.parametrize("stopped", ["before sending", "while sending"])
def test_an_undo_gives_a_tag_back_that_a_stopped_run_took_over_before(
    rows: RowDeployment, stopped: str
) -> None:
    deployment, audience = rows.deployment, rows.deployment.audience
    rows.define(new_contacts=NewContacts())
    everyone = [person(number) for number in range(20)]
    for number in (0, 7, 30, 31):
        audience.add(f"p{number}@example.com", tags=["People"])
    waiting = rows.run(*everyone)
    change = rows.while_sending if stopped == "before sending" else rows.after_first_batch
    canceled = change(lambda *_: deployment.app.commands.cancel(waiting.id))
    deployment.app.commands.confirm(waiting.id)
    first = deployment.run_to_end(waiting.id)
    assert canceled
    assert first.status is RunStatus.CANCELED
    assert rows.tags(30) == {"People"}
    run = rows.run(*everyone)
    assert run.status is RunStatus.SUCCESSFUL
    assert (rows.tags(30), rows.tags(31)) == (set(), set())
    assert deployment.app.undo.gives_tags_back(run.id)
    # A contact that got the tag in the first run keeps it: only the newest run is undone.
    tagged_before = {0, 7, 30, 31} | {
        number for number in range(20) if first.counts.created and number in _sent_by(rows, first)
    }

    undo = deployment.undo(run)

    assert set(codes(undo)) == {"undoCreatedStay", "undoValuesUnknown"}
    tagged = {number for number in (*range(20), 30, 31) if rows.tags(number)}
    assert tagged == tagged_before
    again = rows.run(*everyone)
    assert again.status is RunStatus.SUCCESSFUL
    assert [rows.tags(number) for number in (0, 30)] == [{"People"}, set()]


def _sent_by(rows: RowDeployment, run: Run) -> set[int]:
    """The numbers of the people that a run sent."""
    sent = (address for address, (outcome, _) in rows.outcomes(run).items() if outcome != "notSent")
    return {int(address.removeprefix("p").partition("@")[0]) for address in sent}


def test_an_undo_gives_no_tag_back_that_an_earlier_run_took_from_others(
    rows: RowDeployment,
) -> None:
    deployment, audience = rows.deployment, rows.deployment.audience
    rows.define(new_contacts=NewContacts())
    audience.add("p7@example.com", tags=["People"])
    waiting = rows.run(person(0))
    deployment.app.commands.confirm(waiting.id)
    deployment.run_to_end(waiting.id)
    run = rows.run(person(0, FirstName="Changed"))
    assert not deployment.app.undo.gives_tags_back(run.id)

    deployment.undo(run)

    assert [rows.tags(number) for number in (0, 7)] == [{"People"}, set()]


def test_an_undo_gives_a_tag_back_that_a_run_of_one_person_took_over_before(
    rows: RowDeployment,
) -> None:
    deployment, app = rows.deployment, rows.deployment.app
    rows.define(new_contacts=NewContacts())
    deployment.audience.add("p7@example.com", tags=["People"])
    rows.source.segments = {"People": [person(0), person(1)]}
    one = app.one_person.start(EXPORT, "Kim", ChosenPerson("p0@example.com", ""))
    waiting = deployment.run_to_end(one.id)
    assert waiting.reason.code == "tagExists"
    app.commands.confirm(waiting.id)
    deployment.run_to_end(waiting.id)
    assert [rows.tags(number) for number in (0, 7)] == [{"People"}, {"People"}]
    run = rows.run(person(0), person(1))
    assert [rows.tags(number) for number in (0, 1, 7)] == [{"People"}, {"People"}, set()]

    deployment.undo(run)

    assert [rows.tags(number) for number in (0, 1, 7)] == [{"People"}, set(), {"People"}]
