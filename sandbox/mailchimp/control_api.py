# ruff: noqa: TRY301 - what is raised are keys of texts.py, and refusals end the call right there
"""The control API: JSON below /sandbox/ to inspect and change the sandbox, and HTML pages.

It is not part of Mailchimp, and needs no sign-in: the sandbox listens on this machine only and contains made-up people.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import orjson

from sandbox.mailchimp import control_pages
from sandbox.mailchimp.answer import HTML, JSON, PROBLEM, Answer
from sandbox.mailchimp.faults import Fault
from sandbox.mailchimp.state import STATUSES, Account, Audience, digest
from sandbox.mailchimp.view import AudienceView
from sandbox.mailchimp.world import World

Endpoint = Callable[..., Any]
_STREAM_PIECE = 1000


class ControlError(Exception):
    """A request to the control API is wrong; the message gives the reason."""

    def __init__(self, status: int, detail: str) -> None:
        """Create it with an HTTP status and a sentence."""
        super().__init__(detail)
        self.status = status


def call(world: World, method: str, path: str, query: dict[str, str], raw: bytes) -> Answer:
    """Answer one call below /sandbox/; / redirects there."""
    if path in ("", "/", "/sandbox"):
        return Answer(302, b"", HTML, {"Location": "/sandbox/"})
    if method == "GET" and path == "/sandbox/":
        return Answer(200, control_pages.overview(world), HTML)
    if method == "GET" and (page := re.fullmatch(r"/sandbox/audiences/(\w+)/?", path)):
        audience = world.audience(page[1])
        if audience is not None:
            return Answer(200, control_pages.audience(audience), HTML)
    try:
        for verb, pattern, endpoint in _ENDPOINTS:
            found = re.fullmatch(f"/sandbox{pattern}", path)
            if found and verb == method:
                body = orjson.loads(raw) if raw else {}
                result = endpoint(world, body, *found.groups())
                if isinstance(result, Answer):
                    return result
                return Answer(200, orjson.dumps(result), JSON)
        raise ControlError(404, "no such endpoint")
    except ControlError as wrong:
        return _wrong(wrong.status, str(wrong))
    except (orjson.JSONDecodeError, ValueError, TypeError, KeyError, AttributeError) as error:
        return _wrong(400, f"{type(error).__name__}: {error}")


def _wrong(status: int, detail: str) -> Answer:
    return Answer(status, orjson.dumps({"status": status, "detail": detail}), PROBLEM)


def _accounts(world: World, body: dict[str, Any]) -> Any:
    return {"value": [_account_view(account) for account in world.accounts.values()]}


def _account_view(account: Account) -> dict[str, Any]:
    return {
        "id": account.id,
        "name": account.name,
        "dc": account.dc,
        "apiKeys": sorted(account.keys),
        "disabled": account.disabled,
        "inFlight": account.in_flight,
        "peakInFlight": account.peak,
        "throttled": account.throttled,
        "audiences": list(account.audiences),
    }


def _account(world: World, account_id: str | None) -> Account:
    if account_id is None:
        return next(iter(world.accounts.values()))
    if account_id not in world.accounts:
        raise ControlError(404, "no such account")
    return world.accounts[account_id]


def _audience(world: World, audience_id: str) -> Audience:
    found = world.audience(audience_id)
    if found is None:
        raise ControlError(404, "no such audience")
    return found


def _new_account(world: World, body: dict[str, Any]) -> Any:
    return _account_view(world.add_account(body.get("name", "Sandbox"), key=body.get("apiKey")))


def _disable(world: World, body: dict[str, Any], account_id: str) -> Any:
    account = _account(world, account_id)
    account.disabled = bool(body.get("disabled", True))
    return _account_view(account)


def _revoke(world: World, body: dict[str, Any], account_id: str) -> Any:
    return {"revoked": world.revoke_tokens(_account(world, account_id))}


def _new_app(world: World, body: dict[str, Any]) -> Any:
    app = world.add_app(body["redirectUri"], body.get("name", "Export"))
    return {
        "clientId": app.client_id,
        "clientSecret": app.client_secret,
        "redirectUri": app.redirect_uri,
    }


def _audiences(world: World, body: dict[str, Any]) -> Any:
    return {
        "value": [
            audience_view(audience)
            for account in world.accounts.values()
            for audience in account.audiences.values()
        ]
    }


def audience_view(audience: Audience) -> dict[str, Any]:
    """The numbers of an audience: contacts by status, and by tag all and subscribed ones."""
    with audience.lock:
        return {
            "id": audience.id,
            "name": audience.name,
            "doubleOptIn": audience.double_optin,
            "people": sum(audience.counts.values()),
            "statuses": {status: n for status, n in audience.counts.items() if n},
            "mergeFields": [field.tag for field in audience.merge_fields.values()],
            "tags": [
                {
                    "id": segment.id,
                    "name": segment.name,
                    "people": segment.counts.total(),
                    "subscribed": segment.counts["subscribed"],
                }
                for segment in audience.segments.values()
            ],
        }


def _new_audience(world: World, body: dict[str, Any]) -> Any:
    made = world.add_audience(
        _account(world, body.get("account")),
        body["name"],
        double_optin=bool(body.get("doubleOptIn", False)),
        id_=body.get("id"),
    )
    return audience_view(made)


def _people(world: World, body: dict[str, Any], audience_id: str) -> Answer:
    return Answer(
        200,
        content_type="application/x-ndjson; charset=utf-8",
        stream=_lines(_audience(world, audience_id)),
    )


def _lines(audience: Audience) -> Iterator[bytes]:
    with audience.lock:
        people = list(audience.members.values())
        names = {segment.id: segment.name for segment in audience.segments.values()}
    for start in range(0, len(people), _STREAM_PIECE):
        yield b"".join(
            orjson.dumps(
                {
                    "email_address": member.address,
                    "status": member.status,
                    "cause": member.cause,
                    "merge_fields": orjson.Fragment(member.merge),
                    "tags": [names.get(tag, "") for tag in member.tags],
                }
            )
            + b"\n"
            for member in people[start : start + _STREAM_PIECE]
        )


def _add_people(world: World, body: dict[str, Any], audience_id: str) -> Any:
    view = AudienceView(world, _audience(world, audience_id))
    people = body["members"]
    for person in people:
        status = person.get("status", "subscribed")
        if status not in STATUSES:
            raise ControlError(400, "unknown status")
        view.add(
            person["email_address"],
            status=status,
            cause=person.get("cause", ""),
            merge_fields=person.get("merge_fields"),
            tags=person.get("tags", ()),
        )
    return {"written": len(people)}


def _forget(world: World, body: dict[str, Any], audience_id: str) -> Any:
    audience = _audience(world, audience_id)
    with audience.lock:
        member = audience.members.get(digest(body["email_address"]))
        if member is None:
            raise ControlError(404, "no such member")
        audience.remove(member, world.seconds())
    return {"forgotten": 1}


def _calls(world: World, body: dict[str, Any]) -> Any:
    return world.calls.summary()


def _last_calls(world: World, body: dict[str, Any]) -> Any:
    return {
        "value": [
            {
                "method": call.method,
                "route": call.route,
                "status": call.status,
                "members": call.members,
                "milliseconds": round(call.milliseconds, 1),
                "fault": call.fault,
            }
            for call in list(world.calls.last)[-200:]
        ]
    }


def _clear_calls(world: World, body: dict[str, Any]) -> Any:
    world.calls.clear()
    for account in world.accounts.values():
        account.peak = account.in_flight
        account.throttled = 0
    return world.calls.summary()


def _webhooks(world: World, body: dict[str, Any]) -> Any:
    return {**world.webhooks.counts, "pending": len(world.webhooks.pending)}


def _deliver(world: World, body: dict[str, Any]) -> Any:
    world.webhooks.deliver(world)
    return _webhooks(world, {})


def _faults(world: World, body: dict[str, Any]) -> Any:
    return {"value": world.faults.listing()}


def _arm(world: World, body: dict[str, Any]) -> Any:
    world.faults.arm(Fault(**body))
    return _faults(world, {})


def _disarm(world: World, body: dict[str, Any]) -> Any:
    world.faults.clear()
    return _faults(world, {})


def _options(world: World, body: dict[str, Any]) -> Any:
    names = type(world.options).__dataclass_fields__
    values = {name: getattr(world.options, name) for name in names}
    return {k: sorted(v) if isinstance(v, frozenset) else v for k, v in values.items()}


def _set_options(world: World, body: dict[str, Any]) -> Any:
    world.options = world.options.changed(body)
    return _options(world, {})


def _reset(world: World, body: dict[str, Any]) -> Any:
    """Empty every audience and remove calls and faults; accounts, keys, audiences and options stay."""
    with world.lock:
        for account in world.accounts.values():
            for audience in account.audiences.values():
                with audience.lock:
                    audience.clear()
        world.faults.clear()
    _clear_calls(world, {})
    return _audiences(world, {})


_ENDPOINTS: list[tuple[str, str, Endpoint]] = [
    ("GET", "/accounts", _accounts),
    ("POST", "/accounts", _new_account),
    ("POST", r"/accounts/(\w+)/disable", _disable),
    ("POST", r"/accounts/(\w+)/revoke-tokens", _revoke),
    ("POST", "/apps", _new_app),
    ("GET", "/audiences", _audiences),
    ("POST", "/audiences", _new_audience),
    ("GET", r"/audiences/(\w+)/members", _people),
    ("POST", r"/audiences/(\w+)/members", _add_people),
    ("POST", r"/audiences/(\w+)/forget", _forget),
    ("GET", "/calls", _calls),
    ("GET", "/calls/last", _last_calls),
    ("DELETE", "/calls", _clear_calls),
    ("GET", "/webhooks", _webhooks),
    ("POST", "/webhooks", _deliver),
    ("GET", "/faults", _faults),
    ("POST", "/faults", _arm),
    ("DELETE", "/faults", _disarm),
    ("GET", "/options", _options),
    ("PATCH", "/options", _set_options),
    ("POST", "/reset", _reset),
]
