"""Two versions of an object, side by side: the saved one, and the one that a form would save."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.web.application.audit import flat
from shared.web.pages.labels import FIELDS, field_label, value_words


@dataclass(frozen=True)
class ConflictingField:
    """One field that differs."""

    label: str
    saved: str
    yours: str


def conflicting_fields(
    saved: Mapping[str, object],
    yours: Mapping[str, object],
    language: str,
    names: Mapping[str, str] | None = None,
) -> list[ConflictingField]:
    """The fields that differ, in words; `names` are the display names of ids."""
    old, new = flat(saved), flat(yours)
    found = []
    for field in FIELDS:
        before, after = (
            value_words(field, values.get(field), language, names or {}) for values in (old, new)
        )
        if before != after:
            found.append(ConflictingField(field_label(field, language), before, after))
    return found
