"""The JSON API: one module per subject, each with its router."""

from __future__ import annotations

from fastapi import APIRouter

from shared.web.api import (
    audit,
    connections,
    exclusions,
    exports,
    health,
    hygiene,
    people,
    runs,
    schedule,
    segments,
    sign_in,
    webhooks,
)
from shared.web.services import Services

__all__ = ["routers"]


def routers(services: Services) -> tuple[APIRouter, ...]:
    """The routers of what is configured."""
    return (
        health.router,
        connections.router,
        *([sign_in.mailchimp_router] if services.has_mailchimp_sign_in else []),
        *([sign_in.entra_router] if services.has_entra_sign_in else []),
        segments.router,
        *([segments.refresh_jobs_router] if services.refresh_jobs else []),
        exports.router,
        exclusions.router,
        hygiene.router,
        runs.router,
        people.router,
        schedule.router,
        audit.router,
        webhooks.router,
    )
