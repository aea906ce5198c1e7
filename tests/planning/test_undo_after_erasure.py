"""An erasure removes one person from what an undo reads. The others get back what they had."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.model.export import NewContacts
from shared.model.run import Run
from tests.planning.row_deployment import RowDeployment, person
from tests.planning.test_undo_without_earlier_ledger import (
    delete_ledger,
    export_to_another_audience_and_back,
)


def run_that_takes_over_a_tag(rows: RowDeployment) -> Run:
    rows.define(new_contacts=NewContacts())
    for number in (1, 2, 4):
        rows.deployment.audience.add(f"P{number}@Example.com", tags=["People"])
    return rows.confirm(rows.run(person(1), person(3)))


def run_after_export_to_another_audience(rows: RowDeployment) -> Run:
    rows.run(person(1), person(2), person(4))
    export_to_another_audience_and_back(rows)
    return rows.run(person(1), person(3))


def run_after_loss_of_ledger(rows: RowDeployment) -> Run:
    rows.run(person(1), person(2), person(4))
    delete_ledger(rows)
    return rows.run(person(1), person(3))


@pytest.mark.parametrize(
    "run_without_ledger",
    [run_that_takes_over_a_tag, run_after_export_to_another_audience, run_after_loss_of_ledger],
)
def test_others_keep_tags_that_they_had_before_a_run_without_a_ledger(
    rows: RowDeployment, run_without_ledger: Callable[[RowDeployment], Run]
) -> None:
    run = run_without_ledger(rows)
    assert [rows.tags(n) for n in (1, 2, 3, 4)] == [{"People"}, set(), {"People"}, set()]

    rows.deployment.app.eraser.erase("p4@example.com", False, "Kim")
    rows.deployment.undo(run)

    assert [rows.tags(n) for n in (1, 2, 3, 4)] == [{"People"}, {"People"}, set(), set()]
    assert not stored_with(rows, "p4@example.com")


def stored_with(rows: RowDeployment, address: str) -> list[str]:
    """The Parquet files that contain an address."""
    read = rows.deployment._table
    blobs = rows.deployment.store.blobs
    return [
        name
        for name, data in blobs.items()
        if name.endswith(".parquet") and address in repr(read(data, "*"))
    ]
