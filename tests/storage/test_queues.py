"""Messages have the form that host.json expects, on a real queue service."""

import base64
from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest

from shared.errors import InputError, Unavailable
from shared.storage.clients import StorageClients
from shared.storage.queues import StorageQueue
from tests.waiting import until


@pytest.fixture
def queue(clients: StorageClients) -> StorageQueue:
    return StorageQueue(clients)


def received(clients: StorageClients, name: str) -> list[object]:
    messages = clients.queues.get_queue_client(name).receive_messages(visibility_timeout=600)
    return [orjson.loads(base64.b64decode(message.content, validate=True)) for message in messages]


def test_a_message_is_json_in_base64(
    queue: StorageQueue, clients: StorageClients, name: str
) -> None:
    queue.send(name, {"run": "1", "attempt": 2, "name": "한글 🎉 <&>"})
    assert received(clients, name) == [{"run": "1", "attempt": 2, "name": "한글 🎉 <&>"}]


def test_a_delayed_message_becomes_visible_later(
    queue: StorageQueue, clients: StorageClients, name: str
) -> None:
    queue.send(name, {"run": "later"}, delay=5)
    queue.send(name, {"run": "now"})
    assert received(clients, name) == [{"run": "now"}]
    assert until(lambda: received(clients, name), every=0.2) == [{"run": "later"}]


def test_a_delay_may_have_the_maximum_of_azure(
    queue: StorageQueue, clients: StorageClients, name: str
) -> None:
    queue.send(name, {"run": "1"}, delay=10**9)
    assert received(clients, name) == []
    count = clients.queues.get_queue_client(name).get_queue_properties()
    assert count.approximate_message_count == 1


def test_a_message_never_expires(queue: StorageQueue, clients: StorageClients, name: str) -> None:
    queue.send(name, {"run": "1"})
    (message,) = clients.queues.get_queue_client(name).receive_messages()
    assert message.expires_on.year > 2100


def test_the_first_message_creates_the_queue(clients: StorageClients, name: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: StorageQueue(clients).send(name, {"run": n}), range(8)))
    assert sorted(message["run"] for message in received(clients, name)) == list(range(8))


def test_a_message_has_at_most_48_kb(
    queue: StorageQueue, clients: StorageClients, name: str
) -> None:
    room = 48 * 1024 - len('{"a":""}')
    queue.send(name, {"a": "x" * room})
    assert received(clients, name) == [{"a": "x" * room}]
    with pytest.raises(InputError):
        queue.send(name, {"a": "x" * (room + 1)})
    with pytest.raises(InputError):
        queue.send(name, {"a": "é" * (room // 2 + 1)})


@pytest.mark.parametrize("value", [object(), "\ud800", {1: 2}])
def test_invalid_json_values_are_refused(queue: StorageQueue, name: str, value: object) -> None:
    with pytest.raises(InputError):
        queue.send(name, {"a": value})


def test_an_unreachable_service_is_unavailable(unreachable: StorageClients) -> None:
    with pytest.raises(Unavailable):
        StorageQueue(unreachable).send("queue", {})


def test_invisible_messages_count_and_a_missing_queue_is_empty(
    queue: StorageQueue, clients: StorageClients, name: str
) -> None:
    assert queue.count(name) == 0
    for number in range(3):
        queue.send(name, {"run": str(number)}, delay=60 if number else 0)
    assert len(received(clients, name)) == 1  # and is hidden from now on
    assert queue.count(name) == 3
