"""Protocols for storage and for the source of a run, each with more than one implementation.

Every call may be made twice. State changes by conditional writes only: `create` succeeds once, and
`replace` needs the ETag that was read. Adapters translate the errors of their SDKs into those of
errors.py (Unavailable, NotFound, Conflict, Changed, ...).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from shared.errors import Changed, Conflict, ConnectorError, NotFound
from shared.model.source import LoadedSegment, SegmentSnapshot, Snapshot

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


T = TypeVar("T")

# The error code of a record that only a newer version of the app can read.
RECORD_NEWER = "recordNewer"


@dataclass(frozen=True)
class Stored(Generic[T]):
    """A value with the ETag that a conditional write needs."""

    key: str
    value: T
    etag: str


class Records(Protocol[T]):
    """Records of one kind (connections, exports, runs, chunks ...).

    A key is `row` or `partition/row`. Its parts are ids with the characters [A-Za-z0-9_-].
    """

    def create(self, key: str, value: T) -> Stored[T]:
        """Write a new record. Conflict when the key exists."""

    def create_many(self, items: Sequence[tuple[str, T]]) -> None:
        """Write many records of one partition; existing ones stay unchanged."""

    def read(self, key: str) -> Stored[T] | None:
        """Read a record, or None."""

    def replace(self, key: str, value: T, etag: str) -> Stored[T]:
        """Replace a record. Changed when it was written or deleted after it was read."""

    def delete(self, key: str, etag: str | None = None) -> None:
        """Delete a record, if it exists. Changed when `etag` is given and no longer matches."""

    def all(
        self,
        partition: str | None = None,
        where: Mapping[str, str] | None = None,
        *,
        after: str = "",
        last: str = "",
        page: int | None = None,
    ) -> Iterator[Stored[T]]:
        """Read records in key order, optionally of one partition or with equal columns.

        With `after`, only records with a greater row; with `last`, only up to this row. `page` is how many
        records are requested at a time, for callers that need only the first few.

        ConnectorError after the last one if one could not be read (with the code RECORD_NEWER if
        a newer version of the app wrote it). A caller that needs all records must stop then.
        """


class Secrets(Protocol):
    """Secrets by name, in Key Vault or in encrypted local blobs.

    A name has at most 127 letters, digits and hyphens, and is not case-sensitive. A value is text
    of at most 25,000 bytes.
    """

    def get(self, name: str) -> str | None:
        """Read a secret; None when it does not exist."""

    def put(self, name: str, value: str) -> None:
        """Write a secret, and replace one that exists or was deleted."""

    def delete(self, name: str) -> None:
        """Delete a secret; does nothing when it does not exist."""


class Files(Protocol):
    """Blobs of the state container, by name."""

    def write(self, name: str, data: bytes, *, once: bool = False) -> None:
        """Write a blob. With `once`, Conflict when it exists."""

    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """Read a blob, or `length` bytes from `start`. NotFound when it does not exist."""

    def update(self, name: str, change: Callable[[bytes], bytes | None]) -> None:
        """Replace a small blob by `change` of its content; None leaves it unchanged.

        `change` is called again when another process wrote the blob in between. NotFound when it does
        not exist.
        """

    def upload(self, path: Path, name: str, etag: str | None = None) -> None:
        """Upload a local file in blocks. Changed when `etag` is given and no longer matches."""

    def download(self, name: str, path: Path) -> str:
        """Download a blob to a local file in blocks. Returns its ETag. NotFound when it does not exist."""

    def names(self, prefix: str) -> Iterator[str]:
        """List the names of the blobs with a prefix, in order."""

    def delete(self, name: str) -> None:
        """Delete a blob; does nothing when it does not exist."""


class Queue(Protocol):
    """Sends messages, which contain ids only (under 1 KB)."""

    def send(self, queue: str, message: Mapping[str, object], delay: float = 0) -> None:
        """Send a message that becomes visible after `delay` seconds."""


class Lease(Protocol):
    """An acquired lease."""

    def renew(self) -> None:
        """Extend the lease by its duration. Changed when it was lost."""

    def release(self) -> None:
        """Release the lease, unless it was lost."""


class Leases(Protocol):
    """Named leases: at most one holder each, among all processes."""

    def acquire(self, name: str, seconds: int) -> Lease | None:
        """Acquire a lease for 15-60 seconds; None while another process holds it."""


class SegmentSource(Protocol):
    """The segments that Customer Insights exported."""

    def snapshot(self, segments: Sequence[str]) -> Snapshot:
        """Pin the newest complete state of the named segments.

        ConfigError names a segment that does not exist. Unavailable when `model.json` lists a
        partition that does not exist yet.
        """

    def load(
        self,
        connection: DuckDBPyConnection,
        segment: SegmentSnapshot,
        columns: Sequence[str],
        table: str,
        scratch: Path,
        *,
        consent: bool = False,
    ) -> LoadedSegment:
        """Append the rows of a segment to `table`; those of one file in their order.

        `table` has the columns (file VARCHAR or an ENUM of file names, line BIGINT, c0 VARCHAR, c1 VARCHAR ...), where ci
        is `columns[i]` as text; empty fields and markers of no value are NULL, and long values may
        be truncated to 1,000 characters. With `consent`, the last column is a consent attribute, where an error of a
        spreadsheet is not "no value": it may hide a refusal. `line` is the line where the row begins, from 1 and including the
        header (the number of the row in formats without lines). `scratch` is a folder for temporary files.

        Raises:
            InputError: names an unreadable file.
            Changed: names a file that was replaced after the snapshot.
            ConfigError: names a column that the segment does not have.
        """


def readable(records: Iterable[T]) -> Iterator[T]:
    """Yield the records that this version can read, and ignore those of a newer version.

    For lists, and for work on each record that is independent of the others.
    """
    try:
        yield from records
    except ConnectorError as error:
        if error.code != RECORD_NEWER:
            raise


def split_unreadable(records: Iterable[T]) -> tuple[list[T], ConnectorError | None]:
    """Return the records that this version can read, and the error if a newer version wrote others.

    For work that is done for the readable records at once and reported as incomplete afterwards.
    """
    found: list[T] = []
    try:
        for record in records:
            found.append(record)
    except ConnectorError as error:
        if error.code != RECORD_NEWER:
            raise
        return found, error
    return found, None


def exists(files: Files, name: str) -> bool:
    """Whether a blob exists."""
    return next(iter(files.names(name)), None) == name


def download_if_exists(files: Files, name: str, path: Path) -> str | None:
    """Download a blob to a local file. Returns its ETag, or None if the blob does not exist."""
    try:
        return files.download(name, path)
    except NotFound:
        return None


def repeat_if_changed(rewrite: Callable[[], T], tries: int = 20) -> T:
    """Call a function that downloads a blob and uploads it conditionally; repeat if another process wrote it meanwhile.

    Changed after `tries` attempts.
    """
    for _ in range(tries - 1):
        with suppress(Changed):
            return rewrite()
    return rewrite()


def delete_all(files: Files, prefix: str) -> None:
    """Delete the blobs whose name has a prefix."""
    for name in list(files.names(prefix)):
        files.delete(name)


def create_or_replace(records: Records[T], key: str, value: T, read: Stored[T] | None) -> Stored[T]:
    """Replace the record that was `read`, or create it if there was none.

    Changed when another process has written or deleted it since.
    """
    if read is not None:
        return records.replace(key, value, read.etag)
    try:
        return records.create(key, value)
    except Conflict:
        raise Changed("recordContended") from None


def update(
    records: Records[T], key: str, change: Callable[[T], T | None], tries: int = 20
) -> Stored[T]:
    """Read a record, change it and write it conditionally; repeat if it was changed meanwhile.

    `change` may run several times; None keeps the record unchanged. NotFound when the record does
    not exist, Changed after `tries` attempts.
    """
    for _ in range(tries):
        stored = records.read(key)
        if stored is None:
            raise NotFound("recordGone")
        changed = change(stored.value)
        if changed is None or changed == stored.value:
            return stored
        try:
            return records.replace(key, changed, stored.etag)
        except Changed:
            continue
    raise Changed("recordContended")
