"""Unused contacts of an audience as JSON."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from shared.planning.archiving.contact_use import ContactUse
from shared.web.models.base import Body, Time, View


class ArchiveBody(Body):
    """The number of unused contacts that a person agrees to archive."""

    people: Annotated[int, Field(ge=1, examples=[120])]


class UnusedView(View):
    """Contacts that an export created and that no export targets any more."""

    export_id: Annotated[str, Field(examples=["5d1f0c2b8e7a4936"])]
    export_name: Annotated[str, Field(examples=["Newsletter"])]
    people: Annotated[int, Field(examples=[120])]


class StatusCountView(View):
    """The number of contacts in one status."""

    status: Annotated[str, Field(examples=["subscribed"])]
    count: Annotated[int, Field(examples=[8200])]


# The name is that of the schema in the description of the HTTP interface.
class HygieneView(View):
    """The contacts of an audience by status, and those that are billed but not used."""

    audience_id: Annotated[str, Field(examples=["a1b2c3d4e5"])]
    audience_name: Annotated[str, Field(examples=["Newsletter"])]
    contacts: tuple[StatusCountView, ...]
    billed: Annotated[int, Field(description="Contacts that Mailchimp bills", examples=[8900])]
    unused: tuple[UnusedView, ...]
    unused_share: Annotated[
        float, Field(description="The share of the billed contacts, from 0 to 1", examples=[0.013])
    ]
    incomplete: Annotated[
        tuple[str, ...],
        Field(
            description="Exports that have not sent everyone yet; while there are any, `unused` is empty",
            examples=[[]],
        ),
    ]
    long_unsubscribed: Annotated[
        int,
        Field(description="Unsubscribed contacts without a change since `since`", examples=[240]),
    ]
    long_unsubscribed_share: Annotated[
        float, Field(description="The share of the billed contacts, from 0 to 1", examples=[0.027])
    ]
    long_cleaned: Annotated[
        int,
        Field(
            description="Cleaned contacts without a change since `since`; they are not billed",
            examples=[31],
        ),
    ]
    since: Time


def unused_view(found: ContactUse) -> HygieneView:
    """The JSON form of what an audience has."""
    return HygieneView.of(
        found,
        contacts=tuple(
            StatusCountView(status=status, count=count) for status, count in found.contacts.items()
        ),
        unused_share=round(found.share(found.unused_people), 4),
        long_unsubscribed_share=round(found.share(found.long_unsubscribed), 4),
    )
