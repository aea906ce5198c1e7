"""A preview forecasts the duration of a run from the measured speed of the account."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shared.model.export import NewContacts
from shared.model.run import Mode, Run
from tests.faults.simulated_deployment import EXPORT, SimulatedDeployment
from tests.planning.row_deployment import Row, RowDeployment, codes, person

NewDeployment = Callable[[], SimulatedDeployment]


def preview(rows: RowDeployment, *segment: Row) -> Run:
    rows.source.segments = {"People": list(segment)}
    started = rows.deployment.app.starter.start(EXPORT, mode=Mode.PREVIEW)
    return rows.deployment.run_to_end(started.id)


def test_the_forecast_uses_the_speed_of_the_last_large_run(new_deployment: NewDeployment) -> None:
    rows = RowDeployment(new_deployment())
    rows.define(new_contacts=NewContacts())
    people = [person(number) for number in range(1_000)]

    assert "expected" not in codes(preview(rows, *people))

    def call(ask: Callable[[], Any]) -> Any:
        rows.deployment.clock.forward(1)
        return ask()

    rows.deployment.call = call  # type: ignore[method-assign]
    rows.run(*people)
    changed = [{**row, "FirstName": "New"} for row in people]
    forecast = codes(preview(rows, *changed))["expected"]

    # The simulated deployment sends seven people a call, one call a second, and reads now and then.
    assert 4 <= int(forecast["speed"]) <= 7
    assert 1_000 / 7 / 60 <= int(forecast["minutes"]) <= 1_000 / 4 / 60 + 1
