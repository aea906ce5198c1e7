"""All files of a segment are read, each in its pinned version, in little memory."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from threading import Barrier

import duckdb
import pytest

from shared.errors import Changed, ConfigError, InputError
from shared.model.source import Attribute, Partition, SegmentSnapshot
from shared.segments.reading import reader as reader_module
from shared.segments.reading.reader import SegmentReader
from tests import reused_databases
from tests.segments.segment_files import (
    MemoryContainer,
    csv_bytes,
    etag_of,
    load,
    load_bytes,
    segment_of,
)
from tests.segments.small_csv_files import reads


def test_the_rows_of_many_files_are_read(tmp_path: Path) -> None:
    """Together they exceed what is inserted at a time, and some are larger than a small file."""
    names = ["CustomerId", "Note"]
    rows = {
        f"Gold_{n}.csv": [[f"{n}-{row}", "x" * (40 + n)] for row in range(600 if n % 3 else 3)]
        for n in range(150)
    }
    files = [(name, csv_bytes([names, *found])) for name, found in rows.items()]
    files.append(("Gold_empty.csv", b""))
    files.append(("Gold_odd.csv", b'CustomerId,Note\n1,a\nonly one cell\n2,"b"x\n'))
    segment, container = segment_of(names, *files)
    loaded, unreadable = load(segment, container, names, tmp_path)
    wanted = [
        (name, line, *cells) for name, found in rows.items() for line, cells in enumerate(found, 2)
    ]
    assert loaded == [*wanted, ("Gold_odd.csv", 2, "1", "a")]
    assert [(each.file, each.line, each.code) for each in unreadable] == [
        ("Gold_odd.csv", 3, "rowTooFewColumns"),
        ("Gold_odd.csv", 4, "rowBadQuoting"),
    ]
    container.files["Gold_77.csv"] += b"x"
    with pytest.raises(Changed):
        load(segment, container, names, tmp_path)


def test_small_files_are_downloaded_at_the_same_time(tmp_path: Path) -> None:
    together = Barrier(6)

    class SlowContainer(MemoryContainer):
        """Answers when so many files are asked for."""

        def pieces(self, name: str, etag: str, length: int | None = None) -> Iterator[bytes]:
            together.wait(timeout=20)
            yield from super().pieces(name, etag, length)

    files = [(f"Gold_{n}.csv", csv_bytes([["A"], [str(n)]])) for n in range(12)]
    segment, container = segment_of(["A"], *files)
    with reused_databases.connect() as connection:
        connection.execute("CREATE TABLE t (file VARCHAR, line BIGINT, c0 VARCHAR)")
        SegmentReader(SlowContainer(container.files)).load(
            connection, segment, ["A"], "t", tmp_path
        )
        assert connection.execute("SELECT count(DISTINCT c0) FROM t").fetchall() == [(12,)]


def test_three_hundred_columns_are_read_by_name(tmp_path: Path) -> None:
    names = [f'Col "{place}" ; DROP' for place in range(300)]
    rows = [[f"{row}-{place}" for place in range(300)] for row in range(50)]
    segment, container = segment_of(names, ("a.csv", csv_bytes([names, *rows])))
    got, unreadable = load(segment, container, [names[299], names[0]], tmp_path)
    assert unreadable == []
    assert [row[2:] for row in got] == [(row[299], row[0]) for row in rows]


def test_the_rows_of_each_file_are_in_their_order(tmp_path: Path) -> None:
    files = [
        (f"g_{n}.csv", csv_bytes([["A"], *[[f"{n}.{i}"] for i in range(2500)]])) for n in (1, 2, 10)
    ]
    segment, container = segment_of(["A"], *files)
    got, _ = load(segment, container, ["A"], tmp_path)
    assert got == [
        (name, i + 2, f"{n}.{i}")
        for (name, _), n in zip(files, (1, 2, 10), strict=True)
        for i in range(2500)
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_replaced_file_is_not_read(tmp_path: Path) -> None:
    segment, container = segment_of(["A"], ("a.csv", b"1\n"))
    container.files["a.csv"] = b"2\n"
    with pytest.raises(Changed):
        load(segment, container, ["A"], tmp_path)


def test_an_unknown_column_is_named_in_the_error(tmp_path: Path) -> None:
    segment, container = segment_of(["A"], ("a.csv", b"1\n"))
    with pytest.raises(ConfigError, match="Email"):
        load(segment, container, ["Email"], tmp_path)


def test_a_file_with_different_columns_is_refused_as_a_whole(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.csv"):
        reads(tmp_path, b"just text\n" * 10_000)


def test_the_tutorial_data_is_read_completely(tmp_path: Path, project: Path) -> None:
    sample = project.parent / "shared" / "samples" / "Customer-Loyalty.txt"
    if not sample.exists():
        pytest.skip("Microsoft's tutorial data is not beside the project")
    data = sample.read_bytes()
    expected = list(csv.reader(io.StringIO(data.decode(), newline="")))
    got, unreadable = load_bytes(data, expected[0], tmp_path)
    assert unreadable == []
    assert [list(row[1:]) for row in got] == [[c or None for c in row] for row in expected[1:]]
    assert len(got) == 5002


def test_a_table_name_is_never_executed_as_sql(tmp_path: Path) -> None:
    data = b"1\n"
    segment = SegmentSnapshot("G", "G", (Attribute("A"),), (Partition("a", etag_of(data), 2),))
    with reused_databases.connect() as connection:
        connection.execute('CREATE TABLE "odd "" name" (file VARCHAR, line BIGINT, c0 VARCHAR)')
        reader_module.SegmentReader(MemoryContainer({"a": data})).load(
            connection, segment, ["A"], 'odd " name', tmp_path
        )
        assert connection.execute('SELECT c0 FROM "odd "" name"').fetchall() == [("1",)]


def test_files_with_irregular_rows_need_little_memory(tmp_path: Path) -> None:
    # DuckDB reserves memory for each file of rows that it did not read itself, however small the file is.
    rows = csv_bytes([["EMail", "Name"], ["a@example.com", "A"], ["too", "many", "cells"]])
    files = [(f"{number}.csv", rows) for number in range(6)]
    segment, container = segment_of(["EMail", "Name"], *files)
    with duckdb.connect(config={"memory_limit": "80MB", "threads": 2}) as connection:
        connection.execute("CREATE TABLE t (file VARCHAR, line BIGINT, c0 VARCHAR, c1 VARCHAR)")
        loaded = SegmentReader(container).load(
            connection, segment, ["EMail", "Name"], "t", tmp_path
        )
        found = connection.execute("SELECT file, line, c0, c1 FROM t").fetchall()

    assert sorted(found) == [(name, 2, "a@example.com", "A") for name, _ in files]
    assert sorted(each.file for each in loaded.unreadable) == [name for name, _ in files]
