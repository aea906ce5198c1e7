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

# `asked` is 1 for a person who was in the audience and was sent with a status. The way people are
# written (write.py) excludes this; it is counted so that the consent proof is a measurement.
OUTCOME_COLUMNS = {
    "line": "BIGINT",
    "outcome": "VARCHAR",
    "code": "VARCHAR",
    "field": "VARCHAR",
    "status": "VARCHAR",
    "asked": "INTEGER",
}


def outcome_lines(results: Mapping[int, Result]) -> bytes:
    """Outcomes by line number, in order of the lines."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for line, result in sorted(results.items()):
        writer.writerow(
            (line, result.outcome, result.code, result.field, result.status, int(result.asked))
        )
    return text.getvalue().encode()


def read_outcome_lines(data: bytes) -> dict[int, Result]:
    """The outcomes that `outcome_lines` wrote."""
    return {
        int(line): Result(Outcome(outcome), code, field, status, asked == "1")
        for line, outcome, code, field, status, asked in csv.reader(io.StringIO(data.decode()))
    }
