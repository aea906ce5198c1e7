"""The Customer Insights REST API: names, sizes and ages of segments and attributes.

Metadata only; rows come from blobs. Requests need a token of the export user or of the app itself (passed as
a callable) and the environment's subscription key. Errors contain only the status of a response.
https://learn.microsoft.com/dynamics365/customer-insights/data/apis
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

import orjson
import requests

from shared.errors import ConfigError, Disconnected, NotFound, Refused, Unavailable
from shared.http_session import BearerToken, HttpSession, read_body
from shared.model.source import Attribute, composed
from shared.segments.finding.json_text import read_time, text_of
from shared.version import USER_AGENT

_CONNECT, _READ = 5, 30
_MOST_BYTES = 16 * 1024 * 1024
_TRIES = 3
_LONGEST_WAIT = 10.0
_INSTANCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,63}")


@dataclass(frozen=True)
class ApiSegment:
    """A segment in Customer Insights; `member_count` is of its last evaluation."""

    name: str
    display_name: str
    state: str
    member_count: int | None
    evaluated_at: datetime | None

    @property
    def is_active(self) -> bool:
        """Whether it is evaluated with every refresh."""
        return self.state.casefold() == "active"


@dataclass(frozen=True)
class RefreshJob:
    """A refresh of the environment or of a part of it, newest first where many are listed."""

    id: str
    operation: str
    kind: str
    status: str
    ended_at: datetime | None


class CustomerInsightsApi:
    """Reads one environment. `token` returns a valid access token; `sleep` waits for seconds.

    `refused` is called when Customer Insights does not accept that token.

    Every call may raise Unavailable (busy, unreachable, after the short retries here),
    Disconnected (the token is not accepted: add the export user again), ConfigError (the caller
    has no role in the environment, or its id or key is wrong), NotFound, Refused.
    """

    def __init__(
        self,
        base_url: str,
        instance_id: str,
        subscription_key: str,
        token: Callable[[], str],
        sleep: Callable[[float], object],
        refused: Callable[[], None] = lambda: None,
    ) -> None:
        if not _INSTANCE.fullmatch(instance_id):
            raise ConfigError("instanceMalformed")
        self._base = f"{base_url.rstrip('/')}/instances/{instance_id}"
        self._token = token
        self._sleep = sleep
        self._refused = refused
        self._key = subscription_key

    def segments(self) -> list[ApiSegment]:
        """Every segment of the environment."""
        return [
            _segment(item) for item in self._list("/manage/segments") if text_of(item.get("name"))
        ]

    def attributes(self) -> list[Attribute]:
        """The attributes of the unified profile, with their semantic types."""
        found = self._get("/manage/entities/Customer")
        listed = found.get("attributes") if isinstance(found, dict) else None
        return [
            Attribute(
                text_of(item.get("name")),
                text_of(item.get("dataType")) or "string",
                text_of(item.get("semanticType")) or None,
            )
            for item in (listed if isinstance(listed, list) else ())
            if isinstance(item, dict) and text_of(item.get("name"))
        ]

    def jobs(self) -> list[RefreshJob]:
        """The refreshes that the environment has stored."""
        return [_job(item) for item in self._list("/manage/workflows/main/jobs")]

    def _list(self, path: str) -> list[Mapping[str, object]]:
        found = self._get(path)
        if isinstance(found, dict):
            found = found.get("value")
        if not isinstance(found, list):
            _unusable()
        return [item for item in found if isinstance(item, dict)]

    def _get(self, path: str) -> object:
        for tried in range(1, _TRIES + 1):
            try:
                return self._once(path)
            except Unavailable as error:
                wait = error.retry_after if error.retry_after is not None else float(tried)
                if tried == _TRIES or wait > _LONGEST_WAIT:
                    raise
                self._sleep(wait)
            except Disconnected:
                self._refused()
                raise
        raise AssertionError

    def _once(self, path: str) -> object:
        try:
            # A session of its own: calls are rare, and may come from several threads at once.
            with (
                HttpSession() as http,
                http.get(
                    self._base + path,
                    auth=BearerToken(self._token()),
                    headers={
                        "User-Agent": USER_AGENT,
                        "Accept": "application/json",
                        "Ocp-Apim-Subscription-Key": self._key,
                    },
                    timeout=(_CONNECT, _READ),
                    allow_redirects=False,
                    stream=True,
                ) as answer,
            ):
                if answer.status_code != requests.codes.ok:
                    _give_up(answer)
                body = read_body(answer, _MOST_BYTES)
        except requests.RequestException:
            raise Unavailable("customerInsightsUnavailable") from None
        try:
            found: object = orjson.loads(body or b"")
        except orjson.JSONDecodeError:
            _unusable()
        return found


def _give_up(answer: requests.Response) -> NoReturn:
    """Raise the error for a status; the body is not read."""
    status = answer.status_code
    if "AzureApiManagementKey" in answer.headers.get("WWW-Authenticate", ""):
        # From the gateway in front of the API: not the user's fault.
        raise ConfigError("customerInsightsKeyRefused")
    if status == requests.codes.unauthorized:
        raise Disconnected("exportUserDisconnected", status=status)
    if status == requests.codes.forbidden:
        raise ConfigError("customerInsightsForbidden")
    if status == requests.codes.not_found:
        raise NotFound("customerInsightsNotFound")
    if status == requests.codes.too_many_requests or status >= requests.codes.server_error:
        throttled = status == requests.codes.too_many_requests
        raise Unavailable(
            "customerInsightsUnavailable",
            retry_after=_seconds(answer.headers.get("Retry-After", "")),
            throttled=throttled,
        )
    raise Refused("customerInsightsRefused", status=status)


def _unusable() -> NoReturn:
    raise Unavailable("customerInsightsAnswerBroken") from None


def _segment(item: Mapping[str, object]) -> ApiSegment:
    status = item.get("evaluationStatus")
    evaluation = status if isinstance(status, dict) else {}
    count = evaluation.get("entityCount")
    return ApiSegment(
        name=composed(text_of(item.get("name"))),
        display_name=text_of(item.get("friendlyName")) or text_of(item.get("name")),
        state=text_of(item.get("state")),
        member_count=count if type(count) is int and count >= 0 else None,
        evaluated_at=read_time(evaluation.get("evaluationDate")),
    )


def _job(item: Mapping[str, object]) -> RefreshJob:
    return RefreshJob(
        id=text_of(item.get("jobId")),
        operation=text_of(item.get("operationType")),
        kind=text_of(item.get("jobSubmissionKind")),
        status=text_of(item.get("jobStatus")),
        ended_at=read_time(item.get("endTimestamp")),
    )


def _seconds(value: str) -> float | None:
    return float(value) if re.fullmatch(r"[0-9]{1,6}", value) else None
