"""The audit trail over HTTP: who changed what, newest first."""

from __future__ import annotations

from itertools import islice

from shared.web.api.answers import listed, page_of
from shared.web.audit import PARTITION
from shared.web.call import Call
from shared.web.http import Response
from shared.web.models.audits import AuditEntryView
from shared.web.principal import Role
from shared.web.routes import Param, Route

__all__ = ["ROUTES"]

_TOP = 50
_MOST_TOP = 200
_MOST_SKIP = 10_000


def list_all(call: Call) -> Response:
    """Entries, newest first, page by page."""
    top = call.number("top", _TOP, _MOST_TOP)
    skip = call.number("skip", 0, _MOST_SKIP, least=0)
    entries = list(islice(call.desk.audit.all(PARTITION), skip, skip + top + 1))
    views = [AuditEntryView.model_validate(stored.value) for stored in entries[:top]]
    return listed(views, call, page_of(call, skip, top) if len(entries) > top else None)


ROUTES = (
    Route(
        "GET",
        "/api/audit",
        Role.ADMINISTRATOR,
        list_all,
        "Who changed what, newest first",
        gives=AuditEntryView,
        gives_list=True,
        params=(
            Param("top", "How many", {"type": "integer", "minimum": 1, "maximum": _MOST_TOP}),
            Param(
                "skip",
                "How many to leave out first",
                {"type": "integer", "minimum": 0, "maximum": _MOST_SKIP},
            ),
        ),
    ),
)
