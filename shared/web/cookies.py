"""Cookies that are bound to this host and out of reach of scripts."""

from __future__ import annotations

from starlette.requests import Request

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

    def header(self, value: str, seconds: int) -> str:
        """The `Set-Cookie` header that stores a value for some seconds.

        SameSite=Lax: the browser sends it when a link on a sign-in page or in an email opens the app, but not with
        a form of another site.
        """
        secure = "; Secure" if self._secure else ""
        return f"{self.name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"


def sign_in_cookie(request: Request, public_url: str, value: str) -> str:
    """The `Set-Cookie` header that binds a sign-in to the browser that started it."""
    return Cookie(_SIGN_IN, request, public_url).header(value, _SIGN_IN_SECONDS)


def returned_cookie(request: Request, public_url: str) -> str:
    """The value that a browser sends with the callback of a sign-in, "" if it sends none."""
    return Cookie(_SIGN_IN, request, public_url).value
