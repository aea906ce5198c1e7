"""Webhooks of an audience: the calls that manage them, and the events that Mailchimp posts to them.

Mailchimp checks the address with a GET when a webhook is created or changed, and posts every event form-encoded.
Options let events get lost, doubled, reordered and held. Whether Mailchimp signs events is contradicted by its own support, so
the option `sign_webhooks` selects it.
https://mailchimp.com/developer/marketing/api/list-webhooks/
https://mailchimp.com/developer/marketing/guides/sync-audience-data-webhooks/
"""

from __future__ import annotations

import hashlib
import hmac
import random
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import orjson
import requests

from sandbox.mailchimp import render
from sandbox.mailchimp.problems import Problem, invalid
from sandbox.mailchimp.request import ApiRequest, Shape
from sandbox.mailchimp.state import EVENTS, SOURCES, Audience, Member, Webhook, digest

if TYPE_CHECKING:
    from sandbox.mailchimp.world import World

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_CONTENT_TYPE = "application/x-www-form-urlencoded"
_TIMEOUT = 10
"""Seconds that Mailchimp waits for an answer."""

Fetch = Callable[[str, str, bytes, Mapping[str, str]], int]
"""Calls an address: method, URL, body, headers. Returns the status, 0 without an answer."""


def fetch(method: str, url: str, body: bytes, headers: Mapping[str, str]) -> int:
    """Call an address of this machine. The sandbox calls no other."""
    if urlsplit(url).hostname not in _LOOPBACK:
        return 0
    try:
        return requests.request(
            method, url, data=body, headers=dict(headers), timeout=_TIMEOUT, allow_redirects=False
        ).status_code
    except requests.RequestException:
        return 0


@dataclass(slots=True)
class Delivery:
    """One event on its way to one webhook."""

    url: str
    body: bytes
    headers: dict[str, str]


@dataclass
class Deliveries:
    """The events that were not posted yet, and the number of events by what became of them.

    `counts` has `fired`, `lost`, `doubled`, `delivered` and `failed`.
    """

    fetch: Fetch = fetch
    pending: list[Delivery] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)
    _random: random.Random = field(default_factory=lambda: random.Random(1))

    def add(self, world: World, delivery: Delivery) -> None:
        """Queue an event, lose it or double it; post it unless webhooks are held."""
        options = world.options
        with self.lock:
            self.counts["fired"] += 1
            if self._random.random() < options.webhook_loss:
                self.counts["lost"] += 1
                return
            self.pending.append(delivery)
            if self._random.random() < options.webhook_doubled:
                self.counts["doubled"] += 1
                self.pending.append(delivery)
        if not options.hold_webhooks:
            threading.Thread(target=self.deliver, args=(world,), daemon=True).start()

    def deliver(self, world: World) -> int:
        """Post all pending events. Returns their number."""
        with self.lock:
            pending, self.pending = self.pending, []
            if world.options.webhook_disorder:
                self._random.shuffle(pending)
        if pending and world.options.webhook_delay_ms:
            world.sleep(world.options.webhook_delay_ms / 1000)
        for delivery in pending:
            status = self.fetch("POST", delivery.url, delivery.body, delivery.headers)
            with self.lock:
                self.counts["delivered" if 200 <= status < 300 else "failed"] += 1
        return len(pending)


def listing(request: ApiRequest, audience_id: str) -> bytes:
    """GET /lists/{list_id}/webhooks."""
    audience = request.audience(audience_id)
    found = [_shown(request, audience, webhook) for webhook in audience.webhooks.values()]
    answer = {"webhooks": found, "list_id": audience.id, "total_items": len(found), "_links": []}
    return request.cut(answer)


def one(request: ApiRequest, audience_id: str, webhook_id: str) -> bytes:
    """GET /lists/{list_id}/webhooks/{webhook_id}."""
    audience = request.audience(audience_id)
    return request.cut(_shown(request, audience, _find(audience, webhook_id)))


def create(request: ApiRequest, audience_id: str) -> bytes:
    """POST /lists/{list_id}/webhooks: the address must answer a GET with 200, and be new."""
    audience = request.audience(audience_id)
    body = _checked(request, needs_url=True)
    webhook = Webhook(
        request.world.hex(10),
        _checked_url(request, audience, body["url"]),
        dict.fromkeys(EVENTS, False) | body.get("events", {}),
        dict.fromkeys(SOURCES, False) | body.get("sources", {}),
    )
    if request.world.options.sign_webhooks:
        webhook.secret = request.world.hex(32)
    with audience.lock:
        audience.webhooks[webhook.id] = webhook
    shown = _shown(request, audience, webhook)
    if webhook.secret:
        shown["signing_secret"] = webhook.secret
    return orjson.dumps(shown)


def patch(request: ApiRequest, audience_id: str, webhook_id: str) -> bytes:
    """PATCH /lists/{list_id}/webhooks/{webhook_id}."""
    audience = request.audience(audience_id)
    webhook = _find(audience, webhook_id)
    body = _checked(request)
    if "url" in body and body["url"] != webhook.url:
        webhook.url = _checked_url(request, audience, body["url"])
    webhook.events |= body.get("events", {})
    webhook.sources |= body.get("sources", {})
    return orjson.dumps(_shown(request, audience, webhook))


def delete(request: ApiRequest, audience_id: str, webhook_id: str) -> None:
    """DELETE /lists/{list_id}/webhooks/{webhook_id}: 204."""
    audience = request.audience(audience_id)
    with audience.lock:
        del audience.webhooks[_find(audience, webhook_id).id]


def changed(world: World, audience: Audience, member: Member, before: str, source: str) -> None:
    """Fire the event of a member who was written; `before` is the former status, "" for a new member.

    `source` is "user", "admin" or "api". A pending, transactional or archived member who was not subscribed
    fires nothing.
    """
    if not audience.webhooks:
        return
    data = _member(audience, member)
    match member.status:
        case "subscribed" if before != "subscribed":
            _fire(world, audience, "subscribe", source, data | _ip(audience, member, "ip_signup"))
        case "subscribed":
            _fire(world, audience, "profile", source, data)
        case "unsubscribed" if before not in ("unsubscribed", ""):
            more = {"action": "unsub", "reason": "manual", "campaign_id": member.campaign}
            _fire(world, audience, "unsubscribe", source, data | more)
        case "archived" if before == "subscribed":
            more = {"action": "delete", "reason": "manual", "campaign_id": ""}
            _fire(world, audience, "unsubscribe", source, data | more)
        case "cleaned" if before not in ("cleaned", ""):
            cleaned = {
                "list_id": audience.id,
                "campaign_id": member.campaign,
                "reason": "hard" if member.cause == "bounce" else "abuse",
                "email": member.address,
            }
            _fire(world, audience, "cleaned", source, cleaned)


def moved(world: World, audience: Audience, member: Member, old: str, source: str) -> None:
    """Fire the event of a member whose address changed."""
    data = {
        "list_id": audience.id,
        "new_id": digest(member.address)[:5].hex(),
        "new_email": member.address,
        "old_email": old,
    }
    _fire(world, audience, "upemail", source, data)


def _fire(world: World, audience: Audience, event: str, source: str, data: dict[str, Any]) -> None:
    for webhook in audience.webhooks.values():
        if not (webhook.events[event] and webhook.sources[source]):
            continue
        fired = datetime.fromtimestamp(world.now(), UTC)
        pairs = [("type", event), ("fired_at", fired.strftime("%Y-%m-%d %H:%M:%S"))]
        body = urlencode(pairs + _flat("data", data)).encode()
        headers = {"Content-Type": _CONTENT_TYPE, "User-Agent": "MailChimp"}
        if webhook.secret:
            stamp = str(world.seconds())
            signed = hmac.new(webhook.secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256)
            headers["X-Mailchimp-Signature"] = f"t={stamp},v1={signed.hexdigest()}"
        world.webhooks.add(world, Delivery(webhook.url, body, headers))


def _flat(name: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [pair for key, part in value.items() for pair in _flat(f"{name}[{key}]", part)]
    return [(name, str(value))]


def _member(audience: Audience, member: Member) -> dict[str, Any]:
    return {
        "id": digest(member.address)[:5].hex(),
        "list_id": audience.id,
        "email": member.address,
        "email_type": "html",
        **_ip(audience, member, "ip_opt"),
        "merges": {"EMAIL": member.address, **render.merge_values(audience, member)},
    }


def _ip(audience: Audience, member: Member, name: str) -> dict[str, str]:
    default = "127.0.0.1" if name == "ip_opt" else ""
    return {name: audience.evidence.get(digest(member.address), {}).get(name, default)}


def _checked(request: ApiRequest, *, needs_url: bool = False) -> dict[str, Any]:
    body = request.body()
    shape = Shape()
    if needs_url:
        shape.required(body, "url", "string")
    shape.optional(body, "url", "string")
    for part, names in (("events", EVENTS), ("sources", SOURCES)):
        shape.optional(body, part, "object")
        given = body.get(part)
        if isinstance(given, dict):
            for name in names:
                shape.optional(given, name, "boolean", at=f"{part}.")
            body[part] = {name: given[name] for name in names if name in given}
    shape.check()
    return body


def _checked_url(request: ApiRequest, audience: Audience, url: str) -> str:
    if any(webhook.url == url for webhook in audience.webhooks.values()):
        raise invalid("url", "webhook.twice")
    if urlsplit(url).scheme not in ("http", "https"):
        raise invalid("url", "webhook.url")
    if request.world.webhooks.fetch("GET", url, b"", {"User-Agent": "MailChimp"}) != 200:
        raise invalid("url", "webhook.silent")
    return url


def _find(audience: Audience, webhook_id: str) -> Webhook:
    found = audience.webhooks.get(webhook_id)
    if found is None:
        raise Problem("ResourceNotFound", "missing")
    return found


def _shown(request: ApiRequest, audience: Audience, webhook: Webhook) -> dict[str, Any]:
    return {
        "id": webhook.id,
        "url": webhook.url,
        "events": webhook.events,
        "sources": webhook.sources,
        "list_id": audience.id,
        "_links": [
            render.link(
                "self", f"{request.world.url}/3.0/lists/{audience.id}/webhooks/{webhook.id}"
            )
        ],
    }
