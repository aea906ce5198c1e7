"""A lane of a run: one message that holds one of the account's connections while it works.

A run has as many lanes as the account allows connections. A lane takes a slot, works for a slice
of the function's time, and sends its next message. Copies of a message are harmless: only one
sends the next message (messaging/sequence.py), and slots, chunks and the run's state change by
conditional writes. The lane that finds no chunk left finishes the run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.capacity.pace import AccountPace, Allowance
from shared.capacity.slots import Slots
from shared.messaging.messages import lane_message
from shared.messaging.metrics import Meter, Metric
from shared.messaging.sequence import MessageSequences
from shared.model.finding import Reason
from shared.model.names import SEND_LANES
from shared.model.plan import Plan, PlanGone
from shared.model.ports import Queue
from shared.model.run import Run, RunStatus
from shared.runs.abandon import Abandon
from shared.runs.transitions import Transitions
from shared.sending.run_checks import RunChecks
from shared.sending.worker import FINISH, WAIT_FOR_SLOT, NextStep, Worker

# Shorter than the time after which the watchdog treats a run as stalled.
MARK_WAITING = timedelta(minutes=2)
_LONGEST_PAUSE = 60.0
_BEGINNING = timedelta(seconds=15)
_FIRST_PAUSE = 1.0


def pause_without_slot(allowed: Allowance, sending_for: timedelta | None = None) -> float:
    """Return the seconds until a lane that got no slot tries again.

    The pause grows with the number of runs that share an account. So the total rate of attempts
    stays the same, and a free slot is still taken soon. A run that has just begun to send (`sending_for`)
    tries more often: the other runs release slots for it within one call.
    """
    if sending_for is not None and abs(sending_for) < _BEGINNING:
        return _FIRST_PAUSE
    return min(_LONGEST_PAUSE, max(WAIT_FOR_SLOT * allowed.runs, allowed.pause))


@dataclass(frozen=True)
class Lanes:
    """Handles the messages of lanes.

    `finish(run_id)` finishes a run that has nothing left to send, or returns the seconds until the
    next attempt. `stopping` returns whether the process is asked to end.
    """

    checks: RunChecks
    transitions: Transitions
    queue: Queue
    sequences: MessageSequences
    slots: Slots
    pace: AccountPace
    plan_of: Callable[[str], Plan]
    worker: Worker
    finish: Callable[[str], float | None]
    abandon: Abandon
    now: Callable[[], datetime]
    meter: Meter
    stopping: Callable[[], bool]

    def run(self, run_id: str, lane: int, number: int | None = None) -> None:
        """Work as a lane of a run. Safe to call again with the same arguments.

        `number` is the message's number in its sequence.
        """
        run = self.checks.run(run_id)
        if run is None or run.status not in (RunStatus.SENDING, RunStatus.FINISHING):
            return
        sequence = self.sequences.take(run_id, str(lane), number)
        if sequence is None:
            return
        try:
            plan = self.plan_of(run_id)
        except PlanGone as gone:
            self.abandon.end(run_id, Reason.of(gone))
            return
        step = FINISH
        if run.status is RunStatus.SENDING:
            step = self._send(run, plan, lane)
        delay = self.finish(run_id) if step.finish else step.delay
        if delay is not None:
            sequence.send_next(
                lambda number: self.queue.send(
                    SEND_LANES, lane_message(run_id, lane, number), delay
                )
            )

    def _send(self, run: Run, plan: Plan, lane: int) -> NextStep:
        if run.cancel_requested:
            self.transitions.begin_finishing(run.id)
            return FINISH
        if self.stopping():
            # The delay keeps this process from taking the message again before it ends.
            return NextStep(delay=WAIT_FOR_SLOT)
        allowed = self.pace.allowance(plan.account_id)
        slot = None
        if lane < allowed.lanes:
            slot = self.slots.take(plan.account_id, allowed.slots, prefer=lane)
        if slot is None:
            self.meter.add(Metric.WITHOUT_SLOT, 1, account=plan.account_id)
            self._mark_waiting(run, lane)
            sending_for = self.now() - run.sending_at if run.sending_at else None
            is_entitled = lane < allowed.lanes
            return NextStep(delay=pause_without_slot(allowed, sending_for if is_entitled else None))
        with slot:
            return self.worker.work(run, plan, lane, slot, allowed.slots)

    def _mark_waiting(self, run: Run, lane: int) -> None:
        """Keep the watchdog from resuming a run that only waits for a connection."""
        if lane == 0 and not (run.moved_at and abs(self.now() - run.moved_at) < MARK_WAITING):
            self.transitions.mark_waiting(run.id)
