"""Who makes a request, and in which language the response is read."""

from __future__ import annotations

from dataclasses import dataclass

from shared.web.authentication import Principal, Role

__all__ = ["ANONYMOUS", "Caller"]

# The caller of a route that is open to all.
ANONYMOUS = Principal("", "", None)


@dataclass(frozen=True)
class Caller:
    """A signed-in caller. `trace_id` joins the audit entry, the logs and the response."""

    principal: Principal
    language: str = "en"
    trace_id: str = ""

    @property
    def name(self) -> str:
        """The name that records show."""
        return self.principal.name

    def may(self, role: Role) -> bool:
        """Whether the caller has this role or a higher one."""
        return self.principal.may(role)
