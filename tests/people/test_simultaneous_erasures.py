"""Two people who are erased at the same time are both erased."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from tests.fakes import MemoryFiles, MemoryStore, StoreClient
from tests.people.test_erase import ADA, BOB, Mailchimp, Process, copy_of, used_storage

R = TypeVar("R")

# `make faults SEEDS=50` begins the other erasure before every request.
STEP = 1 if int(os.environ.get("FAULT_SEEDS") or 4) >= 50 else 9
# Two ledgers, the list of people who are not subscribed, the outcomes and the outcome file.
ROWS = 5


class InterruptedClient(StoreClient):
    """Calls `interrupt` before one of its requests, the number `at` (from 1)."""

    def __init__(self, store: MemoryStore, at: int, interrupt: Callable[[], None]) -> None:
        super().__init__(store)
        self.requests = 0
        self._at = at
        self._interrupt = interrupt

    def read(self, do: Callable[[], R]) -> R:
        self._count()
        return super().read(do)

    def write(self, do: Callable[[], R]) -> R:
        self._count()
        return super().write(do)

    def _count(self) -> None:
        self.requests += 1
        if self.requests == self._at:
            self._interrupt()


class InterruptedFiles(MemoryFiles):
    """Calls `interrupt` once, before the first upload or download of a file whose name has the prefix."""

    def __init__(
        self, client: StoreClient, method: str, prefix: str, interrupt: Callable[[], None]
    ) -> None:
        super().__init__(client)
        self._method = method
        self._prefix = prefix
        self._interrupts = iter([interrupt])

    def upload(self, path: Path, name: str, etag: str | None = None) -> None:
        self._check("upload", name)
        super().upload(path, name, etag)

    def download(self, name: str, path: Path) -> str:
        self._check("download", name)
        return super().download(name, path)

    def _check(self, method: str, name: str) -> None:
        if method == self._method and name.startswith(self._prefix):
            for interrupt in self._interrupts:
                interrupt()


def erase(process: Process, address: str) -> int:
    """Erase a person. Returns the number of removed rows on the receipt."""
    return process.eraser(Mailchimp()).erase(address, False, "Kim").records


def assert_no_one_left(store: MemoryStore, folder: Path) -> None:
    process = Process(store)
    text = process.text(folder).lower()
    assert [line for line in text.splitlines() if "ada@" in line or "bob@" in line] == []
    assert "c1" not in text
    assert "c2" not in text
    assert [one.value.waits_for for one in process.erasures.all()] == [(), ()]
    pointer = process.ledgers.read("e1")
    assert pointer is not None
    assert pointer.value.people == 0


@pytest.mark.parametrize(
    ("method", "prefix"),
    [
        ("upload", "ledgers/e1/old"),
        ("upload", "ledgers/e1/r1-"),
        ("download", "audiences/acc/a1/"),
        ("upload", "runs/r1/plan-taken-over/"),
        ("upload", "runs/r1/outcomes"),
        ("upload", "e1/MailchimpOutcomes/"),
    ],
)
def test_two_erasures_that_rewrite_a_file_at_the_same_time_remove_both_people(
    tmp_path: Path, method: str, prefix: str
) -> None:
    store = used_storage(tmp_path, ("1",))
    records: list[int] = []
    process = Process(store)
    process.files = InterruptedFiles(
        process.client, method, prefix, lambda: records.append(erase(Process(store), BOB))
    )

    records.append(erase(process, ADA))

    assert_no_one_left(store, tmp_path)
    assert len(records) == 2
    assert min(records) >= ROWS


def test_an_erasure_during_any_request_of_another_one_removes_both_people(tmp_path: Path) -> None:
    before = used_storage(tmp_path, ("1",))
    for at in range(1, 1000, STEP):
        store = copy_of(before)
        records: list[int] = []

        def erase_bob(store: MemoryStore = store, records: list[int] = records) -> None:
            records.append(erase(Process(store), BOB))

        process = Process(store, client=InterruptedClient(store, at, erase_bob))
        records.append(erase(process, ADA))
        if len(records) < 2:
            break

        assert_no_one_left(store, tmp_path)
        assert min(records) >= ROWS
    assert at > 20
