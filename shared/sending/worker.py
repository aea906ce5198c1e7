"""Sends chunk after chunk over one connection, while the lane holds its slot.

Before every call the worker checks whether it may continue: the run may be canceled, Mailchimp may
ask to slow down, another run may need the connection, the function's time may be over, or the process
may be asked to end. The results of all answered calls are recorded, also in the middle of a chunk.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from shared.capacity.pace import LONGEST_ACCOUNT_PAUSE, AccountPace
from shared.capacity.slots import Slot, Slots
from shared.errors import ConfigError, ConnectorError, Disconnected, Refused, Unavailable
from shared.mailchimp.gateway import MailchimpGateway
from shared.mailchimp.session import MailchimpSession
from shared.messaging.metrics import Meter
from shared.model.audience import CallCounts
from shared.model.chunk import Chunk
from shared.model.finding import Reason
from shared.model.names import audience_key
from shared.model.plan import Plan
from shared.model.ports import Files, Records
from shared.model.run import Run, RunStatus
from shared.people.stored_contacts import StoredContacts
from shared.runs.transitions import Transitions
from shared.sending.chunk_calls import ChunkCalls
from shared.sending.chunk_payload import ChunkPayload, ChunkPayloads
from shared.sending.chunk_queue import ChunkQueue, ChunkTotals
from shared.sending.isolate import Interrupted
from shared.sending.lane_metrics import LaneMetrics
from shared.sending.line_blocks import LineBlocks
from shared.sending.prefetch import Prefetch
from shared.sending.result import Result
from shared.sending.run_checks import RunChecks

# A slice of work is much shorter than the function's time limit on any hosting plan.
SLICE_SECONDS = 240.0
WAIT_FOR_SLOT = 4.0
WAIT_FOR_OTHERS = 10.0
_LONGEST_PAUSE = 60.0
_REMEMBERED_RUNS = 8
# Causes of a lost connection that are the reason of the run; connecting again is not all there is to do.
_NAMED_CAUSES = frozenset({"accountDisabled", "wrongDataCentre"})


@dataclass(frozen=True)
class NextStep:
    """What a lane does next: finish the run, send its next message after `delay` seconds, or neither."""

    finish: bool = False
    delay: float | None = None


FINISH = NextStep(finish=True)
_NOTHING = NextStep()


@dataclass(frozen=True)
class _SharedByLanes:
    """The chunks of a run that wait, and the lines that were read last."""

    queue: ChunkQueue
    lines: LineBlocks


@dataclass(frozen=True)
class Worker:
    """Does the work of lanes.

    `connection_lost` records that Mailchimp does not accept the grant of a connection. `clock` counts
    seconds; `randrange(n)` gives a number below n; `stopping` returns whether the process is asked to
    end.
    """

    checks: RunChecks
    transitions: Transitions
    chunks: Records[Chunk]
    files: Files
    mailchimp: MailchimpGateway
    slots: Slots
    pace: AccountPace
    connection_lost: Callable[[str], None]
    now: Callable[[], datetime]
    clock: Callable[[], float]
    randrange: Callable[[int], int]
    meter: Meter
    contacts: StoredContacts
    stopping: Callable[[], bool]
    _shared: dict[tuple[str, bool], _SharedByLanes] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def work(self, run: Run, plan: Plan, lane: int, slot: Slot, allowed: int) -> NextStep:
        """Send chunks for a slice of time. `allowed`: slots that lanes may use, for the metrics."""
        try:
            session = self.mailchimp.open(
                plan.connection_id, lambda pause: self.pace.throttled(plan.account_id, pause)
            )
        except (Disconnected, ConfigError) as error:
            return self._stop(run.id, plan, error)
        except Unavailable:
            return NextStep(delay=WAIT_FOR_SLOT)
        metrics = LaneMetrics(run.id, run.export_id, plan.account_id, lane, allowed, self.meter)
        began = self.clock()
        metrics.begin()
        try:
            shared = self._shared_by_lanes(run, plan)
            contacts = self.contacts.keep(audience_key(plan.account_id, plan.audience_id))
            with shared.queue.holds(slot), closing(session), contacts, Prefetch() as prefetch:
                until = began + SLICE_SECONDS
                lane_slice = _LaneSlice(
                    self, shared, run, plan, lane, slot, session, prefetch, metrics, until
                )
                try:
                    return lane_slice.send_all()
                except (Disconnected, Refused, ConfigError) as error:
                    return self._stop(run.id, plan, error)
                finally:
                    lane_slice.release_fetched()
        finally:
            metrics.end(self.clock() - began)

    def _stop(self, run_id: str, plan: Plan, error: ConnectorError) -> NextStep:
        """Stop sending for a run, and record the reason."""
        reason = Reason.of(error)
        if isinstance(error, Disconnected):
            self.connection_lost(plan.connection_id)
            if error.code not in _NAMED_CAUSES:
                reason = Reason("disconnected")
        self.transitions.begin_finishing(run_id, reason)
        return FINISH

    def _shared_by_lanes(self, run: Run, plan: Plan) -> _SharedByLanes:
        """Return what the lanes of this process share for a run."""
        key = (run.id, run.removals_confirmed)
        with self._lock:
            if key not in self._shared:
                # Processes run for a long time, so only the newest few runs are kept.
                while len(self._shared) >= _REMEMBERED_RUNS:
                    del self._shared[next(iter(self._shared))]
                self._shared[key] = _SharedByLanes(
                    ChunkQueue(run, plan, self.chunks, self.slots, self.randrange),
                    LineBlocks(self.files, plan.lines),
                )
            return self._shared[key]


@dataclass
class _LaneSlice:
    """The work of a lane for one slice of time, which ends at `until`."""

    worker: Worker
    shared: _SharedByLanes
    run: Run
    plan: Plan
    lane: int
    slot: Slot
    session: MailchimpSession
    prefetch: Prefetch
    metrics: LaneMetrics
    until: float

    def send_all(self) -> NextStep:
        """Send chunks until none is left or the lane has to stop."""
        while True:
            stop = self._next_step()
            if stop is not None:
                return stop
            payload = self.prefetch.fetched()
            if payload is None:
                # All chunks are read now, and that of the last call must be recorded as done by then.
                self.prefetch.wait()
                claimed = self.shared.queue.claim(self.slot)
                if isinstance(claimed, ChunkTotals):
                    return _after_last_chunk(claimed)
                payload = self._payloads.read(claimed)
            if self.shared.queue.can_prefetch:
                # The next chunk is claimed and read during the call, except at the end of a run,
                # when another lane may have no work.
                self.prefetch.fetch(self._fetch)
            pause = self._send(payload)
            if pause is not None:
                return NextStep(delay=pause)

    def release_fetched(self) -> None:
        """Release a chunk that was claimed ahead, so that another lane can claim it."""
        ahead = self.prefetch.fetched()
        if ahead is not None:
            self._release(ahead, {}, CallCounts())

    def _release(
        self,
        payload: ChunkPayload,
        results: Mapping[str, Result],
        calls: CallCounts,
        *,
        failed: bool = False,
    ) -> None:
        self._payloads.release(payload, results, calls, failed=failed)
        self.shared.queue.note_release()

    def _fetch(self) -> ChunkPayload | None:
        claimed = self.shared.queue.claim(self.slot)
        return None if isinstance(claimed, ChunkTotals) else self._payloads.read(claimed)

    @cached_property
    def _calls(self) -> ChunkCalls:
        worker = self.worker
        return ChunkCalls(
            self.session,
            self.run,
            self.plan,
            worker.contacts,
            worker.now,
            may_continue=self._may_continue,
            has_answers=self.shared.queue.has_answers,
        )

    @cached_property
    def _payloads(self) -> ChunkPayloads:
        worker = self.worker
        return ChunkPayloads(self.plan, worker.chunks, worker.files, worker.now, self.shared.lines)

    def _next_step(self) -> NextStep | None:
        """Return what to do instead of continuing; None to continue."""
        worker = self.worker
        run = worker.checks.run(self.run.id)
        if run is None or run.is_over:
            return _NOTHING
        if run.status is not RunStatus.SENDING:
            return FINISH
        if run.cancel_requested:
            worker.transitions.begin_finishing(self.run.id)
            return FINISH
        if worker.clock() >= self.until or self.slot.lost or worker.stopping():
            return NextStep(delay=0.0)
        allowed = worker.pace.allowance(self.plan.account_id)
        if self.slot.index >= allowed.slots or self.lane >= allowed.lanes:
            return NextStep(delay=max(WAIT_FOR_SLOT, min(_LONGEST_PAUSE, allowed.pause)))
        return None

    def _may_continue(self) -> bool:
        return self._next_step() is None

    def _send(self, payload: ChunkPayload) -> float | None:
        """Send one chunk. Returns the seconds to pause when Mailchimp is unavailable."""
        before, began = self.session.calls, self.worker.clock()
        results: dict[str, Result] = {}
        pause = None
        try:
            self._calls.write(payload, results)
        except Interrupted:
            self._release(payload, results, self._count(before))
        except Unavailable as error:
            calls = self._count(before)
            if self.shared.queue.should_give_up(payload.chunk) and not results:
                self._payloads.give_up(payload, calls)
                self.shared.queue.note_given_up()
            else:
                self._release(payload, results, calls, failed=True)
                pause = min(_LONGEST_PAUSE, 2.0 ** min(payload.chunk.failures + 1, 10))
                pause = max(pause, min(error.retry_after or 0.0, LONGEST_ACCOUNT_PAUSE))
        except ConnectorError:
            self._release(payload, results, self._count(before))
            raise
        else:
            calls = self._count(before)
            self.metrics.sent(list(results.values()), self.worker.clock() - began)
            self.shared.queue.note_sent()
            self.prefetch.run(lambda: self._payloads.finish(payload, results, calls))
        return pause

    def _count(self, before: CallCounts) -> CallCounts:
        """Return the session's calls since `before`, and count them for the metrics."""
        calls = self.session.calls - before
        self.metrics.called(calls)
        return calls


def _after_last_chunk(totals: ChunkTotals) -> NextStep:
    if totals.in_progress:
        # The lane that sends the last chunk finishes the run. This one only checks that it is alive.
        return NextStep(delay=WAIT_FOR_OTHERS)
    return FINISH
