"""One entry of the audit trail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Change:
    """One field that changed; values are JSON texts, "" for a value that does not exist."""

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
