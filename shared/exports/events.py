"""What the house tells whoever watches it: one log line an event, a JSON object of ids and counts.

The alerts and the workbook read these lines by their `event` (infra/modules/alerts.bicep), so a
name or a field that changes here changes there as well. Nothing personal ever stands in one.
"""

from __future__ import annotations

import json
import logging

from shared.exports.run import Run

__all__ = ["connection_lost", "run_finished", "tell"]

_LOG = logging.getLogger("shared.events")


def tell(event: str, **fields: str | int | float | None) -> None:
    """Log an event. Values are ids, codes and numbers."""
    _LOG.info("%s", json.dumps({"event": event, **fields}))


def run_finished(run: Run) -> None:
    """A run has ended, or waits for somebody."""
    counts, calls = run.counts, run.calls
    seconds = 0.0
    if run.queued_at is not None and run.finished_at is not None:
        seconds = (run.finished_at - run.queued_at).total_seconds()
    tell(
        "run.finished",
        runId=run.id,
        exportId=run.export_id,
        trigger=run.trigger,
        mode=run.mode,
        status=run.status,
        reason=run.reason.code if run.reason else None,
        seconds=seconds,
        sourceRows=counts.source_rows,
        distinct=counts.distinct,
        created=counts.created,
        updated=counts.updated,
        unchanged=counts.unchanged,
        kept=counts.kept,
        rejected=counts.rejected,
        removed=counts.removed,
        notSent=counts.not_sent,
        writeCalls=calls.write,
        readCalls=calls.read,
        throttled=calls.throttled,
        retried=calls.retried,
    )


def connection_lost(connection_id: str) -> None:
    """Mailchimp does not accept a connection's grant any more."""
    tell("connection.lost", connectionId=connection_id)
