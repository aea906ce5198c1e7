"""Email addresses are normalized, in Python and in the SQL of the plan."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.mailchimp import values as mailchimp_values
from shared.fields.address import address_fault, normal_address
from shared.model.outcome import Code
from tests import reused_databases
from tests.planning.plan_tables import ListedRows, read_rows

LABEL_63 = "a" * 63


GOOD = {
    "ada@example.org": "ada@example.org",
    "  Ada.Lovelace+News@Example.ORG \r\n": "ada.lovelace+news@example.org",
    "\u00a0ada@example.org\u200b": "ada@example.org",
    "\ufeffada@example.org\u3000": "ada@example.org",
    "\u202aada@example.org\u202c": "ada@example.org",
    "\u200f\u2066ada@example.org\u2069\u00ad": "ada@example.org",
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
def test_an_address_is_trimmed_in_lower_case_and_has_an_ascii_domain(given_, expected):
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


def planned(addresses):
    """The code of each rejected line, from line 2, and the normal addresses, by the SQL of the plan."""
    with reused_databases.connect() as db:
        read_rows(db, ListedRows({"S": [[address, None, None] for address in addresses]}))
        rejected = dict(db.execute("SELECT line, code FROM rejects").fetchall())
        people = {row[0] for row in db.execute("SELECT address FROM people").fetchall()}
    return rejected, people


def test_the_sql_of_the_plan_applies_the_same_rule():
    examples = [*GOOD, *MALFORMED, *MISSING]
    rejected, people = planned(examples)
    expected = {n: address_fault(text) for n, text in enumerate(examples, 2)}
    assert rejected == {n: str(code) for n, code in expected.items() if code}
    assert people == {normal_address(text) for text in examples} - {None}


@settings(max_examples=15)
@given(st.lists(addresses, max_size=200, unique=True))
def test_the_sql_of_the_plan_applies_the_same_rule_to_any_input(texts):
    rejected, people = planned(texts)
    expected = {n: address_fault(text) for n, text in enumerate(texts, 2)}
    assert rejected == {n: str(code) for n, code in expected.items() if code}
    assert people == {normal_address(text) for text in texts} - {None}
