"""The storage in memory that tests use behaves like Azurite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared.capacity.pace import Pace
from shared.errors import Changed, Conflict, NotFound
from shared.storage.files import BlobFiles
from shared.storage.leases import BlobLeases
from shared.storage.records import TableRecords
from tests.fakes import Clock, MemoryFiles, MemoryLeases, MemoryRecords, MemoryStore, StoreClient


@pytest.fixture(params=["memory", "azurite"])
def memory_storage(request: pytest.FixtureRequest) -> tuple[Any, Any, Any]:
    """Records, files and leases: in memory, and on a real Azurite."""
    if request.param == "memory":
        client = StoreClient(MemoryStore())
        return MemoryRecords(client, "paces"), MemoryFiles(client), MemoryLeases(client)
    clients, name = request.getfixturevalue("clients"), request.getfixturevalue("name")
    return TableRecords(clients, name, Pace), BlobFiles(clients, name), BlobLeases(clients, name)


def test_in_memory_storage_and_azurite_behave_the_same(
    memory_storage: tuple[Any, Any, Any], tmp_path: Path
) -> None:
    records, files, leases = memory_storage
    one, two = Pace(1, Clock().now()), Pace(2, Clock().now())

    assert records.read("a/1") is None
    first = records.create("a/1", one)
    with pytest.raises(Conflict):
        records.create("a/1", two)
    second = records.replace("a/1", two, first.etag)
    with pytest.raises(Changed):
        records.replace("a/1", one, first.etag)
    with pytest.raises(Changed):
        records.replace("a/9", one, first.etag)
    records.create_many([("a/0", one), ("a/1", one), ("a/2", one)])
    assert [(s.key, s.value.limit) for s in records.all("a")] == [
        ("a/0", 1), ("a/1", 2), ("a/2", 1),
    ]  # fmt: skip
    assert list(records.all("b")) == []
    with pytest.raises(Changed):
        records.delete("a/1", first.etag)
    records.delete("a/1", second.etag)
    records.delete("a/1")

    files.write("f/x", b"hello", once=True)
    with pytest.raises(Conflict):
        files.write("f/x", b"other", once=True)
    assert files.read("f/x", 1, 3) == b"ell"
    files.download("f/x", tmp_path / "x")
    files.upload(tmp_path / "x", "f/y")
    read = files.download("f/y", tmp_path / "y")
    files.upload(tmp_path / "x", "f/y", read)
    with pytest.raises(Changed):
        files.upload(tmp_path / "x", "f/y", read)
    with pytest.raises(Changed):
        files.upload(tmp_path / "x", "f/z", read)
    assert list(files.names("f/")) == ["f/x", "f/y"]
    files.delete("f/x")
    files.delete("f/x")
    with pytest.raises(NotFound):
        files.read("f/x")

    lease = leases.acquire("l", 15)
    assert lease is not None
    assert leases.acquire("l", 15) is None
    lease.renew()
    lease.release()
    again = leases.acquire("l", 15)
    assert again is not None
    with pytest.raises(Changed):
        lease.renew()
    again.release()
