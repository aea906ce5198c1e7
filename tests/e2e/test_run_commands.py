"""Commands and limits of runs: the removal guard, cancel, the limit of people, a lost connection."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from devhost.api_client import ApiError
from sandbox import samples
from tests.e2e.conftest import CHUNK_SIZE, CONNECTIONS, MAX_PROFILES
from tests.e2e.running_app import (
    CHANGE_TAG,
    ExportScenario,
    actual_audience,
    codes,
    contact_state,
    expected_audience,
    writes,
)
from tests.held_calls import held_calls
from tests.waiting import until

# More calls than connections, after the first three.
PEOPLE = 10 * CHUNK_SIZE


@pytest.mark.hosted
def test_many_simultaneous_starts_create_one_run(scenario: ExportScenario) -> None:
    scenario.define_sample(200)

    with held_calls(scenario.running_app.sandbox), ThreadPoolExecutor(8) as starters:
        runs = list(starters.map(lambda _: scenario.start(), range(16)))

    assert len({run["id"] for run in runs}) == 1
    run = scenario.wait(runs[0])
    assert run["counts"]["created"] == 200
    listed = scenario.api.get(f"/api/runs?exportId={scenario.export['id']}")["value"]
    assert [one["id"] for one in listed] == [run["id"]]
    assert scenario.start()["id"] != run["id"]


def test_too_many_people_are_skipped_before_the_first_write(scenario: ExportScenario) -> None:
    scenario.define_sample(MAX_PROFILES + 50)

    with scenario.calls() as calls:
        run = scenario.run()

    assert run["status"] == "skipped"
    assert run["reason"]["code"] == "tooManyProfiles"
    assert f"{MAX_PROFILES + 50:,}" in run["reason"]["message"]
    assert run["counts"]["distinct"] == MAX_PROFILES + 50
    assert writes(calls) == {}


def test_a_sum_of_members_over_the_limit_is_a_warning(scenario: ExportScenario) -> None:
    scenario.define_sample(MAX_PROFILES // 2 + 100, 1.0, 1.0)

    run = scenario.run("preview")

    assert run["status"] == "completedWithWarnings"
    assert "nearLimit" in codes(run)


def shrunk(scenario: ExportScenario) -> tuple[samples.Sample, dict]:
    """An exported segment that has less than half of its people after a refresh, and some new ones."""
    sample = scenario.define_sample(170)
    scenario.run()
    later = sample.later(leaving=110, arriving=20, changed=0.1)
    scenario.refresh(later)
    return later, expected_audience(sample)


def test_a_shrunken_segment_needs_confirmation_before_tags_are_removed(
    scenario: ExportScenario,
) -> None:
    later, before = shrunk(scenario)
    expected = expected_audience(later)
    gone = before.keys() - expected.keys()

    run = scenario.run()

    assert run["status"] == "awaitingConfirmation"
    assert run["reason"]["code"] == "removalGuard"
    assert run["counts"]["left"] == 110
    assert run["counts"]["removed"] == 0
    assert run["counts"]["created"] == 20  # everything else is sent
    assert actual_audience(scenario.audience) == expected | {a: before[a] for a in gone}
    assert {row["code"] for row in scenario.outcomes(run, "notSent")} == {"awaitingConfirmation"}

    with scenario.calls() as calls:
        after = scenario.wait(scenario.api.post(f"/api/runs/{run['id']}/confirm"))

    assert after["id"] == run["id"]
    assert after["status"] == "successful"
    assert after["counts"]["removed"] == 110
    assert after["counts"]["created"] == 20
    assert writes(calls) == {CHANGE_TAG: 2}
    assert actual_audience(scenario.audience) == expected | {
        a: contact_state("subscribed", dict(before[a].fields), ()) for a in gone
    }
    assert Counter(row["outcome"] for row in scenario.outcomes(after))["removed"] == 110
    with pytest.raises(ApiError) as refused:
        scenario.api.post(f"/api/runs/{run['id']}/confirm")
    assert refused.value.status == 409


def test_a_newer_run_replaces_one_that_waits(scenario: ExportScenario) -> None:
    later, _ = shrunk(scenario)
    waiting = scenario.run()
    assert waiting["status"] == "awaitingConfirmation"

    back = later.later(arriving=60)
    scenario.refresh(back)
    newer = scenario.run()

    old = scenario.api.get(f"/api/runs/{waiting['id']}")
    assert old["status"] == "completedWithWarnings"
    assert old["reason"]["code"] == "superseded"
    assert newer["status"] == "awaitingConfirmation"
    assert newer["counts"]["created"] == 60
    with pytest.raises(ApiError) as refused:
        scenario.api.post(f"/api/runs/{waiting['id']}/confirm")
    assert refused.value.status == 409
    canceled = scenario.api.post(f"/api/runs/{newer['id']}/cancel")
    assert canceled["status"] == "canceled"
    assert scenario.audience.tags() == {back.segments[0].name: 250}


def test_removals_that_a_refresh_has_corrected_are_planned_again_when_they_are_confirmed(
    scenario: ExportScenario,
) -> None:
    sample, waiting = scenario.run_awaiting_removals(170, leaving=110)
    scenario.refresh(sample)

    started = scenario.api.post(f"/api/runs/{waiting['id']}/confirm")

    ended = scenario.wait(started)
    assert started["id"] != waiting["id"]
    assert (ended["status"], ended["counts"]["removed"]) == ("successful", 0)
    assert scenario.audience.tags() == {sample.segments[0].name: 170}
    old = scenario.api.get(f"/api/runs/{waiting['id']}")
    assert (old["status"], old["reason"]["code"]) == ("completedWithWarnings", "superseded")
    with pytest.raises(ApiError) as refused:
        scenario.api.post(f"/api/runs/{waiting['id']}/confirm")
    assert refused.value.status == 409


@pytest.mark.hosted
def test_a_canceled_run_reports_what_was_sent(scenario: ExportScenario) -> None:
    sample = scenario.define_sample(PEOPLE)
    with held_calls(scenario.running_app.sandbox, skip=3) as held:
        started = scenario.start()
        until(lambda: scenario.audience.statuses() == {"subscribed": 3 * CHUNK_SIZE})
        # One call of each connection is under way.
        held.until_waiting(CONNECTIONS)
        scenario.api.post(f"/api/runs/{started['id']}/cancel")
    run = scenario.wait(started)

    there = actual_audience(scenario.audience)
    expected = expected_audience(sample)
    assert len(there) == (3 + CONNECTIONS) * CHUNK_SIZE
    assert run["status"] == "canceled"
    assert there == {a: e for a, e in expected.items() if a in there}
    assert run["counts"]["created"] == len(there)
    assert run["counts"]["notSent"] == PEOPLE - len(there)
    unsent = scenario.outcomes(run, "notSent")
    assert {row["email"] for row in unsent} == expected.keys() - there.keys()
    assert {row["code"] for row in unsent} <= {"canceled"}
    with pytest.raises(ApiError) as refused:
        scenario.api.post(f"/api/runs/{run['id']}/cancel")
    assert refused.value.status == 409

    after = scenario.run()
    assert after["counts"]["unchanged"] == len(there)
    assert after["counts"]["created"] == PEOPLE - len(there)
    assert actual_audience(scenario.audience) == expected


def test_a_lost_connection_stops_the_run_and_loses_no_changes(
    new_scenario: Callable[..., ExportScenario],
) -> None:
    sandbox = new_scenario().running_app.sandbox
    account = sandbox.world.add_account("Revoked")
    scenario = new_scenario(account=account)
    sample = scenario.define_sample(PEOPLE)
    with held_calls(sandbox, skip=3) as held:
        started = scenario.start()
        until(lambda: scenario.audience.statuses() == {"subscribed": 3 * CHUNK_SIZE})
        # One call of each connection is under way.
        held.until_waiting(CONNECTIONS)
        for key in list(account.keys):
            del sandbox.world.keys[key]
            account.keys.discard(key)
    run = scenario.wait(started)

    assert run["status"] == "failed"
    assert run["reason"]["code"] == "disconnected"
    there = scenario.audience.members()
    assert run["counts"]["created"] == len(there)
    assert {row["code"] for row in scenario.outcomes(run, "notSent")} == {"disconnected"}
    connection = scenario.api.get(f"/api/connections/{scenario.connection}")
    assert connection["status"] == "reconnect"
    again = scenario.run()
    assert again["status"] == "failed"
    assert scenario.audience.members() == there

    key = sandbox.world.add_key(account)
    scenario.api.call(
        "PUT", f"/api/connections/{scenario.connection}/mailchimp/api-key", {"apiKey": key}
    )
    after = scenario.run()

    assert after["status"] == "successful"
    assert after["counts"]["unchanged"] == len(there)
    assert after["counts"]["created"] == PEOPLE - len(there)
    assert actual_audience(scenario.audience) == expected_audience(sample)


def test_a_connection_lost_after_the_last_call_is_detected(
    new_scenario: Callable[..., ExportScenario],
) -> None:
    sandbox = new_scenario().running_app.sandbox
    account = sandbox.world.add_account("Revoked late")
    scenario = new_scenario(account=account)
    scenario.define_sample(100, 1.0, 1.0)
    # All people are sent in one call, and the next calls ask for the tags.
    with held_calls(sandbox) as held:
        started = scenario.start()
        held.until_waiting()
        for key in list(account.keys):
            del sandbox.world.keys[key]
    run = scenario.wait(started)

    assert run["status"] == "completedWithWarnings"
    assert "tagsNotChecked" in codes(run)
    assert run["counts"]["created"] == 100
    connection = scenario.api.get(f"/api/connections/{scenario.connection}")
    assert connection["status"] == "reconnect"


def test_an_unknown_audience_is_refused_at_save(scenario: ExportScenario) -> None:
    with pytest.raises(ApiError) as refused:
        scenario.define([scenario.named("A")], audienceId="0badc0ffee")
    assert refused.value.status == 400
    assert "0badc0ffee" in str(refused.value)


def test_a_segment_that_was_never_exported_is_named(scenario: ExportScenario) -> None:
    scenario.refresh(scenario.sample(10))
    scenario.define([scenario.named("Nowhere")])

    run = scenario.run()

    assert run["status"] == "failed"
    assert run["reason"]["code"] == "segmentMissing"
    assert scenario.named("Nowhere") in run["reason"]["message"]


def test_a_required_field_without_an_attribute_is_found_before_the_first_write(
    scenario: ExportScenario,
) -> None:
    sample = scenario.sample(10)
    scenario.refresh(sample)
    next(iter(scenario.audience.state.merge_fields.values())).required = True
    scenario.define(sample, mapping={"email": "EMail"})

    with scenario.calls() as calls:
        run = scenario.run()

    assert run["status"] == "failed"
    assert run["reason"]["code"] == "requiredFieldsUnmapped"
    assert writes(calls) == {}
