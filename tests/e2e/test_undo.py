"""Undo restores the audience and the ledger as far as their earlier state is known."""

import pytest

from devhost.api_client import ApiError
from tests.e2e.running_app import (
    ContactState,
    ExportScenario,
    actual_audience,
    contact_state,
    expected_audience,
    texts,
    writes,
)
from tests.held_calls import held_calls
from tests.waiting import until


def start_undo(scenario: ExportScenario, run: dict, **body: bool) -> dict:
    return scenario.wait(scenario.api.post(f"/api/runs/{run['id']}/undo", body))


def without_tags(one: ContactState) -> ContactState:
    return contact_state(one.status, dict(one.fields), ())


def test_an_undo_restores_tags_and_values(scenario: ExportScenario) -> None:
    sample = scenario.define_sample(300, 0.8, 0.5)
    scenario.run()
    before = actual_audience(scenario.audience)
    later = sample.later(leaving=20, arriving=20, changed=0.2)
    scenario.refresh(later)
    run = scenario.run()
    assert run["counts"]["removed"] > 10
    created = actual_audience(scenario.audience).keys() - before.keys()
    assert created

    with scenario.calls() as calls:
        undone = start_undo(scenario, run)

    assert undone["undoOf"] == run["id"]
    assert undone["status"] == "successful"
    after = actual_audience(scenario.audience)
    for address in created:
        assert after.pop(address) == without_tags(expected_audience(later)[address])
    assert after == before
    assert texts(undone)["undoCreatedStay"].startswith(str(len(created)))
    assert undone["consentProof"]["statusesChanged"] == 0
    assert sum(writes(calls).values()) < 12
    assert len(scenario.outcomes(undone, "updated")) == undone["counts"]["updated"]

    # The ledger matches: the next run sends exactly what the undone run had sent.
    again = scenario.run()
    assert actual_audience(scenario.audience) == expected_audience(later) | {
        a: without_tags(before[a]) for a in before.keys() - expected_audience(later).keys()
    }
    assert again["counts"]["removed"] == run["counts"]["removed"]
    assert again["counts"]["updated"] == run["counts"]["updated"] + len(created)
    assert again["counts"]["created"] == 0


def test_people_created_by_the_run_are_archived_only_if_requested(scenario: ExportScenario) -> None:
    sample = scenario.sample(60)
    expected = expected_audience(sample)
    known = sorted(expected)[:5]
    for address in known:
        scenario.audience.add(address, merge_fields={"FNAME": "Before"})
    scenario.refresh(sample)
    scenario.define(sample)
    run = scenario.run()
    assert (run["counts"]["created"], run["counts"]["updated"]) == (55, 5)
    scenario.audience.unsubscribe(sorted(expected)[-1])

    undone = start_undo(scenario, run, archiveCreated=True)

    after = scenario.audience.members()
    assert {a for a, m in after.items() if m.status == "archived"} == set(sorted(expected)[5:-1])
    assert after[sorted(expected)[-1]].status == "unsubscribed"
    for address in known:  # they existed before the export, with unknown values
        assert after[address].status == "subscribed"
        assert after[address].tags == frozenset()
    messages = texts(undone)
    assert messages["undoValuesUnknown"].startswith("5 ")
    assert messages["undoCreatedStay"].startswith("1 ")
    assert undone["counts"]["removed"] == 60
    assert undone["consentProof"]["archived"] == 54
    assert undone["consentProof"]["statusesChanged"] == 0


def test_only_the_newest_run_that_sent_changes_can_be_undone(scenario: ExportScenario) -> None:
    scenario.define_sample(30)
    first = scenario.run()
    idle = scenario.run()
    assert idle["counts"]["unchanged"] == 30

    def refused(run: dict) -> str:
        with pytest.raises(ApiError) as no:
            scenario.api.post(f"/api/runs/{run['id']}/undo")
        assert no.value.status == 409
        return no.value.problem["detail"]

    assert "sent nothing" in refused(idle)
    preview = scenario.run("preview")
    assert "sent nothing" in refused(preview)

    undone = start_undo(scenario, first)  # the idle run in between has changed nothing

    assert undone["status"] == "successful"
    assert scenario.audience.tags() == {scenario.named("A"): 0}
    assert "newer run" in refused(first)
    assert "is an undo" in refused(undone)
    running_app = scenario.running_app.parts
    third = scenario.run()
    running_app.files.delete(f"runs/{third['id']}/outcomes.parquet")
    assert "no longer stores" in refused(third)


def test_an_undo_during_another_run_is_refused(scenario: ExportScenario) -> None:
    scenario.define_sample(30)
    run = scenario.run()
    with held_calls(scenario.running_app.sandbox, "GET", r".*"):
        going = scenario.start("full")
        with pytest.raises(ApiError) as no:
            scenario.api.post(f"/api/runs/{run['id']}/undo")

    assert no.value.status == 409
    scenario.wait(going)


def test_an_undo_can_be_canceled_and_reports_what_it_did(scenario: ExportScenario) -> None:
    sample = scenario.define_sample(700)
    scenario.run()
    before = actual_audience(scenario.audience)
    later = sample.later(changed=1.0)
    scenario.refresh(later)
    run = scenario.run()
    changed = actual_audience(scenario.audience)
    assert changed != before
    with held_calls(scenario.running_app.sandbox, skip=1) as held:
        started = scenario.api.post(f"/api/runs/{run['id']}/undo")
        until(lambda: actual_audience(scenario.audience) != changed)
        held.until_waiting()
        scenario.api.post(f"/api/runs/{started['id']}/cancel")
    undone = scenario.wait(started)

    assert undone["status"] == "canceled"
    restored = {a for a, one in actual_audience(scenario.audience).items() if one == before[a]}
    assert undone["counts"]["updated"] <= len(restored)
    assert {row["email"] for row in scenario.outcomes(undone, "updated")} <= restored
    scenario.run()
    assert actual_audience(scenario.audience) == expected_audience(later)
