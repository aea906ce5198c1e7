"""One person over all exports: why they are (not) in Mailchimp, and how they are removed."""

import time
from collections.abc import Callable

import pytest

from devhost.api_client import PortalError
from sandbox import wrap
from sandbox.mailchimp.faults import Fault
from tests.e2e.running_app import House, Place, accounted_for, audience_as_is, audience_to_be
from tests.e2e.stored_data import blobs, house_of, parquet_rows


def rows_of(place: Place, *people: tuple[str, str]) -> dict[str, wrap.Table]:
    """A segment of (customer id, address)."""
    columns = ("CustomerId", "EMail", "FirstName", "LastName", "RewardPoints", "City", "Note")
    rows = [(customer, address, "Ada", "Park", "1", "Seoul", "") for customer, address in people]
    return {place.named("A"): wrap.Table(columns, rows)}


def exported(place: Place, *people: tuple[str, str]) -> dict:
    place.refresh_table(rows_of(place, *people))
    if not place.export:
        place.define([place.named("A")])
    return place.run()


def sighting(place: Place, address: str) -> dict:
    found = place.portal.post("/api/people/search", {"email": address})["value"]
    return next(one for one in found if one["exportId"] == place.export["id"])


def wherever(place: Place, text: str) -> list[str]:
    """The app's own blobs that hold a text, decompressed where they are Parquet."""
    import io

    import duckdb

    found = []
    for name, data in blobs(place.house.storage, "state").items():
        if name.endswith(".parquet"):
            with duckdb.connect() as db:
                rows = db.execute(
                    "SELECT * FROM read_parquet(?)", [_kept(place, name, data)]
                ).fetchall()
            data = repr(rows).encode()
        if text.encode() in io.BytesIO(data).getvalue().lower():
            found.append(name)
    return found


def _kept(place: Place, name: str, data: bytes) -> str:
    path = place._folder.parent / "seen" / name.replace("/", "_")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return str(path)


@pytest.fixture(scope="module")
def house(house_alone: House) -> House:
    """Erasing asks every audience that any export has."""
    return house_alone


@pytest.fixture(autouse=True)
def _all_reachable(house: House) -> None:
    """Exports that other tests have left without a connection would rightly be complained of."""
    good = {
        connection["id"]
        for connection in house.portal.get("/api/connections")["value"]
        if connection["status"] == "connected"
    }
    for export in house.portal.get("/api/exports")["value"]:
        if export["connectionId"] not in good:
            house.portal.call("DELETE", f"/api/exports/{export['id']}")


def test_a_search_says_why_someone_is_or_is_not_in_mailchimp(place: Place) -> None:
    n = place.number
    place.audience.add(f"left{n}@example.org", status="unsubscribed", cause="self")
    exported(place, ("c1", f"Ada{n}@Example.org"), ("c2", f"left{n}@example.org"), ("c3", "no@one"))

    there = sighting(place, f" ADA{n}@example.ORG ")
    assert there["inAudience"] == "subscribed"
    assert (there["outcome"], there["code"]) == ("created", "")
    assert there["segments"] == [place.named("A")]
    assert there["at"] is not None
    gone = sighting(place, f"left{n}@example.org")
    assert (gone["inAudience"], gone["outcome"]) == ("unsubscribed", "kept")
    assert gone["code"] == "unsubscribed"
    assert gone["reason"]
    bad = sighting(place, "no@one")
    assert (bad["inAudience"], bad["outcome"], bad["code"]) == (
        "absent",
        "rejected",
        "addressMalformed",
    )
    nobody = sighting(place, f"nobody{n}@example.org")
    assert (nobody["inAudience"], nobody["outcome"]) == ("absent", "")
    assert nobody["code"] == "notInSegment"


def test_a_search_knows_people_by_the_ledger_when_no_outcome_is_left(place: Place) -> None:
    n = place.number
    place.refresh_table(rows_of(place, ("c1", f"ada{n}@example.org")))
    place.define([place.named("A")])
    assert sighting(place, f"ada{n}@example.org")["code"] == "notRun"
    run = place.run()
    house = house_of(place.house.storage)
    house.files.delete(f"runs/{run['id']}/outcomes.parquet")  # the retention is over

    found = sighting(place, f"ada{n}@example.org")

    assert found["segments"] == [place.named("A")]
    assert (found["outcome"], found["inAudience"]) == ("updated", "subscribed")
    assert found["at"] == run["finishedAt"]


def test_an_unreachable_mailchimp_does_not_keep_a_search_from_answering(
    new_place: Callable[..., Place],
) -> None:
    box = new_place().house.box
    account = box.world.add_account("Closed")
    place = new_place(account=account)
    exported(place, ("c1", f"ada{place.number}@example.org"))
    for key in list(account.keys):
        del box.world.keys[key]
        account.keys.discard(key)

    found = sighting(place, f"ada{place.number}@example.org")

    assert (found["inAudience"], found["outcome"]) == ("unknown", "created")
    place.portal.call("DELETE", f"/api/exports/{place.export['id']}")


def test_an_erased_person_is_nowhere_and_is_not_exported_again(place: Place) -> None:
    n = place.number
    ada, bob = f"ada{n}@example.org", f"bob{n}@example.org"
    exported(place, ("c1", ada), ("c2", bob), ("c3", ada))
    assert wherever(place, ada)

    receipt = place.portal.post("/api/people/erase", {"email": ada, "deleteInMailchimp": True})

    assert receipt["exports"] == 1
    assert receipt["records"] >= 2
    assert receipt["deletedInMailchimp"] == 1
    assert wherever(place, ada) == []
    assert wherever(place, bob)
    assert set(place.audience.members()) == {bob}
    assert sighting(place, ada)["code"] == "erased"

    run = exported(place, ("c1", ada), ("c2", bob), ("c3", ada), ("c4", f"new{n}@example.org"))

    assert set(place.audience.members()) == {bob, f"new{n}@example.org"}
    assert run["counts"]["kept"] == 2
    assert run["counts"]["rejected"] == 0
    assert accounted_for(run, 0)
    kept = place.outcomes(run, "kept")
    assert [(row["email"], row["customerId"], row["code"]) for row in kept] == [
        ("", "", "erased")
    ] * 2
    assert wherever(place, ada) == []

    again = place.portal.post("/api/people/erase", {"email": ada, "deleteInMailchimp": True})
    assert again == receipt


def test_people_who_stay_in_mailchimp_are_only_left_alone(place: Place) -> None:
    n = place.number
    ada = f"ada{n}@example.org"
    exported(place, ("c1", ada), ("c2", f"bob{n}@example.org"))

    receipt = place.portal.post("/api/people/erase", {"email": ada, "deleteInMailchimp": False})

    assert receipt["deletedInMailchimp"] == 0
    assert ada in place.audience.members()
    exported(place, ("c2", f"bob{n}@example.org"))
    after = place.audience.members()[ada]
    assert after.status == "subscribed"
    assert after.tags == frozenset()  # the tag follows the segment without them
    assert wherever(place, ada) == []


def test_erasing_goes_on_when_mailchimp_cannot_be_reached_and_says_so(
    new_place: Callable[..., Place],
) -> None:
    box = new_place().house.box
    account = box.world.add_account("Revoked for erasing")
    place = new_place(account=account)
    ada = f"ada{place.number}@example.org"
    exported(place, ("c1", ada))
    for key in list(account.keys):
        del box.world.keys[key]
        account.keys.discard(key)

    with pytest.raises(PortalError) as refused:
        place.portal.post("/api/people/erase", {"email": ada, "deleteInMailchimp": True})

    assert refused.value.status == 409
    assert place.export["displayName"] in refused.value.problem["detail"]
    assert wherever(place, ada) == []
    assert ada in place.audience.members()

    key = box.world.add_key(account)
    place.portal.call(
        "PUT", f"/api/connections/{place.connection}/mailchimp/api-key", {"apiKey": key}
    )
    receipt = place.portal.post("/api/people/erase", {"email": ada, "deleteInMailchimp": True})
    assert receipt["deletedInMailchimp"] == 1
    assert place.audience.members() == {}


def test_who_is_erased_during_a_run_is_gone_when_it_is_over(place: Place) -> None:
    sample = place.sample(1500)
    place.refresh(sample)
    place.define(sample)
    place.run()
    later = sample.later(changed=1.0)
    place.refresh(later)
    ada = sorted(audience_to_be(sample))[0]
    place.house.box.arm(Fault("hang", "POST", r"^/lists/\w+$", times=None, seconds=1.0))
    started = place.start()
    while place.portal.get(f"/api/runs/{started['id']}")["status"] != "sending":
        time.sleep(0.01)

    place.portal.post("/api/people/erase", {"email": ada, "deleteInMailchimp": False})
    place.house.box.disarm()
    run = place.wait(started)
    assert run["counts"]["updated"] >= 1498
    house = house_of(place.house.storage)
    house.eraser.complete()

    assert wherever(place, ada) == []
    assert [e for e in house.erasures.records.all() if started["id"] in e.value.waits_for] == []
    ledger = house.ledgers.read(place.export["id"])
    assert ledger is not None
    assert ledger.value.people == 1499
    rest = audience_as_is(place.audience)
    del rest[ada]
    assert rest == {a: e for a, e in audience_to_be(later).items() if a != ada}
    assert len(parquet_rows(house.files.read(ledger.value.blob), place._folder)) == 1499
