"""The whole difference of a preview as a CSV file, in the form of `outcomes.csv` (outcomes_csv.py)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from shared.finishing.differences import Difference
from shared.web.outcomes_csv import neutral

__all__ = ["differences_csv"]

_HEADER = (
    "change", "customerId", "email", "segments", "contact", "tags.sentLast", "tags.afterRun",
)  # fmt: skip


def differences_csv(fields: Sequence[str], rows: Iterator[Difference]) -> bytes:
    """The whole file as bytes; two columns per field: the value sent last, and the value after the run."""
    target = io.BytesIO()
    with io.TextIOWrapper(target, encoding="utf-8-sig", newline="", write_through=False) as lines:
        writer = csv.writer(lines, lineterminator="\r\n")
        columns = [f"{field}.{side}" for field in fields for side in ("sentLast", "afterRun")]
        writer.writerow((*_HEADER, *columns))
        # Most people have the same few segments and tags.
        joined: dict[tuple[str, ...], str] = {}

        def names(several: tuple[str, ...]) -> str:
            if several not in joined:
                joined[several] = neutral("; ".join(several))
            return joined[several]

        for row in rows:
            values = (value for pair in row.fields for value in pair)
            writer.writerow(
                (
                    row.kind,
                    neutral(row.customer_id),
                    neutral(row.email),
                    names(row.segments),
                    row.contact,
                    names(row.tags_before),
                    names(row.tags_after),
                    *(neutral(value) if value else "" for value in values),
                )
            )
        lines.flush()
        return target.getvalue()
