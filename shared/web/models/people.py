"""Looking for a person over all exports, and removing one, as JSON."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from shared.web.models.base import Body, Time, View

__all__ = ["EraseBody", "ReceiptView", "SearchBody", "SightingView"]

Address = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=3, max_length=320, pattern="@")
]


class SearchBody(Body):
    """Whom to look for."""

    email: Address


class EraseBody(Body):
    """Whom to remove, and whether Mailchimp shall delete the person for good too."""

    email: Address
    delete_in_mailchimp: bool


class SightingView(View):
    """What one export knows of the person."""

    export_id: str
    export_name: str
    segments: tuple[str, ...]
    in_audience: str
    outcome: str
    code: str
    reason: str
    action: str
    at: Time | None


class ReceiptView(View):
    """What was removed; `waits_for` are runs that still hold the person until they are over."""

    id: str
    at: Time
    exports: int
    records: int
    deleted_in_mailchimp: int
    waits_for: tuple[str, ...]
