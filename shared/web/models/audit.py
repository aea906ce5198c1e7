"""The audit trail as JSON."""

from __future__ import annotations

from shared.web.models.base import ListView, Time, View


class ChangeView(View):
    """One field that changed; values are JSON texts."""

    field: str
    before: str
    after: str


class AuditEntryView(View):
    """One change: who, what, when."""

    id: str
    at: Time
    actor_id: str
    actor_name: str
    is_application: bool
    action: str
    subject_id: str
    subject_name: str
    changes: tuple[ChangeView, ...]
    trace_id: str


class AuditEntryList(ListView[AuditEntryView]):
    """Entries of the audit trail, newest first."""
