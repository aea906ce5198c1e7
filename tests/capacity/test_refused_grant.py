"""A person who waits does not wait once for each audience if Mailchimp refuses the grant."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import pytest

from shared.errors import Conflict
from shared.request_time import request_time
from tests.faults.conftest import clock, mailchimp, new_deployment
from tests.faults.simulated_deployment import CONNECTION, EXPORT, NewDeployment, SimulatedDeployment
from tests.planning.row_deployment import RowDeployment

__all__ = ["clock", "mailchimp", "new_deployment"]


def _search(deployment: SimulatedDeployment) -> None:
    assert {one.in_audience for one in deployment.app.search.find("a@example.com")} == {"unknown"}


def _erase(deployment: SimulatedDeployment) -> None:
    with suppress(Conflict):
        deployment.app.eraser.erase("a@example.com", True, "Ada")


def _delete_webhooks(deployment: SimulatedDeployment) -> None:
    deployment.app.consent_updates.delete_webhooks(CONNECTION)


@pytest.mark.parametrize("work", [_search, _erase, _delete_webhooks])
def test_a_person_does_not_wait_for_each_audience_if_mailchimp_refuses_the_grant(
    work: Callable[[SimulatedDeployment], None],
    new_deployment: NewDeployment,
) -> None:
    deployment = new_deployment()
    RowDeployment(deployment).define()
    stored = deployment.app.exports.read(EXPORT)
    assert stored is not None
    for number in range(9):
        other = replace(stored.value, id=f"other{number}", audience_id=f"a{number}")
        deployment.app.exports.create(other.id, other)
    deployment.app.consent_updates.request_due()
    deployment.sandbox.revoke()
    began = deployment.clock.seconds()
    with request_time(deployment.clock.seconds):
        work(deployment)
    assert 0 < deployment.clock.seconds() - began < 10
