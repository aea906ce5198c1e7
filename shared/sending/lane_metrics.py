"""Measures what a lane does while it holds its slot, and logs it once at the end.

These numbers are for monitoring (speed, throttling, use of the allowed slots). The counts of a run
are computed only from its outcomes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.messaging.events import log_event
from shared.messaging.metrics import Meter, Metric
from shared.messaging.trace import waited
from shared.model.audience import CallCounts
from shared.model.outcome import Outcome
from shared.sending.result import Result


@dataclass
class LaneMetrics:
    """The metrics of one lane. `allowed` is the number of slots that lanes of the account may use."""

    run_id: str
    export_id: str
    account_id: str
    lane: int
    allowed: int
    meter: Meter
    chunks: int = 0
    profiles: int = 0
    rejected: int = 0
    calls: CallCounts = field(default_factory=CallCounts)

    def begin(self) -> None:
        """Record that the lane holds its slot."""
        self.meter.add(Metric.SLOTS_USED, 1, account=self.account_id)
        self.meter.record(Metric.SLOTS_ALLOWED, self.allowed, account=self.account_id)

    def sent(self, results: Sequence[Result], seconds: float) -> None:
        """Count a sent chunk, with the duration of sending in seconds."""
        rejected = sum(1 for result in results if result.outcome is Outcome.REJECTED)
        self.chunks += 1
        self.profiles += len(results)
        self.rejected += rejected
        self.meter.add(Metric.PROFILES, len(results), account=self.account_id)
        self.meter.add(Metric.REJECTED, rejected, account=self.account_id)
        self.meter.record(Metric.CHUNK_SECONDS, seconds, account=self.account_id)

    def called(self, calls: CallCounts) -> None:
        """Count calls to Mailchimp, including failed ones."""
        self.calls += calls
        self.meter.add(Metric.WRITE_CALLS, calls.write, account=self.account_id)
        self.meter.add(Metric.READ_CALLS, calls.read, account=self.account_id)
        self.meter.add(Metric.THROTTLED, calls.throttled, account=self.account_id)
        self.meter.add(Metric.RETRIED, calls.retried, account=self.account_id)

    def end(self, seconds: float) -> None:
        """Log the metrics when the slot is released after `seconds`. A lane without work logs nothing."""
        self.meter.add(Metric.SLOTS_USED, -1, account=self.account_id)
        if self.chunks or self.calls != CallCounts():
            log_event(
                "lane.worked",
                runId=self.run_id,
                exportId=self.export_id,
                accountId=self.account_id,
                lane=self.lane,
                slotsAllowed=self.allowed,
                chunks=self.chunks,
                profiles=self.profiles,
                rejected=self.rejected,
                writeCalls=self.calls.write,
                readCalls=self.calls.read,
                throttled=self.calls.throttled,
                retried=self.calls.retried,
                seconds=round(seconds, 3),
                waitedSeconds=waited(),
            )
