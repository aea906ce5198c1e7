"""Postal addresses are read from one value, or combined from several."""

from __future__ import annotations

import json

import pytest

from shared.fields.contact import Converter
from shared.model.export import AttributeMapping, Mapping
from shared.model.source import Attribute
from tests.fields.conversion import convert, field

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
    ("text", "country"),
    [
        ("1 Rideau St, Ottawa, Ontario K1M1M4", "CA"),
        ("1 George St, Sydney, NSW 2000", "AU"),
        ("12 High St, Perth, WA 6000, Australia", "AU"),
        ('{"street": "12 High St", "city": "Perth", "state": "WA", "zip": 6000}', "AU"),
        ("1 Main St, Seattle, WA 98101", None),
        ('{"street": "Via Roma 1", "city": "Milano", "state": "MI", "zip": "20121"}', None),
        ('{"street": "1 Smith St", "city": "Darwin", "state": "NT", "zip": "0800"}', "AU"),
        ('{"street": "1 Yuen Wo Rd", "city": "Sha Tin", "state": "NT", "zip": "0000"}', None),
    ],
)
def test_a_country_is_added_only_if_state_and_postal_code_belong_to_no_other(text, country):
    # Without one, Mailchimp would take the default country of the field, usually the USA.
    assert convert("address", text)[0].get("country") == country


@pytest.mark.parametrize(
    ("country", "code"),
    [
        ("KR", "KR"),
        ("kr", "KR"),
        ("KOR", "KR"),
        ("South Korea", "KR"),
        ("Korea, Republic of", "KR"),
        ("Korea, Democratic People's Republic of", "KP"),
        ("대한민국", "KR"),
        ("한국", "KR"),
        ("韓国", "KR"),
        ("U.S.A.", "US"),
        ("the United States of America", "US"),
        ("UK", "GB"),
        ("England", "GB"),
        ("DEUTSCHLAND", "DE"),
        ("Osterreich", "AT"),
        ("Czech Republic", "CZ"),
        ("Türkiye", "TR"),
        ("Trinidad & Tobago", "TT"),
        ("Trinidad and Tobago", "TT"),
        ("Cote D'Ivoire", "CI"),
        ("Hong Kong", "HK"),
        ("St. Lucia", "LC"),
        ("AND", "AD"),
        ("호주", "AU"),
        ("남아프리카공화국", "ZA"),
        ("大韓民国", "KR"),
        ("中华人民共和国", "CN"),
        ("Großbritannien", "GB"),
        ("Polska", "PL"),
        ("Danmark", "DK"),
        ("Россия", "RU"),
        # Unusual names in the signup forms of Mailchimp.
        ("Aaland Islands", "AX"),
        ("Bonaire, Saint Eustatius and Saba", "BQ"),
        ("Congo, Democratic Republic of the", "CD"),
        ("Jersey  (Channel Islands)", "JE"),
        ("Pitcairn", "PN"),
        ("Republic of Kosovo", "XK"),
        ("Saint Martin", "MF"),
        ("Samoa (Independent)", "WS"),
        ("Svalbard and Jan Mayen Islands", "SJ"),
        ("Vatican City State (Holy See)", "VA"),
    ],
)
def test_a_country_is_sent_as_its_code(country, code):
    whole = {"street": "1 Main St", "city": "X", "state": "Y", "zip": "1", "country": country}
    sent, dropped = convert("address", json.dumps(whole))
    assert (sent["country"], dropped) == (code, [])


@pytest.mark.parametrize("country", ["Atlantis", "XX", "EU", "82", "The", "-"])
def test_an_address_with_an_unknown_country_is_not_sent(country):
    # Mailchimp would store the USA instead, without an error.
    whole = {"street": "1 Main St", "city": "X", "state": "Y", "zip": "1", "country": country}
    assert convert("address", json.dumps(whole)) == (None, ["notACountry"])


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
        "서울특별시, 종로구, 세종대로 1, 03154",
    ],
)
def test_an_address_line_in_another_order_is_not_guessed(text):
    assert convert("address", text) == (None, ["notACompleteAddress"])


def test_an_address_with_a_part_that_is_too_long_is_dropped():
    whole = {"street": "1 Main St", "city": "Springfield", "state": "CA", "zip": "90210"}
    assert convert("address", json.dumps(whole))[1] == []
    assert convert("address", json.dumps(whole | {"city": "x" * 256})) == (
        None,
        ["notACompleteAddress"],
    )


PARTS = {"Street": "addr1", "Flat": "addr2", "City": "city", "State": "state", "Code": "zip"}


def of_parts(values, clear=False):
    attributes = tuple(AttributeMapping(name, "X", part=part) for name, part in PARTS.items())
    converter = Converter(
        Mapping("EMail", attributes=attributes),
        [Attribute(name) for name in PARTS],
        [field("address")],
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
    assert of_parts(["1 Main St", None, "Boston", "MA", "10001.0"])[0]["zip"] == "10001"
    assert of_parts([*whole[:3], "", "SW1A 2AA"]) == (None, [("X", "notACompleteAddress")])
    assert of_parts([""] * 5) == (None, [])
    assert of_parts([""] * 5, clear=True) == ("", [])
    assert of_parts(["", "", "London", "", ""], clear=True)[1] == [("X", "notACompleteAddress")]
