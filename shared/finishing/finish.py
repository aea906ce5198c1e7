"""Finish a run as soon as all its lanes have stopped. finish_steps.py has the steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from shared.capacity.on_demand import NO_SLOT
from shared.capacity.pace import AccountPace
from shared.capacity.renewed_lease import hold_lease
from shared.capacity.slots import Slots
from shared.errors import Unavailable
from shared.finishing.finish_steps import FinishSteps
from shared.finishing.ledger_pointers import LedgerSuperseded
from shared.model.chunk import Chunk
from shared.model.clocks import WRONG_CLOCK
from shared.model.finding import Reason
from shared.model.plan import Plan, PlanGone
from shared.model.ports import Leases, Records
from shared.model.run import Run, RunStatus
from shared.runs.abandon import Abandon
from shared.runs.transitions import Transitions
from shared.sending.chunk_queue import ChunkQueue
from shared.sending.run_checks import VALID_SECONDS

_RETRY_SECONDS = 5.0
# Twice the time for which a lane relies on the state of its run that it has read.
_LANES_STOP_WITHIN = 2 * VALID_SECONDS


@dataclass(frozen=True)
class Finisher:
    """Finishes runs, each in one process at a time. `plan_of` reads a run's plan."""

    runs: Records[Run]
    transitions: Transitions
    chunks: Records[Chunk]
    leases: Leases
    slots: Slots
    pace: AccountPace
    plan_of: Callable[[str], Plan]
    abandon: Abandon
    now: Callable[[], datetime]
    steps: FinishSteps

    def finish(self, run_id: str) -> float | None:
        """Finish a run that has nothing left to send.

        Returns the seconds until the next attempt when the run cannot be finished yet.
        """
        run = self.transitions.begin_finishing(run_id)
        if run.status is not RunStatus.FINISHING:
            return None
        plan = self.plan_of(run_id)
        totals = ChunkQueue(run, plan, self.chunks, self.slots, lambda _: 0).totals()
        if totals.in_progress or (totals.waiting and not run.is_stopped):
            if not run.is_stopped:
                # Chunks are waiting, but no lane is sending them: start lanes again.
                self.transitions.return_to_sending(run_id)
            return 1.0 if totals.in_progress else 0.0
        if totals.waiting and (delay := self._seconds_until_lanes_stop(run)):
            return delay
        lease = hold_lease(self.leases, f"finish/{run_id}")
        if lease is None:
            return _RETRY_SECONDS
        with lease:
            current = self.runs.read(run_id)
            if current is not None and current.value.status is RunStatus.FINISHING:
                try:
                    self.steps.finish(current.value, plan)
                except Unavailable as error:
                    if error.code != NO_SLOT:
                        raise
                    # Lanes of other runs hold every connection. This is not a failure: try again
                    # when one of them has released its slot.
                    self.pace.reserve_slot(plan.account_id)
                    return _RETRY_SECONDS
                except PlanGone as error:
                    self.abandon.end(run_id, Reason.of(error))
                except LedgerSuperseded:
                    self.abandon.end(run_id, Reason("ledgerSuperseded"))
        return None

    def _seconds_until_lanes_stop(self, run: Run) -> float:
        """Return the seconds until no lane claims a chunk of a stopped run any more.

        A lane checks the state of its run only every few seconds. A chunk that it claims in between must be
        sent and recorded before the outcomes are gathered.
        """
        if run.moved_at is None:
            return 0.0
        stopped_for = (self.now() - run.moved_at).total_seconds()
        if stopped_for < -WRONG_CLOCK.total_seconds():
            return 0.0
        return min(_LANES_STOP_WITHIN, max(0.0, _LANES_STOP_WITHIN - stopped_for))
