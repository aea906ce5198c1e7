"""Encodings are recognized, and bytes that do not fit affect only their row."""

import gzip
from pathlib import Path

import pytest

from shared.errors import InputError
from shared.model.source import CsvFormat
from tests.segments.segment_files import (
    csv_bytes,
    load,
    load_bytes,
    segment_of,
)
from tests.segments.small_csv_files import reads


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
        ("Windows-949", "cp949"),
        ("x-windows-949", "cp949"),
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
