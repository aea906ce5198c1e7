"""What a run sent of one person, and what Mailchimp has, as JSON. Reasons are in the caller's language."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from shared.model.one_person import SentPerson
from shared.web.models.base import ListView, View
from shared.web.texts import action_text, not_sent_text, reason_text


class SentFieldView(View):
    """A merge field: the value that was sent, and the value that Mailchimp has now."""

    tag: Annotated[str, Field(examples=["FNAME"])]
    sent: Annotated[
        str | None, Field(description="Null if the value was not sent", examples=["Ada"])
    ]
    now: Annotated[str, Field(description="In Mailchimp now", examples=["Ada"])]
    reason: Annotated[
        str,
        Field(
            description="Why the value was not sent, or was cut; empty if it was sent whole",
            examples=[""],
        ),
    ] = ""


class SentPersonView(View):
    """One contact of the person."""

    address: Annotated[str, Field(examples=["ada@contoso.example"])]
    customer_id: Annotated[str, Field(examples=["ce759201f786d590bf2134bff576c369"])]
    outcome: Annotated[str, Field(examples=["updated"])]
    code: Annotated[str, Field(description="Empty without a reason", examples=["valueDropped"])]
    field: Annotated[
        str,
        Field(description="Merge fields of the reason, separated by blanks", examples=["BIRTHDAY"]),
    ]
    reason: Annotated[str, Field(examples=["A value does not fit its merge field."])]
    action: Annotated[str, Field(examples=["Check the mapping."])]
    fields: tuple[SentFieldView, ...]
    tags_sent: Annotated[tuple[str, ...], Field(examples=[["VIP"]])]
    tags_removed: Annotated[tuple[str, ...], Field(examples=[[]])]
    status: Annotated[
        str,
        Field(
            description="The status in Mailchimp now; empty if the audience does not have the contact",
            examples=["subscribed"],
        ),
    ]
    tags: Annotated[tuple[str, ...], Field(description="In Mailchimp now", examples=[["VIP"]])]


class SentPersonList(ListView[SentPersonView]):
    """The contacts of one person."""


def sent_person_view(contact: SentPerson, language: str) -> SentPersonView:
    """The JSON form of a contact."""
    return SentPersonView.of(
        contact,
        fields=tuple(
            SentFieldView.of(one, reason=not_sent_text(one.reason, language))
            for one in contact.fields
        ),
        reason=reason_text(contact.code, language),
        action=action_text(contact.code, language),
    )
