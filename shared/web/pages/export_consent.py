"""The part of the export form about consent: which people may be mailed, and what ends it.

`_export_consent.html` shows it.
"""

from __future__ import annotations

from typing import Any

from shared.fields.consent import suggested_meaning
from shared.model.export import ConsentMeaning
from shared.web.pages.forms import Form

__all__ = ["consent_fields", "evidence_fields", "withdrawal_fields"]

_EVIDENCE = ("timestampSignup", "ipSignup", "timestampOpt", "ipOpt")


def consent_fields(form: Form) -> dict[str, Any]:
    """The fields of `newContacts` about consent.

    Without a chosen meaning, the name of the attribute decides. The usual meaning is omitted, as in
    the JSON form.
    """
    attribute = form.get("consentAttribute")
    meaning = form.get("consentMeaning") or suggested_meaning(attribute)
    fields: dict[str, Any] = {"consentAttribute": attribute or None}
    if meaning not in (None, ConsentMeaning.YES_MAY_BE_MAILED):
        fields["consentMeaning"] = meaning
    return fields


def withdrawal_fields(form: Form) -> dict[str, Any]:
    """The fields about people who withdraw consent, change their address or are excluded."""
    return {
        "onWithdrawal": form.get("onWithdrawal") or "removeTags",
        "onAddressChange": form.get("onAddressChange") or "keep",
        "exclusionSegments": form.all("exclusionSegment"),
    }


def evidence_fields(form: Form) -> dict[str, Any]:
    """The field of `mapping` about the evidence of consent; omitted without any attribute."""
    chosen = {name: form.get(name) or None for name in _EVIDENCE}
    return {"evidence": chosen} if any(chosen.values()) else {}
