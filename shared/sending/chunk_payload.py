"""A parcel: a claimed chunk with its people ready to be sent, and what is signed for afterwards.

Only the chunk's claim and the record of its outcomes touch storage; both can be done while the
lane's connection is busy with another parcel. Whoever has lost the claim meanwhile signs nothing:
the lane that took it over has the word.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from shared.errors import Changed, NotFound
from shared.fields.contact import Converter
from shared.model.audience import CallCounts
from shared.model.chunk import Chunk, ChunkKind, ChunkState
from shared.model.names import outcome_blob
from shared.model.outcome import Code, Outcome
from shared.model.plan import Plan, PlanGone
from shared.model.ports import Files, Records, Stored
from shared.sending.outcome_lines import outcome_lines
from shared.sending.write import Person, Result

__all__ = ["ChunkPayload", "ChunkPayloads"]


@dataclass(frozen=True)
class ChunkPayload:
    """A claimed chunk: people to add or update, or addresses that lose a tag."""

    claimed: Stored[Chunk]
    people: tuple[Person, ...] = ()
    leavers: tuple[str, ...] = ()

    @property
    def chunk(self) -> Chunk:
        """The chunk as it was claimed."""
        return self.claimed.value


@dataclass(frozen=True)
class ChunkPayloads:
    """Packs and signs for the parcels of one plan."""

    plan: Plan
    chunks: Records[Chunk]
    files: Files
    now: Callable[[], datetime]

    def pack(self, claimed: Stored[Chunk]) -> ChunkPayload:
        """Read the people of a claimed chunk and convert their values. PlanGone."""
        chunk = claimed.value
        lines = self._lines(chunk)
        if chunk.kind in (ChunkKind.UNTAG, ChunkKind.ARCHIVE):
            return ChunkPayload(claimed, leavers=lines)
        convert = Converter(self.plan.mapping, self.plan.attributes, self.plan.merge_fields)
        clear = chunk.kind in (ChunkKind.UPDATE, ChunkKind.RESTORE)
        return ChunkPayload(claimed, tuple(self._person(line, convert, clear) for line in lines))

    def _lines(self, chunk: Chunk) -> tuple[Any, ...]:
        try:
            data = self.files.read(self.plan.lines, chunk.start, chunk.length)
            lines = tuple(json.loads(line) for line in data.splitlines())
        except (NotFound, ValueError):
            raise PlanGone from None
        if len(lines) != chunk.people:
            raise PlanGone
        return lines

    def sign(self, parcel: ChunkPayload, results: Sequence[Result], calls: CallCounts) -> None:
        """Record what became of everyone, and that the chunk is done."""
        self._done(parcel, results, calls, gave_up=False)

    def give_up(self, parcel: ChunkPayload) -> None:
        """Record that nobody of the chunk could be sent; the next run sends them."""
        nobody = Result(Outcome.NOT_SENT, Code.CALL_FAILED)
        self._done(parcel, [nobody] * parcel.chunk.people, CallCounts(), gave_up=True)

    def put_back(self, parcel: ChunkPayload, *, untouched: bool = False) -> None:
        """Let another lane have the chunk. `untouched`: it was never tried by this claim."""
        chunk = parcel.chunk
        free = replace(
            chunk,
            state=ChunkState.PENDING,
            slot=None,
            token=None,
            attempts=chunk.attempts - 1 if untouched else chunk.attempts,
        )
        self._replace(parcel, free)

    def _done(
        self, parcel: ChunkPayload, results: Sequence[Result], calls: CallCounts, *, gave_up: bool
    ) -> None:
        chunk = parcel.chunk
        blob = outcome_blob(self.plan.run_id, chunk.number, chunk.token or "")
        self.files.write(blob, outcome_lines(chunk.first, results))
        done = replace(
            chunk,
            state=ChunkState.DONE,
            slot=None,
            outcomes=blob,
            gave_up=gave_up,
            done_at=self.now(),
            writes=chunk.writes + calls.write,
            reads=chunk.reads + calls.read,
            throttled=chunk.throttled + calls.throttled,
            retried=chunk.retried + calls.retried,
        )
        self._replace(parcel, done)

    def _replace(self, parcel: ChunkPayload, chunk: Chunk) -> None:
        try:
            self.chunks.replace(parcel.claimed.key, chunk, parcel.claimed.etag)
        except Changed:
            # The slot was lost on the way and another lane has taken the chunk: its word counts.
            return

    def _person(self, line: tuple[Any, ...], convert: Converter, clear: bool) -> Person:
        address, tagset, values = line
        fields, dropped = convert.convert(values, clear=clear)
        return Person(
            address, self.plan.tagsets[tagset], fields, tuple(one.field for one in dropped)
        )
