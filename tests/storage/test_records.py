"""TableRecords implements Records of shared/model/ports.py on a real table service."""

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus

import pytest
import requests

from shared.errors import Changed, ConfigError, Conflict, ConnectorError, InputError, Unavailable
from shared.model.ports import Records, update
from shared.settings import StorageAccount
from shared.storage.clients import ClientOptions, StorageClients
from shared.storage.records import TableRecords
from tests.local_server import QuietHandler, serving


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Part:
    name: str
    weight: float | None = None


@dataclass(frozen=True)
class Thing:
    text: str = ""
    number: int = 0
    colour: Colour = Colour.RED
    made_at: datetime | None = None
    parts: tuple[Part, ...] = ()


@pytest.fixture
def things(clients: StorageClients, name: str) -> Records[Thing]:
    return TableRecords(clients, name, Thing, columns=columns)


def columns(thing: Thing) -> Mapping[str, str]:
    return {"colour": thing.colour, "text": thing.text[:100]}


def test_a_record_is_read_back_unchanged(things: Records[Thing]) -> None:
    thing = Thing("hello", 7, Colour.BLUE, datetime(2026, 1, 2, 3, 4, 5, 6, UTC), (Part("a", 0.1),))
    created = things.create("one", thing)
    assert things.read("one") == created
    assert created.value == thing


def test_storage_is_empty_before_the_first_write(things: Records[Thing]) -> None:
    assert things.read("one") is None
    assert list(things.all()) == []
    assert list(things.all("part", {"colour": "red"})) == []
    things.delete("one")


def test_a_record_is_created_once(things: Records[Thing]) -> None:
    things.create("one", Thing("first"))
    with pytest.raises(Conflict):
        things.create("one", Thing("second"))
    assert things.read("one").value.text == "first"


def test_of_many_simultaneous_creations_one_succeeds(things: Records[Thing]) -> None:
    start = threading.Barrier(16)

    def create(number: int) -> bool:
        start.wait()
        try:
            things.create("run/one", Thing(number=number))
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(create, range(16))) == 1


def test_the_second_of_two_writers_with_one_etag_gets_changed(
    things: Records[Thing],
) -> None:
    read = things.create("one", Thing())
    written = things.replace("one", Thing("mine"), read.etag)
    with pytest.raises(Changed):
        things.replace("one", Thing("theirs"), read.etag)
    with pytest.raises(Changed):
        things.delete("one", read.etag)
    assert things.read("one") == written
    things.delete("one", written.etag)
    assert things.read("one") is None


def test_replacing_a_deleted_record_gets_changed(things: Records[Thing]) -> None:
    read = things.create("one", Thing())
    things.delete("one")
    things.delete("one")
    with pytest.raises(Changed):
        things.replace("one", Thing(), read.etag)


def test_32_threads_lose_no_update(
    things: Records[Thing], caplog: pytest.LogCaptureFixture
) -> None:
    things.create("one", Thing())

    def count(_: int) -> None:
        update(things, "one", lambda thing: replace(thing, number=thing.number + 1), tries=500)

    with caplog.at_level("DEBUG"), ThreadPoolExecutor(32) as pool:
        list(pool.map(count, range(40)))
        list(pool.map(things.read, ["one"] * 200))
    assert things.read("one").value.number == 40
    assert [record for record in caplog.records if "pool" in record.getMessage()] == []


def test_250_records_of_a_partition_are_created_and_listed_in_order(
    things: Records[Thing],
) -> None:
    numbers = [n * 7 % 250 for n in range(250)]
    things.create_many([(f"run/{n:03}", Thing(number=n)) for n in numbers])
    assert [stored.key for stored in things.all("run")] == [f"run/{n:03}" for n in range(250)]
    assert [stored.value.number for stored in things.all("run")] == list(range(250))


def test_creating_many_records_keeps_existing_ones(things: Records[Thing]) -> None:
    things.create_many([(f"run/{n:03}", Thing("old", n)) for n in range(40, 140)])
    things.create_many([(f"run/{n:03}", Thing("new", n)) for n in range(220)])
    things.create_many([(f"run/{n:03}", Thing("newer", n)) for n in range(220)])
    texts = [stored.value.text for stored in things.all("run")]
    assert texts == ["new"] * 40 + ["old"] * 100 + ["new"] * 80


def test_creating_many_large_records_stays_within_the_limits_of_a_transaction(
    things: Records[Thing],
) -> None:
    things.create_many([(f"run/{n}", Thing("x" * 300_000, n)) for n in range(20)])
    assert len(list(things.all("run"))) == 20


def test_many_records_must_share_a_partition(things: Records[Thing]) -> None:
    with pytest.raises(InputError):
        things.create_many([("a/1", Thing()), ("b/1", Thing())])
    things.create_many([])


def test_a_long_list_is_read_in_pages(things: Records[Thing]) -> None:
    things.create_many([(f"a/{n:04}", Thing(number=n)) for n in range(1_050)])
    things.create_many([(f"b/{n:04}", Thing(number=n)) for n in range(10)])
    keys = [stored.key for stored in things.all()]
    assert keys == [f"a/{n:04}" for n in range(1_050)] + [f"b/{n:04}" for n in range(10)]


def test_records_are_found_by_equal_columns(things: Records[Thing]) -> None:
    odd = "it's 50% \"한글\" 🎉 & a eq 'b' \\"
    things.create("a/1", Thing(odd, 1))
    things.create("a/2", Thing(odd, 2, Colour.BLUE))
    things.create("b/3", Thing(odd, 3))
    things.create("4", Thing("plain", 4))

    def numbers(partition: str | None, where: Mapping[str, str] | None) -> list[int]:
        return [stored.value.number for stored in things.all(partition, where)]

    assert numbers(None, {"text": odd}) == [1, 2, 3]
    assert numbers("a", {"text": odd}) == [1, 2]
    assert numbers("a", {"text": odd, "colour": "blue"}) == [2]
    assert numbers(None, {"text": "plain"}) == [4]
    assert numbers(None, {"text": "no such"}) == []
    assert numbers("it's", None) == []


def test_records_after_a_key_are_read_in_pages(things: Records[Thing]) -> None:
    things.create_many([(f"k{number}", Thing(number=number)) for number in range(7)])
    things.create("p/k9", Thing(number=9))
    found = [stored.key for stored in things.all(after="k2", page=2)]
    assert found == ["k3", "k4", "k5", "k6"]
    assert list(things.all(after="k6")) == []


def test_a_column_is_updated_with_its_value(things: Records[Thing]) -> None:
    read = things.create("one", Thing(colour=Colour.RED))
    things.replace("one", Thing(colour=Colour.BLUE), read.etag)
    assert list(things.all(where={"colour": "red"})) == []
    assert [stored.key for stored in things.all(where={"colour": "blue"})] == ["one"]


def test_records_between_two_keys_are_read(things: Records[Thing]) -> None:
    for key in ("a", "b", "c", "d", "parent/b"):
        things.create(key, Thing(colour=Colour.BLUE if key == "c" else Colour.RED))

    assert [stored.key for stored in things.all(after="a", last="c")] == ["b", "c"]
    assert [stored.key for stored in things.all(after="b~")] == ["c", "d"]
    assert [stored.key for stored in things.all(last="b~")] == ["a", "b"]
    assert [stored.key for stored in things.all(where={"colour": "red"}, after="a")] == ["b", "d"]


@pytest.mark.parametrize(
    "text",
    ["x" * 200_000, "한🎉'\"\\\n\t\x00\u2028" * 10_000, "🎉" * 15_001, "", " "],
    ids=["200kB", "odd", "pairs", "empty", "blank"],
)
def test_values_keep_their_text(things: Records[Thing], text: str) -> None:
    things.create("one", Thing(text))
    assert things.read("one").value.text == text


def test_a_shorter_value_leaves_no_old_pieces(things: Records[Thing]) -> None:
    read = things.create("one", Thing("x" * 100_000))
    things.replace("one", Thing("y"), read.etag)
    assert things.read("one").value.text == "y"


def test_a_value_too_large_for_a_record_is_refused(things: Records[Thing]) -> None:
    with pytest.raises(InputError) as caught:
        things.create("one", Thing("secret" * 100_000))
    assert caught.value.code == "recordTooLarge"
    assert "secret" not in str(caught.value)


def test_invalid_unicode_is_refused(things: Records[Thing]) -> None:
    with pytest.raises(InputError):
        things.create("one", Thing("\ud800"))


@pytest.mark.parametrize("key", ["", "/", "a/", "/a", "a/b/c", "a b", "é", "a'", "~", "~/a", "a.b"])
def test_an_invalid_key_does_not_exist(things: Records[Thing], key: str) -> None:
    things.create("a", Thing())
    assert things.read(key) is None
    things.delete(key)
    with pytest.raises(InputError):
        things.create(key, Thing())


def spoil(clients: StorageClients, table: str, change: Callable[[dict[str, object]], None]) -> None:
    entity = clients.table(table).get_entity("~", "one")
    change(entity)
    clients.table(table).update_entity(entity, mode="replace")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda entity: entity.update(version=2), "recordNewer"),
        (lambda entity: entity.update(json0="{"), "recordDamaged"),
        (lambda entity: entity.update(json0='{"number": "secret"}'), "recordDamaged"),
        (lambda entity: entity.update(json0=5), "recordDamaged"),
        (lambda entity: entity.pop("json0"), "recordDamaged"),
    ],
    ids=["newer", "cut", "of another shape", "of another type", "empty"],
)
def test_an_unreadable_record_is_named_without_its_content(
    clients: StorageClients, name: str, change: Callable[[dict[str, object]], None], code: str
) -> None:
    things = TableRecords(clients, name, Thing)
    things.create("one", Thing("secret"))
    spoil(clients, name, change)
    with pytest.raises(ConnectorError) as caught:
        things.read("one")
    assert caught.value.code == code
    assert name in str(caught.value)
    assert "one" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_record_of_an_older_version_gets_the_defaults(clients: StorageClients, name: str) -> None:
    things = TableRecords(clients, name, Thing)
    things.create("one", Thing("kept"))
    spoil(clients, name, lambda entity: entity.update(json0='{"text": "kept", "gone": 1}'))
    assert things.read("one").value == Thing("kept")


def test_an_unreachable_service_is_unavailable(unreachable: StorageClients, name: str) -> None:
    things = TableRecords(unreachable, name, Thing)
    calls: list[Callable[[], object]] = [
        lambda: things.read("a"),
        lambda: things.create("a", Thing()),
        lambda: things.create_many([("a", Thing())]),
        lambda: things.replace("a", Thing(), "etag"),
        lambda: things.delete("a"),
        lambda: list(things.all()),
    ]
    for call in calls:
        with pytest.raises(Unavailable) as caught:
            call()
        assert not caught.value.maybe_applied


def test_a_wrong_storage_key_is_a_config_error(account: StorageAccount, name: str) -> None:
    wrong = account.connection_string.replace("AccountKey=", "AccountKey=AAAA")
    clients = StorageClients(StorageAccount(wrong))
    with pytest.raises(ConfigError) as caught:
        TableRecords(clients, name, Thing).read("a")
    assert caught.value.code == "accessRefused"
    clients.close()


class FaultyTables(QuietHandler):
    """Passes calls on to Azurite, but drops the answers of the first `lose` writes, and refuses writes with the text `refused`."""

    protocol_version = "HTTP/1.1"
    behind = ""
    lose = 0
    refused = b""

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = dict(self.headers.items())
        if self.refused and self.refused in body:
            self.respond(HTTPStatus.FORBIDDEN)
            return
        # The signature covers the path, not the host.
        answer = requests.request(
            self.command, self.behind + self.path, headers=headers, data=body, timeout=100
        )
        if self.command in ("POST", "PUT") and "/Tables" not in self.path and type(self).lose > 0:
            type(self).lose -= 1
            self.close_connection = True
            return
        names = ("Content-Type", "ETag", "x-ms-error-code")
        passed_on = {name: answer.headers[name] for name in names if name in answer.headers}
        self.respond(answer.status_code, answer.content, passed_on)

    do_GET = do_POST = do_PUT = do_DELETE = _pass_on


@contextmanager
def faulty_tables(
    account: StorageAccount, options: ClientOptions, **faults: object
) -> Iterator[tuple[type[FaultyTables], StorageClients]]:
    """The clients of a service with these attributes of FaultyTables, and its class, whose attributes may change."""
    endpoint = account.connection_string.split("TableEndpoint=")[1].split(";")[0]
    behind = endpoint.split("/devstoreaccount1")[0]
    proxy = type("Proxy", (FaultyTables,), {"behind": behind, **faults})
    with serving(proxy) as host:
        changed = StorageAccount(account.connection_string.replace(behind, f"http://{host}"))
        with closing(StorageClients(changed, options)) as clients:
            yield proxy, clients


def test_a_write_with_a_lost_response_recognizes_its_own_result(
    account: StorageAccount, clients: StorageClients, name: str
) -> None:
    things = TableRecords(clients, name, Thing)
    things.create("before", Thing())
    options = ClientOptions(retries=2, backoff=0.01)
    with faulty_tables(account, options, lose=1) as (proxy, clients_of_proxy):
        shaky = TableRecords(clients_of_proxy, name, Thing)
        created = shaky.create("one", Thing("mine"))
        assert proxy.lose == 0
        proxy.lose = 1
        replaced = shaky.replace("one", Thing("mine too"), created.etag)
        assert proxy.lose == 0
        proxy.lose = 1
        shaky.create_many([("run/1", Thing("a")), ("run/2", Thing("b"))])
        assert proxy.lose == 0
        with pytest.raises(Changed):
            shaky.replace("one", Thing("late"), created.etag)
    assert things.read("one") == replaced
    assert [stored.value.text for stored in things.all("run")] == ["a", "b"]


def test_many_records_that_were_created_in_part_are_completed_by_another_call(
    account: StorageAccount, clients: StorageClients, name: str
) -> None:
    things = TableRecords(clients, name, Thing)
    wanted = [(f"run/{n:04}", Thing("new", n)) for n in range(1_000)]
    things.create("run/0000", Thing("old", 0))
    options = ClientOptions(retries=0)
    with (
        faulty_tables(account, options, refused=b"0250") as (_, clients_of_proxy),
        pytest.raises(ConnectorError),
    ):
        TableRecords(clients_of_proxy, name, Thing).create_many(wanted)
    created = {stored.key for stored in things.all("run")}
    assert len(created) < 1_000
    assert "run/0250" not in created
    things.create_many(wanted)
    texts = [stored.value.text for stored in things.all("run")]
    assert texts == ["old", *["new"] * 999]
