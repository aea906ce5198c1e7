"""What the app keeps of people, and for how long: looked for in all blobs, tables and queues."""

import contextlib
import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
import requests
from azure.data.tables import TableServiceClient
from azure.storage.queue import QueueServiceClient

from devhost.api_client import PortalError
from devhost.processes import Azurite, start_azurite
from sandbox import wrap
from sandbox.mailchimp.box import Sandbox
from sandbox.mailchimp.faults import Fault
from tests.e2e.running_app import House, Place, open_house
from tests.e2e.stored_data import blobs, house_of
from tests.e2e.test_people import exported, rows_of, sighting, wherever
from tests.e2e.test_undo import take_back

COLUMNS = ("CustomerId", "EMail", "FirstName", "LastName", "RewardPoints", "City", "Note")


@pytest.fixture
def own_azurite(tmp_path: Path) -> Iterator[Azurite]:
    azurite = start_azurite(tmp_path / "azurite")
    yield azurite
    azurite.stop()


@pytest.fixture(scope="module")
def house(house_alone: House) -> House:
    """Erasing asks every audience that any export has."""
    return house_alone


def beside_blobs(storage: str) -> str:
    """Everything in tables and queues, and the names of all blobs."""
    found = []
    with TableServiceClient.from_connection_string(storage) as tables:
        for table in tables.list_tables():
            for entity in tables.get_table_client(table.name).list_entities():
                found.append(repr(dict(entity)))
    with QueueServiceClient.from_connection_string(storage) as queues:
        for queue in queues.list_queues():
            client = queues.get_queue_client(queue.name)
            found += [str(message.content) for message in client.peek_messages(32)]
    for container in ("state", "outcomes"):
        found += blobs(storage, container)
    return "\n".join(found)


def test_nobody_is_named_in_logs_tables_queues_and_names_whatever_is_asked(
    own_azurite: Azurite, mailchimp: Sandbox, tmp_path: Path
) -> None:
    secrets = ("zaphodine", "quuxington", "wumpusburg", "zq-4712-profile", "xyzzy-4712")
    addresses = [f"xyzzy-4712-{number}@example.com" for number in range(60)]
    rows = [
        (f"zq-4712-profile-{n}", a, f"Zaphodine{n}", f"Quuxington{n}", "1", f"Wumpusburg{n}", "")
        for n, a in enumerate(addresses)
    ]
    storage = own_azurite.connection_string
    with open_house(storage, mailchimp, tmp_path, debug=True) as house:
        place = Place(house, tmp_path)
        name = place.named("Private")
        mailchimp.set(refused_addresses=[addresses[1]])
        place.refresh_table({name: wrap.Table(COLUMNS, tuple(rows[:50]))})
        place.define([name])
        first = place.run()
        assert first["counts"]["rejected"] == 1
        place.wait(place.portal.post(f"/api/runs/{first['id']}/retry"))
        changed = [(*row[:2], f"{row[2]}x", *row[3:]) for row in rows]
        place.refresh_table({name: wrap.Table(COLUMNS, tuple(changed[5:]))})
        run = place.run()
        take_back(place, run, archiveCreated=True)
        place.run("preview")
        shrunk = wrap.Table(COLUMNS, tuple(changed[40:]))
        place.refresh_table({name: shrunk})
        waiting = place.run()
        assert waiting["status"] == "awaitingConfirmation"
        # Whoever asks in a wrong way is answered without an echo in the log.
        http = requests.Session()
        for body in (
            {"email": addresses[2], "name": "Zaphodine"},
            {"email": [addresses[2]]},
            f'{{"email": "{addresses[2]}"',
            {"deleteInMailchimp": addresses[2]},
        ):
            for path in ("search", "erase"):
                data = body if isinstance(body, str) else json.dumps(body)
                answer = http.post(
                    f"{house.app.url}api/people/{path}",
                    data=data,
                    headers={"Content-Type": "application/json"},
                    timeout=30,
                )
                assert answer.status_code == 400
        http.post(f"{house.app.url}people", data=urlencode({"email": addresses[3]}), timeout=30)
        mailchimp.arm(Fault("503-html", "POST", r"/members/", times=None))
        with pytest.raises(PortalError):
            place.portal.post(
                "/api/people/erase", {"email": addresses[4], "deleteInMailchimp": True}
            )
        mailchimp.disarm()
        place.portal.post("/api/people/erase", {"email": addresses[4], "deleteInMailchimp": True})
        with contextlib.suppress(PortalError):
            place.portal.post("/api/people/erase", {"email": "nobody", "deleteInMailchimp": True})
        place.portal.call("DELETE", f"/api/exports/{place.export['id']}")
        beside = beside_blobs(storage).lower()
        log = house.app.log
        assert log is not None
        written = log.read_text("utf-8", errors="replace").lower()
    mailchimp.set(refused_addresses=[])

    assert written.count("debug") > 100
    assert "person.erase" in beside  # the audit trail is among what was looked through
    hashes = [hashlib.md5(a.encode(), usedforsecurity=False).hexdigest() for a in addresses]
    for text in (*secrets, *hashes):
        assert text not in written
        assert text not in beside


def test_after_the_retention_nothing_of_a_run_is_left(place: Place) -> None:
    n = place.number
    exported(place, ("c1", f"ada{n}@example.org"), ("c2", f"bob{n}@example.org"))
    place.audience.unsubscribe(f"bob{n}@example.org")
    run = exported(place, ("c1", f"ada{n}@example.org"), ("c3", f"cid{n}@example.org"))
    preview = place.run("preview")
    undone = take_back(place, run)
    house = house_of(place.house.storage)
    storage = place.house.storage
    assert blobs(storage, "outcomes", f"{place.export['id']}/")
    later = datetime.now(UTC) + timedelta(days=30, minutes=1)

    replace(house.retention, now=lambda: later).clear()

    for one in (run, preview, undone):
        assert blobs(storage, "state", f"runs/{one['id']}/") == {}
        assert list(house.chunks.all(one["id"])) == []
        seen = place.portal.get(f"/api/runs/{one['id']}")
        assert seen["counts"] == one["counts"]
    assert blobs(storage, "outcomes", f"{place.export['id']}/") == {}
    with pytest.raises(PortalError) as gone:
        place.portal.outcomes(run["id"])
    assert gone.value.status == 404
    # What is left of people is the ledger and whom the audience holds; they go with the export.
    left = set(wherever(place, f"ada{n}@") + wherever(place, f"bob{n}@"))
    assert {name.partition("/")[0] for name in left} == {"ledgers", "audiences"}
    place.portal.call("DELETE", f"/api/exports/{place.export['id']}")
    replace(house.retention, now=lambda: later + timedelta(days=1)).clear()
    assert wherever(place, f"ada{n}@") + wherever(place, f"bob{n}@") == []


def test_an_erasure_finds_a_person_however_the_address_is_written_and_shared(
    place: Place,
) -> None:
    n = place.number
    ada, bob = f"ada{n}@example.org", f"bob{n}@example.org"
    exported(place, ("c1", f" ADA{n}@Example.ORG\u00a0"), ("c2", bob), ("c3", ada))
    place.refresh_table(rows_of(place, ("c2", bob)))
    place.run()  # the person has left: only the ledger knows of them, and the outcomes of runs

    place.portal.post(
        "/api/people/erase", {"email": f"\u2003aDa{n}@EXAMPLE.org ", "deleteInMailchimp": False}
    )

    assert wherever(place, ada) == []
    back = handed_back(place)
    assert {row["CustomerId"] for row in back} == {"c2"}


def handed_back(place: Place) -> list[dict[str, str]]:
    """The rows of every file that was handed back for a place's export."""
    found = blobs(place.house.storage, "outcomes", f"{place.export['id']}/")
    return [
        row
        for name, data in found.items()
        if name.endswith(".csv")
        for row in csv.DictReader(io.StringIO(data.decode(), newline=""))
    ]


def test_who_is_only_on_the_list_of_the_unsubscribed_is_found_and_erased(place: Place) -> None:
    n = place.number
    stranger = f"stranger{n}@example.org"
    place.audience.unsubscribe(stranger)
    exported(place, ("c1", f"ada{n}@example.org"))
    assert [name.partition("/")[0] for name in wherever(place, stranger)] == ["audiences"]
    assert sighting(place, stranger)["inAudience"] == "unsubscribed"

    receipt = place.portal.post(
        "/api/people/erase", {"email": stranger.upper(), "deleteInMailchimp": True}
    )

    assert (receipt["records"], receipt["deletedInMailchimp"]) == (1, 1)
    assert wherever(place, stranger) == []
    place.run()
    assert wherever(place, stranger) == []


def test_a_run_that_waits_for_a_yes_does_not_keep_an_erased_person(place: Place) -> None:
    sample = place.sample(60)
    place.refresh(sample)
    place.define(sample)
    place.run()
    left = sample.later(leaving=40)
    place.refresh(left)
    waiting = place.run()
    assert waiting["status"] == "awaitingConfirmation"
    leaver, other = (row["email"] for row in place.outcomes(waiting, "notSent")[:2])

    receipt = place.portal.post("/api/people/erase", {"email": leaver, "deleteInMailchimp": False})

    assert receipt["waitsFor"] == []
    assert wherever(place, leaver) == []
    closed = place.portal.get(f"/api/runs/{waiting['id']}")
    assert (closed["status"], closed["reason"]["code"]) == ("canceled", "erasedMeanwhile")
    page = requests.post(
        f"{place.portal.url}/api/people/search",
        json={"email": leaver},
        headers={"Accept-Language": "ko"},
        timeout=30,
    ).json()["value"]
    mine = next(one for one in page if one["exportId"] == place.export["id"])
    assert (mine["code"], "제거된 사람" in mine["reason"]) == ("erased", True)
    again = place.run()
    assert again["status"] == "awaitingConfirmation"
    assert again["counts"]["left"] == 39
    # Whoever is not in it does not close it.
    stranger = f"stranger{place.number}@example.org"
    place.portal.post("/api/people/erase", {"email": stranger, "deleteInMailchimp": False})
    after = place.wait(place.portal.post(f"/api/runs/{again['id']}/confirm"))
    assert after["status"] == "successful"
    assert other in place.audience.members()
    assert wherever(place, leaver) == []


def test_an_undo_does_not_bring_an_erased_person_back(place: Place) -> None:
    n = place.number
    ada, bob = f"ada{n}@example.org", f"bob{n}@example.org"
    place.refresh_table(rows_of(place, ("c1", ada), ("c2", bob)))
    place.define([place.named("A")])
    place.run()
    table = rows_of(place, ("c1", ada), ("c2", bob))[place.named("A")]
    rows = [(*row[:2], "Changed", *row[3:]) for row in table.rows]
    place.refresh_table({place.named("A"): wrap.Table(table.columns, tuple(rows))})
    run = place.run()
    assert run["counts"]["updated"] == 2
    place.portal.post("/api/people/erase", {"email": ada, "deleteInMailchimp": True})

    undone = take_back(place, run)

    assert place.audience.members().keys() == {bob}
    assert place.audience.member(bob).merge_fields["FNAME"] == "Ada"
    assert wherever(place, ada) == []
    assert [row["email"] for row in place.outcomes(undone)] == [bob]
    with pytest.raises(PortalError):
        place.portal.post(f"/api/runs/{undone['id']}/retry")


def test_a_person_who_is_erased_while_unreachable_elsewhere_is_gone_here(
    new_place: Callable[..., Place],
) -> None:
    one, other = new_place(), new_place()
    ada = f"ada{one.number}@example.org"
    exported(one, ("c1", ada))
    exported(other, ("c9", ada))
    one.house.box.arm(Fault("503-html", "POST", r"delete-permanent", times=None))

    with pytest.raises(PortalError) as busy:
        one.portal.post("/api/people/erase", {"email": ada, "deleteInMailchimp": True})

    assert busy.value.status == 503
    assert wherever(one, ada) == []
    one.house.box.disarm()
    receipt = one.portal.post("/api/people/erase", {"email": ada, "deleteInMailchimp": True})
    assert receipt["deletedInMailchimp"] == 2
