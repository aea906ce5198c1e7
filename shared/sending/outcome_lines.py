"""The outcomes of one attempt at a chunk, as lines of CSV.

A line names a person by the number of their line in the plan's file of lines, never by address.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from shared.sending.write import Result

__all__ = ["OUTCOME_COLUMNS", "outcome_lines"]

# `asked` is 1 for someone who was there already and was sent with a status: never, by the way
# people are written (write.py), and counted so that the consent proof is a measurement.
OUTCOME_COLUMNS = {
    "line": "BIGINT",
    "outcome": "VARCHAR",
    "code": "VARCHAR",
    "field": "VARCHAR",
    "status": "VARCHAR",
    "asked": "INTEGER",
}


def outcome_lines(first: int, results: Sequence[Result]) -> bytes:
    """Outcomes of the people from line `first` on, in their order."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for line, result in enumerate(results, start=first):
        writer.writerow(
            (line, result.outcome, result.code, result.field, result.status, int(result.asked))
        )
    return text.getvalue().encode()
