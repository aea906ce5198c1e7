"""One kept-alive connection to one Mailchimp account: short retries, hard limits, counted calls.

The only place where calls are tried again within seconds; everything longer is the queue's. A
call that surely was not applied is tried up to `Patience.tries` times. A write that may have been
applied is sent once more and then given up as Unavailable(maybe_applied=True), so that the caller
can split it. A call is never abandoned before Mailchimp's own limit of 120 s, because an
abandoned call goes on occupying one of the account's 10 connections.
https://mailchimp.com/developer/marketing/docs/fundamentals/#throttling
"""

from __future__ import annotations

import email.utils
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any, NoReturn

import orjson
import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from shared.errors import ConnectorError, Disconnected, NotFound, Refused, Unavailable
from shared.mailchimp.answers import Kind, Verdict, problem_in, verdict
from shared.model.audience import CallCounts
from shared.version import USER_AGENT

__all__ = ["ApiKey", "Patience", "Token", "Transport", "credential"]


_PERSON = re.compile(r"/members/[^/?\s]+")


def _hide_people(record: logging.LogRecord) -> bool:
    """A path that names a member does so by a hash, which is personal: it stays out of logs."""
    if isinstance(record.args, tuple):
        record.args = tuple(
            _PERSON.sub("/members/***", arg) if isinstance(arg, str) else arg for arg in record.args
        )
    return True


# The library logs every path that it asks for, as soon as anybody turns DEBUG on.
logging.getLogger("urllib3.connectionpool").addFilter(_hide_people)


@dataclass(frozen=True)
class Patience:
    """How long one call may take and how often it is tried. Times in seconds, sizes in bytes."""

    connect: float = 10.0
    read: float = 125.0
    tries: int = 5
    first_wait: float = 1.0
    longest_wait: float = 20.0
    budget: float = 130.0
    """No try begins later than this after the first one began."""
    longest_answer: int = 32_000_000


@dataclass(frozen=True)
class _Trouble:
    """A try that came to nothing, and what may be done about it."""

    code: str
    throttled: bool = False
    maybe_applied: bool = False
    retry_after: float | None = None


class ApiKey(HTTPBasicAuth):
    """An API key, `<key>-<dc>`: Basic authentication with any user name."""

    def __init__(self, key: str) -> None:
        super().__init__("export", key)

    def __repr__(self) -> str:
        return "ApiKey(***)"


class Token(AuthBase):
    """An OAuth access token: Bearer authentication."""

    scheme = "Bearer"

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign a request."""
        request.headers["Authorization"] = f"{self.scheme} {self._token}"
        return request

    def __repr__(self) -> str:
        return "Token(***)"


def credential(kind: str, secret: str) -> AuthBase:
    """The authentication of a grant: `kind` is a GrantKind, `oauth` or `apiKey`."""
    return Token(secret) if kind == "oauth" else ApiKey(secret)


class Transport:
    """Calls to one account, one at a time. `clock` counts seconds; only differences matter."""

    def __init__(
        self,
        base_url: str,
        auth: AuthBase,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], object],
        random: Callable[[], float],
        on_throttled: Callable[[], None] | None = None,
        patience: Patience | None = None,
    ) -> None:
        self.calls = CallCounts()
        self._base = base_url
        self._clock = clock
        self._sleep = sleep
        self._random = random
        self._on_throttled = on_throttled
        self._patience = patience or Patience()
        self._http = requests.Session()
        # An explicit `auth` also keeps a .netrc file of the machine from taking its place.
        self._http.auth = auth
        self._http.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._http.headers.update(
            {
                "User-Agent": USER_AGENT,
                "Accept": "application/json, application/problem+json",
                "Accept-Encoding": "gzip",
            }
        )
        for scheme in ("https://", "http://"):
            self._http.mount(scheme, HTTPAdapter(pool_connections=1, pool_maxsize=1))

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def get(
        self, path: str, query: Mapping[str, str] | None = None, *, tries: int | None = None
    ) -> dict[str, Any]:
        """Read. `tries` overrides Patience.tries, for reads that the caller makes smaller."""
        return self._call("GET", path, query, None, tries=tries)

    def write(
        self,
        method: str,
        path: str,
        body: object,
        query: Mapping[str, str] | None = None,
        *,
        about_members: bool = False,
        resend: bool = True,
    ) -> dict[str, Any]:
        """Write. Without `resend`, a call that may have been applied is not sent again."""
        return self._call(
            method, path, query, orjson.dumps(body), about_members=about_members, resend=resend
        )

    def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: bytes | None,
        *,
        about_members: bool = False,
        resend: bool = True,
        tries: int | None = None,
    ) -> dict[str, Any]:
        patience = self._patience
        began = self._clock()
        writes = method != "GET"
        doubtful = 0
        tried = 0
        while True:
            tried += 1
            self._count(writes, again=tried > 1)
            outcome = self._try(method, path, query, body, about_members)
            if not isinstance(outcome, _Trouble):
                return outcome
            if outcome.throttled:
                self.calls.throttled += 1
                if self._on_throttled:
                    self._on_throttled()
            doubtful += writes and outcome.maybe_applied
            left = patience.budget - (self._clock() - began)
            wait = self._wait(tried, outcome.retry_after)
            given_up = doubtful >= (2 if resend else 1) and not outcome.throttled
            blocked = doubtful and not resend
            if given_up or blocked or tried >= (tries or patience.tries) or wait > left:
                _give_up(outcome, maybe_applied=bool(doubtful))
            self._sleep(wait)

    def _try(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: bytes | None,
        about_members: bool,
    ) -> dict[str, Any] | _Trouble:
        patience = self._patience
        headers = {"Content-Type": "application/json"} if body is not None else None
        latest = self._clock() + 2 * patience.read
        try:
            with self._http.request(
                method,
                self._base + path,
                params=query,
                data=body,
                headers=headers,
                timeout=(patience.connect, patience.read),
                allow_redirects=False,
                stream=True,
            ) as response:
                content = bytearray()
                for part in response.iter_content(65_536):
                    content += part
                    if len(content) > patience.longest_answer or self._clock() > latest:
                        return _Trouble("answerTooLong", maybe_applied=True)
                return self._understand(response, content, about_members)
        except requests.RequestException as error:
            if _never_arrived(error):
                return _Trouble("unreachable")
            return _Trouble("noAnswer", maybe_applied=True)

    def _understand(
        self, response: requests.Response, content: bytearray, about_members: bool
    ) -> dict[str, Any] | _Trouble:
        status = response.status_code
        if status == 204:
            return {}
        if 200 <= status < 300:
            try:
                answer = orjson.loads(content)
            except orjson.JSONDecodeError:
                answer = None
            if isinstance(answer, dict):
                return answer
            return _Trouble("answerBroken", maybe_applied=True)
        found = verdict(status, problem_in(content), about_members=about_members)
        if found.kind in (Kind.THROTTLED, Kind.BLOCKED, Kind.BROKEN):
            return _Trouble(
                found.code,
                throttled=found.kind in (Kind.THROTTLED, Kind.BLOCKED),
                maybe_applied=found.kind in (Kind.BLOCKED, Kind.BROKEN),
                retry_after=_retry_after(response),
            )
        raise _refused(status, found)

    def _count(self, writes: bool, *, again: bool) -> None:
        if writes:
            self.calls.write += 1
        else:
            self.calls.read += 1
        if again:
            self.calls.retried += 1

    def _wait(self, tried: int, retry_after: float | None) -> float:
        """Full jitter: anywhere between nothing and a limit that doubles with every try."""
        patience = self._patience
        limit = min(patience.longest_wait, patience.first_wait * 2.0 ** (tried - 1))
        return max(self._random() * limit, retry_after or 0.0)


def _never_arrived(error: requests.RequestException) -> bool:
    """Whether the request surely did not reach Mailchimp: no connection was ever made."""
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.ProxyError):
        return True
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)
    return isinstance(reason, NewConnectionError | NameResolutionError | ConnectTimeoutError)


def _retry_after(response: requests.Response) -> float | None:
    """Seconds to wait, when the other side said so: between 0 and an hour.

    A point in time is measured against the answer's own Date, so that clocks need not agree.
    """
    text = response.headers.get("Retry-After", "").strip()
    if not text:
        return None
    try:
        if text.isascii() and text.isdigit():
            seconds = float(text[:9])
        else:
            then = email.utils.parsedate_to_datetime(text)
            now = email.utils.parsedate_to_datetime(response.headers.get("Date", ""))
            seconds = (then - now).total_seconds()
    except (ValueError, TypeError):
        return None
    return min(max(seconds, 0.0), 3600.0)


def _give_up(trouble: _Trouble, *, maybe_applied: bool) -> NoReturn:
    raise Unavailable(
        trouble.code,
        retry_after=trouble.retry_after,
        maybe_applied=maybe_applied,
        throttled=trouble.throttled,
    )


def _refused(status: int, found: Verdict) -> ConnectorError:
    if found.kind is Kind.DISCONNECTED:
        return Disconnected(found.code, status=status)
    if found.kind is Kind.MISSING:
        return NotFound(found.code)
    return Refused(found.code, field=found.field, status=status)
