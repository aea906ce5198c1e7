"""JSON as people and programs write it: with comments, a byte order mark, a trailing comma, line breaks in text or NaN.

https://www.rfc-editor.org/rfc/rfc8259 allows none of them; Microsoft's own SDK reads them.
"""

from __future__ import annotations

import json
import re

import orjson

from shared.segments.text_encodings import BYTE_ORDER_MARKS, utf16_without_mark

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
