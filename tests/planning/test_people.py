"""Source rows become people."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from duckdb import DuckDBPyConnection
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.errors import ConfigError
from shared.fields.address import normal_address
from shared.model.export import MAX_SEGMENTS
from shared.model.outcome import Code
from shared.model.source import Snapshot, UnreadableRow
from shared.planning.comparing.compare import Rules, SegmentMembers, members_by_segment
from shared.planning.reading.ledger import load_ledger
from shared.planning.reading.people import SourceColumns, read_people
from shared.segments.reading.reader import SegmentReader
from shared.workspace import workspace
from tests.planning.plan_tables import (
    ListedRows,
    Rows,
    compare_all,
    no_one_unsubscribed,
    people,
    read_rows,
)
from tests.segments.segment_files import csv_bytes, segment_of


def test_one_person_in_many_segments_is_one_person(db: DuckDBPyConnection) -> None:
    row = ["Ada@Example.com ", "1", "Ada"]
    counts = read_rows(
        db, ListedRows({"A": [row], "B": [row], "C": [["bob@example.com", "2", None]]})
    )

    assert people(db) == {
        "ada@example.com": ("1", 0b011, ["Ada"]),
        "bob@example.com": ("2", 0b100, [None]),
    }
    assert (counts.source_rows, counts.people, counts.memberships) == (3, 2, 3)
    assert db.execute("SELECT count(*) FROM shared").fetchone() == (0,)


def test_the_lowest_id_wins_an_address_and_the_others_are_reported(db: DuckDBPyConnection) -> None:
    read_rows(
        db,
        ListedRows(
            {
                "A": [["x@example.com", "9", "Nine"], ["x@example.com", "5", "Five"]],
                "B": [["X@example.com", "2", "Two"], ["x@example.com", "5", "Five"]],
            }
        ),
    )

    assert people(db) == {"x@example.com": ("2", 0b11, ["Two"])}
    losers = db.execute("SELECT customer_id, mask FROM shared ORDER BY customer_id").fetchall()
    assert losers == [("5", 0b11), ("9", 0b01)]


def test_without_ids_the_first_row_of_the_first_segment_wins(db: DuckDBPyConnection) -> None:
    read_rows(
        db,
        ListedRows(
            {
                "A": [["x@example.com", None, "first"], ["x@example.com", None, "second"]],
                "B": [["x@example.com", None, "third"]],
            }
        ),
        keyed=False,
    )

    assert people(db) == {"x@example.com": (None, 0b11, ["first"])}


def test_a_malformed_row_is_reported_with_its_line_and_reason(db: DuckDBPyConnection) -> None:
    counts = read_rows(
        db,
        ListedRows(
            {"A": [[None, "1", "a"], ["nobody", "2", "b"], [" \u00a0", "3", "c"]]},
            [UnreadableRow("A", "one.csv", 9, Code.ROW_TOO_FEW_COLUMNS)],
        ),
    )

    rows = db.execute("SELECT line, customer_id, code FROM rejects ORDER BY line").fetchall()
    assert rows == [
        (2, "1", "addressMissing"),
        (3, "2", "addressMalformed"),
        (4, "3", "addressMissing"),
        (9, None, "rowTooFewColumns"),
    ]
    assert counts.source_rows == 4
    assert people(db) == {}


@pytest.mark.parametrize("keyed", [True, False])
def test_a_repeated_header_is_neither_a_row_nor_rejected(
    db: DuckDBPyConnection, keyed: bool
) -> None:
    header = ["EMail", "Id" if keyed else "EMail", "FirstName"]
    rows = [
        ["a@example.com", "1", "Ada"],
        header,
        ["EMail", None, None],
        ["b@example.com", "2", "B"],
    ]
    counts = read_rows(db, ListedRows({"A": rows}), keyed=keyed)

    assert counts.source_rows == 3
    assert db.execute("SELECT line FROM rejects").fetchall() == [(4,)]
    assert db.execute("SELECT file, line FROM repeated_headers").fetchall() == [("one.csv", 3)]
    assert len(people(db)) == 2


def test_a_hundred_segments_are_supported(db: DuckDBPyConnection) -> None:
    names = [f"S{n}" for n in range(MAX_SEGMENTS)]
    last = [["last@example.com", "2", "x"]]
    everywhere = ["all@example.com", "1", "x"]
    segments: dict[str, Rows] = {name: [everywhere] for name in names}
    segments[names[-1]] = [everywhere, *last]
    read_rows(db, ListedRows(segments))

    assert people(db)["all@example.com"][1] == (1 << MAX_SEGMENTS) - 1
    assert people(db)["last@example.com"][1] == 1 << (MAX_SEGMENTS - 1)
    load_ledger(db, None)
    no_one_unsubscribed(db)
    compare_all(db, Rules(tag_ids=range(1000, 1000 + MAX_SEGMENTS), mapping=""))
    tags = dict(db.execute("SELECT address, tags FROM stored_changes").fetchall())
    assert tags == {
        "all@example.com": list(range(1000, 1000 + MAX_SEGMENTS)),
        "last@example.com": [1000 + MAX_SEGMENTS - 1],
    }
    assert members_by_segment(db)[MAX_SEGMENTS - 1] == SegmentMembers(2, 0, 2)
    with pytest.raises(ConfigError, match="at most"):
        read_rows(db, ListedRows({**segments, "one more": last}))


@pytest.mark.parametrize("yes", ["true", "Yes", " 1 ", "Y", "예"])
@pytest.mark.parametrize("no", ["false", "", None, "maybe", "0"])
def test_only_an_explicit_yes_is_consent(db: DuckDBPyConnection, yes: str, no: str | None) -> None:
    rows = [["a@example.com", "1", "x", yes], ["b@example.com", "2", "x", no]]
    read_rows(db, ListedRows({"A": rows}), consent="Consent")

    found = dict(db.execute("SELECT address, consent FROM people").fetchall())
    assert found == {"a@example.com": True, "b@example.com": False}


_LOCALS = st.text(
    alphabet="abzAZ09.!#$%&'*+/=?^_`{|}~-\"@ é\u200b\u200f\u202a\u00a0\n\0", max_size=70
)
_DOMAINS = st.text(alphabet="abzAZ09.-_é \u3000", max_size=70)


@settings(max_examples=15)
@example(["a" * 64 + "@b.co", "a" * 65 + "@b.co", "a@" + "b" * 63 + ".co", "a@" + "b" * 64 + ".co"])
@example(["a@b", "a@b.c", "a@b.1c", "a@b.c1", "a@-b.co", "a@b-.co", "a..b@c.co", ".a@c.co"])
@example(["\ufeffa@b.co\u2028", "a@b.co\0", "a@b.co\n", "a'b@c.co", "ſ@b.co", "K@b.co"])
@example(["\u202aa@b.co\u202c", "\u200eb@b.co\u00ad", "\u061c\u2068c@b.co\u2069", "d\u200f@b.co"])
@given(
    st.lists(
        st.one_of(st.text(max_size=30), st.builds(lambda a, b: f"{a}@{b}.co", _LOCALS, _DOMAINS)),
        min_size=1,
        max_size=60,
    )
)
def test_the_address_rule_in_sql_is_the_one_in_python(given_texts: list[str]) -> None:
    with workspace() as (db, _):
        read_rows(
            db, ListedRows({"A": [[text, str(n), "x"] for n, text in enumerate(given_texts)]})
        )
        in_sql = set(people(db))

    assert in_sql == {a for a in map(normal_address, given_texts) if a is not None}


def test_an_invalid_address_is_stored_so_that_it_can_be_recognized(db: DuckDBPyConnection) -> None:
    read_rows(db, ListedRows({"A": [["x" * 1_000_000, "1", "Ada"], ["no\0body\n", "2", "Bob"]]}))

    shown = dict(db.execute("SELECT customer_id, email FROM rejects").fetchall())
    assert shown == {"1": "x" * 300, "2": "no\0body\n"}


def test_an_id_that_is_too_long_is_ignored(db: DuckDBPyConnection) -> None:
    endless = "9" * 501
    read_rows(db, ListedRows({"A": [["a@b.de", endless, "Ada"], ["c@d.de", "9" * 500, "Bob"]]}))

    assert {address: who for address, (who, _, _) in people(db).items()} == {
        "a@b.de": None,
        "c@d.de": "9" * 500,
    }


def test_rows_of_a_megabyte_each_are_planned_within_the_memory_of_an_instance(
    db: DuckDBPyConnection, scratch: Path
) -> None:
    cell = "x" * 1_000_000
    rows = [["EMail", "Id", "FirstName"], *([f"a{n}@b.de", f"{n}", cell] for n in range(300))]
    segment, container = segment_of(rows[0], ("a.csv", csv_bytes(rows)))
    container.piece = 1 << 20

    class Source(ListedRows):
        def load(self, connection, segment, columns, table, scratch, *, consent=False):  # type: ignore[no-untyped-def]
            return SegmentReader(container).load(
                connection, segment, columns, table, scratch, consent=consent
            )

    keyed = Snapshot((replace(segment, primary_key="Id"),))
    columns = SourceColumns("EMail", ("FirstName",))
    counts = read_people(db, keyed, Source({}), columns, scratch)
    assert (counts.source_rows, counts.people) == (300, 300)
