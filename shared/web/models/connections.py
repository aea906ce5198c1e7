"""A connection as JSON. Only administrators see who agreed and whose account it is."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from shared.model.connection import Connection, ConnectionStatus, GrantKind
from shared.web.models.base import (
    Body,
    Items,
    Label,
    ListView,
    ReadOnly,
    Time,
    View,
    is_none,
    one_of,
)
from shared.web.models.partial_body import PartialBody

# Administrators may use every connection; this shares one with contributors too.
SharedWith = Literal["Contributor"]


# What stands for a value that could not be read (partial_body.py).
_PLACEHOLDERS = {
    "displayName": "…",
    # A request without `consent` does not agree to anything.
    "consent": {"agreed": False, "locale": "en"},
    "agreed": True,
    "locale": "en",
    "sharedWith[]": "Contributor",
}


class ConsentBody(Body):
    """Consent to send data to Mailchimp, and the language in which its text was read."""

    # Connections check the value, with a text of its own.
    agreed: bool = Field(json_schema_extra={"const": True})
    locale: Literal["en", "ko"]


class NewConnectionBody(PartialBody):
    """A connection to create."""

    placeholders = _PLACEHOLDERS

    display_name: Annotated[Label, Field(examples=["Contoso newsletter"])]
    consent: ConsentBody
    shared_with: Items[SharedWith] = Field(default=(), max_length=1)


class ConnectionBody(Body):
    """The parts of a connection that can be changed."""

    display_name: Annotated[Label, Field(examples=["Contoso newsletter"])]
    shared_with: Items[SharedWith] = Field(default=(), max_length=1)

    id: ReadOnly
    status: ReadOnly
    consent: ReadOnly
    mailchimp: ReadOnly
    export_user: ReadOnly
    used_by: ReadOnly
    created_at: ReadOnly
    created_by: ReadOnly
    updated_at: ReadOnly
    updated_by: ReadOnly


class ApiKeyBody(Body):
    """A Mailchimp API key, `<key>-<dc>`."""

    api_key: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
        Field(examples=["0123456789abcdef0123456789abcdef-us21"]),
    ]


class AuthorizeView(View):
    """The sign-in page for the browser."""

    authorize_url: str = Field(json_schema_extra={"format": "uri"})


class ConsentView(View):
    """Who agreed, when, to which text."""

    agreed_by: str
    agreed_at: Time
    locale: str
    text_version: str


class GrantView(View):
    """The Mailchimp account of a connection."""

    kind: GrantKind
    data_centre: str
    account_id: str
    account_name: str
    role: str
    granted_at: Time
    granted_by: str


class ExportUserView(View):
    """The user whose permissions are used to read Customer Insights."""

    name: str
    object_id: str
    tenant_id: str
    added_at: Time
    valid: bool


class ConnectionView(View):
    """A connection; `consent`, `mailchimp`, `exportUser` and the names of people for administrators only."""

    id: str
    display_name: str
    status: ConnectionStatus
    shared_with: tuple[Annotated[str, one_of(SharedWith)], ...]
    created_at: Time | None
    updated_at: Time | None
    created_by: str | None = None
    updated_by: str | None = None
    consent: ConsentView | None = None
    mailchimp: GrantView | None = None
    export_user: ExportUserView | None = None


class AudienceView(View):
    """An audience of the account; `memberCount` may be minutes old."""

    id: str
    name: str
    member_count: int
    double_opt_in: Annotated[
        bool | None,
        Field(
            exclude_if=is_none,
            description="Whether new contacts have to confirm; absent when Mailchimp does not return it",
            examples=[True],
        ),
    ] = None


class MergeFieldView(View):
    """A merge field of an audience."""

    tag: str
    name: str
    type: str
    required: bool
    options: dict[str, object]


# What only administrators see.
_HIDDEN = ("created_by", "updated_by", "consent", "mailchimp", "export_user")


def connection_view(connection: Connection, for_administrator: bool) -> ConnectionView:
    """The JSON form of a connection for this reader."""
    view = ConnectionView.of(connection, mailchimp=connection.grant)
    return view if for_administrator else view.model_copy(update=dict.fromkeys(_HIDDEN))


class ConnectionList(ListView[ConnectionView]):
    """Connections, by name."""


class AudienceList(ListView[AudienceView]):
    """The audiences of an account."""


class MergeFieldList(ListView[MergeFieldView]):
    """The merge fields of an audience."""
