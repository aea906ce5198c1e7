"""The header of a CSV file is recognized, and its names decide which column is which attribute."""

from pathlib import Path

import pytest

from shared.errors import InputError
from shared.model.source import CsvFormat
from tests.segments.segment_files import (
    csv_bytes,
    load,
    load_bytes,
    parquet_bytes,
    segment_of,
)
from tests.segments.small_csv_files import counted, header_of


def test_a_header_is_recognized_by_the_attribute_names(tmp_path: Path) -> None:
    assert header_of(b"a,B \n1,2\n", ["A", "B"], tmp_path, None) == [(2, "1", "2")]
    assert header_of(b"1,2\n3,4\n", ["A", "B"], tmp_path, None) == [(1, "1", "2"), (2, "3", "4")]


def test_a_header_in_another_order_overrides_the_model(tmp_path: Path) -> None:
    assert header_of(b"B,extra,A\n2,x,1\n", ["A", "B"], tmp_path, True) == [(2, "1", "2")]


@pytest.mark.parametrize("flag", [True, False, None])
@pytest.mark.parametrize(
    "header",
    [
        "city,customer_id,e-mail,FIRST NAME",
        "City,Customer Id,E_Mail,First-Name",
        "\u200bcity,CustomerId\u200b,EMail,First\u00a0Name",
    ],
)
def test_names_in_a_header_may_be_divided_differently(
    tmp_path: Path, header: str, flag: bool | None
) -> None:
    names = ["CustomerId", "EMail", "FirstName", "City"]
    data = f"{header}\nSeoul,1,ann@example.com,Ann\n".encode()
    assert header_of(data, names, tmp_path, flag) == [(2, "1", "ann@example.com", "Ann", "Seoul")]


def test_names_that_differ_in_their_separators_only_are_distinguished(tmp_path: Path) -> None:
    names = ["first_name", "FirstName", "EMail"]
    data = b"EMail,FirstName,first_name\nann@example.com,A,B\n"
    assert header_of(data, names, tmp_path, None) == [(2, "B", "A", "ann@example.com")]


def test_a_header_with_one_known_name_in_another_place_is_no_row_of_a_person(
    tmp_path: Path,
) -> None:
    names = ["CustomerId", "EMail", "FirstName", "City"]
    data = "고객번호,이메일,City,이름\n1,ann@example.com,Seoul,Ann\n".encode()
    with pytest.raises(InputError, match="no column CustomerId"):
        header_of(data, names, tmp_path, None)


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


@pytest.mark.parametrize("written", ["name", "na-me"])
@pytest.mark.parametrize("packed", ["csv", "parquet"])
def test_a_similar_name_that_a_file_has_twice_is_refused_if_it_is_read(
    tmp_path: Path, packed: str, written: str
) -> None:
    data = csv_bytes([["EMail", written, written], ["a@example.com", "Ann", "Lee"]])
    if packed == "parquet":
        columns = f"'Ann' AS \"{written[:-1]}1\", 'Lee' AS \"{written[:-1]}2\""
        data = parquet_bytes(tmp_path, f"SELECT 'a@example.com' AS \"EMail\", {columns}")
        for number in b"12":
            data = data.replace(written[:-1].encode() + bytes([number]), written.encode())
    segment, container = segment_of(["EMail", "Name"], ("a.csv", data))
    with pytest.raises(InputError, match="more than one column Name"):
        load(segment, container, ["EMail", "Name"], tmp_path)


@pytest.mark.parametrize("columns", [("e-mail", "e_mail"), ("Email", "EMAIL")])
def test_two_columns_that_match_an_attribute_equally_well_are_refused_if_it_is_read(
    tmp_path: Path, columns: tuple[str, str]
) -> None:
    data = csv_bytes([["Name", *columns], ["Ann", "a@example.com", "other@example.com"]])
    segment, container = segment_of(["Name", "EMail"], ("a.csv", data))
    got, _ = load(segment, container, ["Name"], tmp_path)
    assert [row[2:] for row in got] == [("Ann",)]
    with pytest.raises(InputError, match="more than one column EMail") as caught:
        load(segment, container, ["Name", "EMail"], tmp_path)
    assert caught.value.code == "columnTwice"


@pytest.mark.parametrize("packed", ["csv", "parquet"])
def test_a_column_with_the_name_of_another_attribute_is_not_read_for_a_similar_one(
    tmp_path: Path, packed: str
) -> None:
    data = csv_bytes([["EMail", "first_name"], ["a@example.com", "Ann"]])
    if packed == "parquet":
        data = parquet_bytes(tmp_path, "SELECT 'a@example.com' AS \"EMail\", 'Ann' AS first_name")
    names = ["EMail", "first_name", "FirstName"]
    segment, container = segment_of(names, ("a.csv", data), form=CsvFormat(header=True))
    got, _ = load(segment, container, ["EMail", "first_name"], tmp_path)
    assert [row[2:] for row in got] == [("a@example.com", "Ann")]
    with pytest.raises(InputError, match="no column FirstName"):
        load(segment, container, ["EMail", "FirstName"], tmp_path)


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


@pytest.mark.parametrize("delimiter", [",", ";"])
@pytest.mark.parametrize("before", ["sep={}\n", "Gold members\n\n"])
def test_a_header_after_other_rows_may_have_fewer_columns_than_the_model(
    tmp_path: Path, before: str, delimiter: str
) -> None:
    names = ["CustomerId", "EMail", "FirstName"]
    rows = csv_bytes([names[1::-1], ["a@example.com", "1"]], delimiter=delimiter)
    data = before.format(delimiter).encode() + rows
    segment, container = segment_of(names, ("a.csv", data))
    got, unreadable = load(segment, container, names[:2], tmp_path)
    assert ([row[2:] for row in got], unreadable) == ([("1", "a@example.com")], [])
    assert counted(data, names, CsvFormat()) == 1


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


def test_a_multi_line_header_is_one_row(tmp_path: Path) -> None:
    names = ["A\nB", "C"]
    assert header_of(csv_bytes([names, ["1", "2"]]), names, tmp_path, True) == [(3, "1", "2")]
    assert header_of(csv_bytes([names, ["1", "2"]]), ["A B", "C"], tmp_path, None) == [
        (3, "1", "2")
    ]


@pytest.mark.parametrize("header", ["CustomerId,EMail,City\n", "City,EMail,CustomerId\n", ""])
@pytest.mark.parametrize("end", ["", "\n  \n\x1a"])
def test_rows_may_end_with_a_delimiter_that_the_header_does_not_have(
    tmp_path: Path, header: str, end: str
) -> None:
    names = ["CustomerId", "EMail", "City"]
    rows = ["1,a@example.com,Seoul,", "2,b@example.com,,", "3,c@example.com,Busan, "]
    if header.startswith("City"):
        rows = ["Seoul,a@example.com,1,", ",b@example.com,2,", "Busan,c@example.com,3,"]
    data = (header + "\n".join(rows) + end).encode()
    got, unreadable = load_bytes(data, names, tmp_path)
    assert ([row[1:] for row in got], unreadable) == (
        [
            ("1", "a@example.com", "Seoul"),
            ("2", "b@example.com", None),
            ("3", "c@example.com", "Busan"),
        ],
        [],
    )
    assert counted(data, names, CsvFormat()) == 3


@pytest.mark.parametrize(
    ("last", "code"),
    [
        ("20,z@example.com,Lee,Ann", "rowTooManyColumns"),
        ("20,z@example.com,Lee,Ann,", "rowTooManyColumns"),
        ("20,z@example.com,", "rowTooFewColumns"),
    ],
)
def test_a_row_with_other_cells_than_the_rows_that_end_with_a_delimiter_is_refused(
    tmp_path: Path, last: str, code: str
) -> None:
    names = ["CustomerId", "EMail", "Name"]
    rows = ["CustomerId,EMail,Name", *(f"{n},p{n}@example.com,N," for n in range(18)), last]
    got, unreadable = load_bytes("\n".join(rows).encode(), names, tmp_path)
    assert (len(got), unreadable) == (18, [(20, code)])


def test_a_single_row_with_one_more_cell_is_refused_even_if_it_is_empty(tmp_path: Path) -> None:
    data = b"CustomerId,EMail,Name,City\n1,a@example.com,Lee, Ann,\n"
    got, unreadable = load_bytes(data, ["CustomerId", "EMail", "Name", "City"], tmp_path)
    assert (got, unreadable) == ([], [(2, "rowTooManyColumns")])
