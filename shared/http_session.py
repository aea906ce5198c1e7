"""What all HTTP clients of the app share: a fast session, the time of a request, authentication, and bounded bodies."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.auth import AuthBase

from shared.request_time import OTHER_SERVICES, seconds_left, time_for_call

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
    latest = time.monotonic() + min(_LONGEST_BODY, seconds_left(OTHER_SERVICES))
    for piece in pieces(response):
        content += piece
        if len(content) > most or time.monotonic() > latest:
            return None
    return bytes(content)


class HttpSession(requests.Session):
    """A session that limits its calls to the time of an HTTP request to the app, and reads proxies once for each server.

    `requests` reads the proxies of the environment for each call, which takes a quarter of the processor time of a small
    call. `until` is one of the times in request_time.py.
    """

    def __init__(self, until: float = OTHER_SERVICES) -> None:
        super().__init__()
        self._until = until
        self._settings: dict[object, dict[str, Any]] = {}

    def request(  # type: ignore[override]
        self, method: str, url: str, *, timeout: tuple[float, float], **options: Any
    ) -> requests.Response:
        """Send a request; `timeout` is for the connection and for each wait for the response. TimeUp if no time is left."""
        left = time_for_call(self._until)
        connect, read = timeout
        return super().request(
            method, url, timeout=(min(connect, left), min(read, left)), **options
        )

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
