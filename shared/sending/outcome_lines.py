"""The outcomes of a chunk's people, as lines of CSV.

A line identifies a person by a line number in the plan's file of lines, never by address.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

from shared.model.outcome import Outcome
from shared.sending.write import Result

__all__ = ["OUTCOME_COLUMNS", "outcome_lines", "read_outcome_lines"]

# `status_sent` is 1 for an existing contact that was sent with a status. write.py never does this; it is
# counted so that the consent proof rests on the calls that were made.
OUTCOME_COLUMNS = {
    "line": "BIGINT",
    "outcome": "VARCHAR",
    "code": "VARCHAR",
    "field": "VARCHAR",
    "status": "VARCHAR",
    "status_sent": "INTEGER",
}


def outcome_lines(results: Mapping[int, Result]) -> bytes:
    """Format outcomes by line number, sorted."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for line, result in sorted(results.items()):
        writer.writerow(
            (
                line,
                result.outcome,
                result.code,
                result.field,
                result.status,
                int(result.status_sent),
            )
        )
    return text.getvalue().encode()


def read_outcome_lines(data: bytes) -> dict[int, Result]:
    """Parse the outcomes that `outcome_lines` wrote."""
    return {
        int(line): Result(Outcome(outcome), code, field, status, status_sent == "1")
        for line, outcome, code, field, status, status_sent in csv.reader(
            io.StringIO(data.decode())
        )
    }
