"""The metrics of the app, by name.

The only labels are the ids in `Meter`'s signature, so no metric can carry personal data and there
are never more series than accounts.
https://opentelemetry.io/docs/specs/otel/metrics/api/
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol


class Metric(StrEnum):
    """Names of metrics; the value is the instrument's name."""

    PROFILES = "export.profiles"
    REJECTED = "export.rejected"
    WRITE_CALLS = "mailchimp.calls.write"
    READ_CALLS = "mailchimp.calls.read"
    THROTTLED = "mailchimp.throttled"
    RETRIED = "mailchimp.retried"
    CHUNK_SECONDS = "export.chunk.seconds"
    SLOTS_USED = "lanes.slots.used"
    SLOTS_ALLOWED = "lanes.slots.allowed"
    WITHOUT_SLOT = "lanes.without_slot"
    QUEUE_AGE = "queue.age"


class Meter(Protocol):
    """Takes measurements; never fails and never waits."""

    def add(self, metric: Metric, amount: int, *, account: str) -> None:
        """Add to a counter or to a level, for a Mailchimp account."""

    def record(
        self, metric: Metric, value: float, *, account: str = "", function: str = ""
    ) -> None:
        """Record one measurement, of a Mailchimp account or of a function."""
