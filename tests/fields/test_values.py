"""Values are converted to the type of their merge field, or dropped."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.mailchimp import state as mailchimp
from sandbox.mailchimp import values as mailchimp_values
from shared.fields.contact import Converter
from shared.model.export import AttributeMapping, Mapping
from shared.model.source import Attribute
from tests.fields.conversion import convert, field

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
    ("date", "1er mars 1980", "1980-03-01"),
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
    ("date", "1974-08-01(목)", "1974-08-01"),
    ("date", "1974/8/1 (木) 10:30", "1974-08-01"),
    ("date", "1974년 8월 1일 오후 3시 30분", "1974-08-01"),
    ("date", "1974年8月1日 午後3時", "1974-08-01"),
    ("date", "1974-08-01 15시 30분 20초", "1974-08-01"),
    ("date", "Thu, 01 Aug 1974 00:00:00 GMT", "1974-08-01"),
    ("date", "Donnerstag, 1. August 1974", "1974-08-01"),
    ("date", "Thursday, August 1, 1974", "1974-08-01"),
    ("date", "01.08.1974 10:30 Uhr", "1974-08-01"),
    ("date", "1974-08-01T00:00:00+09:00[Asia/Seoul]", "1974-08-01"),
    ("date", "1.8.1974 0.00.00", "1974-08-01"),
    ("date", "31-12-1974 12.30", "1974-12-31"),
    ("date", "1974-08-01 10:30:00 KST", "1974-08-01"),
    ("date", "1974-08-01 10:30:00 GMT+9", "1974-08-01"),
    ("date", "Thu Aug 01 1974 00:00:00 GMT+0900 (Korean Standard Time)", "1974-08-01"),
    ("date", "Thu Aug 01 00:00:00 KST 1974", "1974-08-01"),
    ("date", "Thu Aug  1 00:00:00 1974", "1974-08-01"),
    ("date", "Thursday 1 August 1974", "1974-08-01"),
    ("date", "1st of August 1974", "1974-08-01"),
    ("date", "01/Aug/1974", "1974-08-01"),
    ("date", "01.Aug.1974 10:30", "1974-08-01"),
    ("date", "01AUG1974", "1974-08-01"),
    ("date", "01AUG1974:10:30:00.000", "1974-08-01"),
    ("date", "Aug-01-1974", "1974-08-01"),
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
    ("birthday", "31.8.", "08/31"),
    ("birthday", "8. 31.", "08/31"),
    ("birthday", "02/29", "02/29"),
    ("phone", "+82 2-1234-5678", "+82 2-1234-5678"),
    ("phone", "(030) 123456 ext. 7", "(030) 123456 ext. 7"),
    ("zip", "02139", "02139"),
    ("zip", "02139-4307", "02139"),
    ("zip", "90210.0", "90210"),
    ("zip", "９０２１０", "90210"),
    ("number", "１，２３４．５", 1234.5),
    ("number", "٤٢", 42),
    ("date", "１９７４年８月１日", "1974-08-01"),
    ("date", "1974\u201308\u201301", "1974-08-01"),
    ("birthday", "８月１日", "08/01"),
    ("phone", "０３－１２３４－５６７８", "03-1234-5678"),
    ("phone", "+49\u00a030\u2011123456", "+49 30-123456"),
    ("phone", "０３ー１２３４ー５６７８", "03-1234-5678"),
    ("phone", "+49\u200930\u2009123456", "+49 30 123456"),
    ("phone", "\u202a +49 30 123456\u202c", "+49 30 123456"),
    ("date", "\u200e8\u200e/\u200e31\u200e/\u200e1974", "1974-08-31"),
    ("date", "8\u061c/31\u061c/1974", "1974-08-31"),
    ("phone", "+49\u206230\u2064123456", "+4930123456"),
    ("phone", "821012345678.0", "821012345678"),
    ("phone", "+4930123456.0", "+4930123456"),
    ("phone", "202.555.0", "202.555.0"),
    ("url", "https://example.org/a?b=c", "https://example.org/a?b=c"),
    ("url", "www.example.org", "https://www.example.org"),
    (
        "url",
        "https://müller.de:8/ä?q=ü%20b#é",
        "https://xn--mller-kva.de:8/%C3%A4?q=%C3%BC%20b#%C3%A9",
    ),
    ("url", "HTTPS://Example.org/A", "https://Example.org/A"),
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
    ("birthday", "8. 1.", "dateAmbiguous"),
    ("date", "before August 1, 1974", "notADate"),
    ("date", "01Foo1974", "notADate"),
    ("date", "01/Aug.1974", "notADate"),
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
    ("number", "5²", "notANumber"),
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


def test_a_birthday_is_written_in_the_order_of_its_field():
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
        ("birthday", "5. 6.", "06/05", "05/06"),
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
def test_the_format_that_an_export_chooses_takes_precedence_over_that_of_the_attribute(
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


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_choice_is_found_in_any_unicode_form_and_with_invisible_characters(form):
    choices = ["골드", unicodedata.normalize("NFD", "Café")]
    for text, sent in (("골드", "골드"), ("Café", choices[1]), ("\u200e골\u200b드\u200f", "골드")):
        given = unicodedata.normalize(form, text)
        assert convert("dropdown", given, choices=choices) == (sent, [])


@pytest.mark.parametrize("kind", ["phone", "number", "text"])
def test_a_value_of_invisible_characters_only_is_empty(kind):
    assert convert(kind, "\u202a\u200e\u202c") == (None, [])


def test_a_boolean_finds_its_choice():
    assert convert("radio", "true", "boolean", choices=["Yes", "No"]) == ("Yes", [])
    assert convert("radio", "0", "boolean", choices=["Yes", "No"]) == ("No", [])
    assert convert("radio", "true", "boolean", choices=["아니요", "예"]) == ("예", [])
    assert convert("radio", "False", "boolean", choices=["Ja", "Nein"]) == ("Nein", [])
    assert convert("radio", "true", choices=["Yes", "No"]) == (None, ["notAChoice"])


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


@pytest.mark.parametrize(
    ("text", "choice"),
    [("1", "1"), ("1.0", "1"), ("-2.0", "-2"), ("3.0", "3.0"), ("1.5", None), ("v1.0", None)],
)
def test_a_number_of_a_choice_may_be_a_floating_point_number(text, choice):
    sent, dropped = convert("radio", text, choices=["1", "-2", "3.0", "v1"])
    assert (sent, dropped) == (choice, [] if choice else ["notAChoice"])


@pytest.mark.parametrize(("text", "word"), [("1.0", "Yes"), ("0.0", "No")])
def test_a_boolean_may_be_a_floating_point_number(text, word):
    choices = ["Yes", "No"]
    assert convert("dropdown", text, data_type="boolean", choices=choices) == (word, [])
    assert convert("text", text, data_type="boolean") == ("true" if word == "Yes" else "false", [])
