"""A lane: one connection to Mailchimp that takes a chunk, sends it, and takes the next one.

A run has as many lane messages as connections are allowed. A lane holds a slot while it works,
looks before every call whether it may go on (canceled? slower? another run's turn? is the process
asked to end?), hands itself on as a new message before the function's time is up (of copies of a
message one does: messaging/sequence.py), and finishes the run when it finds that nothing is left. A
message that comes twice finds its sequence passed on, no slot, no chunk, or a run that is over.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.capacity.pace import AccountPace, Allowance
from shared.capacity.slots import Slot, Slots
from shared.errors import ConfigError, ConnectorError, Disconnected, Refused, Unavailable
from shared.messaging.messages import lane_message
from shared.messaging.metrics import NO_METER, Meter, Metric
from shared.messaging.sequence import MessageSequences
from shared.model.audience import CallCounts
from shared.model.chunk import Chunk, ChunkKind
from shared.model.names import SEND_LANES
from shared.model.plan import Plan, PlanGone
from shared.model.ports import Files, Mailchimp, MailchimpSession, Queue, Records
from shared.model.run import Reason, Run, RunStatus
from shared.runs.abandon import Abandon
from shared.runs.transitions import Transitions
from shared.sending.chunk_payload import ChunkPayload, ChunkPayloads
from shared.sending.chunk_queue import ChunkQueue
from shared.sending.lane_metrics import LaneMetrics
from shared.sending.prefetch import Prefetch
from shared.sending.write import Result, Writer

__all__ = ["Lanes", "lane_message", "turned_away"]

# A unit of work stays well under the function's time and under any platform's patience.
SLICE_SECONDS = 240.0

# An outage is met this often, with growing pauses (about a quarter of an hour), before the people
# of a chunk are reported as not sent. The next run sends them.
PATIENCE = 20
_LONGEST_PAUSE = 60.0
_WAIT_FOR_SLOT = 4.0
_WAIT_FOR_OTHERS = 10.0
# Well within the watch's patience with a run that stands still, whatever the pause.
_SAY_WAITING = timedelta(minutes=2)


def turned_away(allowed: Allowance) -> float:
    """In how many seconds a lane that got no slot comes again.

    The more runs share an account, the longer: so their waiting lanes together ask no more often,
    and whoever ends is followed soon all the same.
    """
    return min(_LONGEST_PAUSE, _WAIT_FOR_SLOT * allowed.runs)


@dataclass(frozen=True)
class _Next:
    """What a lane does after its slice: come again after `delay` seconds, or finish the run."""

    again: bool
    delay: float = 0.0
    finish: bool = False


class Lanes:
    """Lets lanes work.

    `finish(run_id)` finishes a run that has nothing left to send, or says in how many seconds to
    come again.
    """

    def __init__(
        self,
        runs: Records[Run],
        chunks: Records[Chunk],
        files: Files,
        queue: Queue,
        sequences: MessageSequences,
        mailchimp: Mailchimp,
        slots: Slots,
        pace: AccountPace,
        plan_of: Callable[[str], Plan],
        finish: Callable[[str], float | None],
        abandon: Abandon,
        disconnected: Callable[[str], None],
        now: Callable[[], datetime],
        clock: Callable[[], float],
        randrange: Callable[[int], int],
        slice_seconds: float = SLICE_SECONDS,
        stopping: Callable[[], bool] = lambda: False,
        meter: Meter = NO_METER,
    ) -> None:
        self._runs = runs
        self._transitions = Transitions(runs, now)
        self._chunks = chunks
        self._files = files
        self._queue = queue
        self._sequences = sequences
        self._mailchimp = mailchimp
        self._slots = slots
        self._pace = pace
        self._plan_of = plan_of
        self._finish = finish
        self._abandon = abandon
        self._disconnected = disconnected
        self._now = now
        self._clock = clock
        self._randrange = randrange
        self._slice = slice_seconds
        self._stopping = stopping
        self._meter = meter
        self._boards: dict[str, ChunkQueue] = {}
        self._lock = threading.Lock()

    def run(self, run_id: str, lane: int, turn: int | None = None) -> None:
        """Work as a lane of a run for a slice. Safe to call again with the same arguments.

        `turn` is the number of the message (messaging/sequence.py).
        """
        run = self._read(run_id)
        if run is None or run.status not in (RunStatus.SENDING, RunStatus.FINISHING):
            return
        sequence = self._sequences.take(run_id, str(lane), turn)
        if sequence is None:
            return
        try:
            plan = self._plan_of(run_id)
        except PlanGone as gone:
            self._abandon.end(run_id, Reason(gone.code, gone.message))
            return
        after = _Next(again=False, finish=True)
        if run.status is RunStatus.SENDING:
            after = self._slot_and_work(run, plan, lane)
        delay = self._finish(run_id) if after.finish else after.delay if after.again else None
        if delay is not None:
            sequence.pass_on(
                lambda number: self._queue.send(
                    SEND_LANES, lane_message(run_id, lane, number), delay
                )
            )

    def _slot_and_work(self, run: Run, plan: Plan, lane: int) -> _Next:
        if run.cancel_requested:
            self._transitions.stop_sending(run.id, None)
            return _Next(again=False, finish=True)
        if self._stopping():
            # The delay keeps this process from taking the message again before it ends.
            return _Next(again=True, delay=_WAIT_FOR_SLOT)
        allowed = self._pace.allowance(plan.account_id)
        slot = None
        if lane < allowed.lanes:
            slot = self._slots.take(plan.account_id, allowed.slots, prefer=lane)
        if slot is None:
            self._meter.add(Metric.TURNED_AWAY, 1, account=plan.account_id)
            self._say_waiting(run, lane)
            return _Next(again=True, delay=turned_away(allowed))
        shift = LaneMetrics(
            run.id, run.export_id, plan.account_id, lane, allowed.slots, self._meter
        )
        with slot:
            began = self._clock()
            shift.begin()
            try:
                return self._work(run, plan, lane, slot, shift)
            finally:
                shift.end(self._clock() - began)

    def _say_waiting(self, run: Run, lane: int) -> None:
        """A run whose turn has not come stands still for no fault: nobody need set it going."""
        if lane > 0 or (run.moved_at and self._now() - run.moved_at < _SAY_WAITING):
            return

        self._transitions.mark_waiting(run.id)

    def _work(self, run: Run, plan: Plan, lane: int, slot: Slot, shift: LaneMetrics) -> _Next:
        try:
            session = self._mailchimp.open(
                plan.connection_id, lambda: self._pace.throttled(plan.account_id)
            )
        except (Disconnected, ConfigError) as gone:
            return self._give_up(run.id, plan, gone)
        except Unavailable:
            return _Next(again=True, delay=_WAIT_FOR_SLOT)
        board = self._board(run.id, plan.account_id)
        parcels = ChunkPayloads(plan, self._chunks, self._files, self._now)
        until = self._clock() + self._slice
        with closing(session), Prefetch() as aside:
            try:
                while True:
                    after = self._may_go_on(run.id, plan, lane, slot, until)
                    if after is not None:
                        return after
                    parcel = aside.taken() or _next_parcel(board, slot, parcels)
                    if parcel is None:
                        aside.wait()
                        return self._nothing_left(board)
                    if board.plenty:
                        # Claimed and read while this one is on its way; not at the end of a run,
                        # where another lane may have nothing to do.
                        aside.take(lambda: _next_parcel(board, slot, parcels))
                    delay = self._send(run, plan, session, parcel, parcels, aside, shift)
                    if delay is not None:
                        return _Next(again=True, delay=delay)
            except (Disconnected, Refused, ConfigError) as stop:
                return self._give_up(run.id, plan, stop)
            finally:
                ahead = aside.taken()
                if ahead is not None:
                    parcels.put_back(ahead, untouched=True)

    def _may_go_on(
        self, run_id: str, plan: Plan, lane: int, slot: Slot, until: float
    ) -> _Next | None:
        run = self._read(run_id)
        if run is None or run.is_over:
            return _Next(again=False)
        if run.status is not RunStatus.SENDING:
            return _Next(again=False, finish=True)
        if run.cancel_requested:
            self._transitions.stop_sending(run_id, None)
            return _Next(again=False, finish=True)
        if self._clock() >= until or slot.lost or self._stopping():
            return _Next(again=True)
        allowed = self._pace.allowance(plan.account_id)
        if slot.index >= allowed.slots or lane >= allowed.lanes:
            return _Next(again=True, delay=_WAIT_FOR_SLOT)
        return None

    def _nothing_left(self, board: ChunkQueue) -> _Next:
        standing = board.standing()
        if standing.waiting:
            return _Next(again=True)
        if standing.under_way:
            # Its lane finishes the run; this message only watches that the lane lives.
            return _Next(again=True, delay=_WAIT_FOR_OTHERS)
        return _Next(again=False, finish=True)

    def _send(
        self,
        run: Run,
        plan: Plan,
        session: MailchimpSession,
        parcel: ChunkPayload,
        parcels: ChunkPayloads,
        aside: Prefetch,
        shift: LaneMetrics,
    ) -> float | None:
        """Send one parcel. A number of seconds to wait when Mailchimp is away."""
        before, began = replace(session.calls), self._clock()
        try:
            results = self._write(run, plan, session, parcel)
        except Unavailable as away:
            if parcel.chunk.attempts >= PATIENCE:
                parcels.give_up(parcel)
                return None
            parcels.put_back(parcel)
            pause = min(_LONGEST_PAUSE, 2.0 ** min(parcel.chunk.attempts, 10))
            return max(pause, away.retry_after or 0.0)
        except ConnectorError:
            parcels.put_back(parcel)
            raise
        finally:
            calls = CallCounts(
                session.calls.write - before.write,
                session.calls.read - before.read,
                session.calls.throttled - before.throttled,
                session.calls.retried - before.retried,
            )
            shift.called(calls)
        shift.sent(results, self._clock() - began)
        aside.do(lambda: parcels.sign(parcel, results, calls))
        return None

    def _write(
        self, run: Run, plan: Plan, session: MailchimpSession, parcel: ChunkPayload
    ) -> list[Result]:
        chunk = parcel.chunk
        writer = Writer(session, plan.audience_id, plan.status, run.sending_at or self._now())
        if chunk.kind is ChunkKind.ARCHIVE:
            return writer.archive(parcel.leavers)
        if chunk.tag_id is not None:
            return writer.untag(chunk.tag_id, parcel.leavers)
        return writer.write(chunk.kind, parcel.people, doubt=chunk.attempts > 1)

    def _give_up(self, run_id: str, plan: Plan, stop: ConnectorError) -> _Next:
        """Nothing of this run can be sent any more: keep what was, and say why."""
        if isinstance(stop, Disconnected):
            self._disconnected(plan.connection_id)
            reason = Reason(
                "disconnected",
                "Mailchimp does not accept this connection any more. Connect it again; the next "
                "run sends what is missing.",
            )
        else:
            reason = Reason(stop.code, stop.message)
        self._transitions.stop_sending(run_id, reason)
        return _Next(again=False, finish=True)

    def _board(self, run_id: str, account_id: str) -> ChunkQueue:
        with self._lock:
            board = self._boards.get(run_id)
            if board is None:
                # A process lives long and runs come and go: only the newest few are remembered.
                while len(self._boards) >= 8:
                    del self._boards[next(iter(self._boards))]
                board = ChunkQueue(run_id, account_id, self._chunks, self._slots, self._randrange)
                self._boards[run_id] = board
            return board

    def _read(self, run_id: str) -> Run | None:
        stored = self._runs.read(run_id)
        return stored.value if stored else None


def _next_parcel(board: ChunkQueue, slot: Slot, parcels: ChunkPayloads) -> ChunkPayload | None:
    claimed = board.take(slot)
    return parcels.pack(claimed) if claimed else None
