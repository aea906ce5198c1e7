"""What people do with runs, and what stops one: guards, limits, cancel, a lost connection."""

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from devhost.api_client import PortalError
from sandbox import samples
from sandbox.mailchimp.faults import Fault
from tests.e2e.conftest import MAX_PROFILES
from tests.e2e.running_app import CHANGE_TAG, Place, audience_as_is, audience_to_be, held, writes


def test_many_starts_make_one_run(place: Place) -> None:
    sample = place.sample(1200)
    place.refresh(sample)
    place.define(sample)
    place.house.box.arm(Fault("hang", "POST", r"^/lists/\w+$", times=None, seconds=0.5))

    with ThreadPoolExecutor(8) as starters:
        runs = list(starters.map(lambda _: place.start(), range(16)))

    assert len({run["id"] for run in runs}) == 1
    run = place.wait(runs[0])
    assert run["counts"]["created"] == 1200
    listed = place.portal.get(f"/api/runs?exportId={place.export['id']}")["value"]
    assert [one["id"] for one in listed] == [run["id"]]
    assert place.start()["id"] != run["id"]


def test_too_many_people_are_skipped_before_the_first_write(place: Place) -> None:
    sample = place.sample(MAX_PROFILES + 100)
    place.refresh(sample)
    place.define(sample)

    with place.calls() as calls:
        run = place.run()

    assert run["status"] == "skipped"
    assert run["reason"]["code"] == "tooManyProfiles"
    assert f"{MAX_PROFILES + 100:,}" in run["reason"]["message"]
    assert run["counts"]["distinct"] == MAX_PROFILES + 100
    assert writes(calls) == {}


def test_a_sum_of_members_over_the_limit_is_only_a_warning(place: Place) -> None:
    sample = place.sample(MAX_PROFILES // 2 + 100, 1.0, 1.0)
    place.refresh(sample)
    place.define(sample)

    run = place.run("preview")

    assert run["status"] == "completedWithWarnings"
    assert "nearLimit" in [finding["code"] for finding in run["findings"]]


def shrunk(place: Place) -> tuple[samples.Sample, dict]:
    """An exported segment that comes back with less than half of its people, and some new ones."""
    sample = place.sample(1000)
    place.refresh(sample)
    place.define(sample)
    place.run()
    later = sample.later(leaving=600, arriving=20, changed=0.1)
    place.refresh(later)
    return later, audience_to_be(sample)


def test_a_shrunken_segment_waits_for_a_yes_and_then_loses_its_people(place: Place) -> None:
    later, before = shrunk(place)
    expected = audience_to_be(later)
    gone = before.keys() - expected.keys()

    run = place.run()

    assert run["status"] == "awaitingConfirmation"
    assert run["reason"]["code"] == "removalGuard"
    assert run["counts"]["left"] == 600
    assert run["counts"]["removed"] == 0
    assert run["counts"]["created"] == 20  # everything else is sent
    assert audience_as_is(place.audience) == expected | {a: before[a] for a in gone}
    assert {row["code"] for row in place.outcomes(run, "notSent")} == {"awaitingConfirmation"}

    with place.calls() as calls:
        after = place.wait(place.portal.post(f"/api/runs/{run['id']}/confirm"))

    assert after["id"] == run["id"]
    assert after["status"] == "successful"
    assert after["counts"]["removed"] == 600
    assert after["counts"]["created"] == 20
    assert writes(calls) == {CHANGE_TAG: 2}
    assert audience_as_is(place.audience) == expected | {
        a: held("subscribed", dict(before[a].fields), ()) for a in gone
    }
    assert Counter(row["outcome"] for row in place.outcomes(after))["removed"] == 600
    with pytest.raises(PortalError) as refused:
        place.portal.post(f"/api/runs/{run['id']}/confirm")
    assert refused.value.status == 409


def test_a_newer_run_takes_the_place_of_one_that_waits(place: Place) -> None:
    later, _ = shrunk(place)
    waiting = place.run()
    assert waiting["status"] == "awaitingConfirmation"

    back = later.later(arriving=300)
    place.refresh(back)
    newer = place.run()

    old = place.portal.get(f"/api/runs/{waiting['id']}")
    assert old["status"] == "completedWithWarnings"
    assert old["reason"]["code"] == "superseded"
    assert newer["status"] == "awaitingConfirmation"
    assert newer["counts"]["created"] == 300
    with pytest.raises(PortalError) as refused:
        place.portal.post(f"/api/runs/{waiting['id']}/confirm")
    assert refused.value.status == 409
    canceled = place.portal.post(f"/api/runs/{newer['id']}/cancel")
    assert canceled["status"] == "canceled"
    assert place.audience.tags() == {back.segments[0].name: 1320}


def test_a_canceled_run_says_truthfully_what_was_sent(place: Place) -> None:
    sample = place.sample(4000)
    place.refresh(sample)
    place.define(sample)
    slow = place.house.box.arm(
        Fault("hang", "POST", r"^/lists/\w+$", times=None, seconds=1.0, skip=3)
    )
    started = place.start()
    while place.audience.statuses() != {"subscribed": 1500}:
        time.sleep(0.01)

    place.portal.post(f"/api/runs/{started['id']}/cancel")
    run = place.wait(started)
    place.house.box.disarm()

    there = audience_as_is(place.audience)
    expected = audience_to_be(sample)
    assert slow.struck <= 5
    assert run["status"] == "canceled"
    assert there == {a: e for a, e in expected.items() if a in there}
    assert run["counts"]["created"] == len(there)
    assert run["counts"]["notSent"] == 4000 - len(there)
    unsent = place.outcomes(run, "notSent")
    assert {row["email"] for row in unsent} == expected.keys() - there.keys()
    assert {row["code"] for row in unsent} <= {"canceled"}
    with pytest.raises(PortalError) as refused:
        place.portal.post(f"/api/runs/{run['id']}/cancel")
    assert refused.value.status == 409

    after = place.run()
    assert after["counts"]["unchanged"] == len(there)
    assert after["counts"]["created"] == 4000 - len(there)
    assert audience_as_is(place.audience) == expected


def test_a_lost_connection_stops_the_run_and_loses_nothing(
    new_place: Callable[..., Place],
) -> None:
    box = new_place().house.box
    account = box.world.add_account("Revoked")
    place = new_place(account=account)
    sample = place.sample(4000)
    place.refresh(sample)
    place.define(sample)
    box.arm(Fault("hang", "POST", r"^/lists/\w+$", times=None, seconds=1.0, skip=3))
    started = place.start()
    while place.audience.statuses() != {"subscribed": 1500}:
        time.sleep(0.01)

    for key in list(account.keys):
        del box.world.keys[key]
        account.keys.discard(key)
    run = place.wait(started)

    assert run["status"] == "failed"
    assert run["reason"]["code"] == "disconnected"
    there = place.audience.members()
    assert run["counts"]["created"] == len(there)
    assert {row["code"] for row in place.outcomes(run, "notSent")} == {"disconnected"}
    connection = place.portal.get(f"/api/connections/{place.connection}")
    assert connection["status"] == "reconnect"
    again = place.run()
    assert again["status"] == "failed"
    assert place.audience.members() == there

    box.disarm()
    key = box.world.add_key(account)
    place.portal.call(
        "PUT", f"/api/connections/{place.connection}/mailchimp/api-key", {"apiKey": key}
    )
    after = place.run()

    assert after["status"] == "successful"
    assert after["counts"]["unchanged"] == len(there)
    assert after["counts"]["created"] == 4000 - len(there)
    assert audience_as_is(place.audience) == audience_to_be(sample)


def test_a_connection_lost_after_the_last_call_is_noticed_too(
    new_place: Callable[..., Place],
) -> None:
    box = new_place().house.box
    account = box.world.add_account("Revoked late")
    place = new_place(account=account)
    sample = place.sample(100, 1.0, 1.0)
    place.refresh(sample)
    place.define(sample)
    # Everybody is sent; of the two tags that are checked then, the first one takes its time.
    checking = box.arm(Fault("hang", "GET", r"/segments/\d+$", seconds=1.0))
    started = place.start()
    while not checking.struck:
        time.sleep(0.01)

    for key in list(account.keys):
        del box.world.keys[key]
    run = place.wait(started)

    assert run["status"] == "completedWithWarnings"
    assert "tagsNotChecked" in [finding["code"] for finding in run["findings"]]
    assert run["counts"]["created"] == 100
    connection = place.portal.get(f"/api/connections/{place.connection}")
    assert connection["status"] == "reconnect"


def test_an_unknown_audience_fails_before_anything_is_sent(place: Place) -> None:
    sample = place.sample(10)
    place.refresh(sample)
    place.define(sample, audienceId="0badc0ffee")

    with place.calls() as calls:
        run = place.run()

    assert run["status"] == "failed"
    assert run["reason"]["code"] == "audienceNotFound"
    assert writes(calls) == {}


def test_a_segment_that_was_never_exported_is_named(place: Place) -> None:
    place.refresh(place.sample(10))
    place.define([place.named("Nowhere")])

    run = place.run()

    assert run["status"] == "failed"
    assert run["reason"]["code"] == "segmentMissing"
    assert place.named("Nowhere") in run["reason"]["message"]


def test_a_required_field_without_an_attribute_is_found_before_the_first_write(
    place: Place,
) -> None:
    sample = place.sample(10)
    place.refresh(sample)
    next(iter(place.audience.state.merge_fields.values())).required = True
    place.define(sample, mapping={"email": "EMail"})

    with place.calls() as calls:
        run = place.run()

    assert run["status"] == "failed"
    assert run["reason"]["code"] == "requiredFieldsUnmapped"
    assert writes(calls) == {}
