"""Fuzz target: the plan's SQL gives the same results as the same rules in plain Python.

An input is a string of decisions (decisions.py). The cells contain malicious values. The
rules in plan_rules.py are independent of the SQL.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import duckdb

from shared.model.source import LoadedSegment, Partition, SegmentSnapshot, Snapshot
from shared.planning.comparing.compare import (
    Rules,
    SegmentMembers,
    compare,
    count,
    members_by_segment,
)
from shared.planning.reading.ledger import forget_tags, load_ledger, tags_in_ledger
from shared.planning.reading.people import SourceColumns, read_people
from shared.planning.selecting.consent import find_do_not_send
from shared.planning.writing import chunking
from tests.fuzz.decisions import Dice
from tests.fuzz.plan_rules import Change, Known, People, Row, World, people_of, tags_of
from tests.inserted_rows import insert_rows

TOKENS = (b"\0" * 8, b"\1" * 8, bytes(range(16)), bytes(range(255, 239, -1)))
_ADDRESSES = (
    "a@b.de", "A@B.de ", " a@b.de", "c@d.de", "e@f.de", "g@h.de", "i@j.de", "k@l.de", "o'neil@x.de",
    None, "", "\u200b", "nobody", "é@x.de", "аda@example.org", "a@b.de\0", "'; DROP TABLE people; --",
    "a@b.de;c@d.de", "x" * 400, "=cmd@x.de", "a@b.d\n", "\ufeffa@b.de",
)  # fmt: skip
_IDS = (
    "1", "2", "10", None, "é", "'; DROP TABLE people; --", '"', "\0", "9" * 1_001, "\U0001f388",
    "\uffff", "3", "id 1", "row 1",
)  # fmt: skip
_VALUES = (None, "Ada", "\0", '"],["', "\x01", "\r\n", "\u2028", "\\", "{}", "x" * 50, "김", "\x1f")
_CONSENTS = ("yes", None, "no", " TRUE ", "예", "sí", "'", "\0yes")
_STATUSES = ("unsubscribed", "cleaned", "pending", "transactional", "archived")
_TAGS = (7, 8, 9, (1 << 40) + 1)
_CONFIG = "it's"


class _Table:
    """Segments as rows."""

    def __init__(self, rows: list[Row]) -> None:
        self.rows = rows

    def snapshot(self, segments: object) -> Snapshot:
        raise NotImplementedError

    def load(
        self,
        connection: duckdb.DuckDBPyConnection,
        segment: SegmentSnapshot,
        columns: object,
        table: str,
        scratch: object,
        *,
        consent: bool = False,
    ) -> LoadedSegment:
        mine = [row for row in self.rows if str(row.seg) == segment.name]
        given = [
            [segment.name, row.line, row.email or None, row.id, *row.fields, *self._consent(row)]
            for row in mine
        ]
        insert_rows(connection, table, given)
        return LoadedSegment()

    def _consent(self, row: Row) -> list[str | None]:
        return [row.consent] if self.asks else []

    asks = False


@cache
def _db() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"threads": 1})


def run(data: bytes) -> object:
    """Return what was seen; AssertionError if SQL and Python differ."""
    dice, db = Dice(data), _db()
    segments = 1 + dice.number(4)
    tag_ids = [dice.pick(_TAGS) for _ in range(segments)]
    fields = dice.number(3)
    table = _Table([])
    table.asks = dice.number(3) == 1
    rules = Rules(tag_ids, _CONFIG, dice.number(4) == 1, dice.number(4) == 1, dice.number(5) != 1)
    known = _ledger(dice)
    held = {
        address: dice.pick(_STATUSES) for address in dice.some(("a@b.de", "c@d.de", "k@l.de"), 2)
    }
    existing = [tag for tag in _TAGS if dice.number(6) != 1]
    restore, hold = dice.number(5) == 1, dice.number(3) == 1
    lines: Counter[int] = Counter()
    while dice.more() and len(table.rows) < 40:
        seg = dice.number(segments)
        lines[seg] += 1
        values = tuple(dice.pick(_VALUES) for _ in range(fields))
        who = dice.pick(_ADDRESSES), dice.pick(_IDS)
        table.rows.append(Row(seg, lines[seg], *who, values, dice.pick(_CONSENTS)))
    people = people_of(table.rows)

    snapshot = Snapshot(
        tuple(
            SegmentSnapshot(str(n), str(n), (), (Partition(str(n), "1", 0),), "Id")
            for n in range(segments)
        )
    )
    names = [f"F{n}" for n in range(fields)]
    consent = "Consent" if table.asks else None
    columns = SourceColumns("EMail", tuple(names), consent)
    with tempfile.TemporaryDirectory() as scratch:
        counts = read_people(db, snapshot, table, columns, Path(scratch))  # type: ignore[arg-type]
    assert counts.source_rows == len(table.rows)
    assert counts.people == len(people.winners)
    assert counts.memberships == sum(mask.bit_count() for mask in people.masks.values())
    prints = _compare_people(db, people, table.asks)

    _refuse_again(dice, known, prints)
    load_ledger(db, None)
    for each in known.values():
        db.execute(
            "INSERT INTO ledger (address, customer_id, fingerprint, tags, refused, refused_code, "
            "tries) VALUES (?, ?, ?, ?::BIGINT[], ?, ?, ?)",
            [each.address, each.customer_id, each.fingerprint, list(each.tags), each.refused,
             each.refused_code, each.tries],
        )  # fmt: skip
    gone = tuple(tag for tag in tags_in_ledger(db) if tag not in existing)
    carried = {tag for each in known.values() for tag in each.tags}
    assert set(gone) == carried - set(existing)
    forget_tags(db, gone)
    known = {
        address: Known(**{**vars(each), "tags": tuple(t for t in each.tags if t not in gone)})
        for address, each in known.items()
    }
    db.execute("CREATE OR REPLACE TABLE not_subscribed (address VARCHAR, status VARCHAR)")
    for address, status in held.items():
        db.execute("INSERT INTO not_subscribed VALUES (?, ?)", [address, status])
    new_status = dice.pick(("subscribed", "pending", "transactional"))
    find_do_not_send(db, new_status, add_archived=False)
    compare(db, rules)
    world = World(
        table.rows, known, held, tag_ids, new_status, table.asks, rules.everything,
        rules.ask_again, rules.remove_tags,
    )  # fmt: skip
    wanted = {}
    for address in people.winners.keys() | known.keys():
        expected = world.change(
            people.winners.get(address), people.masks.get(address, 0), prints.get(address, ""),
            address,
        )  # fmt: skip
        if expected:
            wanted[address] = expected
    assert _changes(db) == wanted
    _check_counts(db, people, wanted, len(table.rows), segments, held)
    kinds = _check_cut(db, people, wanted, names, hold=hold, restore=restore)
    codes = {(each.kind, each.code, bool(each.removed)) for each in wanted.values()}
    return tuple(sorted(map(str, codes))), kinds, len(people.shared) > 0, len(people.rejects) > 0


def _ledger(dice: Dice) -> dict[str, Known]:
    found = {}
    for address in dice.some(
        ("a@b.de", "c@d.de", "e@f.de", "o'neil@x.de", "gone@x.de", "k@l.de"), 4
    ):
        tags = tuple(dict.fromkeys(dice.some(_TAGS, 3)))
        sent = dice.pick(("same", None, "other"))
        found[address] = Known(
            address, dice.pick(_IDS[:8]), sent, tags, dice.pick((None, "same", "other")),
            dice.pick(("refused", "'", "forgotten", "complianceState")), dice.number(8),
        )  # fmt: skip
    return found


def _refuse_again(dice: Dice, known: dict[str, Known], prints: dict[str, str]) -> None:
    """Return the current fingerprint of a row that the ledger has unchanged."""
    for address, each in known.items():
        now = prints.get(address, "none")
        known[address] = Known(
            **{
                **vars(each),
                "fingerprint": now if each.fingerprint == "same" else each.fingerprint,
                "refused": now if each.refused == "same" else each.refused,
            }
        )


def _compare_people(db: duckdb.DuckDBPyConnection, people: People, asks: bool) -> dict[str, str]:
    """Address -> the fingerprint of its fields, after everything else has been compared."""
    prints = {}
    rows = db.execute("SELECT address, customer_id, mask, fields, consent FROM people").fetchall()
    assert len(rows) == len(people.winners)
    for address, customer_id, mask, fields, _ in rows:
        winner = people.winners[address]
        assert customer_id == winner.profile
        assert mask == people.masks[address]
        assert json.loads(fields) == list(winner.fields)
        prints[address] = hashlib.md5((_CONFIG + fields).encode()).hexdigest()
    shared = db.execute("SELECT address, customer_id, mask FROM shared").fetchall()
    assert Counter(shared) == people.shared
    rejects = db.execute("SELECT segment, customer_id, email, line, code FROM rejects").fetchall()
    seen = Counter((seg, who, shown, line, code) for seg, who, shown, line, code in rejects)
    # An empty cell is NULL, as the reader gives it.
    assert seen == Counter(
        {(seg, who, shown or None, line, code): n
         for (seg, who, shown, line, code), n in people.rejects.items()}
    )  # fmt: skip
    return prints


def _changes(db: duckdb.DuckDBPyConnection) -> dict[str, Change]:
    rows = db.execute(
        "SELECT address, kind, code, customer_id, tags, tags_to_remove FROM stored_changes"
    ).fetchall()
    assert len({row[0] for row in rows}) == len(rows)
    return {
        address: Change(
            kind, code, who, None if tags is None else tuple(tags), tuple(lost) if lost else ()
        )
        for address, kind, code, who, tags, lost in rows
    }


def _check_counts(
    db: duckdb.DuckDBPyConnection,
    people: People,
    wanted: dict[str, Change],
    rows: int,
    segments: int,
    statuses: Mapping[str, str],
) -> None:
    kinds = Counter(each.kind for each in wanted.values())
    found = count(db, rows).of_run
    assert (found.new, found.changed, found.unchanged) == (
        kinds["add"], kinds["update"], kinds["unchanged"],
    )  # fmt: skip
    assert found.kept == kinds["kept"]
    assert found.rejected == kinds["rejected"] + sum(people.rejects.values())
    assert found.left == sum(1 for each in wanted.values() if each.removed)
    assert found.distinct == len(people.winners)
    assert found.shared_address == sum(people.shared.values())
    members = members_by_segment(db)
    for seg in range(segments):
        here = [address for address, mask in people.masks.items() if mask >> seg & 1]
        own = [address for address in here if wanted[address].kind != "kept"]
        status = [address for address in own if address in statuses]
        reached = [address for address in own if wanted[address].kind != "rejected"]
        assert members.get(seg, SegmentMembers()) == SegmentMembers(
            len(here), len(here) - len(own) + len(status), len(reached)
        )


def _check_cut(
    db: duckdb.DuckDBPyConnection,
    people: People,
    wanted: dict[str, Change],
    names: list[str],
    *,
    hold: bool,
    restore: bool,
) -> object:
    """Check that every person to send is in one chunk, and every removal in one of its tag."""
    size, chunking.CHUNK_SIZE = chunking.CHUNK_SIZE, 3
    try:
        with tempfile.TemporaryDirectory() as folder:
            chunks = chunking.write_chunks(
                db, Path(folder), names, chunking.Unconfirmed(removals=hold), restore=restore
            )
            text = (Path(folder) / "lines.jsonl").read_bytes()
    finally:
        chunking.CHUNK_SIZE = size
    tagsets = dict(db.execute("SELECT tagset, tags FROM tagsets").fetchall())
    sent: dict[str, str] = {}
    lost: Counter[tuple[int, str]] = Counter()
    first = start = 0
    for number, chunk in enumerate(chunks):
        assert (chunk.number, chunk.first, chunk.start) == (number, first, start)
        lines = text[start : start + chunk.length].splitlines()
        assert len(lines) == chunk.people <= 3
        for line in map(json.loads, lines):
            if chunk.tag_id is not None:
                lost[(chunk.tag_id, line)] += 1
                continue
            address, tagset, values = line
            assert address not in sent
            assert values == list(people.winners[address].fields)
            assert tuple(tagsets[tagset]) == wanted[address].tags
            # An undo restores values of contacts, and adds those that it had archived.
            sent[address] = "update" if chunk.kind.value == "restore" else chunk.kind.value
        if chunk.state.value == "held":
            assert hold
            assert chunk.tag_id is not None
        first, start = first + chunk.people, start + chunk.length
    assert start == len(text)
    assert lost == Counter((tag, a) for a, each in wanted.items() for tag in each.removed)
    expected = {a: each.kind for a, each in wanted.items() if each.kind in ("add", "update")}
    assert sent == expected
    return tuple(sorted({chunk.kind.value for chunk in chunks}))


__all__ = ["TOKENS", "run", "tags_of"]
