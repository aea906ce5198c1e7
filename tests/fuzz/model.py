"""Fuzz target: no `model.json` makes the app read outside the container.

An input is the file itself. The container has a few valid files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import cast
from urllib.parse import unquote

import orjson

from shared.errors import ConnectorError
from shared.segments.blob_segments import BlobSegments
from shared.segments.container import BlobEntry, LandingContainer
from shared.segments.finding.survey import Surveyor
from tests.segments.segment_files import MemoryContainer

TOKENS = (
    b'{"entities":[', b'"name":', b'"attributes":', b'"partitions":', b'"location":', b'"a.csv"',
    b'"$type":"LocalEntity"', b'"fileFormatSettings":', b'"delimiter":', b'"columnHeaders":',
    b'"annotations":', b'"value":', b'"refreshTime":"2026-11-01T08:00:00Z"', b'"traits":', b"[]",
    b"{}", b"null", b"1e400", b'"\\u0000"', b"../", b"%2e%2e", b"//", b"\\\\", b"?", b"#", b"@",
    b"https://landing.blob.core.windows.net/segments/a.csv", b"http://169.254.169.254/", b"file:///",
    b'"keys":', b'"entityType":"profile"', b'"modelId":', b'"tables":', b'"dataType":"int64"',
    b"9999-12-31T23:59:59+23:59", b"0001-01-01T00:00:00-23:59",
)  # fmt: skip
_FILES = {
    "export/a.csv": b"A,B\r\n1,a@b.de\r\n",
    "export/b.csv": b"2,b@c.de\n",
    "export/Gold/2026/11/01/0800/Gold_1.csv": b"CustomerId,EMail\n1,a@b.de\n",
    "secret/other.csv": b"no\n",
}


class _Container(MemoryContainer):
    """The landing container. Reading a blob that is not in it is a fault."""

    def read(self, entry: BlobEntry, limit: int) -> bytes:
        assert entry.size <= limit
        return super().read(entry, limit)

    def pieces(self, name: str, etag: str, length: int | None = None) -> Iterator[bytes]:
        assert name in self.files, "a file outside of the container is asked for"
        return super().pieces(name, etag, length)


def _meant(data: bytes) -> set[str]:
    """The files that any text of the model can honestly mean, worked out apart from the app."""
    found = set()
    for text in re.findall(rb'"((?:[^"\\]|\\.)*)"', data):
        try:
            plain = orjson.loads(b'"' + text + b'"').strip()
        except orjson.JSONDecodeError:
            continue
        for name in (plain, unquote(plain)):
            path = name.partition("?")[0]
            for written in (f"export/{path}", path.rpartition("/segments/")[2]):
                tidy = "/".join(part for part in written.split("/") if part not in {"", "."})
                found |= {written, tidy}
    return found


def run(data: bytes) -> object:
    """Return what was seen; AssertionError if a blob outside the container is read."""
    container = cast("LandingContainer", _Container({**_FILES, "export/model.json": data}))
    seen: set[object] = set()
    meant = _meant(data)
    for root in ("", "export"):
        try:
            found = Surveyor(container, root).survey().found
        except ConnectorError as error:
            seen.add((type(error).__name__, error.code))
            continue
        source = BlobSegments(container, root)
        for name, each in found.items():
            assert name == each.name
            assert len(each.missing) + len(each.partitions) == each.listed
            for partition in each.partitions:
                assert partition.blob in _FILES or partition.blob == "export/model.json"
                assert partition.blob.startswith(root)
                assert partition.blob in meant or not each.attributes
            try:
                (segment,) = source.snapshot([name]).segments
                seen.add((len(segment.attributes) > 0, len(segment.partitions) > 0))
            except ConnectorError as error:
                seen.add((type(error).__name__, error.code))
    return frozenset(seen)
