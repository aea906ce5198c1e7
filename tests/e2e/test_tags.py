"""Tags: given, taken, found renamed or gone, healed; only our own are ever touched."""

from collections.abc import Callable

import pytest

from devhost.api_client import PortalError
from sandbox import samples
from sandbox.mailchimp.state import Segment
from sandbox.samples import Sample
from tests.e2e.running_app import (
    CHANGE_TAG,
    SUBSCRIBE,
    House,
    Place,
    audience_as_is,
    audience_to_be,
    held,
    writes,
)


def addresses(sample: Sample) -> list[str]:
    return [expected.address for expected in samples.truth(sample)]


def codes(run: dict) -> list[str]:
    return [finding["code"] for finding in run["findings"]]


def exported(place: Place, sample: Sample, **more: object) -> dict:
    """The sample exported once, without a fault."""
    place.refresh(sample)
    place.define(sample, **more)
    run = place.run()
    assert run["status"] == "successful", run
    return run


def hand_of(place: Place, name: str) -> int:
    """The id of a tag, as somebody at Mailchimp's own pages sees it."""
    return place.audience.state.names[name.casefold()]


def test_leavers_lose_the_tag_and_nothing_else(place: Place) -> None:
    sample = place.sample(200)
    exported(place, sample)
    leaver, unsubscribed = addresses(sample)[:2]
    place.audience.add(leaver, tags=["VIP"], merge_fields={"PHONE": "1"})
    place.audience.unsubscribe(unsubscribed)
    later = sample.later(leaving=2)
    place.refresh(later)

    with place.calls() as calls:
        run = place.run()

    assert writes(calls) == {CHANGE_TAG: 1}
    assert run["counts"]["removed"] == 2
    assert run["status"] == "successful"
    before = audience_to_be(sample)
    now = audience_as_is(place.audience)
    fields = dict(before[leaver].fields) | {"PHONE": "1"}
    assert now.pop(leaver) == held("subscribed", fields, {"VIP"})
    assert now.pop(unsubscribed) == held("unsubscribed", dict(before[unsubscribed].fields), ())
    assert now == audience_to_be(later)
    assert {row["email"] for row in place.outcomes(run, "removed")} == {leaver, unsubscribed}


def test_leavers_keep_the_tag_when_the_export_says_so(place: Place) -> None:
    sample = place.sample(50)
    exported(place, sample, leavers="keepTag")
    place.refresh(sample.later(leaving=10))

    with place.calls() as calls:
        run = place.run()

    assert writes(calls) == {}
    assert run["counts"]["removed"] == 0
    assert audience_as_is(place.audience) == audience_to_be(sample)


def test_a_tag_made_by_hand_is_taken_over_only_after_a_yes(place: Place) -> None:
    sample = place.sample(40)
    name = sample.segments[0].name
    place.audience.add("friend@example.com", tags=[name.upper()])
    place.refresh(sample)
    place.define(sample)

    with place.calls() as calls:
        run = place.run()
    assert run["status"] == "awaitingConfirmation"
    assert run["reason"]["code"] == "tagExists"
    assert writes(calls) == {}
    assert len(place.audience.members()) == 1

    after = place.wait(place.portal.post(f"/api/runs/{run['id']}/confirm"))

    assert after["id"] == run["id"]
    assert after["status"] == "completedWithWarnings"
    assert "tagTakenOver" in codes(after)
    assert after["counts"]["created"] == 40
    now = audience_as_is(place.audience)
    assert now.pop("friend@example.com") == held("subscribed", {}, ())
    assert now == {
        a: held("subscribed", dict(h.fields), {name.upper()})
        for a, h in audience_to_be(sample).items()
    }
    assert codes(place.run()) == []


def test_a_tag_of_another_export_is_refused(new_place: Callable[..., Place]) -> None:
    one, other = new_place(), new_place()
    other.audience = one.audience
    sample = one.sample(20)
    exported(one, sample)
    other.refresh(other.sample(20))

    with pytest.raises(PortalError) as refused:
        other.define([])
    assert refused.value.status == 400
    segments = [{"name": other.named("A"), "tag": sample.segments[0].name.lower()}]
    with pytest.raises(PortalError) as refused:
        other.define(segments)
    assert refused.value.status in (400, 409)


@pytest.mark.parametrize("mode", ["preview", "export"])
def test_a_tag_with_the_name_of_a_saved_segment_is_refused_by_name(place: Place, mode: str) -> None:
    sample = place.sample(20)
    place.refresh(sample)
    name = sample.segments[0].name
    saved = Segment(9_000, name.upper(), "saved", 0, 0, conditions={})
    place.audience.state.segments[saved.id] = saved
    place.audience.state.names[name.casefold()] = saved.id
    place.define(sample)

    run = place.run(mode=mode)

    assert (run["status"], run["reason"]["code"]) == ("failed", "tagNameOfSegment")
    assert name in run["reason"]["message"]
    assert audience_as_is(place.audience) == {}


def test_a_renamed_tag_gets_its_name_back(place: Place) -> None:
    sample = place.sample(60)
    exported(place, sample)
    name = sample.segments[0].name
    house_tag = place.audience.state.segments[hand_of(place, name)]
    with place.audience.state.lock:
        del place.audience.state.names[name.casefold()]
        house_tag.name = "Somebody's idea"
        place.audience.state.names["somebody's idea"] = house_tag.id

    run = place.run()

    assert codes(run) == ["tagRenamedBack"]
    assert run["counts"]["unchanged"] == 60
    assert audience_as_is(place.audience) == audience_to_be(sample)
    assert codes(place.run()) == []


def test_a_deleted_tag_is_made_again_and_given_to_everybody(place: Place) -> None:
    sample = place.sample(700, 1.0, 0.5)
    exported(place, sample)
    name = sample.segments[0].name
    tag = place.audience.state.segments[hand_of(place, name)]
    with place.audience.state.lock:
        place.audience.state.drop_segment(tag, 1)

    with place.calls() as calls:
        run = place.run()

    assert run["status"] == "completedWithWarnings", run
    assert codes(run) == ["tagRecreated"]
    assert audience_as_is(place.audience) == audience_to_be(sample)
    assert run["counts"]["removed"] == 0
    assert calls[SUBSCRIBE] == 2
    again = place.run()
    assert codes(again) == []
    assert again["calls"]["write"] == 0
    assert again["counts"]["unchanged"] == 700


def test_a_tag_taken_away_by_hand_is_given_again(place: Place) -> None:
    sample = place.sample(300)
    exported(place, sample)
    state = place.audience.state
    for address in addresses(sample)[:5]:
        with state.lock:
            state.set_tags(state.find(address), set(), 1)
    place.audience.add("extra@example.com", tags=[sample.segments[0].name])

    with place.calls() as calls:
        run = place.run()

    assert codes(run) == ["tagRepaired"]
    assert run["status"] == "successful"
    assert writes(calls) == {CHANGE_TAG: 2}
    now = audience_as_is(place.audience)
    assert now.pop("extra@example.com") == held("subscribed", {}, ())
    assert now == audience_to_be(sample)


def test_a_full_run_heals_what_people_changed_by_hand(place: Place) -> None:
    sample = place.sample(120)
    exported(place, sample)
    changed, archived, forgotten, untagged = addresses(sample)[:4]
    place.audience.add(changed, merge_fields={"FNAME": "Wrong", "CITY": "", "POINTS": 1})
    place.audience.add(archived, status="archived")
    place.audience.forget(forgotten)
    state = place.audience.state
    with state.lock:
        state.set_tags(state.find(untagged), set(), 1)

    run = place.run("full")

    expected = audience_to_be(sample)
    now = audience_as_is(place.audience)
    assert forgotten not in now
    assert now.pop(archived).status == "archived"
    assert now == {a: e for a, e in expected.items() if a not in (archived, forgotten)}
    outcomes = {row["email"]: (row["outcome"], row["code"]) for row in place.outcomes(run)}
    assert outcomes[changed] == ("updated", "")
    assert outcomes[archived] == ("kept", "archived")
    assert outcomes[forgotten] == ("rejected", "forgotten")

    # Who was deleted for good is remembered; the next run does not try.
    with place.calls() as calls:
        again = place.run()
    assert writes(calls) == {}
    assert codes(again) == []


def test_someone_deleted_in_mailchimp_is_found_and_asked_about_once(place: Place) -> None:
    sample = place.sample(80)
    exported(place, sample)
    forgotten = addresses(sample)[0]
    place.audience.forget(forgotten)

    found, asked, quiet = place.run(), place.run(), place.run()

    assert codes(found) == ["tagCountDiffers"]
    assert asked["counts"]["new"] == asked["counts"]["rejected"] == 1
    assert [row["code"] for row in place.outcomes(asked, "rejected")] == ["forgotten"]
    assert quiet["calls"]["write"] == 0
    assert codes(quiet) == []
    assert forgotten not in place.audience.members()


def test_two_exports_keep_their_own_tags_in_one_audience(
    new_place: Callable[..., Place], house: House
) -> None:
    one, other = new_place(), new_place()
    other.audience = one.audience
    sample = one.sample(100, 1.0, 0.5)
    one.refresh(sample)
    one.define([sample.segments[0].name])
    other.define([sample.segments[1].name])

    one.run()
    other.run()

    assert audience_as_is(one.audience) == audience_to_be(sample)
    with one.calls() as calls:
        one.run()
        other.run()
    assert writes(calls) == {}


def test_a_segment_taken_out_of_an_export_takes_its_tag_along_after_a_yes(place: Place) -> None:
    sample = place.sample(100, 1.0, 0.5)
    exported(place, sample)
    kept, dropped = (segment.name for segment in sample.segments)
    export = place.portal.get(f"/api/exports/{place.export['id']}")
    body = {
        key: export[key]
        for key in ("displayName", "connectionId", "audienceId", "mapping", "newContacts",
                    "leavers", "removalGuard", "schedule")
    }  # fmt: skip
    place.portal.call("PUT", f"/api/exports/{export['id']}", body | {"segments": [{"name": kept}]})

    run = place.run()
    assert run["reason"]["code"] == "removalGuard"
    run = place.wait(place.portal.post(f"/api/runs/{run['id']}/confirm"))

    assert run["status"] == "successful"
    assert place.audience.tags() == {kept: 100, dropped: 0}
