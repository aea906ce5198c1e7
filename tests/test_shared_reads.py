"""Threads that ask for a value at the same time share one read."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.errors import Unavailable
from shared.request_time import OWN_STORAGE, request_time, time_for_call
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


class AskedAgain(Asked):
    """A key that is looked up more often, without effect on the tests of `Asked`."""

    __slots__ = ()
    lookups = threading.Semaphore(0)


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


def test_a_read_by_a_request_whose_time_is_up_is_repeated_by_those_who_share_it() -> None:
    read = HeldRead()

    def read_in_time(key: str) -> int:
        number = read(key)
        time_for_call(OWN_STORAGE)
        return number

    shared = SharedReads(read_in_time)

    def read_at_the_end_of_a_request() -> int:
        times = iter([0.0, OWN_STORAGE])
        with request_time(lambda: next(times)):
            return shared("a")

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(read_at_the_end_of_a_request)
        assert read.began.wait(60)
        later = threads.submit(shared, AskedAgain("a"))
        assert AskedAgain.lookups.acquire(timeout=60)
        read.released.set()

        with pytest.raises(Unavailable, match="too slowly"):
            first.result(60)
        assert later.result(60) == 2
