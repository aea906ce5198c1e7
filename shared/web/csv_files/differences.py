"""The whole difference of a preview as a CSV file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

from shared.previews.differences import Difference
from shared.web.csv_files.file import csv_file, neutral

_HEADER = (
    "change", "customerId", "email", "segments", "contact", "tags.sentLast", "tags.afterRun",
)  # fmt: skip


def differences_csv(fields: Sequence[str], rows: Iterator[Difference]) -> bytes:
    """The file as bytes; two columns per field: the value sent last, and the value after the run."""
    columns = [f"{field}.{side}" for field in fields for side in ("sentLast", "afterRun")]

    # Most people have the same few segments and tags.
    @cache
    def names(several: tuple[str, ...]) -> str:
        return neutral("; ".join(several))

    cells = (
        (
            row.kind,
            neutral(row.customer_id),
            neutral(row.email),
            names(row.segments),
            row.contact,
            names(row.tags_before),
            names(row.tags_after),
            *(neutral(value) for pair in row.fields for value in pair),
        )
        for row in rows
    )
    return csv_file((*_HEADER, *columns), cells)
