"""Cookies that browsers send to this host only, and that scripts of pages cannot read."""

from __future__ import annotations

from ipaddress import ip_address

from starlette.requests import Request

from shared.connections.sign_in import CALLBACKS

# How long a sign-in may take.
_SIGN_IN_SECONDS = 600
_SIGN_IN = "signin"


class Cookie:
    """The cookie of this name; over HTTPS with the prefix `__Host-`, which binds it to this host.

    https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Set-Cookie#cookie_prefixes
    """

    def __init__(self, name: str, request: Request, public_url: str) -> None:
        self._secure = public_url.startswith("https:") or request.scope["scheme"] == "https"
        self._request = request
        self.name = f"__Host-{name}" if self._secure else name

    @property
    def value(self) -> str:
        """The value that the browser sent, "" if it sent none."""
        return self._request.cookies.get(self.name, "")

    def header(self, value: str, seconds: int, *, scope_over_http: str = "Path=/") -> str:
        """The `Set-Cookie` header that stores a value for some seconds.

        `scope_over_http` has the attributes Path and Domain of a cookie that is set over HTTP; the prefix `__Host-` allows
        `Path=/` only. SameSite=Lax: the browser sends the cookie when a link on a sign-in page or in an email opens the app,
        but not with a form of another site.
        """
        scope, secure = ("Path=/", "; Secure") if self._secure else (scope_over_http, "")
        return f"{self.name}={value}; {scope}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"


def sign_in_cookie(request: Request, public_url: str, value: str) -> str:
    """The `Set-Cookie` header that binds a sign-in to the browser that started it.

    On a developer's machine, the cookie names its domain, so that scripts can sign in too: the Functions host adds an empty
    domain to a cookie without one, and Python's HTTP libraries drop such a cookie. The path limits the cookie to the
    callbacks, because the app refuses changes that come with a cookie but without an origin (csrf.py).
    """
    host = request.scope["server"][0]
    scope = f"Path={CALLBACKS}; Domain={host}" if _is_ipv4_address(host) else "Path=/"
    cookie = Cookie(_SIGN_IN, request, public_url)
    return cookie.header(value, _SIGN_IN_SECONDS, scope_over_http=scope)


def returned_cookie(request: Request, public_url: str) -> str:
    """The value that a browser sends with the callback of a sign-in, "" if it sends none."""
    return Cookie(_SIGN_IN, request, public_url).value


def _is_ipv4_address(host: str) -> bool:
    try:
        return ip_address(host).version == 4
    except ValueError:
        return False
