"""What a person can choose in the export form, read from Mailchimp and Customer Insights now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from shared.errors import ConnectorError
from shared.model.audience import Audience, MergeField
from shared.model.connection import Connection, ConnectionStatus
from shared.segments.choosing.catalogue import AttributeInfo, ListedSegments, SegmentInfo
from shared.web.application import connections
from shared.web.models.runs import in_words
from shared.web.pages.exports.form.definition import Definition
from shared.web.pages.render import Page
from shared.web.problems import error_text
from shared.web.texts import text

T = TypeVar("T")


@dataclass(frozen=True)
class Choices:
    """The choices of a form. `warnings` say why a list is empty or incomplete.

    A field without choices becomes a plain text field.
    """

    connections: Sequence[Connection]
    segments: Sequence[SegmentInfo]
    attributes: Sequence[AttributeInfo]
    audiences: Sequence[Audience]
    fields: Sequence[MergeField]
    warnings: Sequence[str]


def offered_connections(page: Page, chosen_id: str | None) -> list[Connection]:
    """The connections that the caller may use, and the one that the export uses."""
    return [
        each
        for each in page.services.connections.all()
        if each.id == chosen_id or connections.may_use(page.context, each)
    ]


def read_choices(page: Page, definition: Definition, offered: Sequence[Connection]) -> Choices:
    """Read what can be chosen with the connection and the audience of a definition."""
    warnings: list[str] = []

    def available(read: Callable[[], T], instead: T) -> T:
        try:
            return read()
        except ConnectorError as error:
            warnings.append(error_text(error, page.language))
            return instead

    nothing: tuple[ListedSegments, list[AttributeInfo]] = (ListedSegments(()), [])
    listing, attributes = available(page.services.catalogue.overview, nothing)
    warnings += [in_words(fault, page.language) for fault in listing.faults]
    audiences: list[Audience] = []
    fields: list[MergeField] = []
    chosen = next((c for c in offered if c.id == definition["connectionId"]), None)
    if chosen and chosen.status is ConnectionStatus.CONNECTED:
        audience_id = definition["audienceId"]
        audiences = available(lambda: connections.audiences(page.context, chosen.id), [])
        if audience_id in {audience.id for audience in audiences}:
            fields = available(
                lambda: connections.merge_fields(page.context, chosen.id, audience_id), []
            )
    elif chosen:
        warnings.append(text(page.language, "notConnected"))
    once = tuple(dict.fromkeys(warnings))
    return Choices(offered, listing.segments, attributes, audiences, fields, once)
