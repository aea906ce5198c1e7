"""Reads the people of a claimed chunk and records their outcomes.

Both use only storage, so they run while the lane's connection is busy with another chunk. A lane that
has lost its claim records nothing; the lane that claimed the chunk afterwards does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

import orjson

from shared.errors import Changed, NotFound
from shared.fields.contact import Converter
from shared.model.audience import CallCounts
from shared.model.chunk import Chunk, ChunkKind, ChunkState, chunk_key
from shared.model.names import outcome_blob
from shared.model.outcome import Code, Outcome
from shared.model.plan import Plan, PlanGone
from shared.model.ports import Files, Records, Stored
from shared.sending.line_blocks import LineBlocks
from shared.sending.outcome_lines import (
    outcome_lines,
    outcome_ranges,
    read_outcome_lines,
    read_outcome_ranges,
)
from shared.sending.result import Person, Result

# Mailchimp accepts nearly everyone, so the outcomes of most chunks are one short line.
_LONGEST_RESULTS = 2_000
_ACCEPTED = (Outcome.CREATED, Outcome.UPDATED, Outcome.REMOVED)


@dataclass(frozen=True)
class ChunkPayload:
    """A claimed chunk with the people who are still to be sent.

    `people` are added or updated; `addresses` lose a tag or are archived. `lines` are the line
    numbers of all of them, `known` the results of earlier attempts by line number.
    """

    claimed: Stored[Chunk]
    people: tuple[Person, ...]
    addresses: tuple[str, ...]
    lines: Mapping[str, int]
    known: Mapping[int, Result]

    @property
    def chunk(self) -> Chunk:
        """The chunk as it was claimed."""
        return self.claimed.value


@dataclass(frozen=True)
class ChunkPayloads:
    """Reads and records the chunks of one plan. `shared_lines`: those that other lanes read, too."""

    plan: Plan
    chunks: Records[Chunk]
    files: Files
    now: Callable[[], datetime]
    shared_lines: LineBlocks | None = None

    def read(self, claimed: Stored[Chunk]) -> ChunkPayload:
        """Read the people of a claimed chunk that have no result yet. PlanGone when the plan is missing."""
        chunk = claimed.value
        known = self._known(chunk)
        lines = {
            number: line
            for number, line in enumerate(self._lines(chunk), start=chunk.first)
            if number not in known
        }
        if chunk.tag_id is not None:
            addresses = tuple(lines.values())
            return ChunkPayload(
                claimed, (), addresses, dict(zip(addresses, lines, strict=True)), known
            )
        plan = self.plan
        convert = Converter(plan.mapping, plan.attributes, plan.merge_fields, self.now())
        clear = chunk.kind in (ChunkKind.UPDATE, ChunkKind.RESTORE)
        people = tuple(_person(line, plan.tagsets, convert, clear) for line in lines.values())
        numbers = {person.address: number for person, number in zip(people, lines, strict=True)}
        return ChunkPayload(claimed, people, (), numbers, known)

    def read_planned(self, chunk: Chunk) -> ChunkPayload:
        """Read everyone in a chunk, whether or not there is a result. For reading only: no lane claimed it."""
        planned = replace(chunk, outcomes=None, results="")
        return self.read(Stored(chunk_key(self.plan.run_id, chunk.number), planned, etag=""))

    def planned_people(self, chunks: Iterable[Chunk]) -> Iterator[Person]:
        """Read everyone to send in chunks of a plan, one chunk at a time."""
        for chunk in chunks:
            if chunk.tag_id is None:
                yield from self.read_planned(chunk).people

    def finish(
        self, payload: ChunkPayload, results: Mapping[str, Result], calls: CallCounts
    ) -> None:
        """Record the results of all people, and mark the chunk as done."""
        self._record(payload, results, calls, state=ChunkState.DONE, done_at=self.now())

    def give_up(self, payload: ChunkPayload, calls: CallCounts) -> None:
        """Mark the chunk as done, and record its people as not sent. The next run sends them."""
        unsent = dict.fromkeys(payload.lines, Result(Outcome.NOT_SENT, Code.CALL_FAILED))
        self._record(
            payload, unsent, calls, state=ChunkState.DONE, done_at=self.now(), gave_up=True
        )

    def release(
        self,
        payload: ChunkPayload,
        results: Mapping[str, Result],
        calls: CallCounts,
        *,
        failed: bool = False,
    ) -> None:
        """Record the results so far and release the chunk, so that another lane sends the rest."""
        chunk = payload.chunk
        # Without a call, nothing can have been applied, so the attempt does not count.
        attempts = chunk.attempts if calls.write else chunk.attempts - 1
        failures = 0 if results else chunk.failures + failed
        self._record(
            payload,
            results,
            calls,
            state=ChunkState.PENDING,
            token=None,
            attempts=attempts,
            failures=failures,
        )

    def _record(
        self,
        payload: ChunkPayload,
        results: Mapping[str, Result],
        calls: CallCounts,
        **changes: Any,
    ) -> None:
        chunk = payload.chunk
        outcomes, short = chunk.outcomes, chunk.results
        if results:
            numbered = {payload.lines[address]: result for address, result in results.items()}
            outcomes, short = self._store({**payload.known, **numbered}, chunk)
        recorded = replace(
            chunk,
            slot=None,
            outcomes=outcomes,
            results=short,
            accepted=chunk.accepted + sum(r.outcome in _ACCEPTED for r in results.values()),
            writes=chunk.writes + calls.write,
            reads=chunk.reads + calls.read,
            throttled=chunk.throttled + calls.throttled,
            retried=chunk.retried + calls.retried,
            **changes,
        )
        try:
            self.chunks.replace(payload.claimed.key, recorded, payload.claimed.etag)
        except Changed:
            # The slot was lost and another lane has claimed the chunk: it records the outcomes.
            return

    @cached_property
    def _blocks(self) -> LineBlocks:
        return self.shared_lines or LineBlocks(self.files, self.plan.lines)

    def _store(self, results: Mapping[int, Result], chunk: Chunk) -> tuple[str | None, str]:
        """Store outcomes. Returns the name of their blob, or the text for the chunk's record."""
        if self.plan.has_results_in_chunks:
            short = outcome_ranges(results)
            if len(short) <= _LONGEST_RESULTS:
                return None, short
        blob = outcome_blob(self.plan.run_id, chunk.number, chunk.token or "")
        self.files.write(blob, outcome_lines(results))
        return blob, ""

    def _known(self, chunk: Chunk) -> dict[int, Result]:
        if chunk.results:
            return read_outcome_ranges(chunk.results)
        if chunk.outcomes is None:
            return {}
        try:
            return read_outcome_lines(self.files.read(chunk.outcomes))
        except (NotFound, ValueError):
            return {}  # deleted or damaged: these people are sent again

    def _lines(self, chunk: Chunk) -> list[Any]:
        try:
            data = self._blocks.read(chunk.start, chunk.length)
            # All lines as one array: faster than line by line.
            lines: list[Any] = orjson.loads(b"[%b]" % data.rstrip(b"\n").replace(b"\n", b","))
        except (NotFound, ValueError):
            raise PlanGone from None
        if len(lines) != chunk.people:
            raise PlanGone
        return lines


def _person(
    line: list[Any], tagsets: Sequence[tuple[str, ...]], convert: Converter, clear: bool
) -> Person:
    address, tagset, values = line
    fields, dropped = convert.convert(values, clear=clear)
    return Person(address, tagsets[tagset], fields, tuple(dropped))
