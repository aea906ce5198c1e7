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
        for row in rows:
            cells = (
                row.kind,
                row.customer_id,
                row.email,
                "; ".join(row.segments),
                row.contact,
                "; ".join(row.tags_before),
                "; ".join(row.tags_after),
                *(value for pair in row.fields for value in pair),
            )
            writer.writerow([neutral(cell) for cell in cells])
        lines.flush()
        return target.getvalue()
