"""ETags as callers see them, and the condition of `If-Match`."""

from __future__ import annotations

import hashlib

from shared.errors import Changed


def etag_of(version: str) -> str:
    """The ETag that callers see of a version: an ETag of storage, which contains a time and is not always quoted, or a text."""
    return f'"{hashlib.sha256(version.encode()).hexdigest()[:24]}"'


def refuse_changed(if_match: str | None, version: str, code: str) -> str | None:
    """The version that a write must find; None when the caller sets no condition.

    Changed, with this code, when `if_match` is the ETag of another state.
    """
    if if_match is None:
        return None
    if if_match.strip() == "*" or etag_of(version) in [t.strip() for t in if_match.split(",")]:
        return version
    raise Changed(code)
