"""The reader neither loses nor invents rows, for any file."""

import bz2
import csv
import gzip
import io
import re
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from threading import Barrier

import duckdb
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from shared.errors import Changed, ConfigError, InputError
from shared.model.source import Attribute, CsvFormat, Partition, SegmentSnapshot
from shared.segments import reader as reader_module
from shared.segments.counting import count_rows
from shared.segments.reader import load_segment
from shared.segments.rows import read_rows
from shared.segments.unpack import Text, unpack, utf16_without_mark
from shared.settings import NULL_MARKERS
from shared.workspace import workspace
from tests import reused_databases
from tests.segments.segment_files import (
    MemoryContainer,
    csv_bytes,
    etag_of,
    load,
    load_bytes,
    parquet_bytes,
    segment_of,
)

quick = settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])

# Byte order marks at the beginning of lines are not text.
_MARK_AT_LINE_START = re.compile("(?:^|[\r\n])\ufeff")
# Characters that trouble CSV readers, and plenty of others.
cell = st.text(
    st.one_of(
        st.sampled_from(list("\"',;|\t \r\n\\\x00\x1f\x85\u2028\ufeffé한\U0001f600aA1")),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=8,
).filter(lambda text: text not in NULL_MARKERS and not _MARK_AT_LINE_START.search(text))


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    width = draw(st.integers(1, 5))
    names = [f"Col {place}" for place in range(width)]
    rows = draw(st.lists(st.lists(cell, min_size=width, max_size=width), max_size=8))
    return names, rows


def first_lines(rows: list[list[str]]) -> list[int]:
    """The line at which each row begins: one more than the line ends in all rows before."""
    lines, line = [], 1
    for row in rows:
        lines.append(line)
        line += 1 + sum(field.count("\n") for field in row)
    return lines


@given(
    table=tables(),
    delimiter=st.sampled_from(",;\t|"),
    newline=st.sampled_from(["\n", "\r\n"]),
    quote_all=st.booleans(),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"]),
    last_newline=st.booleans(),
    header=st.booleans(),
    packed=st.booleans(),
)
@quick
def test_every_table_is_read_back_exactly_in_every_dialect(
    tmp_path: Path,
    table: tuple[list[str], list[list[str]]],
    delimiter: str,
    newline: str,
    quote_all: bool,
    encoding: str,
    last_newline: bool,
    header: bool,
    packed: bool,
) -> None:
    names, rows = table
    written = [names, *rows] if header else rows
    data = csv_bytes(
        written,
        delimiter=delimiter,
        newline=newline,
        quote_all=quote_all,
        encoding=encoding,
        last_newline=last_newline,
    )
    if not header and encoding == "utf-8":
        assume(not data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")))
    if encoding in {"utf-8", "utf-16-le"}:
        # A zero byte beside most of the delimiters of a tiny file can really be UTF-16.
        assume(utf16_without_mark(data) in {"", encoding})
    if encoding in {"utf-16-le", "utf-32"} and not header and rows:
        assume("\ufeff" not in rows[0][0])
    form = CsvFormat(header=header, delimiter=delimiter, encoding=encoding)
    got, unreadable = load_bytes(gzip.compress(data) if packed else data, names, tmp_path, form)
    lines = first_lines(written)[1 if header else 0 :]
    assert unreadable == []
    assert got == [
        (line, *(value or None for value in row)) for line, row in zip(lines, rows, strict=True)
    ]


simple = st.text(st.sampled_from("abé한 '.-@"), min_size=1, max_size=6)


@st.composite
def files_with_bad_rows(draw: st.DrawFn) -> tuple[bytes, list[tuple[int, ...]], dict[int, str]]:
    """Three-column lines, some of them bad in one known way each."""
    good: list[tuple[int, ...]] = []
    bad: dict[int, str] = {}
    lines: list[bytes] = []
    quoted = draw(st.booleans())
    for line in range(1, draw(st.integers(1, 12)) + 1):
        cells = [draw(simple).strip() or "x" for _ in range(3)]
        kinds = ["good"] * 4 + ["many", "few", "quote", "encoding"]
        match draw(st.sampled_from(kinds)):
            case "good":
                good.append((line, *cells))
            case "many":
                cells.append(draw(st.sampled_from(["", "more"])))
                bad[line] = "rowTooManyColumns"
            case "few":
                cells.pop()
                bad[line] = "rowTooFewColumns"
            case "quote":
                cells[1] = 'q"q'
                bad[line] = "rowBadQuoting"
            case "encoding":
                cells[0] = "\udcff"
                bad[line] = "rowBadEncoding"
        if quoted or (line in bad and bad[line] == "rowBadQuoting"):
            cells = [f'"{each}"' for each in cells]
        lines.append(",".join(cells).encode("utf-8", "surrogateescape"))
    return b"\n".join(lines) + draw(st.sampled_from([b"", b"\n"])), good, bad


@given(files_with_bad_rows())
@quick
def test_planted_bad_rows_are_the_only_ones_reported(
    tmp_path: Path, made: tuple[bytes, list[tuple[int, ...]], dict[int, str]]
) -> None:
    data, good, bad = made
    got, unreadable = load_bytes(data, ["A", "B", "C"], tmp_path, CsvFormat(header=False))
    assert got == good
    assert dict(unreadable) == bad
    assert len(unreadable) == len(bad)


soup = st.lists(
    st.sampled_from(
        ["a", "b", ",", ",", '"', '"', '""', "\n", "\n", "\r\n", "\r", " ", "\t", "\\", "é", "\0"]
    ),
    max_size=24,
).map("".join)


@given(soup, st.booleans(), st.sampled_from(["\n", "\r\n"]))
@example('a,"b\nc,d\n', False, "\n")
@example("a,b,\nc,d\n", False, "\n")
@example('a, "b"\nc,d\n', False, "\n")
@settings(quick, max_examples=100)
def test_the_fast_reader_gives_the_same_rows_as_the_exact_one(
    tmp_path: Path, text: str, quoted: bool, newline: str
) -> None:
    data = text.replace("\r\n", "\n").replace("\n", newline).encode()
    form = CsvFormat(header=False, quoted=quoted)
    fast = load_bytes(data, ["A", "B"], tmp_path, form)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader_module, "load_plain", lambda *_: False)
        assert (data, fast) == (data, load_bytes(data, ["A", "B"], tmp_path, form))


@pytest.mark.parametrize("last_newline", [True, False])
@pytest.mark.parametrize("quote_all", [True, False])
def test_the_fast_reader_reads_quotes_and_line_breaks_inside_cells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quote_all: bool, last_newline: bool
) -> None:
    notes = ["", 'Lee "Lucky" Kim', "line one\nline two\n", 'says "hello"', '\n" x', "a, b"]
    rows = [[str(number), notes[number % len(notes)]] for number in range(5_000)]
    data = csv_bytes(rows, newline="\n", quote_all=quote_all, last_newline=last_newline)
    monkeypatch.setattr(reader_module, "insert_rows", None)
    loaded, unreadable = load_bytes(data, ["A", "B"], tmp_path, CsvFormat(header=False))
    assert unreadable == []
    assert loaded == [
        (line, first, note or None)
        for line, (first, note) in zip(first_lines(rows), rows, strict=True)
    ]


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
        load_segment(SlowContainer(container.files), connection, segment, ["A"], "t", tmp_path)
        assert connection.execute("SELECT count(DISTINCT c0) FROM t").fetchall() == [(12,)]


@given(soup, st.sampled_from(["\n", "\r\n", "\r"]))
@settings(quick, max_examples=150)
def test_every_line_of_any_text_is_accounted_for(tmp_path: Path, text: str, newline: str) -> None:
    data = text.replace("\r\n", "\n").replace("\n", newline).encode()
    assume(not utf16_without_mark(data))
    unpacked = unpack([data], "UTF-8", tmp_path / "t", "t")
    assert isinstance(unpacked, Text)
    starts = [line for line, _ in read_rows(unpacked, CsvFormat())]
    lines = data.decode().split("\r" if unpacked.ends_with_cr else "\n")
    filled = [number for number, line in enumerate(lines, start=1) if line.strip("\r")]
    assert starts == sorted(set(starts))
    assert set(starts) <= set(filled)
    if '"' not in text:
        assert starts == filled
    # No line that only quotes could join is omitted: each begins a row, or the row
    # before it has a quote that is still open at its end.
    for before, line in pairwise(filled):
        if line not in starts:
            first = max(start for start in starts if start <= before)
            assert '"' in "".join(lines[first - 1 : before])


def reads(tmp_path: Path, data: bytes, width: int = 2, **form: object) -> object:
    names = ["A", "B", "C"][:width]
    return load_bytes(data, names, tmp_path, CsvFormat(**{"header": False, **form}))


def test_an_unclosed_quote_affects_one_row(tmp_path: Path) -> None:
    data = b'1,a\n2,"b\n3,c\n4,d\n'
    assert reads(tmp_path, data) == (
        [(1, "1", "a"), (3, "3", "c"), (4, "4", "d")],
        [(2, "rowBadQuoting")],
    )


def test_an_unclosed_quote_among_quoted_rows_affects_one_row(tmp_path: Path) -> None:
    data = b'"1","a"\r\n"2","b\r\n"3","c"\r\n"4","d"\r\n'
    assert reads(tmp_path, data) == (
        [(1, "1", "a"), (3, "3", "c"), (4, "4", "d")],
        [(2, "rowBadQuoting")],
    )


def test_the_content_of_a_broken_quoted_field_is_not_read_as_rows(tmp_path: Path) -> None:
    data = b'1,"x\nlast,line"z\n2,b\n'
    assert reads(tmp_path, data) == ([(3, "2", "b")], [(1, "rowBadQuoting"), (2, "rowBadQuoting")])


def test_blanks_before_an_opening_quote_are_not_part_of_the_field(tmp_path: Path) -> None:
    data = b'1, "b, ""c"""\n2, b\n3, "x\ny"\n4," ""d"""\n'
    assert reads(tmp_path, data) == (
        [(1, "1", 'b, "c"'), (2, "2", " b"), (3, "3", "x\ny"), (5, "4", ' "d"')],
        [],
    )


def test_text_between_a_closing_quote_and_the_delimiter_affects_one_row(tmp_path: Path) -> None:
    data = b'"1" ,"a"\n"2","b"\n"3","c" \n"4"x,"d"\n'
    assert reads(tmp_path, data) == (
        [(2, "2", "b")],
        [(1, "rowBadQuoting"), (3, "rowBadQuoting"), (4, "rowBadQuoting")],
    )


def test_quotes_escaped_with_a_backslash_are_read(tmp_path: Path) -> None:
    data = rb"""1,"He said \"hi\", twice"
2,"ends with \""
3,"a \\\" b"
4,"\"Bob\""
5,C:\temp
"""
    assert reads(tmp_path, data) == (
        [
            (1, "1", 'He said "hi", twice'),
            (2, "2", 'ends with "'),
            (3, "3", r"a \" b"),
            (4, "4", '"Bob"'),
            (5, "5", r"C:\temp"),
        ],
        [],
    )


def test_a_carriage_return_inside_an_unquoted_field_is_kept(tmp_path: Path) -> None:
    assert reads(tmp_path, b"1,a\rb\n2,c\n") == ([(1, "1", "a\rb"), (2, "2", "c")], [])


def test_lines_may_end_with_carriage_returns(tmp_path: Path) -> None:
    assert reads(tmp_path, b"1,a\r2,b\r") == ([(1, "1", "a"), (2, "2", "b")], [])


def test_without_quoting_quotes_are_ordinary_characters(tmp_path: Path) -> None:
    assert reads(tmp_path, b'1,"a\n2,"b"\n', quoted=False) == (
        [(1, "1", '"a'), (2, "2", '"b"')],
        [],
    )


def test_empty_and_quoted_empty_fields_are_null(tmp_path: Path) -> None:
    assert reads(tmp_path, b',""\n') == ([(1, None, None)], [])


@pytest.mark.parametrize("data", [b"", b"\n", b"\r\n\r\n", b"\xef\xbb\xbf", b"A,B\n", b"A,B"])
def test_a_file_without_rows_is_an_empty_segment(tmp_path: Path, data: bytes) -> None:
    assert load_bytes(data, ["A", "B"], tmp_path) == ([], [])


def test_a_too_long_row_affects_only_itself(tmp_path: Path) -> None:
    long = b"x" * 2_500_000
    assert reads(tmp_path, b"1,a\n2," + long + b"\n3,c\n") == (
        [(1, "1", "a"), (3, "3", "c")],
        [(2, "rowTooLong")],
    )


def test_an_unclosed_quote_before_a_long_text_affects_only_itself(tmp_path: Path) -> None:
    rows = b"".join(b"%d,value\n" % number for number in range(2, 250_001))
    got, unreadable = load_bytes(b'1,"a\n' + rows, ["A", "B"], tmp_path, CsvFormat(header=False))
    assert unreadable == [(1, "rowBadQuoting")]
    assert got == [(number, str(number), "value") for number in range(2, 250_001)]


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


@pytest.mark.parametrize("encoding", ["windows-1252", "ISO-8859-1", "cp949", "euc-kr", "shift_jis"])
def test_other_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    text = (
        "café"
        if encoding in {"windows-1252", "ISO-8859-1"}
        else "AB テスト"
        if encoding == "shift_jis"
        else "홍길동"
    )
    data = csv_bytes([["1", text]], encoding=encoding)
    assert reads(tmp_path, data, encoding=encoding) == ([(1, "1", text)], [])


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("Unicode", "utf-16-le"),
        ("unicodeFFFE", "utf-16-be"),
        ("1200", "utf-16-le"),
        ("UTF-16", "utf-16-le"),
        ("949", "cp949"),
        ("ks_c_5601-1987", "cp949"),
        ("65001", "utf-8"),
    ],
)
def test_encodings_are_recognized_by_their_dotnet_names(
    tmp_path: Path, name: str, codec: str
) -> None:
    data = csv_bytes([["1", "홍길동"]], encoding=codec)
    assert reads(tmp_path, data, encoding=name) == ([(1, "1", "홍길동")], [])


def test_undecodable_bytes_affect_only_their_row_in_other_encodings(tmp_path: Path) -> None:
    data = "1,a\n2,".encode("utf-16-le") + b"\x00\xd8" + "x\n3,c\n".encode("utf-16-le")
    assert reads(tmp_path, data, encoding="utf-16-le") == (
        [(1, "1", "a"), (3, "3", "c")],
        [(2, "rowBadEncoding")],
    )


@pytest.mark.parametrize("encoding", ["rot13", "zlib", "no-such", "idna", "unicode_escape", "../x"])
def test_an_unknown_encoding_is_refused_and_named(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(InputError, match=r"a\.csv") as caught:
        reads(tmp_path, b"1,a\n", encoding=encoding)
    assert caught.value.code == "encodingUnknown"


@pytest.mark.parametrize("form", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("packed", [True, False])
def test_utf_16_is_recognized_without_a_mark(tmp_path: Path, form: str, packed: bool) -> None:
    data = "Id,이름\n1,김\n".encode(form)
    rows = load_bytes(gzip.compress(data) if packed else data, ["Id", "이름"], tmp_path)
    assert rows == ([(2, "1", "김")], [])


@pytest.mark.parametrize("form", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_may_begin_with_other_letters(tmp_path: Path, form: str) -> None:
    names = ["이름", "EMail"]
    rows = [names, ["김한글", "a@example.com"], ["이", "b@example.com"]]
    for quote_all in (True, False):
        data = csv_bytes(rows, quote_all=quote_all, encoding=form)
        got, unreadable = load_bytes(data, names, tmp_path)
        assert ([row[1:] for row in got], unreadable) == ([tuple(row) for row in rows[1:]], [])


def test_zero_bytes_at_the_ends_of_cells_are_not_utf_16(tmp_path: Path) -> None:
    assert reads(tmp_path, b"1\0\0\0,b\0\0\0\n") == ([(1, "1\0\0\0", "b\0\0\0")], [])


@pytest.mark.parametrize("encoding", ["Unicode", "utf-16", "UTF-32"])
def test_a_declared_encoding_that_the_file_contradicts_is_not_used(
    tmp_path: Path, encoding: str
) -> None:
    names = ["이름", "EMail"]
    data = csv_bytes([names, ["김한글", "a@example.com"]])
    got, unreadable = load_bytes(data, names, tmp_path, CsvFormat(encoding=encoding))
    assert (got, unreadable) == ([(2, "김한글", "a@example.com")], [])


def test_gzip_files_with_several_members_are_read(tmp_path: Path) -> None:
    data = gzip.compress(b"1,a\n2,") + gzip.compress(b"b\n") + b"\0\0\0"
    assert reads(tmp_path, data) == ([(1, "1", "a"), (2, "2", "b")], [])


@pytest.mark.parametrize("cut", [3, 12, 20])
def test_a_truncated_gzip_file_is_refused(tmp_path: Path, cut: int) -> None:
    with pytest.raises(InputError, match="gzip"):
        reads(tmp_path, gzip.compress(b"1,a\n2,b\n" * 10)[:cut])


@pytest.mark.parametrize(
    ("start", "form"),
    [
        (b"PK\x03\x04", "ZIP"),
        (b"\xfd7zXZ\x00", "xz"),
        (bz2.compress(b"1,a\n"), "bzip2"),
        (b"Obj\x01", "Avro"),
        (gzip.compress(b"1,a\n"), "gzip in gzip"),
        (b"PAR1", "Parquet in gzip"),
    ],
    ids=["zip", "xz", "bzip2", "avro", "gzip", "parquet"],
)
def test_a_file_of_another_format_is_refused_and_not_read_as_rows(
    tmp_path: Path, start: bytes, form: str
) -> None:
    for data in (gzip.compress(start), *([start] if "gzip" not in form else [])):
        with pytest.raises(InputError) as caught:
            reads(tmp_path, data + b"\n" * 20)
        assert caught.value.code == "fileFormatUnsupported"
        assert caught.value.values["format"] == form


def test_a_gzip_bomb_is_refused(tmp_path: Path) -> None:
    packed = gzip.compress(b"\0" * 100_000_000)
    with pytest.raises(InputError, match="far more"):
        reads(tmp_path, packed)
    assert list(tmp_path.iterdir()) == []


def test_parquet_is_read_by_name_as_text(tmp_path: Path) -> None:
    data = parquet_bytes(
        tmp_path,
        "SELECT i AS \"A\", CASE i WHEN 2 THEN '' ELSE 'x' || i END AS b FROM range(1, 5000) t(i)",
    )
    got, unreadable = load_bytes(data, ["b", "A"], tmp_path)
    assert unreadable == []
    assert got == [(i, None if i == 2 else f"x{i}", str(i)) for i in range(1, 5000)]


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


def test_parquet_columns_are_matched_case_insensitively_unless_ambiguous(tmp_path: Path) -> None:
    data = parquet_bytes(tmp_path, "SELECT 'a@example.com' AS email, 1 AS \"CustomerId\"")
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


def test_a_broken_parquet_file_is_refused_and_named(tmp_path: Path) -> None:
    data = parquet_bytes(tmp_path, 'SELECT 1 AS "A"')
    with pytest.raises(InputError, match=r"a\.csv"):
        load_bytes(data[:-20], ["A"], tmp_path)


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


def counted(data: bytes, names: list[str], form: CsvFormat) -> int:
    partition = Partition("a.csv", etag_of(data), len(data), form)
    return count_rows(
        MemoryContainer({"a.csv": data}),  # type: ignore[arg-type]
        partition,
        [Attribute(name) for name in names],
    )


def header_of(data: bytes, names: list[str], tmp_path: Path, header: bool | None) -> object:
    return load_bytes(data, names, tmp_path, CsvFormat(header=header))[0]


def test_a_header_is_recognized_by_the_attribute_names(tmp_path: Path) -> None:
    assert header_of(b"a,B \n1,2\n", ["A", "B"], tmp_path, None) == [(2, "1", "2")]
    assert header_of(b"1,2\n3,4\n", ["A", "B"], tmp_path, None) == [(1, "1", "2"), (2, "3", "4")]


def test_a_header_in_another_order_overrides_the_model(tmp_path: Path) -> None:
    assert header_of(b"B,extra,A\n2,x,1\n", ["A", "B"], tmp_path, True) == [(2, "1", "2")]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
@pytest.mark.parametrize("first", ["A,B\n", ""])
def test_an_undeclared_delimiter_is_found_in_the_first_row(
    first: str, delimiter: str, tmp_path: Path
) -> None:
    text = f'{first}"1,5",ann@example.com\n2,"b"\n'.replace(",", delimiter)
    rows = header_of(text.encode(), ["A", "B"], tmp_path, None)
    line = 2 if first else 1
    fraction = f"1{delimiter}5"
    assert rows == [(line, fraction, "ann@example.com"), (line + 1, "2", "b")]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
@pytest.mark.parametrize("header", [True, False])
def test_an_undeclared_delimiter_is_found_beside_cells_with_the_declared_one(
    tmp_path: Path, delimiter: str, header: bool
) -> None:
    names = ["CustomerId", "EMail", "City, country"]
    rows = [["1", "a@example.com", "Seoul, Korea"], ["2", "b@example.com", "a, b, c, d"]]
    text = "".join(f"{delimiter.join(row)}\n" for row in ([names, *rows] if header else rows))
    got, unreadable = load_bytes(text.encode(), names, tmp_path)
    assert ([row[1:] for row in got], unreadable) == ([tuple(row) for row in rows], [])
    assert counted(text.encode(), names, CsvFormat()) == 2


@pytest.mark.parametrize("delimiter", [",", ";"])
@pytest.mark.parametrize(
    "text",
    [
        "EMail;Name\na@example.com;Lee, Ann\n",
        "EMail;Name\na@example.com;Ann\nb@example.com;12,50\n",
        "CustomerId;EMail;Name\n1;a@example.com;Ann\n2;b@example.com;Lee, Dr., Ben\n",
        "CustomerId;E-Mail;Stadt\n1;a@example.com;Seoul, Korea\n",
        "CustomerId;E-Mail;Stadt\n1;a@example.com;Seoul, Korea, Asia\n",
        "a@example.com;10\nb@example.com;12,50\n",
    ],
)
def test_rows_that_another_delimiter_divides_do_not_hide_the_one_of_the_file(
    tmp_path: Path, text: str, delimiter: str
) -> None:
    rows = [line.split(";") for line in text.splitlines()]
    names = ["CustomerId", "EMail", "Name"][-len(rows[0]) :]
    if delimiter == ";":
        text = text.translate(str.maketrans(",;", ";,"))
        rows = [[cell.replace(",", ";") for cell in row] for row in rows]
    got, unreadable = load_bytes(text.encode(), names, tmp_path, CsvFormat(delimiter=delimiter))
    people = [row for row in rows if "@" in "".join(row)]
    assert ([row[1:] for row in got], unreadable) == ([tuple(row) for row in people], [])


def test_a_delimiter_is_found_by_quoted_cells_that_only_it_divides(tmp_path: Path) -> None:
    data = b'"Lee, Ann";a@example.com\n"Ben";b@example.com, c@example.com\n'
    got, unreadable = load_bytes(data, ["Name", "EMail"], tmp_path, CsvFormat(header=True))
    rows = [(1, "Lee, Ann", "a@example.com"), (2, "Ben", "b@example.com, c@example.com")]
    assert (got, unreadable) == (rows, [])
    data = b'"Lee, Ann"|a@example.com\nBen|12,5\n'
    got, unreadable = load_bytes(data, ["Name", "EMail"], tmp_path, CsvFormat(header=True))
    assert (got, unreadable) == ([(1, "Lee, Ann", "a@example.com"), (2, "Ben", "12,5")], [])


def test_a_broken_row_does_not_hide_the_delimiter_of_the_file(tmp_path: Path) -> None:
    data = b"EMail;Name\na@example.com;Ann\nb@example.com;Ben;x\n"
    got, unreadable = load_bytes(data, ["EMail", "Name"], tmp_path)
    assert got == [(2, "a@example.com", "Ann")]
    assert unreadable == [(3, "rowTooManyColumns")]


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ("EMail,Name", "a@example.com;x,y,z\n"),
        ("EMail,Name", "a@example.com,Lee; Ann, Dr\n"),
        ("CustomerId,EMail", "1,a@example.com,u;v\n2,b@example.com,w;z\n"),
        ("CustomerId,EMail", "1,a@example.com,u;v;w,x\n"),
        ("CustomerId,EMail,Name", "1,a@example.com,u;v;w,x\n"),
        ("CustomerId,Since", "c1,Ann,u;2026-01-01\n"),
        ("CustomerId,EMail,Name", "1,a@example.com;b;c\n"),
        ("CustomerId,Since", 'c1,"Ann"x,u;2026-01-01\nc2,Ben,w;2026-01-02\n'),
        ("CustomerId,Since", 'c1,Ann,u;2026-01-01\nc2,"Ben"x,w;2026-01-02\n'),
    ],
)
def test_broken_rows_do_not_change_the_delimiter(tmp_path: Path, names: str, text: str) -> None:
    got, unreadable = load_bytes(text.encode(), names.split(","), tmp_path)
    assert (got, [line for line, _ in unreadable]) == ([], [*range(1, text.count("\n") + 1)])


def test_a_broken_first_row_does_not_change_the_delimiter_of_the_others(tmp_path: Path) -> None:
    data = b"c1,Ann,u;2026-01-01\nc2,u;2026-01-02\n"
    got, unreadable = load_bytes(data, ["CustomerId", "Since"], tmp_path)
    assert (got, unreadable) == ([(2, "c2", "u;2026-01-02")], [(1, "rowTooManyColumns")])


def test_a_row_of_one_cell_with_other_marks_is_not_divided(tmp_path: Path) -> None:
    _, unreadable = load_bytes(b"x;y\n1,2\n", ["A", "B"], tmp_path, CsvFormat(header=False))
    assert [line for line, _ in unreadable] == [1]


def test_a_header_that_contradicts_its_flag_is_not_a_row(tmp_path: Path) -> None:
    assert header_of(b"A,B\n1,2\n", ["A", "B"], tmp_path, False) == [(2, "1", "2")]


def test_friendly_names_in_the_header_are_matched_by_position(tmp_path: Path) -> None:
    assert header_of(b"First,Second\n1,2\n", ["A", "B"], tmp_path, True) == [(2, "1", "2")]


def test_a_header_with_another_width_and_other_names_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="3 columns"):
        header_of(b"X,Y,Z\n1,2,3\n", ["A", "B"], tmp_path, True)


ID = "ce759201f786d590bf2134bff576c369"


@pytest.mark.parametrize("header", [True, False, None])
@pytest.mark.parametrize(
    "person",
    [
        [ID, "ann@example.com", "Ann"],
        [ID, "", "Ann"],
        ["c-1", "ann@example.com", "Ann"],
        ["c-1", "", "Ann"],
        ["17", "not an address", "Ann"],
    ],
)
def test_a_first_row_with_data_is_read_regardless_of_the_header_flag(
    tmp_path: Path, person: list[str], header: bool | None
) -> None:
    names = ["CustomerId", "EMail", "FirstName"]
    wanted = tuple(cell or None for cell in person)
    assert header_of(csv_bytes([person]), names, tmp_path, header) == [(1, *wanted)]
    assert header_of(csv_bytes([names, person]), names, tmp_path, header) == [(2, *wanted)]


def test_the_header_of_every_file_is_detected_separately(tmp_path: Path) -> None:
    names = ["CustomerId", "EMail"]
    files = [
        ("g_1.csv", csv_bytes([names, ["1", "a@example.com"]])),
        ("g_2.csv", csv_bytes([["2", "b@example.com"]])),
        ("g_3.csv", csv_bytes([["EMail", "CustomerId"], ["c@example.com", "3"]])),
    ]
    segment, container = segment_of(names, *files, form=CsvFormat(header=True))
    got, unreadable = load(segment, container, names, tmp_path)
    assert (unreadable, [row[2:] for row in got]) == (
        [],
        [("1", "a@example.com"), ("2", "b@example.com"), ("3", "c@example.com")],
    )


def test_names_that_differ_only_in_case_are_distinguished(tmp_path: Path) -> None:
    names = ["CustomerID", "CustomerId", "EMail"]
    data = csv_bytes([["EMail", "CustomerId", "CustomerID"], ["a@example.com", "id", "ID"]])
    assert header_of(data, names, tmp_path, True) == [(2, "ID", "id", "a@example.com")]
    data = csv_bytes([["EMAIL", "CustomerId", "CustomerID"], ["a@example.com", "id", "ID"]])
    assert header_of(data, names, tmp_path, True) == [(2, "ID", "id", "a@example.com")]


@pytest.mark.parametrize("packed", ["csv", "parquet"])
def test_a_column_that_a_file_has_twice_is_refused_if_it_is_read(
    tmp_path: Path, packed: str
) -> None:
    names = ["EMail", "Name", "Name"]
    data = csv_bytes([names, ["a@example.com", "Ann", "Lee"]])
    if packed == "parquet":
        data = parquet_bytes(
            tmp_path, "SELECT 'a@example.com' AS \"EMail\", 'Ann' AS \"Nam1\", 'Lee' AS \"Nam2\""
        )
        data = data.replace(b"Nam1", b"Name").replace(b"Nam2", b"Name")
    segment, container = segment_of(["EMail", "Name"], ("a.csv", data))
    got, _ = load(segment, container, ["EMail"], tmp_path)
    assert [row[2:] for row in got] == [("a@example.com",)]
    with pytest.raises(InputError, match="more than one column Name") as caught:
        load(segment, container, ["Name"], tmp_path)
    assert caught.value.code == "columnTwice"


@pytest.mark.parametrize("names", [["CustomerId", "EMail"], ["CustomerId", "EMail", "CustomerId"]])
@pytest.mark.parametrize("packed", ["csv", "parquet"])
def test_the_profile_id_of_joined_tables_is_the_first_one(
    tmp_path: Path, names: list[str], packed: str
) -> None:
    data = csv_bytes([["CustomerId", "EMail", "CustomerId"], ["1", "a@example.com", "other"]])
    if packed == "parquet":
        query = (
            "SELECT '1' AS \"CustomerI1\", 'a@example.com' AS \"EMail\", 'other' AS \"CustomerI2\""
        )
        data = parquet_bytes(tmp_path, query)
        data = data.replace(b"CustomerI1", b"CustomerId").replace(b"CustomerI2", b"CustomerId")
    segment, container = segment_of(names, ("a.csv", data))
    got, unreadable = load(segment, container, ["CustomerId", "EMail"], tmp_path)
    assert ([row[2:] for row in got], unreadable) == ([("1", "a@example.com")], [])


def test_a_header_with_some_known_names_is_matched_by_name(tmp_path: Path) -> None:
    names = ["CustomerId", "EMail", "FirstName", "LastName"]
    data = csv_bytes(
        [["CustomerId", "EMail", "LastName", "Vorname"], ["1", "a@example.com", "Lee", "Ann"]]
    )
    segment, container = segment_of(names, ("a.csv", data), form=CsvFormat(header=True))
    got, _ = load(segment, container, ["LastName", "EMail"], tmp_path)
    assert [row[2:] for row in got] == [("Lee", "a@example.com")]
    with pytest.raises(InputError, match="no column FirstName") as caught:
        load(segment, container, ["FirstName"], tmp_path)
    assert caught.value.code == "columnMissing"
    assert caught.value.values == {"where": "a.csv", "attribute": "FirstName"}


def test_unknown_names_at_the_end_of_a_header_are_matched_by_position(tmp_path: Path) -> None:
    names = ["CustomerId", "EMail", "FirstName"]
    data = csv_bytes([["CustomerId", "EMail", "Vorname"], ["1", "a@example.com", "Ann"]])
    assert header_of(data, names, tmp_path, True) == [(2, "1", "a@example.com", "Ann")]


@pytest.mark.parametrize("header", [True, False, None])
@pytest.mark.parametrize(
    "before",
    ["# exported 2026\n", "Gold, all members\n\n", " \n", ",,,\n", "sep=,\n", "a\nb\n,,,,\n"],
)
def test_rows_before_a_header_are_not_rows_of_people(
    tmp_path: Path, before: str, header: bool | None
) -> None:
    names = ["CustomerId", "EMail", "FirstName", "LastName"]
    rows = [["EMail", "CustomerId", "LastName", "FirstName"], ["a@example.com", "1", "Lee", "Ann"]]
    data = before.encode() + csv_bytes(rows, newline="\n")
    form = CsvFormat(header=header)
    line = before.count("\n") + 2
    assert load_bytes(data, names, tmp_path, form) == (
        [(line, "1", "a@example.com", "Ann", "Lee")],
        [],
    )
    assert counted(data, names, form) == 1


def test_a_header_after_rows_of_people_is_not_looked_for(tmp_path: Path) -> None:
    names = ["CustomerId", "EMail"]
    rows = [["1", "a@example.com"], names, ["2", "b@example.com"]]
    got, unreadable = load_bytes(csv_bytes(rows), names, tmp_path)
    assert (len(got), unreadable) == (3, [])


@pytest.mark.parametrize(
    ("first", "code"),
    [('1,"a@example.com"x,"Ann', "rowBadQuoting"), ("1,a@example.com", "rowTooFewColumns")],
)
def test_a_broken_row_of_a_person_before_a_header_is_reported(
    tmp_path: Path, first: str, code: str
) -> None:
    names = ["CustomerId", "EMail", "Name"]
    data = f"{first}\nCustomerId,EMail,Name\n2,b@example.com,Ben\n".encode()
    got, unreadable = load_bytes(data, names, tmp_path)
    assert (got[-1], unreadable) == ((3, "2", "b@example.com", "Ben"), [(1, code)])


@pytest.mark.parametrize("header", [True, False, None])
def test_a_name_that_looks_like_data_does_not_make_a_header_a_row(
    tmp_path: Path, header: bool | None
) -> None:
    names = ["CustomerId", "EMail", "Visits", "2026-01-01"]
    rows = [
        ["CustomerId", "EMail", "2026-01-01", "visits of 2026"],
        ["1", "a@example.com", "7", "9"],
    ]
    segment, container = segment_of(
        names, ("a.csv", csv_bytes(rows)), form=CsvFormat(header=header)
    )
    got, unreadable = load(segment, container, ["EMail", "2026-01-01"], tmp_path)
    assert (got, unreadable) == ([("a.csv", 2, "a@example.com", "7")], [])


@pytest.mark.parametrize("piece", [1, 2, 3, 1000])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_byte_order_marks_of_joined_files_are_not_part_of_the_data(
    tmp_path: Path, newline: str, encoding: str, piece: int
) -> None:
    names = ["CustomerId", "EMail"]
    parts = ([names, ["1", "a@example.com"]], [["2", "\ufeffb"], ["3", "\uff5e"]], [["4", "d"]])
    joined = "".join("\ufeff\ufeff" + csv_bytes(part, newline=newline).decode() for part in parts)
    segment, container = segment_of(names, ("a.csv", joined.encode(encoding)))
    container.piece = piece
    got, unreadable = load(segment, container, names, tmp_path)
    assert [row[2:] for row in got] == [
        ("1", "a@example.com"),
        ("2", "\ufeffb"),
        ("3", "\uff5e"),
        ("4", "d"),
    ]
    assert unreadable == []


def test_the_day_of_a_parquet_time_does_not_depend_on_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = parquet_bytes(tmp_path, "SELECT 'a' AS n, TIMESTAMPTZ '2026-06-05 23:30:00+00' AS born")
    segment, container = segment_of(["born"], ("a.csv", data))
    monkeypatch.setenv("TZ", "Asia/Seoul")
    with workspace() as (connection, scratch), closing(connection.cursor()) as cursor:
        cursor.execute("CREATE TABLE t (file VARCHAR, line BIGINT, c0 VARCHAR)")
        load_segment(container, cursor, segment, ["born"], "t", scratch)  # type: ignore[arg-type]
        assert cursor.execute("SELECT c0 FROM t").fetchall() == [("2026-06-05 23:30:00+00",)]


def test_a_multi_line_header_is_one_row(tmp_path: Path) -> None:
    names = ["A\nB", "C"]
    assert header_of(csv_bytes([names, ["1", "2"]]), names, tmp_path, True) == [(3, "1", "2")]


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
        reader_module.load_segment(
            MemoryContainer({"a": data}), connection, segment, ["A"], 'odd " name', tmp_path
        )
        assert connection.execute('SELECT c0 FROM "odd "" name"').fetchall() == [("1",)]


def test_files_with_irregular_rows_need_little_memory(tmp_path: Path) -> None:
    # DuckDB reserves memory for each file of rows that it did not read itself, however small the file is.
    rows = csv_bytes([["EMail", "Name"], ["a@example.com", "A"], ["too", "many", "cells"]])
    files = [(f"{number}.csv", rows) for number in range(6)]
    segment, container = segment_of(["EMail", "Name"], *files)
    with duckdb.connect(config={"memory_limit": "80MB", "threads": 2}) as connection:
        connection.execute("CREATE TABLE t (file VARCHAR, line BIGINT, c0 VARCHAR, c1 VARCHAR)")
        loaded = load_segment(container, connection, segment, ["EMail", "Name"], "t", tmp_path)
        found = connection.execute("SELECT file, line, c0, c1 FROM t").fetchall()

    assert sorted(found) == [(name, 2, "a@example.com", "A") for name, _ in files]
    assert sorted(each.file for each in loaded.unreadable) == [name for name, _ in files]
