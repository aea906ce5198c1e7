"""What Customer Insights can take back after a run: a CDM folder of outcomes, judged from outside."""

import csv
import io
import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import jsonschema
import pytest

from sandbox import samples, wrap
from shared.model.source import Snapshot
from tests.e2e.running_app import Place
from tests.e2e.stored_data import blobs, house_of

SCHEMA = Path(__file__).resolve().parents[3] / "shared/samples/modeljsonschema.json"


def handed_back(place: Place) -> tuple[dict, list[dict[str, str]]]:
    """The model of a place's export, and the rows of the file that it names."""
    found = blobs(place.house.storage, "outcomes", f"{place.export['id']}/")
    model = json.loads(found[f"{place.export['id']}/model.json"])
    (entity,) = model["entities"]
    (partition,) = entity["partitions"]
    name = urlsplit(partition["location"]).path.partition("/outcomes/")[2]
    text = found[name].decode("utf-8")
    names = [attribute["name"] for attribute in entity["attributes"]]
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert names == ["CustomerId", "segment", "outcome", "reason", "at"]
    assert "@" not in text
    return model, rows


def test_every_person_comes_back_once_a_segment_with_what_became_of_them(place: Place) -> None:
    sample = place.sample(200, 0.7, 0.6)
    place.refresh(sample)
    place.define(sample)
    place.run()
    _, rows = handed_back(place)
    expected = Counter()
    for person in samples.truth(sample):
        winner = min(person.profiles, key=lambda who: who.customer_id).customer_id
        expected.update((winner, segment, "created") for segment in person.segments)
    created = Counter(
        (r["CustomerId"], r["segment"], r["outcome"]) for r in rows if not r["reason"]
    )
    assert created == expected

    place.refresh(sample.later(leaving=20, arriving=5))
    run = place.run()
    model, rows = handed_back(place)

    removed = {row["CustomerId"] for row in rows if row["outcome"] == "removed"}
    assert len(removed) == run["counts"]["removed"] > 10
    assert model["entities"][0]["partitions"][0]["location"].count(run["id"]) == 1
    assert len({row["at"] for row in rows}) == 1
    assert rows[0]["at"].endswith("Z")


def test_microsofts_own_schema_takes_the_model(place: Place) -> None:
    if not SCHEMA.exists():
        pytest.skip("Microsoft's schema of model.json is not on this machine")
    place.refresh(place.sample(5))
    place.define([place.named("A")])
    place.run()

    model, _ = handed_back(place)

    jsonschema.validate(model, json.loads(SCHEMA.read_text("utf-8")))


def test_the_reader_of_segments_understands_what_is_handed_back(place: Place) -> None:
    import duckdb

    from shared.segments.container import LandingContainer
    from shared.segments.source import BlobSegments
    from shared.storage.clients import container_client

    place.refresh(place.sample(12))
    place.define([place.named("A")])
    place.run()
    house = house_of(place.house.storage)
    container = LandingContainer(container_client(house.settings.segments.storage, "outcomes"))
    source = BlobSegments(container, place.export["id"])

    snapshot: Snapshot = source.snapshot(["MailchimpOutcomes"])
    with duckdb.connect() as db:
        db.execute("CREATE TABLE t (file VARCHAR, line BIGINT, c0 VARCHAR, c1 VARCHAR)")
        loaded = source.load(
            db, snapshot.segments[0], ["CustomerId", "outcome"], "t", place._folder.parent
        )
        outcomes = db.execute("SELECT c1, count(*) FROM t GROUP BY c1").fetchall()

    assert loaded.unreadable == ()
    assert outcomes == [("created", 12)]


def test_an_erased_person_does_not_come_back_either(place: Place) -> None:
    sample = place.sample(6)
    place.refresh(sample)
    place.define(sample)
    place.run()
    one = next(iter(samples.truth(sample)))

    place.portal.post("/api/people/erase", {"email": one.address, "deleteInMailchimp": False})

    _, rows = handed_back(place)
    gone = {profile.customer_id for profile in one.profiles}
    assert len(rows) == 5
    assert gone.isdisjoint(row["CustomerId"] for row in rows)


def counted(rows: list[dict[str, str]]) -> Counter[tuple[str, str]]:
    return Counter((row["outcome"], row["reason"]) for row in rows)


def test_a_preview_hands_nothing_back(place: Place) -> None:
    sample = place.sample(20)
    place.refresh(sample)
    place.define(sample)
    place.run("preview")
    assert blobs(place.house.storage, "outcomes", f"{place.export['id']}/") == {}
    run = place.run()
    before = blobs(place.house.storage, "outcomes", f"{place.export['id']}/")
    place.refresh(sample.later(arriving=5))

    place.run("preview")

    assert blobs(place.house.storage, "outcomes", f"{place.export['id']}/") == before
    assert run["id"] in str(before.keys())


def test_a_canceled_run_hands_back_whom_it_did_not_send(place: Place) -> None:
    sample = place.sample(5000)
    place.refresh(sample)
    place.define(sample)
    run = place.canceled_midway()

    _, rows = handed_back(place)

    assert run["counts"]["notSent"] > 0
    assert counted(rows) == {
        ("created", ""): run["counts"]["created"],
        ("notSent", "canceled"): run["counts"]["notSent"],
    }
    assert len({(row["CustomerId"], row["segment"]) for row in rows}) == 5000


def test_an_undo_hands_back_what_everybody_has_afterwards(place: Place) -> None:
    sample = place.sample(200, 0.7, 0.6)
    place.refresh(sample)
    place.define(sample, removalGuard={"maxShare": 1.0})
    place.run()
    before = {a: m.tags for a, m in place.audience.members().items()}
    customers = {
        person.address: min(person.profiles, key=lambda who: who.customer_id).customer_id
        for person in samples.truth(sample)
    }
    place.refresh(sample.later(changed=1.0, moving=0.2, arriving=10))
    run = place.run()
    place.wait(place.portal.post(f"/api/runs/{run['id']}/undo"))

    _, rows = handed_back(place)

    back = {(r["CustomerId"], r["segment"]) for r in rows if r["outcome"] == "updated"}
    expected = {(customers[a], tag) for a, tags in before.items() for tag in tags}
    assert back == expected
    assert {r["outcome"] for r in rows} == {"updated", "removed"}
    removed = {(r["CustomerId"], r["segment"]) for r in rows if r["outcome"] == "removed"}
    assert removed.isdisjoint(back)


def test_odd_ids_and_names_come_back_as_they_are(place: Place) -> None:
    odd = ('a,"b"', "line\nbreak", "=1+1", "한글 ✓", "'; DROP TABLE x; --", " blank ")
    name = place.named("A")
    rows = tuple((who, f"odd{i}.{place.number}@example.org") for i, who in enumerate(odd))
    place.refresh_table({name: wrap.Table(("CustomerId", "EMail"), rows)})
    place.define(
        [{"name": name, "tag": '=cmd, "x"; ../한글'}],
        displayName='../"odd", =1',
        mapping={"email": "EMail"},
    )

    run = place.run()
    _, back = handed_back(place)

    assert run["status"] == "successful"
    assert sorted(row["CustomerId"] for row in back) == sorted(odd)
    assert {row["segment"] for row in back} == {name}
    assert set(place.audience.tags()) == {'=cmd, "x"; ../한글'}


def test_a_reader_finds_a_whole_file_while_a_newer_run_writes_its_own(place: Place) -> None:
    sample = place.sample(300)
    place.refresh(sample)
    place.define(sample)
    place.run()
    seen: list[int] = []
    done = threading.Event()

    def read() -> None:
        """First the description, then the file that it names, as Customer Insights does."""
        prefix = f"{place.export['id']}/model.json"
        while not done.is_set():
            model = json.loads(blobs(place.house.storage, "outcomes", prefix)[prefix])
            (partition,) = model["entities"][0]["partitions"]
            name = urlsplit(partition["location"]).path.partition("/outcomes/")[2]
            text = blobs(place.house.storage, "outcomes", name)[name].decode()
            seen.append(len(list(csv.DictReader(io.StringIO(text, newline="")))))

    with ThreadPoolExecutor(1) as reader:
        reading = reader.submit(read)
        for number in range(3):
            place.refresh(sample.later(arriving=10 * (number + 1)))
            place.run()
        done.set()
        reading.result()

    assert set(seen) <= {300, 310, 320, 330}
    assert len(seen) > 3
