"""What the timer does besides starting: runs that stand still are set going again.

A message can be lost, a worker killed in the moment between two writes: the run's record still
says what is to happen next, so the watch only sends the message again. Nothing hangs for ever.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.exports.chunk import Chunk
from shared.exports.needs import Queue, Records
from shared.exports.places import PLAN_RUNS, SEND_LANES
from shared.exports.run import Run, RunStatus
from shared.exports.signals.events import tell
from shared.exports.signals.messages import lane_message, plan_message
from shared.exports.signals.trace import following

__all__ = ["Watch"]

# Longer than the longest single call to Mailchimp with its retry, and than a lane's pause.
STANDING_STILL = timedelta(minutes=5)


@dataclass(frozen=True)
class Watch:
    """Looks after runs that are going."""

    runs: Records[Run]
    chunks: Records[Chunk]
    queue: Queue
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
            for stored in self.runs.all(where={"status": status.value}):
                run = stored.value
                if self.now() - self._last_move(run) < STANDING_STILL:
                    continue
                count += 1
                with following(run.trace):
                    self._set_going(run)
        return count

    def _set_going(self, run: Run) -> None:
        tell("run.stoodStill", level=logging.WARNING, runId=run.id, status=run.status)
        if run.status in (RunStatus.QUEUED, RunStatus.PLANNING):
            self.queue.send(PLAN_RUNS, plan_message(run.id))
        else:
            for lane in range(self.connections):
                self.queue.send(SEND_LANES, lane_message(run.id, lane))

    def lane_failed(self, run_id: str) -> None:
        """A lane's message was given up by the queue. The run's other lanes, and the next look,
        go on; what matters is that someone is told, without the message's content."""
        tell("lane.gaveUp", level=logging.ERROR, runId=run_id)

    def _last_move(self, run: Run) -> datetime:
        moves = [run.moved_at, run.queued_at]
        if run.status is RunStatus.SENDING:
            moves += [stored.value.done_at for stored in self.chunks.all(run.id)]
        return max(move for move in moves if move is not None)
