"""The admin pages: HTML for people, on the endpoints of the JSON interface."""

from __future__ import annotations

from shared.web.needs import Desk
from shared.web.pages import connections, export_form, exports, people, runs, settings, static
from shared.web.routes import Route

__all__ = ["PAGES", "pages_for"]

PAGES: tuple[Route, ...] = (
    *exports.ROUTES,
    *export_form.ROUTES,
    *connections.ROUTES,
    *runs.ROUTES,
    *people.ROUTES,
    *settings.ROUTES,
    *static.ROUTES,
)


def pages_for(desk: Desk) -> tuple[Route, ...]:
    """The pages whose use cases are there."""
    return tuple(route for route in PAGES if route.there(desk))
