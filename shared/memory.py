"""How much memory the databases of a process use.

One large database of a process has its full memory at a time. While it waits for the network, another one may take its
memory. A statement that lacks memory is repeated with one thread, and then with more memory, at most half of
that of the instance.
https://duckdb.org/docs/stable/guides/performance/how_to_tune_workloads
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import duckdb

# In MB. With more, a run of a million people is not faster.
INITIAL_MEMORY = 180
# Ten million people need 360 MB. An instance of 2,048 MB holds the Python worker and ten lanes as well.
_MOST_MEMORY = 960
# A database that waits for the network only takes in what the network delivers.
_WAITING_MEMORY = 64
_MEGABYTE = 1_000_000
# The limit of a container, in control groups of version 2 and 1.
_CONTAINER_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")

_T = TypeVar("_T")


class FullMemoryPool:
    """Lets at most `databases` large databases of the process have their full memory at a time.

    A database that waits for the network keeps its memory until another one needs it: reducing its limit
    moves its tables to disk, which takes time.
    """

    def __init__(self, databases: int) -> None:
        self._changed = threading.Condition()
        self._free = databases
        # A connection of each database that has full memory and waits for the network.
        self._waiting: list[duckdb.DuckDBPyConnection] = []
        # The limits of databases that were reduced.
        self._limits: dict[duckdb.DuckDBPyConnection, int] = {}

    def take(self) -> None:
        """Wait for the memory of a large database, and take it."""
        with self._changed:
            while not self._free and not self._reduce_one():
                self._changed.wait()
            self._free -= 1

    def release(self) -> None:
        """Give the memory back."""
        with self._changed:
            self._free += 1
            self._changed.notify()

    def lend(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Let another database take the memory of this one."""
        with self._changed:
            self._waiting.append(connection)
            self._changed.notify()

    def take_back(self, connection: duckdb.DuckDBPyConnection) -> None:
        """End what `lend` began. Waits if another database has taken the memory."""
        with self._changed:
            if connection in self._waiting:
                self._waiting.remove(connection)
                return
            limit = self._limits.pop(connection)
        self.take()
        _set_limit(connection, limit)

    def _reduce_one(self) -> bool:
        """Reduce the memory of a database that waits for the network. Returns whether there was one."""
        for connection in self._waiting:
            try:
                limit = _limit_of(connection)
                _set_limit(connection, _WAITING_MEMORY)
            except duckdb.Error:
                continue  # its tables can be moved nowhere, for example because the disk is full
            self._limits[connection] = limit
            self._waiting.remove(connection)
            self._free += 1
            return True
        return False


_POOL = FullMemoryPool(1)

# Two files are read at a time, and the settings are those of the whole database.
_CHANGING_SETTINGS = threading.Lock()


@contextmanager
def full_memory() -> Iterator[None]:
    """Have the memory of a large database, as soon as it is free."""
    _POOL.take()
    try:
        yield
    finally:
        _POOL.release()


@contextmanager
def waiting_for_network(db: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Let another run use the memory of a large database during calls over the network.

    The database can still be used, with little memory if another run needs it.
    """
    # Another thread uses this connection, and one connection executes one statement at a time.
    with closing(db.cursor()) as connection:
        _POOL.lend(connection)
        try:
            yield
        finally:
            _POOL.take_back(connection)


def return_freed_memory(db: duckdb.DuckDBPyConnection) -> None:
    """Return memory that DuckDB does not use any more to the system; after a large sort it is 100 MB.

    DuckDB does so only when its limit is set. Not while the database waits for the network.
    """
    _set_limit(db, _limit_of(db))


def with_enough_memory(db: duckdb.DuckDBPyConnection, work: Callable[[], _T]) -> _T:
    """Do work in a large database. If it lacks memory, repeat it with one thread, and then with more memory.

    Failed work must change nothing. The database keeps the memory that it was given.
    """
    try:
        return work()
    except duckdb.OutOfMemoryException as error:
        # A cursor, because the result of the work must stay that of the connection.
        with _CHANGING_SETTINGS, closing(db.cursor()) as settings:
            if lacks_disk(error) or _threads_of(settings) == 1:
                raise
            with suppress(duckdb.OutOfMemoryException):
                return _with_one_thread(settings, work)
            while _raise_limit(settings):
                with suppress(duckdb.OutOfMemoryException):
                    return work()
            return _with_one_thread(settings, work)


def lacks_disk(error: duckdb.OutOfMemoryException) -> bool:
    """Whether memory was missing because rows could not be moved to disk."""
    return "temp_directory" in str(error) or "disk" in str(error).lower()


def _with_one_thread(settings: duckdb.DuckDBPyConnection, work: Callable[[], _T]) -> _T:
    """Do work with one thread.

    Each thread needs memory of its own, also for rows that are moved to disk. With one thread, the finish of a
    million people needs half of the memory.
    """
    threads = _threads_of(settings)
    settings.execute("SET threads = 1")
    try:
        return work()
    finally:
        settings.execute(f"SET threads = {threads}")


def _raise_limit(settings: duckdb.DuckDBPyConnection) -> bool:
    """Double the memory of a database that has its full memory, as far as the instance has it."""
    limit = _limit_of(settings)
    more = min(2 * limit, _MOST_MEMORY, _memory_of_instance() // 2)
    if limit < INITIAL_MEMORY or more <= limit:
        return False
    _set_limit(settings, more)
    return True


def _memory_of_instance() -> int:
    """The memory of the machine or of the container, in MB."""
    sizes = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for name in _CONTAINER_LIMITS:
        with suppress(OSError, ValueError):  # another version, or the text "max"
            sizes.append(int(Path(name).read_text("ascii")))
    return min(sizes) // _MEGABYTE


def _limit_of(connection: duckdb.DuckDBPyConnection) -> int:
    """The limit of a database, in MB."""
    query = "SELECT parse_formatted_bytes(current_setting('memory_limit'))"
    (size,) = connection.execute(query).fetchone() or (0,)
    return round(int(size) / _MEGABYTE)


def _set_limit(connection: duckdb.DuckDBPyConnection, megabytes: int) -> None:
    connection.execute(f"SET memory_limit = '{megabytes}MB'")


def _threads_of(connection: duckdb.DuckDBPyConnection) -> int:
    (threads,) = connection.execute("SELECT current_setting('threads')").fetchone() or (1,)
    return int(threads)
