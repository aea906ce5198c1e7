"""Made-up people: person n is the same in every run with the same seed, with an address on a reserved domain.

Reserved domains belong to no one: https://www.rfc-editor.org/rfc/rfc2606
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

DEMO_SEED = 2020
_MASK = (1 << 64) - 1

# As written, and as in an address.
_FIRST = (
    ("Anna", "anna"), ("Ben", "ben"), ("Clara", "clara"), ("David", "david"), ("Eva", "eva"),
    ("Jürgen", "juergen"), ("Zoë", "zoe"), ("José", "jose"), ("Søren", "soeren"), ("Łucja", "lucja"),
    ("민준", "minjun"), ("서연", "seoyeon"), ("지우", "jiwoo"), ("하은", "haeun"), ("도윤", "doyun"),
    ("수빈", "subin"), ("Grace", "grace"), ("Omar", "omar"), ("Priya", "priya"), ("太郎", "taro"),
    ("Mary Ann", "mary-ann"), ("Aïcha", "aicha"), ("Nuño", "nuno"), ("Siobhán", "siobhan"),
)  # fmt: skip
_LAST = (
    ("Kim", "kim"), ("김", "gim"), ("이", "yi"), ("박", "bak"), ("최", "choe"), ("정", "jeong"),
    ("Müller", "mueller"), ("Weiß", "weiss"), ("O'Neill", "oneill"), ("García", "garcia"),
    ("Smith", "smith"), ("van der Berg", "vanderberg"), ("Nowak", "nowak"), ("Øst", "oest"),
    ("Tanaka", "tanaka"), ("Singh", "singh"), ('Lee "Lucky"', "lee"), ("Brown, Jr.", "brown"),
)  # fmt: skip
_DOMAINS = (
    "example.com", "example.org", "example.net", "mail.example", "post.example.com",
    "shop.example", "kunden.example.org", "people.test",
)  # fmt: skip
_CITIES = (
    ("서울", "KR"), ("Seoul", "KR"), ("Busan", "KR"), ("München", "DE"), ("Köln", "DE"),
    ("New York", "US"), ("São Paulo", "BR"), ("Kraków", "PL"), ("Tōkyō", "JP"), ("Leeds", "GB"),
)  # fmt: skip
_TIERS = ("Bronze", "Silver", "Gold", "Platinum")
_NOTES = (
    "", "", "", "", "", "", "prefers mail, not phone", 'says "hello"', "line one\nline two",
    "=1+1", "tab\there", "emoji \N{PARTY POPPER}",
)  # fmt: skip


class Person(NamedTuple):
    """One row of the unified profile; everything is text, as in a CSV file."""

    customer_id: str
    first_name: str
    last_name: str
    full_name: str
    email: str
    telephone: str
    birthday: str
    city: str
    country: str
    loyalty_tier: str
    reward_points: str
    marketing_consent: str
    note: str
    created_on: str
    modified_on: str


COLUMNS: tuple[tuple[str, str], ...] = (
    ("CustomerId", "string"),
    ("FirstName", "string"),
    ("LastName", "string"),
    ("FullName", "string"),
    ("EMail", "string"),
    ("Telephone", "string"),
    ("Birthday", "date"),
    ("City", "string"),
    ("Country", "string"),
    ("LoyaltyTier", "string"),
    ("RewardPoints", "int64"),
    ("MarketingConsent", "boolean"),
    ("Note", "string"),
    ("CreatedOn", "dateTime"),
    ("Customer_ModifiedOn", "dateTime"),
)
"""Name and CDM data type of each field of Person, in order."""


def mixed(*numbers: int) -> int:
    """64 pseudo-random bits from these numbers (splitmix64), the same on every machine."""
    state = 0
    for number in numbers:
        state += number + 0x9E3779B97F4A7C15
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return state


def person(seed: int, number: int, version: int = 0) -> Person:
    """Person `number`; another `version` is the same person with other points, tier and consent."""
    bits = mixed(seed, number)
    first, first_ascii = _FIRST[bits % 24]
    last, last_ascii = _LAST[(bits >> 5) % 18]
    city, country = _CITIES[(bits >> 10) % 10]
    day = mixed(bits, version) if version else bits
    modified = day >> 44
    return Person(
        hashlib.md5(b"%d:%d" % (seed, number), usedforsecurity=False).hexdigest(),
        first,
        last,
        f"{first} {last}",
        f"{first_ascii}.{last_ascii}.{number}@{_DOMAINS[(bits >> 14) % 8]}",
        f"+82 2 555 {(bits >> 18) % 10000:04d}",
        f"{1940 + (bits >> 22) % 65}-{1 + (bits >> 29) % 12:02d}-{1 + (bits >> 33) % 28:02d}",
        city,
        country,
        _TIERS[(day >> 38) % 4],
        str((day >> 40) % 10_000),
        "true" if (day >> 54) % 10 else "false",
        _NOTES[(bits >> 56) % 12],
        f"2019-{1 + (bits >> 36) % 12:02d}-{1 + (bits >> 40) % 28:02d}T08:30:00Z",
        f"2026-{1 + modified % 10:02d}-{1 + modified % 28:02d}T{version % 24:02d}:00:00Z",
    )
