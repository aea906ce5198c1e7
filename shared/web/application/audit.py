"""The audit trail: who changed what and when. It contains no person of a segment and no secret.

An entry names the fields that changed, with their values before and after. It is written after its
change: a change that failed leaves no entry. Keys begin with a descending time, so that the newest entries
can be read without the older ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

import orjson

from shared.web.audit_entry import AuditEntry, Change
from shared.web.caller import Caller
from shared.web.services import Services

__all__ = ["newest", "record"]

_PARTITION = "audit"

# A time after the year 5000, in milliseconds: subtracting a time from it reverses the order.
_FAR_FUTURE = 99_999_999_999_999
_LONGEST_VALUE = 500


def record(
    services: Services,
    caller: Caller,
    action: str,
    subject_id: str,
    subject_name: str = "",
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> None:
    """Record a change that the caller has made. `action` is `<subject>.<verb>`."""
    principal = caller.principal
    entry = AuditEntry(
        id=services.new_id(),
        at=services.clock(),
        actor_id=principal.id,
        actor_name=principal.name,
        is_application=principal.is_application,
        action=action,
        subject_id=subject_id,
        subject_name=subject_name,
        changes=_changes(before, after),
        trace_id=caller.trace_id,
    )
    services.audit_records.create(_key_of(entry), entry)


def newest(services: Services, skip: int, top: int) -> list[AuditEntry]:
    """Entries, newest first."""
    entries = services.audit_records.all(_PARTITION)
    return [stored.value for stored in islice(entries, skip, skip + top)]


def _key_of(entry: AuditEntry) -> str:
    """Newest first in key order; the id makes it unique."""
    backwards = _FAR_FUTURE - int(entry.at.timestamp() * 1000)
    return f"{_PARTITION}/{backwards:014d}-{entry.id}"


def _changes(
    before: Mapping[str, object] | None, after: Mapping[str, object] | None
) -> tuple[Change, ...]:
    """The fields that differ between two states of an object; None means that it does not exist."""
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
