"""The mapping of an export as rows: each attribute with sample values, its merge field, and a check of both.

The samples are from the beginning of one segment. They are personal data, so they are on the page of a
contributor only and stored nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.fields.address import address_fault
from shared.fields.days import shown_order
from shared.fields.merge_fields import FIRST_NAME_TAG, LAST_NAME_TAG, find_field
from shared.fields.numbers import shown_mark
from shared.fields.values import Unusable, conversion, with_ascii_digits
from shared.model.audience import MergeField
from shared.segments.choosing.catalogue import AttributeInfo, SegmentSample
from shared.web.texts import text

_SHOWN = 3
_LONGEST_SHOWN = 32
_EMAIL = "mapping.email"
_NAMES = {"firstName": FIRST_NAME_TAG, "lastName": LAST_NAME_TAG}
_BY_KIND = {"radio": "choice", "dropdown": "choice", "imageurl": "url"}
_GOOD, _WARNING, _BAD = "good", "warning", "bad"


@dataclass(frozen=True)
class MappingRow:
    """One attribute of a mapping. `check` is a sentence, `level` is good, warning, bad or empty."""

    path: str
    attribute: str
    data_type: str
    samples: Sequence[str]
    field: MergeField | None
    check: str
    level: str


def mapping_rows(
    mapping: Mapping[str, Any],
    attributes: Sequence[AttributeInfo],
    fields: Sequence[MergeField],
    sample: SegmentSample | None,
    language: str,
) -> dict[str, MappingRow]:
    """The rows by their path in the definition: email, first name, last name, and the others."""
    known = {info.name: info for info in attributes}
    found = {}
    for part in _parts(mapping, fields):
        info = known.get(part.attribute)
        sampled = sample.values.get(part.attribute, ()) if sample else ()
        values = [value for value in map(str.strip, sampled) if value]
        if part.attribute and known and not info:
            check = text(language, "pages.check.unknownAttribute"), _BAD
        elif part.entry.get("mergeField") and fields and not part.field:
            check = text(language, "pages.check.unknownField"), _BAD
        elif part.attribute and sample and not values:
            check = text(language, "pages.check.noValue", {"segment": sample.segment}), _WARNING
        else:
            check = _check_values(part, info, values, language)
        data_type = info.data_type if info else ""
        shown = [_short(value) for value in dict.fromkeys(values)][:_SHOWN]
        found[part.path] = MappingRow(
            part.path, part.attribute, data_type, shown, part.field, *check
        )
    return found


@dataclass(frozen=True)
class _Part:
    """One part of a mapping, by its path in the definition. `entry` is empty for the address and the names."""

    path: str
    attribute: str
    field: MergeField | None
    entry: Mapping[str, Any]


def _parts(mapping: Mapping[str, Any], fields: Sequence[MergeField]) -> Iterator[_Part]:
    yield _Part(_EMAIL, mapping["email"] or "", None, {})
    for name, tag in _NAMES.items():
        named = find_field(fields, tag) or MergeField(0, tag, tag, "text", required=False)
        yield _Part(f"mapping.{name}", mapping[name] or "", named, {})
    for number, entry in enumerate(mapping["attributes"]):
        field = find_field(fields, entry["mergeField"])
        create = entry.get("create")
        if field is None and create and entry["mergeField"]:
            field = MergeField(0, entry["mergeField"], create["name"], create["type"], False)
        yield _Part(f"mapping.attributes[{number}]", entry["attribute"] or "", field, entry)


def _check_values(
    part: _Part, info: AttributeInfo | None, values: Sequence[str], language: str
) -> tuple[str, str]:
    """Check how many sample values fit; no check of the parts of a postal address, nor without values."""
    if not values:
        return "", ""
    if part.path == _EMAIL:
        fit = sum(address_fault(value) is None for value in values)
        return _counted("email", fit, len(values), language)
    if part.field is None or part.entry.get("part"):
        return "", ""
    known_order, known_mark = (info.date_order, info.decimal_mark) if info else ("", "")
    plain = [with_ascii_digits(value) for value in values]
    order = part.entry.get("dateOrder") or shown_order(plain) or known_order
    mark = part.entry.get("decimalMark") or shown_mark(plain) or known_mark
    convert = conversion(part.field, info.data_type if info else "", order, mark)
    return _converted(part.field, convert, values, language)


def _converted(
    field: MergeField, convert: Callable[[str], object], values: Sequence[str], language: str
) -> tuple[str, str]:
    """How many values can be sent to the field."""
    fit = cut = 0
    for value in values:
        try:
            convert(value)
        except Unusable as unusable:
            cut += bool(unusable.instead)
        else:
            fit += 1
    if cut:
        shown = {"cut": cut, "total": len(values)}
        return text(language, "pages.check.cut", shown), _WARNING
    kind = field.type.lower()
    return _counted(_BY_KIND.get(kind, kind), fit, len(values), language)


def _counted(kind: str, fit: int, total: int, language: str) -> tuple[str, str]:
    level = _GOOD if fit == total else _WARNING if fit else _BAD
    known = kind if kind in _KINDS else "text"
    shown = {"fit": fit, "total": total}
    return text(language, f"pages.check.{known}", shown), level


_KINDS = frozenset(
    ("email", "text", "number", "date", "birthday", "phone", "zip", "url", "choice", "address")
)


def _short(value: str) -> str:
    return value if len(value) <= _LONGEST_SHOWN else f"{value[: _LONGEST_SHOWN - 1]}…"
