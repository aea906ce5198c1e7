"""An undo uses the merge fields that the audience has now."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from sandbox.mailchimp.state import MergeField
from shared.model.export import AttributeMapping, FieldToCreate, Mapping
from shared.model.run import Run, RunStatus
from tests.faults.simulated_deployment import SimulatedDeployment
from tests.planning.row_deployment import RowDeployment, codes, person
from tests.planning.test_field_rules import field, rename

_MAPPING = Mapping(
    "EMail", "FirstName", attributes=(AttributeMapping("City", "CITY", FieldToCreate("City")),)
)
_COLUMNS = ("CustomerId", "EMail", "FirstName", "Consent", "City")


@pytest.fixture
def rows(new_deployment: Callable[[], SimulatedDeployment]) -> Iterator[RowDeployment]:
    made = RowDeployment(new_deployment(), columns=_COLUMNS)
    options = made.deployment.sandbox.world.options
    # Whether Mailchimp refuses them is not documented.
    made.deployment.sandbox.set(unknown_merge_tags="refuse")
    made.define(mapping=_MAPPING)
    made.run(person(1, City="Seoul"))
    yield made
    made.deployment.sandbox.world.options = options


def undo_after(rows: RowDeployment, change: Callable[[dict[int, MergeField]], object]) -> Run:
    """A run changes a person, someone changes the merge fields, and the run is undone."""
    run = rows.run(person(1, City="Busan", FirstName="Changed"))
    change(rows.deployment.audience.state.merge_fields)
    started = rows.deployment.app.undo.start(run.id, by="", archive_created=False)
    return rows.deployment.run_to_end(started.id)


def values(rows: RowDeployment) -> dict[str, object]:
    return rows.deployment.audience.members()["p1@example.com"].merge_fields


def test_an_undo_restores_people_although_a_field_became_required(rows: RowDeployment) -> None:
    def require(fields: dict[int, MergeField]) -> None:
        fields[90] = MergeField(90, "STORE", "Store", "text", required=True)

    undone = undo_after(rows, require)

    assert undone.status is RunStatus.SUCCESSFUL
    assert values(rows) == {"FNAME": "P1", "CITY": "Seoul"}


def test_an_undo_reports_the_values_of_a_field_that_was_deleted(rows: RowDeployment) -> None:
    undone = undo_after(rows, lambda fields: fields.pop(field(rows, "CITY").merge_id))

    assert undone.status is RunStatus.COMPLETED_WITH_WARNINGS
    assert codes(undone)["mergeFieldDeleted"] == {"field": "CITY", "values": "1"}
    assert rows.outcomes(undone) == {"p1@example.com": ("updated", "valueDropped")}
    assert values(rows)["FNAME"] == "P1"


def test_an_undo_drops_values_that_do_not_fit_a_field_that_was_created_again(
    rows: RowDeployment,
) -> None:
    def create_again(fields: dict[int, MergeField]) -> None:
        del fields[field(rows, "CITY").merge_id]
        fields[90] = MergeField(90, "CITY", "City", "number")

    undone = undo_after(rows, create_again)

    assert rows.outcomes(undone) == {"p1@example.com": ("updated", "valueDropped")}
    assert values(rows)["FNAME"] == "P1"


def test_an_undo_restores_the_values_of_a_field_with_another_tag(rows: RowDeployment) -> None:
    undone = undo_after(rows, lambda _: rename(rows, "CITY", "TOWN"))

    assert undone.status is RunStatus.SUCCESSFUL
    assert values(rows) == {"FNAME": "P1", "TOWN": "Seoul"}


def test_an_undo_does_not_subscribe_a_person_who_was_deleted_since(rows: RowDeployment) -> None:
    # Whether Mailchimp refuses a missing status is not documented.
    rows.deployment.sandbox.set(missing_status="subscribe")

    def delete(_: object) -> None:
        rows.deployment.audience.forget("p1@example.com")
        rows.deployment.audience.state.forgotten.clear()

    undone = undo_after(rows, delete)

    assert rows.status(1) == "archived"
    assert rows.outcomes(undone)["p1@example.com"] == ("kept", "notInAudience")
