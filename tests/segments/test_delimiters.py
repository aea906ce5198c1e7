"""The delimiter of a CSV file is found although it is not the declared one."""

from pathlib import Path

import pytest

from shared.model.source import CsvFormat
from tests.segments.segment_files import (
    load,
    load_bytes,
    segment_of,
)
from tests.segments.small_csv_files import counted, header_of


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


@pytest.mark.parametrize(
    ("text", "people"),
    [
        ("EMail;Other;CustomerId;Name\na@example.com;x,y;1;Ann\n", [("1", "a@example.com")]),
        (
            "EMail;CustomerId\na@example.com;1\nb@example.com;2\n",
            [("1", "a@example.com"), ("2", "b@example.com")],
        ),
        ('"EMail"|"CustomerId"\n"a@example.com"|"1"\n', [("1", "a@example.com")]),
        ("e_mail\tcustomerid\n", []),
    ],
)
def test_a_header_with_other_columns_shows_the_delimiter(
    tmp_path: Path, text: str, people: list[tuple[str, str]]
) -> None:
    names = ["CustomerId", "EMail", "Name"]
    segment, container = segment_of(names, ("a.csv", text.encode()))
    got, unreadable = load(segment, container, names[:2], tmp_path)
    assert ([row[2:] for row in got], unreadable) == (people, [])
    assert counted(text.encode(), names, CsvFormat()) == len(people)


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
        ("CustomerId,Name,Phone,Fax,Letter", "1,Ann,Phone;Fax;Letter\n"),
    ],
)
def test_broken_rows_do_not_change_the_delimiter(tmp_path: Path, names: str, text: str) -> None:
    got, unreadable = load_bytes(text.encode(), names.split(","), tmp_path)
    assert (got, [line for line, _ in unreadable]) == ([], [*range(1, text.count("\n") + 1)])


def test_a_broken_first_row_does_not_change_the_delimiter_of_the_others(tmp_path: Path) -> None:
    data = b"c1,Ann,u;2026-01-01\nc2,u;2026-01-02\n"
    got, unreadable = load_bytes(data, ["CustomerId", "Since"], tmp_path)
    assert (got, unreadable) == ([(2, "c2", "u;2026-01-02")], [(1, "rowTooManyColumns")])


@pytest.mark.parametrize("blank", ["  ", "\x1a"])
def test_a_line_without_a_value_does_not_hide_the_delimiter_of_the_file(
    tmp_path: Path, blank: str
) -> None:
    data = f"1;Ann,x;a@example.com\n2;Ben,y;b@example.com\n{blank}\n".encode()
    names = ["CustomerId", "Name", "EMail"]
    got, unreadable = load_bytes(data, names, tmp_path, CsvFormat(header=False))
    rows = [(1, "1", "Ann,x", "a@example.com"), (2, "2", "Ben,y", "b@example.com")]
    assert (got, unreadable) == (rows, [])


def test_a_row_of_one_cell_with_other_marks_is_not_divided(tmp_path: Path) -> None:
    _, unreadable = load_bytes(b"x;y\n1,2\n", ["A", "B"], tmp_path, CsvFormat(header=False))
    assert [line for line, _ in unreadable] == [1]
