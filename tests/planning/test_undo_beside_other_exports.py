"""An undo keeps the values that another export to the same audience has sent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.model.export import AttributeMapping, FieldToCreate, Mapping, SegmentChoice
from shared.model.run import Run, RunStatus
from tests.faults.simulated_deployment import EXPORT, NewDeployment
from tests.planning.row_deployment import Row, RowDeployment, codes, person

_COLUMNS = ("CustomerId", "EMail", "FirstName", "Consent", "City", "Town")
_OTHER = "e2"


def _mapping(city: str) -> Mapping:
    """A mapping of an attribute to the merge field CITY."""
    city_field = AttributeMapping(city, "CITY", FieldToCreate("City"))
    return Mapping("EMail", "FirstName", attributes=(city_field,))


@pytest.fixture
def rows(new_deployment: NewDeployment) -> RowDeployment:
    """An export that maps City to CITY, and another one to the same audience that maps Town to it."""
    made = RowDeployment(new_deployment(), columns=_COLUMNS)
    made.define(mapping=_mapping("City"))
    exports = made.deployment.app.exports
    other = replace(
        exports.read(EXPORT).value,
        id=_OTHER,
        display_name="Other export",
        mapping=replace(_mapping("Town"), first_name=""),
        segments=(SegmentChoice("Others"),),
    )
    exports.create(_OTHER, other)
    return made


def run_other(rows: RowDeployment, *people: Row, export_id: str = _OTHER) -> Run:
    """Customer Insights writes the segment Others, and the other export runs."""
    rows.source.segments["Others"] = list(people)
    return rows.deployment.run_to_end(rows.deployment.app.starter.start(export_id).id)


def test_an_undo_gives_back_a_value_of_another_export_that_the_run_replaced(
    rows: RowDeployment,
) -> None:
    rows.run(person(1))
    run_other(rows, person(1, Town="Oslo"))
    run = rows.run(person(1, City="Seoul", FirstName="Changed"))
    assert rows.values(1)["CITY"] == "Seoul"

    undo = rows.deployment.undo(run)

    assert undo.status is RunStatus.SUCCESSFUL
    assert rows.values(1) == {"FNAME": "P1", "CITY": "Oslo"}
    assert run_other(rows, person(1, Town="Oslo")).calls.write == 0
    # The export has the value from before the run, so it sends the new one again.
    assert rows.run(person(1, City="Seoul")).counts.updated == 1
    assert rows.values(1)["CITY"] == "Seoul"


def test_an_undo_leaves_a_value_that_another_export_sent_after_the_run(rows: RowDeployment) -> None:
    rows.run(person(1, City="Rome"), person(2, City="Rome"))
    run = rows.run(*(person(n, City="Seoul", FirstName="Changed") for n in (1, 2)))
    assert run_other(rows, person(1, Town="Seoul")).counts.updated == 1

    undo = rows.deployment.undo(run)

    assert [rows.values(n) for n in (1, 2)] == [
        {"FNAME": "P1", "CITY": "Seoul"},
        {"FNAME": "P2", "CITY": "Rome"},
    ]
    assert codes(undo) == {"undoFilledByOthers": {"people": "1"}}
    assert undo.status is RunStatus.COMPLETED_WITH_WARNINGS


def test_an_undo_restores_the_value_of_the_export_that_filled_the_field_last_before_the_run(
    rows: RowDeployment,
) -> None:
    rows.run(person(1, City="Rome"), person(2, City="Rome"))
    run_other(rows, person(1, Town="Oslo"), person(2, Town="Oslo"))
    rows.run(person(1, City="Rome"), person(2, City="Bern"))
    before = [rows.values(n) for n in (1, 2)]
    assert [one["CITY"] for one in before] == ["Oslo", "Bern"]
    # The run sends Rome again, because another value of the person changed.
    run = rows.run(person(1, City="Rome", FirstName="Changed"), person(2, City="Seoul"))
    assert rows.values(1) == {"FNAME": "Changed", "CITY": "Rome"}

    undo = rows.deployment.undo(run)

    assert [rows.values(n) for n in (1, 2)] == before
    assert undo.status is RunStatus.SUCCESSFUL


@pytest.mark.parametrize("order", [(_OTHER, "e3"), ("e3", _OTHER)])
def test_an_undo_restores_the_newest_value_of_several_other_exports(
    rows: RowDeployment, order: tuple[str, str]
) -> None:
    exports = rows.deployment.app.exports
    third = replace(
        exports.read(_OTHER).value, id="e3", segments=(SegmentChoice("Others", "Third"),)
    )
    exports.create("e3", third)
    rows.run(person(1))
    for export_id, town in zip(order, ("Oslo", "Bern"), strict=True):
        run_other(rows, person(1, Town=town), export_id=export_id)
    run = rows.run(person(1, City="Seoul"))

    undo = rows.deployment.undo(run)

    assert rows.values(1)["CITY"] == "Bern"
    assert undo.status is RunStatus.SUCCESSFUL


def test_an_undo_does_not_report_a_field_of_another_export_that_the_run_did_not_change(
    rows: RowDeployment,
) -> None:
    rows.run(person(1, City="Rome"))
    run = rows.run(person(1, City="Rome", FirstName="Changed"))
    run_other(rows, person(1, Town="Rome"))

    undo = rows.deployment.undo(run)

    assert rows.values(1) == {"FNAME": "P1", "CITY": "Rome"}
    assert codes(undo) == {}


def test_an_undo_leaves_a_field_alone_that_only_another_export_and_a_person_filled(
    rows: RowDeployment,
) -> None:
    rows.run(person(1))
    run_other(rows, person(1, Town="Oslo"))
    run = rows.run(person(1, FirstName="Changed"))
    rows.deployment.clock.forward(3_600)
    rows.deployment.audience.add("p1@example.com", merge_fields={"CITY": "By hand"})

    rows.deployment.undo(run)

    assert rows.values(1) == {"FNAME": "P1", "CITY": "By hand"}


def test_an_undo_does_not_convert_a_value_that_another_export_writes_in_another_way(
    rows: RowDeployment,
) -> None:
    exports = rows.deployment.app.exports
    other = exports.read(_OTHER)
    (town,) = other.value.mapping.attributes
    mapping = replace(other.value.mapping, attributes=(replace(town, date_order="dayFirst"),))
    exports.replace(_OTHER, replace(other.value, mapping=mapping), other.etag)
    rows.run(person(1))
    run_other(rows, person(1, Town="Oslo"))
    run = rows.run(person(1, City="Seoul", FirstName="Changed"))

    undo = rows.deployment.undo(run)

    assert rows.values(1) == {"FNAME": "P1", "CITY": "Seoul"}
    assert codes(undo) == {"undoFilledByOthers": {"people": "1"}}


def test_an_undo_restores_values_beside_an_export_whose_ledger_was_deleted(
    rows: RowDeployment,
) -> None:
    rows.run(person(1, City="Rome"))
    run_other(rows, person(1))
    run = rows.run(person(1, City="Seoul"))
    app = rows.deployment.app
    app.files.delete(app.ledgers.read(_OTHER).value.blob)

    undo = rows.deployment.undo(run)

    assert undo.status is RunStatus.SUCCESSFUL
    assert rows.values(1)["CITY"] == "Rome"


def test_an_undo_does_not_archive_people_of_another_export_whose_tag_was_deleted(
    rows: RowDeployment,
) -> None:
    run = rows.run(*(person(number) for number in range(3)))
    run_other(rows, person(1))
    audience = rows.deployment.audience
    tag = next(one for one in audience.state.segments.values() if one.name == "Others")
    with audience.state.lock:
        audience.state.drop_segment(tag, 0)
    assert rows.tags(1) == {"People"}

    undo = rows.deployment.undo(run, archive_created=True)

    assert [rows.status(number) for number in range(3)] == ["archived", "subscribed", "archived"]
    assert codes(undo) == {"undoOthersToo": {"people": "1"}}
    assert run_other(rows, person(1)).counts.updated == 1
    assert rows.tags(1) == {"Others"}


def test_an_undo_archives_people_who_left_the_segment_of_another_export(
    rows: RowDeployment,
) -> None:
    run = rows.run(*(person(number) for number in range(6)))
    run_other(rows, *(person(number) for number in range(1, 6)))
    assert run_other(rows, *(person(number) for number in range(2, 6))).counts.removed == 1

    rows.deployment.undo(run, archive_created=True)

    assert [rows.status(number) for number in range(3)] == ["archived", "archived", "subscribed"]
