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

from starlette.responses import Response

# Blanks and invisible marks before it do not keep every spreadsheet from calculating; nor do the
# full-width forms of the signs.
_BLANK = r"[\s\u200b-\u200f\u2060\ufeff]*"
_SIGN = r"[=+\-@＝＋－＠]"
_FORMULA = re.compile(rf"\A(?={_BLANK}{_SIGN}|[\t\r\n])|(?<=[;|\t\r\n])(?={_BLANK}{_SIGN})")
_UNSHOWN = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


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


def csv_response(data: bytes, name: str) -> Response:
    """A CSV file to save under a name."""
    return CsvResponse(data, headers={"Content-Disposition": f'attachment; filename="{name}"'})
