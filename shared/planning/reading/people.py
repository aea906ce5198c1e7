"""Read the source rows of all segments and make people of them: one person for each address.

The address rule, the choice between profiles with one address and the columns of `source_rows`,
`people`, `rejects` and `shared` are in sql/people.sql; docs/tables.md describes the tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from shared.errors import ConfigError
from shared.fields.address import BLANKS
from shared.fields.consent import consent_words
from shared.model.export import MAX_SEGMENTS, ConsentMeaning
from shared.model.source import SegmentSnapshot, Snapshot, UnreadableRow
from shared.planning.reading.source_values import SourceValues, define_digit_macros
from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shared.model.ports import SegmentSource


_SQL = SqlFile.of(__file__)


@dataclass(frozen=True)
class SourceColumns:
    """The attributes that an export reads: address, mapped attributes, consent attribute."""

    email: str
    fields: tuple[str, ...] = ()
    consent: str | None = None
    consent_meaning: ConsentMeaning = ConsentMeaning.YES_MAY_BE_MAILED

    def of(self, segment: SegmentSnapshot) -> list[str]:
        """The columns to read of a segment, in the order that sql/people.sql expects.

        A plain CSV file has no profile id, so the address is used instead.
        """
        consent = [self.consent] if self.consent else []
        return [self.email, segment.primary_key or self.email, *self.fields, *consent]


@dataclass(frozen=True)
class RowCounts:
    """The numbers of source rows, distinct people, and memberships (people counted once for each segment)."""

    source_rows: int
    people: int
    memberships: int


def read_people(
    db: DuckDBPyConnection,
    snapshot: Snapshot,
    source: SegmentSource,
    columns: SourceColumns,
    scratch: Path,
    values: SourceValues | None = None,
) -> RowCounts:
    """Fill `source_rows`, `people`, `shared`, `rejects` and `repeated_headers` from all segments of a snapshot.

    `values` collects facts about whole columns (source_values.py).

    ConfigError names a missing column, InputError an unusable file; Changed when a file is no
    longer the one in the snapshot.
    """
    if len(snapshot.segments) > MAX_SEGMENTS:
        raise ConfigError("tooManySegments", most=MAX_SEGMENTS)
    _SQL.run(db, "create", files=list(snapshot.etags))
    define_digit_macros(db)
    values = values or SourceValues()
    unreadable: list[tuple[int, UnreadableRow]] = []
    allow = sorted(consent_words(columns.consent_meaning, columns.consent or "").allow)
    for number, segment in enumerate(snapshot.segments):
        wanted = columns.of(segment)
        cells = ", ".join(f"c{position} VARCHAR" for position in range(len(wanted)))
        db.execute(f"CREATE OR REPLACE TABLE segment_rows (file file_name, line BIGINT, {cells})")
        loaded = source.load(
            db, segment, wanted, "segment_rows", scratch, consent=columns.consent is not None
        )
        values.add(db, columns.fields, loaded, scratch)
        if columns.consent:
            values.add_consent(db, f"c{len(wanted) - 1}", columns.consent, columns.consent_meaning)
        unreadable.extend((number, row) for row in loaded.unreadable)
        _SQL.run(
            db,
            "add_segment",
            segment=number,
            has_key=segment.primary_key is not None,
            email_name=columns.email,
            key_name=segment.primary_key or "",
            field_names=orjson.dumps(columns.fields).decode(),
            fields=len(columns.fields),
            consent=columns.consent_meaning if columns.consent else "",
            blanks=BLANKS,
            allow=allow,
        )
    _SQL.run(db, "people")
    if unreadable:
        _SQL.run(
            db,
            "add_unreadable",
            segments=[number for number, _ in unreadable],
            files=[row.file for _, row in unreadable],
            lines=[row.line for _, row in unreadable],
            codes=[str(row.code) for _, row in unreadable],
        )
    source_rows, people, memberships = _SQL.row(db, "counts")
    return RowCounts(source_rows + len(unreadable), people, memberships)
