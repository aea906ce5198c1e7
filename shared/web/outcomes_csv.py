"""The outcome of every row as a CSV file for spreadsheets.

A cell that begins like a formula is shown as text (https://owasp.org/www-community/attacks/CSV_Injection),
also after a semicolon, because some spreadsheets separate cells there. Quoting and line
ends are those of RFC 4180; the byte order mark tells Excel that it is UTF-8. Characters that cannot
be shown are replaced, so that they hide no text.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

from shared.runs.outcomes import OutcomeRow
from shared.web.texts import has, text

__all__ = ["HEADER", "action_text", "neutral", "outcomes_csv", "reason_text"]

HEADER = (
    "customerId",
    "email",
    "segments",
    "outcome",
    "code",
    "field",
    "reason",
    "action",
    "mailchimpAnswer",
)
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


def reason_text(code: str, language: str) -> str:
    """What happened, in words; empty without a code."""
    return _text(f"outcomes.{code}.reason", language)


def action_text(code: str, language: str) -> str:
    """What to do, in words; empty without a code."""
    return _text(f"outcomes.{code}.action", language)


def _text(key: str, language: str) -> str:
    return text(language, key) if has(key) else ""


def _place(row: OutcomeRow, language: str) -> str:
    """The file and line of a row without an address and a profile id."""
    if not row.file or row.customer_id or row.email:
        return ""
    return text(language, "api.place", {"file": row.file, "line": str(row.line)})


def _other(row: OutcomeRow, language: str) -> str:
    """The profile whose outcome applies to another profile with the same address."""
    if not row.shared_with:
        return ""
    return text(language, "api.otherProfile", {"customer": row.shared_with})


def outcomes_csv(rows: Iterator[OutcomeRow], language: str) -> bytes:
    """The whole file as bytes; rows are taken one by one and never held together."""
    target = io.BytesIO()
    with io.TextIOWrapper(target, encoding="utf-8-sig", newline="", write_through=False) as lines:
        writer = csv.writer(lines, lineterminator="\r\n")
        writer.writerow(HEADER)
        words: dict[str, tuple[str, str]] = {}
        for row in rows:
            code = str(row.code or "")
            if code not in words:
                words[code] = (reason_text(code, language), action_text(code, language))
            reason, action = words[code]
            cells = (
                row.customer_id,
                row.email,
                "; ".join(row.segments),
                row.outcome,
                code,
                row.field,
                " ".join(filter(None, (reason, _place(row, language), _other(row, language)))),
                action,
                row.answer,
            )
            writer.writerow([neutral(str(cell or "")) for cell in cells])
        lines.flush()
        return target.getvalue()
