"""What is measured while the house works, by name; who keeps the numbers is not the heart's matter.

Rule: a number may be told apart by the ids in `Meter`'s signature and by nothing else, so that no
metric can carry anything personal, and there are never more series than accounts.
https://opentelemetry.io/docs/specs/otel/metrics/api/
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

__all__ = ["NO_METER", "Meter", "Metric"]


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
    TURNED_AWAY = "lanes.turned_away"
    QUEUE_AGE = "queue.age"


class Meter(Protocol):
    """Takes numbers; never fails and never waits."""

    def add(self, metric: Metric, amount: int, *, account: str) -> None:
        """Count something, or let a level rise or fall, for a Mailchimp account."""

    def record(
        self, metric: Metric, value: float, *, account: str = "", function: str = ""
    ) -> None:
        """Note one measurement, of a Mailchimp account or of a function."""


class _Nobody:
    def add(self, metric: Metric, amount: int, *, account: str) -> None:
        pass

    def record(
        self, metric: Metric, value: float, *, account: str = "", function: str = ""
    ) -> None:
        pass


NO_METER: Meter = _Nobody()
"""A meter that keeps nothing."""
