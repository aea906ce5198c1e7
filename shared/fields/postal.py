"""Postal addresses from parts, a JSON object, or one line "street, city, state zip".

Mailchimp accepts only complete addresses: street, city, state and zip
(https://mailchimp.com/developer/marketing/docs/merge-fields/). A value without these parts is not an address,
and parts are never invented: a line is split only if it ends with a state of the USA, of Canada or of
Australia with a code as that country has them. Other countries have their parts in another order, or lack
some; map each part from an attribute of its own.

Without a country, Mailchimp takes the default of the field, which is the USA unless someone changed it. So Canada and
Australia are added where state and code show them. The USA is not: Italian provinces and codes look the same (MI 20121).
It does the same with a country that it does not know, so a country is sent as its code, and an address with an unknown
one is not sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import orjson

from shared.fields.countries import country_code
from shared.fields.numbers import without_point_zero

# The parts, and their names in lower case and without other characters.
_SYNONYMS = {
    "addr1": "addr1 address1 addressline1 line1 street street1 streetaddress",
    "addr2": "addr2 address2 addressline2 line2 street2",
    "city": "city town locality",
    "state": "state province region stateorprovince",
    "zip": "zip zipcode postalcode postcode",
    "country": "country countrycode countryregion",
}
_NAMES = {name: part for part, names in _SYNONYMS.items() for name in names.split()}
_LONGEST = 255
_NEEDED = ("addr1", "city", "state", "zip")
_AMERICAN = (
    "AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM "
    "NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY DC PR VI GU AS MP AA AE AP "
    "Alabama Alaska Arizona Arkansas California Colorado Connecticut Delaware Florida Georgia "
    "Hawaii Idaho Illinois Indiana Iowa Kansas Kentucky Louisiana Maine Maryland Massachusetts "
    "Michigan Minnesota Mississippi Missouri Montana Nebraska Nevada New-Hampshire New-Jersey "
    "New-Mexico New-York North-Carolina North-Dakota Ohio Oklahoma Oregon Pennsylvania "
    "Rhode-Island South-Carolina South-Dakota Tennessee Texas Utah Vermont Virginia Washington "
    "West-Virginia Wisconsin Wyoming District-of-Columbia Puerto-Rico Guam"
)
_CANADIAN = (
    "AB BC MB NB NL NS NT NU ON PE QC SK YT Alberta British-Columbia Manitoba New-Brunswick "
    "Newfoundland-and-Labrador Nova-Scotia Northwest-Territories Nunavut Ontario "
    "Prince-Edward-Island Quebec Québec Saskatchewan Yukon"
)
_AUSTRALIAN = (
    "NSW VIC QLD SA WA TAS ACT NT New-South-Wales Victoria Queensland South-Australia "
    "Western-Australia Tasmania Australian-Capital-Territory Northern-Territory"
)


def _states(names: str) -> frozenset[str]:
    return frozenset(name.replace("-", " ").casefold() for name in names.split())


# The states of a country, the form of its postal codes, and the country that is added to an address without one.
_COUNTRIES = (
    (_states(_AMERICAN), re.compile(r"[0-9]{5}(?:-[0-9]{4})?"), ""),
    (_states(_CANADIAN), re.compile(r"[A-Z][0-9][A-Z][ -]?[0-9][A-Z][0-9]", re.IGNORECASE), "CA"),
    # Australia has no code 0000. Hong Kong has no postal codes, so its addresses (NT: New Territories) may have 0000.
    (_states(_AUSTRALIAN), re.compile(r"(?:0[289]|[1-9][0-9])[0-9]{2}"), "AU"),
)
# A code that is a part of its own; the part before it is then the state.
_CODE = re.compile(r"[0-9][\w -]{2,9}")


class AddressError(Exception):
    """An address that Mailchimp would refuse or change: why it is not sent."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def postal_address(text: str) -> dict[str, str]:
    """The parts of an address. AddressError as in `whole_address`."""
    return whole_address(_from_json(text) if text.startswith("{") else _from_lines(text))


def whole_address(parts: Mapping[str, str]) -> dict[str, str]:
    """The parts without empty ones. AddressError when a required one is missing, or the country is unknown."""
    filled = {name: part for name, part in parts.items() if part}
    whole = all(name in filled for name in _NEEDED)
    if not whole or any(len(part) > _LONGEST for part in filled.values()):
        raise AddressError("notACompleteAddress")
    filled["zip"] = without_point_zero(filled["zip"])
    given = filled.get("country")
    country = country_code(given) if given else _country_of(filled["state"], filled["zip"])
    if given and country is None:
        raise AddressError("notACountry")
    return filled | {"country": country} if country else filled


def _from_json(text: str) -> dict[str, str]:
    try:
        given = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    parts: dict[str, str] = {}
    for key, value in given.items():
        name = _NAMES.get(re.sub(r"[^a-z0-9]", "", key.lower()))
        if name and isinstance(value, str | int | float) and not isinstance(value, bool):
            parts.setdefault(name, str(value).strip())
    return parts


def _from_lines(text: str) -> dict[str, str]:
    lines = [line.strip() for line in re.split(r"[,;\n]", text) if line.strip()]
    for at in range(2, len(lines)):
        found = _state_and_code(lines[at])
        if found and len(lines) - at <= 2:
            return {
                "addr1": lines[0],
                "addr2": ", ".join(lines[1 : at - 1]),
                "city": lines[at - 1],
                "state": found[0],
                "zip": found[1],
                "country": lines[at + 1] if len(lines) > at + 1 else "",
            }
    # A state has no digits. In East Asia, it comes first and the street last.
    if len(lines) in (4, 5) and _CODE.fullmatch(lines[3]) and not re.search(r"\d", lines[2]):
        names = ("addr1", "city", "state", "zip", "country")
        return dict(zip(names, lines, strict=False))
    return {}


def _state_and_code(text: str) -> tuple[str, str] | None:
    """`ON K1M 1M4` as (`ON`, `K1M 1M4`), where state and code belong to one country."""
    words = text.split()
    for count in (1, 2):
        state, code = " ".join(words[:-count]), " ".join(words[-count:])
        if _country_of(state, code) is not None:
            return state, code
    return None


def _country_of(state: str, code: str) -> str | None:
    """The country that is added for a state with its code, empty for the USA; None if they belong to no country."""
    for states, shape, country in _COUNTRIES:
        if state.casefold() in states and shape.fullmatch(code):
            return country
    return None
