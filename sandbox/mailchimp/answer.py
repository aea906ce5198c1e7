"""A response before it is sent, and how its connection may break."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

JSON = "application/json; charset=utf-8"
PROBLEM = "application/problem+json; charset=utf-8"
HTML = "text/html; charset=utf-8"
_WORTH_GZIP = 1000


@dataclass(slots=True)
class Answer:
    """Status, body and headers; `wire` is "", "reset" (no response at all) or "truncated" (half of it)."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)
    wire: str = ""
    stream: Iterator[bytes] | None = None
    """When set, the body is sent in chunks as it comes."""

    def pack(self) -> None:
        """Compress a body that is large enough, once."""
        if len(self.body) <= _WORTH_GZIP or "Content-Encoding" in self.headers:
            return
        packer = zlib.compressobj(1, zlib.DEFLATED, 31)
        self.body = packer.compress(self.body) + packer.flush()
        self.headers["Content-Encoding"] = "gzip"
        self.headers["Vary"] = "Accept-Encoding"
