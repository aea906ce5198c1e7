"""The order of dates and the decimal mark are found in a whole column, in all digits that values are converted from."""

from __future__ import annotations

import pytest

from shared.fields import values
from shared.model.source import COMMA, DAY_FIRST, MONTH_FIRST, Attribute, LoadedSegment
from shared.planning.reading.source_values import SourceValues, define_digit_macros
from shared.workspace import workspace


def column(*values: str) -> Attribute:
    """The facts about a column with these values."""
    found = SourceValues()
    with workspace() as (db, scratch):
        define_digit_macros(db)
        db.execute("CREATE TABLE segment_rows (c0 VARCHAR, c1 VARCHAR, c2 VARCHAR)")
        db.executemany(
            "INSERT INTO segment_rows VALUES ('a@example.com', '1', ?)", [[v] for v in values]
        )
        found.add(db, ["Value"], LoadedSegment(), scratch)
    return found.attributes([Attribute("Value")])[0]


@pytest.mark.parametrize(
    "shows",
    [
        "25/06/1980",
        "２５／０６／１９８０",
        "٢٥/٠٦/١٩٨٠",
        "۲۵/۰۶/۱۹۸۰",
        "25\u201106\u20111980",
        "25\u221206\u22121980",
        "\u200e25\u200e/\u200e06\u200e/\u200e1980",
        "25\u061c/06\u061c/1980",
        "\u200f25/06/1980",
        "\u202a25/06/1980\u202c",
        "\u061c25/06/1980",
        "\u202b25/06/1980\u202c",
        "\u202d25/06/1980\u202c",
        "\u206825/06/1980\u2069",
        "\ufeff25/06/1980",
        "25\u200b/\u206006/1980",
        "\u00a025/06/1980 ",
        "25.06.",
        "25. 6. ",
        "２５．０６．",
    ],
)
def test_a_date_shows_the_order_of_its_column_in_any_digits_and_hyphens(shows: str) -> None:
    assert column("05/06/1980", shows, "", "Ada", "é", "홍길동").date_order == DAY_FIRST
    assert column(shows).date_order == DAY_FIRST


def test_all_invisible_characters_that_are_removed_from_values_are_ignored() -> None:
    with workspace() as (db, _):
        define_digit_macros(db)
        text = "2".join(map(chr, sorted(values._INVISIBLE)))
        found = db.execute("SELECT with_ascii_digits($text)", {"text": text}).fetchall()
    assert found == [("2" * (len(values._INVISIBLE) - 1),)]


def test_the_only_date_of_a_column_may_have_other_hyphens() -> None:
    assert column("25\u201106\u20111980").date_order == DAY_FIRST
    assert column("06\u201325\u20131980").date_order == MONTH_FIRST


def test_a_column_without_a_date_that_shows_the_order_has_none() -> None:
    assert column("٠٥/٠٦/١٩٨٠", "5/6/1980", "June", "٢٥").date_order == ""
    assert column("٠٦/٢٥/١٩٨٠").date_order == MONTH_FIRST
    assert column("5. 6.", "06. 25.").date_order == MONTH_FIRST
    assert column("5. 6.", "25.6", "1980. 6. 25.").date_order == ""


@pytest.mark.parametrize("shows", ["1,5", "１，５", "١,٥", "\u200e1,5", "\u22121,5"])
def test_a_number_shows_the_decimal_mark_of_its_column_in_any_digits(shows: str) -> None:
    assert column("1.234", shows).decimal_mark == COMMA
    assert column(shows).decimal_mark == COMMA
