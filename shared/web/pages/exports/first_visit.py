"""The start of an app without exports: guided steps, and prerequisites that are met or not.

`exports/_first_visit.html` shows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from babel.lists import format_list

from shared.errors import ConnectorError
from shared.model.connection import Connection, ConnectionStatus, Grant
from shared.web.application import connections
from shared.web.authentication import Role
from shared.web.pages.render import Page
from shared.web.problems import error_text
from shared.web.texts import text

# With more audiences, the tile gives their number.
_MOST_NAMED = 3


@dataclass(frozen=True)
class FirstVisit:
    """Whether Mailchimp is connected, where the next step is, and every prerequisite with its state."""

    connected: bool
    action: str
    needs: Sequence[tuple[str, bool]]


def first_visit(page: Page) -> FirstVisit:
    """The steps and prerequisites, read now. Of several connections, the first connected one counts."""
    found = page.services.connections.all()
    mine = [each for each in found if connections.may_use(page.context, each)]
    connected = [c for c in mine if c.status is ConnectionStatus.CONNECTED]
    grant = connected[0].grant if connected else None
    needs = [
        *(_of_mailchimp(page, connected[0], grant) if grant else ()),
        *_of_customer_insights(page),
    ]
    action = ""
    if connected and page.caller.may(Role.CONTRIBUTOR):
        action = f"/setup/export?connection={connected[0].id}"
    elif page.caller.may(Role.ADMINISTRATOR):
        action = f"/connections/{mine[0].id}" if mine else "/setup/connection"
    return FirstVisit(bool(connected), action, needs)


def _of_mailchimp(page: Page, connection: Connection, grant: Grant) -> Sequence[tuple[str, bool]]:
    """The prerequisites on the side of Mailchimp: a user who may manage audiences, and an audience."""
    may = grant.may_manage_audiences
    key = "pages.first.mayManage" if may else "pages.first.mayNotManage"
    user = (text(page.language, key, {} if may else {"role": grant.role}), may)
    return [user, _audience(page, connection)]


def _audience(page: Page, connection: Connection) -> tuple[str, bool]:
    try:
        found = connections.audiences(page.context, connection.id)
    except ConnectorError as error:
        return error_text(error, page.language), False
    if not found:
        return text(page.language, "pages.first.noAudience"), False
    names = format_list([audience.name for audience in found[:_MOST_NAMED]], locale=page.language)
    values = {"audiences": len(found), "names": names}
    key = "audience" if len(found) <= _MOST_NAMED else "audiences"
    return text(page.language, f"pages.first.{key}", values), True


def _of_customer_insights(page: Page) -> Sequence[tuple[str, bool]]:
    """The prerequisites on the side of Customer Insights: segments, and an attribute with addresses."""
    language = page.language
    try:
        listing, attributes = page.services.catalogue.overview()
    except ConnectorError as error:
        return [(error_text(error, language), False)]
    complete = sum(info.complete for info in listing.segments)
    if not listing.segments:
        return [(text(language, "pages.first.noSegments"), False)]
    counts = {"complete": complete, "all": len(listing.segments)}
    address = next((info.name for info in attributes if info.suggested_for == "email"), "")
    key = "pages.first.address" if address else "pages.first.noAddress"
    return [
        (text(language, "pages.first.segments", counts), complete > 0),
        (text(language, key, {"attribute": address} if address else {}), bool(address)),
    ]
