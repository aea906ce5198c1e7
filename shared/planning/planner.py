"""Plan a run, and change its state before and after.

When a planner is killed, the next one plans the run from the beginning. When a plan is stored
(runs/plan_store.py), it is final and all later steps use it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from shared.capacity.pace import AccountPace
from shared.capacity.renewed_lease import hold_lease
from shared.errors import (
    Changed,
    ConfigError,
    Disconnected,
    InputError,
    Refused,
    Unavailable,
)
from shared.messaging.messages import plan_message
from shared.messaging.sequence import MessageSequences
from shared.model.chunk import Chunk, chunk_key
from shared.model.export import Export
from shared.model.finding import Reason
from shared.model.names import PLAN_RUNS
from shared.model.plan import Plan
from shared.model.ports import Leases, Queue, Records
from shared.model.run import Mode, Run, RunStatus
from shared.planning.plan_builder import PlanBuilder
from shared.runs.lookup import is_active
from shared.runs.plan_store import PlanStore
from shared.runs.planning_ended import PlanningEnded
from shared.runs.run_messages import send_lane_messages
from shared.runs.transitions import Transitions

LONGEST_WAIT = timedelta(hours=1)
"""How long a run waits for unavailable services, during planning as during sending."""

_FIRST_PAUSE = 2.0
# Shorter than the time after which the watchdog resumes a run.
_LONGEST_PAUSE = 120.0
_LEASED_ELSEWHERE = 10.0
_SEQUENCE = "plan"


@dataclass(frozen=True)
class _Next:
    """What follows after an attempt to plan: another one after `delay` seconds, or the run's only lane."""

    delay: float | None = None
    only_lane: bool = False


@dataclass(frozen=True)
class Planner:
    """Plans runs. `run_lane(run_id, lane)` works as a lane of a planned run.

    `_planning` are the runs that this process plans, or plans as soon as it has the memory.
    """

    runs: Records[Run]
    transitions: Transitions
    exports: Records[Export]
    chunks: Records[Chunk]
    queue: Queue
    sequences: MessageSequences
    leases: Leases
    builder: PlanBuilder
    plans: PlanStore
    pace: AccountPace
    connection_lost: Callable[[str], None]
    connections: int
    preview_outcomes: Callable[[Plan, Sequence[Chunk]], Plan]
    run_lane: Callable[[str, int], None]
    _planning: set[str] = field(default_factory=set)

    def plan(self, run_id: str, number: int | None = None) -> None:
        """Plan a run and start its lanes. Safe to call again.

        `number` is the number of the message in its sequence. While storage, Customer Insights or
        Mailchimp is unavailable, the run waits: it is planned again after growing pauses.
        """
        stored = self.runs.read(run_id)
        if stored is None or not stored.value.is_active:
            return
        if stored.value.status in (RunStatus.SENDING, RunStatus.FINISHING):
            # Planned before; the process may have been killed before it sent the lanes' messages.
            send_lane_messages(self.queue, stored.value, self.connections)
            return
        sequence = self.sequences.take(run_id, _SEQUENCE, number)
        if sequence is None:
            return
        lease = hold_lease(self.leases, f"plan/{run_id}")
        if lease is None:
            # Another process is planning it. It may have been killed, so one message checks again later.
            after = _Next(delay=_LEASED_ELSEWHERE)
        else:
            self._planning.add(run_id)
            try:
                with lease:
                    after = self._plan(run_id)
            finally:
                self._planning.discard(run_id)
        if after.delay is not None:
            delay = after.delay
            sequence.send_next(
                lambda number: self.queue.send(PLAN_RUNS, plan_message(run_id, number), delay)
            )
        elif after.only_lane:
            self.run_lane(run_id, 0)

    def _plan(self, run_id: str) -> _Next:
        """Plan a run, and send the messages of its lanes unless this process can be its only lane."""
        run = self.transitions.begin_planning(run_id)
        if run.status is not RunStatus.PLANNING:
            return _Next()
        try:
            return self._commit(run, self.plans.read(run_id) or self.builder.build(run))
        except PlanningEnded as end:
            self.transitions.end_planning(run_id, end)
        except (ConfigError, InputError, Refused) as error:
            if isinstance(error, Disconnected):
                self._forget_connection(run)
            self.transitions.end_planning(run_id, PlanningEnded(RunStatus.FAILED, Reason.of(error)))
        except Unavailable as error:
            return _Next(self._wait(run_id, Reason.of(error), error.retry_after or 0.0))
        except Changed:
            return _Next(self._wait(run_id, Reason("sourceMoved"), 0.0))
        return _Next()

    def _wait(self, run_id: str, cause: Reason, least: float) -> float | None:
        """Record the cause in the run. Returns the pause before the next attempt; None after an hour."""
        run = self.transitions.wait_in_planning(run_id, cause)
        if run.waiting_since is None:
            return None
        waited = self.transitions.now() - run.waiting_since
        if waited >= LONGEST_WAIT:
            self.transitions.end_planning(run_id, PlanningEnded(RunStatus.FAILED, cause))
            return None
        pause = max(_FIRST_PAUSE, waited.total_seconds() / 2, least)
        return min(pause, _LONGEST_PAUSE)

    def give_up(self, run_id: str) -> None:
        """End a run whose message failed in every attempt, with the last known cause."""
        stored = self.runs.read(run_id)
        cause = stored.value.reason if stored is not None else None
        self.transitions.end_planning(
            run_id, PlanningEnded(RunStatus.FAILED, cause or Reason("planFailed"))
        )

    def _commit(self, run: Run, plan: Plan) -> _Next:
        preview = run.mode is Mode.PREVIEW
        if preview:
            plan = self.preview_outcomes(plan, self.plans.chunks(plan))
        elif plan.chunks:
            chunks = self.plans.chunks(plan)
            self.chunks.create_many([(chunk_key(run.id, c.number), c) for c in chunks])
            self.pace.join(plan.account_id, run.id, partial(is_active, self.runs))
        after = self.transitions.complete_planning(run.id, plan)
        if after.status is RunStatus.SENDING:
            # The message of an only lane could wait for as long as the whole run takes. But the end of the run
            # would compete with other plans of this process, and another instance can take the message.
            if plan.chunks <= 1 and len(self._planning) == 1:
                return _Next(only_lane=True)
            send_lane_messages(self.queue, after, min(self.connections, max(1, plan.chunks)))
        elif after.is_over:
            self.pace.leave(plan.account_id, run.id)
        return _Next()

    def _forget_connection(self, run: Run) -> None:
        export = self.exports.read(run.export_id)
        if export is not None and export.value.connection_id:
            self.connection_lost(export.value.connection_id)
