"""Nobody who left is ever subscribed again: before the run, during it, in every kind of audience."""

import time
from collections.abc import Callable

import pytest

from sandbox import samples
from sandbox.mailchimp.box import Sandbox
from sandbox.mailchimp.faults import Fault
from sandbox.samples import Sample
from tests.e2e.running_app import (
    SUBSCRIBE,
    Place,
    accounted_for,
    as_held,
    audience_as_is,
    audience_to_be,
    writes,
)

LEFT = (
    ("unsubscribed", "self"),
    ("unsubscribed", "admin"),
    ("cleaned", "bounce"),
    ("pending", ""),
    ("transactional", ""),
    ("archived", ""),
)


@pytest.fixture(autouse=True)
def _no_status_is_ever_changed(mailchimp: Sandbox):
    """No call of the app carries a status for somebody who is there."""
    calls = mailchimp.calls
    before = calls.statuses_contradicted, dict(calls.statuses_changed)
    yield
    assert (calls.statuses_contradicted, dict(calls.statuses_changed)) == before


def addresses(sample: Sample) -> list[str]:
    return [expected.address for expected in samples.truth(sample)]


@pytest.mark.parametrize("compliance_in_batch", ["error", "silent"])
def test_people_who_left_before_the_run_stay_as_they_are(
    place: Place, compliance_in_batch: str
) -> None:
    place.house.box.set(compliance_in_batch=compliance_in_batch)
    sample = place.sample(700, 0.6, 0.6)
    people = addresses(sample)
    for number, address in enumerate(people[:120]):
        status, cause = LEFT[number % len(LEFT)]
        # Mailchimp shows addresses as people wrote them.
        place.audience.add(
            address.title(), status=status, cause=cause, merge_fields={"FNAME": "Old"}
        )
    for address in people[120:160]:
        place.audience.add(address, merge_fields={"FNAME": "Old"}, tags=["VIP"])
    before = audience_as_is(place.audience)
    place.refresh(sample)
    place.define(sample)

    run = place.run()

    after = audience_as_is(place.audience)
    expected = audience_to_be(sample)
    for address in people[:120]:
        assert after[address] == before[address]
    for address in people[120:160]:
        assert after[address].fields == expected[address].fields
        assert after[address].tags == expected[address].tags | {"VIP"}
    assert {a: after[a] for a in people[160:]} == {a: expected[a] for a in people[160:]}
    assert run["consentProof"] == {"kept": 120, "statusesChanged": 0}
    assert run["counts"]["kept"] == 120
    assert run["counts"]["updated"] == 40
    kept = place.outcomes(run, "kept")
    assert {row["code"] for row in kept} == {status for status, _ in LEFT}
    assert {row["email"] for row in kept} == set(people[:120])
    assert accounted_for(run, run["counts"]["sourceRows"] - run["counts"]["distinct"])
    assert run["status"] == "successful"

    with place.calls() as calls:
        again = place.run("full")
    assert again["consentProof"] == {"kept": 120, "statusesChanged": 0}
    assert audience_as_is(place.audience) == after
    assert calls[SUBSCRIBE] == 1


def test_who_leaves_while_the_run_goes_stays_away(place: Place) -> None:
    sample = place.sample(3000)
    people = addresses(sample)
    place.refresh(sample)
    place.define(sample)
    # Two calls go through, the others take their time: people sent already, and people to come.
    slow = Fault("hang", "POST", r"^/lists/\w+$", times=None, seconds=1.5, skip=2)
    place.house.box.arm(slow)
    started = place.start()
    while place.audience.statuses() != {"subscribed": 1000}:
        time.sleep(0.01)
    there = place.audience.members().keys()
    sent = [address for address in people if address in there]
    to_come = [address for address in people if address not in there]
    assert len(sent) >= 10 <= len(to_come)
    gone = {}
    for number, address in enumerate([*sent[:10], *to_come[-10:]]):
        by = "self" if number % 2 else "admin"
        place.audience.unsubscribe(address, by=by)
        gone[address] = by

    run = place.wait(started)

    members = place.audience.members()
    assert {members[address].status for address in gone} == {"unsubscribed"}
    assert {address: members[address].cause for address in gone} == gone
    expected = audience_to_be(sample)
    assert {a: as_held(m) for a, m in members.items() if a not in gone} == {
        a: e for a, e in expected.items() if a not in gone
    }
    assert run["consentProof"]["statusesChanged"] == 0
    assert run["counts"]["created"] + run["counts"]["updated"] == len(people)

    again = place.run("full")
    assert again["counts"]["kept"] == len(gone)
    assert place.audience.statuses() == {"subscribed": len(people) - 20, "unsubscribed": 20}


def test_new_people_of_a_double_opt_in_audience_are_asked_and_others_left_alone(
    new_place: Callable[..., Place],
) -> None:
    place = new_place(double_optin=True)
    sample = place.sample(300)
    people = addresses(sample)
    for address in people[:50]:
        place.audience.add(address)
    for address in people[50:60]:
        place.audience.add(address, status="unsubscribed", cause="self")
    place.refresh(sample)
    place.define(sample)

    run = place.run()

    assert place.audience.statuses() == {"subscribed": 50, "pending": 240, "unsubscribed": 10}
    assert run["counts"]["created"] == 240
    assert run["counts"]["updated"] == 50
    assert run["counts"]["kept"] == 10

    # Some confirm; who has not is left alone, and nobody is asked twice.
    for address in people[60:100]:
        place.audience.add(address, status="subscribed", cause="")
    later = sample.later(changed=1.0)
    place.refresh(later)
    with place.calls() as calls:
        second = place.run()
    expected = audience_to_be(later)
    now = audience_as_is(place.audience)
    confirmed = [*people[:50], *people[60:100]]
    assert {a: now[a] for a in confirmed} == {a: expected[a] for a in confirmed}
    assert place.audience.statuses() == {"subscribed": 90, "pending": 200, "unsubscribed": 10}
    assert second["counts"]["updated"] == 90
    assert second["counts"]["kept"] == 210
    assert writes(calls) == {SUBSCRIBE: 1}


@pytest.mark.parametrize("status", ["subscribed", "pending", "transactional"])
def test_new_people_get_the_status_that_the_export_says(
    new_place: Callable[..., Place], status: str
) -> None:
    place = new_place(double_optin=status == "subscribed")
    sample = place.sample(60)
    people = addresses(sample)
    place.audience.add(people[0])
    place.audience.add(people[1], status="archived")
    place.refresh(sample)
    place.define(sample, newContacts={"status": status})

    run = place.run()

    members = place.audience.members()
    assert members[people[0]].status == "subscribed"
    assert members[people[1]].status == "archived"
    assert {members[address].status for address in people[2:]} == {status}
    assert run["counts"]["created"] == 58


def test_only_people_who_agreed_are_added_as_new(place: Place) -> None:
    sample = place.sample(400)
    truth = {e.address: e.profiles[0] for e in samples.truth(sample)}
    agreed = {a for a, who in truth.items() if who.marketing_consent == "true"}
    declined = sorted(truth.keys() - agreed)
    assert declined
    place.audience.add(declined[0])
    place.refresh(sample)
    place.define(sample, newContacts={"consentAttribute": "MarketingConsent"})

    run = place.run()

    assert place.audience.members().keys() == agreed | {declined[0]}
    assert run["counts"]["created"] == len(agreed)
    assert {row["code"] for row in place.outcomes(run, "kept")} == {"noConsent"}
    assert run["consentProof"]["kept"] == 0


def test_who_comes_back_by_themselves_is_kept_in_step_again(place: Place) -> None:
    sample = place.sample(50)
    people = addresses(sample)
    place.refresh(sample)
    place.define(sample)
    place.run()
    place.audience.unsubscribe(people[0])
    later = sample.later(changed=1.0)
    place.refresh(later)
    away = place.run()
    assert away["counts"]["kept"] == 1
    assert away["counts"]["updated"] == 49

    place.audience.add(people[0], status="subscribed")
    back = place.run()

    assert back["counts"]["kept"] == 0
    assert back["counts"]["updated"] == 1
    assert audience_as_is(place.audience) == audience_to_be(later)
