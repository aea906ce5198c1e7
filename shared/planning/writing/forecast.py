"""Forecasts for a preview how many calls its run would make, and how long it would take."""

from __future__ import annotations

import math
from collections.abc import Sequence

from shared.model.chunk import Chunk
from shared.model.finding import Finding, Severity


def forecast(chunks: Sequence[Chunk], people_per_second: float | None) -> Finding:
    """Return a finding with the calls of a run, and with its minutes if the speed was measured."""
    calls = str(len(chunks))
    if not people_per_second:
        return Finding(Severity.INFO, "expectedCalls", values={"calls": calls})
    seconds = sum(chunk.people for chunk in chunks) / people_per_second
    values = {
        "calls": calls,
        "minutes": str(max(1, math.ceil(seconds / 60))),
        "speed": str(round(people_per_second)),
    }
    return Finding(Severity.INFO, "expected", values=values)
