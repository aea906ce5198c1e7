"""CSV files for spreadsheets.

A cell that begins like a formula is shown as text (https://owasp.org/www-community/attacks/CSV_Injection),
also after a semicolon, because some spreadsheets separate cells there. Quoting and line
ends are those of RFC 4180; Excel recognizes UTF-8 by the byte order mark. Characters that cannot
be shown are replaced, so that they hide no text.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from starlette.responses import Response

# Blanks and invisible marks before it do not keep every spreadsheet from calculating; nor do the
# full-width forms of the signs.
_BLANK = r"[\s\u200b-\u200f\u2060\ufeff]*"
_SIGN = r"[=+\-@＝＋－＠]"
_FORMULA = re.compile(rf"\A(?={_BLANK}{_SIGN}|[\t\r\n])|(?<=[;|\t\r\n])(?={_BLANK}{_SIGN})")
_UNSHOWN = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)

# File systems refuse some of these characters in names.
_NOT_IN_NAMES = re.compile(r"[^\w&()+,.-]")
_LONGEST_TITLE = 60


def neutral(cell: str) -> str:
    """The cell, with an apostrophe before whatever a spreadsheet would calculate."""
    if not cell.isprintable():
        cell = _UNSHOWN.sub("\ufffd", cell)
    return _FORMULA.sub("'", cell)


def csv_file(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """The whole file as bytes; rows are written one by one and are never all in memory."""
    target = io.BytesIO()
    with io.TextIOWrapper(target, encoding="utf-8-sig", newline="", write_through=False) as lines:
        writer = csv.writer(lines, lineterminator="\r\n")
        writer.writerow(header)
        writer.writerows(rows)
        lines.flush()
        return target.getvalue()


class CsvResponse(Response):
    """A CSV file."""

    media_type = "text/csv"


def csv_response(data: bytes, kind: str, id: str, title: str) -> Response:
    """A CSV file to save. Its name has what it contains, the title of that, and an id.

    Browsers use the name with the title, and other programs the one without.
    https://www.rfc-editor.org/rfc/rfc6266
    """
    words = " ".join(_NOT_IN_NAMES.sub(" ", title).split())[:_LONGEST_TITLE].strip()
    full = quote("-".join(filter(None, (kind, words, id))) + ".csv", safe="")
    names = f"filename=\"{kind}-{id}.csv\"; filename*=UTF-8''{full}"
    return CsvResponse(data, headers={"Content-Disposition": f"attachment; {names}"})
