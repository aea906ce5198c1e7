"""Mailchimp's text about a refused member is stored without the address and the values of the member."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mailchimp.refusal_text import LONGEST_ANSWER, REMOVED, refusal_text, title_text

ADDRESS = "Anna.Smith+news@mail.contoso.example"
SENT = {
    "FNAME": "Anna",
    "BIRTHDAY": "13/45",
    "ADDRESS": {"addr1": "1 Königstraße", "city": "Köln", "zip": "50667"},
    "SCORE": 7.25,
}


def answer(error: str, message: str = "", code: str = "ERROR_GENERIC") -> str:
    entry = {
        "email_address": ADDRESS.lower(),
        "error": error,
        "error_code": code,
        "field": "FNAME" if message else "",
        "field_message": message,
    }
    return refusal_text(entry, ADDRESS, SENT)


@pytest.mark.parametrize(
    ("error", "message", "expected"),
    [
        ("Please provide a valid email address.", "", "Please provide a valid email address."),
        (
            f"{ADDRESS} looks fake or invalid, please enter a real email address.",
            "",
            "[…] looks fake or invalid, please enter a real email address.",
        ),
        (
            "anna.smith+news@MAIL.contoso.example has signed up to a lot of lists very recently; "
            "we're not allowing more signups for now",
            "",
            "[…] has signed up to a lot of lists very recently; we're not allowing more signups for now",
        ),
        (
            "The domain portion of the email address is invalid (the portion after the @: "
            "mail.contoso.example)",
            "",
            "The domain portion of the email address is invalid (the portion after the […])",
        ),
        (
            "Your merge fields were invalid.",
            "Please enter the date",
            "Your merge fields were invalid. Please enter the date",
        ),
        (
            "Der Wert „Anna“ ist ungültig",
            "13/45 ist kein Tag",
            "Der Wert […] ist ungültig […] ist kein Tag",
        ),
        ("1 Königstraße, 50667 KÖLN is no address", "", "[…] is no address"),
        ("Frau Smith hat\n7.25 Punkte", "", "Frau […] hat […] Punkte"),
    ],
)
def test_mailchimps_text_is_kept_without_the_values_that_were_sent(
    error: str, message: str, expected: str
) -> None:
    assert answer(error, message) == f"ERROR_GENERIC: {expected}"


def test_a_code_of_another_form_is_omitted() -> None:
    assert answer("No.", code=ADDRESS) == "No."
    assert refusal_text({"error": ["No."], "error_code": 5}, ADDRESS, {}) == ""


def test_a_refused_call_is_described_by_its_status_and_title() -> None:
    assert title_text(400, "Member In Compliance State") == "400: Member In Compliance State"
    assert title_text(400, f"{ADDRESS} Exists") == "400: […] Exists"
    assert title_text(413, "") == "413"


WORDS = st.text(st.characters(categories=("L", "N", "P", "S", "Zs", "Cc")), max_size=40)


@given(
    before=WORDS,
    after=WORDS,
    value=st.text(st.characters(categories=("L", "N")), min_size=3, max_size=12),
)
def test_no_text_contains_a_value_as_a_word(before: str, after: str, value: str) -> None:
    error = {"error": f"{before} {value} {after}", "error_code": "ERROR_GENERIC"}
    found = refusal_text(error, f"{value}@example.com", {"FNAME": value, "CITY": {"city": value}})
    rest = found.removeprefix("ERROR_GENERIC: ").replace(REMOVED, " ")
    assert value.casefold() not in re.findall(r"\w+", rest.casefold())
    assert "@" not in rest
    assert len(found) <= LONGEST_ANSWER
    assert found.isprintable()
