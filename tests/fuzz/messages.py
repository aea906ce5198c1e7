"""Fuzz target: queue messages and Event Grid bodies are parsed, or raise an InputError without content."""

from __future__ import annotations

import re

import orjson

from shared.errors import InputError
from shared.messaging.messages import LONGEST, lane_of, refresh_of, run_of, stamps_of
from shared.segments.finding.blob_events import read_events

TOKENS = (
    b'{"v":1,"run":"', b"0123456789abcdef0123", b'","lane":', b'"refresh":"', b'"number":', b'"due":',
    b'"traceparent":"00-', b"0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", b"true", b"-1",
    b"1e400", b"NaN", b"null", b"[", b"]", b"{}", b'"\\ud800"', b"\\u0000", b"9" * 30, b"../",
    b'"eventType":"Microsoft.Storage.BlobCreated"', b'"topic":"', b'"subject":"', b'"data":',
    b'"api":"PutBlob"', b'"eTag":"0x1"', b"/blobs/", b"\\r\\n", b"%2f", b'"type":', b'"source":',
    b"/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/landing",
    b"/blobServices/default/containers/segments/blobs/export/model.json",
)  # fmt: skip
_RUN = re.compile(r"[0-9a-f]{20}")
_EXPORT = re.compile(r"[A-Za-z0-9_-]{1,64}")
_READERS = {"run": run_of, "lane": lane_of, "look": refresh_of, "stamps": stamps_of}


def run(data: bytes) -> object:
    """Return what was seen; AssertionError if an invalid message is accepted."""
    seen = []
    for name, read in _READERS.items():
        try:
            found = read(data)
        except InputError as error:
            assert str(error).startswith("A queue message ")
            assert len(str(error)) < 60
            seen.append((name, str(error)))
            continue
        seen.append((name, found is None))
        if name in ("run", "lane"):
            run_id, lane = found if name == "lane" else (found, 0)
            assert _RUN.fullmatch(run_id)
            assert type(lane) is int and 0 <= lane < 100
            assert len(data) <= LONGEST
        elif name == "look" and found:
            assert _EXPORT.fullmatch(found[0])
            assert type(found[1]) is int and 0 <= found[1] < 1 << 53
        elif name == "stamps" and found.trace:
            assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", found.trace.parent)
    for event in read_events(data, "landing", "segments"):
        assert event.blob and len(event.blob) <= 1024
        assert not {"", ".", ".."} & set(event.blob.split("/"))
        assert not re.search(r"[\x00-\x1f\x7f]", event.blob + event.etag)
        assert len(event.etag) <= 200
        orjson.dumps([event.blob, event.etag])
        seen.append(("event", str(event.is_model)))
    return tuple(seen)
