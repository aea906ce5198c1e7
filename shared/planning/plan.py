"""Plan a run: the states it goes through while it is planned, whatever may die on the way.

A planner that died half-way is simply followed by the next; once a plan is written down (runs/plan_store.py),
everything after follows it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shared.capacity.pace import AccountPace
from shared.capacity.renewed_lease import hold_lease
from shared.errors import (
    Changed,
    ConfigError,
    ConnectorError,
    Disconnected,
    InputError,
    Refused,
    Unavailable,
)
from shared.messaging.messages import lane_message, plan_message
from shared.messaging.sequence import MessageSequences
from shared.model.chunk import Chunk, chunk_key
from shared.model.export import Export
from shared.model.names import PLAN_RUNS, SEND_LANES
from shared.model.plan import Plan
from shared.model.ports import Leases, Queue, Records, SegmentSource
from shared.model.run import Mode, Reason, Run, RunStatus
from shared.planning.build import PlanBuilder
from shared.planning.ended import PlanningEnded
from shared.runs.plan_store import PlanStore
from shared.runs.start import export_of
from shared.runs.transitions import Transitions

__all__ = ["Planner"]

_SEEN_BEING_PLANNED = 10.0
_LINE = "plan"


@dataclass(frozen=True)
class Planner:
    """Plans runs."""

    runs: Records[Run]
    transitions: Transitions
    exports: Records[Export]
    chunks: Records[Chunk]
    queue: Queue
    sequences: MessageSequences
    leases: Leases
    source: SegmentSource
    builder: PlanBuilder
    plans: PlanStore
    pace: AccountPace
    disconnected: Callable[[str], None]
    connections: int

    def plan(self, run_id: str, number: int | None = None) -> None:
        """Plan a run and let its lanes work. Safe to call again.

        `number` is the number of the message in its sequence. Unavailable goes to the caller: the queue
        brings the message again.
        """
        stored = self.runs.read(run_id)
        if stored is None or not stored.value.is_active:
            return
        if stored.value.status in (RunStatus.SENDING, RunStatus.FINISHING):
            # Planned before; the planner may have died before it told the lanes.
            self._tell_lanes(run_id, self.connections)
            return
        kept = hold_lease(self.leases, f"plan/{run_id}")
        if kept is None:
            # By someone who may be dead: one message goes on to look.
            sequence = self.sequences.take(run_id, _LINE, number)
            if sequence is not None:
                sequence.send_next(
                    lambda number: self.queue.send(
                        PLAN_RUNS, plan_message(run_id, number), _SEEN_BEING_PLANNED
                    )
                )
            return
        with kept:
            run = self.transitions.begin_planning(run_id)
            if run.status is not RunStatus.PLANNING:
                return
            try:
                self._commit(run, self.plans.read(run_id) or self.builder.build(run))
            except PlanningEnded as end:
                self._end(run_id, end)
            except (ConfigError, InputError, Refused) as error:
                if isinstance(error, Disconnected):
                    self._forget_connection(run)
                reason = Reason.of(error)
                self._end(run_id, PlanningEnded(RunStatus.FAILED, reason))
            except Changed as moved:
                raise Unavailable("sourceMoved", retry_after=10) from moved

    def give_up(self, run_id: str) -> None:
        """The queue has brought the message often enough: the run fails, nothing was sent."""
        reason = self._missing_files(run_id) or Reason("planFailed")
        self._end(run_id, PlanningEnded(RunStatus.FAILED, reason))

    def _missing_files(self, run_id: str) -> Reason | None:
        """Why nothing can be read, when Customer Insights has not written everything yet."""
        run = self.runs.read(run_id)
        try:
            export = export_of(self.exports, run.value.export_id) if run else None
            self.source.snapshot([choice.name for choice in export.segments] if export else [])
        except Unavailable as error:
            if error.code == "refreshIncomplete":
                return Reason.of(error)
        except ConnectorError:
            pass
        return None

    def _commit(self, run: Run, plan: Plan) -> None:
        preview = run.mode is Mode.PREVIEW
        if not preview and plan.chunks:
            chunks = self.plans.chunks(plan)
            self.chunks.create_many([(chunk_key(run.id, c.number), c) for c in chunks])
            self.pace.join(plan.account_id, run.id, self._is_active)
        after = self.transitions.planned(run.id, plan)
        if after.status is RunStatus.SENDING:
            self._tell_lanes(run.id, min(self.connections, max(1, plan.chunks)))
        elif after.is_over:
            self.pace.leave(plan.account_id, run.id)

    def _tell_lanes(self, run_id: str, lanes: int) -> None:
        for lane in range(lanes):
            self.queue.send(SEND_LANES, lane_message(run_id, lane))

    def _end(self, run_id: str, end: PlanningEnded) -> None:
        self.transitions.end_planning(run_id, end.status, end.reason, end.counts, end.findings)

    def _forget_connection(self, run: Run) -> None:
        export = self.exports.read(run.export_id)
        if export is not None and export.value.connection_id:
            self.disconnected(export.value.connection_id)

    def _is_active(self, run_id: str) -> bool:
        stored = self.runs.read(run_id)
        return stored is not None and stored.value.is_active
