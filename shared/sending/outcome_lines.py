"""The outcomes of a chunk's people, as lines of CSV.

A line identifies a person by a line number in the plan's file of lines, never by address. Its columns are the line
number and the fields of Result; lines of version 1.0.0 have no `answer`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from operator import itemgetter

from shared.model.outcome import Outcome
from shared.sending.result import Result


def outcome_lines(results: Mapping[int, Result]) -> bytes:
    """Format outcomes by line number, sorted."""
    # Few results are different, so each is formatted once.
    formatted: dict[Result, str] = {}
    lines: list[str] = []
    for line, result in sorted(results.items(), key=itemgetter(0)):
        text = formatted.get(result)
        if text is None:
            text = formatted[result] = _format(result)
        lines.append(f"{line},{text}")
    return "".join(lines).encode()


def _format(result: Result) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(
        (
            result.outcome,
            result.code,
            result.field,
            result.status,
            int(result.status_sent),
            result.answer,
        )
    )
    return text.getvalue()


def outcome_ranges(results: Mapping[int, Result]) -> str:
    """Format outcomes like `outcome_lines`, with equal ones of consecutive lines as one: `first,count,...`."""
    ranges: list[str] = []
    first, count, previous = 0, 0, None
    for line, result in sorted(results.items(), key=itemgetter(0)):
        if previous is not None and line == first + count and result == previous:
            count += 1
            continue
        if previous is not None:
            ranges.append(f"{first},{count},{_format(previous)}")
        first, count, previous = line, 1, result
    if previous is not None:
        ranges.append(f"{first},{count},{_format(previous)}")
    return "".join(ranges)


def read_outcome_lines(data: bytes) -> dict[int, Result]:
    """Parse the outcomes that `outcome_lines` wrote."""
    rows = csv.reader(io.StringIO(data.decode()))
    return {int(line): _result(*outcome) for line, *outcome in rows}


def read_outcome_ranges(text: str) -> dict[int, Result]:
    """Parse the outcomes that `outcome_ranges` wrote."""
    results: dict[int, Result] = {}
    for first, count, *outcome in csv.reader(io.StringIO(text)):
        lines = range(int(first), int(first) + int(count))
        results |= dict.fromkeys(lines, _result(*outcome))
    return results


def _result(
    outcome: str, code: str, field: str, status: str, status_sent: str, answer: str = ""
) -> Result:
    return Result(Outcome(outcome), code, field, status, status_sent == "1", answer)
