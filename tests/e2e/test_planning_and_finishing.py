"""What only the planner and the finish can put right: undo after undo, another audience, a new field."""

import time
from collections.abc import Callable
from typing import Any

from sandbox import wrap
from sandbox.mailchimp.faults import Fault
from tests.e2e.running_app import Place, audience_as_is, audience_to_be
from tests.e2e.test_overlapping_exports import (
    NewPlace,
    codes,
    delete,
    edit,
    in_the_middle,
    side_by_side,
)
from tests.e2e.test_undo import take_back


def until(happened: Callable[[], Any]) -> None:
    while not happened():
        time.sleep(0.01)


def test_after_a_canceled_undo_the_same_run_can_be_undone_again_for_the_rest(
    place: Place,
) -> None:
    sample = place.sample(4000)
    place.refresh(sample)
    place.define(sample)
    place.run()
    before = audience_as_is(place.audience)
    place.refresh(sample.later(changed=1.0))
    run = place.run()
    changed = audience_as_is(place.audience)
    place.house.box.arm(Fault("hang", "POST", r"^/lists/\w+$", times=None, seconds=1.0, skip=1))
    started = place.portal.post(f"/api/runs/{run['id']}/undo")
    until(lambda: audience_as_is(place.audience) != changed)
    place.portal.post(f"/api/runs/{started['id']}/cancel")
    half = place.wait(started)
    place.house.box.disarm()
    assert half["status"] == "canceled"
    assert 0 < half["counts"]["updated"] < 4000

    rest = take_back(place, run)

    assert rest["status"] == "successful"
    assert rest["counts"]["updated"] == run["counts"]["updated"] - half["counts"]["updated"]
    assert audience_as_is(place.audience) == before


def test_a_cancel_while_planning_ends_the_run_although_it_would_wait_or_fail(
    place: Place,
) -> None:
    sample = place.sample(20)
    place.audience.add("friend@example.com", tags=[sample.segments[0].name])
    place.refresh(sample)
    place.define(sample)
    place.house.box.arm(Fault("hang", "GET", r"/merge-fields", seconds=1.0))
    started = place.start()
    until(lambda: place.portal.get(f"/api/runs/{started['id']}")["status"] == "planning")

    place.portal.post(f"/api/runs/{started['id']}/cancel")
    run = place.wait(started)

    assert run["status"] == "canceled"
    assert run["reason"]["code"] == "canceled"


def test_an_export_that_has_moved_on_leaves_its_tag_to_whoever_wants_it(
    new_place: NewPlace,
) -> None:
    one, other, sample = side_by_side(new_place)
    first, second = (segment.name for segment in sample.segments)
    one.define([first])
    one.run()
    edit(one, audienceId=new_place().audience.id)
    other.define([{"name": second, "tag": first}])

    waits = other.run()

    assert waits["reason"]["code"] == "tagExists"
    after = other.wait(other.portal.post(f"/api/runs/{waits['id']}/confirm"))
    assert "tagTakenOver" in codes(after)


def test_an_undo_leaves_a_tag_alone_that_belongs_to_another_export_by_now(
    new_place: NewPlace,
) -> None:
    one, other, sample = side_by_side(new_place)
    first, second = (segment.name for segment in sample.segments)
    one.define([first, second])
    run = one.run()
    edit(one, segments=[{"name": first}])
    other.define([second])
    waits = other.run()
    other.wait(other.portal.post(f"/api/runs/{waits['id']}/confirm"))

    take_back(one, run)

    expected = audience_to_be(sample)
    tags = {a: member.tags for a, member in one.audience.members().items()}
    assert tags == {a: person.tags & {second} for a, person in expected.items() if person.tags}


def test_people_without_consent_are_not_added_to_another_audience_as_known(
    new_place: NewPlace,
) -> None:
    place, elsewhere = new_place(), new_place()
    name = place.named("A")
    columns = ("CustomerId", "EMail", "Agrees")
    yes, no = f"yes{place.number}@example.org", f"no{place.number}@example.org"
    place.audience.add(no)
    place.refresh_table({name: wrap.Table(columns, (("1", yes, "yes"), ("2", no, "no")))})
    place.define(
        [name],
        mapping={"email": "EMail"},
        newContacts={"status": "subscribed", "consentAttribute": "Agrees"},
    )
    place.run()
    assert set(place.audience.members()) == {yes, no}
    edit(place, audienceId=elsewhere.audience.id)

    run = place.run()

    assert set(elsewhere.audience.members()) == {yes}
    assert run["counts"]["kept"] == 1
    assert "audienceMoved" in codes(run)
    assert set(place.audience.members()) == {yes, no}
    assert place.run()["calls"]["write"] == 0


def test_whom_one_audience_refused_is_asked_about_in_another(new_place: NewPlace) -> None:
    place, elsewhere = new_place(), new_place()
    name = place.named("A")
    ada = f"ada{place.number}@example.org"
    place.audience.add(ada)
    place.audience.forget(ada)
    place.refresh_table({name: wrap.Table(("CustomerId", "EMail"), (("1", ada),))})
    place.define([name], mapping={"email": "EMail"})
    assert place.run()["counts"]["rejected"] == 1
    edit(place, audienceId=elsewhere.audience.id)

    place.run()

    assert set(elsewhere.audience.members()) == {ada}


def test_a_field_deleted_during_a_run_is_made_again_and_filled_for_everybody(
    place: Place,
) -> None:
    sample = place.sample(3000)

    def happens() -> None:
        fields = place.audience.state.merge_fields.items()
        (field,) = (number for number, field in fields if field.tag == "CITY")
        delete(place, f"/lists/{place.audience.id}/merge-fields/{field}")

    in_the_middle(place, sample, happens)

    place.run()
    assert audience_as_is(place.audience) == audience_to_be(sample)
    assert place.run()["calls"]["write"] == 0
