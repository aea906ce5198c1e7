"""An undo reverts what its run did, but not what others changed since."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from devhost.api_client import ApiError
from tests.e2e.running_app import (
    ExportScenario,
    actual_audience,
    contact_state,
    expected_audience,
    texts,
)
from tests.e2e.test_undo import start_undo
from tests.held_calls import held_calls


def test_values_edited_since_the_run_are_kept_and_reported(scenario: ExportScenario) -> None:
    sample = scenario.define_sample(60)
    scenario.run()
    before = actual_audience(scenario.audience)
    scenario.refresh(sample.later(changed=1.0))
    run = scenario.run()
    edited, untouched, *rest = sorted(before)
    scenario.audience.add(edited, merge_fields={"CITY": "By hand"})
    as_edited = actual_audience(scenario.audience)[edited]
    # Not edited: a newer time of change alone does not prevent the undo.
    scenario.audience.add(untouched)

    undone = start_undo(scenario, run)

    after = actual_audience(scenario.audience)
    assert after[edited] == as_edited
    assert {a: after[a] for a in (untouched, *rest)} == {a: before[a] for a in (untouched, *rest)}
    assert texts(undone)["undoEditedSince"].startswith("1 person ")
    assert undone["status"] == "completedWithWarnings"


def test_a_person_with_a_tag_of_another_export_is_not_archived(
    new_scenario: Callable[..., ExportScenario],
) -> None:
    one, other = new_scenario(), new_scenario()
    other.audience = one.audience
    sample = one.sample(50, 1.0, 0.4)
    one.refresh(sample)
    first, second = (segment.name for segment in sample.segments)
    one.define([first])
    other.define([second])
    run = one.run()
    other.run()
    expected = expected_audience(sample)
    shared = {address for address, person in expected.items() if second in person.tags}
    friend = sorted(expected.keys() - shared)[0]
    one.audience.add(friend, tags=["VIP"])

    undone = start_undo(one, run, archiveCreated=True)

    after = one.audience.members()
    alone = expected.keys() - shared - {friend}
    assert {a for a, member in after.items() if member.status == "archived"} == alone
    assert all(after[a].tags == {second} for a in shared)
    assert after[friend].tags == {"VIP"}
    assert texts(undone)["undoOthersToo"].startswith(f"{len(shared) + 1} people")
    again = other.run()
    assert again["findings"] == []
    assert again["counts"]["unchanged"] == len(shared)


def test_an_undo_of_a_canceled_run_reverts_what_was_sent(scenario: ExportScenario) -> None:
    scenario.define_sample(800)
    run = scenario.start_and_cancel()
    assert run["status"] == "canceled"
    assert 0 < run["counts"]["created"] < 800

    undone = start_undo(scenario, run, archiveCreated=True)

    assert undone["status"] == "successful"
    assert scenario.audience.statuses() == {"archived": run["counts"]["created"]}
    assert scenario.audience.tags() == {scenario.named("A"): 0}


def test_an_undo_finds_a_tag_under_its_new_name(scenario: ExportScenario) -> None:
    sample = scenario.define_sample(80)
    scenario.run()
    before = actual_audience(scenario.audience)
    scenario.refresh(sample.later(leaving=10, arriving=10))
    run = scenario.run()
    left = {a for a, one in actual_audience(scenario.audience).items() if not one.tags}
    assert len(left) == 10
    state = scenario.audience.state
    (tag,) = state.segments.values()
    with state.lock:
        del state.names[tag.name.casefold()]
        tag.name = "Somebody's idea"
        state.names["somebody's idea"] = tag.id

    start_undo(scenario, run)

    after = actual_audience(scenario.audience)
    assert {a: one.tags for a, one in after.items() if a in before} == dict.fromkeys(
        before, frozenset({"Somebody's idea"})
    )
    assert scenario.audience.tags() == {"Somebody's idea": 80}


def test_a_person_who_unsubscribed_or_was_deleted_since_the_run_is_unchanged(
    scenario: ExportScenario,
) -> None:
    sample = scenario.define_sample(40)
    scenario.run()
    later = sample.later(changed=1.0)
    scenario.refresh(later)
    run = scenario.run()
    gone, deleted, *_ = sorted(expected_audience(sample))
    scenario.audience.unsubscribe(gone)
    scenario.audience.forget(deleted)
    as_left = actual_audience(scenario.audience)[gone]

    undone = start_undo(scenario, run)

    after = actual_audience(scenario.audience)
    assert after[gone] == as_left
    assert deleted not in after
    assert texts(undone)["undoNotSubscribed"].startswith("1 person ")
    (row,) = scenario.outcomes(undone, "rejected")
    assert (row["email"], row["code"]) == (deleted, "forgotten")


def test_an_undo_restores_the_values_of_the_mapping_of_the_run(
    scenario: ExportScenario,
) -> None:
    sample = scenario.define_sample(30)
    scenario.run()
    before = actual_audience(scenario.audience)
    scenario.refresh(sample.later(changed=1.0))
    run = scenario.run()
    edited = scenario.api.get(f"/api/exports/{scenario.export['id']}")
    edited["mapping"]["attributes"] = []
    edited["segments"] = [{"name": scenario.named("A"), "tag": "Another"}]
    scenario.api.call("PUT", f"/api/exports/{scenario.export['id']}", edited)

    undone = start_undo(scenario, run)

    assert undone["status"] == "successful"
    assert actual_audience(scenario.audience) == before


def test_an_undo_restores_tags_and_values_although_the_run_sent_fewer_fields(
    scenario: ExportScenario,
) -> None:
    sample = scenario.define_sample(40, 1.0, 0.5, removalGuard={"maxShare": 1.0})
    scenario.run()
    before = actual_audience(scenario.audience)
    later = sample.later(leaving=5, moving=0.3, changed=0.5)
    scenario.refresh(later)
    changed = scenario.api.get(f"/api/exports/{scenario.export['id']}")
    changed["mapping"]["attributes"] = changed["mapping"]["attributes"][:1]
    scenario.api.call("PUT", f"/api/exports/{scenario.export['id']}", changed)
    run = scenario.run()
    assert actual_audience(scenario.audience) != before

    undone = start_undo(scenario, run)

    assert actual_audience(scenario.audience) == before
    assert texts(undone) == {}
    again = scenario.run()
    expected = {a: person.tags for a, person in expected_audience(later).items()}
    members = scenario.audience.members()
    assert {a: members[a].tags for a in expected} == expected
    assert again["counts"]["sourceRows"] == run["counts"]["sourceRows"]
    assert scenario.run()["calls"]["write"] == 0


def test_an_edited_person_gets_the_tags_back_and_keeps_the_values(scenario: ExportScenario) -> None:
    sample = scenario.define_sample(20, removalGuard={"maxShare": 1.0})
    scenario.run()
    before = actual_audience(scenario.audience)
    scenario.refresh(sample.later(leaving=3))
    run = scenario.run()
    (edited, *_) = sorted(before.keys() - expected_audience(sample.later(leaving=3)).keys())
    scenario.audience.add(edited, merge_fields={"CITY": "By hand"})

    undone = start_undo(scenario, run)

    after = actual_audience(scenario.audience)
    assert after[edited].tags == before[edited].tags
    assert dict(after[edited].fields)["CITY"] == "By hand"
    assert {a: after[a] for a in after if a != edited} == {
        a: before[a] for a in after if a != edited
    }
    assert undone["counts"]["updated"] == 3


def test_an_undo_with_another_account_is_refused_with_the_reason_in_both_languages(
    new_scenario: Callable[..., ExportScenario],
) -> None:
    sandbox = new_scenario().running_app.sandbox
    scenario = new_scenario()
    scenario.define_sample(10)
    run = scenario.run()
    there = actual_audience(scenario.audience)
    elsewhere = new_scenario(account=sandbox.world.add_account("Elsewhere"))
    moved = scenario.api.get(f"/api/exports/{scenario.export['id']}")
    moved |= {"connectionId": elsewhere.connection, "audienceId": elsewhere.audience.id}
    scenario.api.call("PUT", f"/api/exports/{scenario.export['id']}", moved)

    undone = start_undo(scenario, run)

    assert undone["status"] == "failed"
    assert undone["reason"]["code"] == "undoOtherAccount"
    korean = scenario.api.call(
        "GET", f"/api/runs/{undone['id']}", headers={"Accept-Language": "ko"}
    ).json()
    assert "계정" in korean["reason"]["message"]
    assert actual_audience(scenario.audience) == there


def test_an_undo_of_a_full_run_reports_that_there_is_nothing_to_undo(
    scenario: ExportScenario,
) -> None:
    scenario.define_sample(20)
    scenario.run()
    run = scenario.run("full")
    there = actual_audience(scenario.audience)

    undone = start_undo(scenario, run)

    assert actual_audience(scenario.audience) == there
    assert "undoNothing" in texts(undone)


def test_an_undo_of_a_scheduled_export_warns_that_the_next_run_reverts_it(
    scenario: ExportScenario,
) -> None:
    scenario.define_sample(10, schedule={"enabled": True, "repeat": "everyRefresh"})
    run = scenario.run()

    undone = start_undo(scenario, run)

    assert undone["status"] == "completedWithWarnings"
    assert "undoRunsAgain" in texts(undone)
    assert scenario.audience.tags() == {scenario.named("A"): 0}


def test_a_run_whose_removals_were_declined_can_be_undone(scenario: ExportScenario) -> None:
    sample = scenario.define_sample(100)
    scenario.run()
    before = actual_audience(scenario.audience)
    scenario.refresh(sample.later(leaving=60, changed=1.0))
    run = scenario.run()
    assert run["status"] == "awaitingConfirmation"
    run = scenario.api.post(f"/api/runs/{run['id']}/cancel")

    undone = start_undo(scenario, run)

    assert undone["status"] == "successful"
    assert actual_audience(scenario.audience) == before
    assert contact_state("subscribed", {}, ()) not in before.values()


@pytest.mark.hosted
def test_two_simultaneous_undo_requests_undo_the_run_once(scenario: ExportScenario) -> None:
    scenario.define_sample(50)
    run = scenario.run()

    with held_calls(scenario.running_app.sandbox, "GET", r".*"):
        with ThreadPoolExecutor(4) as threads:
            started = list(
                threads.map(lambda _: scenario.api.post(f"/api/runs/{run['id']}/undo"), range(4))
            )
        # A request to archive people does not get the undo that keeps them.
        with pytest.raises(ApiError) as refused:
            scenario.api.post(f"/api/runs/{run['id']}/undo", {"archiveCreated": True})

    assert len({one["id"] for one in started}) == 1
    assert refused.value.status == 409
    undone = scenario.wait(started[0])
    assert undone["status"] == "successful"
    assert scenario.audience.statuses() == {"subscribed": 50}
