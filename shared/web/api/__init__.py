"""The JSON interface: one file per subject, each with its rows of the route table."""

from __future__ import annotations

from shared.web.api import (
    audits,
    connections,
    exports,
    open_to_all,
    people,
    refresh_schedule,
    runs,
    segments,
    sign_in,
)
from shared.web.needs import Desk
from shared.web.openapi import describing
from shared.web.routes import Route

__all__ = ["ROUTES", "routes_for"]

ROUTES: tuple[Route, ...] = (
    *open_to_all.ROUTES,
    *connections.ROUTES,
    *sign_in.ROUTES,
    *segments.ROUTES,
    *exports.ROUTES,
    *runs.ROUTES,
    *people.ROUTES,
    *refresh_schedule.ROUTES,
    *audits.ROUTES,
)


def routes_for(desk: Desk) -> tuple[Route, ...]:
    """What is served at a desk: the routes whose use cases are there, and their description."""
    served = [route for route in ROUTES if route.there(desk)]
    return (*served, describing(served))
