"""Packed files are unpacked, and files of another format are refused."""

import bz2
import gzip
from pathlib import Path

import pytest

from shared.errors import InputError
from tests.segments.small_csv_files import reads

# Beginnings of files, by the name of the test: the content of a gzip file depends on the time, so it must not be part of a name.
OTHER_FORMATS = {
    "zip": (b"PK\x03\x04", "ZIP"),
    "xz": (b"\xfd7zXZ\x00", "xz"),
    "bzip2": (bz2.compress(b"1,a\n"), "bzip2"),
    "avro": (b"Obj\x01", "Avro"),
    "gzip": (gzip.compress(b"1,a\n"), "gzip in gzip"),
    "parquet": (b"PAR1", "Parquet in gzip"),
    "encrypted": (b"PARE\x15\x04", "encrypted Parquet"),
    "empty zip": (b"PK\x05\x06" + bytes(18), "ZIP"),
    "rar": (b"Rar!\x1a\x07\x00", "RAR"),
    "snappy": (b"\xff\x06\x00\x00sNaPpY\x01", "Snappy"),
    "orc": (b"ORC\x0a\x03", "ORC"),
    "xls": (b"\xd0\xcf\x11\xe0\xa1\xb1", "Excel (XLS)"),
    "pdf": (b"%PDF-1.4", "PDF"),
    "html": (b"\n<!DOCTYPE html><html>", "HTML"),
    "xml": (b"\xef\xbb\xbf<?xml version='1.0'?>", "XML"),
    "json object": (b'{"CustomerId": "1"}', "JSON"),
    "json list": (b'[\n  {"CustomerId": "1"}', "JSON"),
}


def test_gzip_files_with_several_members_are_read(tmp_path: Path) -> None:
    data = gzip.compress(b"1,a\n2,") + gzip.compress(b"b\n") + b"\0\0\0"
    assert reads(tmp_path, data) == ([(1, "1", "a"), (2, "2", "b")], [])


@pytest.mark.parametrize("cut", [3, 12, 20])
def test_a_truncated_gzip_file_is_refused(tmp_path: Path, cut: int) -> None:
    with pytest.raises(InputError, match="gzip"):
        reads(tmp_path, gzip.compress(b"1,a\n2,b\n" * 10)[:cut])


@pytest.mark.parametrize(("start", "form"), OTHER_FORMATS.values(), ids=OTHER_FORMATS)
def test_a_file_of_another_format_is_refused_and_not_read_as_rows(
    tmp_path: Path, start: bytes, form: str
) -> None:
    for data in (gzip.compress(start), *([start] if "gzip" not in form else [])):
        with pytest.raises(InputError) as caught:
            reads(tmp_path, data + b"\n" * 20)
        assert caught.value.code == "fileFormatUnsupported"
        assert caught.value.values["format"] == form


@pytest.mark.parametrize(
    "data",
    [bytes(1000), bytes(4) + b"1,a\n", gzip.compress(bytes(1000))],
    ids=["zeros", "zeros and a row", "zeros in gzip"],
)
def test_a_file_of_zeros_is_no_empty_file(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(InputError) as caught:
        reads(tmp_path, data)
    assert caught.value.code == "fileBeginsWithZeros"


def test_a_row_that_begins_like_another_format_is_a_row(tmp_path: Path) -> None:
    for first in ("ORC", "{9c6e0ddf}", "<x>", "PK", "PARENT_ID", "PAR1234", "PAR1"):
        assert reads(tmp_path, f"{first},a\n".encode()) == ([(1, first, "a")], [])
    assert reads(tmp_path, b'"{""a"": 1}",a\n') == ([(1, '{"a": 1}', "a")], [])


def test_a_gzip_bomb_is_refused(tmp_path: Path) -> None:
    packed = gzip.compress(b"a" * 100_000_000)
    with pytest.raises(InputError, match="far more"):
        reads(tmp_path, packed)
    assert list(tmp_path.iterdir()) == []
