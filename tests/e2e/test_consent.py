"""People who unsubscribed are never subscribed again, before and during a run, in every kind of audience."""

from collections.abc import Callable

import pytest

from sandbox import samples
from sandbox.mailchimp.sandbox import Sandbox
from tests.e2e.conftest import CHUNK_SIZE
from tests.e2e.running_app import (
    SUBSCRIBE,
    ExportScenario,
    actual_audience,
    addresses,
    every_row_has_one_outcome,
    expected_audience,
    state_of_member,
    writes,
)
from tests.held_calls import held_calls
from tests.waiting import until

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
    """No call of the app contains a status for an existing contact."""
    calls = mailchimp.calls
    before = calls.statuses_contradicted, dict(calls.statuses_changed)
    yield
    assert (calls.statuses_contradicted, dict(calls.statuses_changed)) == before


@pytest.mark.parametrize("compliance_in_batch", ["error", "silent"])
def test_people_who_left_before_the_run_are_unchanged(
    scenario: ExportScenario, compliance_in_batch: str
) -> None:
    scenario.running_app.sandbox.set(compliance_in_batch=compliance_in_batch)
    sample = scenario.sample(240, 0.6, 0.6)
    people = addresses(sample)
    for number, address in enumerate(people[:120]):
        status, cause = LEFT[number % len(LEFT)]
        # Mailchimp shows addresses as people wrote them.
        scenario.audience.add(
            address.title(), status=status, cause=cause, merge_fields={"FNAME": "Old"}
        )
    for address in people[120:160]:
        scenario.audience.add(address, merge_fields={"FNAME": "Old"}, tags=["VIP"])
    before = actual_audience(scenario.audience)
    scenario.refresh(sample)
    scenario.define(sample)

    run = scenario.run()

    after = actual_audience(scenario.audience)
    expected = expected_audience(sample)
    for address in people[:120]:
        assert after[address] == before[address]
    for address in people[120:160]:
        assert after[address].fields == expected[address].fields
        assert after[address].tags == expected[address].tags | {"VIP"}
    assert {a: after[a] for a in people[160:]} == {a: expected[a] for a in people[160:]}
    assert run["consentProof"] == {
        "kept": 120,
        "statusesChanged": 0,
        "unsubscribed": 0,
        "archived": 0,
    }
    assert run["counts"]["kept"] == 120
    assert run["counts"]["updated"] == 40
    kept = scenario.outcomes(run, "kept")
    assert {row["code"] for row in kept} == {status for status, _ in LEFT}
    assert {row["email"] for row in kept} == set(people[:120])
    assert every_row_has_one_outcome(run, run["counts"]["sourceRows"] - run["counts"]["distinct"])
    assert run["status"] == "successful"

    with scenario.calls() as calls:
        again = scenario.run("full")
    assert again["consentProof"] == {
        "kept": 120,
        "statusesChanged": 0,
        "unsubscribed": 0,
        "archived": 0,
    }
    assert actual_audience(scenario.audience) == after
    assert calls[SUBSCRIBE] == -(-(again["counts"]["distinct"] - 120) // CHUNK_SIZE)


def test_a_person_who_unsubscribes_during_the_run_stays_unsubscribed(
    scenario: ExportScenario,
) -> None:
    sample = scenario.sample(600)
    people = addresses(sample)
    scenario.refresh(sample)
    scenario.define(sample)
    # Two calls go through, the others wait: people sent already, and people to come.
    with held_calls(scenario.running_app.sandbox, skip=2):
        started = scenario.start()
        until(lambda: scenario.audience.statuses() == {"subscribed": 2 * CHUNK_SIZE})
        there = scenario.audience.members().keys()
        sent = [address for address in people if address in there]
        to_come = [address for address in people if address not in there]
        assert len(sent) >= 10 <= len(to_come)
        gone = {}
        for number, address in enumerate([*sent[:10], *to_come[-10:]]):
            by = "self" if number % 2 else "admin"
            scenario.audience.unsubscribe(address, by=by)
            gone[address] = by

    run = scenario.wait(started)

    members = scenario.audience.members()
    assert {members[address].status for address in gone} == {"unsubscribed"}
    assert {address: members[address].cause for address in gone} == gone
    expected = expected_audience(sample)
    assert {a: state_of_member(m) for a, m in members.items() if a not in gone} == {
        a: e for a, e in expected.items() if a not in gone
    }
    assert run["consentProof"]["statusesChanged"] == 0
    assert run["counts"]["created"] + run["counts"]["updated"] == len(people)

    again = scenario.run("full")
    assert again["counts"]["kept"] == len(gone)
    assert scenario.audience.statuses() == {"subscribed": len(people) - 20, "unsubscribed": 20}


def test_new_people_in_a_double_opt_in_audience_are_pending_and_others_unchanged(
    new_scenario: Callable[..., ExportScenario],
) -> None:
    scenario = new_scenario(double_optin=True)
    sample = scenario.sample(150)
    people = addresses(sample)
    for address in people[:50]:
        scenario.audience.add(address)
    for address in people[50:60]:
        scenario.audience.add(address, status="unsubscribed", cause="self")
    scenario.refresh(sample)
    scenario.define(sample)

    run = scenario.run()

    assert scenario.audience.statuses() == {"subscribed": 50, "pending": 90, "unsubscribed": 10}
    assert run["counts"]["created"] == 90
    assert run["counts"]["updated"] == 50
    assert run["counts"]["kept"] == 10

    # Some confirm; the others stay pending, and no one gets a second email.
    for address in people[60:100]:
        scenario.audience.add(address, status="subscribed", cause="")
    later = sample.later(changed=1.0)
    scenario.refresh(later)
    with scenario.calls() as calls:
        second = scenario.run()
    expected = expected_audience(later)
    now = actual_audience(scenario.audience)
    confirmed = [*people[:50], *people[60:100]]
    assert {a: now[a] for a in confirmed} == {a: expected[a] for a in confirmed}
    assert scenario.audience.statuses() == {"subscribed": 90, "pending": 50, "unsubscribed": 10}
    assert second["counts"]["updated"] == 90
    assert second["counts"]["kept"] == 60
    assert writes(calls) == {SUBSCRIBE: 1}


@pytest.mark.parametrize("status", ["subscribed", "pending", "transactional"])
def test_new_people_get_the_configured_status(
    new_scenario: Callable[..., ExportScenario], status: str
) -> None:
    scenario = new_scenario(double_optin=status == "subscribed")
    sample = scenario.sample(60)
    people = addresses(sample)
    scenario.audience.add(people[0])
    scenario.audience.add(people[1], status="archived")
    scenario.refresh(sample)
    scenario.define(sample, newContacts={"status": status})

    run = scenario.run()

    members = scenario.audience.members()
    assert members[people[0]].status == "subscribed"
    assert members[people[1]].status == "archived"
    assert {members[address].status for address in people[2:]} == {status}
    assert run["counts"]["created"] == 58


def test_only_people_who_consented_are_added(scenario: ExportScenario) -> None:
    sample = scenario.sample(100)
    truth = {e.address: e.profiles[0] for e in samples.truth(sample)}
    agreed = {a for a, who in truth.items() if who.marketing_consent == "true"}
    declined = sorted(truth.keys() - agreed)
    assert declined
    scenario.audience.add(declined[0])
    scenario.refresh(sample)
    scenario.define(sample, newContacts={"consentAttribute": "MarketingConsent"})

    run = scenario.run()

    assert scenario.audience.members().keys() == agreed | {declined[0]}
    assert run["counts"]["created"] == len(agreed)
    assert {row["code"] for row in scenario.outcomes(run, "kept")} == {"noConsent"}
    assert run["consentProof"]["kept"] == 0


def test_a_person_who_subscribes_again_is_synchronized_again(scenario: ExportScenario) -> None:
    sample = scenario.sample(50)
    people = addresses(sample)
    scenario.refresh(sample)
    scenario.define(sample)
    scenario.run()
    scenario.audience.unsubscribe(people[0])
    later = sample.later(changed=1.0)
    scenario.refresh(later)
    away = scenario.run()
    assert away["counts"]["kept"] == 1
    assert away["counts"]["updated"] == 49

    scenario.audience.add(people[0], status="subscribed")
    back = scenario.run()

    assert back["counts"]["kept"] == 0
    assert back["counts"]["updated"] == 1
    assert actual_audience(scenario.audience) == expected_audience(later)
