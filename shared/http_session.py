"""What all HTTP clients of the app share: a fast session, authentication, and bounded bodies."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.auth import AuthBase

_PIECE = 64 * 1024
# A body of the size that `read_body` reads arrives within seconds.
_LONGEST_BODY = 60.0


class BearerToken(AuthBase):
    """An access token in the header Authorization; its representation does not contain the token."""

    def __init__(self, token: str, scheme: str = "Bearer") -> None:
        self._token = token
        self._scheme = scheme

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the header."""
        request.headers["Authorization"] = f"{self._scheme} {self._token}"
        return request

    def __repr__(self) -> str:
        return "BearerToken(***)"


def no_authentication(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Send a request as it is. Without `auth`, requests looks for a .netrc file and uses it."""
    return request


def pieces(response: requests.Response) -> Iterator[bytes]:
    """Yield the body of a streamed response as it arrives.

    `iter_content` waits until a piece is full, and each byte begins the read timeout again.
    """
    try:
        while piece := response.raw.read1(_PIECE, decode_content=True):
            yield piece
    except urllib3.exceptions.HTTPError as error:
        raise requests.ConnectionError(error) from error


def read_body(response: requests.Response, most: int) -> bytes | None:
    """Read the body of a streamed response; None when it has more than `most` bytes, or takes over a minute."""
    content = bytearray()
    latest = time.monotonic() + _LONGEST_BODY
    for piece in pieces(response):
        content += piece
        if len(content) > most or time.monotonic() > latest:
            return None
    return bytes(content)


class HttpSession(requests.Session):
    """A session that reads the proxies of the environment once for each server.

    `requests` reads them for each request, which takes a quarter of the processor time of a small request.
    """

    def __init__(self) -> None:
        super().__init__()
        self._settings: dict[object, dict[str, Any]] = {}

    def merge_environment_settings(  # type: ignore[override]
        self, url: str, proxies: Any, stream: Any, verify: Any, cert: Any
    ) -> dict[str, Any]:
        """Return the settings of a request; those of requests to the same server are equal."""
        read = super().merge_environment_settings
        if proxies or cert is not None:
            return {**read(url, proxies, stream, verify, cert)}
        server = urlsplit(url)
        key = (server.scheme, server.netloc, stream, verify)
        if key not in self._settings:
            self._settings[key] = {**read(url, proxies, stream, verify, cert)}
        return dict(self._settings[key])
