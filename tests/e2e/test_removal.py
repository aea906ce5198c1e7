"""Removing an export or a connection, during a run or between runs."""

from collections.abc import Callable

import pytest

from tests.e2e.running_app import ExportScenario, actual_audience, expected_audience
from tests.held_calls import held_calls
from tests.waiting import until


def test_removing_an_export_deletes_its_ledger_and_releases_its_tags(
    scenario: ExportScenario,
) -> None:
    sample = scenario.define_sample(40)
    run = scenario.run()
    running_app = scenario.running_app.parts
    export_id = scenario.export["id"]
    assert scenario.running_app.state_blobs(f"ledgers/{export_id}/")

    scenario.api.call("DELETE", f"/api/exports/{export_id}")

    assert scenario.running_app.state_blobs(f"ledgers/{export_id}/") == {}
    assert running_app.ledgers.read(export_id) is None
    assert running_app.newest_runs.read(export_id) is None
    assert [o for o in running_app.tag_owners.all() if o.value.export_id == export_id] == []
    assert actual_audience(scenario.audience) == expected_audience(sample)
    assert len(scenario.outcomes(run)) == 40  # until the retention is over

    scenario.define(sample)
    waits = scenario.run()
    assert waits["reason"]["code"] == "tagExists"  # a tag with members, of any origin
    after = scenario.wait(scenario.api.post(f"/api/runs/{waits['id']}/confirm"))
    assert after["status"] == "completedWithWarnings"
    assert after["counts"]["updated"] == 40
    assert actual_audience(scenario.audience) == expected_audience(sample)


def test_an_export_removed_during_its_run_ends_the_run_and_leaves_nothing(
    scenario: ExportScenario,
) -> None:
    scenario.define_sample(600)
    running_app = scenario.running_app.parts
    export_id = scenario.export["id"]
    with held_calls(scenario.running_app.sandbox, skip=1):
        started = scenario.start()
        until(scenario.audience.statuses)
        running_app.exports.delete(export_id)  # a removal that did not see the run start
        assert running_app.leftovers.delete(export_id) is False
    run = scenario.wait(started)
    running_app.leftovers.sweep()

    assert run["status"] == "canceled"
    assert run["counts"]["created"] == len(scenario.audience.members())
    assert scenario.running_app.state_blobs(f"ledgers/{export_id}/") == {}
    assert running_app.ledgers.read(export_id) is None
    assert running_app.newest_runs.read(export_id) is None


def test_a_run_awaiting_confirmation_ends_with_its_export(scenario: ExportScenario) -> None:
    _, waiting = scenario.run_awaiting_removals(60, leaving=40)

    scenario.api.call("DELETE", f"/api/exports/{scenario.export['id']}")

    after = scenario.api.get(f"/api/runs/{waiting['id']}")
    assert after["status"] == "canceled"
    assert after["reason"]["code"] == "exportRemoved"


def test_removing_a_connection_during_a_run_ends_it_with_a_clear_reason(
    new_scenario: Callable[..., ExportScenario],
) -> None:
    sandbox = new_scenario().running_app.sandbox
    scenario = new_scenario(account=sandbox.world.add_account("Vanished"))
    scenario.define_sample(600)
    running_app = scenario.running_app.parts
    with held_calls(sandbox, skip=1):
        started = scenario.start()
        until(scenario.audience.statuses)
        stored = running_app.connections.read(scenario.connection)
        assert stored is not None
        scenario.api.call("DELETE", f"/api/connections/{scenario.connection}/mailchimp")
        running_app.connections.delete(scenario.connection)
    run = scenario.wait(started)

    assert run["status"] in ("failed", "completedWithWarnings")
    there = scenario.audience.members()
    assert run["counts"]["created"] == len(there)
    assert run["counts"]["created"] + run["counts"]["notSent"] == 600
    if run["status"] == "failed":
        assert run["reason"]["code"] == "disconnected"
    ledger = running_app.ledgers.read(scenario.export["id"])
    assert ledger is not None
    assert ledger.value.people == len(there)


@pytest.mark.parametrize("mode", ["export", "preview"])
def test_a_run_without_its_connection_reports_it(
    new_scenario: Callable[..., ExportScenario], mode: str
) -> None:
    sandbox = new_scenario().running_app.sandbox
    scenario = new_scenario(account=sandbox.world.add_account(f"Gone {mode}"))
    scenario.define_sample(10)
    scenario.running_app.parts.connections.delete(scenario.connection)

    run = scenario.run(mode)

    assert run["status"] == "failed"
    assert run["reason"]["code"] == "connectionNotFound"
    assert scenario.audience.members() == {}


def test_an_export_edited_during_its_run_applies_the_edit_to_the_next_run(
    scenario: ExportScenario,
) -> None:
    sample = scenario.sample(300, 0.6, 0.6)
    scenario.refresh(sample)
    first, second = (segment.name for segment in sample.segments)
    scenario.define([first])
    with held_calls(scenario.running_app.sandbox, skip=1):
        started = scenario.start()
        until(scenario.audience.statuses)
        edited = scenario.api.get(f"/api/exports/{scenario.export['id']}")
        edited["segments"] = [{"name": first}, {"name": second}]
        edited["mapping"]["attributes"] = []
        scenario.api.call("PUT", f"/api/exports/{scenario.export['id']}", edited)
    run = scenario.wait(started)

    expected = expected_audience(sample)
    ours = {address: one for address, one in expected.items() if first in one.tags}
    assert run["status"] == "successful"
    assert set(scenario.audience.members()) == set(ours)
    assert set(scenario.audience.tags()) == {first}
    assert all("POINTS" in dict(one.fields) for one in actual_audience(scenario.audience).values())

    scenario.run()
    assert {a: m.tags for a, m in scenario.audience.members().items()} == {
        a: one.tags for a, one in expected.items() if one.tags
    }
