"""A run that is stopped while chunks wait is finished when no lane can claim one of them any more."""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.model.export import NewContacts
from shared.model.run import Run, RunStatus
from shared.sending.run_checks import VALID_SECONDS
from tests.faults.simulated_deployment import CHUNK, NewDeployment
from tests.planning.row_deployment import RowDeployment, person


def test_a_canceled_run_is_finished_after_every_lane_has_read_that_it_is_canceled(
    new_deployment: NewDeployment,
) -> None:
    rows = RowDeployment(new_deployment())
    rows.define(new_contacts=NewContacts())
    app, clock = rows.deployment.app, rows.deployment.clock
    canceled: list[datetime] = []

    def cancel(run: Run) -> None:
        # A lane of another process may have read the run just before.
        canceled.append(clock.now())
        app.commands.cancel(run.id)

    rows.while_sending(cancel)
    run = rows.run(*(person(number) for number in range(30 * CHUNK)))

    assert run.status is RunStatus.CANCELED
    assert run.counts.not_sent
    assert run.finished_at is not None
    assert run.finished_at - canceled[0] > timedelta(seconds=VALID_SECONDS)
