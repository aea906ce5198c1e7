"""An undo uses the merge fields that the audience has now."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sandbox.mailchimp import Fault
from sandbox.mailchimp.state import MergeField
from shared.model.export import AttributeMapping, FieldToCreate, Mapping
from shared.model.run import Run, RunStatus
from tests.faults.simulated_deployment import NewDeployment
from tests.faults.test_killed_at_every_write import kill_at_call
from tests.planning.row_deployment import RowDeployment, codes, person
from tests.planning.test_field_rules import field, rename
from tests.planning.test_withdrawals import delete

_MAPPING = Mapping(
    "EMail", "FirstName", attributes=(AttributeMapping("City", "CITY", FieldToCreate("City")),)
)
_COLUMNS = ("CustomerId", "EMail", "FirstName", "Consent", "City")


@pytest.fixture
def rows(new_deployment: NewDeployment) -> RowDeployment:
    made = RowDeployment(new_deployment(), columns=_COLUMNS)
    # Whether Mailchimp refuses them is not documented.
    made.deployment.sandbox.set(unknown_merge_tags="refuse")
    made.define(mapping=_MAPPING)
    made.run(person(1, City="Seoul"))
    return made


def undo_after(rows: RowDeployment, change: Callable[[dict[int, MergeField]], object]) -> Run:
    """A run changes a person, someone changes the merge fields, and the run is undone."""
    run = rows.run(person(1, City="Busan", FirstName="Changed"))
    change(rows.deployment.audience.state.merge_fields)
    return rows.deployment.undo(run)


def test_an_undo_restores_people_although_a_field_became_required(rows: RowDeployment) -> None:
    def require(fields: dict[int, MergeField]) -> None:
        fields[90] = MergeField(90, "STORE", "Store", "text", required=True)

    undone = undo_after(rows, require)

    assert undone.status is RunStatus.SUCCESSFUL
    assert rows.values(1) == {"FNAME": "P1", "CITY": "Seoul"}


def test_an_undo_reports_the_values_of_a_field_that_was_deleted(rows: RowDeployment) -> None:
    undone = undo_after(rows, lambda fields: fields.pop(field(rows, "CITY").merge_id))

    assert undone.status is RunStatus.COMPLETED_WITH_WARNINGS
    assert codes(undone)["mergeFieldDeleted"] == {"field": "CITY", "values": "1"}
    assert rows.outcomes(undone) == {"p1@example.com": ("updated", "valueDropped")}
    assert rows.values(1)["FNAME"] == "P1"


def test_an_undo_drops_values_that_do_not_fit_a_field_that_was_created_again(
    rows: RowDeployment,
) -> None:
    def create_again(fields: dict[int, MergeField]) -> None:
        del fields[field(rows, "CITY").merge_id]
        fields[90] = MergeField(90, "CITY", "City", "number")

    undone = undo_after(rows, create_again)

    assert rows.outcomes(undone) == {"p1@example.com": ("updated", "valueDropped")}
    assert rows.values(1)["FNAME"] == "P1"


def test_an_undo_restores_the_values_of_a_field_with_another_tag(rows: RowDeployment) -> None:
    undone = undo_after(rows, lambda _: rename(rows, "CITY", "TOWN"))

    assert undone.status is RunStatus.SUCCESSFUL
    assert rows.values(1) == {"FNAME": "P1", "TOWN": "Seoul"}


def changed_run(rows: RowDeployment) -> Run:
    """A run that changes two people, of whom one is deleted long afterwards."""
    deployment = rows.deployment
    rows.run(person(1, City="Seoul"), person(2, City="Seoul"))
    run = rows.run(*(person(n, City="Busan", FirstName="Changed") for n in (1, 2)))
    deployment.clock.forward(3_600)
    # Whether Mailchimp refuses a missing status is not documented.
    deployment.sandbox.set(missing_status="subscribe")
    delete(deployment.audience, "p1@example.com")
    return run


def test_an_undo_does_not_subscribe_a_person_who_was_deleted_since(rows: RowDeployment) -> None:
    undone = rows.deployment.undo(changed_run(rows))

    assert [rows.status(n) for n in (1, 2)] == ["archived", "subscribed"]
    assert rows.outcomes(undone)["p1@example.com"] == ("kept", "notInAudience")


@pytest.mark.parametrize("applied", [False, True], ids=["before", "after"])
def test_an_undo_killed_at_any_call_does_not_subscribe_a_person_who_was_deleted_since(
    rows: RowDeployment, applied: bool
) -> None:
    run = changed_run(rows)
    deployment = rows.deployment
    saved = deployment.saved()
    # Killed after a call is much like killed before the next one.
    at, killed = -1, True
    while killed:
        at += 2
        deployment.restore(saved)
        process_count = deployment.process_count
        kill_at_call(deployment, at, applied)

        undone = rows.deployment.undo(run)

        killed = deployment.process_count > process_count
        statuses = [rows.status(n) for n in (1, 2)]
        assert statuses == ["archived", "subscribed"], f"killed at call {at}"
        assert rows.outcomes(undone)["p1@example.com"] == ("kept", "notInAudience")
    assert at > 2


@pytest.mark.parametrize("kind", ["503-html", "504-applied"])
def test_an_undo_whose_calls_fail_does_not_subscribe_a_person_who_was_deleted_since(
    rows: RowDeployment, kind: str
) -> None:
    run = changed_run(rows)
    fault = rows.deployment.sandbox.arm(Fault(kind, "DELETE", times=9))

    rows.deployment.undo(run)

    assert fault.affected
    assert [rows.status(n) for n in (1, 2)] == ["archived", "subscribed"]


def test_an_undo_reports_a_contact_that_mailchimp_does_not_archive(rows: RowDeployment) -> None:
    run = changed_run(rows)
    rows.deployment.sandbox.arm(Fault("400-empty", "DELETE", times=None))

    undone = rows.deployment.undo(run)

    assert undone.status is RunStatus.COMPLETED_WITH_WARNINGS
    assert rows.outcomes(undone)["p1@example.com"][0] == "rejected"
    assert rows.outcomes(undone)["p2@example.com"] == ("updated", None)
