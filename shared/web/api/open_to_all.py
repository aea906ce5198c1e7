"""What everybody may ask: whether the app is up, and how to talk to it."""

from __future__ import annotations

from shared.web.call import Call
from shared.web.http import Response, reply
from shared.web.models.base import View
from shared.web.routes import Route

__all__ = ["ROUTES"]


class HealthView(View):
    """No detail: the answer is for everybody."""

    status: str


def health(_call: Call) -> Response:
    """The process answers."""
    return reply({"status": "ok"})


ROUTES = (Route("GET", "/api/health", None, health, "Whether the app is up", gives=HealthView),)
