"""A browser may change things only from our own pages.

A signed-in browser sends its cookie wherever a request to us comes from, so a request that
changes something must say where it comes from: `Sec-Fetch-Site`, else `Origin`. A caller that
sends neither is no browser of today; it passes as long as it brings no cookie. A portal on
another origin authenticates with `Authorization`, which no foreign form can send, and without
cookies. https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html
"""

from __future__ import annotations

from shared.web.http import Request
from shared.web.principal import origin_of
from shared.web.problem import HttpProblem

__all__ = ["SAFE_METHODS", "refuse_foreign"]

SAFE_METHODS = frozenset({"GET", "HEAD"})


def refuse_foreign(request: Request, public_url: str = "") -> None:
    """Raise a 403 for a change that does not come from our own pages or a machine."""
    if request.method in SAFE_METHODS:
        return
    if request.header("authorization") and not request.header("cookie"):
        return
    origin = request.header("origin")
    site = request.header("sec-fetch-site")
    own = {origin_of(request.url), origin_of(public_url)} - {""}
    if origin is not None and origin not in own:
        raise HttpProblem(403, "crossOrigin")
    if site is not None:
        if site != "same-origin":
            raise HttpProblem(403, "crossOrigin")
        return
    if origin is None and request.header("cookie"):
        raise HttpProblem(403, "crossOrigin")
