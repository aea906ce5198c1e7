"""In-memory storage with fault injection: ETags, create-once, leases that expire, delayed messages.

All processes share a `MemoryStore`. Each uses its own `StoreClient`, which can be killed at any write:
then all later requests of this process fail, as after SIGKILL. It can also lose responses: a request
fails before or after it was applied.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from pathlib import Path
from typing import Any, Generic, NoReturn, TypeVar

from shared.errors import Changed, Conflict, NotFound, Unavailable
from shared.model.ports import Stored

T = TypeVar("T")
R = TypeVar("R")


class ProcessKilled(BaseException):
    """The process was killed; none of its later requests reaches the store."""


class Clock:
    """A clock that advances 1 ms per reading, and by `forward`."""

    def __init__(self) -> None:
        self._now = datetime(2026, 11, 1, 8, tzinfo=UTC)
        self._lock = threading.Lock()

    def now(self) -> datetime:
        with self._lock:
            self._now += timedelta(milliseconds=1)
            return self._now

    def seconds(self) -> float:
        return self._now.timestamp()

    def forward(self, seconds: float) -> None:
        with self._lock:
            self._now += timedelta(seconds=max(0.0, seconds))


@dataclass
class Message:
    """A queued message."""

    queue: str
    body: bytes
    visible_at: float
    tries: int = 0


@dataclass
class MemoryStore:
    """The state that all processes share."""

    clock: Clock = field(default_factory=Clock)
    tables: dict[str, dict[str, tuple[Any, str]]] = field(default_factory=dict)
    containers: dict[str, dict[str, bytes]] = field(default_factory=dict)
    blob_etags: dict[str, dict[str, str]] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    leases: dict[str, tuple[object, float]] = field(default_factory=dict)
    lock: Any = field(default_factory=threading.RLock)
    writes: int = 0

    @property
    def blobs(self) -> dict[str, bytes]:
        """The state container."""
        return self.containers["state"]

    def etag(self) -> str:
        self.writes += 1
        return f'W/"{self.writes}"'


class StorageFault(Enum):
    """A fault of a request: it fails before or after it was applied, or the process is killed."""

    LOST_BEFORE = auto()
    LOST_AFTER = auto()
    KILLED_BEFORE = auto()
    KILLED_AFTER = auto()


class StoreClient:
    """The store as one process uses it.

    The `kill_at`th write (from 1) kills the process before it is applied, or after it with
    `applied`. `fault(writes)` returns the fault of a request, or None. While `renews_leases` is
    set and the process lives, its leases are renewed in time, however far the clock advances.
    """

    def __init__(
        self,
        store: MemoryStore,
        kill_at: int | None = None,
        *,
        applied: bool = False,
        fault: Callable[[bool], StorageFault | None] = lambda _: None,
    ) -> None:
        self.store = store
        self.writes = 0
        self.dead = False
        self.renews_leases = False
        self._kill_at = kill_at
        self._at_kill = StorageFault.KILLED_AFTER if applied else StorageFault.KILLED_BEFORE
        self._next_fault = fault

    def read(self, do: Callable[[], R]) -> R:
        with self.store.lock:
            self._alive()
            if self._next_fault(False) is not None:
                self._lost()
            return do()

    def write(self, do: Callable[[], R]) -> R:
        with self.store.lock:
            self._alive()
            self.writes += 1
            fault = self._at_kill if self.writes == self._kill_at else self._next_fault(True)
            if fault is None:
                return do()
            killed = fault in (StorageFault.KILLED_BEFORE, StorageFault.KILLED_AFTER)
            self.dead = killed
            if fault in (StorageFault.LOST_AFTER, StorageFault.KILLED_AFTER):
                do()
            if killed:
                raise ProcessKilled
            return self._lost()

    def _lost(self) -> NoReturn:
        raise Unavailable("storageNoAnswer", resource="fake", error="Lost", maybe_applied=True)

    def _alive(self) -> None:
        if self.dead:
            raise ProcessKilled


class MemoryRecords(Generic[T]):
    """Implements Records in memory."""

    def __init__(
        self,
        client: StoreClient,
        kind: str,
        columns: Callable[[T], Mapping[str, str]] = lambda _: {},
    ) -> None:
        self._client = client
        self._store = client.store
        self._table: dict[str, tuple[T, str]] = client.store.tables.setdefault(kind, {})
        self._columns = columns

    def create(self, key: str, value: T) -> Stored[T]:
        def do() -> Stored[T]:
            if key in self._table:
                raise Conflict("recordExists", record=key)
            return self._put(key, value)

        return self._client.write(do)

    def create_many(self, items: Sequence[tuple[str, T]]) -> None:
        # A transaction has at most 100 entities; a process may be killed between two.
        for start in range(0, len(items), 100):
            part = items[start : start + 100]

            def do(part: Sequence[tuple[str, T]] = part) -> None:
                for key, value in part:
                    if key not in self._table:
                        self._put(key, value)

            self._client.write(do)

    def read(self, key: str) -> Stored[T] | None:
        def do() -> Stored[T] | None:
            found = self._table.get(key)
            return Stored(key, *found) if found else None

        return self._client.read(do)

    def replace(self, key: str, value: T, etag: str) -> Stored[T]:
        def do() -> Stored[T]:
            found = self._table.get(key)
            if found is None or found[1] != etag:
                raise Changed("recordChanged", record=key)
            return self._put(key, value)

        return self._client.write(do)

    def delete(self, key: str, etag: str | None = None) -> None:
        def do() -> None:
            found = self._table.get(key)
            if found is not None and etag is not None and found[1] != etag:
                raise Changed("recordChanged", record=key)
            self._table.pop(key, None)

        self._client.write(do)

    def all(
        self,
        partition: str | None = None,
        where: Mapping[str, str] | None = None,
        *,
        after: str = "",
        last: str = "",
        page: int | None = None,
    ) -> Iterator[Stored[T]]:
        def do() -> list[Stored[T]]:
            return [
                Stored(key, value, etag)
                for key, (value, etag) in sorted(self._table.items())
                if partition is None or key.startswith(f"{partition}/")
                if _row(key) > after and (not last or _row(key) <= last)
                if (where or {}).items() <= dict(self._columns(value)).items()
            ]

        yield from self._client.read(do)

    def _put(self, key: str, value: T) -> Stored[T]:
        etag = self._store.etag()
        self._table[key] = (value, etag)
        return Stored(key, value, etag)


def _row(key: str) -> str:
    """The part of a key by which records are sorted in their partition."""
    return key.rpartition("/")[2]


class VisibleRecords(MemoryRecords[T]):
    """Records of one process, which a test can see (`kept`) and change (`keep`).

    `before_write` is called with the key before a record is created, replaced or deleted.
    """

    def __init__(self, columns: Callable[[T], Mapping[str, str]] = lambda _: {}) -> None:
        super().__init__(StoreClient(MemoryStore()), "records", columns)
        self.before_write: Callable[[str], None] = lambda _: None

    @property
    def kept(self) -> dict[str, Stored[T]]:
        return {key: Stored(key, value, etag) for key, (value, etag) in self._table.items()}

    def keep(self, key: str, value: T) -> Stored[T]:
        return self._put(key, value)

    def create(self, key: str, value: T) -> Stored[T]:
        self.before_write(key)
        return super().create(key, value)

    def replace(self, key: str, value: T, etag: str) -> Stored[T]:
        self.before_write(key)
        return super().replace(key, value, etag)

    def delete(self, key: str, etag: str | None = None) -> None:
        self.before_write(key)
        super().delete(key, etag)


class MemoryFiles:
    """Implements Files in memory."""

    def __init__(self, client: StoreClient, container: str = "state") -> None:
        self._client = client
        self._blobs = client.store.containers.setdefault(container, {})
        self._etags = client.store.blob_etags.setdefault(container, {})

    def write(self, name: str, data: bytes, *, once: bool = False) -> None:
        def do() -> None:
            if once and name in self._blobs:
                raise Conflict("fileExists", container="fake")
            self._put(name, bytes(data))

        self._client.write(do)

    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        def do() -> bytes:
            if name not in self._blobs:
                raise NotFound("storageNotFound", resource="fake", answer="404")
            end = None if length is None else start + length
            return self._blobs[name][start:end]

        return self._client.read(do)

    def update(self, name: str, change: Callable[[bytes], bytes | None]) -> None:
        while True:
            before = self.read(name)
            after = change(before)
            if after is None:
                return

            def do(before: bytes = before, after: bytes = after) -> bool:
                if self._blobs.get(name) != before:
                    return False
                self._put(name, after)
                return True

            if self._client.write(do):
                return

    def upload(self, path: Path, name: str, etag: str | None = None) -> None:
        data = path.read_bytes()

        def do() -> None:
            if etag is not None and (name not in self._blobs or self._etag(name) != etag):
                raise Changed("storageChanged", resource="fake")
            self._put(name, data)

        self._client.write(do)

    def download(self, name: str, path: Path) -> str:
        def do() -> tuple[bytes, str]:
            if name not in self._blobs:
                raise NotFound("storageNotFound", resource="fake", answer="404")
            return self._blobs[name], self._etag(name)

        data, etag = self._client.read(do)
        path.write_bytes(data)
        return etag

    def _put(self, name: str, data: bytes) -> None:
        self._blobs[name] = data
        self._etags[name] = self._client.store.etag()

    def _etag(self, name: str) -> str:
        """The ETag of a blob. A test may have put it into the store without one."""
        return self._etags.setdefault(name, self._client.store.etag())

    def names(self, prefix: str) -> Iterator[str]:
        yield from self._client.read(lambda: sorted(n for n in self._blobs if n.startswith(prefix)))

    def delete(self, name: str) -> None:
        self._client.write(lambda: self._blobs.pop(name, None))


class MemorySecrets:
    """Secrets in a store."""

    def __init__(self, client: StoreClient) -> None:
        self._client = client

    @property
    def _secrets(self) -> dict[str, bytes]:
        return self._client.store.containers.setdefault("secrets", {})

    def get(self, name: str) -> str | None:
        value = self._client.read(lambda: self._secrets.get(name))
        return None if value is None else value.decode()

    def put(self, name: str, value: str) -> None:
        self._client.write(lambda: self._secrets.__setitem__(name, value.encode()))

    def delete(self, name: str) -> None:
        self._client.write(lambda: self._secrets.pop(name, None))


class MemoryQueue:
    """Implements Queue in memory."""

    def __init__(self, client: StoreClient) -> None:
        self._client = client

    def send(self, queue: str, message: Mapping[str, object], delay: float = 0) -> None:
        store = self._client.store
        body = json.dumps(dict(message)).encode()
        at = store.clock.seconds() + delay
        self._client.write(lambda: store.messages.append(Message(queue, body, at)))


class MemoryLease:
    """Implements Lease in memory."""

    def __init__(self, client: StoreClient, name: str, seconds: int) -> None:
        self._client = client
        self._name = name
        self._seconds = seconds

    @property
    def is_renewed(self) -> bool:
        """Whether its process renews it by the clock of the store."""
        return self._client.renews_leases and not self._client.dead

    def renew(self) -> None:
        if self._client.dead:  # the renewing thread ended with its process
            raise Changed("leaseLost", lease=self._name)

        def do() -> None:
            holder, _ = self._client.store.leases.get(self._name, (None, 0.0))
            if holder is not self:
                raise Changed("leaseLost", lease=self._name)
            until = self._client.store.clock.seconds() + self._seconds
            self._client.store.leases[self._name] = (self, until)

        self._client.read(do)

    def release(self) -> None:
        def do() -> None:
            holder, _ = self._client.store.leases.get(self._name, (None, 0.0))
            if holder is self:
                del self._client.store.leases[self._name]

        with suppress(Unavailable):  # it expires
            self._client.read(do)


class MemoryLeases:
    """Implements Leases in memory; they expire by the clock of the store."""

    def __init__(self, client: StoreClient) -> None:
        self._client = client

    def acquire(self, name: str, seconds: int) -> MemoryLease | None:
        def do() -> MemoryLease | None:
            store = self._client.store
            held, until = store.leases.get(name, (None, 0.0))
            if until > store.clock.seconds() or (isinstance(held, MemoryLease) and held.is_renewed):
                return None
            lease = MemoryLease(self._client, name, seconds)
            store.leases[name] = (lease, store.clock.seconds() + seconds)
            return lease

        return self._client.write(do)
