"""Tags are added, removed, repaired after manual changes; tags of others are never changed."""

import unicodedata
from collections.abc import Callable

import pytest

from devhost.api_client import ApiError
from sandbox.mailchimp.state import Segment
from sandbox.samples import Sample
from tests.e2e.conftest import CHUNK_SIZE
from tests.e2e.running_app import (
    CHANGE_TAG,
    SUBSCRIBE,
    ExportScenario,
    RunningApp,
    actual_audience,
    addresses,
    codes,
    contact_state,
    expected_audience,
    writes,
)


def exported(scenario: ExportScenario, sample: Sample, **more: object) -> dict:
    """The sample exported once, without a fault."""
    scenario.refresh(sample)
    scenario.define(sample, **more)
    run = scenario.run()
    assert run["status"] == "successful", run
    return run


def tag_id(scenario: ExportScenario, name: str) -> int:
    """Return the id of a tag, read from the sandbox."""
    return scenario.audience.state.names[name.casefold()]


def test_leavers_lose_the_tag_and_nothing_else(scenario: ExportScenario) -> None:
    sample = scenario.sample(80)
    exported(scenario, sample)
    leaver, unsubscribed = addresses(sample)[:2]
    scenario.audience.add(leaver, tags=["VIP"], merge_fields={"PHONE": "1"})
    scenario.audience.unsubscribe(unsubscribed)
    later = sample.later(leaving=2)
    scenario.refresh(later)

    with scenario.calls() as calls:
        run = scenario.run()

    assert writes(calls) == {CHANGE_TAG: 1}
    assert run["counts"]["removed"] == 2
    assert run["status"] == "successful"
    before = expected_audience(sample)
    now = actual_audience(scenario.audience)
    fields = dict(before[leaver].fields) | {"PHONE": "1"}
    assert now.pop(leaver) == contact_state("subscribed", fields, {"VIP"})
    assert now.pop(unsubscribed) == contact_state(
        "unsubscribed", dict(before[unsubscribed].fields), ()
    )
    assert now == expected_audience(later)
    assert {row["email"] for row in scenario.outcomes(run, "removed")} == {leaver, unsubscribed}


def test_leavers_keep_the_tag_if_the_export_keeps_tags(scenario: ExportScenario) -> None:
    sample = scenario.sample(50)
    exported(scenario, sample, leavers="keepTag")
    scenario.refresh(sample.later(leaving=10))
    unsubscribed = addresses(sample)[0]
    scenario.audience.unsubscribe(unsubscribed)

    with scenario.calls() as calls:
        run = scenario.run()

    assert writes(calls) == {}
    assert run["counts"]["removed"] == 0
    assert codes(run) == []
    assert run["segments"][0]["inMailchimp"] == 49
    expected = expected_audience(sample)
    left = expected[unsubscribed]
    expected[unsubscribed] = contact_state("unsubscribed", dict(left.fields), left.tags)
    assert actual_audience(scenario.audience) == expected


@pytest.mark.parametrize("match_case", [False, True], ids=["any case", "matching case"])
def test_a_manually_created_tag_is_taken_over_only_after_confirmation(
    scenario: ExportScenario, match_case: bool
) -> None:
    scenario.running_app.sandbox.set(batch_tags_match_case=match_case)
    sample = scenario.sample(40)
    name = sample.segments[0].name
    scenario.audience.add("friend@example.com", tags=[name.lower()])
    scenario.refresh(sample)
    scenario.define(sample)

    with scenario.calls() as calls:
        run = scenario.run()
    assert run["status"] == "awaitingConfirmation"
    assert run["reason"]["code"] == "tagExists"
    assert f"“{name}” (1)" in run["reason"]["message"], "one subscriber may lose the tag"
    assert writes(calls) == {}
    assert len(scenario.audience.members()) == 1

    after = scenario.wait(scenario.api.post(f"/api/runs/{run['id']}/confirm"))

    assert after["id"] == run["id"]
    assert after["status"] == "completedWithWarnings"
    assert "tagTakenOver" in codes(after)
    assert after["counts"]["created"] == 40
    now = actual_audience(scenario.audience)
    assert now.pop("friend@example.com") == contact_state("subscribed", {}, ())
    assert now == {
        a: contact_state("subscribed", dict(h.fields), {name.lower()})
        for a, h in expected_audience(sample).items()
    }
    assert codes(scenario.run()) == []


@pytest.mark.parametrize("name", ["카페", "Café"])
def test_a_tag_in_decomposed_letters_is_taken_over_and_no_second_one_is_created(
    scenario: ExportScenario, name: str
) -> None:
    sample = scenario.sample(20)
    decomposed = unicodedata.normalize("NFD", name)
    scenario.audience.add("friend@example.com", tags=[decomposed])
    scenario.refresh(sample)
    scenario.define([{"name": sample.segments[0].name, "tag": name}])

    run = scenario.run()
    assert (run["status"], run["reason"]["code"]) == ("awaitingConfirmation", "tagExists")
    scenario.wait(scenario.api.post(f"/api/runs/{run['id']}/confirm"))

    assert scenario.audience.tags() == {decomposed: 20}
    with scenario.calls() as calls:
        again = scenario.run()
    assert (writes(calls), codes(again), again["status"]) == ({}, [], "successful")


def test_a_tag_of_another_export_is_refused(new_scenario: Callable[..., ExportScenario]) -> None:
    one, other = new_scenario(), new_scenario()
    other.audience = one.audience
    sample = one.sample(20)
    exported(one, sample)
    other.refresh(other.sample(20))

    with pytest.raises(ApiError) as refused:
        other.define([])
    assert refused.value.status == 400
    segments = [{"name": other.named("A"), "tag": sample.segments[0].name.lower()}]
    with pytest.raises(ApiError) as refused:
        other.define(segments)
    assert refused.value.status in (400, 409)


@pytest.mark.parametrize("mode", ["preview", "export"])
def test_a_tag_with_the_name_of_a_saved_segment_is_refused(
    scenario: ExportScenario, mode: str
) -> None:
    sample = scenario.define_sample(20)
    name = sample.segments[0].name
    saved = Segment(9_000, name.upper(), "saved", 0, 0, conditions={})
    scenario.audience.state.segments[saved.id] = saved
    scenario.audience.state.names[name.casefold()] = saved.id

    run = scenario.run(mode=mode)

    assert (run["status"], run["reason"]["code"]) == ("failed", "tagNameOfSegment")
    assert name in run["reason"]["message"]
    assert actual_audience(scenario.audience) == {}


def test_a_renamed_tag_is_renamed_back(scenario: ExportScenario) -> None:
    sample = scenario.sample(60)
    exported(scenario, sample)
    name = sample.segments[0].name
    other_tag = scenario.audience.state.segments[tag_id(scenario, name)]
    with scenario.audience.state.lock:
        del scenario.audience.state.names[name.casefold()]
        other_tag.name = "Somebody's idea"
        scenario.audience.state.names["somebody's idea"] = other_tag.id

    run = scenario.run()

    assert codes(run) == ["tagRenamedBack"]
    assert run["counts"]["unchanged"] == 60
    assert actual_audience(scenario.audience) == expected_audience(sample)
    assert codes(scenario.run()) == []


def test_a_deleted_tag_is_created_again_and_added_to_all_members(scenario: ExportScenario) -> None:
    sample = scenario.sample(140, 1.0, 0.5)
    exported(scenario, sample)
    name = sample.segments[0].name
    tag = scenario.audience.state.segments[tag_id(scenario, name)]
    with scenario.audience.state.lock:
        scenario.audience.state.drop_segment(tag, 1)

    with scenario.calls() as calls:
        run = scenario.run()

    assert run["status"] == "completedWithWarnings", run
    assert codes(run) == ["tagRecreated"]
    assert actual_audience(scenario.audience) == expected_audience(sample)
    assert run["counts"]["removed"] == 0
    assert calls[SUBSCRIBE] == 2
    again = scenario.run()
    assert codes(again) == []
    assert again["calls"]["write"] == 0
    assert again["counts"]["unchanged"] == 140


def test_the_members_of_a_tag_are_counted_although_mailchimps_count_is_old(
    scenario: ExportScenario,
) -> None:
    scenario.running_app.sandbox.set(tag_count_cache_seconds=3600)
    sample = scenario.define_sample(60)

    first = scenario.run()
    state = scenario.audience.state
    with state.lock:
        state.set_tags(state.find(addresses(sample)[0]), set(), 1)
    scenario.audience.add("extra@example.com", tags=[sample.segments[0].name])
    repaired = scenario.run()

    assert first["status"] == repaired["status"] == "successful"
    assert "tagCountDiffers" not in codes(first)
    assert codes(repaired) == ["tagRepaired"]
    for run in (first, repaired):
        assert run["segments"][0]["inMailchimp"] == 60


def test_a_manually_removed_tag_is_added_again(scenario: ExportScenario) -> None:
    sample = scenario.sample(80)
    exported(scenario, sample)
    state = scenario.audience.state
    for address in addresses(sample)[:5]:
        with state.lock:
            state.set_tags(state.find(address), set(), 1)
    scenario.audience.add("extra@example.com", tags=[sample.segments[0].name])

    with scenario.calls() as calls:
        run = scenario.run()

    assert codes(run) == ["tagRepaired"]
    assert run["status"] == "successful"
    assert writes(calls) == {CHANGE_TAG: 2}
    now = actual_audience(scenario.audience)
    assert now.pop("extra@example.com") == contact_state("subscribed", {}, ())
    assert now == expected_audience(sample)


def test_a_tag_that_most_people_lost_and_many_others_have_is_repaired_in_several_calls(
    scenario: ExportScenario,
) -> None:
    sample = scenario.sample(2 * CHUNK_SIZE + 20)
    exported(scenario, sample)
    state = scenario.audience.state
    for address in addresses(sample)[1:]:
        with state.lock:
            state.set_tags(state.find(address), set(), 1)
    for number in range(CHUNK_SIZE + 20):
        scenario.audience.add(f"extra{number}@example.com", tags=[sample.segments[0].name])

    with scenario.calls() as calls:
        run = scenario.run()

    (finding,) = run["findings"]
    assert finding["code"] == "tagRepaired"
    lost = len(addresses(sample)) - 1
    assert f"to {lost} people and removed it from {CHUNK_SIZE + 20} people" in finding["message"]
    assert writes(calls) == {CHANGE_TAG: 3 + 2}
    now = actual_audience(scenario.audience)
    for number in range(CHUNK_SIZE + 20):
        assert now.pop(f"extra{number}@example.com").tags == frozenset()
    assert now == expected_audience(sample)


def test_a_full_run_corrects_manual_changes(scenario: ExportScenario) -> None:
    sample = scenario.sample(60)
    exported(scenario, sample)
    changed, archived, forgotten, untagged = addresses(sample)[:4]
    scenario.audience.add(changed, merge_fields={"FNAME": "Wrong", "CITY": "", "POINTS": 1})
    scenario.audience.add(archived, status="archived")
    scenario.audience.forget(forgotten)
    state = scenario.audience.state
    with state.lock:
        state.set_tags(state.find(untagged), set(), 1)

    run = scenario.run("full")

    expected = expected_audience(sample)
    now = actual_audience(scenario.audience)
    assert forgotten not in now
    assert now.pop(archived).status == "archived"
    assert now == {a: e for a, e in expected.items() if a not in (archived, forgotten)}
    outcomes = {row["email"]: (row["outcome"], row["code"]) for row in scenario.outcomes(run)}
    assert outcomes[changed] == ("updated", "")
    assert outcomes[archived] == ("kept", "archived")
    assert outcomes[forgotten] == ("rejected", "forgotten")

    # A permanently deleted person is remembered; the next run does not try again.
    with scenario.calls() as calls:
        again = scenario.run()
    assert writes(calls) == {}
    assert codes(again) == ["rejectedBefore"]


def test_a_person_deleted_in_mailchimp_is_detected_and_checked_once(
    scenario: ExportScenario,
) -> None:
    sample = scenario.sample(80)
    exported(scenario, sample)
    forgotten = addresses(sample)[0]
    scenario.audience.forget(forgotten)

    found, asked, quiet = scenario.run(), scenario.run(), scenario.run()

    assert codes(found) == ["contactsGone"]
    assert asked["counts"]["new"] == asked["counts"]["rejected"] == 1
    assert [row["code"] for row in scenario.outcomes(asked, "rejected")] == ["forgotten"]
    assert quiet["calls"]["write"] == 0
    assert codes(quiet) == ["rejectedBefore"]
    assert forgotten not in scenario.audience.members()


def test_two_exports_keep_their_own_tags_in_one_audience(
    new_scenario: Callable[..., ExportScenario], running_app: RunningApp
) -> None:
    one, other = new_scenario(), new_scenario()
    other.audience = one.audience
    sample = one.sample(100, 1.0, 0.5)
    one.refresh(sample)
    one.define([sample.segments[0].name])
    other.define([sample.segments[1].name])

    one.run()
    other.run()

    assert actual_audience(one.audience) == expected_audience(sample)
    with one.calls() as calls:
        one.run()
        other.run()
    assert writes(calls) == {}


def test_removing_a_segment_from_an_export_removes_its_tag_after_confirmation(
    scenario: ExportScenario,
) -> None:
    sample = scenario.sample(100, 1.0, 0.5)
    exported(scenario, sample)
    kept, dropped = (segment.name for segment in sample.segments)
    export = scenario.api.get(f"/api/exports/{scenario.export['id']}")
    body = {
        key: export[key]
        for key in ("displayName", "connectionId", "audienceId", "mapping", "newContacts",
                    "leavers", "removalGuard", "schedule")
    }  # fmt: skip
    scenario.api.call("PUT", f"/api/exports/{export['id']}", body | {"segments": [{"name": kept}]})

    run = scenario.run()
    assert run["reason"]["code"] == "removalGuard"
    run = scenario.wait(scenario.api.post(f"/api/runs/{run['id']}/confirm"))

    assert run["status"] == "successful"
    assert scenario.audience.tags() == {kept: 100, dropped: 0}
