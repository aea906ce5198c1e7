"""JSON as people and programs write it, and its values: text, flags and times in several forms.

It may have comments, a byte order mark, a trailing comma, line breaks in text or NaN.
https://www.rfc-editor.org/rfc/rfc8259 allows none of them; Microsoft's own SDK reads them.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import orjson

from shared.segments.text_encodings import BYTE_ORDER_MARKS, utf16_without_mark

# Longer text is no name.
MAX_NAME = 1_000

# Text first, so that nothing inside of it is taken for a comment.
_TOKEN = re.compile(
    r'"(?:[^"\\]|\\.)*(?:"|\Z)|//[^\r\n]*|/\*.*?(?:\*/|\Z)|,(?=\s*[}\]])', re.DOTALL
)


def load_json(data: bytes) -> object:
    """The value of a document. ValueError, without content of the document, when it is no JSON."""
    for mark, codec in BYTE_ORDER_MARKS:
        if data.startswith(mark):
            text = data[len(mark) :]
            data = text if codec == "utf-8" else text.decode(codec, "replace").encode()
            break
    else:
        if codec := utf16_without_mark(data):
            data = data.decode(codec, "replace").encode()
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        pass
    plain = _TOKEN.sub(
        lambda found: found[0] if found[0].startswith('"') else " ", data.decode(errors="replace")
    )
    try:
        # Python's own reader accepts more. What orjson cannot write, such as half of a surrogate pair, is no JSON.
        # It cannot write integers of more than 64 bits either, but reads them as floats.
        value = json.loads(plain, strict=False, parse_int=orjson.loads)
        return orjson.loads(orjson.dumps(value))
    except (ValueError, TypeError, RecursionError):
        # Not chained: the decoder's error carries the document.
        msg = "The document is not valid JSON."
        raise ValueError(msg) from None


def text_of(value: object) -> str:
    """Text without blanks around it, at most as long as a name; empty when it is not text."""
    return value.strip()[:MAX_NAME] if isinstance(value, str) else ""


def flag_of(value: object) -> bool | None:
    """A boolean, also as the text that Microsoft's SDK writes; None for any other value."""
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().casefold())
    return value if isinstance(value, bool) else None


def read_time(value: object) -> datetime | None:
    """An ISO 8601 time in UTC, or None when it is missing or invalid."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
