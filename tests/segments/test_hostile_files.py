"""Malicious files: bombs, ten thousand columns, names that are SQL."""

import gzip
import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import duckdb
import pytest

from shared.errors import InputError
from shared.memory import INITIAL_MEMORY
from shared.model.source import CsvFormat
from shared.segments.finding.model_json import read_model
from shared.segments.reading.count_rows import count_rows
from shared.segments.reading.header import described_by_header
from shared.segments.reading.reader import SegmentReader
from shared.workspace import workspace
from tests import reused_databases
from tests.little_memory import LittleMemory, threads
from tests.segments.segment_files import (
    csv_bytes,
    entity,
    load,
    load_bytes,
    model_json,
    parquet_bytes,
    segment_of,
)

SQL_NAMES = [
    '"; DROP TABLE people; --',
    "'); DROP TABLE people; --",
    'a"b',
    "line\nbreak",
    "semi;colon, comma",
    "\\",
    "%s {0} $1 ?",
    "select",
    "\u202egnp.exe",
    "col\x07umn",
]


# --- columns -------------------------------------------------------------------------------


@pytest.mark.parametrize("described", [True, False])
def test_ten_thousand_columns_are_read_by_name(tmp_path: Path, described: bool) -> None:
    names = [f"Attribute number {number}" for number in range(10_000)]
    data = csv_bytes([names, *([f"{row}.{place}" for place in range(10_000)] for row in range(3))])
    if described:
        model = read_model(model_json(entity("Gold", names, ["a.csv"])), "m")
        attributes = model.entities[0].attributes
    else:
        segment, container = segment_of([], ("a.csv", data), form=CsvFormat(header=True))
        attributes, _ = described_by_header(container, segment.partitions)
    assert [each.name for each in attributes] == names

    segment, container = segment_of(names, ("a.csv", data))
    with duckdb.connect(config={"memory_limit": f"{INITIAL_MEMORY}MB", "threads": 2}) as connection:
        connection.execute("CREATE TABLE t (file VARCHAR, line BIGINT, c0 VARCHAR, c1 VARCHAR)")
        columns = [names[-1], names[0]]
        assert (
            SegmentReader(container).load(connection, segment, columns, "t", tmp_path).unreadable
            == ()
        )
        rows = connection.execute("SELECT c0, c1 FROM t ORDER BY line").fetchall()
    assert rows == [(f"{row}.9999", f"{row}.0") for row in range(3)]


@pytest.mark.parametrize("name", SQL_NAMES)
@pytest.mark.parametrize("packed", ["csv", "parquet"])
def test_a_column_name_is_never_executed_as_sql(tmp_path: Path, name: str, packed: str) -> None:
    names = [name, "EMail"]
    if packed == "csv":
        data = csv_bytes([names, ["1", "a@b.de"]])
    else:
        quoted = name.replace('"', '""')
        data = parquet_bytes(tmp_path, f'SELECT 1 AS "{quoted}", \'a@b.de\' AS "EMail"')
    got, unreadable = load_bytes(data, names, tmp_path)
    assert [row[1:] for row in got] == [("1", "a@b.de")]
    assert unreadable == []


@pytest.mark.parametrize("name", ["이름", "Größe"])
def test_composed_and_decomposed_letters_are_the_same_name(tmp_path: Path, name: str) -> None:
    """Files from Apple's systems have decomposed letters (NFD), which look the same."""
    composed, decomposed = (unicodedata.normalize(form, name) for form in ("NFC", "NFD"))
    assert composed != decomposed
    for own, header, wanted in (
        (composed, decomposed, composed),
        (decomposed, composed, composed),
        (composed, composed, decomposed),
    ):
        segment, container = segment_of(
            [own, "EMail"],
            ("a.csv", csv_bytes([["EMail", header], ["a@b.de", "Kim"]])),
            ("b.csv", parquet_bytes(tmp_path, f"SELECT 'c@b.de' \"EMail\", 'Lee' \"{header}\"")),
        )
        rows, unreadable = load(segment, container, ["EMail", wanted], tmp_path)
        assert [row[2:] for row in rows] == [("a@b.de", "Kim"), ("c@b.de", "Lee")]
        assert unreadable == []


def test_lists_and_objects_are_not_values(tmp_path: Path) -> None:
    data = parquet_bytes(tmp_path, "SELECT [1, 2] AS l, {'a': 1} AS s, 1.5::DECIMAL(9, 2) AS d")
    for name in ("l", "s"):
        with pytest.raises(InputError, match="lists or structures"):
            load_bytes(data, [name], tmp_path)
    assert load_bytes(data, ["d"], tmp_path) == ([(1, "1.50")], [])


# --- bombs ---------------------------------------------------------------------------------


def test_a_gzip_file_of_a_million_members_is_read(tmp_path: Path) -> None:
    empty = gzip.compress(b"")
    data = gzip.compress(b"A\n1\n") + empty * 1_000_000 + gzip.compress(b"2\n")
    segment, container = segment_of(["A"], ("a.csv.gz", data))
    container.piece = len(data)
    with reused_databases.connect() as connection:
        connection.execute("CREATE TABLE t (file VARCHAR, line BIGINT, c0 VARCHAR)")
        assert (
            SegmentReader(container).load(connection, segment, ["A"], "t", tmp_path).unreadable
            == ()
        )
        assert connection.execute("SELECT line, c0 FROM t").fetchall() == [(2, "1"), (3, "2")]


@pytest.mark.parametrize(
    "bomb",
    [
        "SELECT 'a@b.de' AS \"EMail\" FROM range(3000000)",
        'SELECT NULL::VARCHAR AS "EMail" FROM range(3000000)',
        "SELECT repeat('x', 100000) AS \"EMail\" FROM range(2000)",
        "SELECT repeat('x', 100000)::BLOB AS \"EMail\" FROM range(2000)",
    ],
    ids=["rows", "nulls", "texts", "bytes"],
)
def test_a_parquet_bomb_is_refused(tmp_path: Path, bomb: str) -> None:
    data = parquet_bytes(tmp_path, bomb)
    assert len(data) < 100_000
    with pytest.raises(InputError, match=r"a\.csv (claims|unpacks to) .* than its size allows"):
        load_bytes(data, ["EMail"], tmp_path)


def test_a_row_count_from_metadata_is_not_shown_as_the_segments_size(tmp_path: Path) -> None:
    data = parquet_bytes(tmp_path, "SELECT 1 AS a FROM range(3000000)")
    segment, container = segment_of(["a"], ("a.csv", data))
    with pytest.raises(InputError, match="claims more rows"):
        count_rows(container, segment.partitions[0], segment.attributes)


def test_a_too_long_parquet_row_affects_only_itself(tmp_path: Path) -> None:
    data = parquet_bytes(
        tmp_path,
        "SELECT i AS \"A\", CASE i WHEN 2 THEN repeat('x', 2000001) ELSE 'y' END AS \"B\" "
        "FROM range(1, 4) t(i)",
    )
    got, unreadable = load_bytes(data, ["A", "B"], tmp_path)
    assert got == [(1, "1", "y"), (3, "3", "y")]
    assert unreadable == [(2, "rowTooLong")]


@pytest.mark.parametrize("written", ["plain", "quoted", "parquet"])
def test_a_cell_of_a_megabyte_is_truncated(tmp_path: Path, written: str) -> None:
    long = "한글 und viel " * 70_000
    rows = [["a@b.de", long, "last"], ["c@d.de", "short", long]]
    if written == "parquet":
        texts = " UNION ALL ".join(f"SELECT '{a}' a, '{b}' b, '{c}' c" for a, b, c in rows)
        data = parquet_bytes(tmp_path, texts)
    else:
        data = csv_bytes(rows, quote_all=written == "quoted")
    got, unreadable = load_bytes(data, ["a", "b", "c"], tmp_path)
    assert [list(row[1:]) for row in got] == [[cell[:1000] for cell in row] for row in rows]
    assert unreadable == []


# --- model.json ----------------------------------------------------------------------------


def test_millions_of_partitions_are_refused_in_any_distribution() -> None:
    part = '{"location":"a"}'
    many = ",".join([part] * 60_000)
    entities = ",".join(
        f'{{"$type":"LocalEntity","name":"{name}","partitions":[{many}]}}' for name in "AB"
    )
    with pytest.raises(InputError, match="more entities or partitions than this app reads"):
        read_model(f'{{"entities":[{entities}]}}'.encode(), "m/model.json")


@pytest.mark.parametrize("deep", ["[" * 900 + "]" * 900, '{"a":' * 900 + "1" + "}" * 900])
def test_deep_nesting_is_a_fault_only_where_it_is_read(deep: str) -> None:
    model = json.loads(model_json(entity("Gold", ["A"], ["a.csv"])))
    text = json.dumps(model | {"extension": 0}).replace('"extension": 0', f'"extension": {deep}')
    assert read_model(text.encode(), "m").entities[0].name == "Gold"
    text = re.sub(r'"location": "a.csv"', f'"location": {deep}', json.dumps(model))
    (gold,) = read_model(text.encode(), "m").entities
    assert gold.fault is not None
    assert gold.fault.code == "partitionMalformed"


@pytest.mark.parametrize("kind", ["plain", "exact", "parquet"])
def test_a_file_that_lacks_memory_is_read_again_with_one_thread(tmp_path: Path, kind: str) -> None:
    data = {
        "plain": b"Id,EMail\n1,NULL\n2,b@b.de\n",
        # Readers disagree on a blank before a quote, so DuckDB does not read it.
        "exact": b'Id,EMail\n1,NULL\n2, "b@b.de"\n',
        "parquet": parquet_bytes(
            tmp_path, "SELECT '1' AS \"Id\", 'NULL' AS \"EMail\" UNION ALL SELECT '2', 'b@b.de'"
        ),
    }[kind]
    segment, container = segment_of(("Id", "EMail"), ("a", data), ("b", data))
    with workspace() as (db, _):
        db.execute("CREATE TABLE rows_of (file VARCHAR, line BIGINT, c0 VARCHAR, c1 VARCHAR)")
        before = threads(db)
        small: Any = LittleMemory(db, most_threads=1)
        loaded = SegmentReader(container).load(small, segment, ("Id", "EMail"), "rows_of", tmp_path)
        found = db.execute("SELECT file, c0, c1 FROM rows_of ORDER BY ALL").fetchall()
        assert threads(db) == before > 1
    assert found == [(file, *row) for file in ("a", "b") for row in (("1", None), ("2", "b@b.de"))]
    assert loaded.null_markers == {"EMail": 2}
