"""How answers of the JSON interface look: a thing with its ETag, or a list in pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import urlencode

from shared.web.call import Call, etag_of
from shared.web.http import Response, reply
from shared.web.models.base import View

__all__ = ["listed", "page_of", "shown"]


def shown(
    view: View,
    call: Call,
    etag: str | None = None,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """One thing, with the ETag that If-Match takes. (Never 304: a view holds more than a record.)"""
    all_headers = {"Content-Language": call.language, **(headers or {})}
    if etag is not None:
        all_headers["ETag"] = etag_of(etag)
    return reply(view.shown(), status, all_headers)


def listed(
    views: Iterable[View],
    call: Call,
    next_link: str | None = None,
    *,
    status: int = 200,
    findings: Iterable[View] = (),
) -> Response:
    """A list, `{"value": [...], "nextLink"?, "findings"?}`; findings say what the list lacks."""
    body: dict[str, object] = {"value": [view.shown() for view in views]}
    if found := [each.shown() for each in findings]:
        body["findings"] = found
    if next_link:
        body["nextLink"] = next_link
    return reply(body, status, {"Content-Language": call.language})


def page_of(call: Call, skip: int, top: int) -> str:
    """The link to the page after this one, with the other names of the query as they are."""
    query = {**call.request.query, "top": str(top), "skip": str(skip + top)}
    return f"{call.request.path}?{urlencode(query)}"
