"""What the heart needs of the world, as small protocols; storage/, segments/, mailchimp/ keep them.

Everything here may be called twice. State moves by conditional writes only: `create` happens
once, `replace` needs the ETag that was read. Edges translate their SDK's errors into errors.py
(Unavailable for what may pass, NotFound, Conflict, Changed), and never let an SDK's error through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from shared.errors import Changed, ConnectorError, NotFound
from shared.model.audience import (
    Account,
    Audience,
    BatchAnswer,
    CallCounts,
    Contact,
    ContactStatus,
    Member,
    MergeField,
    Tag,
    TagAnswer,
)
from shared.model.source import SegmentSnapshot, Snapshot, UnreadableRow

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = [
    "RECORD_NEWER",
    "Files",
    "Lease",
    "Leases",
    "Mailchimp",
    "MailchimpSession",
    "Queue",
    "Records",
    "Secrets",
    "SegmentSource",
    "Stored",
    "readable",
    "update",
]

T = TypeVar("T")

# The code of a record that a newer version of the app wrote, and that this one cannot read.
RECORD_NEWER = "recordNewer"


@dataclass(frozen=True)
class Stored(Generic[T]):
    """A value as it was read, with the ETag that a conditional write needs."""

    key: str
    value: T
    etag: str


class Records(Protocol[T]):
    """One kind of record (connections, exports, runs, chunks ...).

    A key is one or two parts, `row` or `partition/row`; parts are ids of [A-Za-z0-9_-] only.
    """

    def create(self, key: str, value: T) -> Stored[T]:
        """Write a new record. Conflict when the key is taken."""

    def create_many(self, items: Sequence[tuple[str, T]]) -> None:
        """Write many records of one partition; those that are there already stay as they are."""

    def read(self, key: str) -> Stored[T] | None:
        """The record, or None."""

    def replace(self, key: str, value: T, etag: str) -> Stored[T]:
        """Write over what was read. Changed when someone else wrote or deleted meanwhile."""

    def delete(self, key: str, etag: str | None = None) -> None:
        """Delete; gone already is fine. Changed when `etag` is given and no longer true."""

    def all(
        self, partition: str | None = None, where: Mapping[str, str] | None = None
    ) -> Iterator[Stored[T]]:
        """Records in key order, optionally of one partition, optionally with equal columns.

        ConnectorError after the last one when there was one that cannot be read (with the code
        NEWER when a newer version of the app wrote it): whoever needs all of them must not go on.
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
        """Write a blob. With `once`, Conflict when it is there already."""

    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """The blob, or `length` bytes of it from `start`. NotFound when it is not there."""

    def upload(self, path: Path, name: str) -> None:
        """Write a local file as a blob, in blocks, without holding it in memory."""

    def download(self, name: str, path: Path) -> None:
        """Write a blob into a local file, in blocks. NotFound when it is not there."""

    def names(self, prefix: str) -> Iterator[str]:
        """Names of the blobs below a prefix, in order."""

    def delete(self, name: str) -> None:
        """Delete a blob; gone already is fine."""


class Queue(Protocol):
    """Sends messages; ids only, under 1 KB."""

    def send(self, queue: str, message: Mapping[str, object], delay: float = 0) -> None:
        """Put a message on a queue, to be seen after `delay` seconds."""


class Lease(Protocol):
    """A lease that is held."""

    def renew(self) -> None:
        """Keep it for another term. Changed when it was lost."""

    def release(self) -> None:
        """Let go; lost already is fine."""


class Leases(Protocol):
    """Named leases: at most one holder each, over all processes."""

    def acquire(self, name: str, seconds: int) -> Lease | None:
        """Hold the lease for 15-60 seconds, or None while someone else does."""


class SegmentSource(Protocol):
    """What Customer Insights wrote."""

    def snapshot(self, segments: Sequence[str]) -> Snapshot:
        """Freeze the newest complete state of the named segments.

        ConfigError names a segment that does not exist; Unavailable when a partition that
        `model.json` lists is not there yet.
        """

    def load(
        self,
        connection: DuckDBPyConnection,
        segment: SegmentSnapshot,
        columns: Sequence[str],
        table: str,
        scratch: Path,
    ) -> list[UnreadableRow]:
        """Append a segment's rows to `table`, all as text, in file order.

        `table` has the columns (file VARCHAR, line BIGINT, c0 VARCHAR, c1 VARCHAR ...), where
        ci is `columns[i]`; `line` is the 1-based line of the file at which the row begins (the
        row number where the format has no lines). Empty fields are NULL. `scratch` is a folder
        for temporary files. Rows that cannot be read come back, the rest is loaded. Of a very
        long value the beginning is enough (1,000 characters). InputError names a file that cannot
        be read at all; Changed a file that is no longer the frozen one. ConfigError names a column
        that the segment does not have.
        """


class MailchimpSession(Protocol):
    """Calls to one Mailchimp account, one at a time over one kept-alive connection.

    Unavailable (with `maybe_applied`) after the client's own short retries, Refused,
    Disconnected. `calls` counts what was asked; `on_throttled` is called at every request to
    slow down.
    """

    calls: CallCounts

    def ping(self) -> None:
        """Ask whether Mailchimp answers at all."""

    def account(self) -> Account:
        """Whose account it is."""

    def audiences(self) -> list[Audience]:
        """Every audience of the account."""

    def audience(self, audience_id: str) -> Audience:
        """One audience. ConfigError when there is no such audience."""

    def merge_fields(self, audience_id: str) -> list[MergeField]:
        """Every merge field of the audience."""

    def create_merge_field(
        self, audience_id: str, tag: str, name: str, field_type: str
    ) -> MergeField:
        """Create a merge field. ConfigError when the audience has as many as it may."""

    def tags(self, audience_id: str) -> list[Tag]:
        """Every static segment of the audience."""

    def tag(self, audience_id: str, tag_id: int) -> Tag | None:
        """One static segment as it is now, or None when it is gone."""

    def saved_segments(self, audience_id: str) -> list[str]:
        """The names of the saved segments, which share their names with the static ones."""

    def create_tag(self, audience_id: str, name: str) -> Tag:
        """Create an empty static segment. Conflict when the name is taken."""

    def rename_tag(self, audience_id: str, tag_id: int, name: str) -> Tag:
        """Give a static segment another name. Conflict when the name is taken."""

    def subscribe(
        self,
        audience_id: str,
        members: Sequence[Member],
        *,
        update_existing: bool,
        skip_merge_validation: bool = False,
    ) -> BatchAnswer:
        """One batch call of at most 500 members.

        Members that exist while `update_existing` is false are refused with the code
        `contactExists` and left as they are.
        """

    def untag(self, audience_id: str, tag_id: int, addresses: Sequence[str]) -> TagAnswer:
        """Take a tag away from at most 500 members; unknown addresses are ignored."""

    def retag(self, audience_id: str, tag_id: int, addresses: Sequence[str]) -> TagAnswer:
        """Give a tag to at most 500 existing members; unknown addresses are ignored."""

    def count(self, audience_id: str, status: str) -> int:
        """How many members the audience holds in a status, exactly and now."""

    def held(
        self, audience_id: str, status: str, changed_since: str | None = None
    ) -> Iterator[list[ContactStatus]]:
        """Members in a status, page by page (1,000), optionally changed since a time."""

    def contacts(self, audience_id: str, changed_since: str) -> Iterator[list[Contact]]:
        """Subscribers who changed since a time, with values and tags, page by page (1,000)."""

    def tagged(self, audience_id: str, tag_id: int) -> Iterator[list[ContactStatus]]:
        """Members with a tag in every status, page by page (1,000)."""

    def status_of(self, audience_id: str, address: str) -> str | None:
        """The status of one person, now; None when the audience does not know them."""

    def archive(self, audience_id: str, address: str) -> bool:
        """Archive one person; False when they are not there, Refused when it is not possible."""

    def delete_for_good(self, audience_id: str, address: str) -> bool:
        """Delete one person so that no import brings them back; False when they are not there."""

    def close(self) -> None:
        """End the connection."""


class Mailchimp(Protocol):
    """Opens sessions to the account behind a connection."""

    def open(
        self, connection_id: str, on_throttled: Callable[[], None] | None = None
    ) -> MailchimpSession:
        """A session with the connection's own grant. Disconnected when there is none."""


def readable(records: Iterable[T]) -> Iterator[T]:
    """The records that this version can read: for lists, and for work on each of them alone.

    What a newer version wrote is left to it.
    """
    try:
        yield from records
    except ConnectorError as error:
        if error.code != RECORD_NEWER:
            raise


def update(
    records: Records[T], key: str, change: Callable[[T], T | None], tries: int = 20
) -> Stored[T]:
    """Read, change, write conditionally, and again when someone else wrote first.

    `change` may run several times; returning None leaves the record as it is. NotFound when
    there is no such record, Changed when it could not be written in `tries` attempts.
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
