"""Recognizes the encoding of a text: by its byte order mark, its zero bytes, or the name that a `model.json` declares."""

from __future__ import annotations

import codecs
import re

from shared.errors import InputError

# Bytes from which the encoding is recognized.
PEEK_SIZE = 1024
# Characters at the edges of cells.
_EDGES = b",;|\t\r\n"

# A mark of UTF-32 begins with the mark of UTF-16.
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Names of character sets in .NET, which Microsoft's writers use, and code pages.
_DOTNET_NAMES = {
    "utf-8": ("", "utf-8-bom", "utf-8-sig", "utf8bom", "unicode (utf-8)", "65001"),
    "utf-16-le": ("unicode", "utf-16", "utf-16le", "ucs-2", "1200"),
    "utf-16-be": ("bigendianunicode", "unicodefffe", "utf-16be", "1201"),
    "utf-32-le": ("utf-32", "12000"),
    "utf-32-be": ("12001",),
    "ascii": ("us-ascii", "20127"),
    "latin-1": ("28591",),
    "cp949": ("ks_c_5601-1987",),
    "euc_kr": ("51949",),
    "gb18030": ("54936",),
}
_CODECS = {name: codec for codec, names in _DOTNET_NAMES.items() for name in names}
# The names of code pages in Java and on the Web, of which Python knows only some: windows-949.
_WINDOWS = re.compile(r"(?:x-)?windows-(\d{3,5})")
_LONGEST_NAME = 60
# Some of Python's codecs are not character sets; only these kinds are text.
_CHARACTER_SETS = re.compile(
    r"utf-(?:8|16|32)(?:-[lb]e)?|ascii|iso8859-\d+|cp\d+|mac-\w+|koi8-\w+|tis-620"
    r"|euc_\w+|shift_jis\w*|iso2022_\w+|johab|gb2312|gbk|gb18030|hz|big5\w*"
)


def utf16_without_mark(head: bytes) -> str:
    """Return the UTF-16 encoding of a text that begins with `head` and has no byte order mark; else empty.

    One of the two bytes of an ASCII character is zero. So it is beside most delimiters and line ends, or in the first two
    characters. Text in other encodings has no zero bytes, or few in other places.
    """
    head = head[:PEEK_SIZE]
    pairs = list(zip(head[::2], head[1::2], strict=False))
    if (0, 0) in pairs:
        return ""  # text in UTF-8 that is filled up with zero bytes, or UTF-32
    for codec, turned in (("utf-16-le", pairs), ("utf-16-be", [(b, a) for a, b in pairs])):
        edges = [high == 0 for low, high in turned if low in _EDGES]
        begins = len(turned) > 1 and all(low and not high for low, high in turned[:2])
        if begins or sum(edges) * 2 > len(edges):
            return codec
    return ""


def codec_of(encoding: str, where: str) -> str:
    """Return Python's codec for the declared name of an encoding. InputError names `where` when it is unknown."""
    wanted = encoding.strip().casefold()
    wanted = _WINDOWS.sub(r"\1", wanted)
    wanted = _CODECS.get(wanted, f"cp{wanted}" if wanted.isdecimal() else wanted)
    try:
        name = codecs.lookup(wanted).name
    except (LookupError, ValueError):
        name = ""
    if not _CHARACTER_SETS.fullmatch(name):
        raise InputError("encodingUnknown", where=where, encoding=encoding[:_LONGEST_NAME])
    return name


def is_utf8(head: bytes) -> bool:
    """Whether the beginning of a text can be UTF-8; its last character may be incomplete."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True
