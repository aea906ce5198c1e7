"""Suggests which attributes are the email address, the first name and the last name.

Suggestions are based on the semantic type from Customer Insights, else on the name of the attribute, else (for the
address only) on its values. Every role is suggested at most once.
https://learn.microsoft.com/dynamics365/customer-insights/data/semantic-mappings
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from shared.model.source import Attribute

Role = Literal["email", "firstName", "lastName"]

# Semantic types without dots, spaces and case: `Identity.Service.Email`, `IdentityServiceEmail`.
_SEMANTIC: Mapping[Role, frozenset[str]] = {
    "email": frozenset({"identityserviceemail", "email", "emailaddress", "contactemail"}),
    "firstName": frozenset({"personfirstname", "firstname", "persongivenname", "givenname"}),
    "lastName": frozenset({"personlastname", "lastname", "personfamilyname", "familyname"}),
}
# Names without separators and case, the best first. A prefix (`Loyalty_EMail`) is allowed.
_NAMES: Mapping[Role, tuple[re.Pattern[str], ...]] = {
    "email": (
        re.compile(r"e?mail(?:address|adresse|addr)?1?"),
        re.compile(r"이메일(?:주소)?|전자(?:메일|우편)(?:주소)?|메일(?:주소)?"),
        re.compile(r".*e?mail(?:address|adresse|addr)?\d*"),
        re.compile(r".*(?:이메일|전자메일|메일)(?:주소)?"),
    ),
    "firstName": (
        re.compile(r"(?:first|given|fore)name|fname|vorname|prénom|prenom|이름"),
        re.compile(r".*(?:firstname|givenname|forename|vorname)"),
    ),
    "lastName": (
        re.compile(r"(?:last|family|sur)name|lname|nachname|성|성씨"),
        re.compile(r".*(?:lastname|familyname|surname|nachname)"),
    ),
}
# Names that contain "email" or similar and are not addresses.
_NO_ADDRESS = re.compile(r".*(?:donot|dont|bulk|no|not|last|opened|sent|optout|optin)e?mail\d*")
LIKE_ADDRESS = re.compile(r"[^@\s]{1,64}@[^@\s]+\.[^@\s.]{2,}")
_TEXT = frozenset({"string", "unclassified", "varchar", "json", ""})


def suggest(
    attributes: Sequence[Attribute], samples: Mapping[str, Sequence[str]] | None = None
) -> dict[str, Role]:
    """Attribute name -> the role it seems to have. `samples` are some values by attribute name."""
    texts = [each for each in attributes if each.data_type.casefold() in _TEXT]
    found: dict[str, Role] = {}
    for role in _NAMES:
        name = _by_semantic_type(texts, role) or _by_name(texts, role)
        if name is None and role == "email":
            name = _by_values(texts, samples or {})
        if name is not None and name not in found:
            found[name] = role
    return found


def looks_like_addresses(values: Sequence[str]) -> bool:
    """Whether most of the values that are given are email addresses."""
    filled = [value.strip() for value in values if value.strip()]
    fitting = sum(1 for value in filled if LIKE_ADDRESS.fullmatch(value))
    return fitting > 0 and fitting >= 0.6 * len(filled)


def _by_semantic_type(attributes: Sequence[Attribute], role: Role) -> str | None:
    return next(
        (
            each.name
            for each in attributes
            if each.semantic_type and _plain(each.semantic_type) in _SEMANTIC[role]
        ),
        None,
    )


def _by_name(attributes: Sequence[Attribute], role: Role) -> str | None:
    for pattern in _NAMES[role]:
        for each in attributes:
            plain = _plain(each.name)
            if pattern.fullmatch(plain) and not (role == "email" and _NO_ADDRESS.fullmatch(plain)):
                return each.name
    return None


def _by_values(attributes: Sequence[Attribute], samples: Mapping[str, Sequence[str]]) -> str | None:
    return next(
        (each.name for each in attributes if looks_like_addresses(samples.get(each.name, ()))), None
    )


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()
