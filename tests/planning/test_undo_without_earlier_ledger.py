"""An undo keeps tags that people had before the run, although the ledger of the run did not know this."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.model.run import Run, RunStatus
from tests.planning.row_deployment import RowDeployment, person


def export_to_another_audience_and_back(rows: RowDeployment) -> None:
    former, other = rows.deployment.audience, rows.deployment.sandbox.audience("Other")
    rows.change(audience_id=other.id)
    rows.run(person(1), person(2))
    rows.change(audience_id=former.id)


def delete_ledger(rows: RowDeployment) -> None:
    blobs = rows.deployment.store.blobs
    for name in [name for name in blobs if name.startswith("ledgers/")]:
        del blobs[name]


@pytest.mark.parametrize("change", [export_to_another_audience_and_back, delete_ledger])
def test_an_undo_keeps_a_tag_that_people_had_before_a_run_that_compared_everyone_again(
    rows: RowDeployment, change: Callable[[RowDeployment], None]
) -> None:
    rows.run(person(1), person(2))
    change(rows)

    run = rows.run(person(1), person(3))

    assert [rows.tags(n) for n in (1, 2, 3)] == [{"People"}, set(), {"People"}]
    rows.deployment.undo(run)
    assert [rows.tags(n) for n in (1, 2, 3)] == [{"People"}, {"People"}, set()]


def test_an_undo_keeps_a_tag_that_people_had_before_a_run_that_was_canceled(
    rows: RowDeployment,
) -> None:
    people = [person(number) for number in range(20)]
    rows.run(*people)
    export_to_another_audience_and_back(rows)
    commands = rows.deployment.app.commands
    rows.while_sending(lambda run: commands.cancel(run.id))
    assert rows.run(*people).status is RunStatus.CANCELED
    rows.deployment.call = None

    run: Run = rows.run(*people[:-1])

    assert rows.tags(19) == set()
    rows.deployment.undo(run)
    assert {rows.tags(number) for number in range(20)} == {frozenset({"People"})}
