"""What is left when an export or a connection is removed, in the middle of a run or between runs."""

import time
from collections.abc import Callable

import pytest

from sandbox.mailchimp.faults import Fault
from tests.e2e.running_app import Place, audience_as_is, audience_to_be
from tests.e2e.stored_data import blobs, house_of


def test_a_removed_export_leaves_no_ledger_and_its_tags_are_free(place: Place) -> None:
    sample = place.sample(40)
    place.refresh(sample)
    place.define(sample)
    run = place.run()
    house = house_of(place.house.storage)
    export_id = place.export["id"]
    assert blobs(place.house.storage, "state", f"ledgers/{export_id}/")

    place.portal.call("DELETE", f"/api/exports/{export_id}")

    assert blobs(place.house.storage, "state", f"ledgers/{export_id}/") == {}
    assert house.ledgers.read(export_id) is None
    assert house.active_runs.read(export_id) is None
    assert [o for o in house.tag_owners.all() if o.value.export_id == export_id] == []
    assert audience_as_is(place.audience) == audience_to_be(sample)
    assert len(place.outcomes(run)) == 40  # until the retention is over

    place.define(sample)
    waits = place.run()
    assert waits["reason"]["code"] == "tagExists"  # whoever made the tag, it has members
    after = place.wait(place.portal.post(f"/api/runs/{waits['id']}/confirm"))
    assert after["status"] == "completedWithWarnings"
    assert after["counts"]["updated"] == 40
    assert audience_as_is(place.audience) == audience_to_be(sample)


def test_an_export_that_vanishes_during_its_run_ends_it_and_leaves_nothing(place: Place) -> None:
    sample = place.sample(1200)
    place.refresh(sample)
    place.define(sample)
    house = house_of(place.house.storage)
    export_id = place.export["id"]
    place.house.box.arm(Fault("hang", "POST", r"^/lists/\w+$", times=None, seconds=1.0, skip=1))
    started = place.start()
    while not place.audience.statuses():
        time.sleep(0.01)

    house.exports.delete(export_id)  # a removal that did not see the run start
    assert house.leftovers.clear(export_id) is False
    run = place.wait(started)
    house.leftovers.sweep()

    assert run["status"] == "canceled"
    assert run["counts"]["created"] == len(place.audience.members())
    assert blobs(place.house.storage, "state", f"ledgers/{export_id}/") == {}
    assert house.ledgers.read(export_id) is None
    assert house.active_runs.read(export_id) is None


def test_a_run_that_waits_for_a_yes_ends_with_its_export(place: Place) -> None:
    sample = place.sample(300)
    place.refresh(sample)
    place.define(sample)
    place.run()
    place.refresh(sample.later(leaving=200))
    waiting = place.run()
    assert waiting["status"] == "awaitingConfirmation"

    place.portal.call("DELETE", f"/api/exports/{place.export['id']}")

    after = place.portal.get(f"/api/runs/{waiting['id']}")
    assert after["status"] == "canceled"
    assert after["reason"]["code"] == "exportRemoved"


def test_a_connection_that_vanishes_during_a_run_ends_it_with_a_clear_reason(
    new_place: Callable[..., Place],
) -> None:
    box = new_place().house.box
    place = new_place(account=box.world.add_account("Vanished"))
    sample = place.sample(2000)
    place.refresh(sample)
    place.define(sample)
    house = house_of(place.house.storage)
    box.arm(Fault("hang", "POST", r"^/lists/\w+$", times=None, seconds=0.7, skip=1))
    started = place.start()
    while not place.audience.statuses():
        time.sleep(0.01)

    stored = house.connections.read(place.connection)
    assert stored is not None
    place.portal.call("DELETE", f"/api/connections/{place.connection}/mailchimp")
    house.connections.delete(place.connection)
    run = place.wait(started)

    assert run["status"] in ("failed", "completedWithWarnings")
    there = place.audience.members()
    assert run["counts"]["created"] == len(there)
    assert run["counts"]["created"] + run["counts"]["notSent"] == 2000
    if run["status"] == "failed":
        assert run["reason"]["code"] == "disconnected"
    ledger = house.ledgers.read(place.export["id"])
    assert ledger is not None
    assert ledger.value.people == len(there)


@pytest.mark.parametrize("mode", ["export", "preview"])
def test_a_run_without_its_connection_says_so(new_place: Callable[..., Place], mode: str) -> None:
    box = new_place().house.box
    place = new_place(account=box.world.add_account(f"Gone {mode}"))
    sample = place.sample(10)
    place.refresh(sample)
    place.define(sample)
    house_of(place.house.storage).connections.delete(place.connection)

    run = place.run(mode)

    assert run["status"] == "failed"
    assert run["reason"]["code"] == "connectionNotFound"
    assert place.audience.members() == {}


def test_an_export_that_is_edited_during_its_run_follows_its_plan_and_then_the_edit(
    place: Place,
) -> None:
    sample = place.sample(1200, 0.6, 0.6)
    place.refresh(sample)
    first, second = (segment.name for segment in sample.segments)
    place.define([first])
    place.house.box.arm(Fault("hang", "POST", r"^/lists/\w+$", times=None, seconds=0.7, skip=1))
    started = place.start()
    while not place.audience.statuses():
        time.sleep(0.01)

    edited = place.portal.get(f"/api/exports/{place.export['id']}")
    edited["segments"] = [{"name": first}, {"name": second}]
    edited["mapping"]["attributes"] = []
    place.portal.call("PUT", f"/api/exports/{place.export['id']}", edited)
    place.house.box.disarm()
    run = place.wait(started)

    expected = audience_to_be(sample)
    ours = {address: one for address, one in expected.items() if first in one.tags}
    assert run["status"] == "successful"
    assert set(place.audience.members()) == set(ours)
    assert set(place.audience.tags()) == {first}
    assert all("POINTS" in dict(one.fields) for one in audience_as_is(place.audience).values())

    place.run()
    assert {a: m.tags for a, m in place.audience.members().items()} == {
        a: one.tags for a, one in expected.items() if one.tags
    }
