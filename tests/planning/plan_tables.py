"""Tables of a plan for tests of single SQL files: segments and a ledger, written as short lists."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from duckdb import DuckDBPyConnection

from shared.model.source import LoadedSegment, SegmentSnapshot, Snapshot, UnreadableRow
from shared.planning.comparing.compare import Rules, compare
from shared.planning.reading.ledger import load_ledger
from shared.planning.reading.people import RowCounts, SourceColumns, read_people
from shared.planning.selecting.consent import find_do_not_send
from tests.inserted_rows import ONE_FILE, insert_rows

# A row: address, id, first name.
Rows = Sequence[Sequence[str | None]]


class ListedRows:
    """Segments as lists of rows; the columns are those of the row, in order."""

    def __init__(self, segments: dict[str, Rows], unreadable: Sequence[UnreadableRow] = ()) -> None:
        self.segments = segments
        self.unreadable = unreadable

    def snapshot(self, segments: Sequence[str], keyed: bool = True) -> Snapshot:
        key = "Id" if keyed else None
        return Snapshot(tuple(SegmentSnapshot(s, s, (), (ONE_FILE,), key) for s in segments))

    def load(
        self,
        connection: DuckDBPyConnection,
        segment: SegmentSnapshot,
        columns: Sequence[str],
        table: str,
        scratch: Path,
        *,
        consent: bool = False,
    ) -> LoadedSegment:
        rows = [
            (ONE_FILE.blob, line, *row) for line, row in enumerate(self.segments[segment.name], 2)
        ]
        insert_rows(connection, table, rows)
        return LoadedSegment(tuple(bad for bad in self.unreadable if bad.segment == segment.name))


def read_rows(
    db: DuckDBPyConnection, rows: ListedRows, *, keyed: bool = True, consent: str | None = None
) -> RowCounts:
    """Make people of all segments. `keyed`: they have a profile id. `consent`: the name of the fourth column."""
    snapshot = rows.snapshot(list(rows.segments), keyed)
    columns = SourceColumns("EMail", ("FirstName",), consent)
    with TemporaryDirectory() as scratch:
        return read_people(db, snapshot, rows, columns, Path(scratch))


def compare_all(db: DuckDBPyConnection, rules: Rules) -> None:
    """Apply the consent rules, then compare people with the ledger."""
    find_do_not_send(db, "subscribed", add_archived=False)
    compare(db, rules)


def people(db: DuckDBPyConnection) -> dict[str, tuple[str, int, list[str | None]]]:
    """The id, the mask of segments and the fields of each address."""
    rows = db.execute("SELECT address, customer_id, mask, fields FROM people").fetchall()
    return {address: (who, mask, json.loads(fields)) for address, who, mask, fields in rows}


def no_one_unsubscribed(db: DuckDBPyConnection) -> None:
    db.execute("CREATE OR REPLACE TABLE not_subscribed (address VARCHAR, status VARCHAR)")


def unsubscribed(db: DuckDBPyConnection, **statuses: str) -> None:
    no_one_unsubscribed(db)
    for name, status in statuses.items():
        db.execute("INSERT INTO not_subscribed VALUES (?, ?)", [f"{name}@example.com", status])


def ledger_of(
    db: DuckDBPyConnection, *entries: tuple[str, str | None, list[int], str | None]
) -> None:
    """A ledger: name, first name as sent, tags, and the code of a permanent refusal."""
    load_ledger(db, None)
    for name, first, tags, refused in entries:
        sent = json.dumps([first], separators=(",", ":")) if first is not None else None
        db.execute(
            "INSERT INTO ledger BY NAME SELECT ? AS address, ? AS customer_id, "
            "md5(? || '') AS fingerprint, ?::BIGINT[] AS tags, "
            "CASE WHEN ?::VARCHAR IS NOT NULL THEN md5('[\"x\"]') END AS refused, "
            "? AS refused_code, 0 AS tries, 'r' AS run_id",
            [f"{name}@example.com", name, sent, tags, refused, refused],
        )


def kinds(db: DuckDBPyConnection) -> dict[str, tuple[str, str | None, list[int] | None]]:
    """The kind, the code and the tags to remove of each name."""
    rows = db.execute("SELECT address, kind, code, tags_to_remove FROM changes").fetchall()
    return {address.split("@")[0]: (kind, code, lost) for address, kind, code, lost in rows}


def segments_of(**segments: str) -> ListedRows:
    """Segments as names of people, "ann bob"; all have the first name x."""
    return ListedRows(
        {
            segment: [[f"{name}@example.com", name, "x"] for name in names.split()]
            for segment, names in segments.items()
        }
    )
