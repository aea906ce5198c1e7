"""Reads request paths as Kestrel does, the web server of the real host.

A path is percent-decoded once, then its dot segments are resolved, then it is routed; the URL that a
function sees is built from the result. An encoded slash stays encoded, and so do bytes that are not UTF-8.
https://learn.microsoft.com/aspnet/core/fundamentals/servers/kestrel
"""

from __future__ import annotations

import re
from urllib.parse import quote

_ESCAPES = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
# The characters that a path may contain unescaped (RFC 3986, pchar), and "%" for remaining escapes.
_PATH_CHARACTERS = "/:@!$&'()*+,;=-._~%"


def read_path(raw: str) -> str:
    """Return the path to route, from the path of a request line.

    Raises:
        ValueError: it contains a NUL character.
    """
    return _resolve_dots(_ESCAPES.sub(_decode, raw))


def write_path(path: str) -> str:
    """The path of the URL that a function sees; a "%" that begins no escape becomes "%25"."""
    return _LONE_PERCENT.sub("%25", quote(path, safe=_PATH_CHARACTERS))


def _decode(found: re.Match[str]) -> str:
    data = bytes.fromhex(found[0].replace("%", ""))
    if 0 in data:
        msg = "a path must not contain a NUL character"
        raise ValueError(msg)
    return "".join(_character(one) for one in data.decode("utf-8", "surrogateescape"))


def _character(decoded: str) -> str:
    if decoded == "/":
        return "%2F"
    if "\udc80" <= decoded <= "\udcff":  # a byte that is not UTF-8
        return f"%{ord(decoded) - 0xDC00:02X}"
    return decoded


def _resolve_dots(path: str) -> str:
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments and segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)
