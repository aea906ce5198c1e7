"""A preview forecasts the duration of a run from the measured speed of the account."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from shared.model.export import NewContacts
from tests.faults.simulated_deployment import NewDeployment
from tests.planning.row_deployment import RowDeployment, codes, person


def test_the_forecast_uses_the_speed_of_the_last_large_run(new_deployment: NewDeployment) -> None:
    rows = RowDeployment(new_deployment())
    rows.define(new_contacts=NewContacts())
    people = [person(number) for number in range(1_000)]

    assert "expected" not in codes(rows.preview(*people))

    def call(ask: Callable[[], Any]) -> Any:
        rows.deployment.clock.forward(1)
        return ask()

    rows.deployment.call = call  # type: ignore[method-assign]
    run = rows.run(*people)
    assert run.sending_at
    assert run.moved_at
    seconds = (run.moved_at - run.sending_at).total_seconds()
    changed = [{**row, "FirstName": "New"} for row in people]
    forecast = codes(rows.preview(*changed))["expected"]

    # The simulated deployment sends seven people a call, and a call takes at least one second.
    assert seconds >= 1_000 // 7
    assert int(forecast["speed"]) == round(1_000 / seconds)
    assert int(forecast["minutes"]) == math.ceil(1_000 / round(1_000 / seconds, 1) / 60)


def test_a_preview_that_changes_nothing_has_no_forecast(new_deployment: NewDeployment) -> None:
    rows = RowDeployment(new_deployment())
    rows.define(new_contacts=NewContacts())
    people = [person(number) for number in range(3)]
    assert "expectedCalls" in codes(rows.preview(*people))
    rows.run(*people)
    assert not {"expected", "expectedCalls"} & set(codes(rows.preview(*people)))
