"""An undo leaves tags alone that another export has taken over since the run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from shared.model.export import NewContacts, SegmentChoice
from shared.model.run import RunStatus
from tests.faults.simulated_deployment import EXPORT, SimulatedDeployment
from tests.planning.row_deployment import RowDeployment, codes, person


def test_an_undo_keeps_a_tag_that_another_export_owns_now(
    new_deployment: Callable[[], SimulatedDeployment],
) -> None:
    rows = RowDeployment(new_deployment())
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
