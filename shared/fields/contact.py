"""Converts source rows to Mailchimp members: the address to its normal form, values by the type of their field.

A value that its field would refuse is dropped and reported, so that the person is still sent: Mailchimp refuses
a member with one invalid merge value. Conversions depend on the type of the audience's field and, where it
matters, on the data type of the attribute.
https://mailchimp.com/developer/marketing/docs/merge-fields/

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
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

import idna

from shared.errors import ConfigError, Fault
from shared.fields.evidence import converter, is_evidence
from shared.fields.merge_fields import chosen_fields, find_field, missing_choices
from shared.fields.postal import whole_address
from shared.fields.values import Unusable, conversion
from shared.model.audience import MergeField
from shared.model.export import Mapping
from shared.model.outcome import Code
from shared.model.source import Attribute

# Characters that are pasted around an address by accident: blanks of all kinds and invisible marks.
BLANKS = "".join(
    map(chr, [*range(0x09, 0x0E), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200E)])
) + "".join(map(chr, [0x2028, 0x2029, 0x202F, 0x205F, 0x2060, 0x3000, 0xFEFF]))
# No one types these characters and they cannot be shown; Mailchimp may refuse a whole call for one.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_LONGEST_DOMAIN = 254
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_LAST = r"[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])"
_ADDRESS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+{_LAST}")


class Dropped(NamedTuple):
    """A value that was not sent (or was cut, reason `cut`), by merge tag; never the value."""

    field: str
    reason: str


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
    """The address with its domain as mail has it (`xn--`), or as it is when there is no such form.

    Letters in full width and a dot of another script become plain ones (UTS 46).
    """
    local, _, domain = address.rpartition("@")
    if domain.isascii() or not local.isascii() or len(domain) > _LONGEST_DOMAIN:
        return address
    try:
        return f"{local}@{idna.encode(domain, uts46=True).decode()}"
    except (idna.IDNAError, UnicodeError):
        return address


def international_form(address: str) -> str:
    """The address with its domain as people write it, or as it is when it has no `xn--` label."""
    local, _, domain = address.rpartition("@")
    if "xn--" not in domain or len(domain) > _LONGEST_DOMAIN:
        return address
    try:
        return f"{local}@{idna.decode(domain)}"
    except (idna.IDNAError, UnicodeError):
        return address


class _Step(NamedTuple):
    """The treatment of one value: its field, its conversion, and which part of an address it is."""

    tag: str
    convert: Callable[[str], object]
    may_clear: bool
    part: str


class Converter:
    """Turns the values of a row into merge fields; built once per run.

    `columns` names the attributes in the order in which `convert` takes their values. Evidence of
    consent with a time after `now` is dropped. ConfigError names every merge
    field that the audience does not have.
    """

    def __init__(
        self,
        mapping: Mapping,
        attributes: Sequence[Attribute],
        merge_fields: Sequence[MergeField],
        now: datetime | None = None,
    ) -> None:
        missing = missing_choices(mapping, merge_fields)
        if missing:
            faults = [
                Fault(
                    "mapping",
                    code="mergeFieldMissing",
                    values={"tag": choice.tag, "attribute": choice.attribute},
                )
                for choice in missing
            ]
            tags = ", ".join(choice.tag for choice in missing)
            raise ConfigError("mergeFieldsMissing", faults=faults, tags=tags)
        known = {attribute.name: attribute for attribute in attributes}
        chosen = chosen_fields(mapping)
        self.columns: tuple[str, ...] = tuple(choice.attribute for choice in chosen)
        steps: list[_Step] = []
        for choice in chosen:
            if is_evidence(choice.tag):
                steps.append(_Step(choice.tag, converter(choice.tag, now), False, ""))
                continue
            field = find_field(merge_fields, choice.tag, choice.name)
            if field is not None:
                attribute = known.get(choice.attribute) or Attribute(choice.attribute)
                order = choice.date_order or attribute.date_order
                convert = conversion(field, attribute.data_type, order)
                steps.append(_Step(field.tag, convert, not field.required, choice.part))
        self._steps = tuple(steps)

    def convert(
        self, values: Sequence[str | None], clear: bool
    ) -> tuple[dict[str, object], list[Dropped]]:
        """The merge fields of one row, and what had to be dropped.

        `values` in the order of `columns`, all as text; control characters are removed from them, except tabs
        and line breaks. With `clear`, an empty text ("") is sent, which empties the field; None and blanks
        are omitted, and so is "" without `clear`. A required field is never emptied: Mailchimp would refuse
        the person. So its "" counts as dropped, because Mailchimp still has the earlier value.
        """
        fields: dict[str, object] = {}
        dropped: list[Dropped] = []
        parts: dict[str, dict[str, str]] = {}
        not_emptied: dict[str, None] = {}
        for (tag, convert, may_clear, part), value in zip(self._steps, values, strict=True):
            if value is None:
                continue
            text = value if value.isprintable() else _CONTROL.sub("", value)
            text = text.strip(BLANKS)
            if part and text:
                parts.setdefault(tag, {})[part] = text
                fields.pop(tag, None)
                continue
            if not text and tag in parts:
                continue
            if not text:
                if clear and value == "":
                    if may_clear:
                        fields[tag] = ""
                    elif not is_evidence(tag):
                        not_emptied[tag] = None
                continue
            try:
                fields[tag] = convert(text)
            except Unusable as why:
                dropped.append(Dropped(tag, why.reason))
                if why.instead:
                    fields[tag] = why.instead
        for tag, given in parts.items():
            address = whole_address(given)
            if address is None:
                dropped.append(Dropped(tag, "notACompleteAddress"))
            else:
                fields[tag] = address
        dropped += [Dropped(tag, "requiredNotEmptied") for tag in not_emptied if tag not in parts]
        return fields, dropped
