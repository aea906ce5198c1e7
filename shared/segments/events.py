"""A message about a new blob, checked; what is not about our container is no event for us.

Event Grid puts `Microsoft.Storage.BlobCreated` into a queue, in its own schema or as a CloudEvent.
Account, container and blob name are taken from the topic and the subject and compared with the
landing container; the URL in the event is never looked at. Messages come late, twice and out of
order: `identity` tells two of the same write.
https://learn.microsoft.com/azure/event-grid/event-schema-blob-storage
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

import orjson

from shared.segments.cdm import read_time

__all__ = ["BlobCreated", "read_event"]

_TYPE = "Microsoft.Storage.BlobCreated"
_MOST_BYTES = 64 * 1024
_LONGEST_ETAG = 100
# With a hierarchical namespace BlobCreated is also sent for CreateFile, when nothing is in it yet.
_WRITTEN = frozenset({"PutBlob", "PutBlockList", "FlushWithClose", "CopyBlob"})
_TOPIC = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Storage/storageAccounts/"
    r"(?P<account>[a-z0-9]{3,24})/?",
    re.IGNORECASE,
)
_SUBJECT = re.compile(
    r"/blobServices/default/containers/(?P<container>[a-z0-9$-]{3,63})/blobs/(?P<blob>.{1,1024})",
    re.DOTALL,
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class BlobCreated:
    """A blob of the landing container was written."""

    blob: str
    etag: str
    written_at: datetime | None = None

    @property
    def identity(self) -> tuple[str, str]:
        """Equal for two messages about the same write."""
        return self.blob, self.etag

    @property
    def is_model(self) -> bool:
        """Whether it is a `model.json`, which describes a whole export."""
        return self.blob.rpartition("/")[2] == "model.json"


def read_event(message: bytes | str, account: str, container: str) -> BlobCreated | None:
    """The event in a queue message, or None when it is none about this account and container."""
    event = _parsed(message)
    if event is None:
        return None
    # Event Grid's own schema says topic and eventType, CloudEvents 1.0 says source and type.
    topic = _TOPIC.fullmatch(_text(event, "topic") or _text(event, "source"))
    subject = _SUBJECT.fullmatch(_text(event, "subject"))
    data = event.get("data")
    if (
        (_text(event, "eventType") or _text(event, "type")) != _TYPE
        or topic is None
        or topic["account"].casefold() != account.casefold()
        or subject is None
        or subject["container"] != container
        or not isinstance(data, dict)
        or _text(data, "api") not in _WRITTEN
    ):
        return None
    blob, etag = subject["blob"], _text(data, "eTag").removeprefix("W/").strip('"')
    if not 0 < len(etag) <= _LONGEST_ETAG or _CONTROL.search(blob + etag):
        return None
    if {"", ".", ".."} & set(blob.split("/")):
        return None
    return BlobCreated(blob, etag, read_time(event.get("eventTime", event.get("time"))))


def _parsed(message: bytes | str) -> dict[str, object] | None:
    if len(message) > _MOST_BYTES:
        return None
    try:
        event = orjson.loads(message)
    except orjson.JSONDecodeError:
        return None
    if isinstance(event, list) and len(event) == 1:
        event = event[0]
    return event if isinstance(event, dict) else None


def _text(values: dict[str, object], key: str) -> str:
    value = values.get(key)
    return value if isinstance(value, str) else ""
