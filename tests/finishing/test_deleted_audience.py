"""A run whose audience is deleted while it is finished says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shared.model.run import RunStatus
from tests.planning.row_deployment import RowDeployment, codes, person


def test_an_audience_that_is_deleted_after_the_last_call_is_reported_and_not_its_tags(
    rows: RowDeployment,
) -> None:
    deployment = rows.deployment
    audiences = deployment.sandbox.account.audiences

    def call(ask: Callable[[], Any]) -> Any:
        response = ask()
        if deployment.audience.members():
            audiences.pop(deployment.audience.id, None)
        return response

    deployment.call = call
    run = rows.run(person(1), person(2))

    assert run.status is RunStatus.COMPLETED_WITH_WARNINGS
    assert run.counts.created == 2
    assert "audienceDeleted" in codes(run)
    assert "tagGone" not in codes(run)
    failed = rows.run(person(1, FirstName="Changed"), person(2))
    assert failed.reason is not None
    assert failed.reason.code == "audienceNotFound"
