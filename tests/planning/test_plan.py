"""The plan's SQL, row by row: shared addresses, people to send, people to skip."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from duckdb import DuckDBPyConnection
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.capacity.parallel_calls import ParallelCalls
from shared.errors import ConfigError, InputError
from shared.fields.address import normal_address
from shared.model.audience import ContactStatus, NotSubscribedPointer
from shared.model.chunk import ChunkKind, ChunkState
from shared.model.export import MAX_SEGMENTS
from shared.model.outcome import Code
from shared.model.source import LoadedSegment, SegmentSnapshot, Snapshot, UnreadableRow
from shared.planning import chunking
from shared.planning.chunking import Held, write_chunks
from shared.planning.compare import Rules, SegmentMembers, compare, count, members_by_segment
from shared.planning.consent import find_do_not_send
from shared.planning.ledger import deleted_tags, forget_tags, load_ledger
from shared.planning.not_subscribed import NotSubscribedList
from shared.planning.people import RowCounts, SourceColumns, read_people
from shared.planning.removal_guard import find_held
from shared.segments.reader import load_segment
from shared.workspace import workspace
from tests.fakes import MemoryFiles, MemoryRecords, MemoryStore, StoreClient
from tests.segments.segment_files import csv_bytes, segment_of

# A row: address, id, first name.
Rows = Sequence[Sequence[str | None]]


class Table:
    """Segments as lists of rows; the columns are those of the row, in order."""

    def __init__(self, segments: dict[str, Rows], unreadable: Sequence[UnreadableRow] = ()) -> None:
        self.segments = segments
        self.unreadable = unreadable

    def snapshot(self, segments: Sequence[str], keyed: bool = True) -> Snapshot:
        key = "Id" if keyed else None
        return Snapshot(tuple(SegmentSnapshot(s, s, (), (), key) for s in segments))

    def load(
        self,
        connection: DuckDBPyConnection,
        segment: SegmentSnapshot,
        columns: Sequence[str],
        table: str,
        scratch: Path,
    ) -> LoadedSegment:
        rows = self.segments[segment.name]
        columned = [[row[place] for row in rows] for place in range(len(columns))]
        texts = "".join(", unnest(?::VARCHAR[])" for _ in columns)
        connection.execute(
            f"INSERT INTO {table} SELECT 'one.csv', unnest(?::BIGINT[]){texts}",
            [[*range(2, len(rows) + 2)], *columned],
        )
        return LoadedSegment(tuple(bad for bad in self.unreadable if bad.segment == segment.name))


@pytest.fixture
def room() -> Iterator[tuple[DuckDBPyConnection, Path]]:
    with workspace() as opened:
        yield opened


@pytest.fixture
def db(room: tuple[DuckDBPyConnection, Path]) -> DuckDBPyConnection:
    return room[0]


@pytest.fixture
def scratch(room: tuple[DuckDBPyConnection, Path]) -> Path:
    return room[1]


def read(db: DuckDBPyConnection, table: Table, **more: object) -> RowCounts:
    keyed = bool(more.pop("keyed", True))
    consent = more.pop("consent", None)
    snapshot = table.snapshot(list(table.segments), keyed)
    columns = SourceColumns("EMail", ("FirstName",), consent)  # type: ignore[arg-type]
    with TemporaryDirectory() as scratch:
        return read_people(db, snapshot, table, columns, Path(scratch))  # type: ignore[arg-type]


def judge(db: DuckDBPyConnection, rules: Rules) -> None:
    find_do_not_send(db, "subscribed", add_archived=False)
    compare(db, rules)


def people(db: DuckDBPyConnection) -> dict[str, tuple[str, int, list[str | None]]]:
    rows = db.execute("SELECT address, customer_id, mask, fields FROM people").fetchall()
    return {address: (who, mask, json.loads(fields)) for address, who, mask, fields in rows}


# --- rows become people --------------------------------------------------------------------


def test_one_person_in_many_segments_is_one_person(db: DuckDBPyConnection) -> None:
    row = ["Ada@Example.com ", "1", "Ada"]
    counts = read(db, Table({"A": [row], "B": [row], "C": [["bob@example.com", "2", None]]}))

    assert people(db) == {
        "ada@example.com": ("1", 0b011, ["Ada"]),
        "bob@example.com": ("2", 0b100, [None]),
    }
    assert (counts.source_rows, counts.people, counts.memberships) == (3, 2, 3)
    assert db.execute("SELECT count(*) FROM shared").fetchone() == (0,)


def test_the_lowest_id_wins_an_address_and_the_others_are_reported(db: DuckDBPyConnection) -> None:
    read(
        db,
        Table(
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
    read(
        db,
        Table(
            {
                "A": [["x@example.com", None, "first"], ["x@example.com", None, "second"]],
                "B": [["x@example.com", None, "third"]],
            }
        ),
        keyed=False,
    )

    assert people(db) == {"x@example.com": (None, 0b11, ["first"])}


def test_a_malformed_row_is_reported_with_its_line_and_reason(db: DuckDBPyConnection) -> None:
    counts = read(
        db,
        Table(
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


def test_a_hundred_segments_are_supported(db: DuckDBPyConnection) -> None:
    names = [f"S{n}" for n in range(MAX_SEGMENTS)]
    last = [["last@example.com", "2", "x"]]
    everywhere = ["all@example.com", "1", "x"]
    segments: dict[str, Rows] = {name: [everywhere] for name in names}
    segments[names[-1]] = [everywhere, *last]
    read(db, Table(segments))

    assert people(db)["all@example.com"][1] == (1 << MAX_SEGMENTS) - 1
    assert people(db)["last@example.com"][1] == 1 << (MAX_SEGMENTS - 1)
    load_ledger(db, None)
    no_one_unsubscribed(db)
    judge(db, Rules(tag_ids=range(1000, 1000 + MAX_SEGMENTS), mapping=""))
    tags = dict(db.execute("SELECT address, tags FROM stored_changes").fetchall())
    assert tags == {
        "all@example.com": list(range(1000, 1000 + MAX_SEGMENTS)),
        "last@example.com": [1000 + MAX_SEGMENTS - 1],
    }
    assert members_by_segment(db)[MAX_SEGMENTS - 1] == SegmentMembers(2, 0, 2)
    with pytest.raises(ConfigError, match="at most"):
        read(db, Table({**segments, "one more": last}))


@pytest.mark.parametrize("yes", ["true", "Yes", " 1 ", "Y", "예"])
@pytest.mark.parametrize("no", ["false", "", None, "maybe", "0"])
def test_only_an_explicit_yes_is_consent(db: DuckDBPyConnection, yes: str, no: str | None) -> None:
    rows = [["a@example.com", "1", "x", yes], ["b@example.com", "2", "x", no]]
    read(db, Table({"A": rows}), consent="Consent")

    found = dict(db.execute("SELECT address, consent FROM people").fetchall())
    assert found == {"a@example.com": True, "b@example.com": False}


_LOCALS = st.text(alphabet="abzAZ09.!#$%&'*+/=?^_`{|}~-\"@ é\u200b\u00a0\n\0", max_size=70)
_DOMAINS = st.text(alphabet="abzAZ09.-_é \u3000", max_size=70)


@settings(max_examples=15)
@example(["a" * 64 + "@b.co", "a" * 65 + "@b.co", "a@" + "b" * 63 + ".co", "a@" + "b" * 64 + ".co"])
@example(["a@b", "a@b.c", "a@b.1c", "a@b.c1", "a@-b.co", "a@b-.co", "a..b@c.co", ".a@c.co"])
@example(["\ufeffa@b.co\u2028", "a@b.co\0", "a@b.co\n", "a'b@c.co", "ſ@b.co", "K@b.co"])
@given(
    st.lists(
        st.one_of(st.text(max_size=30), st.builds(lambda a, b: f"{a}@{b}.co", _LOCALS, _DOMAINS)),
        min_size=1,
        max_size=60,
    )
)
def test_the_address_rule_in_sql_is_the_same(given_texts: list[str]) -> None:
    with workspace() as (db, _):
        read(db, Table({"A": [[text, str(n), "x"] for n, text in enumerate(given_texts)]}))
        in_sql = set(people(db))

    assert in_sql == {a for a in map(normal_address, given_texts) if a is not None}


@pytest.mark.parametrize(
    "nasty",
    ["'; DROP TABLE people; --", '"); DELETE FROM source_rows; --', "$$", "\x01", "\\", "a\r\nb"],
)
def test_values_are_never_executed_as_sql(
    db: DuckDBPyConnection, scratch: Path, nasty: str
) -> None:
    read(db, Table({nasty: [["a@example.com", nasty, nasty], ["b@example.com", "2", nasty]]}))
    load_ledger(db, None)
    no_one_unsubscribed(db)
    judge(db, Rules(tag_ids=[7], mapping=nasty))

    files, chunks = write_chunks(db, scratch, ["FNAME"])

    assert {who for who, _, _ in people(db).values()} == {nasty, "2"}
    lines = files.lines.read_bytes().splitlines()
    assert [json.loads(line) for line in lines] == [
        ["a@example.com", 0, [nasty]],
        ["b@example.com", 0, [nasty]],
    ]
    assert [chunk.people for chunk in chunks] == [2]


# --- people against the ledger -------------------------------------------------------------


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
            "INSERT INTO ledger BY NAME SELECT ? AS address, 'id' AS customer_id, "
            "md5(? || '') AS fingerprint, ?::BIGINT[] AS tags, "
            "CASE WHEN ?::VARCHAR IS NOT NULL THEN md5('[\"x\"]') END AS refused, "
            "? AS refused_code, 0 AS tries, 'r' AS run_id",
            [f"{name}@example.com", sent, tags, refused, refused],
        )


def kinds(db: DuckDBPyConnection) -> dict[str, tuple[str, str | None, list[int] | None]]:
    rows = db.execute("SELECT address, kind, code, tags_to_remove FROM changes").fetchall()
    return {address.split("@")[0]: (kind, code, lost) for address, kind, code, lost in rows}


def table(**segments: str) -> Table:
    """Segments as names of people, "ann bob"; all are called x."""
    return Table(
        {
            segment: [[f"{name}@example.com", name, "x"] for name in names.split()]
            for segment, names in segments.items()
        }
    )


def test_every_kind_of_change_is_distinguished(db: DuckDBPyConnection) -> None:
    read(db, table(A="new same changed tagless kept refused moved", B="same keptandmoved"))
    unsubscribed(db, kept="unsubscribed", keptandmoved="pending", gone="cleaned")
    ledger_of(
        db,
        ("same", "x", [1, 2], None),
        ("changed", "y", [1], None),
        ("tagless", "x", [], None),
        ("refused", None, [], "fieldRefused"),
        ("moved", "x", [1, 2], None),
        ("keptandmoved", "x", [1], None),
        ("gone", "x", [2], None),
        ("longgone", "x", [], None),
    )

    judge(db, Rules(tag_ids=[1, 2], mapping=""))

    assert kinds(db) == {
        "new": ("add", None, None),
        "same": ("unchanged", None, None),
        "changed": ("update", None, None),
        "tagless": ("update", None, None),
        "kept": ("kept", "unsubscribed", None),
        "refused": ("rejected", "fieldRefused", None),
        "moved": ("unchanged", None, [2]),
        "keptandmoved": ("kept", "pending", [1]),
        "gone": ("left", None, [2]),
    }
    counts = count(db, 9).of_run
    assert (counts.distinct, counts.new, counts.changed, counts.unchanged) == (8, 1, 2, 2)
    assert (counts.left, counts.kept, counts.rejected) == (3, 2, 1)


def test_rules_affect_what_is_sent(db: DuckDBPyConnection) -> None:
    read(db, table(A="same refused"))
    no_one_unsubscribed(db)
    ledger_of(
        db, ("same", "x", [1], None), ("refused", None, [], "refused"), ("gone", "x", [1], None)
    )

    judge(db, Rules(tag_ids=[1], mapping="", everything=True, ask_again=True, remove_tags=False))
    assert kinds(db) == {"same": ("update", None, None), "refused": ("add", None, None)}

    judge(db, Rules(tag_ids=[1], mapping="another mapping"))
    assert kinds(db)["same"] == ("update", None, None)
    assert kinds(db)["gone"] == ("left", None, [1])


def test_removing_from_a_deleted_tag_is_not_an_error(db: DuckDBPyConnection) -> None:
    read(db, table(A="ann"))
    no_one_unsubscribed(db)
    ledger_of(db, ("ann", "x", [1, 2], None), ("bob", "x", [1], None))

    deleted = deleted_tags(db, {2, 3})
    forget_tags(db, deleted)
    judge(db, Rules(tag_ids=[3], mapping=""))

    assert deleted == (1,)
    assert kinds(db) == {"ann": ("update", None, [2])}


@pytest.mark.parametrize(("share", "stopped"), [(0.49, True), (0.5, False), (1.0, False)])
def test_the_removal_guard_checks_each_tag(
    db: DuckDBPyConnection, share: float, stopped: bool
) -> None:
    read(db, table(A="a b c d e f", B="a"))
    no_one_unsubscribed(db)
    others = [(name, "x", [1], None) for name in "cdef"]
    ledger_of(db, ("a", "x", [1, 2], None), ("b", "x", [1, 2], None), *others)
    judge(db, Rules(tag_ids=[1, 2], mapping=""))

    assert find_held(db, share).removals is stopped


def test_chunks_refer_to_their_own_lines(
    db: DuckDBPyConnection, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunking, "CHUNK_SIZE", 2)
    read(db, table(A="a b c", B="d e"))
    no_one_unsubscribed(db)
    ledger_of(db, ("d", "y", [], None), *((name, "x", [1, 2], None) for name in "xyz"))
    judge(db, Rules(tag_ids=[1, 2], mapping=""))

    files, chunks = write_chunks(db, scratch, ["FNAME"], Held(removals=True))

    data = files.lines.read_bytes()
    found = [
        (c.kind, c.tag_id, c.state, [json.loads(line) for line in lines])
        for c in chunks
        for lines in [data[c.start : c.start + c.length].splitlines()]
    ]
    assert [(kind, tag, len(lines)) for kind, tag, _, lines in found] == [
        (ChunkKind.ADD, None, 2),
        (ChunkKind.ADD, None, 2),
        (ChunkKind.UPDATE, None, 1),
        (ChunkKind.UNTAG, 1, 2),
        (ChunkKind.UNTAG, 1, 1),
        (ChunkKind.UNTAG, 2, 2),
        (ChunkKind.UNTAG, 2, 1),
    ]
    assert [state for _, _, state, _ in found] == [ChunkState.PENDING] * 3 + [
        ChunkState.UNCONFIRMED
    ] * 4
    assert [line[0] for _, _, _, lines in found[:3] for line in lines] == [
        f"{name}@example.com" for name in "abced"
    ]
    assert found[3][3] == ["x@example.com", "y@example.com"]
    assert [chunk.first for chunk in chunks] == [0, 2, 4, 5, 7, 8, 10]


# --- contacts of the audience --------------------------------------------------------------


class Members:
    """A Mailchimp session with the members of one audience; records which statuses are read in full."""

    def __init__(self, **people: str) -> None:
        self.people = dict(people)
        self.recently_changed: set[str] = set()
        self.full_reads: list[str] = []

    def members_with_status(
        self, audience_id: str, status: str, changed_since: str | None = None
    ) -> Iterator[list[ContactStatus]]:
        if changed_since is None:
            self.full_reads.append(status)
        for name, member_status in self.people.items():
            selected = changed_since is None or name in self.recently_changed
            if selected and member_status == status:
                yield [ContactStatus(f"{name}@example.com", member_status)]

    def count(self, audience_id: str, status: str) -> int:
        return list(self.people.values()).count(status)


def test_the_list_of_unsubscribed_contacts_is_read_once_and_then_incrementally(
    db: DuckDBPyConnection, scratch: Path
) -> None:
    store = MemoryStore()
    pointers: MemoryRecords[NotSubscribedPointer] = MemoryRecords(StoreClient(store), "held")
    files = MemoryFiles(StoreClient(store))
    members = Members(ann="unsubscribed", bob="unsubscribed", cem="cleaned", dee="subscribed")

    def look(version: str, whole: bool = False) -> dict[str, str]:
        members.full_reads.clear()
        stored = NotSubscribedList(pointers, files, "acc", "aud", version, store.clock.now())
        with ParallelCalls(members, lambda: None) as calls:  # type: ignore[arg-type]
            stored.read(db, calls, scratch, whole=whole)
        rows = db.execute("SELECT address, status FROM not_subscribed").fetchall()
        return {address.split("@")[0]: status for address, status in rows}

    assert look("v1") == {"ann": "unsubscribed", "bob": "unsubscribed", "cem": "cleaned"}
    assert len(members.full_reads) == 5

    members.people |= {"dee": "archived", "cem": "unsubscribed"}
    members.recently_changed = {"dee", "cem"}
    assert look("v2") == {
        "ann": "unsubscribed", "bob": "unsubscribed", "cem": "unsubscribed", "dee": "archived",
    }  # fmt: skip
    assert members.full_reads == []  # nothing was read as a whole

    # Ann signed up again: that shows only in the numbers.
    members.people["ann"] = "subscribed"
    members.recently_changed = {"ann"}
    assert look("v3") == {"bob": "unsubscribed", "cem": "unsubscribed", "dee": "archived"}
    assert members.full_reads == ["unsubscribed"]
    assert list(files.names("audiences/")) == ["audiences/acc/aud/v3.parquet"]

    files.delete("audiences/acc/aud/v3.parquet")
    assert len(look("v4")) == 3
    assert len(members.full_reads) == 5
    look("v5", whole=True)
    assert len(members.full_reads) == 5


# --- hostile cells -------------------------------------------------------------------------


def test_an_invalid_address_is_stored_so_that_it_can_be_recognized(db: DuckDBPyConnection) -> None:
    read(db, Table({"A": [["x" * 1_000_000, "1", "Ada"], ["no\0body\n", "2", "Bob"]]}))

    shown = dict(db.execute("SELECT customer_id, email FROM rejects").fetchall())
    assert shown == {"1": "x" * 300, "2": "no\0body\n"}


def test_an_endless_id_is_invalid(db: DuckDBPyConnection) -> None:
    endless = "9" * 501
    read(db, Table({"A": [["a@b.de", endless, "Ada"], ["c@d.de", "9" * 500, "Bob"]]}))

    assert {address: who for address, (who, _, _) in people(db).items()} == {
        "a@b.de": None,
        "c@d.de": "9" * 500,
    }


def test_control_characters_are_preserved_in_the_lines_of_a_chunk(
    db: DuckDBPyConnection, scratch: Path
) -> None:
    nasty = "a\0b\x01c\r\nd\x0b\x1c\x85\u2028\"'\\{}\x7f\u202e" + "".join(map(chr, range(32)))
    read(db, Table({"A": [["a@b.de", nasty, nasty], ["c@d.de", "\0", "\0"]]}))
    load_ledger(db, None)
    no_one_unsubscribed(db)
    judge(db, Rules(tag_ids=[7], mapping=""))

    files, (chunk,) = write_chunks(db, scratch, ["FNAME"])

    lines = files.lines.read_bytes()[chunk.start : chunk.start + chunk.length].splitlines()
    assert [json.loads(line) for line in lines] == [["a@b.de", 0, [nasty]], ["c@d.de", 0, ["\0"]]]
    assert chunk.people == 2
    kept = db.execute("SELECT customer_id FROM changes ORDER BY address").fetchall()
    assert kept == [(nasty,), ("\0",)]


def test_a_query_that_exceeds_the_memory_is_reported_without_its_content() -> None:
    too_much = "SELECT list(repeat('secret', 1000) || i) FROM range(1000000) t(i)"
    with pytest.raises(InputError, match="do not fit") as caught, workspace() as (db, _):
        db.execute(too_much)
    assert caught.value.code == "tooMuchForMemory"
    assert caught.value.__cause__ is None
    assert "secret" not in str(caught.value)


def test_rows_of_a_megabyte_each_are_planned_within_the_memory_of_an_instance(
    db: DuckDBPyConnection, scratch: Path
) -> None:
    cell = "x" * 1_000_000
    rows = [["EMail", "Id", "FirstName"], *([f"a{n}@b.de", f"{n}", cell] for n in range(300))]
    segment, container = segment_of(rows[0], ("a.csv", csv_bytes(rows)))
    container.piece = 1 << 20

    class Source(Table):
        def load(self, connection, segment, columns, table, scratch):  # type: ignore[no-untyped-def]
            return load_segment(container, connection, segment, columns, table, scratch)

    keyed = Snapshot((replace(segment, primary_key="Id"),))
    columns = SourceColumns("EMail", ("FirstName",))
    counts = read_people(db, keyed, Source({}), columns, scratch)
    assert (counts.source_rows, counts.people) == (300, 300)
