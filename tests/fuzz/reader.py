"""Fuzz target: the segment reader accounts for every row of any file.

An input is a line with the description of the file (`A,B;header;delimiter;quoted;encoding`, the
delimiter as a number), then the file itself: text, gzip or Parquet.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from shared.errors import ConnectorError
from shared.model.source import CsvFormat
from shared.segments.reading import reader
from shared.segments.reading.count_rows import count_rows
from shared.segments.reading.exact_csv import LONGEST_CELL
from shared.segments.reading.header import described_by_header
from tests.segments.segment_files import Loaded, load, segment_of

TOKENS = (
    b'"', b'""', b",", b";", b"\t", b"\r\n", b"\n", b"\r", b"\0", b"\x1f", b"\xef\xbb\xbf",
    b"\xff\xfe", b"\xfe\xff", b"\x1f\x8b", b"PAR1", b'" ', b' "', b"\xff", b"\xc3", b"A,B\n",
    b"EMail", b"utf-16", b"cp949", b"latin-1", b"\xf0\x9f\x8e\x88", b"\x85", b"\xe2\x80\xa8",
)  # fmt: skip
_HEADERS = {"yes": True, "no": False}


def run(data: bytes) -> object:
    """Return what was seen; AssertionError if a row is lost, doubled or invented."""
    how, _, file = data.partition(b"\n")
    words = [*how.decode("latin-1").split(";"), "", "", "", "", ""]
    names = [name for name in words[0].split(",") if name][:20]
    delimiter = chr(int(words[2]) % 0x250) if words[2].isascii() and words[2].isdigit() else ","
    if delimiter in '"\r\n\0':
        delimiter = ","
    form = CsvFormat(_HEADERS.get(words[1]), delimiter, words[3] != "no", words[4] or "UTF-8")
    segment, container = segment_of(names, ("a.csv", file), form=form)
    try:
        if not names:
            attributes, partitions = described_by_header(container, segment.partitions)
            names = [attribute.name for attribute in attributes]
            form = partitions[0].csv
            segment, container = segment_of(names, ("a.csv", file), form=form)
        with tempfile.TemporaryDirectory() as folder:
            first = load(segment, container, names, Path(folder))
            swapped = load(segment, container, names[::-1], Path(folder))
            exact = _exactly(segment, container, names, Path(folder))
    except ConnectorError as error:
        assert len(str(error)) < 5_000
        return type(error).__name__, error.code
    rows, unreadable = first
    lines = [row[1] for row in rows] + [bad.line for bad in unreadable]
    assert len(set(lines)) == len(lines), "a line counts twice"
    assert all(isinstance(line, int) and line >= 1 for line in lines)
    for row in rows:
        assert all(cell is None or 0 < len(str(cell)) <= LONGEST_CELL for cell in row[2:])
    turned = [(*row[:2], *row[2:][::-1]) for row in swapped[0]]
    assert unreadable == exact[1]
    assert unreadable == swapped[1], "whether a row can be read depends on the columns"
    assert len(rows) == len(turned)
    # DuckDB 2.0 reads a few bytes beyond a page that is shorter than its metadata says, so that a
    # broken Parquet file does not give the same values twice.
    if not file.startswith(b"PAR1"):
        assert sorted(rows, key=str) == sorted(exact[0], key=str), "the fast way differs"
        assert sorted(rows, key=str) == sorted(turned, key=str), "a column was taken for another"
    counted = count_rows(container, segment.partitions[0], segment.attributes)
    assert counted == len(lines), f"{counted} rows are counted and {len(lines)} read"
    return len(rows) > 0, tuple(sorted({bad.code for bad in unreadable}))


def _exactly(segment: object, container: object, names: list[str], folder: Path) -> Loaded:
    """The same without DuckDB's own CSV reader."""
    fast = reader.load_plain  # type: ignore[attr-defined]
    reader.load_plain = lambda *_: False  # type: ignore[attr-defined]
    try:
        return load(segment, container, names, folder)  # type: ignore[arg-type]
    finally:
        reader.load_plain = fast  # type: ignore[attr-defined]
