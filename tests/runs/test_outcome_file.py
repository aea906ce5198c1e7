"""The outcome file with malicious ids and segment names."""

import csv
import io
from collections.abc import Iterator
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path

import pytest
from duckdb import DuckDBPyConnection

from shared.model.export import Mapping
from shared.model.figures import Counts
from shared.model.plan import Plan, PlannedTag
from shared.model.source import CsvFormat
from shared.runs.outcome_file import OutcomeFile
from shared.workspace import workspace
from tests.fakes import MemoryFiles, MemoryStore, StoreClient
from tests.segments.segment_files import load_bytes

IDS = [
    "=cmd|' /C calc'!A0",
    "+1",
    "-1",
    "@SUM(1)",
    "\t=1",
    '"',
    '","',
    "a,b",
    "line\nbreak",
    "carriage\r\nreturn",
    "nul\0byte",
    "'",
    "'; DROP TABLE rows; --",
    " blank ",
    "../../etc/passwd",
    "김철수",
    "\u202egpj.exe",
    "9" * 1_000,
    "NULL",
    "\\N",
]
SEGMENT = '=Gold\u202e\'; "x"'
COLUMNS = ["CustomerId", "segment", "outcome", "reason", "at", "sharedWith"]
NOW = datetime(2026, 11, 1, 8, tzinfo=UTC)
PLAN = Plan(
    run_id="r1",
    export_id="e1",
    connection_id="c1",
    account_id="a1",
    audience_id="l1",
    folder="runs/r1/plan-1/",
    status="subscribed",
    mapping=Mapping("EMail"),
    attributes=(),
    merge_fields=(),
    tags=(PlannedTag(SEGMENT, "Gold", 7),),
    tagsets=(("Gold",),),
    counts=Counts(),
)


@pytest.fixture
def room() -> Iterator[tuple[DuckDBPyConnection, Path]]:
    with workspace() as opened:
        yield opened


@pytest.fixture
def given(room: tuple[DuckDBPyConnection, Path]) -> tuple[OutcomeFile, MemoryFiles, str]:
    """Write the outcome file of a run with malicious ids. Returns it, the files and a file name."""
    db, scratch = room
    db.execute(
        "CREATE TABLE outcomes AS SELECT unnest(?::VARCHAR[]) AS customer_id, 'a@b.de' AS email, "
        "[0::BIGINT] AS segments, 'created' AS outcome, NULL AS code, NULL::VARCHAR AS file, "
        "NULL::VARCHAR AS shared_with",
        [IDS],
    )
    db.execute(
        "CREATE TABLE removals (tag_id BIGINT, address VARCHAR, removed BOOLEAN, code VARCHAR)"
    )
    files = MemoryFiles(StoreClient(MemoryStore()), "outcomes")
    handback = OutcomeFile(files, "https://x.blob.core.windows.net/outcomes", lambda: NOW)
    uploading: Future[None] = Future()
    handback.upload(PLAN, handback.write(db, PLAN, scratch))
    uploading.set_result(None)
    assert handback.publish(PLAN, uploading) == []
    (name,) = [name for name in files.names("") if name.endswith(".csv")]
    return handback, files, name


def ids(data: bytes) -> list[str]:
    rows = list(csv.DictReader(io.StringIO(data.decode(), newline="")))
    assert {row["segment"] for row in rows} <= {SEGMENT}
    return sorted(row["CustomerId"] for row in rows)


def test_ids_are_exact_even_if_a_spreadsheet_would_evaluate_them(
    given: tuple[OutcomeFile, MemoryFiles, str], tmp_path: Path
) -> None:
    _, files, name = given
    assert ids(files.read(name)) == sorted(IDS)
    got, unreadable = load_bytes(files.read(name), COLUMNS, tmp_path, CsvFormat(header=True))
    # The reader of segments takes these two for empty cells.
    assert sorted(str(row[1]) for row in got if row[1]) == sorted(set(IDS) - {"NULL", "\\N"})
    assert unreadable == []


@pytest.mark.parametrize("gone", IDS)
def test_only_erased_people_are_suppressed(
    given: tuple[OutcomeFile, MemoryFiles, str], gone: str
) -> None:
    handback, files, name = given
    assert handback.remove_profiles("e1", "r1", [gone]) == 1
    assert ids(files.read(name)) == sorted(set(IDS) - {gone})
