"""The address that Mailchimp calls when a contact of an audience changes."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header
from pydantic import Field
from starlette.requests import Request

from shared.errors import NotFound
from shared.web.access import AccessRoute, public
from shared.web.models.base import View
from shared.web.parameters import CurrentContext, id_of

router = APIRouter(route_class=AccessRoute, tags=["webhooks"])

_ONE = "/api/mailchimp/webhooks/{token:id}"
_BODY: dict[str, Any] = {
    "requestBody": {
        "description": "An event as Mailchimp posts it. Its content is not used.",
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {"type": "object", "additionalProperties": {"type": "string"}},
                "example": {"type": "unsubscribe", "data[list_id]": "a1b2c3d4e5"},
            }
        },
    }
}

Token = Annotated[
    str,
    id_of(
        "token",
        "The random part of the address that the app registered",
        "5f2b8c1d9e0a4f37b6c8d2e15f2b8c1d9e0a4f37b6c8d2e15f2b8c1d9e0a4f37",
    ),
]


async def _body(request: Request) -> bytes:
    return await request.body()


class WebhookView(View):
    """Contains no details, because the response is public."""

    status: str = Field(default="ok", examples=["ok"])


@router.get(_ONE, summary="Check the address of a webhook")
@public
async def check(token: Token) -> WebhookView:
    """Mailchimp reads the address when a webhook is registered. Returns 200 for every token."""
    return WebhookView()


@router.post(_ONE, summary="Receive an event of Mailchimp", openapi_extra=_BODY)
@public
def receive(
    token: Token,
    context: CurrentContext,
    body: Annotated[bytes, Depends(_body)],
    signature: Annotated[
        str,
        Header(
            alias="X-Mailchimp-Signature",
            description="Checked if Mailchimp gave a signing secret",
            examples=["t=1790846045,v1=5f2b8c1d9e0a4f37b6c8d2e1"],
        ),
    ] = "",
) -> WebhookView:
    """Requests that the changed contacts of the audience are read. 404 for an unknown token or a wrong signature."""
    if not context.services.consent_updates.accept_call(token, body, signature):
        raise NotFound("webhookNotFound")
    return WebhookView()
