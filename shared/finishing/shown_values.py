"""The values of a contact as a person reads them: beside those of a preview, or of a run of one person."""

from __future__ import annotations

import json
from collections.abc import Mapping

from shared.fields.evidence import attribute_tags
from shared.model.audience import MemberState
from shared.model.plan import Plan


def shown_values(plan: Plan, state: MemberState | None) -> dict[str, object]:
    """The values of a contact: all merge fields, and the evidence that the plan sends."""
    if state is None:
        return {}
    mapped = {tag for _, tag in attribute_tags(plan.mapping.evidence)}
    return {
        **state.fields,
        **{tag: value for tag, value in state.evidence.items() if tag in mapped},
    }


def value_text(value: object) -> str:
    """A value as text; the parts of a postal address are joined."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return ", ".join(str(part) for part in value.values() if part)
    return json.dumps(value)
