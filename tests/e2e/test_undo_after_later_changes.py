"""An undo takes back what its run did, and nothing that others have done since."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from devhost.api_client import PortalError
from sandbox.mailchimp.faults import Fault
from tests.e2e.running_app import Place, audience_as_is, audience_to_be, held
from tests.e2e.test_undo import codes, take_back


def test_values_edited_by_hand_since_the_run_are_kept_and_said(place: Place) -> None:
    sample = place.sample(60)
    place.refresh(sample)
    place.define(sample)
    place.run()
    before = audience_as_is(place.audience)
    place.refresh(sample.later(changed=1.0))
    run = place.run()
    edited, untouched, *rest = sorted(before)
    place.audience.add(edited, merge_fields={"CITY": "By hand"})
    as_edited = audience_as_is(place.audience)[edited]
    # Looked at, but not edited: what Mailchimp says of the time alone keeps nothing from going back.
    place.audience.add(untouched)

    undone = take_back(place, run)

    after = audience_as_is(place.audience)
    assert after[edited] == as_edited
    assert {a: after[a] for a in (untouched, *rest)} == {a: before[a] for a in (untouched, *rest)}
    assert codes(undone)["undoEditedSince"].startswith("1 people")
    assert undone["status"] == "completedWithWarnings"


def test_whoever_carries_a_tag_of_another_export_by_now_is_not_archived(
    new_place: Callable[..., Place],
) -> None:
    one, other = new_place(), new_place()
    other.audience = one.audience
    sample = one.sample(50, 1.0, 0.4)
    one.refresh(sample)
    first, second = (segment.name for segment in sample.segments)
    one.define([first])
    other.define([second])
    run = one.run()
    other.run()
    expected = audience_to_be(sample)
    shared = {address for address, person in expected.items() if second in person.tags}
    friend = sorted(expected.keys() - shared)[0]
    one.audience.add(friend, tags=["VIP"])

    undone = take_back(one, run, archiveCreated=True)

    after = one.audience.members()
    alone = expected.keys() - shared - {friend}
    assert {a for a, member in after.items() if member.status == "archived"} == alone
    assert all(after[a].tags == {second} for a in shared)
    assert after[friend].tags == {"VIP"}
    assert codes(undone)["undoOthersToo"].startswith(f"{len(shared) + 1} people")
    again = other.run()
    assert again["findings"] == []
    assert again["counts"]["unchanged"] == len(shared)


def test_a_run_that_was_canceled_half_way_is_taken_back_as_far_as_it_went(place: Place) -> None:
    sample = place.sample(4000)
    place.refresh(sample)
    place.define(sample)
    run = place.canceled_midway()
    assert run["status"] == "canceled"
    assert 0 < run["counts"]["created"] < 4000

    undone = take_back(place, run, archiveCreated=True)

    assert undone["status"] == "successful"
    assert place.audience.statuses() == {"archived": run["counts"]["created"]}
    assert place.audience.tags() == {place.named("A"): 0}


def test_a_tag_renamed_since_is_taken_back_under_its_new_name(place: Place) -> None:
    sample = place.sample(80)
    place.refresh(sample)
    place.define(sample)
    place.run()
    before = audience_as_is(place.audience)
    place.refresh(sample.later(leaving=10, arriving=10))
    run = place.run()
    left = {a for a, one in audience_as_is(place.audience).items() if not one.tags}
    assert len(left) == 10
    state = place.audience.state
    (tag,) = state.segments.values()
    with state.lock:
        del state.names[tag.name.casefold()]
        tag.name = "Somebody's idea"
        state.names["somebody's idea"] = tag.id

    take_back(place, run)

    after = audience_as_is(place.audience)
    assert {a: one.tags for a, one in after.items() if a in before} == dict.fromkeys(
        before, frozenset({"Somebody's idea"})
    )
    assert place.audience.tags() == {"Somebody's idea": 80}


def test_who_unsubscribed_or_was_deleted_since_is_left_alone(place: Place) -> None:
    sample = place.sample(40)
    place.refresh(sample)
    place.define(sample)
    place.run()
    later = sample.later(changed=1.0)
    place.refresh(later)
    run = place.run()
    gone, deleted, *_ = sorted(audience_to_be(sample))
    place.audience.unsubscribe(gone)
    place.audience.forget(deleted)
    as_left = audience_as_is(place.audience)[gone]

    undone = take_back(place, run)

    after = audience_as_is(place.audience)
    assert after[gone] == as_left
    assert deleted not in after
    assert codes(undone)["undoNotSubscribed"].startswith("1 people")
    (row,) = place.outcomes(undone, "rejected")
    assert (row["email"], row["code"]) == (deleted, "forgotten")


def test_an_undo_gives_back_the_values_of_the_mapping_of_the_run_after_an_edit(
    place: Place,
) -> None:
    sample = place.sample(30)
    place.refresh(sample)
    place.define(sample)
    place.run()
    before = audience_as_is(place.audience)
    place.refresh(sample.later(changed=1.0))
    run = place.run()
    edited = place.portal.get(f"/api/exports/{place.export['id']}")
    edited["mapping"]["attributes"] = []
    edited["segments"] = [{"name": place.named("A"), "tag": "Another"}]
    place.portal.call("PUT", f"/api/exports/{place.export['id']}", edited)

    undone = take_back(place, run)

    assert undone["status"] == "successful"
    assert audience_as_is(place.audience) == before


def test_an_undo_under_another_account_is_refused_with_the_reason_in_both_languages(
    new_place: Callable[..., Place],
) -> None:
    box = new_place().house.box
    place = new_place()
    sample = place.sample(10)
    place.refresh(sample)
    place.define(sample)
    run = place.run()
    there = audience_as_is(place.audience)
    elsewhere = box.world.add_account("Elsewhere")
    moved = place.portal.get(f"/api/exports/{place.export['id']}")
    moved["connectionId"] = place.house.connection(elsewhere)
    place.portal.call("PUT", f"/api/exports/{place.export['id']}", moved)

    undone = take_back(place, run)

    assert undone["status"] == "failed"
    assert undone["reason"]["code"] == "undoOtherAccount"
    korean = place.portal.call(
        "GET", f"/api/runs/{undone['id']}", headers={"Accept-Language": "ko"}
    ).json()
    assert "계정" in korean["reason"]["message"]
    assert audience_as_is(place.audience) == there


def test_an_undo_of_a_full_run_says_when_there_was_nothing_to_take_back(place: Place) -> None:
    sample = place.sample(20)
    place.refresh(sample)
    place.define(sample)
    place.run()
    run = place.run("full")
    there = audience_as_is(place.audience)

    undone = take_back(place, run)

    assert audience_as_is(place.audience) == there
    assert "undoNothing" in codes(undone)


def test_an_undo_while_the_schedule_is_on_says_that_it_will_not_last(place: Place) -> None:
    sample = place.sample(10)
    place.refresh(sample)
    place.define(sample, schedule={"enabled": True, "repeat": "everyRefresh"})
    run = place.run()

    undone = take_back(place, run)

    assert undone["status"] == "completedWithWarnings"
    assert "undoRunsAgain" in codes(undone)
    assert place.audience.tags() == {place.named("A"): 0}


def test_a_run_whose_removals_wait_is_undone_after_they_were_left(place: Place) -> None:
    sample = place.sample(100)
    place.refresh(sample)
    place.define(sample)
    place.run()
    before = audience_as_is(place.audience)
    place.refresh(sample.later(leaving=60, changed=1.0))
    run = place.run()
    assert run["status"] == "awaitingConfirmation"
    run = place.portal.post(f"/api/runs/{run['id']}/cancel")

    undone = take_back(place, run)

    assert undone["status"] == "successful"
    assert audience_as_is(place.audience) == before
    assert held("subscribed", {}, ()) not in before.values()


def test_asked_twice_at_one_moment_a_run_is_undone_once(place: Place) -> None:
    sample = place.sample(50)
    place.refresh(sample)
    place.define(sample)
    run = place.run()
    place.house.box.arm(Fault("hang", "GET", r".*", times=None, seconds=0.5))

    with ThreadPoolExecutor(4) as hands:
        started = list(
            hands.map(lambda _: place.portal.post(f"/api/runs/{run['id']}/undo"), range(4))
        )
    # Whoever wants people archived does not get an undo that leaves them.
    with pytest.raises(PortalError) as refused:
        place.portal.post(f"/api/runs/{run['id']}/undo", {"archiveCreated": True})
    place.house.box.disarm()

    assert len({one["id"] for one in started}) == 1
    assert refused.value.status == 409
    undone = place.wait(started[0])
    assert undone["status"] == "successful"
    assert place.audience.statuses() == {"subscribed": 50}
