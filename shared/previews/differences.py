"""The whole difference of a preview: every person that the run would change, with old and new values.

Old values are those that the export sent last, from the ledger: reading a million contacts from Mailchimp
would take as long as the run. The preview stores the ledger's rows of these people beside its plan;
values are converted when the difference is read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.errors import NotFound
from shared.fields.contact import Converter
from shared.fields.evidence import EVIDENCE
from shared.finishing.shown_values import value_text
from shared.model.chunk import FORMER_TAG, UNSUBSCRIBE_TAG, Chunk
from shared.model.plan import Plan
from shared.model.ports import Files, Records
from shared.model.preview import SampleKind
from shared.planning.writing.fields_to_send import field_of, merge_tags
from shared.runs.plan_store import PlanStore
from shared.sending.chunk_payload import ChunkPayloads
from shared.sending.result import Person
from shared.workspace import SqlFile, small_workspace

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


_SQL = SqlFile.of(__file__)
_BATCH = 500
_KINDS = {"add": SampleKind.NEW, "update": SampleKind.CHANGED, "left": SampleKind.LEAVING}
_CONTACT = {UNSUBSCRIBE_TAG: "unsubscribe", FORMER_TAG: "archive"}


@dataclass(frozen=True)
class Difference:
    """One person that the run would change.

    `contact` is unsubscribe, archive or empty. `fields` has the value that was sent last and the value
    after the run, for each merge field of the export.
    """

    kind: SampleKind
    customer_id: str
    email: str
    segments: tuple[str, ...]
    contact: str
    tags_before: tuple[str, ...]
    tags_after: tuple[str, ...]
    fields: tuple[tuple[str, str], ...]


def write_values_before(db: DuckDBPyConnection, ledger: Path | None, target: Path) -> None:
    """Write the ledger's rows of the people of a preview into a local file. Needs `changes`."""
    if ledger is None:
        _SQL.write(db, "no_before", target)
    else:
        _SQL.write(db, "before", target, ledger=str(ledger))


@dataclass(frozen=True)
class Differences:
    """Reads the differences of previews."""

    plans: PlanStore
    chunks: Records[Chunk]
    files: Files
    now: Callable[[], datetime]

    def read(self, run_id: str) -> tuple[list[str], Iterator[Difference]]:
        """The merge fields of a preview, and its difference. NotFound when it is not stored (any more)."""
        try:
            plan = self.plans.get(run_id)
            chunks = self.plans.chunks(plan)
            self.files.read(plan.values_before, 0, 1)  # before the first byte of a response is sent
        except NotFound:
            raise NotFound("previewGone") from None
        fields = _fields(plan)
        return [EVIDENCE.get(tag, tag) for tag in fields], self._rows(plan, chunks, fields)

    def _rows(
        self, plan: Plan, chunks: Sequence[Chunk], fields: Sequence[str]
    ) -> Iterator[Difference]:
        payloads = ChunkPayloads(plan, self.chunks, self.files, self.now)
        people = payloads.planned_people(chunks)
        reading = _Reading.of(plan, fields)
        with self._opened(plan) as (db, files):
            found = _SQL.run(db, "rows", merge_tags=merge_tags(plan.mapping), **files)
            while batch := found.fetchmany(_BATCH):
                for kind, *columns in batch:
                    person = None if kind == "left" else next(people)
                    yield reading.difference(kind, columns, person)

    @contextmanager
    def _opened(self, plan: Plan) -> Iterator[tuple[DuckDBPyConnection, dict[str, str]]]:
        with small_workspace() as (db, folder):
            local = {"changes": folder / "changes.parquet", "before": folder / "before.parquet"}
            self.files.download(plan.changes, local["changes"])
            self.files.download(plan.values_before, local["before"])
            yield db, {name: str(path) for name, path in local.items()}


def _fields(plan: Plan) -> list[str]:
    """The merge fields of the export, each once although several attributes may make it up."""
    return list(dict.fromkeys(map(field_of, merge_tags(plan.mapping))))


@dataclass(frozen=True)
class _Reading:
    """What all rows of a difference need; a million rows are read, so it is made once."""

    fields: Sequence[str]
    segments: Sequence[str]
    tag_names: Mapping[int, str]
    convert: Converter

    @classmethod
    def of(cls, plan: Plan, fields: Sequence[str]) -> _Reading:
        """The names and the converter of a plan."""
        return cls(
            fields,
            [tag.segment for tag in plan.tags],
            plan.tag_names,
            Converter(plan.mapping, plan.attributes, plan.merge_fields),
        )

    def difference(self, kind: str, columns: Sequence[Any], person: Person | None) -> Difference:
        """The difference of one row, with the person to send if there is one."""
        customer_id, address, segments, sent_last, tags, removed = columns
        before: Mapping[str, object] = {}
        if sent_last is not None:
            before, _ = self.convert.convert(json.loads(sent_last), clear=False)
        after = person.fields if person else {}
        names = self.tag_names
        had = tuple(sorted(names[tag] for tag in tags or () if tag in names))
        lost = {names[tag] for tag in removed or () if tag in names}
        given = person.tags if person else ()
        return Difference(
            kind=_KINDS[kind],
            customer_id=customer_id or "",
            email=address,
            segments=tuple(self.segments[number] for number in segments or ()),
            contact=next((_CONTACT[tag] for tag in removed or () if tag in _CONTACT), ""),
            tags_before=had,
            tags_after=tuple(sorted({*had, *given} - lost)),
            fields=tuple(_both(before, after, tag) for tag in self.fields),
        )


def _both(before: Mapping[str, object], after: Mapping[str, object], tag: str) -> tuple[str, str]:
    """The old and the new text of a field; a value that is not sent leaves the old one."""
    old = value_text(before.get(tag)) if before else ""
    return old, value_text(after[tag]) if tag in after else old
