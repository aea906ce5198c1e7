"""Searching for a person over all exports, and erasing one, as JSON."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from shared.web.models.base import Body, ListView, Time, View
from shared.web.outcomes_csv import action_text, reason_text
from shared.web.services import PersonInExport

__all__ = [
    "EraseBody",
    "PersonInExportList",
    "PersonInExportView",
    "ReceiptView",
    "SearchBody",
    "person_view",
]


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
    """The address to search for."""

    email: Address


class EraseBody(Body):
    """The person to erase, and whether to delete the contact in Mailchimp permanently, too."""

    email: Address
    delete_in_mailchimp: bool


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
    return PersonInExportView(
        export_id=person.export_id,
        export_name=person.export_name,
        segments=tuple(person.segments),
        in_audience=person.in_audience,
        outcome=person.outcome,
        code=person.code,
        reason=reason_text(person.code, language),
        action=action_text(person.code, language),
        at=person.at,
    )
