"""Exports that share an audience, a segment, a tag or a moment."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from devhost.api_client import ApiClient, ApiError
from sandbox.samples import Sample
from tests.e2e.running_app import (
    MAPPING,
    ExportScenario,
    actual_audience,
    codes,
    contact_state,
    expected_audience,
)
from tests.held_calls import SUBSCRIBE_PATH, held_calls
from tests.waiting import until

# More calls than connections.
PEOPLE = 900
NewPlace = Callable[..., ExportScenario]


def edit(scenario: ExportScenario, **changes: Any) -> dict[str, Any]:
    export = scenario.api.get(f"/api/exports/{scenario.export['id']}")
    return scenario.api.call("PUT", f"/api/exports/{export['id']}", export | changes).json()


def side_by_side(new_scenario: NewPlace) -> tuple[ExportScenario, ExportScenario, Sample]:
    """Two scenarios with one audience, and a sample with a segment for each."""
    one, other = new_scenario(), new_scenario()
    other.audience = one.audience
    sample = one.sample(240, 0.8, 0.7)
    one.refresh(sample)
    return one, other, sample


@pytest.mark.hosted
def test_two_simultaneous_exports_write_both_tags_and_all_fields(
    new_scenario: NewPlace,
) -> None:
    one, other, sample = side_by_side(new_scenario)
    first, second = (segment.name for segment in sample.segments)
    names = {key: MAPPING[key] for key in ("email", "firstName", "lastName")}
    others = {"email": "EMail", "attributes": MAPPING["attributes"]}
    one.define([first], mapping=names)
    other.define([second], mapping=others)

    # Each has a call under way before the first one is answered.
    with held_calls(one.running_app.sandbox) as held:
        runs = [one.start()]
        held.until_waiting()
        runs.append(other.start())
        until(lambda: other.api.get(f"/api/runs/{runs[1]['id']}")["status"] == "sending")
    ended = [scenario.wait(run) for scenario, run in zip((one, other), runs, strict=True)]

    assert [run["status"] for run in ended] == ["successful", "successful"]
    expected = {}
    for address, person in expected_audience(sample).items():
        fields = {
            tag: value
            for tag, value in person.fields
            if (tag in ("FNAME", "LNAME") and first in person.tags)
            or (tag not in ("FNAME", "LNAME") and second in person.tags)
        }
        if person.tags:
            expected[address] = contact_state(person.status, fields, person.tags)
    assert actual_audience(one.audience) == expected
    assert sum(run["counts"]["created"] for run in ended) == len(expected)
    assert one.run()["calls"]["write"] == other.run()["calls"]["write"] == 0


def test_a_released_tag_stays_with_its_new_owner(
    new_scenario: NewPlace,
) -> None:
    one, other, sample = side_by_side(new_scenario)
    first, second = (segment.name for segment in sample.segments)
    one.define([first, second], removalGuard={"maxShare": 1.0})
    one.run()
    edit(one, segments=[{"name": first}])
    other.define([second])
    waits = other.run()
    assert waits["reason"]["code"] == "tagExists"
    other.wait(other.api.post(f"/api/runs/{waits['id']}/confirm"))

    run = one.run()

    assert run["status"] == "successful"
    assert run["counts"]["removed"] == 0
    assert actual_audience(one.audience) == expected_audience(sample)
    assert other.run()["calls"]["write"] == 0


def test_removing_the_owner_of_a_tag_lets_another_export_take_it_after_confirmation(
    new_scenario: NewPlace,
) -> None:
    one, other, sample = side_by_side(new_scenario)
    first, second = (segment.name for segment in sample.segments)
    one.define([first])
    one.run()
    with pytest.raises(ApiError) as refused:
        other.define([{"name": second, "tag": first}])
    assert refused.value.status == 409
    assert one.export["displayName"] in refused.value.problem["detail"]
    one.api.call("DELETE", f"/api/exports/{one.export['id']}")
    other.define([{"name": second, "tag": first}])

    waits = other.run()
    assert waits["reason"]["code"] == "tagExists"
    after = other.wait(other.api.post(f"/api/runs/{waits['id']}/confirm"))

    assert "tagTakenOver" in codes(after)
    expected = expected_audience(sample)
    assert tagged(other, first) == {a for a, person in expected.items() if second in person.tags}


def delete_tag(scenario: ExportScenario) -> None:
    """Delete the only tag of the audience in Mailchimp."""
    (tag,) = scenario.audience.state.segments
    scenario.delete_in_mailchimp(f"/segments/{tag}")


def tagged(scenario: ExportScenario, tag: str) -> set[str]:
    """The addresses of the contacts with a tag."""
    return {a for a, member in scenario.audience.members().items() if tag in member.tags}


def in_the_middle(
    scenario: ExportScenario, sample: Sample, happens: Callable[[], object]
) -> dict[str, Any]:
    """Run something in the middle of a run, when a part of the people has been sent."""
    scenario.refresh(sample)
    if not scenario.export:
        scenario.define(sample)
    with held_calls(scenario.running_app.sandbox, skip=1) as held:
        started = scenario.start()
        until(scenario.audience.statuses)
        held.until_waiting()
        happens()
    return scenario.wait(started)


def test_a_tag_deleted_during_a_run_is_reported_and_created_by_the_next_run(
    scenario: ExportScenario,
) -> None:
    sample = scenario.sample(600)

    run = in_the_middle(scenario, sample, lambda: delete_tag(scenario))

    assert run["status"] == "completedWithWarnings"
    assert "tagGone" in codes(run)
    # People who were added after that have brought a tag of that name along.
    after = scenario.run()
    assert "tagReplaced" in codes(after)
    assert actual_audience(scenario.audience) == expected_audience(sample)
    assert after["counts"]["created"] == 0
    assert scenario.run()["calls"]["write"] == 0


def test_a_tag_deleted_during_a_run_is_taken_over_although_people_leave(
    scenario: ExportScenario,
) -> None:
    sample = scenario.sample(600)
    tag = sample.segments[0].name
    scenario.refresh(sample)
    scenario.define(sample, removalGuard={"maxShare": 1.0})
    in_the_middle(scenario, sample, lambda: delete_tag(scenario))
    later = sample.later(leaving=300)
    stay = set(expected_audience(later))
    assert not tagged(scenario, tag) <= stay, "nobody with the new tag leaves the segment"
    scenario.refresh(later)

    after = scenario.run()

    assert "tagReplaced" in codes(after)
    assert tagged(scenario, tag) == stay


def test_a_tag_deleted_during_a_run_is_not_taken_over_if_others_have_it_afterwards(
    scenario: ExportScenario,
) -> None:
    sample = scenario.sample(600)

    def happens() -> None:
        delete_tag(scenario)
        scenario.audience.add("other@example.com", tags=[sample.segments[0].name])

    in_the_middle(scenario, sample, happens)

    waits = scenario.run()
    assert waits["reason"]["code"] == "tagExists"
    scenario.wait(scenario.api.post(f"/api/runs/{waits['id']}/confirm"))
    assert scenario.audience.members().pop("other@example.com").tags == set()


def test_a_tag_renamed_during_a_run_is_reported(scenario: ExportScenario) -> None:
    sample = scenario.sample(600)

    def happens() -> None:
        state = scenario.audience.state
        with state.lock:
            (tag,) = state.segments.values()
            state.names["other"] = state.names.pop(tag.name.casefold())
            tag.name = "Other"

    run = in_the_middle(scenario, sample, happens)

    assert run["status"] == "completedWithWarnings"
    assert "tagRenamed" in codes(run)


def test_an_audience_deleted_during_a_run_ends_it_with_a_reason(new_scenario: NewPlace) -> None:
    sandbox = new_scenario().running_app.sandbox
    account = sandbox.world.add_account("Loses an audience")
    scenario = new_scenario(account=account)
    sample = scenario.sample(PEOPLE)

    run = in_the_middle(scenario, sample, lambda: account.audiences.pop(scenario.audience.id))

    assert run["status"] == "failed"
    assert run["reason"]["code"] == "audienceNotFound"
    assert run["counts"]["created"] + run["counts"]["notSent"] == PEOPLE
    assert {row["code"] for row in scenario.outcomes(run, "notSent")} == {"runStopped"}
    korean = scenario.api.call(
        "GET", f"/api/runs/{run['id']}", headers={"Accept-Language": "ko"}
    ).json()
    assert korean["reason"]["message"] != run["reason"]["message"]
    assert scenario.run()["reason"]["code"] == "audienceNotFound"


def test_a_connection_or_audience_changed_during_a_run_is_used_from_the_next_run(
    new_scenario: NewPlace,
) -> None:
    scenario = new_scenario()
    elsewhere = new_scenario(account=scenario.running_app.sandbox.world.add_account("Swapped to"))
    sample = scenario.sample(600)
    moved = {"connectionId": elsewhere.connection, "audienceId": elsewhere.audience.id}

    run = in_the_middle(scenario, sample, lambda: edit(scenario, **moved))

    assert run["status"] == "successful"
    assert actual_audience(scenario.audience) == expected_audience(sample)
    assert elsewhere.audience.members() == {}
    scenario.run()
    assert actual_audience(elsewhere.audience) == expected_audience(sample)
    assert actual_audience(scenario.audience) == expected_audience(sample)


def test_a_lost_connection_stops_the_run_without_losing_changes(
    new_scenario: NewPlace,
) -> None:
    sandbox = new_scenario().running_app.sandbox
    scenario = new_scenario(account=sandbox.world.add_account("Disconnected by hand"))
    sample = scenario.sample(PEOPLE)

    run = in_the_middle(
        scenario,
        sample,
        lambda: scenario.api.call("DELETE", f"/api/connections/{scenario.connection}/mailchimp"),
    )

    # The key itself still works: it is the app that stops, with the calls that are on their way.
    assert run["status"] == "failed"
    assert run["reason"]["code"] == "disconnected"
    there = scenario.audience.members()
    assert len(there) < PEOPLE
    assert run["counts"]["created"] == len(there)
    assert run["counts"]["created"] + run["counts"]["notSent"] == PEOPLE
    assert {row["code"] for row in scenario.outcomes(run, "notSent")} == {"disconnected"}
    assert scenario.run()["status"] == "failed"
    assert len(scenario.audience.members()) == len(there)


@pytest.mark.parametrize(
    "held_call", [("GET", "^/lists/"), ("POST", SUBSCRIBE_PATH, 1)], ids=["planning", "sending"]
)
def test_a_key_that_is_replaced_during_a_run_does_not_stop_the_run(
    new_scenario: NewPlace, held_call: tuple[Any, ...]
) -> None:
    sandbox = new_scenario().running_app.sandbox
    account = sandbox.world.add_account("Replaced key")
    scenario = new_scenario(account=account)
    sample = scenario.define_sample(PEOPLE)
    (old,) = account.keys

    with held_calls(sandbox, *held_call) as held:
        started = scenario.start()
        held.until_waiting()
        new = sandbox.world.add_key(account)
        path = f"/api/connections/{scenario.connection}/mailchimp/api-key"
        scenario.api.call("PUT", path, {"apiKey": new})
        account.keys.remove(old)
        sandbox.world.keys.pop(old)
    run = scenario.wait(started)

    assert run["status"] == "successful"
    assert actual_audience(scenario.audience) == expected_audience(sample)
    connection = scenario.api.get(f"/api/connections/{scenario.connection}")
    assert connection["status"] == "connected"


def test_an_export_with_an_active_run_cannot_be_removed(scenario: ExportScenario) -> None:
    sample = scenario.sample(300)
    refused: list[ApiError] = []

    def happens() -> None:
        with pytest.raises(ApiError) as no:
            scenario.api.call(
                "DELETE",
                f"/api/exports/{scenario.export['id']}",
                headers={"Accept-Language": "ko"},
            )
        refused.append(no.value)

    run = in_the_middle(scenario, sample, happens)

    assert refused[0].status == 409
    assert "취소" in refused[0].problem["detail"]
    assert run["status"] == "successful"
    assert actual_audience(scenario.audience) == expected_audience(sample)


@pytest.mark.hosted
def test_of_many_simultaneous_saves_with_one_tag_at_most_one_succeeds(
    scenario: ExportScenario,
) -> None:
    name = scenario.named("Wanted")

    def save(number: int) -> int:
        try:
            ApiClient(scenario.api.url).define(
                displayName=f"Wants {number}",
                connectionId=scenario.connection,
                audienceId=scenario.audience.id,
                mapping={"email": "EMail"},
                segments=[{"name": f"S{number}", "tag": name.upper() if number % 2 else name}],
                schedule={"enabled": False},
            )
        except ApiError as refused:
            assert refused.problem["errors"][0]["field"] == "segments[0].tag"  # noqa: PT017
            return refused.status
        return 201

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(save, range(8)))

    assert set(answers) <= {201, 409}
    owners = [
        export
        for export in scenario.api.get("/api/exports")["value"]
        if any((s["tag"] or "").casefold() == name.casefold() for s in export["segments"])
    ]
    assert len(owners) == answers.count(201) <= 1
