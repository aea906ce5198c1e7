"""Whether the app responds."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import Field

from shared.web.access import AccessRoute, public
from shared.web.models.base import View

router = APIRouter(route_class=AccessRoute, tags=["health"])


class HealthView(View):
    """Contains no details, because the response is public."""

    status: str = Field(default="ok", examples=["ok"])


@router.get("/api/health", summary="Check the health of the app")
@public
async def health() -> HealthView:
    """Returns 200 while the app runs with usable settings, and 503 otherwise."""
    return HealthView()
