"""A postal address out of one text: a JSON object, or the American "street, city, state zip".

Mailchimp takes an address only whole: street, city, state and zip
(https://mailchimp.com/developer/marketing/docs/merge-fields/). What has no such parts is no
address here; nothing is made up.
"""

from __future__ import annotations

import re

import orjson

__all__ = ["postal_address"]

_NAMES = {
    "addr1": "addr1",
    "address1": "addr1",
    "addressline1": "addr1",
    "line1": "addr1",
    "street": "addr1",
    "street1": "addr1",
    "streetaddress": "addr1",
    "addr2": "addr2",
    "address2": "addr2",
    "addressline2": "addr2",
    "line2": "addr2",
    "street2": "addr2",
    "city": "city",
    "town": "city",
    "locality": "city",
    "state": "state",
    "province": "state",
    "region": "state",
    "stateorprovince": "state",
    "zip": "zip",
    "zipcode": "zip",
    "postalcode": "zip",
    "postcode": "zip",
    "country": "country",
    "countrycode": "country",
    "countryregion": "country",
}
_LONGEST = 255
_NEEDED = ("addr1", "city", "state", "zip")
# No blank where the state ends: with one, a text of blanks would take quadratic time.
_STATE_AND_ZIP = re.compile(r"(.*[^\d\s])\s+(\d[\w -]{2,9})")


def postal_address(text: str) -> dict[str, str] | None:
    """The parts of an address, or None when it is not whole."""
    parts = _from_json(text) if text.startswith("{") else _from_lines(text)
    parts = {name: part for name, part in parts.items() if part}
    whole = all(name in parts for name in _NEEDED)
    return parts if whole and all(len(part) <= _LONGEST for part in parts.values()) else None


def _from_json(text: str) -> dict[str, str]:
    try:
        given = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    parts: dict[str, str] = {}
    for key, value in given.items():
        name = _NAMES.get(re.sub(r"[^a-z0-9]", "", key.lower()))
        if name and isinstance(value, str | int) and not isinstance(value, bool):
            parts.setdefault(name, str(value).strip())
    return parts


def _from_lines(text: str) -> dict[str, str]:
    lines = [line.strip() for line in re.split(r"[,;\n]", text) if line.strip()]
    for at in range(2, len(lines)):
        found = _STATE_AND_ZIP.fullmatch(lines[at])
        if found and len(lines) - at <= 2:
            return {
                "addr1": lines[0],
                "addr2": ", ".join(lines[1 : at - 1]),
                "city": lines[at - 1],
                "state": found[1].strip(),
                "zip": found[2],
                "country": lines[at + 1] if len(lines) > at + 1 else "",
            }
    if len(lines) in (4, 5) and re.fullmatch(r"\d[\w -]{2,9}", lines[3]):
        names = ("addr1", "city", "state", "zip", "country")
        return dict(zip(names, lines, strict=False))
    return {}
