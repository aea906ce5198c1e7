"""BlobFiles implements Files of shared/model/ports.py on a real blob service."""

import hashlib
import os
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from devhost.processes import Azurite
from shared.errors import Changed, Conflict, InputError, NotFound, Unavailable
from shared.model.exclusions import ExclusionList
from shared.model.ports import Files
from shared.people.erasures import marker_for_addresses
from shared.people.exclusion_lists import ExclusionLists
from shared.settings import StorageAccount
from shared.storage.clients import BLOCK, ClientOptions, StorageClients
from shared.storage.files import BlobFiles
from tests.faults.storage_proxy import StorageFaults, faulty_storage


@pytest.fixture
def files(clients: StorageClients, name: str) -> Files:
    return BlobFiles(clients, name)


def test_a_file_can_be_written_read_and_overwritten(files: Files) -> None:
    files.write("a/b", b"one")
    files.write("a/b", b"two")
    assert files.read("a/b") == b"two"


def test_a_file_written_once_cannot_be_overwritten(files: Files) -> None:
    files.write("a", b"one", once=True)
    with pytest.raises(Conflict):
        files.write("a", b"two", once=True)
    assert files.read("a") == b"one"


def test_of_many_simultaneous_single_writes_one_succeeds(files: Files) -> None:
    def write(number: int) -> bool:
        try:
            files.write("a", bytes([number]), once=True)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(write, range(16)))
    assert won.count(True) == 1
    assert files.read("a") == bytes([won.index(True)])


@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [
        (0, None, b"0123456789"),
        (3, None, b"3456789"),
        (3, 4, b"3456"),
        (8, 100, b"89"),
        (10, None, b""),
        (99, 5, b""),
        (2, 0, b""),
    ],
)
def test_a_range_ends_at_the_end_of_the_file(
    files: Files, start: int, length: int | None, expected: bytes
) -> None:
    files.write("a", b"0123456789")
    assert files.read("a", start, length) == expected


def test_an_empty_file_can_be_written(files: Files, tmp_path: Path) -> None:
    files.write("a", b"")
    assert files.read("a") == b""
    assert files.read("a", 0, 10) == b""
    files.download("a", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b""
    files.upload(tmp_path / "a", "b")
    assert files.read("b") == b""


def test_an_unknown_resource_is_not_found(files: Files, tmp_path: Path) -> None:
    for _ in range(2):  # before the container is there, and after
        with pytest.raises(NotFound):
            files.read("a")
        with pytest.raises(NotFound):
            files.read("a", 5, 5)
        with pytest.raises(NotFound):
            files.download("a", tmp_path / "a")
        assert list(files.names("")) == []
        files.delete("a")
        files.write("other", b"")
        files.delete("other")
    assert list(tmp_path.iterdir()) == []


def test_a_large_file_is_transferred_in_blocks(files: Files, tmp_path: Path) -> None:
    size = 24 * BLOCK + 1
    source = tmp_path / "source"
    source.write_bytes(os.urandom(BLOCK) * 24 + b"x")
    tracemalloc.start()
    files.upload(source, "large")
    files.download("large", tmp_path / "copy")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert _digest(tmp_path / "copy") == _digest(source)
    assert (tmp_path / "copy").stat().st_size == size
    # Three blocks are used. For each of two at a time, the SDK reserves eight more, which it does not use: a list
    # of as many places as bytes.
    assert peak < 23 * BLOCK
    assert files.read("large", size - 3, 10)[-1:] == b"x"


def test_a_download_replaces_an_existing_file(files: Files, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old and long")
    files.write("a", b"new")
    files.download("a", tmp_path / "a")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"new"]


def test_names_are_listed_in_order_by_prefix(files: Files) -> None:
    for name in ("b/2", "a/10", "b/1", "a/9", "ab", "한글/이름 1?#%.csv", "it's/&=+"):
        files.write(name, name.encode())
    assert list(files.names("a/")) == ["a/10", "a/9"]
    assert list(files.names("b/")) == ["b/1", "b/2"]
    assert list(files.names("none")) == []
    everything = list(files.names(""))
    assert everything == sorted(everything)
    assert [files.read(name) for name in everything] == [name.encode() for name in everything]


@pytest.mark.parametrize(
    "name", ["", "/a", "a/", "a//b", "../a", "a/./b", "a\\b", "a\n", "x" * 1025]
)
def test_a_path_that_is_not_relative_is_refused(files: Files, name: str) -> None:
    with pytest.raises(InputError):
        files.write(name, b"")
    with pytest.raises(InputError):
        files.read(name)


def test_32_threads_share_the_connections(files: Files, caplog: pytest.LogCaptureFixture) -> None:
    def write_and_read(number: int) -> bytes:
        files.write(f"a/{number}", b"%d" % number)
        return files.read(f"a/{number}")

    with caplog.at_level("DEBUG"), ThreadPoolExecutor(32) as pool:
        assert list(pool.map(write_and_read, range(128))) == [b"%d" % n for n in range(128)]
    assert [record for record in caplog.records if "pool" in record.getMessage()] == []


def test_an_unreachable_service_is_unavailable(unreachable: StorageClients, tmp_path: Path) -> None:
    files = BlobFiles(unreachable)
    (tmp_path / "a").write_bytes(b"x")
    for call in (
        lambda: files.read("a"),
        lambda: files.write("a", b""),
        lambda: files.upload(tmp_path / "a", "a"),
        lambda: files.download("a", tmp_path / "b"),
        lambda: list(files.names("")),
        lambda: files.delete("a"),
    ):
        with pytest.raises(Unavailable):
            call()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def test_an_update_is_repeated_when_the_file_was_written_in_between(files: Files) -> None:
    files.write("a", b"1")
    read: list[bytes] = []

    def change(data: bytes) -> bytes:
        read.append(data)
        if data == b"1":
            files.write("a", b"2")
        return data + b"!"

    files.update("a", change)
    assert files.read("a") == b"2!"
    assert read == [b"1", b"2"]


def test_an_update_may_leave_a_file_unchanged_and_needs_one(files: Files) -> None:
    files.write("a", b"1")
    files.update("a", lambda _: None)
    assert files.read("a") == b"1"
    with pytest.raises(NotFound):
        files.update("b", lambda data: data)


class LostResponse(StorageFaults):
    """Applies the first write after `lose` is set, and answers that the service is busy."""

    lose = False

    def next(self, *, writes: bool) -> str:
        lost, self.lose = writes and self.lose, self.lose and not writes
        return "503-applied" if lost else ""


def test_an_update_with_a_lost_response_recognizes_its_own_result(
    azurite: Azurite, name: str
) -> None:
    faults = LostResponse()
    with faulty_storage(azurite, faults) as storage:
        clients = StorageClients(StorageAccount(storage), ClientOptions(retries=2, backoff=0.01))
        lists = ExclusionLists(BlobFiles(clients, name))
        lists.write("e1", ExclusionList())
        one = ExclusionList(("ada@contoso.example",), revision="r1")

        faults.lose = True
        lists.replace_if("e1", one, str(ExclusionList().state))
        assert not faults.lose
        assert lists.read("e1") == one

        faults.lose = True
        purged = lists.purge(marker_for_addresses(["ada@contoso.example"]))
        assert not faults.lose
        assert purged.removed == {"e1": 1}
        clients.close()


def test_a_conditional_upload_with_a_lost_response_recognizes_its_own_result(
    azurite: Azurite, name: str, tmp_path: Path
) -> None:
    faults = LostResponse()
    local = tmp_path / "a"
    # One request, and blocks.
    for data in (b"small", os.urandom(2 * BLOCK + 1)):
        with faulty_storage(azurite, faults) as storage:
            clients = StorageClients(
                StorageAccount(storage), ClientOptions(retries=2, backoff=0.01)
            )
            files = BlobFiles(clients, name)
            files.write("a", b"before")
            etag = files.download("a", local)
            local.write_bytes(data)

            faults.lose = True
            files.upload(local, "a", etag)

            assert not faults.lose
            assert files.read("a") == data
            with pytest.raises(Changed):
                files.upload(local, "a", etag)
            clients.close()
