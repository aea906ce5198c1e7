"""A preview and a run name the classic automations that they may start."""

from __future__ import annotations

from sandbox.mailchimp.faults import Fault
from shared.model.run import Run
from tests.planning.row_deployment import RowDeployment, person


def named(run: Run) -> dict[str, tuple[str, str]]:
    return {
        finding.code: (finding.severity, finding.values.get("automations", ""))
        for finding in run.findings
        if finding.code.startswith("automations")
    }


def test_automations_that_the_run_may_start_are_named_before_it_writes(rows: RowDeployment) -> None:
    sandbox, audience = rows.deployment.sandbox, rows.deployment.audience
    none = rows.preview(person(0))
    for number in range(12):
        sandbox.automation(audience, f"Cart {number}", "abandonedCart")
    sandbox.automation(audience, "Welcome")
    sandbox.automation(audience, "Draft", status="save")
    sandbox.automation(sandbox.audience("Other"), "Elsewhere")
    sandbox.automation(audience, "Birthday", "specialEvent")
    sandbox.automation(audience, "Tagged", "tagAdded")

    seen = rows.preview(person(0))
    first = rows.run(person(0))
    second = rows.run(person(0), person(1))
    changed = rows.run(person(0, FirstName="Ada"), person(1))
    calls = sandbox.calls.count("GET", "/automations")
    unchanged = rows.run(person(0, FirstName="Ada"), person(1))

    every = "“Welcome”, “Birthday”, “Tagged”"
    assert named(none) == {"automationsNone": ("info", "")}
    assert named(seen) == named(first) == {"automationsMayStart": ("warning", every)}
    assert named(second) == {"automationsMayStart": ("info", every)}
    assert named(changed) == {"automationsMayStart": ("info", "“Birthday”")}
    assert named(unchanged) == {}
    assert sandbox.calls.count("GET", "/automations") == calls


def test_a_run_continues_when_automations_cannot_be_read(rows: RowDeployment) -> None:
    rows.deployment.sandbox.arm(Fault("500", "GET", "/automations", times=None))
    run = rows.run(person(0))
    assert named(run) == {"automationsUnread": ("info", "")}
    assert run.counts.created == 1
