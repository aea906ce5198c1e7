"""Divide the changes of a run into chunks: one file of lines, and the offset of each chunk in it.

A chunk is one call to Mailchimp, so 500 people at most. People to add and people to update are in
different chunks, because they are written in different ways (sending/write.py). Removals come last, a chunk
removes one tag: an interrupted run leaves too many people in a tag rather than too few.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shared.model.chunk import (
    ARCHIVE_SIZE,
    ARCHIVE_TAG,
    CHUNK_SIZE,
    FORMER_TAG,
    UNSUBSCRIBE_TAG,
    Chunk,
    ChunkKind,
    ChunkState,
)
from shared.planning.checking.removal_guard import ALL_CONFIRMED, Unconfirmed
from shared.planning.writing.fields_to_send import define_fields_to_send
from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


_SQL = SqlFile.of(__file__)

_KINDS = {
    ARCHIVE_TAG: ChunkKind.ARCHIVE,
    UNSUBSCRIBE_TAG: ChunkKind.UNSUBSCRIBE,
    FORMER_TAG: ChunkKind.ARCHIVE_FORMER,
}


@dataclass(frozen=True)
class _Group:
    """Consecutive people in the file of lines who are written in the same way."""

    kind: ChunkKind
    people: int
    tag_id: int | None = None
    is_unconfirmed: bool = False


def write_chunks(
    db: DuckDBPyConnection,
    folder: Path,
    merge_tags: Sequence[str],
    unconfirmed: Unconfirmed = ALL_CONFIRMED,
    *,
    restore: bool = False,
    ordered: Callable[[], object] = lambda: None,
    written: Callable[[Path], object] = lambda _: None,
) -> list[Chunk]:
    """Write the files of a plan into `folder`, from `changes`, `rejects` and `shared`, and list its chunks.

    `unconfirmed` changes get chunks that wait. With `restore` (an undo), updates never add people. `ordered` is
    called after `send_lines` is filled, and may change its values. `written` is called with each file as soon as it is complete.
    """
    unconfirmed_contacts = {
        UNSUBSCRIBE_TAG: unconfirmed.unsubscribes,
        FORMER_TAG: unconfirmed.archiving,
    }
    # The files are named like the blobs in the folder of a `Plan`.
    changes, rows = folder / "changes.parquet", folder / "rows.parquet"
    lines = folder / "lines.jsonl"
    removals = folder / "removals.jsonl"
    define_fields_to_send(db)
    _SQL.run(db, "order", merge_tags=list(merge_tags))
    ordered()
    _SQL.run(db, "write_lines", lines=str(lines), removals=str(removals))
    _append(removals, lines)
    written(lines)
    _SQL.write(db, "changes", changes)
    written(changes)
    _SQL.write(db, "other_rows", rows)
    written(rows)
    groups = [
        _Group(ChunkKind.RESTORE if restore and kind == "update" else ChunkKind(kind), people)
        for kind, people in _SQL.rows(db, "send_groups")
    ]
    groups += [
        _Group(
            _KINDS.get(tag_id, ChunkKind.UNTAG),
            people,
            tag_id,
            unconfirmed_contacts.get(tag_id, unconfirmed.removals and not withdrawn),
        )
        for withdrawn, tag_id, people in _SQL.rows(db, "removal_groups")
    ]
    return list(_chunks(lines, groups))


def _append(rest: Path, to: Path) -> None:
    """Move the content of a file to the end of another one."""
    with to.open("ab") as joined, rest.open("rb") as file:
        while block := file.read(1 << 20):
            joined.write(block)
    rest.unlink()


def _chunks(lines: Path, groups: Sequence[_Group]) -> Iterator[Chunk]:
    number = 0
    first = 0
    start = 0
    with lines.open("rb") as file:
        for group in groups:
            archives = group.kind in (ChunkKind.ARCHIVE, ChunkKind.ARCHIVE_FORMER)
            most = ARCHIVE_SIZE if archives else CHUNK_SIZE
            for done in range(0, group.people, most):
                size = min(most, group.people - done)
                length = sum(len(file.readline()) for _ in range(size))
                yield Chunk(
                    number=number,
                    kind=group.kind,
                    first=first,
                    start=start,
                    length=length,
                    people=size,
                    tag_id=group.tag_id,
                    state=ChunkState.UNCONFIRMED if group.is_unconfirmed else ChunkState.PENDING,
                )
                number += 1
                first += size
                start += length
