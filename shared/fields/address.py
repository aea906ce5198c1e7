"""Email addresses: which are valid, and their normal form.

A domain in another script (`info@müller.de`) is converted to its ASCII form (`info@xn--mller-kva.de`, RFC 5891).
Then, without blanks and invisible characters at its ends, a valid address

- is ASCII, has at most 254 characters, and has exactly one @;
- has before it at most 64 letters, digits and ``!#$%&'*+/=?^_`{|}~-``, with single dots between them
  (https://mailchimp.com/help/international-characters-in-mailchimp/);
- has after it at least two labels, separated by single dots, of at most 63 letters, digits and inner hyphens; the
  last label has at least two characters and begins with a letter.

Planning applies the same rules in SQL.
"""

from __future__ import annotations

import re

import idna

from shared.model.outcome import Code

# Characters that are pasted around an address by accident: blanks of all kinds, and invisible characters such as the
# direction marks around an address that was copied from a list of contacts.
_BLANKS = (
    *(*range(0x09, 0x0E), 0x20, 0x85, 0xA0, 0xAD, 0x061C, 0x1680, *range(0x2000, 0x2010)),
    *(*range(0x2028, 0x2030), *range(0x205F, 0x2065), *range(0x2066, 0x206A), 0x3000, 0xFEFF),
)
BLANKS = "".join(map(chr, _BLANKS))
_LONGEST_DOMAIN = 254
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_LAST = r"[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])"
_ADDRESS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+{_LAST}")


def address_fault(text: str | None) -> Code | None:
    """What is wrong with an address as the source has it, or None."""
    given = mail_form((text or "").strip(BLANKS))
    if not given:
        return Code.ADDRESS_MISSING
    fits = len(given) <= 254 and given.find("@") <= 64 and _ADDRESS.fullmatch(given)
    return None if fits else Code.ADDRESS_MALFORMED


def normal_address(text: str | None) -> str | None:
    """The address trimmed and in lower case, or None when there is no usable one.

    Plus signs and dots before the @ stay: they are different people to Mailchimp.
    """
    return None if address_fault(text) else mail_form((text or "").strip(BLANKS)).lower()


def mail_form(address: str) -> str:
    """The address with its domain as mail has it (`xn--`), or as it is when there is no such form."""
    local, _, domain = address.rpartition("@")
    if domain.isascii() or not local.isascii() or len(domain) > _LONGEST_DOMAIN:
        return address
    converted = ascii_domain(domain)
    return address if converted is None else f"{local}@{converted}"


def ascii_domain(domain: str) -> str | None:
    """The form of a domain that the DNS has (`xn--`); None when it has no such form.

    Letters in full width and a dot of another script become plain ones (UTS 46).
    """
    try:
        return idna.encode(domain, uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        return None


def international_form(address: str) -> str:
    """The address with its domain as people write it, or as it is when it has no `xn--` label."""
    local, _, domain = address.rpartition("@")
    if "xn--" not in domain or len(domain) > _LONGEST_DOMAIN:
        return address
    try:
        return f"{local}@{idna.decode(domain)}"
    except (idna.IDNAError, UnicodeError):
        return address
