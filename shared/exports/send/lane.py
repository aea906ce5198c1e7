"""A lane: one connection to Mailchimp that takes a chunk, sends it, and takes the next one.

A run has as many lane messages as connections are allowed. A lane holds a slot while it works,
looks before every call whether it may go on (canceled? slower? another run's turn?), hands itself
on as a new message before the function's time is up, and finishes the run when it finds that
nothing is left. A message that comes twice finds no slot, no chunk, or a run that is over.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shared.errors import (
    Changed,
    ConfigError,
    ConnectorError,
    Disconnected,
    Refused,
    Unavailable,
)
from shared.exports.chunk import Chunk, ChunkKind, ChunkState
from shared.exports.contact import Converter
from shared.exports.needs import (
    Files,
    Mailchimp,
    MailchimpSession,
    Queue,
    Records,
    Stored,
    update,
)
from shared.exports.outcome import Code, Outcome
from shared.exports.places import SEND_LANES, outcome_blob
from shared.exports.plan.plan import Plan
from shared.exports.run import Reason, Run, RunStatus
from shared.exports.send.board import Board
from shared.exports.send.outcome_lines import outcome_lines
from shared.exports.send.pace import AccountPace
from shared.exports.send.slots import Slot, Slots
from shared.exports.send.write import Person, Result, Writer

__all__ = ["Lanes", "lane_message"]

# A unit of work stays well under the function's time and under any platform's patience.
SLICE_SECONDS = 240.0

# An outage is met this often, with growing pauses (about a quarter of an hour), before the people
# of a chunk are reported as not sent. The next run sends them.
PATIENCE = 20
_LONGEST_PAUSE = 60.0
_WAIT_FOR_SLOT = 4.0
_WAIT_FOR_OTHERS = 10.0


def lane_message(run_id: str, lane: int) -> dict[str, object]:
    """The message that lets a lane of a run work."""
    return {"v": 1, "run": run_id, "lane": lane}


@dataclass(frozen=True)
class _Next:
    """What a lane does after its slice: come again after `delay` seconds, or finish the run."""

    again: bool
    delay: float = 0.0
    finish: bool = False


class Lanes:
    """Lets lanes work. `finish(run_id)` finishes a run that has nothing left to send."""

    def __init__(
        self,
        runs: Records[Run],
        chunks: Records[Chunk],
        files: Files,
        queue: Queue,
        mailchimp: Mailchimp,
        slots: Slots,
        pace: AccountPace,
        plan_of: Callable[[str], Plan],
        finish: Callable[[str], None],
        disconnected: Callable[[str], None],
        now: Callable[[], datetime],
        clock: Callable[[], float],
        turn: Callable[[int], int],
        slice_seconds: float = SLICE_SECONDS,
    ) -> None:
        self._runs = runs
        self._chunks = chunks
        self._files = files
        self._queue = queue
        self._mailchimp = mailchimp
        self._slots = slots
        self._pace = pace
        self._plan_of = plan_of
        self._finish = finish
        self._disconnected = disconnected
        self._now = now
        self._clock = clock
        self._turn = turn
        self._slice = slice_seconds
        self._boards: dict[str, Board] = {}
        self._lock = threading.Lock()

    def run(self, run_id: str, lane: int) -> None:
        """Work as a lane of a run for a slice. Safe to call again with the same arguments."""
        run = self._read(run_id)
        if run is None or run.status not in (RunStatus.SENDING, RunStatus.FINISHING):
            return
        if run.status is RunStatus.FINISHING:
            self._finish(run_id)
            return
        plan = self._plan_of(run_id)
        after = self._slot_and_work(run, plan, lane)
        if after.finish:
            self._finish(run_id)
        elif after.again:
            self._queue.send(SEND_LANES, lane_message(run_id, lane), after.delay)

    def _slot_and_work(self, run: Run, plan: Plan, lane: int) -> _Next:
        if run.cancel_requested:
            self.stop(run.id, None)
            return _Next(again=False, finish=True)
        allowed = self._pace.allowance(plan.account_id)
        slot = None
        if lane < allowed.lanes:
            slot = self._slots.take(plan.account_id, allowed.slots, prefer=lane)
        if slot is None:
            return _Next(again=True, delay=_WAIT_FOR_SLOT)
        with slot:
            return self._work(run, plan, lane, slot)

    def _work(self, run: Run, plan: Plan, lane: int, slot: Slot) -> _Next:
        board = self._board(run.id, plan.account_id)
        until = self._clock() + self._slice
        try:
            session = self._mailchimp.open(
                plan.connection_id, lambda: self._pace.throttled(plan.account_id)
            )
        except (Disconnected, ConfigError) as gone:
            return self._give_up(run.id, plan, gone)
        except Unavailable:
            return _Next(again=True, delay=_WAIT_FOR_SLOT)
        try:
            while True:
                after = self._may_go_on(run.id, plan, lane, slot, until)
                if after is not None:
                    return after
                claimed = board.take(slot)
                if claimed is None:
                    return self._nothing_left(board)
                delay = self._send(run, plan, session, claimed)
                if delay is not None:
                    return _Next(again=True, delay=delay)
        except (Disconnected, Refused, ConfigError) as stop:
            return self._give_up(run.id, plan, stop)
        finally:
            session.close()

    def _may_go_on(
        self, run_id: str, plan: Plan, lane: int, slot: Slot, until: float
    ) -> _Next | None:
        run = self._read(run_id)
        if run is None or run.is_over:
            return _Next(again=False)
        if run.status is not RunStatus.SENDING:
            return _Next(again=False, finish=True)
        if run.cancel_requested:
            self.stop(run_id, None)
            return _Next(again=False, finish=True)
        if self._clock() >= until or slot.lost:
            return _Next(again=True)
        allowed = self._pace.allowance(plan.account_id)
        if slot.index >= allowed.slots or lane >= allowed.lanes:
            return _Next(again=True, delay=_WAIT_FOR_SLOT)
        return None

    def _nothing_left(self, board: Board) -> _Next:
        standing = board.standing()
        if standing.waiting:
            return _Next(again=True)
        if standing.under_way:
            # Its lane finishes the run; this message only watches that the lane lives.
            return _Next(again=True, delay=_WAIT_FOR_OTHERS)
        return _Next(again=False, finish=True)

    def _send(
        self, run: Run, plan: Plan, session: MailchimpSession, claimed: Stored[Chunk]
    ) -> float | None:
        """Send one claimed chunk. A number of seconds to wait when Mailchimp is away."""
        chunk = claimed.value
        before = replace(session.calls)
        lines = self._lines(plan, chunk)
        try:
            results = self._write(run, plan, session, chunk, lines)
        except Unavailable as away:
            return self._give_back(claimed, plan, lines, away)
        except ConnectorError:
            self._put_back(claimed)
            raise
        calls = session.calls
        self._done(
            claimed,
            replace(
                chunk,
                writes=chunk.writes + calls.write - before.write,
                reads=chunk.reads + calls.read - before.read,
                throttled=chunk.throttled + calls.throttled - before.throttled,
                retried=chunk.retried + calls.retried - before.retried,
            ),
            plan,
            results,
        )
        return None

    def _write(
        self,
        run: Run,
        plan: Plan,
        session: MailchimpSession,
        chunk: Chunk,
        lines: Sequence[bytes],
    ) -> list[Result]:
        writer = Writer(session, plan.audience_id, plan.status, run.sending_at or self._now())
        if chunk.kind is ChunkKind.UNTAG:
            if chunk.tag_id is None:
                return [Result(Outcome.REMOVED) for _ in lines]
            return writer.untag(chunk.tag_id, [json.loads(line) for line in lines])
        convert = Converter(plan.mapping, plan.attributes, plan.merge_fields)
        people = [_person(line, plan, convert, chunk.kind) for line in lines]
        return writer.write(chunk.kind, people, doubt=chunk.attempts > 1)

    def _lines(self, plan: Plan, chunk: Chunk) -> list[bytes]:
        data = self._files.read(plan.lines, chunk.start, chunk.length)
        return data.splitlines()

    def _done(
        self, claimed: Stored[Chunk], chunk: Chunk, plan: Plan, results: Sequence[Result]
    ) -> None:
        token = chunk.token or ""
        blob = outcome_blob(plan.run_id, chunk.number, token)
        self._files.write(blob, outcome_lines(chunk.first, results))
        finished = replace(
            chunk, state=ChunkState.DONE, outcomes=blob, done_at=self._now(), slot=None
        )
        try:
            self._chunks.replace(claimed.key, finished, claimed.etag)
        except Changed:
            # The slot was lost on the way and another lane has taken the chunk: its word counts.
            return

    def _give_back(
        self, claimed: Stored[Chunk], plan: Plan, lines: Sequence[bytes], away: Unavailable
    ) -> float:
        if claimed.value.attempts >= PATIENCE:
            results = [Result(Outcome.NOT_SENT, Code.CALL_FAILED) for _ in lines]
            self._done(claimed, replace(claimed.value, gave_up=True), plan, results)
            return 0.0
        self._put_back(claimed)
        pause = min(_LONGEST_PAUSE, 2.0 ** min(claimed.value.attempts, 10))
        return max(pause, away.retry_after or 0.0)

    def _put_back(self, claimed: Stored[Chunk]) -> None:
        free = replace(claimed.value, state=ChunkState.PENDING, slot=None, token=None)
        try:
            self._chunks.replace(claimed.key, free, claimed.etag)
        except Changed:
            return  # taken by another lane already

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
        self.stop(run_id, reason)
        return _Next(again=False, finish=True)

    def stop(self, run_id: str, reason: Reason | None) -> None:
        """Stop sending; the first reason stays."""

        def finishing(run: Run) -> Run | None:
            if run.status is not RunStatus.SENDING:
                return None
            return replace(
                run,
                status=RunStatus.FINISHING,
                reason=run.reason or reason,
                moved_at=self._now(),
            )

        update(self._runs, run_id, finishing)

    def _board(self, run_id: str, account_id: str) -> Board:
        with self._lock:
            board = self._boards.get(run_id)
            if board is None:
                # A process lives long and runs come and go: only the newest few are remembered.
                while len(self._boards) >= 8:
                    del self._boards[next(iter(self._boards))]
                board = Board(run_id, account_id, self._chunks, self._slots, self._turn)
                self._boards[run_id] = board
            return board

    def _read(self, run_id: str) -> Run | None:
        stored = self._runs.read(run_id)
        return stored.value if stored else None


def _person(line: bytes, plan: Plan, convert: Converter, kind: ChunkKind) -> Person:
    address, tagset, values = json.loads(line)
    fields, dropped = convert.convert(values, clear=kind is ChunkKind.UPDATE)
    return Person(address, plan.tagsets[tagset], fields, tuple(one.field for one in dropped))
