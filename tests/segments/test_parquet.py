"""Rows of Parquet files are read by name, as text."""

import base64
from contextlib import closing
from pathlib import Path

import pytest

from shared.errors import InputError
from shared.segments.reading.reader import SegmentReader
from shared.workspace import workspace
from tests.segments.segment_files import (
    load_bytes,
    parquet_bytes,
    segment_of,
)


def test_parquet_is_read_by_name_as_text(tmp_path: Path) -> None:
    data = parquet_bytes(
        tmp_path,
        "SELECT i AS \"A\", CASE i WHEN 2 THEN '' ELSE 'x' || i END AS b FROM range(1, 5000) t(i)",
    )
    got, unreadable = load_bytes(data, ["b", "A"], tmp_path)
    assert unreadable == []
    assert got == [(i, None if i == 2 else f"x{i}", str(i)) for i in range(1, 5000)]


@pytest.mark.parametrize("name", ["file_row_number", "FILE_ROW_NUMBER", "filename", "row_number"])
def test_columns_may_have_names_that_the_reader_uses(name: str, tmp_path: Path) -> None:
    data = parquet_bytes(tmp_path, f"SELECT 'a' AS \"A\", i + 7 AS {name} FROM range(2) t(i)")
    got, _ = load_bytes(data, [name, "A"], tmp_path)
    assert got == [(1, "7", "a"), (2, "8", "a")]


def test_whole_numbers_that_parquet_has_as_floating_point_numbers_have_no_decimals(
    tmp_path: Path,
) -> None:
    data = parquet_bytes(
        tmp_path,
        "SELECT phone::DOUBLE AS phone, points::FLOAT AS points FROM (VALUES (821012345678, 1.5), (-7, 20), "
        "(NULL, 'nan'), (2e15, 'inf'), ('-0.0', 1e-7)) t(phone, points)",
    )
    assert load_bytes(data, ["phone", "points"], tmp_path) == (
        [
            (1, "821012345678", "1.5"),
            (2, "-7", "20"),
            (3, None, None),
            (4, "2000000000000000.0", "inf"),
            (5, "0", "1e-07"),
        ],
        [],
    )


@pytest.mark.parametrize(
    "kind", ["DATE", "TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMP_NS", "TIMESTAMPTZ_NS"]
)
def test_a_date_without_an_end_is_no_value(kind: str, tmp_path: Path) -> None:
    data = parquet_bytes(
        tmp_path,
        f"SELECT * FROM (VALUES (1, 'infinity'::{kind}), (2, '-infinity'), (3, '2026-06-05'), (4, NULL)) t(n, until)",
    )
    got, unreadable = load_bytes(data, ["n", "until"], tmp_path)
    assert [(row[1], row[2] and str(row[2])[:10]) for row in got] == [
        ("1", None),
        ("2", None),
        ("3", "2026-06-05"),
        ("4", None),
    ]
    assert unreadable == []


def test_parquet_columns_are_matched_by_similar_names_unless_ambiguous(tmp_path: Path) -> None:
    data = parquet_bytes(tmp_path, "SELECT 'a@example.com' AS email, 1 AS \"CustomerId\"")
    got, _ = load_bytes(data, ["EMail", "CustomerId"], tmp_path)
    assert got == [(1, "a@example.com", "1")]
    data = parquet_bytes(tmp_path, "SELECT 'a@example.com' AS e_mail, 1 AS \"Customer Id\"")
    got, _ = load_bytes(data, ["EMail", "CustomerId"], tmp_path)
    assert got == [(1, "a@example.com", "1")]
    data = _two_cases(
        parquet_bytes(tmp_path, "SELECT 'x' AS \"CustomerID\", 'y' AS \"Customerfd\"")
    )
    got, _ = load_bytes(data, ["CustomerId", "CustomerID"], tmp_path)
    assert got == [(1, "y", "x")]


def _two_cases(data: bytes) -> bytes:
    """DuckDB cannot write two names that differ only in case, so one is changed afterwards."""
    assert b"Customerfd" in data
    return data.replace(b"Customerfd", b"CustomerId")


def test_parquet_text_without_its_annotation_is_text(tmp_path: Path) -> None:
    data = parquet_bytes(
        tmp_path,
        "SELECT * FROM (VALUES (1, encode('홍길동')), (2, '\\xFF'::BLOB), (3, NULL)) t(\"A\", \"B\")",
    )
    assert load_bytes(data, ["A", "B"], tmp_path) == (
        [(1, "1", "홍길동"), (3, "3", None)],
        [(2, "rowBadEncoding")],
    )


def test_ids_of_sixteen_bytes_without_their_annotation_are_uuids(tmp_path: Path) -> None:
    # DuckDB cannot write such a column. This file was written with pyarrow: a UUID, text that is filled up with zeros,
    # the UUID of zeros, and no value.
    data = base64.b64decode(
        "UEFSMRUAFWwVbCwVCBUAFQYVBhwAAAACAAAAAwfBs/WnnS5PYIobPF1+nworY2FyZCAxMjM0NTY3OAAAAAAAAAAA"
        "AAAAAAAAAAAAAAAVBBksNQAYBnNjaGVtYRUCABUOFSAVAhgCaWQAFggZHBkcJgAcFQ4ZJQYAGRgCaWQVABYIFpIB"
        "FpIBJghJHBUAFQAVAgA8KQYZJgIGAAAAFpIBFggmCBaSAQAoIHBhcnF1ZXQtY3BwLWFycm93IHZlcnNpb24gMjYu"
        "MC4xGRwcAAAAggAAAFBBUjE="
    )
    assert load_bytes(data, ["id"], tmp_path) == (
        [
            (1, "c1b3f5a7-9d2e-4f60-8a1b-3c5d7e9f0a2b"),
            (2, "card 12345678\0\0\0"),
            (3, "00000000-0000-0000-0000-000000000000"),
            (4, None),
        ],
        [],
    )


def test_a_broken_parquet_file_is_refused_and_named(tmp_path: Path) -> None:
    data = parquet_bytes(tmp_path, 'SELECT 1 AS "A"')
    with pytest.raises(InputError, match=r"a\.csv"):
        load_bytes(data[:-20], ["A"], tmp_path)


@pytest.mark.parametrize("kind", ["TIMESTAMPTZ", "TIMESTAMPTZ_NS"])
def test_the_day_of_a_parquet_time_does_not_depend_on_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    query = f"SELECT 'a' AS n, {kind} '2026-06-05 23:30:00+00' AS born"
    data = parquet_bytes(tmp_path, query)
    segment, container = segment_of(["born"], ("a.csv", data))
    monkeypatch.setenv("TZ", "Asia/Seoul")
    with workspace() as (connection, scratch), closing(connection.cursor()) as cursor:
        cursor.execute("CREATE TABLE t (file VARCHAR, line BIGINT, c0 VARCHAR)")
        SegmentReader(container).load(cursor, segment, ["born"], "t", scratch)  # type: ignore[arg-type]
        assert cursor.execute("SELECT c0 FROM t").fetchall() == [("2026-06-05 23:30:00+00",)]
