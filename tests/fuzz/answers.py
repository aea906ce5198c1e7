"""Fuzz target: responses of Mailchimp give a value of the declared type or one of our errors.

An input is a line `call status content-type`, then the body of the answer.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import orjson
import requests
import urllib3
from requests.adapters import BaseAdapter

from shared.errors import ConnectorError
from shared.mailchimp.session import MailchimpSession
from shared.mailchimp.transport import ApiKey, RetryPolicy, Transport
from shared.model.audience import BatchAnswer, ContactStatus, Member, Tag
from shared.model.outcome import Outcome
from shared.sending.outcome_lines import outcome_lines
from shared.sending.result import Result

TOKENS = (
    b"subscribe 200", b"statuses 200", b"tags 200", b"fields 200", b"audience 200", b"audiences 200",
    b"count 200", b"untag 200", b"status 200", b"create_tag 200", b"create_field 200", b"ping 401",
    b"403", b"429", b"500", b"503", b"302", b"404", b"204", b"application/problem+json",
    b'"new_members":', b'"updated_members":', b'"errors":', b'"email_address":"ada@example.org"',
    b'"status":"subscribed"', b'"error_code":"ERROR_CONTACT_EXISTS"', b'"field":"FNAME"', b"[", b"]",
    b'"error":"', b'"members":', b'"total_items":', b'"segments":', b'"merge_fields":', b'"lists":',
    b'"options":', b'"title":"', b"Member In Compliance State", b"null", b"{}", b"1e400", b"-1",
    b'"timestamp_opt":"2026-11-01T08:00:00+00:00"', b'"id":', b'"\\ud800"', b"\xff", b'"dc":"us1"',
)  # fmt: skip
_MEMBERS = [
    Member(f"{name}@example.org", {"FNAME": name}, ("Gold",), None) for name in ("ada", "bob", "cy")
]
_CALLS: dict[str, Callable[[MailchimpSession], Any]] = {
    "subscribe": lambda s: s.subscribe("a1", _MEMBERS, update_existing=True),
    "statuses": lambda s: [
        one for page in s.members_with_status("a1", "unsubscribed") for one in page
    ],
    "tagged": lambda s: [one for page in s.members_with_tag("a1", 7) for one in page],
    "tags": lambda s: s.tags("a1"),
    "tag": lambda s: s.tag("a1", 7),
    "fields": lambda s: s.merge_fields("a1"),
    "audience": lambda s: s.audience("a1"),
    "audiences": lambda s: s.audiences(),
    "count": lambda s: s.count("a1", "subscribed"),
    "untag": lambda s: s.untag("a1", 7, ["ada@example.org"]),
    "status": lambda s: s.status_of("a1", "ada@example.org"),
    "create_tag": lambda s: s.create_tag("a1", "Gold"),
    "create_field": lambda s: s.create_merge_field("a1", "T", "Name", "text"),
    "rename_tag": lambda s: s.rename_tag("a1", 7, "Gold"),
    "account": lambda s: s.account(),
    "ping": lambda s: s.ping(),
}


class _Canned(BaseAdapter):
    """Gives the same answer to every request."""

    def __init__(self, status: int, kind: str, body: bytes) -> None:
        super().__init__()
        self._status, self._kind, self._body = status, kind, body

    def send(self, request: Any, *_: Any, **__: Any) -> requests.Response:
        answer = requests.Response()
        answer.status_code = self._status
        answer.headers["Content-Type"] = self._kind
        answer.raw = urllib3.HTTPResponse(io.BytesIO(self._body), preload_content=False)
        answer.request, answer.url = request, request.url
        return answer

    def close(self) -> None:
        pass


def run(data: bytes) -> object:
    """Return what was seen; AssertionError if an answer leads to an unexpected value or error."""
    how, _, body = data.partition(b"\n")
    words = [*how.decode("latin-1").split(" "), "", "", ""]
    name = words[0] if words[0] in _CALLS else "subscribe"
    status = int(words[1]) if words[1].isascii() and words[1].isdigit() else 200
    kind = words[2] if words[2].isprintable() and words[2].isascii() else "application/json"
    transport = Transport(
        "https://us1.api.mailchimp.com/3.0",
        ApiKey("k-us1"),
        clock=lambda: 0.0,
        sleep=lambda _: None,
        random=lambda: 0.5,
        retry_policy=RetryPolicy(tries=2, longest_answer=1_000_000),
    )
    transport._http.mount("https://", _Canned(100 + status % 500, kind, body))
    try:
        found = _CALLS[name](MailchimpSession(transport))
    except ConnectorError as error:
        assert len(str(error)) < 400
        assert not set("\r\n\0") & set(str(error))
        return name, type(error).__name__, error.code
    finally:
        transport.close()
    return name, _checked(found, body)


def _addresses(response: Any) -> set[str]:
    """The addresses of the people whom a response to a batch call accepts."""
    members = [*response.get("new_members", ()), *response.get("updated_members", ())]
    return {str(member.get("email_address")).casefold() for member in members}


def _checked(found: object, body: bytes) -> object:
    if isinstance(found, BatchAnswer):
        sent = {member.address for member in _MEMBERS}
        parts = (found.created, found.updated, found.refused)
        assigned = [address for part in parts for address in part]
        assert set(assigned) <= sent, "a person was never sent"
        taken = set(found.created) | set(found.updated)
        assert not set(found.refused) & taken
        # What the app does not need of a response is not decoded.
        response = orjson.loads(body.decode("utf-8", "replace"))
        text = str(response).casefold()
        # A person may be in no part only if the response omits them: the run looks them up.
        assert not any(f"'{address}'" in text for address in sent - set(assigned)), (
            "a person who is in the response has no result"
        )
        # The only address that was not sent is taken for another form of the only one without a result.
        missing = [address for address in taken if address not in text]
        assert len(missing) <= len(_addresses(response) - sent), (
            "a person was accepted who is not in the response"
        )
        results = [
            Result(Outcome.UPDATED, refusal.code, refusal.field, status)
            for refusal in found.refused.values()
            for status in (*found.created.values(), *found.updated.values(), "")
        ]
        lines = outcome_lines(dict(enumerate(results))).decode()
        assert len(list(csv.reader(lines.splitlines(), strict=True))) == len(results)
        assert all(len(line) < 300 for line in lines.splitlines())
        return tuple(len(part) for part in parts), tuple(
            sorted({refusal.code for refusal in found.refused.values()})
        )
    if isinstance(found, list):
        for one in found:
            assert not isinstance(one, ContactStatus) or (
                len(one.address) <= 1_000 and len(one.status) <= 20
            )
            assert not isinstance(one, Tag) or (one.id > 0 and one.member_count >= 0)
        return len(found) > 0
    assert not isinstance(found, int) or found >= 0
    return type(found).__name__
