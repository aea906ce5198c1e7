"""The list of excluded people as JSON: its numbers, not the people."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from shared.model.exclusions import ExclusionList
from shared.web.models.base import Time, View

_EXAMPLE: dict[str, Any] = {
    "addresses": 120,
    "customers": 15,
    "updatedAt": "2026-11-23T09:00:00.000Z",
    "updatedBy": "ada@contoso.example",
}


class ExclusionsView(View):
    """How many people the list of an export excludes."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    addresses: Annotated[int, Field(description="The number of email addresses")]
    customers: Annotated[int, Field(description="The number of CustomerIds")]
    updated_at: Time | None
    updated_by: str


def exclusions_view(listed: ExclusionList) -> ExclusionsView:
    """The JSON form of a list."""
    return ExclusionsView(
        addresses=len(listed.addresses),
        customers=len(listed.customers),
        updated_at=listed.updated_at,
        updated_by=listed.updated_by,
    )
