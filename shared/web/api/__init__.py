"""The JSON API: one module per subject, each with its router."""

from __future__ import annotations

from fastapi import APIRouter

from shared.web.api import (
    audit,
    connections,
    exclusions,
    exports,
    health,
    people,
    runs,
    schedule,
    segments,
    sign_in,
    unused_contacts,
    webhooks,
)
from shared.web.services import Services


def routers(services: Services) -> tuple[APIRouter, ...]:
    """The routers of what is configured."""
    return (
        health.router,
        connections.router,
        *([sign_in.mailchimp_router] if services.sign_ins else []),
        *([sign_in.entra_router] if services.sign_ins and services.sign_ins.entra else []),
        segments.router,
        *([segments.refresh_jobs_router] if services.customer_insights else []),
        exports.router,
        exclusions.router,
        unused_contacts.router,
        runs.router,
        people.router,
        schedule.router,
        audit.router,
        webhooks.router,
    )
