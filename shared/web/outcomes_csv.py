"""What became of every row, as a CSV file that a spreadsheet opens without surprises.

A cell that begins like a formula is shown as text (https://owasp.org/www-community/attacks/CSV_Injection);
quoting and line ends are those of RFC 4180; the byte order mark tells Excel that it is UTF-8.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from shared.exports.runs.report import OutcomeRow
from shared.web.texts import has, text

__all__ = ["HEADER", "action_text", "neutral", "outcomes_csv", "reason_text"]

HEADER = ("customerId", "email", "segments", "outcome", "code", "field", "reason", "action")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def neutral(cell: str) -> str:
    """The cell, with an apostrophe before whatever a spreadsheet would calculate."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def reason_text(code: str, language: str) -> str:
    """What happened, in words; empty without a code."""
    return _text(f"outcomes.{code}.reason", language)


def action_text(code: str, language: str) -> str:
    """What to do, in words; empty without a code."""
    return _text(f"outcomes.{code}.action", language)


def _text(key: str, language: str) -> str:
    return text(language, key) if has(key) else ""


def _place(row: OutcomeRow, language: str) -> str:
    """Where a row stands that has nothing else to be known by."""
    if not row.file or row.customer_id or row.email:
        return ""
    return text(language, "api.place", {"file": row.file, "line": str(row.line)})


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
                f"{reason} {_place(row, language)}".strip(),
                action,
            )
            writer.writerow([neutral(str(cell or "")) for cell in cells])
        lines.flush()
        return target.getvalue()
