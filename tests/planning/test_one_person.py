"""A run of one person sends this person by the rules of the export, and changes nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.errors import Conflict, NotFound
from shared.fields.address import normal_address
from shared.model.exclusions import ExclusionList
from shared.model.export import AttributeMapping, FieldToCreate, Mapping, OnWithdrawal
from shared.model.names import person_blob
from shared.model.one_person import ChosenPerson, SentPerson
from shared.model.run import Mode, Run, RunStatus, Trigger
from shared.model.source import UnreadableRow
from shared.scheduling.scheduled_starts import ScheduleState
from tests.fakes import ProcessKilled
from tests.faults.simulated_deployment import EXPORT, NewDeployment
from tests.planning.row_deployment import Row, RowDeployment, codes, person


@pytest.fixture
def rows(new_deployment: NewDeployment) -> RowDeployment:
    made = RowDeployment(new_deployment(), ("CustomerId", "EMail", "FirstName", "Consent", "Score"))
    made.define(
        mapping=Mapping(
            "EMail",
            "FirstName",
            attributes=(AttributeMapping("Score", "SCORE", FieldToCreate("Score", "number")),),
        )
    )
    return made


def start(rows: RowDeployment, number: int | None = None, customer: str = "") -> Run:
    address = "" if number is None else f"p{number}@example.com"
    chosen = ChosenPerson(normal_address(address) or "", customer)
    return rows.deployment.app.one_person.start(EXPORT, "Kim", chosen)


def send(rows: RowDeployment, *segment: Row, number: int | None = None, customer: str = "") -> Run:
    rows.source.segments = {"People": list(segment)}
    return rows.deployment.run_to_end(start(rows, number, customer).id)


def sent(rows: RowDeployment, run: Run) -> SentPerson:
    [contact] = rows.deployment.app.one_person.sent(run.id)
    return contact


def values(contact: SentPerson) -> dict[str, tuple[str | None, str]]:
    return {one.tag: (one.sent, one.now) for one in contact.fields}


def test_only_the_chosen_person_is_sent_and_both_sides_are_stored(rows: RowDeployment) -> None:
    run = send(rows, *(person(n, Score="many") for n in range(5)), number=2)

    assert codes(run).keys() == {"mergeFieldToCreate", "valuesDropped"}
    assert rows.deployment.audience.members().keys() == {"p2@example.com"}
    assert (run.counts.source_rows, run.counts.distinct, run.counts.created) == (1, 1, 1)
    contact = sent(rows, run)
    assert (contact.outcome, contact.code, contact.field) == ("created", "valueDropped", "SCORE")
    assert (contact.status, contact.tags, contact.tags_sent) == (
        "subscribed",
        ("People",),
        ("People",),
    )
    assert values(contact)["FNAME"] == ("P2", "P2")
    assert values(contact)["SCORE"] == (None, "")
    reasons = {one.tag: one.reason for one in contact.fields}
    assert (reasons["FNAME"], reasons["SCORE"], reasons["LNAME"]) == ("", "notANumber", "notMapped")
    everyone = rows.run(*(person(n, Score="many") for n in range(5)))
    assert (everyone.counts.created, everyone.counts.unchanged) == (4, 1)
    calls = rows.deployment.sandbox.calls
    assert not calls.statuses_changed


def test_runs_after_one_person_send_only_the_rest_and_do_not_wait(
    rows: RowDeployment,
) -> None:
    app = rows.deployment.app
    segment = [person(n) for n in range(6)] + [person(90, EMail="unusable")]
    first = rows.run(*segment)
    before = app.ledgers.read(EXPORT).value
    left = [person(n, FirstName="New" if n < 3 else f"P{n}") for n in range(5)] + segment[6:]

    run = send(rows, *left, number=0)

    pointer = app.ledgers.read(EXPORT).value
    assert (pointer.source_fingerprint, pointer.whole) == (before.source_fingerprint, True)
    assert rows.tags(5) == {"People"}, "others who left keep their tag until the next run"
    assert (pointer.rows_of, pointer.sent_by, pointer.before) == (
        first.id,
        first.id,
        before.before,
    )
    after = rows.run(*left)
    assert (after.counts.updated, after.counts.unchanged, after.counts.removed) == (2, 3, 1)
    assert codes(after)["rejectedBefore"] == {"rows": "1"}
    assert after.status is RunStatus.SUCCESSFUL
    assert run.findings == ()


def test_the_run_before_one_person_can_still_be_undone(rows: RowDeployment) -> None:
    rows.run(*(person(n) for n in range(3)))
    changed = [person(n, FirstName="New") for n in range(3)]
    second = rows.run(*changed)
    send(rows, *changed, number=1)

    undo = rows.deployment.undo(second)

    assert undo.status is RunStatus.SUCCESSFUL
    names = [m.merge_fields["FNAME"] for m in rows.deployment.audience.members().values()]
    assert sorted(names) == ["P0", "P1", "P2"]


def test_the_run_of_an_earlier_audience_cannot_be_undone_after_one_person(
    rows: RowDeployment,
) -> None:
    undo = rows.deployment.app.undo
    everyone = rows.run(*(person(n) for n in range(3)))
    other = rows.deployment.sandbox.audience("Other audience")
    rows.change(audience_id=other.id)
    assert undo.is_possible(everyone)

    send(rows, *(person(n) for n in range(3)), number=2)

    assert other.members().keys() == {"p2@example.com"}
    assert not undo.is_possible(everyone)


def test_people_who_must_not_be_sent_are_not_sent_alone_either(rows: RowDeployment) -> None:
    app, audience = rows.deployment.app, rows.deployment.audience
    rows.change(on_withdrawal=OnWithdrawal.UNSUBSCRIBE)
    segment = [person(n) for n in range(6)]
    rows.run(*segment[:4])
    audience.add("p1@example.com", status="unsubscribed")
    app.exclusion_lists.write(EXPORT, ExclusionList(("p2@example.com",), ()))
    app.eraser.erase("p4@example.com", False, "Kim")
    withdrawn = [person(n, consent="no" if n == 3 else "yes") for n in range(6)]

    def code(number: int) -> tuple[str, str]:
        contact = sent(rows, send(rows, *withdrawn, number=number))
        return contact.outcome, contact.code

    writes = rows.deployment.sandbox.calls.count("POST")
    assert code(1) == ("kept", "unsubscribed")
    assert rows.deployment.sandbox.calls.count("POST") == writes
    assert code(2) == ("kept", "excluded")
    assert code(3) == ("kept", "withdrawnUnsubscribed")
    assert (rows.status(3), rows.tags(3), rows.tags(0)) == (
        "unsubscribed",
        frozenset(),
        {"People"},
    )
    erased = send(rows, *withdrawn, number=4)
    assert (erased.status, erased.reason.code) == (RunStatus.SKIPPED, "personErased")
    unknown = send(rows, *withdrawn, number=77)
    assert (unknown.status, unknown.reason.code) == (RunStatus.SKIPPED, "personNotInSegments")
    assert "p4@example.com" not in audience.members()


def test_one_person_is_refused_while_another_run_is_active_or_waits(rows: RowDeployment) -> None:
    app = rows.deployment.app
    rows.change(max_removal_share=0.1)
    rows.run(*(person(n) for n in range(4)))
    waiting = rows.run(person(0))
    assert waiting.status is RunStatus.AWAITING_CONFIRMATION

    with pytest.raises(Conflict) as waits:
        start(rows, 0)
    assert waits.value.code == "otherRunWaits"
    assert app.runs.read(waiting.id).value.status is RunStatus.AWAITING_CONFIRMATION
    app.commands.cancel(waiting.id)
    going = app.starter.start(EXPORT)
    with pytest.raises(Conflict) as active:
        start(rows, 0)
    assert active.value.code == "otherRunGoing"
    rows.deployment.run_to_end(going.id)
    assert not [name for name in app.files.names("runs/") if name.endswith("person.json")]


def test_a_scheduled_run_starts_after_the_run_of_one_person(rows: RowDeployment) -> None:
    app, clock = rows.deployment.app, rows.deployment.clock
    rows.source.segments = {"People": [person(n) for n in range(3)]}
    daily = replace(
        app.exports.read(EXPORT).value.schedule, enabled=True, repeat="daily", times=("00:00",)
    )
    rows.change(schedule=daily)
    since = clock.now() - timedelta(days=1)
    app.scheduled_starts.states.create(EXPORT, ScheduleState(daily, since, since))
    one = start(rows, 1)

    assert app.scheduled_starts.start_due() == 0
    rows.deployment.run_to_end(one.id)
    assert app.scheduled_starts.start_due() == 1
    newest = app.history.last_run(EXPORT)
    assert (newest.trigger, newest.mode) == (Trigger.SCHEDULE, Mode.EXPORT)


def test_an_erasure_deletes_the_person_to_send_and_the_values(rows: RowDeployment) -> None:
    app = rows.deployment.app
    done = send(rows, person(0), person(1), number=0)
    queued = start(rows, 0)

    app.eraser.erase("p0@example.com", False, "Kim")

    run = rows.deployment.run_to_end(queued.id)
    assert (run.status, run.reason.code) == (RunStatus.FAILED, "personGone")
    for name in (person_blob(done.id), person_blob(queued.id)):
        assert name not in set(app.files.names(name))
    with pytest.raises(NotFound):
        app.one_person.sent(done.id)


def test_a_person_is_sent_by_profile_although_nothing_changed_and_is_found_afterwards(
    rows: RowDeployment,
) -> None:
    app = rows.deployment.app
    segment = [person(n) for n in range(3)]
    everyone = rows.run(*segment)
    rows.deployment.audience.add("p1@example.com", merge_fields={"FNAME": "By hand"})

    one = send(rows, *segment, customer="1")

    assert (one.counts.updated, one.counts.distinct) == (1, 1)
    assert values(sent(rows, one))["FNAME"] == ("P1", "P1")
    [chosen] = app.search.find("p1@example.com")
    [other] = app.search.find("p2@example.com")
    assert (chosen.outcome, chosen.at) == ("updated", one.finished_at)
    assert (other.outcome, other.at) == ("created", everyone.finished_at)


def test_a_start_that_is_killed_before_it_stores_the_person_sends_no_one(
    rows: RowDeployment,
) -> None:
    rows.source.segments = {"People": [person(n) for n in range(3)]}
    for kill_at in range(1, 40):
        rows.deployment.start_process(kill_at, applied=True)
        try:
            start(rows, 1)
        except ProcessKilled:
            rows.deployment.start_process()
            run = rows.deployment.app.starter.start(EXPORT)
            done = rows.deployment.run_to_end(run.id)
            members = rows.deployment.audience.members()
            if run.mode is Mode.ONE_PERSON:
                assert members.keys() <= {"p1@example.com"}
                assert done.counts.created + done.counts.updated == (
                    done.status is RunStatus.SUCCESSFUL
                )
            continue
        break
    assert kill_at > 2


def test_the_run_of_one_person_does_not_report_unreadable_rows_of_others(
    rows: RowDeployment,
) -> None:
    segment = [person(1), person(2)]
    rows.source.unreadable = (UnreadableRow("People", "one.csv", 3, "rowBadQuoting"),)
    assert "rowsUnreadable" in codes(rows.run(*segment))
    assert send(rows, *segment, number=1).findings == ()
