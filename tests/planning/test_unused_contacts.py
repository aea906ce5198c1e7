"""Contacts that no export targets any more are found, archived after a confirmation, and added again by an undo."""

from __future__ import annotations

import pytest

from shared.errors import Conflict
from shared.model.exclusions import ExclusionList
from shared.model.export import SegmentChoice
from shared.model.run import Run, RunStatus
from tests.faults.simulated_deployment import CONNECTION, EXPORT
from tests.planning.row_deployment import RowDeployment, codes, person, proof

OTHER = "e2"


def unused(rows: RowDeployment) -> dict[str, int]:
    found = rows.deployment.app.unused_contacts.read(CONNECTION, rows.deployment.audience.id)
    return {one.export_id: one.people for one in found.unused}


def archive(rows: RowDeployment, agreed: int) -> Run:
    started = rows.deployment.app.unused_contacts.archive(EXPORT, "Kim", agreed)
    return rows.deployment.run_to_end(started.id)


def subscribed(rows: RowDeployment) -> set[str]:
    members = rows.deployment.audience.members()
    return {a.partition("@")[0] for a, one in members.items() if one.status == "subscribed"}


def test_unused_contacts_are_archived_and_an_undo_adds_them_again(rows: RowDeployment) -> None:
    app, audience = rows.deployment.app, rows.deployment.audience
    audience.add("p0@example.com")
    audience.add("old@example.com", status="unsubscribed")
    rows.run(*(person(n) for n in range(8)))
    last = rows.run(person(1))
    before = app.ledgers.read(EXPORT).value
    # p0 was there before the export.
    assert unused(rows) == {EXPORT: 6}
    audience.add("p2@example.com", status="unsubscribed")
    audience.add("p3@example.com", tags=["By hand"])
    app.exclusion_lists.write(EXPORT, ExclusionList(("p4@example.com",), ()))

    run = archive(rows, 6)

    assert subscribed(rows) == {"p0", "p1", "p3"}
    assert rows.outcomes(run) == {
        "p3@example.com": ("notSent", "taggedByOthers"),
        **{f"p{n}@example.com": ("removed", "unusedArchived") for n in range(4, 8)},
    }
    assert codes(run) == {"contactsNotArchived": {"people": "1"}}
    assert proof(run)["archived"] == (0, 4, 4, 0)
    assert run.consent_proof.archived == 4
    pointer = app.ledgers.read(EXPORT).value
    assert pointer.source_fingerprint == before.source_fingerprint
    assert (pointer.rows_of, pointer.sent_by) == (last.id, run.id)
    # A contact that others tagged counts as theirs.
    assert unused(rows) == {}

    undo = rows.deployment.undo(run)

    assert undo.status is RunStatus.SUCCESSFUL
    assert (undo.counts.new, undo.counts.created) == (3, 3)
    # Excluded people stay archived.
    assert codes(undo) == {"undoExcluded": {"people": "1"}}
    assert subscribed(rows) == {"p0", "p1", "p3", "p5", "p6", "p7"}
    assert audience.members()["p6@example.com"].merge_fields == {"FNAME": "P6"}
    assert rows.run(person(1)).counts.unchanged == 1


def test_a_contact_is_used_while_any_export_to_the_audience_gives_it_a_tag(
    rows: RowDeployment,
) -> None:
    app = rows.deployment.app
    rows.run(person(0), person(1), person(2))
    other = app.exports.read(EXPORT).value
    fields = {name: getattr(other, name) for name in other.__dataclass_fields__}
    fields |= {"id": OTHER, "display_name": "Other", "segments": (SegmentChoice("Others"),)}
    app.exports.create(OTHER, type(other)(**fields))
    rows.source.segments = {"People": [], "Others": [person(1)]}
    rows.deployment.run()

    waiting = archive(rows, 9)
    assert (waiting.status, waiting.reason.code) == (RunStatus.SKIPPED, "unusedUnknown")
    assert unused(rows) == {}
    rows.deployment.run_to_end(app.starter.start(OTHER).id)
    assert unused(rows) == {EXPORT: 2}

    run = archive(rows, 2)

    assert subscribed(rows) == {"p1"}
    assert run.consent_proof.archived == 2
    # The export itself gets its people back after an explicit yes only.
    back = rows.run(person(0), Others=[person(1)])
    assert codes(back)["archivedByUndo"] == {"people": "1"}
    assert subscribed(rows) == {"p1"}


def test_nothing_is_archived_if_more_contacts_are_unused_than_were_confirmed(
    rows: RowDeployment,
) -> None:
    app = rows.deployment.app
    rows.run(*(person(n) for n in range(4)))
    rows.run(person(0))

    more = archive(rows, 2)
    assert (more.status, more.reason.values) == (
        RunStatus.SKIPPED,
        {"people": "3", "agreed": "2"},
    )
    going = app.starter.start(EXPORT)
    with pytest.raises(Conflict):
        app.unused_contacts.archive(EXPORT, "Kim", 3)
    rows.deployment.run_to_end(going.id)
    assert subscribed(rows) == {"p0", "p1", "p2", "p3"}
    rows.run(*(person(n) for n in range(4)))
    assert archive(rows, 3).reason.code == "noUnused"
