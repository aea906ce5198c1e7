"""What comes in and what goes out, as plain values.

The triggers of function_app.py turn the platform's request into a `Request` and a `Response`
into the platform's answer; nothing else in this room knows the platform. Header names are lower
case here, whatever case a proxy sends them in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson

__all__ = ["JSON", "Request", "Response", "redirect", "reply"]

JSON = "application/json"

# A query has a handful of names; more is somebody trying things.
_MOST_QUERY_NAMES = 50


@dataclass(frozen=True)
class Request:
    """One HTTP request. `path` is decoded and begins with "/"; of a query name the last counts."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    url: str = field(default="http://localhost/", repr=False)

    @staticmethod
    def of(method: str, url: str, headers: Mapping[str, str], body: bytes = b"") -> Request:
        """The request for an absolute URL, as the platform reports it.

        A URL that is none (its host is whatever the caller sent) has a path that is nowhere.
        """
        try:
            parts = urlsplit(url)
        except ValueError:
            url, parts = "", urlsplit("*")
        try:
            query = dict(
                parse_qsl(parts.query, keep_blank_values=True, max_num_fields=_MOST_QUERY_NAMES)
            )
        except ValueError:
            query = {}
        return Request(
            method=method.upper(),
            path=unquote(parts.path) or "/",
            query=query,
            headers={name.lower(): value for name, value in headers.items()},
            body=body,
            url=url,
        )

    def header(self, name: str) -> str | None:
        """A header by its name in lower case."""
        return self.headers.get(name)

    @property
    def content_type(self) -> str:
        """The media type alone, in lower case, "" where none is given."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies; none when the header cannot be read."""
        try:
            jar = SimpleCookie(self.headers.get("cookie", ""))
        except CookieError:
            return {}
        return {name: morsel.value for name, morsel in jar.items()}


@dataclass(frozen=True)
class Response:
    """One HTTP answer."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)

    def with_headers(self, headers: Mapping[str, str]) -> Response:
        """The same answer with more headers; those it has already win."""
        return replace(self, headers={**headers, **self.headers})

    def json(self) -> object:
        """The body as JSON, for callers inside the process."""
        return json.loads(self.body)


def reply(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer with a JSON body."""
    return Response(status, {"Content-Type": JSON, **(headers or {})}, orjson.dumps(value))


def redirect(location: str, headers: Mapping[str, str] | None = None) -> Response:
    """See Other: the browser goes on with GET. `location` is a path of ours, never an input."""
    return Response(303, {"Location": location, **(headers or {})})
