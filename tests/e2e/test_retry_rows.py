"""Retry sends the rows that failed, and nothing else, whatever has changed meanwhile."""

import time
from collections import Counter

from sandbox import wrap
from sandbox.mailchimp.faults import Fault
from tests.e2e.running_app import Place, accounted_for, audience_as_is, audience_to_be, writes
from tests.e2e.stored_data import house_of

COLUMNS = ("CustomerId", "EMail", "FirstName")


def retry(place: Place, run: dict) -> dict:
    return place.wait(place.portal.post(f"/api/runs/{run['id']}/retry"))


def codes(run: dict) -> list[str]:
    return [finding["code"] for finding in run["findings"]]


def table(place: Place, *rows: tuple[str, str, str]) -> dict[str, wrap.Table]:
    return {place.named("A"): wrap.Table(COLUMNS, rows)}


def define(place: Place) -> None:
    place.define([place.named("A")], mapping={"email": "EMail", "firstName": "FirstName"})


def test_a_retry_leaves_to_the_next_run_what_has_changed_meanwhile(place: Place) -> None:
    n = place.number
    bad, good, leaver = (f"{name}{n}@example.com" for name in ("bad", "good", "leaver"))
    place.house.box.set(refused_addresses=[bad])
    place.refresh_table(
        table(place, ("1", bad, "B"), ("2", good, "G"), ("3", leaver, "L"), ("4", "no", "N"))
    )
    define(place)
    run = place.run()
    assert run["counts"]["rejected"] == 2
    place.house.box.set(refused_addresses=[])
    new, put_right = f"new{n}@example.com", f"right{n}@example.com"
    place.refresh_table(
        table(
            place, ("1", bad, "B"), ("2", good, "Changed"), ("5", new, "N"), ("4", put_right, "N")
        )
    )

    with place.calls() as calls:
        retried = retry(place, run)

    assert retried["retryOf"] == run["id"]
    assert retried["status"] == "successful"
    assert sum(writes(calls).values()) == 1
    there = place.audience.members()
    assert set(there) == {bad, good, leaver, put_right}
    assert there[good].merge_fields == {"FNAME": "G"}
    assert there[leaver].tags == {place.named("A")}
    assert codes(retried) == ["notRetried"]
    assert accounted_for(retried, 0)
    rows = {row["email"]: (row["outcome"], row["code"]) for row in place.outcomes(retried)}
    assert rows == {
        bad: ("created", ""),
        put_right: ("created", ""),
        good: ("notSent", "notRetried"),
        new: ("notSent", "notRetried"),
    }

    after = place.run()
    assert (after["counts"]["created"], after["counts"]["updated"]) == (1, 1)
    assert after["counts"]["removed"] == 1


def test_rows_refused_for_good_are_asked_about_once_more_and_said_again(place: Place) -> None:
    bad = f"bad{place.number}@example.com"
    place.house.box.set(refused_addresses=[bad])
    place.refresh_table(table(place, ("1", bad, "B"), ("2", f"good{place.number}@x.com", "G")))
    define(place)
    run = place.run()

    with place.calls() as calls:
        retried = retry(place, run)

    assert sum(writes(calls).values()) == 1
    assert retried["status"] == "completedWithWarnings"
    assert Counter((r["outcome"], r["code"]) for r in place.outcomes(retried)) == {
        ("rejected", "addressRefused"): 1,
        ("unchanged", ""): 1,
    }


def test_what_a_full_run_failed_at_is_tried_again_although_nothing_changed(place: Place) -> None:
    sample = place.sample(300)
    place.refresh(sample)
    place.define(sample)
    place.run()
    one = sorted(place.audience.members())[0]
    place.audience.add(one, merge_fields={"CITY": "By hand"})
    place.house.box.arm(Fault("503-html", "POST", r"^/lists/\w+$", times=None))
    going = place.start("full")
    while place.portal.get(f"/api/runs/{going['id']}")["status"] != "sending":
        time.sleep(0.01)
    place.portal.post(f"/api/runs/{going['id']}/cancel")
    run = place.wait(going)
    place.house.box.disarm()
    assert (run["status"], run["counts"]["notSent"]) == ("canceled", 300)

    retried = retry(place, run)

    assert retried["status"] == "successful"
    assert retried["counts"]["updated"] == 300
    assert audience_as_is(place.audience) == audience_to_be(sample)


def test_a_canceled_run_is_tried_again_for_exactly_the_rest(place: Place) -> None:
    sample = place.sample(5000)
    place.refresh(sample)
    place.define(sample)
    run = place.canceled_midway()
    assert 0 < run["counts"]["created"] < 5000
    place.refresh(sample.later(arriving=50))

    retried = retry(place, run)

    assert retried["counts"]["created"] == run["counts"]["notSent"]
    assert retried["counts"]["notSent"] == 50
    assert retried["counts"]["unchanged"] == run["counts"]["created"]
    assert audience_as_is(place.audience) == audience_to_be(sample)


def test_rows_that_a_newer_run_has_sent_are_not_sent_once_more(place: Place) -> None:
    bad = f"bad{place.number}@example.com"
    place.house.box.set(refused_addresses=[bad])
    place.refresh_table(table(place, ("1", bad, "B")))
    define(place)
    run = place.run()
    place.house.box.set(refused_addresses=[])
    place.refresh_table(table(place, ("1", bad, "Changed")))
    place.run()
    assert place.audience.members()[bad].merge_fields == {"FNAME": "Changed"}

    with place.calls() as calls:
        retried = retry(place, run)

    assert writes(calls) == {}
    assert retried["counts"]["unchanged"] == 1


def test_a_refresh_after_a_retry_is_not_taken_for_old(place: Place) -> None:
    bad = f"bad{place.number}@example.com"
    place.house.box.set(refused_addresses=[bad])
    place.refresh_table(table(place, ("1", bad, "B")))
    define(place)
    run = place.run()
    place.house.box.set(refused_addresses=[])
    place.refresh_table(table(place, ("1", bad, "B"), ("2", f"new{place.number}@x.com", "N")))

    retry(place, run)

    ledger = house_of(place.house.storage).ledgers.read(place.export["id"])
    assert ledger is not None
    assert ledger.value.settled == ""


def test_a_run_that_failed_before_it_had_rows_is_tried_again_as_a_whole(place: Place) -> None:
    sample = place.sample(10)
    place.define(sample)
    run = place.run()
    assert run["status"] == "failed"
    place.refresh(sample)

    retried = retry(place, run)

    assert retried["status"] == "successful"
    assert retried["counts"]["created"] == 10
