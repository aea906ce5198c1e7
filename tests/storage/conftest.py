"""Separate storage for every test, on the session's Azurite."""

import socket
import uuid
from collections.abc import Iterator

import pytest

from shared.settings import StorageAccount
from shared.storage.clients import ClientOptions, StorageClients

QUICK = ClientOptions(retries=1, backoff=0.01, connect_timeout=2, read_timeout=20)


@pytest.fixture
def account(storage: str) -> StorageAccount:
    return StorageAccount(connection_string=storage)


@pytest.fixture
def clients(account: StorageAccount) -> Iterator[StorageClients]:
    clients = StorageClients(account)
    yield clients
    clients.close()


@pytest.fixture
def elsewhere(account: StorageAccount) -> Iterator[StorageClients]:
    """The same account, seen from another process."""
    clients = StorageClients(account)
    yield clients
    clients.close()


@pytest.fixture
def unreachable(storage: str, unused_port: int) -> Iterator[StorageClients]:
    """An unreachable account."""
    parts = dict(part.partition("=")[::2] for part in storage.split(";") if part)
    for kind in ("Blob", "Queue", "Table"):
        parts[f"{kind}Endpoint"] = f"http://127.0.0.1:{unused_port}/devstoreaccount1"
    text = ";".join(f"{name}={value}" for name, value in parts.items())
    clients = StorageClients(StorageAccount(connection_string=text), QUICK)
    yield clients
    clients.close()


@pytest.fixture
def unused_port() -> Iterator[int]:
    """A port that refuses connections: bound, so that no other process takes it, but not listening."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@pytest.fixture
def name() -> str:
    """A name that no other test has: for a table, a container or a queue."""
    return f"t{uuid.uuid4().hex[:20]}"
