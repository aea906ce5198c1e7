"""What a preview found, as JSON. Reasons are in the caller's language."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from shared.model.preview import Preview, SampleKind
from shared.web.models.base import View
from shared.web.texts import reason_text


class OutcomeTotalView(View):
    """The number of rows with one outcome, code and field."""

    outcome: Annotated[str, Field(examples=["rejected"])]
    code: Annotated[str, Field(description="Empty without a reason", examples=["addressMalformed"])]
    field: Annotated[str, Field(description="Merge fields, separated by blanks", examples=[""])]
    count: Annotated[int, Field(examples=[12])]
    reason: Annotated[str, Field(examples=["The address is malformed."])]


class SampleFieldView(View):
    """A merge field as Mailchimp has it now, and after the run."""

    tag: Annotated[str, Field(examples=["FNAME"])]
    now: Annotated[str, Field(examples=["Ada"])]
    after: Annotated[str, Field(examples=["Adah"])]


class SamplePersonView(View):
    """A person before and after the run."""

    kind: SampleKind
    address: Annotated[str, Field(examples=["ada@contoso.example"])]
    status: Annotated[
        str, Field(description="Empty while the audience does not have the person", examples=[""])
    ]
    status_after: Annotated[str, Field(examples=["subscribed"])]
    fields: tuple[SampleFieldView, ...]
    tags: Annotated[tuple[str, ...], Field(examples=[["VIP"]])]
    tags_after: Annotated[tuple[str, ...], Field(examples=[["VIP"]])]


class PreviewView(View):
    """What a preview found."""

    totals: tuple[OutcomeTotalView, ...]
    people: tuple[SamplePersonView, ...]


def preview_view(found: Preview, language: str) -> PreviewView:
    """The JSON form of what a preview found."""
    totals = tuple(
        OutcomeTotalView(
            outcome=outcome,
            code=code,
            field=field,
            count=count,
            reason=reason_text(code, language),
        )
        for outcome, code, field, count in found.totals
    )
    return PreviewView.of(found, totals=totals)
