"""Events for monitoring: one log line each, a JSON object of ids and counts.

The alerts and the workbook read these lines by their `event` (infra/modules/alerts.bicep), so a
changed name or field must be changed there as well. No event contains personal data. Every event
has a trace id, by which all events of a run can be found (trace.py).
"""

from __future__ import annotations

import json
import logging
from datetime import datetime

from shared.messaging.trace import current
from shared.model.run import Run

_LOG = logging.getLogger("shared.events")


def log_event(event: str, /, level: int = logging.INFO, **fields: str | int | float | None) -> None:
    """Log an event. Values are ids, codes and numbers."""
    trace = current()
    where = {"traceId": trace.trace_id} if trace else {}
    _LOG.log(level, "%s", json.dumps({"event": event, **fields, **where}))


def log_run_finished(run: Run) -> None:
    """Log that a run is over.

    A run is logged at least once: twice if a process was killed between the event and its mark.
    """
    counts, calls = run.counts, run.calls
    log_event(
        "run.finished",
        runId=run.id,
        exportId=run.export_id,
        trigger=run.trigger,
        mode=run.mode,
        status=run.status,
        reason=run.reason.code if run.reason else None,
        seconds=run.seconds_since(run.queued_at) or 0.0,
        planSeconds=_between(run, run.started_at, run.sending_at),
        sendSeconds=_between(run, run.sending_at, run.finished_at),
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


def log_run_waiting(run: Run) -> None:
    """Log that a run waits for a person to confirm it."""
    log_event(
        "run.waiting",
        runId=run.id,
        exportId=run.export_id,
        reason=run.reason.code if run.reason else None,
    )


def _between(run: Run, begin: datetime | None, end: datetime | None) -> float | None:
    """The seconds of a part of a run. None if the run waited for a confirmation, because it is unknown in which part."""
    return (end - begin).total_seconds() if begin and end and not run.waited_seconds else None
