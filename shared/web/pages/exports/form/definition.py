"""The definition that the export form shows, with the names of the JSON API."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from shared.fields.consent import suggested_meaning
from shared.fields.merge_fields import proper_tag
from shared.model.export import ConsentMeaning
from shared.web.pages.forms import Form
from shared.web.pages.schedule.fields import schedule_fields

Definition = dict[str, Any]

# The choice of a field that the audience does not have yet.
NEW_FIELD = "+"

_ATTRIBUTE = re.compile(r"mapping\.attributes\[(\d+)\](?:\.(.+))?")
_ATTRIBUTE_FIELDS = {"attribute": "attribute", "create.name": "newField", "create.type": "type"}
# The ids of fields that are not the last part of their path.
_IDS = {
    "mapping.attributes": "addAttribute",
    "exclusionGuard.maxShare": "exclusionShare",
    "growthGuard.maxShare": "growthShare",
    "growthGuard.maxContacts": "growthContacts",
    "newContacts.status": "newStatus",
    "schedule.enabled": "repeat",
    "schedule.days": "day-monday",
    "schedule.times": "time-0",
}
_SEGMENT = re.compile(r"segments\[(\d+)\](?:\..+)?")

# How many rows of attributes a form may have: one more than a definition.
_ROWS = frozenset(str(number) for number in range(102))
_EVIDENCE = ("timestampSignup", "ipSignup", "timestampOpt", "ipOpt")


def definition_from(form: Form) -> Definition:
    """The definition that a form was sent with."""
    evidence = {name: form.get(name) or None for name in _EVIDENCE}
    definition: Definition = {
        "displayName": form.get("displayName"),
        "connectionId": form.get("connectionId") or None,
        "audienceId": form.get("audienceId"),
        "mapping": {
            "email": form.get("email"),
            "firstName": form.get("firstName") or None,
            "lastName": form.get("lastName") or None,
            "attributes": list(_attributes(form)),
            **({"evidence": evidence} if any(evidence.values()) else {}),
        },
        "segments": [
            {"name": name, "tag": form.get(f"tag:{name}") or None} for name in form.all("segment")
        ],
        "newContacts": _new_contacts(form),
        "leavers": form.get("leavers") or "removeTag",
        "onWithdrawal": form.get("onWithdrawal") or "removeTags",
        "onAddressChange": form.get("onAddressChange") or "keep",
        "exclusionSegments": form.all("exclusionSegment"),
        "removalGuard": {"maxShare": form.share("maxShare")},
        "growthGuard": {"maxContacts": form.whole_number("growthContacts")},
        "contactBudget": form.whole_number("contactBudget"),
        "schedule": schedule_fields(form),
    }
    # An empty share is the default share.
    if form.get("exclusionShare"):
        definition["exclusionGuard"] = {"maxShare": form.share("exclusionShare")}
    if form.get("growthShare"):
        definition["growthGuard"]["maxShare"] = form.share("growthShare")
    return definition


def _new_contacts(form: Form) -> Definition:
    """The status of new contacts, and the attribute that says who may be mailed.

    Without a chosen meaning, the name of the attribute decides. The usual meaning is omitted, as in
    the JSON form.
    """
    attribute = form.get("consentAttribute")
    meaning = form.get("consentMeaning") or suggested_meaning(attribute)
    fields: Definition = {
        "status": form.get("newStatus") or "audienceDefault",
        "consentAttribute": attribute or None,
    }
    if meaning not in (None, ConsentMeaning.YES_MAY_BE_MAILED):
        fields["consentMeaning"] = meaning
    return fields


def _attributes(form: Form) -> Iterable[Definition]:
    """The rows of further attributes, except the one to remove."""
    sent = form.get("attributes")
    rows = int(sent) if sent in _ROWS else 0
    for number in range(rows):
        if form.get("do") == f"removeAttribute-{number}":
            continue
        attribute = form.get(f"attribute-{number}")
        tag = form.get(f"field-{number}").upper()
        is_new = tag == NEW_FIELD
        if is_new:
            tag = form.get(f"newField-{number}").upper() or proper_tag(attribute)
        create = None
        # A field that the export created keeps its definition, so that it is created again if it is deleted.
        created = tag != "" and tag == form.get(f"created-{number}")
        if is_new or created or form.has(f"create-{number}"):
            create = {"name": attribute, "type": form.get(f"type-{number}") or "text"}
        yield {
            "attribute": attribute,
            "mergeField": tag,
            "create": create,
            "part": form.get(f"part-{number}") or None,
            "dateOrder": form.get(f"dateOrder-{number}") or None,
            "decimalMark": form.get(f"decimalMark-{number}") or None,
        }


def field_id(path: str, definition: Definition, known: Sequence[str]) -> str:
    """The id of the form field for a path of the definition; `known` are the segments that the form lists."""
    if row := _ATTRIBUTE.fullmatch(path):
        return f"{_ATTRIBUTE_FIELDS.get(row[2] or '', 'field')}-{row[1]}"
    if _SEGMENT.fullmatch(path):
        name = row_name(path, definition)
        return f"tag-{known.index(name) + 1}" if name in known else "segments"
    field = re.sub(r"\[\d+\]", "", path)
    return _IDS.get(field, field.rpartition(".")[2])


def attribute_number(path: str) -> int | None:
    """The row of a further attribute that has the field of a path, counted from 1; None for other fields."""
    row = _ATTRIBUTE.fullmatch(path)
    return int(row[1]) + 1 if row else None


def row_name(path: str, definition: Definition) -> str:
    """The attribute or segment whose row has the field of a path; "" for fields outside these rows."""
    if row := _ATTRIBUTE.fullmatch(path):
        return str(definition["mapping"]["attributes"][int(row[1])]["attribute"])
    if row := _SEGMENT.fullmatch(path):
        return str(definition["segments"][int(row[1])]["name"])
    return ""
