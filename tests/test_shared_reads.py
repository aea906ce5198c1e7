"""Threads that ask for a value at the same time share one read."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.shared_reads import SharedReads


class HeldRead:
    """A read that returns its number, when the test lets it."""

    def __init__(self) -> None:
        self.number = 0
        self.began = threading.Event()
        self.released = threading.Event()

    def __call__(self, key: str) -> int:
        self.number += 1
        number = self.number
        if number == 1:
            self.began.set()
            assert self.released.wait(60)
        if key == "broken":
            raise LookupError
        return number


class Asked(str):
    """A key that notes when it is looked up, which decides whether a read is shared."""

    __slots__ = ()
    lookups = threading.Semaphore(0)

    def __hash__(self) -> int:
        self.lookups.release()
        return super().__hash__()


def test_threads_that_ask_while_a_value_is_read_get_that_value() -> None:
    read = HeldRead()
    shared = SharedReads(read)
    with ThreadPoolExecutor(4) as threads:
        first = threads.submit(shared, "a")
        assert read.began.wait(60)
        later = [threads.submit(shared, Asked("a")) for _ in range(3)]
        for _ in later:
            assert Asked.lookups.acquire(timeout=60)
        assert shared("b") == 2
        read.released.set()

        assert [one.result(60) for one in (first, *later)] == [1, 1, 1, 1]
    assert shared("a") == 3


def test_after_a_change_a_value_is_read_again_although_a_read_has_not_ended() -> None:
    read = HeldRead()
    shared = SharedReads(read)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(shared, "a")
        assert read.began.wait(60)
        shared.forget("a")

        assert shared("a") == 2

        read.released.set()
        assert first.result(60) == 1
    assert shared("a") == 3


def test_a_failed_read_fails_for_those_who_share_it_and_is_tried_again_later() -> None:
    read = HeldRead()
    shared = SharedReads(read)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(shared, "broken")
        assert read.began.wait(60)
        read.released.set()
        with pytest.raises(LookupError):
            first.result(60)
    with pytest.raises(LookupError):
        shared("broken")
    assert read.number == 2
