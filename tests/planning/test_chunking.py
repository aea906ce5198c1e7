"""Changes become chunks of lines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from duckdb import DuckDBPyConnection

from shared.model.chunk import ChunkKind, ChunkState
from shared.planning.checking.removal_guard import Unconfirmed
from shared.planning.comparing.compare import Rules
from shared.planning.reading.ledger import load_ledger
from shared.planning.writing import chunking
from shared.planning.writing.chunking import write_chunks
from tests.planning.plan_tables import (
    ListedRows,
    compare_all,
    ledger_of,
    no_one_unsubscribed,
    people,
    read_rows,
    segments_of,
)


def test_chunks_refer_to_their_own_lines(
    db: DuckDBPyConnection, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunking, "CHUNK_SIZE", 2)
    read_rows(db, segments_of(A="a b c", B="d e"))
    no_one_unsubscribed(db)
    ledger_of(db, ("d", "y", [], None), *((name, "x", [1, 2], None) for name in "xyz"))
    compare_all(db, Rules(tag_ids=[1, 2], mapping=""))

    chunks = write_chunks(db, scratch, ["FNAME"], Unconfirmed(removals=True))

    data = (scratch / "lines.jsonl").read_bytes()
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


@pytest.mark.parametrize(
    "nasty",
    ["'; DROP TABLE people; --", '"); DELETE FROM source_rows; --', "$$", "\x01", "\\", "a\r\nb"],
)
def test_values_are_never_executed_as_sql(
    db: DuckDBPyConnection, scratch: Path, nasty: str
) -> None:
    read_rows(
        db, ListedRows({nasty: [["a@example.com", nasty, nasty], ["b@example.com", "2", nasty]]})
    )
    load_ledger(db, None)
    no_one_unsubscribed(db)
    compare_all(db, Rules(tag_ids=[7], mapping=nasty))

    chunks = write_chunks(db, scratch, ["FNAME"])

    assert {who for who, _, _ in people(db).values()} == {nasty, "2"}
    lines = (scratch / "lines.jsonl").read_bytes().splitlines()
    assert [json.loads(line) for line in lines] == [
        ["a@example.com", 0, [nasty]],
        ["b@example.com", 0, [nasty]],
    ]
    assert [chunk.people for chunk in chunks] == [2]


def test_control_characters_are_preserved_in_the_lines_of_a_chunk(
    db: DuckDBPyConnection, scratch: Path
) -> None:
    nasty = "a\0b\x01c\r\nd\x0b\x1c\x85\u2028\"'\\{}\x7f\u202e" + "".join(map(chr, range(32)))
    read_rows(db, ListedRows({"A": [["a@b.de", nasty, nasty], ["c@d.de", "\0", "\0"]]}))
    load_ledger(db, None)
    no_one_unsubscribed(db)
    compare_all(db, Rules(tag_ids=[7], mapping=""))

    (chunk,) = write_chunks(db, scratch, ["FNAME"])

    lines = (
        (scratch / "lines.jsonl")
        .read_bytes()[chunk.start : chunk.start + chunk.length]
        .splitlines()
    )
    assert [json.loads(line) for line in lines] == [["a@b.de", 0, [nasty]], ["c@d.de", 0, ["\0"]]]
    assert chunk.people == 2
    kept = db.execute("SELECT customer_id FROM changes ORDER BY address").fetchall()
    assert kept == [(nasty,), ("\0",)]
