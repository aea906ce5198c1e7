"""The context of a request: the services, the caller, and the language of the response."""

from __future__ import annotations

from dataclasses import dataclass

from shared.web.authentication import Principal
from shared.web.services import Services

# The caller of a route that is open to all.
ANONYMOUS = Principal("", "", None)


@dataclass(frozen=True)
class Context:
    """The context of one request. `trace_id` joins the audit entry, the logs and the response."""

    services: Services
    caller: Principal
    language: str
    trace_id: str
