"""Sends the messages that continue a run, in the trace of its start."""

from __future__ import annotations

from shared.messaging.messages import lane_message, plan_message
from shared.messaging.trace import continue_trace
from shared.model.names import PLAN_RUNS, SEND_LANES
from shared.model.ports import Queue
from shared.model.run import Run


def send_plan_message(queue: Queue, run: Run) -> None:
    """Let a run be planned."""
    with continue_trace(run.trace):
        queue.send(PLAN_RUNS, plan_message(run.id))


def send_lane_messages(queue: Queue, run: Run, lanes: int) -> None:
    """Start the first `lanes` lanes of a run."""
    with continue_trace(run.trace):
        for lane in range(lanes):
            queue.send(SEND_LANES, lane_message(run.id, lane))
