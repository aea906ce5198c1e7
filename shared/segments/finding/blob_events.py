"""Parses messages about new blobs. Events of other containers are ignored.

Event Grid puts `Microsoft.Storage.BlobCreated` into a queue, in its own schema or as a CloudEvent, one or several in
a message. With a hierarchical namespace, a file that is renamed after it was written raises `BlobRenamed`, whose
subject is the new name. Account, container and blob name come from the topic and the subject and are compared with
the landing container; the URL in the event is not used. Messages may come late, twice and out of order; blob and
ETag are equal in two messages about the same write.
https://learn.microsoft.com/azure/event-grid/event-schema-blob-storage
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

import orjson

from shared.segments.finding.json_text import read_time
from shared.segments.finding.survey import is_model

_CREATED = "Microsoft.Storage.BlobCreated"
_RENAMED = "Microsoft.Storage.BlobRenamed"
_MOST_BYTES = 64 * 1024
_LONGEST_ETAG = 100
# With a hierarchical namespace BlobCreated is also sent for CreateFile and SftpCreate, when the file is still
# empty. Lower case: the documentation and the service do not agree on it.
_WRITTEN = frozenset(
    {
        "putblob",
        "putblobfromurl",
        "putblocklist",
        "copyblob",
        "copyblobfromurl",
        "flushwithclose",
        "sftpcommit",
    }
)
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
    written_at: datetime | None

    @property
    def is_model(self) -> bool:
        """Whether it is a `model.json` or a manifest, which describe a whole export."""
        return is_model(self.blob)


def read_events(message: bytes | str, account: str, container: str) -> list[BlobCreated]:
    """The events in a queue message that are about this account and container."""
    found = (_event(each, account, container) for each in _parsed(message))
    return [each for each in found if each is not None]


def _event(event: dict[str, object], account: str, container: str) -> BlobCreated | None:
    # Event Grid's own schema has topic and eventType, CloudEvents 1.0 has source and type.
    topic = _TOPIC.fullmatch(_text(event, "topic") or _text(event, "source"))
    subject = _SUBJECT.fullmatch(_text(event, "subject"))
    data = event.get("data")
    kind = _text(event, "eventType") or _text(event, "type")
    if (
        kind not in {_CREATED, _RENAMED}
        or topic is None
        or topic["account"].casefold() != account.casefold()
        or subject is None
        or subject["container"] != container
        or not isinstance(data, dict)
        or (kind == _CREATED and _text(data, "api").casefold() not in _WRITTEN)
    ):
        return None
    # A renamed blob has no ETag in its event; the sequencer differs for every event.
    etag = _text(data, "eTag") or (_text(data, "sequencer") if kind == _RENAMED else "")
    blob, etag = subject["blob"], etag.removeprefix("W/").strip('"')
    if not 0 < len(etag) <= _LONGEST_ETAG or _CONTROL.search(blob + etag):
        return None
    if {"", ".", ".."} & set(blob.split("/")):
        return None
    return BlobCreated(blob, etag, read_time(event.get("eventTime", event.get("time"))))


def _parsed(message: bytes | str) -> list[dict[str, object]]:
    if len(message) > _MOST_BYTES:
        return []
    try:
        events = orjson.loads(message)
    except orjson.JSONDecodeError:
        return []
    listed = events if isinstance(events, list) else [events]
    return [each for each in listed if isinstance(each, dict)]


def _text(values: dict[str, object], key: str) -> str:
    value = values.get(key)
    return value if isinstance(value, str) else ""
