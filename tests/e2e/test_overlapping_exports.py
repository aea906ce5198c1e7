"""Exports that meet: in one audience, over one segment, over one tag, at one moment."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from devhost.api_client import Portal, PortalError
from sandbox.mailchimp.faults import Fault
from sandbox.samples import Sample
from tests.e2e.running_app import MAPPING, Place, audience_as_is, audience_to_be, held

NewPlace = Callable[..., Place]


def edit(place: Place, **changes: Any) -> dict[str, Any]:
    export = place.portal.get(f"/api/exports/{place.export['id']}")
    return place.portal.call("PUT", f"/api/exports/{export['id']}", export | changes).json()


def codes(run: dict[str, Any]) -> list[str]:
    return [finding["code"] for finding in run["findings"]]


def side_by_side(new_place: NewPlace) -> tuple[Place, Place, Sample]:
    """Two places of one audience, and a sample with a segment for each."""
    one, other = new_place(), new_place()
    other.audience = one.audience
    sample = one.sample(1200, 0.8, 0.7)
    one.refresh(sample)
    return one, other, sample


def test_two_exports_at_one_time_give_everybody_both_tags_and_all_fields(
    new_place: NewPlace,
) -> None:
    one, other, sample = side_by_side(new_place)
    first, second = (segment.name for segment in sample.segments)
    names = {key: MAPPING[key] for key in ("email", "firstName", "lastName")}
    others = {"email": "EMail", "attributes": MAPPING["attributes"]}
    one.define([first], mapping=names)
    other.define([second], mapping=others)
    one.house.box.arm(Fault("hang", "POST", r"^/lists/\w+$", times=None, seconds=0.2))

    runs = [one.start(), other.start()]
    ended = [place.wait(run) for place, run in zip((one, other), runs, strict=True)]

    assert [run["status"] for run in ended] == ["successful", "successful"]
    expected = {}
    for address, person in audience_to_be(sample).items():
        fields = {
            tag: value
            for tag, value in person.fields
            if (tag in ("FNAME", "LNAME") and first in person.tags)
            or (tag not in ("FNAME", "LNAME") and second in person.tags)
        }
        if person.tags:
            expected[address] = held(person.status, fields, person.tags)
    assert audience_as_is(one.audience) == expected
    assert sum(run["counts"]["created"] for run in ended) == len(expected)
    assert one.run()["calls"]["write"] == other.run()["calls"]["write"] == 0


def test_a_tag_that_was_given_up_and_taken_over_stays_with_its_new_owner(
    new_place: NewPlace,
) -> None:
    one, other, sample = side_by_side(new_place)
    first, second = (segment.name for segment in sample.segments)
    one.define([first, second], removalGuard={"maxShare": 1.0})
    one.run()
    edit(one, segments=[{"name": first}])
    other.define([second])
    waits = other.run()
    assert waits["reason"]["code"] == "tagExists"
    other.wait(other.portal.post(f"/api/runs/{waits['id']}/confirm"))

    run = one.run()

    assert run["status"] == "successful"
    assert run["counts"]["removed"] == 0
    assert audience_as_is(one.audience) == audience_to_be(sample)
    assert other.run()["calls"]["write"] == 0


def test_the_owner_of_a_tag_is_removed_and_another_export_gets_it_after_a_yes(
    new_place: NewPlace,
) -> None:
    one, other, sample = side_by_side(new_place)
    first, second = (segment.name for segment in sample.segments)
    one.define([first])
    one.run()
    with pytest.raises(PortalError) as refused:
        other.define([{"name": second, "tag": first}])
    assert refused.value.status == 409
    assert one.export["displayName"] in refused.value.problem["detail"]
    one.portal.call("DELETE", f"/api/exports/{one.export['id']}")
    other.define([{"name": second, "tag": first}])

    waits = other.run()
    assert waits["reason"]["code"] == "tagExists"
    after = other.wait(other.portal.post(f"/api/runs/{waits['id']}/confirm"))

    assert "tagTakenOver" in codes(after)
    expected = audience_to_be(sample)
    assert {a for a, m in other.audience.members().items() if first in m.tags} == {
        a for a, person in expected.items() if second in person.tags
    }


def delete(place: Place, path: str) -> None:
    """Somebody deletes something in Mailchimp, in the middle of a run."""
    import requests

    box = place.house.box
    answer = requests.delete(f"{box.api_url}{path}", auth=("key", box.api_key), timeout=10)
    assert answer.status_code == 204, answer.text


def in_the_middle(place: Place, sample: Sample, happens: Callable[[], object]) -> dict[str, Any]:
    """A run during which something happens, when some people are there and others are not."""
    place.refresh(sample)
    if not place.export:
        place.define(sample)
    place.house.box.arm(Fault("hang", "POST", r"^/lists/\w+$", times=None, seconds=0.7, skip=1))
    started = place.start()
    while not place.audience.statuses():
        time.sleep(0.01)
    happens()
    place.house.box.disarm()
    return place.wait(started)


def test_a_tag_deleted_during_a_run_is_said_and_made_again_by_the_next(place: Place) -> None:
    sample = place.sample(3000)

    def happens() -> None:
        (tag,) = place.audience.state.segments
        delete(place, f"/lists/{place.audience.id}/segments/{tag}")

    run = in_the_middle(place, sample, happens)

    assert run["status"] == "completedWithWarnings"
    assert "tagGone" in codes(run)
    # People who were added after that have brought a tag of that name along: whose is it?
    waits = place.run()
    assert waits["reason"]["code"] == "tagExists"
    after = place.wait(place.portal.post(f"/api/runs/{waits['id']}/confirm"))
    assert audience_as_is(place.audience) == audience_to_be(sample)
    assert after["counts"]["created"] == 0
    assert place.run()["calls"]["write"] == 0


def test_an_audience_deleted_during_a_run_ends_it_with_the_reason(new_place: NewPlace) -> None:
    box = new_place().house.box
    account = box.world.add_account("Loses an audience")
    place = new_place(account=account)
    sample = place.sample(4000)

    run = in_the_middle(place, sample, lambda: account.audiences.pop(place.audience.id))

    assert run["status"] == "failed"
    assert run["reason"]["code"] == "audienceNotFound"
    assert run["counts"]["created"] + run["counts"]["notSent"] == 4000
    korean = place.portal.call(
        "GET", f"/api/runs/{run['id']}", headers={"Accept-Language": "ko"}
    ).json()
    assert korean["reason"]["message"] != run["reason"]["message"]
    assert place.run()["reason"]["code"] == "audienceNotFound"


def test_connection_and_audience_swapped_during_a_run_count_from_the_next(
    new_place: NewPlace,
) -> None:
    place = new_place()
    elsewhere = new_place(account=place.house.box.world.add_account("Swapped to"))
    sample = place.sample(3000)
    moved = {"connectionId": elsewhere.connection, "audienceId": elsewhere.audience.id}

    run = in_the_middle(place, sample, lambda: edit(place, **moved))

    assert run["status"] == "successful"
    assert audience_as_is(place.audience) == audience_to_be(sample)
    assert elsewhere.audience.members() == {}
    place.run()
    assert audience_as_is(elsewhere.audience) == audience_to_be(sample)
    assert audience_as_is(place.audience) == audience_to_be(sample)


def test_a_disconnected_connection_during_a_run_stops_it_and_loses_nothing(
    new_place: NewPlace,
) -> None:
    box = new_place().house.box
    place = new_place(account=box.world.add_account("Disconnected by hand"))
    sample = place.sample(4000)

    run = in_the_middle(
        place,
        sample,
        lambda: place.portal.call("DELETE", f"/api/connections/{place.connection}/mailchimp"),
    )

    # The key itself still works: it is the app that stops, with the calls that are on their way.
    assert run["status"] == "failed"
    assert run["reason"]["code"] == "disconnected"
    there = place.audience.members()
    assert len(there) < 4000
    assert run["counts"]["created"] == len(there)
    assert run["counts"]["created"] + run["counts"]["notSent"] == 4000
    assert {row["code"] for row in place.outcomes(run, "notSent")} == {"disconnected"}
    assert place.run()["status"] == "failed"
    assert len(place.audience.members()) == len(there)


def test_an_export_in_its_run_is_not_removed_and_says_why(place: Place) -> None:
    sample = place.sample(2000)
    refused: list[PortalError] = []

    def happens() -> None:
        with pytest.raises(PortalError) as no:
            place.portal.call(
                "DELETE",
                f"/api/exports/{place.export['id']}",
                headers={"Accept-Language": "ko"},
            )
        refused.append(no.value)

    run = in_the_middle(place, sample, happens)

    assert refused[0].status == 409
    assert "취소" in refused[0].problem["detail"]
    assert run["status"] == "successful"
    assert audience_as_is(place.audience) == audience_to_be(sample)


def test_of_many_who_save_one_tag_at_one_moment_at_most_one_has_it(place: Place) -> None:
    name = place.named("Wanted")

    def save(number: int) -> int:
        try:
            Portal(place.portal.url).define(
                displayName=f"Wants {number}",
                connectionId=place.connection,
                audienceId=place.audience.id,
                mapping={"email": "EMail"},
                segments=[{"name": f"S{number}", "tag": name.upper() if number % 2 else name}],
                schedule={"enabled": False},
            )
        except PortalError as refused:
            assert refused.problem["errors"][0]["field"] == "segments[0].tag"  # noqa: PT017
            return refused.status
        return 201

    with ThreadPoolExecutor(8) as hands:
        answers = list(hands.map(save, range(8)))

    assert set(answers) <= {201, 409}
    owners = [
        export
        for export in place.portal.get("/api/exports")["value"]
        if any((s["tag"] or "").casefold() == name.casefold() for s in export["segments"])
    ]
    assert len(owners) == answers.count(201) <= 1
