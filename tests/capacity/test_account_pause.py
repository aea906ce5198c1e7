"""If Mailchimp names a time to wait, all lanes of the account wait until then."""

from __future__ import annotations

import pytest

from sandbox.mailchimp import Fault
from shared.capacity.pace import LONGEST_ACCOUNT_PAUSE
from shared.model.run import RunStatus
from tests.faults.conftest import clock, mailchimp, new_deployment
from tests.faults.simulated_deployment import NewDeployment
from tests.planning.row_deployment import RowDeployment, person

__all__ = ["clock", "mailchimp", "new_deployment"]


@pytest.mark.parametrize(
    ("seconds", "paused"), [(60, 60), (300, 300), (5_000, LONGEST_ACCOUNT_PAUSE)]
)
def test_no_lane_makes_a_call_before_the_time_that_mailchimp_names(
    new_deployment: NewDeployment, seconds: int, paused: int
) -> None:
    deployment = new_deployment()
    rows = RowDeployment(deployment)
    rows.define()
    deployment.sandbox.calls.clear()
    deployment.sandbox.arm(Fault("429", "POST", r"^/lists/\w+$", skip=1, seconds=seconds))

    run = rows.run(*(person(number) for number in range(60)))

    assert run.status is RunStatus.SUCCESSFUL
    assert len(deployment.audience.members()) == 60
    first, throttled, after, *_ = (
        call.ended
        for call in deployment.sandbox.calls.last
        if (call.method, call.route) == ("POST", "/lists/{list_id}")
    )
    assert first <= throttled
    assert paused <= after - throttled < paused + 120
