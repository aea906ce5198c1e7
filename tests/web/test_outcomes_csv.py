"""outcomes.csv in a spreadsheet: no formulas, no hidden text, one row per row."""

import csv
import io

import pytest

from shared.runs.outcomes import OutcomeRow
from shared.web.csv_files import neutral
from shared.web.outcomes_csv import outcomes_csv


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(1)", "'@SUM(1)"),
        ("\t=1", "'\t'=1"),
        ("\rx", "'\rx"),
        ("\nx", "'\nx"),
        ("  =1", "'  =1"),
        ("\u00a0\ufeff=1", "'\u00a0\ufeff=1"),
        ("＝1", "'＝1"),
        ("\0=1", "\ufffd=1"),
        # Where semicolons divide cells
        ("Gold; =cmd", "Gold;' =cmd"),
        ("a;-1;@b", "a;'-1;'@b"),
        ("a|=1", "a|'=1"),
        ("x\n=1", "x\n'=1"),
        # Not a formula
        ("", ""),
        ("a=1", "a=1"),
        ("a@b.de", "a@b.de"),
        ("Gold; Silver", "Gold; Silver"),
        ("김철수", "김철수"),
        # What hides something
        ("gpj\u202eexe", "gpj\ufffdexe"),
        ("a\x07b\x85", "a\ufffdb\ufffd"),
        ("\ud800", "\ufffd"),
    ],
)
def test_values_that_a_spreadsheet_would_evaluate_or_hide_are_text(cell: str, shown: str) -> None:
    assert neutral(cell) == shown


def test_every_row_is_one_row_regardless_of_its_cells() -> None:
    nasty = ['"', '","', "a\r\nb", "a\0b", "=1", ";=1", "\u2028", "\x1a", "x" * 300, "'"]
    rows = [OutcomeRow(cell, cell, (cell, cell), "rejected", "", "") for cell in nasty]
    data = outcomes_csv(iter(rows), "en")
    text = data.decode("utf-8-sig")
    header, *found = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert [len(row) for row in found] == [len(header)] * len(nasty)
    assert [row[1] for row in found] == [neutral(cell) for cell in nasty]
    assert not set(text) & set("\0\x1a")
