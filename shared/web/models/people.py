"""Searching for a person over all exports, and erasing one, as JSON."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from shared.people.search import PersonInExport
from shared.web.models.base import Body, ListView, Time, View
from shared.web.texts import action_text, reason_text


def _address(value: str) -> str:
    """Refuse what cannot be an address: exactly one @ between two parts that are not empty."""
    if not _FORM.fullmatch(value):
        code = "addressMalformed"
        raise PydanticCustomError(code, "This is not an email address.")
    return value


_FORM = re.compile(r"[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f.]+(\.[^@\s\x00-\x1f\x7f.]+)*")

Address = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=320),
    AfterValidator(_address),
    Field(examples=["ada@contoso.example"], json_schema_extra={"format": "email"}),
]


class SearchBody(Body):
    """The person to search for: an address, or the CustomerId of the profile."""

    email: Address | None = None
    customer_id: Annotated[
        str | None,
        # Runs ignore longer ids (planning/reading/sql/people.sql).
        StringConstraints(strip_whitespace=True, min_length=1, max_length=500),
        Field(
            description="The id of the profile in Customer Insights, instead of `email`",
            examples=["ce759201f786d590bf2134bff576c369"],
        ),
    ] = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.email is None) is (self.customer_id is None):
            code = "personUnnamed"
            raise PydanticCustomError(code, "Give either an email address or a CustomerId.")
        return self


def person_named(name: str) -> SearchBody:
    """The person that a form names: an address, or a CustomerId if there is no @ in it."""
    field = "email" if "@" in name or not name else "customerId"
    return SearchBody.from_form({field: name})


class EraseBody(Body):
    """The person to erase, and whether to delete the contact in Mailchimp permanently, too."""

    email: Address
    delete_in_mailchimp: bool


class SentValueView(View):
    """A merge field and the value that was sent."""

    field: Annotated[str, Field(examples=["CITY"])]
    value: Annotated[str, Field(examples=["Seoul"])]


class PersonInExportView(View):
    """What one export has stored about the address."""

    export_id: str
    export_name: str
    segments: tuple[str, ...]
    in_audience: str
    outcome: str
    code: str
    reason: str
    action: str
    at: Time | None
    email: Annotated[
        str, Field(description="The address of the person", examples=["ada@contoso.example"])
    ] = ""
    customer_id: Annotated[
        str,
        Field(
            description="The profile of the person", examples=["ce759201f786d590bf2134bff576c369"]
        ),
    ] = ""
    tags: Annotated[
        tuple[str, ...],
        Field(description="Tags that this export gave the person", examples=[["VIP"]]),
    ] = ()
    values: Annotated[
        tuple[SentValueView, ...], Field(description="The values that Mailchimp took last")
    ] = ()
    sent_at: Annotated[
        Time | None, Field(description="When the export sent the person last; null if it never did")
    ] = None


class ReceiptView(View):
    """What was erased. `waitsFor` are active runs whose files still contain the person."""

    id: str
    at: Time
    exports: int
    records: int
    deleted_in_mailchimp: int
    waits_for: tuple[str, ...]


class PersonInExportList(ListView[PersonInExportView]):
    """What each export has stored about an address."""


def person_view(person: PersonInExport, language: str) -> PersonInExportView:
    """The JSON form of what one export knows, with the reason in words."""
    return PersonInExportView.of(
        person,
        reason=reason_text(person.code, language),
        action=action_text(person.code, language),
        values=tuple(SentValueView(field=field, value=value) for field, value in person.values),
    )
