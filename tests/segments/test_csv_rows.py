"""Rows of CSV files are read exactly: with quotes, line breaks and broken rows."""

import codecs
import gzip
import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from shared.model.source import CsvFormat
from shared.segments.reading import reader as reader_module
from shared.segments.reading.exact_csv import read_rows
from shared.segments.reading.layout import is_without_value
from shared.segments.reading.unpack import Text, unpack
from shared.segments.text_encodings import utf16_without_mark
from shared.settings import NULL_MARKERS
from tests.segments.segment_files import (
    csv_bytes,
    load_bytes,
)
from tests.segments.small_csv_files import counted, reads

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
    if encoding == "utf-16":
        # With a zero character at the beginning, a file has the mark of UTF-32.
        assume(not data.startswith(codecs.BOM_UTF32_LE))
    if encoding in {"utf-16-le", "utf-32"} and not header and rows:
        assume("\ufeff" not in rows[0][0])
    form = CsvFormat(header=header, delimiter=delimiter, encoding=encoding)
    got, unreadable = load_bytes(gzip.compress(data) if packed else data, names, tmp_path, form)
    lines = first_lines(written)[1 if header else 0 :]
    assert unreadable == []
    assert got == [
        (line, *(value or None for value in row)) for line, row in zip(lines, rows, strict=True)
    ]


@pytest.mark.parametrize("blank", ["   ", "\t", "\x1a", "\0" * 8, "\ufeff"])
def test_a_line_without_a_value_is_not_a_row(tmp_path: Path, blank: str) -> None:
    data = f"CustomerId,EMail\n1,a@example.com\n{blank}\n2,b@example.com\n{blank}".encode()
    names = ["CustomerId", "EMail"]
    got, unreadable = load_bytes(data, names, tmp_path)
    assert [row[1] for row in got] == ["1", "2"]
    assert unreadable == []
    assert [counted(data + end, names, CsvFormat(), 9) for end in (b"", b"\r\n", b"\n\n")] == [
        2
    ] * 3


def test_every_character_that_is_no_value_is_none_when_rows_are_counted() -> None:
    characters = [
        chr(code) for code in (*range(0x3100), 0xFEFF, 0xFFFD) if chr(code) not in '\r\n"'
    ]
    blanks = [one for one in characters if is_without_value([one])]
    values = [one for one in characters if not is_without_value([one])]
    names = ["CustomerId", "EMail"]
    for lines, rows in ((blanks, 0), (values, len(values))):
        data = "\n".join(["CustomerId,EMail", "1,a@example.com", *lines]).encode()
        assert counted(data, names, CsvFormat()) == 1 + rows


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
    # If all readable rows end with a delimiter, and there are several, it ends the last column.
    assume(good or list(bad.values()).count("rowTooManyColumns") < 2)
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
# Files that begin with zero bytes are refused.
soup = soup.filter(lambda text: not text.startswith("\0" * 4))


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


@pytest.mark.parametrize(
    "data",
    [b"", b"\n", b"\r\n\r\n", b"\xef\xbb\xbf", b"A,B\n", b"A,B", b"A,B\r\n\x1a", b"\x1a", b" \n"],
)
@pytest.mark.parametrize("header", [None, True])
def test_a_file_without_rows_is_an_empty_segment(
    tmp_path: Path, data: bytes, header: bool | None
) -> None:
    assert load_bytes(data, ["A", "B"], tmp_path, CsvFormat(header=header)) == ([], [])


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
