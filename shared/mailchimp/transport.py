"""One persistent connection to a Mailchimp account, with retries, limits and counters.

This module retries for seconds; the queue handles longer delays. A call that was certainly not applied is tried up
to `RetryPolicy.tries` times. A write that may have been applied is repeated once; then Unavailable (with
`maybe_applied`) lets the caller split it. A call is never abandoned before Mailchimp's own limit of 120 s, because
an abandoned call still occupies one of the 10 connections of the account. The only exception is an HTTP request whose
time is up (request_time.py).

If Mailchimp refuses the account, the run ends. If it refuses the grant, all exports stop until someone renews the
connection. So such a call is repeated once, and only the second refusal counts: Mailchimp also answers 403 at high
volumes, and its own programs treat every 403 as throttling.
https://mailchimp.com/developer/marketing/docs/fundamentals/#throttling
"""

from __future__ import annotations

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

from shared.errors import Disconnected, Refused, Unavailable
from shared.http_session import BearerToken, HttpSession, pieces
from shared.mailchimp.error_responses import ABOUT_ACCOUNT
from shared.mailchimp.tries import Failure, Parse, Request, never_arrived, parse_response
from shared.model.audience import CallCounts
from shared.request_time import OTHER_SERVICES, SHORTEST_CALL, seconds_left
from shared.version import USER_AGENT

_PERSON = re.compile(r"/members/[^/?\s]+")


def _hide_people(record: logging.LogRecord) -> bool:
    """Remove subscriber hashes and contact ids, which are personal data, from logged paths."""
    if isinstance(record.args, tuple):
        record.args = tuple(
            _PERSON.sub("/members/***", arg) if isinstance(arg, str) else arg for arg in record.args
        )
    return True


# The library logs the path of every request at level DEBUG.
logging.getLogger("urllib3.connectionpool").addFilter(_hide_people)


@dataclass(frozen=True)
class RetryPolicy:
    """Timeouts, retries and limits of a call. Times in seconds, sizes in bytes."""

    connect: float = 10.0
    read: float = 125.0
    tries: int = 5
    first_wait: float = 1.0
    longest_wait: float = 20.0
    wait_after_refusal: float = 2.0
    """The wait before the one repetition of a call for which Mailchimp refused the account or the grant."""
    budget: float = 130.0
    """The latest time for a retry, from the start of the first try."""
    longest_answer: int = 32_000_000


class ApiKey(HTTPBasicAuth):
    """An API key `<key>-<dc>`: Basic authentication with any user name."""

    def __init__(self, key: str) -> None:
        super().__init__("export", key)

    def __repr__(self) -> str:
        return "ApiKey(***)"


def credential(kind: str, secret: str) -> AuthBase:
    """Return the authentication for a grant; `kind` is a GrantKind, `oauth` or `apiKey`."""
    return BearerToken(secret) if kind == "oauth" else ApiKey(secret)


class Transport:
    """Makes calls to one account, one at a time. `clock` counts seconds from any point.

    `read_new_grant` is called when Mailchimp refuses the grant. It returns the base URL and the authentication of the
    grant that has replaced it, or None. With `new_grant`, a call is not repeated after a refusal of the grant: a
    person has just entered it.
    """

    def __init__(
        self,
        base_url: str,
        auth: AuthBase,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], object],
        random: Callable[[], float],
        on_throttled: Callable[[float], None] | None = None,
        retry_policy: RetryPolicy | None = None,
        read_new_grant: Callable[[], tuple[str, AuthBase] | None] | None = None,
        new_grant: bool = False,
    ) -> None:
        self.calls = CallCounts()
        self._base = base_url
        self._clock = clock
        self._sleep = sleep
        self._random = random
        self._on_throttled = on_throttled
        self._read_new_grant = read_new_grant
        self._new_grant = new_grant
        self._retry_policy = retry_policy or RetryPolicy()
        self._http = HttpSession()
        # Without an explicit `auth`, requests would use a .netrc file.
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
        """Send a GET request. `tries` overrides RetryPolicy.tries unless Mailchimp throttles the call."""
        return self._call(Request("GET", path, query), tries=tries)

    def write(
        self,
        method: str,
        path: str,
        body: object,
        query: Mapping[str, str] | None = None,
        *,
        about_members: bool = False,
        resend: bool = True,
        parse: Parse = orjson.loads,
    ) -> dict[str, Any]:
        """Send a write. Without `resend`, a call that may have been applied is not repeated.

        `parse` reads the body of a successful response.
        """
        data = None if body is None else orjson.dumps(body)
        request = Request(method, path, query, data, about_members, parse)
        return self._call(request, resend=resend)

    def _call(
        self, request: Request, *, resend: bool = True, tries: int | None = None
    ) -> dict[str, Any]:
        retry_policy = self._retry_policy
        began = self._clock()
        # The number of tries that may have been applied.
        maybe_applied = 0
        tried = 0
        is_repeated = False
        while True:
            tried += 1
            tried_at = self._clock()
            self.calls += CallCounts(
                write=request.writes, read=not request.writes, retried=tried > 1
            )
            try:
                outcome = self._try(request)
            except Refused as refused:
                if isinstance(refused, Disconnected) and self._use_new_grant():
                    continue
                left = self._left(began, tried_at)
                wait = retry_policy.wait_after_refusal
                if is_repeated or wait > left or not self._may_be_temporary(refused):
                    raise
                is_repeated = True
                self._sleep(wait)
                continue
            if not isinstance(outcome, Failure):
                return outcome
            if outcome.throttled:
                self.calls += CallCounts(throttled=1)
                if self._on_throttled:
                    self._on_throttled(outcome.retry_after or 0.0)
            maybe_applied += request.writes and outcome.maybe_applied
            most_applied = 1 if resend else 0
            may_repeat = maybe_applied <= most_applied or (resend and outcome.throttled)
            most = tries if tries and not outcome.throttled else retry_policy.tries
            left = self._left(began, tried_at)
            wait = self._wait(tried, outcome.retry_after)
            if not may_repeat or tried >= most or wait > left:
                _give_up(outcome, maybe_applied=maybe_applied > 0)
            self._sleep(wait)

    def _left(self, began: float, tried_at: float) -> float:
        """The seconds in which a retry may begin. `began` is the time of the first try, `tried_at` that of the last one."""
        now = self._clock()
        # In an HTTP request, a retry must have as much time as the last try took, and enough for a call at all. Otherwise its
        # error, that the time is up, would hide why the last try failed, and that it may have been applied.
        in_request = seconds_left(OTHER_SERVICES) - max(now - tried_at, SHORTEST_CALL)
        return min(self._retry_policy.budget - (now - began), in_request)

    def _may_be_temporary(self, refused: Refused) -> bool:
        """Whether the refusal concerns the account or a grant that has worked before."""
        if isinstance(refused, Disconnected):
            return not self._new_grant
        return refused.code in ABOUT_ACCOUNT

    def _use_new_grant(self) -> bool:
        """Switch to the grant that has replaced the current one. Returns whether there was one."""
        new = self._read_new_grant() if self._read_new_grant else None
        if new is None:
            return False
        self._base, self._http.auth = new
        return True

    def _try(self, request: Request) -> dict[str, Any] | Failure:
        retry_policy = self._retry_policy
        headers = {"Content-Type": "application/json"} if request.body is not None else None
        latest = self._clock() + min(2 * retry_policy.read, seconds_left(OTHER_SERVICES))
        try:
            with self._http.request(
                request.method,
                self._base + request.path,
                params=request.query,
                data=request.body,
                headers=headers,
                timeout=(retry_policy.connect, retry_policy.read),
                allow_redirects=False,
                stream=True,
            ) as response:
                content = bytearray()
                for part in pieces(response):
                    content += part
                    if len(content) > retry_policy.longest_answer or self._clock() > latest:
                        return Failure("answerTooLong", maybe_applied=True)
                return parse_response(request, response, content)
        except requests.RequestException as error:
            if never_arrived(error):
                return Failure("unreachable")
            return Failure("noAnswer", maybe_applied=True)

    def _wait(self, tried: int, retry_after: float | None) -> float:
        """The delay with full jitter: 0 to a limit that doubles with every try."""
        retry_policy = self._retry_policy
        limit = min(retry_policy.longest_wait, retry_policy.first_wait * 2.0 ** (tried - 1))
        return max(self._random() * limit, retry_after or 0.0)


def _give_up(failure: Failure, *, maybe_applied: bool) -> NoReturn:
    raise Unavailable(
        failure.code,
        retry_after=failure.retry_after,
        maybe_applied=maybe_applied,
        throttled=failure.throttled,
    )
