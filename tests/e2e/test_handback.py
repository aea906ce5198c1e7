"""What Customer Insights can take back after a run: a CDM folder of outcomes, judged from outside."""

import csv
import io
import json
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import jsonschema
import pytest

from sandbox import samples
from shared.exports.source import Snapshot
from tests.e2e.house import Place
from tests.e2e.state import blobs, house_of

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
        bad = source.load(
            db, snapshot.segments[0], ["CustomerId", "outcome"], "t", place._folder.parent
        )
        outcomes = db.execute("SELECT c1, count(*) FROM t GROUP BY c1").fetchall()

    assert bad == []
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
