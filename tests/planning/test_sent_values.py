"""A value is emptied in Mailchimp only if this export sent it, also when the mapping changes and in an undo."""

from __future__ import annotations

import pytest

from shared.model.export import Mapping, OnWithdrawal
from shared.model.run import Mode
from tests.faults.simulated_deployment import NewDeployment
from tests.planning.row_deployment import RowDeployment, codes, person


@pytest.fixture
def rows(new_deployment: NewDeployment) -> RowDeployment:
    made = RowDeployment(
        new_deployment(), columns=("CustomerId", "EMail", "FirstName", "Consent", "City")
    )
    made.define(mapping=Mapping("EMail", "City"))
    return made


def values(rows: RowDeployment, field: str) -> list[object]:
    members = rows.deployment.audience.members()
    return [members[f"p{n}@example.com"].merge_fields.get(field, "") for n in range(3)]


def type_by_hand(rows: RowDeployment, **fields: str) -> None:
    for n in range(3):
        rows.deployment.audience.add(f"p{n}@example.com", merge_fields=fields)


def test_a_value_in_a_field_that_was_not_mapped_before_is_not_emptied(rows: RowDeployment) -> None:
    rows.run(person(0, City=""), person(1, City="Ulm"), person(2, City="Bonn"))
    assert values(rows, "FNAME") == ["", "Ulm", "Bonn"]
    type_by_hand(rows, LNAME="typed")

    # The values of person 0 are the same as before, in another field.
    rows.change(mapping=Mapping("EMail", None, "City"))
    rows.run(person(0, City=""), person(1, City=""), person(2, City="Bonn"))
    assert values(rows, "LNAME") == ["typed", "typed", "Bonn"]
    rows.deployment.run(Mode.FULL)
    assert values(rows, "LNAME") == ["typed", "typed", "Bonn"]

    # A value that was sent in this field is emptied; the field of the old mapping is not touched.
    rows.run(person(0, City=""), person(1, City=""), person(2, City=""))
    assert values(rows, "LNAME") == ["typed", "typed", ""]
    assert values(rows, "FNAME") == ["", "Ulm", "Bonn"]


def test_a_field_that_is_mapped_again_is_not_emptied(rows: RowDeployment) -> None:
    rows.run(person(0, City=""), person(1, City="Ulm"), person(2, City="Bonn"))
    rows.change(mapping=Mapping("EMail", None, "City"))
    rows.run(person(0, City=""), person(1, City="Ulm"), person(2, City="Bonn"))
    type_by_hand(rows, FNAME="typed since")

    rows.change(mapping=Mapping("EMail", "City"))
    rows.run(person(0, City=""), person(1, City=""), person(2, City="Bonn"))

    assert values(rows, "FNAME") == ["typed since", "typed since", "Bonn"]


def test_an_undo_restores_no_tag_of_a_person_who_withdrew_consent(rows: RowDeployment) -> None:
    rows.define(on_withdrawal=OnWithdrawal.REMOVE_TAGS)
    rows.run(person(0), person(1), person(2))
    run = rows.run(person(0, "no"), person(1, FirstName="New"), person(2))
    assert rows.tags(0) == frozenset()

    undone = rows.deployment.undo(run)

    assert values(rows, "FNAME")[1] == "P1"
    assert rows.tags(0) == frozenset()
    assert codes(undone)["undoConsentWithdrawn"] == {"people": "1"}
    # The next run still knows the withdrawal.
    again = rows.run(person(0, "no"), person(1), person(2))
    assert rows.tags(0) == frozenset()
    assert rows.outcomes(again)["p0@example.com"][0] == "kept"


def test_an_undo_restores_no_tag_of_a_former_address_of_a_person_who_withdrew_consent(
    rows: RowDeployment,
) -> None:
    rows.define(on_withdrawal=OnWithdrawal.REMOVE_TAGS)
    rows.run(person(0), person(1), person(2))
    # Person 0 has the address of person 3 now.
    run = rows.run(person(0, EMail="p3@example.com"), person(2))
    assert rows.tags(0) == rows.tags(1) == frozenset()
    rows.preview(person(0, "no", EMail="p3@example.com"), person(2))

    undone = rows.deployment.undo(run)

    assert rows.tags(0) == frozenset()
    assert rows.tags(1) == {"People"}
    assert codes(undone)["undoConsentWithdrawn"] == {"people": "1"}
