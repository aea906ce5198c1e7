"""People whose address in the segment cannot be used any more are still members of the segment."""

from __future__ import annotations

from shared.model.export import NewContacts
from tests.faults.simulated_deployment import NewDeployment
from tests.planning.row_deployment import RowDeployment, person


def test_a_member_whose_address_became_unusable_keeps_the_tag(
    new_deployment: NewDeployment,
) -> None:
    rows = RowDeployment(new_deployment())
    rows.define(new_contacts=NewContacts())
    rows.run(*(person(number) for number in range(3)))

    run = rows.run(person(0, EMail="p0 at example.com"), person(1))

    assert (run.counts.rejected, run.counts.removed) == (1, 1)
    assert [bool(rows.tags(number)) for number in range(3)] == [True, True, False]
