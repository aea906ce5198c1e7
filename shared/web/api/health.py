"""Whether the app responds."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import Field

from shared.web.access import AccessRoute, public
from shared.web.models.base import View

__all__ = ["router"]

router = APIRouter(route_class=AccessRoute, tags=["health"])


class HealthView(View):
    """No detail: the response is public."""

    status: str = Field(default="ok", examples=["ok"])


@router.get("/api/health", summary="Whether the app is up")
@public
async def health() -> HealthView:
    """Answers while the app runs and its settings can be used."""
    return HealthView()
