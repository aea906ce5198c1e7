"""The outcome of every row as a CSV file."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from shared.runs.outcomes import OutcomeRow
from shared.web.csv_files.file import csv_file, neutral
from shared.web.texts import action_text, reason_text, text

_HEADER = (
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
    """The file as bytes; rows are written one by one and are never all in memory."""

    @cache
    def texts(code: str) -> tuple[str, str]:
        return reason_text(code, language), action_text(code, language)

    def cells(row: OutcomeRow) -> tuple[str, ...]:
        reason, action = texts(row.code)
        return (
            row.customer_id,
            row.email,
            "; ".join(row.segments),
            row.outcome,
            row.code,
            row.field,
            " ".join(filter(None, (reason, _place(row, language), _other(row, language)))),
            action,
            row.answer,
        )

    return csv_file(_HEADER, ([neutral(cell) for cell in cells(row)] for row in rows))
