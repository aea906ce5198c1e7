"""Cookies that are bound to this host and out of reach of scripts."""

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

    def header(self, value: str, seconds: int, *, over_http: str = "Path=/") -> str:
        """The `Set-Cookie` header that stores a value for some seconds.

        `over_http` is where the browser sends it over HTTP. SameSite=Lax: the browser sends it when a link on a sign-in page
        or in an email opens the app, but not with a form of another site.
        """
        where, secure = ("Path=/", "; Secure") if self._secure else (over_http, "")
        return f"{self.name}={value}; {where}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"


def sign_in_cookie(request: Request, public_url: str, value: str) -> str:
    """The `Set-Cookie` header that binds a sign-in to the browser that started it.

    The Functions host adds an empty domain, and Python's HTTP libraries drop such a cookie. With a domain, scripts can sign
    in on a developer's machine. They send it with callbacks only: with changes, it would be refused without an origin.
    """
    host = request.scope["server"][0]
    over_http = f"Path={CALLBACKS}; Domain={host}" if _is_address(host) else "Path=/"
    cookie = Cookie(_SIGN_IN, request, public_url)
    return cookie.header(value, _SIGN_IN_SECONDS, over_http=over_http)


def returned_cookie(request: Request, public_url: str) -> str:
    """The value that a browser sends with the callback of a sign-in, "" if it sends none."""
    return Cookie(_SIGN_IN, request, public_url).value


def _is_address(host: str) -> bool:
    try:
        return ip_address(host).version == 4
    except ValueError:
        return False
