# ruff: noqa: TRY301 - what is raised are keys of texts.py, and refusals end the call right there
"""One call to the Marketing API, from the API key to the response.

In the order of Mailchimp: first throttling and faults, then the key, then the route.
https://mailchimp.com/developer/marketing/docs/fundamentals/
"""

from __future__ import annotations

import base64
import binascii
import re
import time
from collections.abc import Callable

from sandbox.mailchimp import audiences, automations, members, merge_fields, segments, webhooks
from sandbox.mailchimp.answer import HTML, JSON, PROBLEM, Answer
from sandbox.mailchimp.calls import Call
from sandbox.mailchimp.faults import Fault
from sandbox.mailchimp.problems import Problem
from sandbox.mailchimp.request import ApiRequest
from sandbox.mailchimp.state import Account
from sandbox.mailchimp.world import World

Route = Callable[..., bytes | None]

_LIST = "/lists/{list_id}"
_MEMBER = _LIST + "/members/{subscriber_hash}"
_SEGMENT = _LIST + "/segments/{segment_id}"
_WEBHOOK = _LIST + "/webhooks/{webhook_id}"
_FIELD = _LIST + "/merge-fields/{merge_id}"

ROUTES: dict[str, dict[str, Route]] = {
    "/": {"GET": audiences.root},
    "/ping": {"GET": audiences.ping},
    "/automations": {"GET": automations.listing},
    "/lists": {"GET": audiences.listing},
    _LIST: {"GET": audiences.one, "POST": audiences.batch},
    _LIST + "/members": {"GET": members.listing, "POST": members.create},
    _MEMBER: {
        "GET": members.one,
        "PUT": members.upsert,
        "PATCH": members.patch,
        "DELETE": members.archive,
    },
    _MEMBER + "/tags": {"GET": members.tags, "POST": members.change_tags},
    _MEMBER + "/activity-feed": {"GET": members.activity},
    _MEMBER + "/actions/delete-permanent": {"POST": members.delete_permanently},
    _LIST + "/segments": {"GET": segments.listing, "POST": segments.create},
    _SEGMENT: {
        "GET": segments.one,
        "POST": segments.change_members,
        "PATCH": segments.patch,
        "DELETE": segments.delete,
    },
    _SEGMENT + "/members": {"GET": members.segment_members, "POST": segments.add_member},
    _SEGMENT + "/members/{subscriber_hash}": {"DELETE": segments.remove_member},
    _LIST + "/webhooks": {"GET": webhooks.listing, "POST": webhooks.create},
    _WEBHOOK: {"GET": webhooks.one, "PATCH": webhooks.patch, "DELETE": webhooks.delete},
    _LIST + "/tag-search": {"GET": segments.tag_search},
    _LIST + "/merge-fields": {"GET": merge_fields.listing, "POST": merge_fields.create},
    _FIELD: {
        "GET": merge_fields.one,
        "PATCH": merge_fields.patch,
        "DELETE": merge_fields.delete,
    },
}
_PATTERNS = [
    (re.compile(re.sub(r"\{\w+\}", r"([^/]+)", template) + "/?"), template) for template in ROUTES
]
_LINK = '<https://us1.api.mailchimp.com/schema/3.0/Root.json>; rel="describedBy"'
_BLOCKED = (
    b"<html><head><title>Request Blocked</title></head><body><h1>Request Blocked</h1>"
    b"<p>We had to block your request because of something that looked suspicious.</p></body></html>"
)
_FORBIDDEN = b"<html><head><title>403 Forbidden</title></head><body>Forbidden</body></html>"
_TIMEOUT = b"<html><head><title>504 Gateway Time-out</title></head><body>nginx</body></html>"


def call(
    world: World,
    method: str,
    path: str,
    query: dict[str, str],
    authorization: str,
    raw: bytes,
    *,
    received: float,
    takes_gzip: bool = False,
) -> Answer:
    """Answer one call; `path` is the part below /3.0, `received` the time at which the call arrived."""
    started = time.perf_counter()
    template, groups = _matched(path)
    instance = world.hex(32)
    request: ApiRequest | None = None
    fault = ""
    account: Account | None = None
    try:
        account = _account(world, authorization)
        in_flight = _enter(world, account)
        try:
            if in_flight > world.options.connection_limit:
                account.throttled += 1
                world.calls.throttle()
                answer = _throttled(world, instance)
            else:
                request = ApiRequest(world, account, method, path, query, raw, received, takes_gzip)
                armed = world.faults.find(method, path)
                fault = armed.kind if armed else ""
                answer = _faulty(world, request, template, groups, armed, instance)
        finally:
            with world.lock:
                account.in_flight -= 1
    except Problem as problem:
        answer = _problem(world, problem, instance)
    answer.headers.setdefault("X-Request-Id", instance)
    answer.headers.setdefault("Link", _LINK)
    keep = world.options.keep_bodies and request is not None
    world.calls.record(
        Call(
            method,
            template or "(unknown)",
            query,
            answer.status,
            request.members if request else 0,
            (time.perf_counter() - started) * 1000,
            fault,
            request.parsed if keep and request else None,
            world.now(),
        )
    )
    return answer


def _matched(path: str) -> tuple[str, tuple[str, ...]]:
    for pattern, template in _PATTERNS:
        if found := pattern.fullmatch(path or "/"):
            return template, found.groups()
    return "", ()


def _account(world: World, authorization: str) -> Account:
    scheme, _, given = authorization.partition(" ")
    given = given.strip()
    if not given:
        raise Problem("APIKeyMissing", "key.missing")
    account = None
    if scheme.lower() in ("bearer", "oauth"):
        account = world.tokens.get(given)
    elif scheme.lower() == "basic":
        try:
            secret = base64.b64decode(given).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            secret = ""
        account = world.keys.get(secret)
        token, _, dc = secret.rpartition("-")
        if account is None and token in world.tokens and world.tokens[token].dc == dc:
            account = world.tokens[token]
    if account is None:
        raise Problem("APIKeyInvalid", "key.invalid")
    if account.disabled:
        raise Problem("UserDisabled", "disabled")
    return account


def _enter(world: World, account: Account) -> int:
    with world.lock:
        account.in_flight += 1
        account.peak = max(account.peak, account.in_flight)
        number = account.in_flight
    world.calls.in_flight(number)
    return number


def _throttled(world: World, instance: str) -> Answer:
    if world.options.throttle_answer == "bare":
        return Answer(429, b"", "text/plain")
    if world.options.throttle_answer == "html-403":
        return Answer(403, _FORBIDDEN, HTML)
    limit = world.options.connection_limit
    return _problem(world, Problem("TooManyRequests", "throttle", limit=limit), instance)


def _faulty(
    world: World,
    request: ApiRequest,
    template: str,
    groups: tuple[str, ...],
    fault: Fault | None,
    instance: str,
) -> Answer:
    if fault is None:
        return _routed(world, request, template, groups, instance)
    limit = world.options.connection_limit
    match fault.kind:
        case "429":
            answer = _problem(world, Problem("TooManyRequests", "throttle", limit=limit), instance)
            if fault.seconds:
                answer.headers["Retry-After"] = str(int(fault.seconds))
            return answer
        case "429-bare":
            return Answer(429, b"", "text/plain")
        case "400-empty":
            return Answer(400, b"", "text/plain")
        case "403-html":
            return Answer(403, _FORBIDDEN, HTML)
        case "403-disabled":
            return _problem(world, Problem("UserDisabled", "disabled"), instance)
        case "500":
            return _problem(world, Problem("InternalServerError", "broken"), instance)
        case "503-html":
            return Answer(503, _BLOCKED, HTML)
        case "504":
            return Answer(504, _TIMEOUT, HTML)
        case "200-html":
            return Answer(200, _BLOCKED, HTML)
        case "reset":
            return Answer(0, wire="reset")
        case "hang":
            world.sleep(fault.seconds)
            return _routed(world, request, template, groups, instance)
    answer = _routed(world, request, template, groups, instance)
    match fault.kind:
        case "504-applied":
            return Answer(504, _TIMEOUT, HTML)
        case "reset-applied":
            return Answer(0, wire="reset")
        case "not-json":
            return Answer(200, _BLOCKED, HTML)
    answer.wire = "truncated"
    return answer


def _routed(
    world: World, request: ApiRequest, template: str, groups: tuple[str, ...], instance: str
) -> Answer:
    try:
        if not template:
            raise Problem("ResourceNotFound", "missing")
        route = ROUTES[template].get(request.method)
        if route is None:
            answer = _problem(world, Problem("MethodNotAllowed", "method"), instance)
            answer.headers["Allow"] = ", ".join(sorted(ROUTES[template]))
            return answer
        poisoned = _is_poisoned(world, request)
        if poisoned and world.options.poison_answer != "applied":
            raise Problem(world.options.poison_answer, "broken")
        body = route(request, *groups)
        if poisoned:
            return Answer(504, _TIMEOUT, HTML)
        answer = Answer(204, b"", "") if body is None else Answer(200, body, JSON)
        if request.takes_gzip:
            answer.pack()
    except Problem as problem:
        return _problem(world, problem, instance)
    finally:
        _take_time(world, request)
    return answer


def _is_poisoned(world: World, request: ApiRequest) -> bool:
    poison = world.options.poison_addresses
    if not poison or request.method == "GET":
        return False
    lowered = request.raw.lower()
    return any(b'"' + address.encode() + b'"' in lowered for address in poison)


def _take_time(world: World, request: ApiRequest) -> None:
    """Wait until the call has taken its time since it arrived, so that the sandbox's own work is part of it."""
    options = world.options
    if request.method == "GET":
        wait = options.read_ms + options.read_member_ms * request.members
    else:
        wait = options.call_ms + options.member_ms * request.members
    if wait:
        world.sleep(max(0.0, request.received + wait / 1000 - world.now()))


def _problem(world: World, problem: Problem, instance: str) -> Answer:
    return Answer(problem.status, problem.body(world.sentence, instance), PROBLEM)
