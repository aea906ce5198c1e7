"""What the timer does besides starting: runs that stand still are set going again.

A message can be lost, a worker killed in the moment between two writes: the run's record still
says what is to happen next, so the watch only sends the message again. A run that does not move
although it was set going for an hour is ended. Nothing hangs for ever.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.messaging.events import log_event
from shared.messaging.messages import lane_message, plan_message
from shared.messaging.trace import following
from shared.model.chunk import Chunk
from shared.model.names import PLAN_RUNS, SEND_LANES
from shared.model.ports import Queue, Records, readable
from shared.model.run import Reason, Run, RunStatus
from shared.runs.abandon import Abandon
from shared.runs.transitions import Transitions

__all__ = ["HOPELESS", "STANDING_STILL", "Watchdog"]

# Longer than the longest single call to Mailchimp with its retry, and than a lane's pause.
STANDING_STILL = timedelta(minutes=5)
# So often set going for nothing, an hour: what keeps the run from moving does not pass by itself.
HOPELESS = 12


@dataclass(frozen=True)
class Watchdog:
    """Looks after runs that are going."""

    runs: Records[Run]
    chunks: Records[Chunk]
    queue: Queue
    abandon: Abandon
    connections: int
    now: Callable[[], datetime]

    def look(self) -> int:
        """Set runs going again that stand still; how many there were."""
        count = 0
        for status in (
            RunStatus.QUEUED,
            RunStatus.PLANNING,
            RunStatus.SENDING,
            RunStatus.FINISHING,
        ):
            for stored in readable(self.runs.all(where={"status": status.value})):
                run = stored.value
                moved = self._last_move(run)
                last = max(moved, run.set_going_at or moved)
                # A move far in the future was told by an instance whose clock is wrong: it says
                # nothing, and a message too many does no harm (messaging/sequence.py).
                if abs(self.now() - last) < STANDING_STILL:
                    continue
                count += 1
                with following(run.trace):
                    self._set_going(run, moved)
        return count

    def _set_going(self, run: Run, moved: datetime) -> None:
        log_event("run.stoodStill", level=logging.WARNING, runId=run.id, status=run.status)
        in_vain = run.set_going if run.set_going_at and moved <= run.set_going_at else 0
        if in_vain >= HOPELESS:
            message = (
                "The run did not move for an hour although it was set going again and again. What "
                "was sent stays in Mailchimp; the next run compares and sends the rest. The "
                "app's log tells what failed."
            )
            self.abandon.end(run.id, Reason("stoodStill", message))
            return

        Transitions(self.runs, self.now).mark_resumed(run.id, in_vain + 1)
        if run.status in (RunStatus.QUEUED, RunStatus.PLANNING):
            self.queue.send(PLAN_RUNS, plan_message(run.id))
        else:
            for lane in range(self.connections):
                self.queue.send(SEND_LANES, lane_message(run.id, lane))

    def lane_failed(self, run_id: str) -> None:
        """A lane's message was given up by the queue. The run's other lanes, and the next look,
        go on; what matters is that someone is told, without the message's content."""
        log_event("lane.gaveUp", level=logging.ERROR, runId=run_id)

    def _last_move(self, run: Run) -> datetime:
        moves = [run.moved_at, run.queued_at]
        if run.status is RunStatus.SENDING:
            moves += [stored.value.done_at for stored in self.chunks.all(run.id)]
        return max(move for move in moves if move is not None)
