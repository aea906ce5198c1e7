"""Lists in pages."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.requests import Request

__all__ = ["next_link"]


def next_link(request: Request, skip: int, top: int, more: bool) -> str | None:
    """The link to the next page, with the other parameters of the query; None on the last page."""
    if not more:
        return None
    query = {**request.query_params, "top": str(top), "skip": str(skip + top)}
    return f"{request.scope['path']}?{urlencode(query)}"
