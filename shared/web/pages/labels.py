"""The fields of an export, a connection and a schedule in words: their labels and their values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from shared.web.texts import has, reason_text, text

# The words for a field without a value.
NO_VALUE = "–"
# In the order of the pages: the label of a field, and the texts of its values if it has a choice of them.
_LABELS = {
    "displayName": ("form.displayName", ""),
    "sharedWith": ("connections.shared", "role"),
    "connectionId": ("exports.connection", ""),
    "audienceId": ("form.audience", ""),
    "mapping.email": ("form.email", ""),
    "mapping.firstName": ("form.firstName", ""),
    "mapping.lastName": ("form.lastName", ""),
    "mapping.attributes": ("form.attributes", ""),
    "mapping.evidence.timestampSignup": ("form.timestampSignup", ""),
    "mapping.evidence.ipSignup": ("form.ipSignup", ""),
    "mapping.evidence.timestampOpt": ("form.timestampOpt", ""),
    "mapping.evidence.ipOpt": ("form.ipOpt", ""),
    "segments": ("form.segments", ""),
    "newContacts.status": ("form.newContacts", "newStatus"),
    "newContacts.consentAttribute": ("form.consentAttribute", ""),
    "newContacts.consentMeaning": ("form.consentMeaning", "consentMeaning"),
    "leavers": ("form.leavers", "leavers"),
    "onWithdrawal": ("form.onWithdrawal", "onWithdrawal"),
    "exclusionSegments": ("form.exclusionSegments", ""),
    "exclusionGuard.maxShare": ("form.exclusionShare", ""),
    "onAddressChange": ("form.onAddressChange", "onAddressChange"),
    "removalGuard.maxShare": ("form.guard", ""),
    "growthGuard.maxShare": ("form.growthShare", ""),
    "growthGuard.maxContacts": ("form.growthContacts", ""),
    "contactBudget": ("form.contactBudget", ""),
    "schedule.enabled": ("schedule.on", "answer"),
    "schedule.repeat": ("schedule.repeat", "repeat"),
    "schedule.days": ("schedule.days", "day"),
    "schedule.times": ("schedule.times", ""),
    "schedule.timeZone": ("schedule.timeZone", ""),
}
FIELDS = tuple(_LABELS)
# Choices of fields that only the audit trail has.
_CHOICES = {
    "mode": "mode",
    "status": "status",
    "connectionStatus": "connectionStatus",
    "only": "outcome",
}


def field_label(field: str, language: str) -> str:
    """The label of a field, by its path in the JSON form; the path itself without a label."""
    label, _ = _LABELS.get(field, ("", ""))
    key = f"pages.{label}" if label else f"pages.field.{field}"
    return text(language, key) if has(key) else field


def field_position(path: str) -> tuple[int, int]:
    """Where a field is on its page, for sorting: the place of its group, and its row in a table."""
    places = (place for place, field in enumerate(_LABELS) if path.startswith(field))
    row = re.search(r"\[(\d+)]", path)
    return max(places, default=0), int(row[1]) if row else 0


def value_words(field: str, value: object, language: str, names: Mapping[str, str]) -> str:
    """A value of a field in words; `names` are the display names of ids."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(value_words(field, one, language, names) for one in value) or NO_VALUE
    if isinstance(value, Mapping):
        # A segment and its tag, or an attribute and its merge field.
        first, second = value.get("name") or value.get("attribute"), value.get("tag")
        second = second or value.get("mergeField")
        return f"{first} → {second}" if second and second != first else str(first)
    if field == "reason":
        # The reason of rejected rows that were read.
        return reason_text(str(value), language) or text(language, "pages.filter.any")
    if field.endswith(".maxShare") and isinstance(value, float):
        return f"{value * 100:g}"
    _, choices = _LABELS.get(field, ("", ""))
    if isinstance(value, bool):
        choices = "answer"
    key = f"pages.{choices or _CHOICES.get(field, '')}.{value}"
    if has(key):
        return text(language, key)
    return names.get(str(value), str(value)) if value not in (None, "") else NO_VALUE
