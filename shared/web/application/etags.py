"""ETags as callers see them, and the condition of `If-Match`."""

from __future__ import annotations

import hashlib

from shared.errors import Changed


def etag_of(storage_etag: str) -> str:
    """The ETag that callers see: the storage's own contains a time and is not always quoted."""
    return f'"{hashlib.sha256(storage_etag.encode()).hexdigest()[:24]}"'


def refuse_changed(if_match: str | None, storage_etag: str, code: str) -> str | None:
    """The storage ETag that a write must find; None when the caller sets no condition.

    Changed, with this code, when `if_match` is the ETag of another state.
    """
    if if_match is None:
        return None
    if if_match.strip() == "*" or etag_of(storage_etag) in [t.strip() for t in if_match.split(",")]:
        return storage_etag
    raise Changed(code)
