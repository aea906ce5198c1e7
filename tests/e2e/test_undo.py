"""A run taken back: the audience and the ledger are as they were, as far as that can be known."""

import time

import pytest

from devhost.api_client import PortalError
from sandbox.mailchimp.faults import Fault
from tests.e2e.running_app import Held, Place, audience_as_is, audience_to_be, held, writes
from tests.e2e.stored_data import house_of


def take_back(place: Place, run: dict, **body: bool) -> dict:
    return place.wait(place.portal.post(f"/api/runs/{run['id']}/undo", body))


def without_tags(one: Held) -> Held:
    return held(one.status, dict(one.fields), ())


def codes(run: dict) -> dict[str, str]:
    return {finding["code"]: finding["message"] for finding in run["findings"]}


def test_tags_and_values_are_as_they_were_before_the_run(place: Place) -> None:
    sample = place.sample(700, 0.8, 0.5)
    place.refresh(sample)
    place.define(sample)
    place.run()
    before = audience_as_is(place.audience)
    later = sample.later(leaving=60, arriving=40, changed=0.2)
    place.refresh(later)
    run = place.run()
    assert run["counts"]["removed"] > 10
    created = audience_as_is(place.audience).keys() - before.keys()
    assert created

    with place.calls() as calls:
        undone = take_back(place, run)

    assert undone["undoOf"] == run["id"]
    assert undone["status"] == "successful"
    after = audience_as_is(place.audience)
    for address in created:
        assert after.pop(address) == without_tags(audience_to_be(later)[address])
    assert after == before
    assert codes(undone)["undoCreatedStay"].startswith(str(len(created)))
    assert undone["consentProof"]["statusesChanged"] == 0
    assert sum(writes(calls).values()) < 12
    assert len(place.outcomes(undone, "updated")) == undone["counts"]["updated"]

    # The ledger says the same: the next run sends exactly what the undone one had sent.
    again = place.run()
    assert audience_as_is(place.audience) == audience_to_be(later) | {
        a: without_tags(before[a]) for a in before.keys() - audience_to_be(later).keys()
    }
    assert again["counts"]["removed"] == run["counts"]["removed"]
    assert again["counts"]["updated"] == run["counts"]["updated"] + len(created)
    assert again["counts"]["created"] == 0


def test_people_whom_the_run_created_are_archived_only_when_asked(place: Place) -> None:
    sample = place.sample(120)
    expected = audience_to_be(sample)
    known = sorted(expected)[:5]
    for address in known:
        place.audience.add(address, merge_fields={"FNAME": "Before"})
    place.refresh(sample)
    place.define(sample)
    run = place.run()
    assert (run["counts"]["created"], run["counts"]["updated"]) == (115, 5)
    place.audience.unsubscribe(sorted(expected)[-1])

    undone = take_back(place, run, archiveCreated=True)

    after = place.audience.members()
    assert {a for a, m in after.items() if m.status == "archived"} == set(sorted(expected)[5:-1])
    assert after[sorted(expected)[-1]].status == "unsubscribed"
    for address in known:  # they were there before us, and nobody knows with which values
        assert after[address].status == "subscribed"
        assert after[address].tags == frozenset()
    said = codes(undone)
    assert said["undoValuesUnknown"].startswith("5 ")
    assert said["undoCreatedStay"].startswith("1 ")
    assert undone["counts"]["removed"] == 120


def test_only_the_newest_run_that_sent_something_can_be_undone(place: Place) -> None:
    sample = place.sample(30)
    place.refresh(sample)
    place.define(sample)
    first = place.run()
    idle = place.run()
    assert idle["counts"]["unchanged"] == 30

    def refused(run: dict) -> str:
        with pytest.raises(PortalError) as no:
            place.portal.post(f"/api/runs/{run['id']}/undo")
        assert no.value.status == 409
        return no.value.problem["detail"]

    assert "sent nothing" in refused(idle)
    preview = place.run("preview")
    assert "sent nothing" in refused(preview)

    undone = take_back(place, first)  # the idle run in between has changed nothing

    assert undone["status"] == "successful"
    assert place.audience.tags() == {place.named("A"): 0}
    assert "newer one" in refused(first)
    assert "undo itself" in refused(undone)
    house = house_of(place.house.storage)
    third = place.run()
    house.files.delete(f"runs/{third['id']}/outcomes.parquet")
    assert "not kept" in refused(third)


def test_an_undo_during_another_run_is_refused(place: Place) -> None:
    sample = place.sample(30)
    place.refresh(sample)
    place.define(sample)
    run = place.run()
    place.house.box.arm(Fault("hang", "GET", r".*", times=None, seconds=0.5))
    going = place.start("full")

    with pytest.raises(PortalError) as no:
        place.portal.post(f"/api/runs/{run['id']}/undo")

    assert no.value.status == 409
    place.house.box.disarm()
    place.wait(going)


def test_an_undo_can_be_canceled_and_says_truthfully_what_it_did(place: Place) -> None:
    sample = place.sample(1500)
    place.refresh(sample)
    place.define(sample)
    place.run()
    before = audience_as_is(place.audience)
    later = sample.later(changed=1.0)
    place.refresh(later)
    run = place.run()
    changed = audience_as_is(place.audience)
    assert changed != before
    place.house.box.arm(Fault("hang", "POST", r"^/lists/\w+$", times=None, seconds=1.0, skip=1))
    started = place.portal.post(f"/api/runs/{run['id']}/undo")
    while audience_as_is(place.audience) == changed:
        time.sleep(0.02)

    place.portal.post(f"/api/runs/{started['id']}/cancel")
    undone = place.wait(started)
    place.house.box.disarm()

    assert undone["status"] == "canceled"
    restored = {a for a, one in audience_as_is(place.audience).items() if one == before[a]}
    assert undone["counts"]["updated"] <= len(restored)
    assert {row["email"] for row in place.outcomes(undone, "updated")} <= restored
    place.run()
    assert audience_as_is(place.audience) == audience_to_be(later)
