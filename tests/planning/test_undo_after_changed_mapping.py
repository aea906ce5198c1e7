"""An undo of a run with another mapping restores the values of the fields that both mappings have."""

from __future__ import annotations

import pytest

from shared.model.export import AttributeMapping, FieldToCreate, Mapping
from shared.model.names import plan_blob
from shared.model.run import RunStatus
from tests.faults.simulated_deployment import NewDeployment
from tests.planning.row_deployment import RowDeployment, codes, person
from tests.planning.test_one_person import send

_COLUMNS = ("CustomerId", "EMail", "FirstName", "Consent", "City", "Born", "BirthDate")
_NAMES = Mapping("EMail", "FirstName")
_WITH_CITY = Mapping(
    "EMail", "FirstName", attributes=(AttributeMapping("City", "CITY", FieldToCreate("City")),)
)


def _with_date(attribute: str, order: str) -> Mapping:
    date = AttributeMapping(attribute, "BORN", FieldToCreate("Born", "date"), date_order=order)
    return Mapping("EMail", "FirstName", attributes=(date,))


@pytest.fixture
def rows(new_deployment: NewDeployment) -> RowDeployment:
    return RowDeployment(new_deployment(), columns=_COLUMNS)


def test_an_undo_reads_a_date_as_the_attribute_writes_it_that_was_mapped_before(
    rows: RowDeployment,
) -> None:
    rows.define(mapping=_with_date("Born", "dayFirst"))
    rows.run(person(1, Born="05/06/1980"))
    before = rows.values(1)
    assert before["BORN"] == "1980-06-05"
    rows.change(mapping=_with_date("BirthDate", "monthFirst"))
    run = rows.run(person(1, BirthDate="01/02/1990"))
    assert rows.values(1)["BORN"] == "1990-01-02"

    undo = rows.deployment.undo(run)

    assert rows.values(1) == before
    assert undo.status is RunStatus.SUCCESSFUL


@pytest.mark.parametrize("content", [None, b"{"], ids=["deleted", "damaged"])
def test_an_undo_leaves_values_alone_if_it_is_not_known_how_they_were_written(
    rows: RowDeployment, content: bytes | None
) -> None:
    blobs = rows.deployment.store.blobs
    rows.define(mapping=_with_date("Born", "dayFirst"))
    first = rows.run(person(1, Born="05/06/1980"))
    rows.change(mapping=_with_date("BirthDate", "monthFirst"))
    run = rows.run(person(1, BirthDate="01/02/1990"))
    del blobs[plan_blob(first.id)]
    if content is not None:
        blobs[plan_blob(first.id)] = content

    undo = rows.deployment.undo(run)

    assert rows.values(1)["BORN"] == "1990-01-02"
    assert codes(undo) == {"undoValuesUnknown": {"people": "1"}, "undoNothing": {}}


def test_an_undo_leaves_values_alone_that_the_run_before_did_not_send_with_its_own_mapping(
    rows: RowDeployment,
) -> None:
    rows.define(mapping=_with_date("Born", "dayFirst"))
    rows.run(*(person(number, Born="05/06/1980") for number in (1, 2)))
    rows.change(mapping=_with_date("BirthDate", "monthFirst"))
    send(rows, *(person(number, BirthDate="05/06/1980") for number in (1, 2)), number=2)
    run = rows.run(*(person(number, BirthDate="01/02/1990") for number in (1, 2)))

    undo = rows.deployment.undo(run)

    assert [rows.values(number)["BORN"] for number in (1, 2)] == ["1990-01-02", "1980-05-06"]
    assert codes(undo) == {"undoValuesUnknown": {"people": "1"}}


def test_an_undo_restores_values_of_an_unchanged_mapping_although_the_earlier_plan_was_deleted(
    rows: RowDeployment,
) -> None:
    rows.define(mapping=_with_date("Born", "dayFirst"))
    first = rows.run(person(1, Born="05/06/1980"))
    before = rows.values(1)
    run = rows.run(person(1, Born="01/02/1990", FirstName="New"))
    del rows.deployment.store.blobs[plan_blob(first.id)]

    undo = rows.deployment.undo(run)

    assert rows.values(1) == before
    assert codes(undo) == {}


def test_an_undo_restores_the_other_values_if_the_run_sent_a_new_field(rows: RowDeployment) -> None:
    rows.define(mapping=_NAMES)
    rows.run(person(1), person(2))
    rows.change(mapping=_WITH_CITY)
    run = rows.run(*(person(n, City="Rome", FirstName="New") for n in (1, 2)))

    undo = rows.deployment.undo(run)

    assert [rows.values(n) for n in (1, 2)] == [{"FNAME": f"P{n}", "CITY": "Rome"} for n in (1, 2)]
    assert codes(undo) == {"undoValuesUnknown": {"people": "2"}}
    # The export still knows the values that stay, so the next run can empty them.
    rows.run(person(1, City="Oslo"), person(2))
    assert [rows.values(n) for n in (1, 2)] == [{"FNAME": "P1", "CITY": "Oslo"}, {"FNAME": "P2"}]


def test_an_undo_leaves_fields_alone_that_the_run_did_not_send(rows: RowDeployment) -> None:
    rows.define(mapping=_WITH_CITY)
    rows.run(*(person(n, City="Rome") for n in (1, 2)))
    rows.change(mapping=_NAMES)
    run = rows.run(*(person(n, FirstName="New") for n in (1, 2)))
    rows.deployment.clock.forward(3_600)
    rows.deployment.audience.add("p1@example.com", merge_fields={"CITY": "By hand"})

    undo = rows.deployment.undo(run)

    assert rows.values(1) == {"FNAME": "P1", "CITY": "By hand"}
    assert rows.values(2) == {"FNAME": "P2", "CITY": "Rome"}
    assert undo.status is RunStatus.SUCCESSFUL


def test_an_undo_sends_one_value_to_a_field_that_had_another_attribute_than_the_name(
    rows: RowDeployment,
) -> None:
    rows.define(mapping=Mapping("EMail", attributes=(AttributeMapping("City", "FNAME"),)))
    rows.run(person(1, City="Rome" * 100))
    before = rows.values(1)
    rows.change(mapping=_NAMES)
    run = rows.run(person(1))
    assert rows.values(1) == {"FNAME": "P1"}

    undo = rows.deployment.undo(run)

    assert rows.values(1) == before
    assert codes(undo) == {"valuesCut": {"field": "FNAME", "people": "1"}}


def test_an_undo_restores_values_if_a_run_with_another_mapping_was_stopped_before(
    rows: RowDeployment,
) -> None:
    rows.define(mapping=_NAMES)
    everyone = [person(number) for number in range(20)]
    rows.run(*everyone)
    rows.change(mapping=_WITH_CITY)
    canceled = rows.after_first_batch(
        lambda: [
            rows.deployment.app.commands.cancel(stored.value.id)
            for stored in rows.deployment.app.runs.all()
            if stored.value.is_active
        ]
    )
    assert rows.run(*everyone).status is RunStatus.CANCELED
    assert canceled
    rows.change(mapping=_NAMES)
    run = rows.run(*(person(number, FirstName="New") for number in range(20)))

    undo = rows.deployment.undo(run)

    # For the people whom the stopped run sent, the ledger has values of another mapping. The undo does not restore these.
    restored = [number for number in range(20) if rows.values(number)["FNAME"] != "New"]
    assert restored
    assert codes(undo) == {"undoValuesUnknown": {"people": str(20 - len(restored))}}
