"""How current the statuses of audiences are, as JSON. Reasons are in the caller's language."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from shared.model.consent import ConsentState, ConsentWebhook
from shared.web.models.base import ListView, Time, View
from shared.web.models.runs import ReasonView, reason_view

WebhookState = Literal["registered", "refused", "none"]


class AudienceConsentView(View):
    """How current the statuses of an audience are."""

    audience_id: Annotated[str, Field(examples=["a1b2c3d4e5"])]
    audience_name: Annotated[
        str, Field(description="Empty before the first publication", examples=["Newsletter"])
    ]
    read_at: Annotated[
        Time | None, Field(description="When changes were read from Mailchimp last")
    ] = None
    complete: Annotated[
        bool, Field(description="Whether all changes were read", examples=[True])
    ] = False
    published_at: Annotated[
        Time | None, Field(description="When the table MailchimpConsent changed last")
    ] = None
    statuses: Annotated[
        dict[str, int],
        Field(
            description="Profiles in the table by status",
            examples=[{"subscribed": 1180, "unsubscribed": 20}],
        ),
    ]
    problem: Annotated[ReasonView | None, Field(description="Why the last reading failed")] = None
    webhook: Annotated[
        WebhookState,
        Field(description="Whether Mailchimp reports changes at once", examples=["registered"]),
    ]
    webhook_problem: Annotated[
        ReasonView | None, Field(description="Why Mailchimp refused the webhook")
    ] = None


class AudienceConsentList(ListView[AudienceConsentView]):
    """The audiences that exports use, by ID."""


def _webhook_state(webhook: ConsentWebhook) -> WebhookState:
    """Whether the webhook works, was refused, or was not registered yet."""
    if webhook.webhook_id:
        return "registered"
    return "refused" if webhook.problem else "none"


def audience_consent_view(state: ConsentState, language: str) -> AudienceConsentView:
    """The JSON form of the state of an audience."""
    return AudienceConsentView(
        audience_id=state.audience_id,
        audience_name=state.published.audience_name,
        read_at=state.sweep.swept_at,
        complete=state.sweep.complete,
        published_at=state.published.published_at,
        statuses=state.published.statuses,
        problem=reason_view(state.sweep.problem, language),
        webhook=_webhook_state(state.webhook),
        webhook_problem=reason_view(state.webhook.problem, language),
    )
