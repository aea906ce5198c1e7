"""The audit trail: who changed what and when. It contains no person of a segment and no secret.

An entry names the fields that changed, with their values before and after. It is written after its
change: a change that failed leaves no entry. Keys begin with a descending time, so that the newest entries
can be read without the older ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

import orjson

from shared.model.ports import Stored
from shared.request_time import LAST_CALLS, calls_until
from shared.web.audit_entry import AuditEntry, Change
from shared.web.context import Context

_PARTITION = "audit"

# A time after the year 5000, in milliseconds: subtracting a time from it reverses the order.
_FAR_FUTURE = 99_999_999_999_999
_LONGEST_VALUE = 500
_AT_ONCE = 200
_MOST_READ = 5_000


def record(
    context: Context,
    action: str,
    subject_id: str,
    subject_name: str = "",
    *,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> None:
    """Record a change that the caller has made. `action` is `<subject>.<verb>`."""
    principal = context.caller
    entry = AuditEntry(
        id=context.services.new_id(),
        at=context.services.clock(),
        actor_id=principal.id,
        actor_name=principal.name,
        is_application=principal.is_application,
        action=action,
        subject_id=subject_id,
        subject_name=subject_name,
        changes=_changes(before, after),
        trace_id=context.trace_id,
    )
    # The change may have taken all the time of the request.
    with calls_until(LAST_CALLS):
        context.services.audit_records.create(_key_of(entry), entry)


@dataclass(frozen=True)
class AuditFilter:
    """Which entries to read; None and "" mean any. `since` is included, `until` is not.

    `kind` is the subject of an action (export, run, ...), `subject_id` and `actor_id` are ids.
    """

    kind: str
    subject_id: str
    actor_id: str
    since: datetime | None
    until: datetime | None

    def includes(self, entry: AuditEntry) -> bool:
        """Whether an entry belongs to the choice, apart from its time."""
        return (
            entry.action.startswith(f"{self.kind}." if self.kind else "")
            and self.subject_id in ("", entry.subject_id, _export_of(entry))
            and self.actor_id in ("", entry.actor_id)
        )


@dataclass(frozen=True)
class AuditPage:
    """Some entries, newest first; `after` continues the list, and is empty at its end."""

    entries: tuple[AuditEntry, ...]
    after: str


def newest(context: Context, after: str, skip: int, top: int) -> AuditPage:
    """Entries of all kinds that follow `after`, without the first `skip`."""
    page_size = min(skip + top + 1, 1_000)
    following = context.services.audit_records.all(_PARTITION, after=after, page=page_size)
    found = list(islice(following, skip, skip + top + 1))
    entries = tuple(stored.value for stored in found[:top])
    return AuditPage(entries, _row(found[top - 1]) if len(found) > top else "")


def page(context: Context, wanted: AuditFilter, after: str, top: int) -> AuditPage:
    """Entries that match. At most 5,000 are read at once, so a page may have fewer than `top`."""
    if wanted.until is not None:
        after = max(after, f"{_FAR_FUTURE - _milliseconds(wanted.until):014d}-~")
    found: list[AuditEntry] = []
    row = ""
    stored_entries = context.services.audit_records.all(_PARTITION, after=after, page=_AT_ONCE)
    for number, stored in enumerate(stored_entries):
        if len(found) == top or number == _MOST_READ:
            return AuditPage(tuple(found), row)
        if wanted.since is not None and stored.value.at < wanted.since:
            break
        row = _row(stored)
        if wanted.includes(stored.value):
            found.append(stored.value)
    return AuditPage(tuple(found), "")


def _row(stored: Stored[AuditEntry]) -> str:
    return stored.key.rpartition("/")[2]


def _export_of(entry: AuditEntry) -> str:
    """The id of the export that was run; "" for other actions."""
    return next(
        (change.after.strip('"') for change in entry.changes if change.field == "exportId"), ""
    )


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _key_of(entry: AuditEntry) -> str:
    """Newest first in key order; the id makes it unique."""
    backwards = _FAR_FUTURE - _milliseconds(entry.at)
    return f"{_PARTITION}/{backwards:014d}-{entry.id}"


def _changes(
    before: Mapping[str, object] | None, after: Mapping[str, object] | None
) -> tuple[Change, ...]:
    """The fields that differ between two states of an object; None means that it does not exist."""
    old, new = _recorded(before or {}), _recorded(after or {})
    names = [*old, *(name for name in new if name not in old)]
    return tuple(
        Change(name, old.get(name, ""), new.get(name, ""))
        for name in names
        if old.get(name) != new.get(name)
    )


def _recorded(values: Mapping[str, object]) -> dict[str, str]:
    return {
        name: orjson.dumps(value).decode()[:_LONGEST_VALUE]
        for name, value in flat(values).items()
        if value is not None
    }


def flat(values: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """`{"mapping": {"email": "Email"}}` as `mapping.email`; lists stay whole."""
    found: dict[str, object] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found
