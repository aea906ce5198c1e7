"""Pages make as many requests for long lists as for short ones."""

from collections import Counter
from dataclasses import replace
from typing import Any

from shared.segments.choosing.catalogue import Catalogue
from shared.segments.choosing.stored_row_counts import StoredRowCounts
from tests.fakes import Clock, MemoryFiles, MemoryStore, StoreClient
from tests.segments.segment_files import MemoryContainer, csv_bytes, entity, model_json
from tests.web.browser import Browser
from tests.web.client import new_connection, new_export, send
from tests.web.world import NOW, World

COLUMNS = ["CustomerId", "EMail", "FirstName"]


class Landing(MemoryContainer):
    """A landing container in memory with segments that one `model.json` describes."""

    written = NOW

    def __init__(self, segments: int) -> None:
        files = {
            f"Export/S{number}.csv": csv_bytes(
                [COLUMNS, [str(number), "ada@contoso.example", "Ada"]]
            )
            for number in range(segments)
        }
        listed = [entity(f"S{n}", COLUMNS, [f"S{n}.csv"]) for n in range(segments)]
        super().__init__({**files, "Export/model.json": model_json(*listed)})


class Counted:
    """Counts the calls of the methods of an object."""

    def __init__(self, target: Any, requests: Counter[str]) -> None:
        self._target, self._requests = target, requests

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if not callable(found):
            return found

        def call(*given: Any, **more: Any) -> Any:
            self._requests[f"{type(self._target).__name__}.{name}"] += 1
            return found(*given, **more)

        return call


def counted(world: World, requests: Counter[str], **parts: Any) -> None:
    """Count the requests for records, and serve the world with other `parts`."""
    given = world.services
    world.serve(
        replace(
            given,
            schedule_records=Counted(world.schedule, requests),
            connections=replace(given.connections, records=Counted(world.connections, requests)),
            definitions=replace(given.definitions, exports=Counted(world.exports, requests)),
            **parts,
        )
    )


def requests_of_the_form(segments: int) -> list[Counter[str]]:
    """What the form asks of storage: first, in a new process, and with every segment chosen."""
    world = World()
    new_connection(world)
    requests: Counter[str] = Counter()
    files = MemoryFiles(StoreClient(MemoryStore(Clock())))
    landing = Landing(segments)

    def start_process() -> None:
        counts = StoredRowCounts(Counted(files, requests))
        catalogue = Catalogue(Counted(landing, requests), "", counts)
        counted(world, requests, catalogue=catalogue)

    start_process()
    first = Browser(world).open("/setup/export")
    assert first.html.count('name="segment"') == segments
    found = []
    start_process()
    requests.clear()
    page = Browser(world).open("/setup/export")
    found.append(Counter(requests))
    requests.clear()
    page.send("/setup/export", {"do": "selectAll"})
    assert page.html.count(" checked") >= segments
    found.append(Counter(requests))
    return found


def test_the_export_form_makes_no_request_per_segment() -> None:
    few, many = requests_of_the_form(3), requests_of_the_form(300)
    assert many == few
    assert all(sum(requests.values()) < 20 for requests in many)


def requests_of_lists(number: int) -> list[Counter[str]]:
    """What the lists of connections and of the audit trail ask of storage."""
    world = World()
    for position in range(number):
        connection, audience = new_connection(world), f"audience{position}"
        export = new_export(
            world, connection, displayName=f"Export {position}", audienceId=audience
        )
        send(world, "POST", f"/api/exports/{export}/runs", status=202)
    requests: Counter[str] = Counter()
    counted(world, requests)
    found = []
    for path in ("/connections", "/audit"):
        requests.clear()
        assert Browser(world).open(path).html.count("Export 0") > 0
        found.append(Counter(requests))
    return found


def test_lists_read_their_records_once() -> None:
    assert requests_of_lists(12) == requests_of_lists(2)
