"""A response before it is sent, and how its connection may break."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

JSON = "application/json; charset=utf-8"
PROBLEM = "application/problem+json; charset=utf-8"
HTML = "text/html; charset=utf-8"


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
