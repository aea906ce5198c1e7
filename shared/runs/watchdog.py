"""Resumes runs that stalled, as a part of the timer's work.

A message can be lost, and a process can be killed between two writes. The run's record still shows
the next step, so the watchdog sends the message again. A run that makes no progress although it was
resumed for an hour is ended, so no run waits forever.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.messaging.events import log_event
from shared.messaging.trace import continue_trace
from shared.model.chunk import Chunk
from shared.model.finding import Reason
from shared.model.ports import Queue, Records, readable
from shared.model.run import Run, RunStatus, Stage
from shared.runs.abandon import Abandon
from shared.runs.run_messages import send_lane_messages, send_plan_message
from shared.runs.transitions import Transitions

# Longer than the longest call to Mailchimp including its retry, and longer than a lane's pause.
STALLED_AFTER = timedelta(minutes=5)
# Resuming this often without progress takes an hour. By then the cause is not temporary.
MOST_RESUMES = 12


@dataclass(frozen=True)
class Watchdog:
    """Resumes or ends active runs that make no progress."""

    runs: Records[Run]
    chunks: Records[Chunk]
    transitions: Transitions
    queue: Queue
    abandon: Abandon
    connections: int
    now: Callable[[], datetime]

    def resume_stalled(self) -> int:
        """Resume the runs that stalled. Returns their number."""
        count = 0
        for stored in readable(self.runs.all(where={"stage": Stage.ACTIVE})):
            run = stored.value
            done = self._done_times(run)
            moved = max(filter(None, (run.moved_at, run.queued_at, *done)))
            last = max(moved, run.resumed_at or moved)
            # Progress dated far in the future was written by an instance whose clock is wrong. It
            # does not count, and an extra message does no harm (messaging/sequence.py).
            if abs(self.now() - last) < STALLED_AFTER:
                continue
            count += 1
            with continue_trace(run.trace):
                # A time alone is not enough: if the clock of an instance is hours behind, its newest times are not the latest.
                self._resume(run, f"{run.moved_at} {len(done)}")
        return count

    def _resume(self, run: Run, progress: str) -> None:
        log_event("run.stalled", level=logging.WARNING, runId=run.id, status=run.status)
        resumed = run.resumed if progress == run.resumed_progress else 0
        if resumed >= MOST_RESUMES:
            self.abandon.end(run.id, Reason("stalled"))
            return
        self.transitions.mark_resumed(run.id, resumed + 1, progress)
        if run.status in (RunStatus.QUEUED, RunStatus.PLANNING):
            send_plan_message(self.queue, run)
        else:
            send_lane_messages(self.queue, run, self.connections)

    def log_lane_given_up(self, run_id: str) -> None:
        """Log that the queue gave up on a lane's message, without its content.

        The run continues with its other lanes and with the next resume.
        """
        log_event("lane.gaveUp", level=logging.ERROR, runId=run_id)

    def _done_times(self, run: Run) -> list[datetime]:
        """When the chunks of a run that is sending were done."""
        if run.status is not RunStatus.SENDING:
            return []
        times = (stored.value.done_at for stored in self.chunks.all(run.id))
        return [time for time in times if time is not None]
