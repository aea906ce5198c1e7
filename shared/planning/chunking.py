"""The change set, cut into chunks: one file of lines, and where in it each chunk begins.

A chunk is one call to Mailchimp, so 500 people at most; people to add and people to update go in
different chunks, because they are written in different ways (sending/write.py), and leavers come
last, one tag a chunk: an interrupted run leaves too many people in a tag rather than too few.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from duckdb import DuckDBPyConnection

from shared.model.chunk import ARCHIVE_SIZE, ARCHIVE_TAG, CHUNK_SIZE, Chunk, ChunkKind, ChunkState
from shared.model.plan import PlanFiles

__all__ = ["write_chunks"]

_RAW = "(FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER E'\\x01')"
_ZSTD = "(FORMAT parquet, COMPRESSION zstd)"


def write_chunks(
    db: DuckDBPyConnection, folder: Path, hold_removals: bool, *, restore: bool = False
) -> tuple[PlanFiles, list[Chunk]]:
    """Write the files of the plan and say where each chunk begins.

    With `hold_removals` the leavers' chunks wait for a person's confirmation; with `restore`
    (an undo) updates never add anyone.
    """
    files = PlanFiles(folder / "changes.parquet", folder / "rows.parquet", folder / "lines.jsonl")
    # In the order of the lines, so that a line's number is the row's own.
    db.execute("SET preserve_insertion_order = true")
    db.execute(
        "CREATE OR REPLACE TABLE sends AS SELECT address, kind, tagset, fields FROM changes "
        "WHERE kind IN ('add', 'update') ORDER BY kind, address"
    )
    db.execute(
        "CREATE OR REPLACE TABLE losses AS SELECT unnest(lost) AS tag_id, address FROM changes "
        "WHERE lost IS NOT NULL ORDER BY ALL"
    )
    db.execute(
        "COPY (SELECT '[' || to_json(address)::VARCHAR || ',' || tagset || ',' || fields || ']' "
        f"FROM sends) TO '{_quoted(files.lines)}' {_RAW}"
    )
    leavers = folder / "leavers.jsonl"
    db.execute(
        f"COPY (SELECT to_json(address)::VARCHAR FROM losses) TO '{_quoted(leavers)}' {_RAW}"
    )
    db.execute(f"COPY changes TO '{_quoted(files.changes)}' {_ZSTD}")
    db.execute(
        "COPY (SELECT 'rejected' AS what, [seg::BIGINT] AS segs, customer_id, email, file, line, "
        "code FROM rejects UNION ALL SELECT 'shared', t.segs::BIGINT[], s.customer_id, s.address, "
        "NULL, NULL, NULL FROM shared s JOIN tagsets t USING (mask)) "
        f"TO '{_quoted(files.rows)}' {_ZSTD}"
    )
    groups: list[tuple[ChunkKind, int | None, int]] = [
        (ChunkKind.RESTORE if restore else ChunkKind(kind), None, people)
        for kind, people in db.execute(
            "SELECT kind, count(*) FROM sends GROUP BY kind ORDER BY kind"
        ).fetchall()
    ]
    groups += [
        (ChunkKind.ARCHIVE if tag == ARCHIVE_TAG else ChunkKind.UNTAG, tag, people)
        for tag, people in db.execute(
            "SELECT tag_id, count(*) FROM losses GROUP BY tag_id ORDER BY tag_id"
        ).fetchall()
    ]
    with files.lines.open("ab") as joined, leavers.open("rb") as rest:
        while block := rest.read(1 << 20):
            joined.write(block)
    leavers.unlink()
    return files, list(_chunks(files.lines, groups, hold_removals))


def _chunks(
    lines: Path, groups: list[tuple[ChunkKind, int | None, int]], hold_removals: bool
) -> Iterator[Chunk]:
    number = 0
    first = 0
    start = 0
    with lines.open("rb") as file:
        for kind, tag_id, people in groups:
            held = hold_removals and kind is ChunkKind.UNTAG
            left = people
            while left > 0:
                most = ARCHIVE_SIZE if kind is ChunkKind.ARCHIVE else CHUNK_SIZE
                size = min(most, left)
                length = sum(len(file.readline()) for _ in range(size))
                yield Chunk(
                    number=number,
                    kind=kind,
                    first=first,
                    start=start,
                    length=length,
                    people=size,
                    tag_id=tag_id,
                    state=ChunkState.HELD if held else ChunkState.PENDING,
                )
                number += 1
                first += size
                start += length
                left -= size


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
