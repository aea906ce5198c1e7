"""Changes are accepted from the app's own pages and from programs, not from other sites.

A signed-in browser sends its cookies with requests from any site. A request that changes something
must therefore name its origin: `Sec-Fetch-Site`, else `Origin`. A caller that sends neither is not a
current browser; it is accepted unless it sends a cookie. A portal on another origin authenticates with
`Authorization`, which a form of another site cannot send, and without cookies. Forms carry a token as
well, the same value in a field and in a cookie, for browsers too old to send either header.
https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable

from starlette.requests import Request

from shared.web.authentication import origin_of
from shared.web.cookies import Cookie
from shared.web.problems import HttpProblem

FIELD = "csrf"
_SAFE_METHODS = frozenset({"GET", "HEAD"})
_TOKEN = re.compile(r"[A-Za-z0-9_-]{8,100}")


def refuse_other_sites(request: Request, public_url: str) -> None:
    """Raise a 403 for a change that comes from another site."""
    if request.method in _SAFE_METHODS:
        return
    headers = request.headers
    if has_only_token(request):
        return
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if origin is not None and origin not in {_own_origin(request), origin_of(public_url)} - {""}:
        raise HttpProblem(403, "crossOrigin")
    if site is not None:
        if site != "same-origin":
            raise HttpProblem(403, "crossOrigin")
        return
    if origin is None and headers.get("cookie"):
        raise HttpProblem(403, "crossOrigin")


def has_only_token(request: Request) -> bool:
    """Whether a request has a token and no cookie. A form of another site cannot send a token."""
    return bool(request.headers.get("authorization")) and not request.headers.get("cookie")


def _own_origin(request: Request) -> str:
    """The origin of the URL that the platform reports; a forged `Host` header does not count."""
    host, port = request.scope["server"]
    name = f"[{host}]" if ":" in host else host
    return origin_of(f"{request.scope['scheme']}://{name}:{port}")


def new_token(cookie: Cookie, new_id: Callable[[], str]) -> str:
    """The token for the forms of a page: the browser's own, or a new one.

    A new token makes the forms in all other tabs expire. So the browser must send its token with every request for a page,
    also if another site or an email led to it.
    """
    return cookie.value if _TOKEN.fullmatch(cookie.value) else f"{new_id()}{new_id()}-token"


def check_token(cookie: Cookie, sent: str) -> None:
    """Raise a 403 unless the form carries the browser's own token.

    Forms of other sites were refused before, by their origin. So the token is usually missing because the page was open for
    too long.
    """
    if not cookie.value or not hmac.compare_digest(cookie.value.encode(), sent.encode()):
        raise HttpProblem(403, "formExpired")
