"""Rows become members with normalized addresses and converted values, and no person is lost."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.mailchimp import state as mailchimp
from sandbox.mailchimp import values as mailchimp_values
from shared.errors import ConfigError
from shared.fields.address import address_fault, normal_address
from shared.fields.contact import Converter, Dropped
from shared.fields.merge_fields import (
    find_field,
    missing_choices,
    proper_tag,
    required_without_attribute,
)
from shared.model.audience import MergeField
from shared.model.export import AttributeMapping, FieldToCreate, Mapping
from shared.model.outcome import Code
from shared.model.source import Attribute, LoadedSegment, SegmentSnapshot, Snapshot
from shared.planning.people import SourceColumns, read_people
from tests import reused_databases
from tests.inserted_rows import insert_rows

LABEL_63 = "a" * 63

GOOD = {
    "ada@example.org": "ada@example.org",
    "  Ada.Lovelace+News@Example.ORG \r\n": "ada.lovelace+news@example.org",
    "\u00a0ada@example.org\u200b": "ada@example.org",
    "\ufeffada@example.org\u3000": "ada@example.org",
    "o'hara@example.org": "o'hara@example.org",
    "a@b.co": "a@b.co",
    "a_b-c!#$%&*/=?^`{|}~@mail.example.co.uk": "a_b-c!#$%&*/=?^`{|}~@mail.example.co.uk",
    "x@xn--bcher-kva.example": "x@xn--bcher-kva.example",
    "Info@Müller.DE": "info@xn--mller-kva.de",
    "user@한국.kr": "user@xn--3e0b707e.kr",
    "ada@bücher.example": "ada@xn--bcher-kva.example",
    "ada@example。org": "ada@example.org",
    "ada@ｅxample.org": "ada@example.org",
    "ada@straße.de": "ada@xn--strae-oqa.de",
    "ada@exаmple.org": "ada@xn--exmple-4nf.org",
    "x@123.example.org": "x@123.example.org",
    f"{'l' * 64}@example.org": f"{'l' * 64}@example.org",
    f"x@{LABEL_63}.org": f"x@{LABEL_63}.org",
}
MALFORMED = [
    "ada",
    "ada@",
    "@example.org",
    "ada@@example.org",
    "ada@home@example.org",
    "ada example@example.org",
    "ada@exam ple.org",
    "ada\t@example.org",
    "ada@example\n.org",
    "ada\u200b@example.org",
    "ada@example",
    "ada@example.",
    "ada@.example.org",
    "ada@example..org",
    ".ada@example.org",
    "ada.@example.org",
    "ad..a@example.org",
    "ada@-example.org",
    "ada@example-.org",
    "ada@example.o",
    "ada@example.123",
    "ada@192.168.0.1",
    "ada@[192.168.0.1]",
    "ada@exa_mple.org",
    "Ada <ada@example.org>",
    "mailto:ada@example.org",
    "ada@example.org,eve@example.org",
    "ada@example.org;",
    '"ada"@example.org',
    "ada(comment)@example.org",
    "müller@example.org",
    "аda@example.org",
    "ada@exa\u200dmple.org",
    "ada@\U0001f600.example",
    "müller@müller.de",
    "ada@müller@müller.de",
    "\u212aelvin@example.org",
    "ａｄａ@example.org",
    "ada\x00@example.org",
    f"{'l' * 65}@example.org",
    f"x@{LABEL_63}a.org",
    f"{'l' * 64}@{'.'.join([LABEL_63] * 3)}.org",
]
MISSING = [None, "", "   ", "\u00a0\u200b\t"]


@pytest.mark.parametrize(("given_", "expected"), GOOD.items())
def test_an_address_is_trimmed_and_lowercased_only(given_, expected):
    assert address_fault(given_) is None
    assert normal_address(given_) == expected


@pytest.mark.parametrize("address", MALFORMED)
def test_an_impossible_address_is_malformed(address):
    assert address_fault(address) is Code.ADDRESS_MALFORMED
    assert normal_address(address) is None


@pytest.mark.parametrize("address", MISSING)
def test_a_blank_address_is_missing(address):
    assert address_fault(address) is Code.ADDRESS_MISSING
    assert normal_address(address) is None


addresses = st.one_of(
    st.emails(),
    st.text(alphabet="aA1.@-_+ \u00a0\u200b\u212aé\n\t'\"", max_size=12),
    st.from_regex(r"[a-z.]{1,4}@[a-z.-]{1,6}\.[a-z0-9-]{1,3}", fullmatch=True),
)


@given(addresses)
def test_a_normal_address_is_unchanged_and_accepted_by_mailchimp(address):
    normal = normal_address(address)
    if normal is not None:
        assert normal_address(normal) == normal
        assert normal == normal.lower().strip()
        assert mailchimp_values.address_is_valid(normal)


class Rows:
    """A source with one segment, from a list."""

    def __init__(self, addresses):
        self.addresses = addresses

    def snapshot(self, segments):
        raise NotImplementedError

    def load(self, connection, segment, columns, table, scratch):
        rows = [("f", line, text, None) for line, text in enumerate(self.addresses, 2)]
        insert_rows(connection, table, rows)
        return LoadedSegment()


def planned(addresses, tmp_path):
    """Line of the list -> normal address or code, by the SQL of the plan."""
    attributes = (Attribute("Email"), Attribute("Id"))
    segment = SegmentSnapshot("s", "S", attributes, (), "Id")
    with reused_databases.connect() as db:
        read_people(db, Snapshot((segment,)), Rows(addresses), SourceColumns("Email"), tmp_path)
        rejected = dict(db.execute("SELECT line, code FROM rejects").fetchall())
        people = {row[0] for row in db.execute("SELECT address FROM people").fetchall()}
    return rejected, people


def test_the_sql_of_the_plan_applies_the_same_rule(tmp_path):
    examples = [*GOOD, *MALFORMED, *MISSING]
    rejected, people = planned(examples, tmp_path)
    expected = {n: address_fault(text) for n, text in enumerate(examples, 2)}
    assert rejected == {n: str(code) for n, code in expected.items() if code}
    assert people == {normal_address(text) for text in examples} - {None}


@settings(max_examples=15)
@given(st.lists(addresses, max_size=200, unique=True))
def test_the_sql_of_the_plan_applies_the_same_rule_to_any_input(tmp_path_factory, texts):
    rejected, people = planned(texts, tmp_path_factory.getbasetemp())
    expected = {n: address_fault(text) for n, text in enumerate(texts, 2)}
    assert rejected == {n: str(code) for n, code in expected.items() if code}
    assert people == {normal_address(text) for text in texts} - {None}


def field(kind, tag="X", number=9, required=False, **options):
    return MergeField(number, tag, f"Name of {tag}", kind, required, options)


def convert(
    kind,
    text,
    data_type="string",
    clear=False,
    required=False,
    date_order="",
    decimal_mark="",
    **options,
):
    mapping = Mapping("Email", attributes=(AttributeMapping("a", "X"),))
    attribute = Attribute("a", data_type, date_order=date_order, decimal_mark=decimal_mark)
    converter = Converter(mapping, [attribute], [field(kind, required=required, **options)])
    fields, dropped = converter.convert([text], clear)
    return fields.get("X"), [why.reason for why in dropped]


CONVERSIONS = [
    ("text", " Ada ", "Ada"),
    ("text", "Zoë 한국 🎈", "Zoë 한국 🎈"),
    ("text", "1974-08-01T00:00:00Z", "1974-08-01T00:00:00Z"),
    ("number", "42", 42),
    ("number", "-3.50", -3.5),
    ("number", "+7", 7),
    ("number", "1e3", 1000),
    ("number", ".5", 0.5),
    ("number", "12,5", 12.5),
    ("number", "0,125", 0.125),
    ("number", "1,234.56", 1234.56),
    ("number", "1.234,56", 1234.56),
    ("number", "1,234,567", 1234567),
    ("number", "1.234.567", 1234567),
    ("number", "1 234,5", 1234.5),
    ("number", "1\u00a0234\u00a0567", 1234567),
    ("number", "1'234.5", 1234.5),
    ("number", "\u22125", -5),
    ("date", "1974-08-01", "1974-08-01"),
    ("date", "1974-08-01T00:00:00Z", "1974-08-01"),
    ("date", "1974-08-01T23:30:00.0000000-08:00", "1974-08-01"),
    ("date", "1974-08-01 12:00:00", "1974-08-01"),
    ("date", "1974/8/1", "1974-08-01"),
    ("date", "29 Feb 1980", "1980-02-29"),
    ("date", "February 29, 1980", "1980-02-29"),
    ("date", "29-FEB-1980", "1980-02-29"),
    ("date", "Mar 1st, 1980 08:00", "1980-03-01"),
    ("date", "1. März 1980", "1980-03-01"),
    ("date", "1er mars 1980".replace("er", ""), "1980-03-01"),
    ("date", "1 de marzo de 1980", "1980-03-01"),
    ("date", "08/08/1974", "1974-08-08"),
    ("date", "31/12/1974", "1974-12-31"),
    ("date", "31-12-1974", "1974-12-31"),
    ("date", "12-31-1974", "1974-12-31"),
    ("date", "08-08-1974", "1974-08-08"),
    ("date", "1.8.1974", "1974-08-01"),
    ("date", "01. 08. 1974", "1974-08-01"),
    ("date", "19740801", "1974-08-01"),
    ("date", "1974. 8. 1.", "1974-08-01"),
    ("date", "1974년 8월 1일", "1974-08-01"),
    ("date", "1974年8月1日", "1974-08-01"),
    ("date", "1974-08-01 오전 12:00:00", "1974-08-01"),
    ("date", "1974. 8. 1. (목) 오후 3:05", "1974-08-01"),
    ("date", "1974년 8월 1일 목요일 10:30", "1974-08-01"),
    ("date", "1974年8月1日 木曜日", "1974-08-01"),
    ("date", "Thu, 01 Aug 1974 00:00:00 GMT", "1974-08-01"),
    ("date", "Donnerstag, 1. August 1974", "1974-08-01"),
    ("date", "Thursday, August 1, 1974", "1974-08-01"),
    ("date", "01.08.1974 10:30 Uhr", "1974-08-01"),
    ("date", "1974-08-01T00:00:00+09:00[Asia/Seoul]", "1974-08-01"),
    ("date", "1.8.1974 0.00.00", "1974-08-01"),
    ("date", "31-12-1974 12.30", "1974-12-31"),
    ("date", "9999-12-31T00:00:00", "9999-12-31"),
    ("birthday", "1604-08-01", "08/01"),
    ("birthday", "2월 29일", "02/29"),
    ("birthday", "8月1日", "08/01"),
    ("date", "2000-02-29", "2000-02-29"),
    ("birthday", "1974-08-01T00:00:00Z", "08/01"),
    ("birthday", "8/8/1974", "08/08"),
    ("birthday", "29 Feb", "02/29"),
    ("birthday", "Feb 29", "02/29"),
    ("birthday", "31/12", "12/31"),
    ("birthday", "--08-01", "08/01"),
    ("birthday", "1.8.", "08/01"),
    ("birthday", "02/29", "02/29"),
    ("phone", "+82 2-1234-5678", "+82 2-1234-5678"),
    ("phone", "(030) 123456 ext. 7", "(030) 123456 ext. 7"),
    ("zip", "02139", "02139"),
    ("zip", "02139-4307", "02139"),
    ("url", "https://example.org/a?b=c", "https://example.org/a?b=c"),
    ("url", "www.example.org", "https://www.example.org"),
    (
        "url",
        "https://müller.de:8/ä?q=ü%20b#é",
        "https://xn--mller-kva.de:8/%C3%A4?q=%C3%BC%20b#%C3%A9",
    ),
    ("imageurl", "http://example.org/a.png", "http://example.org/a.png"),
    ("something new", "x", "x"),
]


@pytest.mark.parametrize(("kind", "text", "expected"), CONVERSIONS)
def test_values_are_converted_to_the_type_of_their_field(kind, text, expected):
    sent, dropped = convert(kind, text)
    assert (sent, type(sent), dropped) == (expected, type(expected), [])


DROPPED = [
    ("number", "n/a", "notANumber"),
    ("number", "12 apples", "notANumber"),
    ("number", "NaN", "notANumber"),
    ("number", "inf", "notANumber"),
    ("number", "1e400", "notANumber"),
    ("number", "12345678901234567890", "notANumber"),
    ("number", "true", "notANumber"),
    ("number", "1,234", "numberAmbiguous"),
    ("number", "1.234", "numberAmbiguous"),
    ("number", "-12.000", "numberAmbiguous"),
    ("number", "1.12.345", "notANumber"),
    ("number", "1,2,3", "notANumber"),
    ("number", "١٢", "notANumber"),
    ("date", "soon", "notADate"),
    ("date", "1974-02-30", "notADate"),
    ("date", "2001-02-29", "notADate"),
    ("date", "1/2/74", "notADate"),
    ("date", "01-02-1974", "dateAmbiguous"),
    ("date", "8/1/1974", "dateAmbiguous"),
    ("date", "08/01/1974 12:00:00 AM", "dateAmbiguous"),
    ("date", "30 Feb 1980", "notADate"),
    ("date", "1 Foo 1980", "notADate"),
    ("birthday", "8/1", "dateAmbiguous"),
    ("birthday", "8-1", "dateAmbiguous"),
    ("date", "0000-00-00", "notADate"),
    ("date", "28/2/2563 0:00:00", "notADate"),
    ("date", "1399/12/10", "notADate"),
    ("date", "1074-08-01", "notADate"),
    ("date", "99999999", "notADate"),
    ("birthday", "August", "notABirthday"),
    ("birthday", "13/32", "notABirthday"),
    ("birthday", "02/30", "notABirthday"),
    ("phone", "call me", "notAPhoneNumber"),
    ("phone", "12", "notAPhoneNumber"),
    ("zip", "SW1A 1AA", "notAZipCode"),
    ("zip", "2139", "notAZipCode"),
    ("url", "example", "notAnAddress"),
    ("url", "javascript:alert(1)", "notAnAddress"),
    ("url", "https://exa mple.org", "notAnAddress"),
    ("url", "https://müller.de und mehr", "notAnAddress"),
    ("url", "https://example.org/" + "a" * 255, "notAnAddress"),
    ("address", "somewhere", "notACompleteAddress"),
    ("address", "1 Main St, Boston", "notACompleteAddress"),
    ("address", '{"street": "1 Main St", "city": "Boston"}', "notACompleteAddress"),
    ("address", "{", "notACompleteAddress"),
    ("address", "{}", "notACompleteAddress"),
]


@pytest.mark.parametrize(("kind", "text", "reason"), DROPPED)
def test_an_unfit_value_is_dropped_and_reported(kind, text, reason):
    assert convert(kind, text) == (None, [reason])
    assert convert(kind, text, clear=True) == (None, [reason])


@pytest.mark.parametrize(
    ("data_type", "mark", "point", "comma"),
    [
        ("string", "", None, None),
        ("string", "point", 1.234, 1234),
        ("string", "comma", 1234, 1.234),
        # Without a culture, numbers of the Common Data Model have a decimal point.
        ("decimal", "", 1.234, None),
        ("double", "comma", 1234, 1.234),
        ("decimal(18,3)", "", 1.234, None),
        # Whole numbers have no decimal mark.
        ("int64", "", None, 1234),
        ("int64", "point", None, 1234),
        ("int64", "comma", 1234, None),
    ],
)
def test_a_mark_before_three_digits_is_read_only_if_it_is_known(data_type, mark, point, comma):
    for text, expected in (("1.234", point), ("1,234", comma)):
        dropped = ["numberAmbiguous"] if expected is None else []
        assert convert("number", text, data_type, decimal_mark=mark) == (expected, dropped)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.234,56", 1234.56),
        ("1,234.56", 1234.56),
        ("1 234,56", 1234.56),
        ("1\u202f234,56", 1234.56),
        ("1\u00a0234", 1234),
        ("1\u2019234.5", 1234.5),
        ("12,34,567.5", 1234567.5),
        ("1.234.567", 1234567),
        ("1234,567", 1234.567),
        ("1234.567", 1234.567),
        ("0.125", 0.125),
        ("0,125", 0.125),
        ("1.234E+03", 1234),
        ("1,234E+03", 1234),
        ("\u2212,5", -0.5),
    ],
)
@pytest.mark.parametrize("mark", ["", "point", "comma"])
def test_a_number_that_can_be_read_in_one_way_needs_no_mark(text, expected, mark):
    assert convert("number", text, decimal_mark=mark) == (expected, [])


@pytest.mark.parametrize(
    ("text", "expected"), [("True", "true"), ("0", "false"), ("yes", "true"), ("maybe", "maybe")]
)
def test_a_boolean_is_sent_as_text(text, expected):
    assert convert("text", text, "boolean") == (expected, [])
    assert convert("text", "True", "string") == ("True", [])


def test_a_birthday_is_written_in_the_field_s_own_order():
    assert convert("birthday", "1974-08-31", date_format="DD/MM") == ("31/08", [])
    assert convert("birthday", "1974-08-31", date_format="MM/DD") == ("08/31", [])


@pytest.mark.parametrize(
    ("kind", "text", "day_first", "month_first"),
    [
        ("date", "05/06/1980", "1980-06-05", "1980-05-06"),
        ("date", "05-06-1980", "1980-06-05", "1980-05-06"),
        ("date", "5/6/1980 00:00:00", "1980-06-05", "1980-05-06"),
        ("date", "25/06/1980", "1980-06-25", None),
        ("date", "06/25/1980", None, "1980-06-25"),
        ("date", "1980-05-06", "1980-05-06", "1980-05-06"),
        ("date", "5.6.1980", "1980-06-05", "1980-06-05"),
        ("birthday", "05/06", "06/05", "05/06"),
        ("birthday", "05/06/1980", "06/05", "05/06"),
        ("birthday", "--05-06", "05/06", "05/06"),
    ],
)
def test_a_column_of_dates_is_read_in_one_order(kind, text, day_first, month_first):
    assert convert(kind, text, date_order="dayFirst")[0] == day_first
    assert convert(kind, text, date_order="monthFirst")[0] == month_first


@pytest.mark.parametrize(
    ("kind", "text", "form", "own", "chosen", "expected"),
    [
        ("date", "05/06/1980", "date_order", "monthFirst", "dayFirst", "1980-06-05"),
        ("number", "1.234", "decimal_mark", "point", "comma", 1234),
    ],
)
def test_the_form_that_an_export_chooses_counts_more_than_that_of_the_attribute(
    kind, text, form, own, chosen, expected
):
    mapping = Mapping("EMail", attributes=(AttributeMapping("a", "X", **{form: chosen}),))
    converter = Converter(mapping, [Attribute("a", **{form: own})], [field(kind)])
    assert converter.convert([text], clear=False) == ({"X": expected}, [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(617) 555-0123", "617-555-0123"),
        ("06 12 34 56 78", None),
        ("0049 30 1234", None),
        ("044 668 18 00", None),
        ("98765 43210", None),
        ("010-1234-5678", None),
        ("617-555-0123 ext. 7", None),
        ("+1 617.555.0123", "617-555-0123"),
        ("16175550123", "617-555-0123"),
        ("+82 2-1234-5678", None),
        ("+6175550123", None),
        ("555-0123", None),
    ],
)
def test_a_us_phone_field_accepts_us_numbers_only(text, expected):
    sent, dropped = convert("phone", text, phone_format="US")
    assert sent == expected
    assert dropped == ([] if expected else ["notAUsPhoneNumber"])


@pytest.mark.parametrize("kind", ["radio", "dropdown"])
def test_a_choice_is_matched_case_insensitively_and_sent_as_defined(kind):
    choices = ["Gold", "Silver  Plus", "Straße"]
    assert convert(kind, " gold ", choices=choices) == ("Gold", [])
    assert convert(kind, "silver plus", choices=choices) == ("Silver  Plus", [])
    assert convert(kind, "STRASSE", choices=choices) == ("Straße", [])
    assert convert(kind, "Bronze", choices=choices) == (None, ["notAChoice"])
    assert convert(kind, "Bronze") == (None, ["notAChoice"])


def test_a_boolean_finds_its_choice():
    assert convert("radio", "true", "boolean", choices=["Yes", "No"]) == ("Yes", [])
    assert convert("radio", "0", "boolean", choices=["Yes", "No"]) == ("No", [])
    assert convert("radio", "true", choices=["Yes", "No"]) == (None, ["notAChoice"])


BOSTON = {"addr1": "1 Main St", "city": "Boston", "state": "MA", "zip": "02139"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 Main St, Boston, MA 02139", BOSTON),
        ("1 Main St\nBoston\nMA 02139\nUS", BOSTON | {"country": "US"}),
        ("1 Main St, Flat 2, Boston, MA 02139", BOSTON | {"addr2": "Flat 2"}),
        ("1 Main St; Boston; MA; 02139", BOSTON),
        (
            '{"street": "1 Main St", "City": "Boston", "state": "MA", "postal_code": 2139, "x": 1}',
            BOSTON | {"zip": "2139"},
        ),
        (
            '{"addr1": "1 Main St", "addr2": "", "city": "Boston", "state": "MA", '
            '"zip": "02139", "country": "US"}',
            BOSTON | {"country": "US"},
        ),
    ],
)
def test_a_structured_address_is_split_into_its_parts(text, expected):
    assert convert("address", text) == (expected, [])


@pytest.mark.parametrize(
    ("text", "state", "code"),
    [
        ("1 Rideau St, Ottawa, ON K1M 1M4, Canada", "ON", "K1M 1M4"),
        ("1 Rideau St, Ottawa, Ontario K1M1M4", "Ontario", "K1M1M4"),
        ("1 Main St, Springfield, New York 12345-6789", "New York", "12345-6789"),
        ("1 George St, Sydney, NSW 2000, Australia", "NSW", "2000"),
    ],
)
def test_an_address_line_is_divided_if_its_state_and_postal_code_match(text, state, code):
    sent, dropped = convert("address", text)
    assert (sent["state"], sent["zip"], dropped) == (state, code, [])


@pytest.mark.parametrize(
    "text",
    [
        "10 Downing Street, London, SW1A 2AA, UK",
        "10 Downing Street, Westminster, London, SW1A 2AA",
        "Musterstr. 1, Kreuzberg, Berlin 10115",
        "1 Rideau St, Ottawa, ON 12345",
        "1 Main St, Boston, MA K1M 1M4",
        "1 Rue X, Paris, 75001 Paris",
        "서울특별시 종로구, 세종대로 1, 03154",
    ],
)
def test_an_address_line_in_another_order_is_not_guessed(text):
    assert convert("address", text) == (None, ["notACompleteAddress"])


PARTS = {"Street": "addr1", "Flat": "addr2", "City": "city", "State": "state", "Code": "zip"}


def of_parts(values, clear=False, kind="address"):
    attributes = tuple(AttributeMapping(name, "X", part=part) for name, part in PARTS.items())
    converter = Converter(
        Mapping("EMail", attributes=attributes), [Attribute(name) for name in PARTS], [field(kind)]
    )
    fields, dropped = converter.convert(values, clear)
    return fields.get("X"), [(why.field, why.reason) for why in dropped]


def test_an_address_is_combined_from_several_attributes():
    whole = ["10 Downing Street", None, "London", "Greater London", "SW1A 2AA"]
    assert of_parts(whole) == (
        {
            "addr1": "10 Downing Street",
            "city": "London",
            "state": "Greater London",
            "zip": "SW1A 2AA",
        },
        [],
    )
    assert of_parts([*whole[:3], "", "SW1A 2AA"]) == (None, [("X", "notACompleteAddress")])
    assert of_parts([""] * 5) == (None, [])
    assert of_parts([""] * 5, clear=True) == ("", [])
    assert of_parts(["", "", "London", "", ""], clear=True)[1] == [("X", "notACompleteAddress")]


@pytest.mark.parametrize("letter", ["a", "ä", "한", "🎈"])
def test_a_too_long_text_is_truncated_between_characters_and_reported(letter):
    whole = letter * (255 // len(letter.encode()))
    assert convert("text", whole) == (whole, [])
    sent, dropped = convert("text", whole + letter)
    assert (sent, dropped) == (whole, ["cut"])


def test_an_empty_value_clears_an_optional_field_only_if_configured():
    assert convert("text", "", clear=True) == ("", [])
    assert convert("address", "", clear=True) == ("", [])
    for empty in ("", "  ", "\u00a0", None):
        assert convert("text", empty, clear=False) == (None, [])
        kept = ["requiredNotEmptied"] if empty == "" else []
        assert convert("text", empty, clear=True, required=True) == (None, kept)
    for left_alone in ("  ", "\u00a0", None):
        assert convert("text", left_alone, clear=True) == (None, [])


SANDBOX_TYPES = {
    "text": {},
    "number": {},
    "address": {},
    "phone": {"phone_format": "none"},
    "date": {"date_format": "MM/DD/YYYY"},
    "birthday": {"date_format": "DD/MM"},
    "zip": {},
    "url": {},
    "imageurl": {},
    "radio": {"choices": ["Yes", "No"]},
}
any_value = st.one_of(
    st.text(max_size=300),
    st.from_regex(r"[0-9.,/ :TZ+-]{1,20}", fullmatch=True),
    st.dates().map(str),
    st.datetimes().map(lambda moment: f"{moment:%m/%d/%Y %I:%M:%S %p}"),
    st.floats().map(str),
    st.integers().map(str),
    st.sampled_from([text for _, text, *_ in [*CONVERSIONS, *DROPPED]]),
)


@given(st.sampled_from(sorted(SANDBOX_TYPES)), any_value, st.booleans())
def test_mailchimp_accepts_all_converted_values(kind, text, american):
    options = dict(SANDBOX_TYPES[kind])
    if kind == "phone" and american:
        options["phone_format"] = "US"
    sent, dropped = convert(kind, text, **options)
    if sent is not None:
        strict = mailchimp.MergeField(9, "X", "X", kind, options=options)
        mailchimp_values.accepted(strict, sent)
    visible = "".join(letter for letter in text if letter.isprintable())
    assert (
        sent is not None or dropped or not visible.strip("\u200b\u2060\ufeff \u200c\u200d").strip()
    )


FIELDS = [
    MergeField(1, "FNAME", "First Name", "text", False),
    MergeField(2, "MMERGE2", "Last name", "text", False),
    MergeField(3, "BDAY", "Birthday", "birthday", True),
]


def test_all_mapped_columns_are_converted_in_order():
    mapping = Mapping("Email", "First", "Last", (AttributeMapping("Born", "bday"),))
    converter = Converter(mapping, [Attribute("Born", "date")], FIELDS)
    assert converter.columns == ("First", "Last", "Born")
    assert converter.convert(["Ada", "Lovelace", "no"], clear=False) == (
        {"FNAME": "Ada", "MMERGE2": "Lovelace"},
        [Dropped("BDAY", "notABirthday")],
    )
    with pytest.raises(ValueError, match="shorter"):
        converter.convert(["Ada"], clear=False)


def test_a_mapping_without_fields_converts_nothing():
    converter = Converter(Mapping("Email"), [], FIELDS)
    assert converter.columns == ()
    assert converter.convert([], clear=True) == ({}, [])


def test_all_missing_merge_fields_are_named():
    mapping = Mapping(
        "Email", attributes=(AttributeMapping("a", "COLOUR"), AttributeMapping("b", "SIZE"))
    )
    with pytest.raises(ConfigError, match="COLOUR, SIZE") as caught:
        Converter(mapping, [], FIELDS)
    assert len(caught.value.faults) == 2


def test_a_field_is_found_by_tag_then_by_name():
    assert find_field(FIELDS, "fname").id == 1
    assert find_field(FIELDS, "LNAME", "Last Name").id == 2
    assert find_field(FIELDS, "LNAME") is None
    assert find_field(FIELDS, "BDAY", "First Name").id == 3


def test_missing_and_required_fields_are_known_before_the_first_write():
    create = FieldToCreate("Favourite colour")
    mapping = Mapping("Email", "First", attributes=(AttributeMapping("c", "COLOUR", create),))
    assert [choice.create for choice in missing_choices(mapping, FIELDS)] == [create]
    assert [(choice.tag, choice.create) for choice in missing_choices(mapping, [])] == [
        ("FNAME", FieldToCreate("First Name", "text")),
        ("COLOUR", create),
    ]
    created = MergeField(4, "FAVOURITEC", "Favourite colour", "text", False)
    assert missing_choices(mapping, [*FIELDS, created]) == ()
    assert [f.tag for f in required_without_attribute(mapping, FIELDS)] == ["BDAY"]
    whole = Mapping("Email", attributes=(AttributeMapping("b", "BDAY"),))
    assert required_without_attribute(whole, FIELDS) == ()


@pytest.mark.parametrize(
    ("text", "taken", "expected"),
    [
        ("Favourite colour", [], "FAVOURITEC"),
        ("Favourite colour", ["FAVOURITEC"], "FAVOURITE2"),
        ("Favourite colour", ["favouritec", "FAVOURITE2"], "FAVOURITE3"),
        ("größe", [], "GROE"),
        ("좋아하는 색", [], "FIELD"),
        ("좋아하는 색", ["FIELD"], "FIELD2"),
        ("email", [], "EMAIL2"),
        ("A_1", [], "A_1"),
    ],
)
def test_a_merge_tag_is_normalized_and_unique(text, taken, expected):
    assert proper_tag(text, taken) == expected


@given(st.text(), st.integers(min_value=1, max_value=120))
def test_any_text_is_normalized_to_a_unique_tag(text, number):
    taken: list[str] = []
    for _ in range(number):
        taken.append(proper_tag(text, taken))
    assert len(set(taken)) == number
    assert all(0 < len(tag) <= 10 and tag.isascii() for tag in taken)


def test_control_characters_are_removed_from_values_and_line_breaks_kept():
    assert convert("text", "A\0d\x07a\x1b[31m\x7f\tLove\nlace") == ("Ada[31m\tLove\nlace", [])
    assert convert("date", "1974-08-0\x001") == ("1974-08-01", [])
    assert convert("text", "\0\x01") == (None, [])
    assert convert("text", "\0", clear=True) == (None, [])


@pytest.mark.parametrize("kind", sorted(SANDBOX_TYPES))
@pytest.mark.parametrize(
    "text",
    [
        "1 Main St, Springfield, CA" + " " * 1_000_000 + "x",
        "1 Main St,\n" * 300_000 + "CA 90210",
        "2020-01-01" + " " * 1_000_000 + "x",
        "1" * 1_000_000,
        "1,111" * 200_000,
        "(" * 1_000_000,
        "https://" + "a." * 500_000 + " ",
        "{" + '"street":' * 100_000,
        "[" * 1_000_000,
        '{"a":' * 200_000,
        "-" * 1_000_000,
    ],
    ids=lambda text: text[:12],
)
def test_values_of_any_length_are_parsed_in_time(kind, text):
    sent, dropped = convert(kind, text, **SANDBOX_TYPES[kind])
    assert dropped
    assert sent is None or len(str(sent)) <= 255


def test_an_address_with_an_endless_part_is_invalid():
    whole = {"street": "1 Main St", "city": "Springfield", "state": "CA", "zip": "90210"}
    assert convert("address", json.dumps(whole))[1] == []
    assert convert("address", json.dumps(whole | {"city": "x" * 256})) == (
        None,
        ["notACompleteAddress"],
    )
