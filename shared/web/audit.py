"""The audit trail: every change with who, what and when; never a person of a segment, never a secret.

An entry says which fields changed, from what to what. It is written after the change it tells of:
a change that failed leaves none. Keys begin with the time counted backwards, so the newest entries
are read first and the rest never.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import orjson

from shared.web.principal import Principal

__all__ = ["PARTITION", "AuditEntry", "Change", "changes", "key_of"]

PARTITION = "audit"

# Beyond the year 5000 in milliseconds: subtracting from it turns the order around.
_FAR_FUTURE = 99_999_999_999_999
_LONGEST_VALUE = 500


@dataclass(frozen=True)
class Change:
    """One field that changed; values as JSON texts, "" where there was or is none."""

    field: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True)
class AuditEntry:
    """One change. `action` is `<subject>.<verb>`, for example `export.update`."""

    id: str
    at: datetime
    actor_id: str
    actor_name: str
    is_application: bool
    action: str
    subject_id: str
    subject_name: str = ""
    changes: tuple[Change, ...] = ()
    trace_id: str = ""


def key_of(entry: AuditEntry) -> str:
    """Newest first in key order; the id makes it one of a kind."""
    backwards = _FAR_FUTURE - int(entry.at.timestamp() * 1000)
    return f"{PARTITION}/{backwards:014d}-{entry.id}"


def entry_of(
    principal: Principal,
    action: str,
    subject_id: str,
    subject_name: str,
    changed: tuple[Change, ...],
    *,
    at: datetime,
    entry_id: str,
    trace_id: str,
) -> AuditEntry:
    """The entry for a change that a caller made."""
    return AuditEntry(
        id=entry_id,
        at=at,
        actor_id=principal.id,
        actor_name=principal.name,
        is_application=principal.is_application,
        action=action,
        subject_id=subject_id,
        subject_name=subject_name,
        changes=changed,
        trace_id=trace_id,
    )


def changes(
    before: Mapping[str, object] | None, after: Mapping[str, object] | None
) -> tuple[Change, ...]:
    """What differs between two states of a thing, field by field; None is "not there"."""
    old, new = dict(_flat(before or {})), dict(_flat(after or {}))
    names = [*old, *(name for name in new if name not in old)]
    return tuple(
        Change(name, old.get(name, ""), new.get(name, ""))
        for name in names
        if old.get(name) != new.get(name)
    )


def _flat(value: Mapping[str, object], prefix: str = "") -> list[tuple[str, str]]:
    """`{"mapping": {"email": "Email"}}` as `mapping.email`; lists stay whole."""
    found: list[tuple[str, str]] = []
    for name, entry in value.items():
        if isinstance(entry, Mapping):
            found += _flat(entry, f"{prefix}{name}.")
        elif entry is not None:
            found.append((f"{prefix}{name}", orjson.dumps(entry).decode()[:_LONGEST_VALUE]))
    return found
