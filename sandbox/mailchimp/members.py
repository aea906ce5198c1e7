"""Calls about single members, and reading members in pages.

https://mailchimp.com/developer/marketing/api/list-members/
"""

from __future__ import annotations

from itertools import islice
from typing import Any

import orjson

from sandbox.mailchimp import render, subscribe, webhooks
from sandbox.mailchimp.audiences import check_member
from sandbox.mailchimp.problems import Problem
from sandbox.mailchimp.request import ApiRequest, Shape
from sandbox.mailchimp.segments import find, included
from sandbox.mailchimp.state import STATUSES, Audience, Member, digest

_A_FEW = 10


def listing(request: ApiRequest, audience_id: str) -> bytes:
    """GET /lists/{list_id}/members: all contacts but archived ones, or those of one status."""
    audience = request.audience(audience_id)
    count, offset = request.page()
    status = request.choice("status", STATUSES)
    order = request.choice("sort_field", ("timestamp_opt", "timestamp_signup", "last_changed"))
    down = request.choice("sort_dir", ("ASC", "DESC")) == "DESC"
    since, before = request.time("since_last_changed"), request.time("before_last_changed")

    def wanted(member: Member) -> bool:
        return (
            (member.status == status if status else member.status != "archived")
            and (since is None or member.changed >= since)
            and (before is None or member.changed < before)
        )

    with audience.lock:
        if offset == 0 and count <= _A_FEW and not (order or down or since or before):
            # A count of members, which reads one of them: the audience has counted all.
            counts = audience.counts
            total = counts[status] if status else counts.total() - counts["archived"]
            first = list(islice(filter(wanted, audience.members.values()), min(count, total)))
            return _page(request, audience, first, total, "members")
        attribute = "changed" if order == "last_changed" else "since" if order or down else ""
        found = audience.select(("members", status, since, before), wanted, attribute, down=down)
        return _page(request, audience, found[offset : offset + count], len(found), "members")


def segment_members(request: ApiRequest, audience_id: str, segment_id: str) -> bytes:
    """GET /lists/{list_id}/segments/{segment_id}/members: active subscribers, and the statuses of `include_*`."""
    audience = request.audience(audience_id)
    count, offset = request.page()
    found = find(audience, segment_id)
    include = included(request)
    number = found.id
    with audience.lock:
        # Its result is not needed: it sets `members_shown` again when the cached count has expired.
        render.member_count(request.world, audience, found, include)
        if found.members_shown is not None:
            people = [one for one in found.members_shown if one.status in include]
        else:
            people = audience.select(
                ("segment", number, tuple(sorted(include))),
                lambda member: number in member.tags and member.status in include,
            )
        page = people[offset : offset + count]
        return _page(request, audience, page, len(people), f"segments/{number}/members")


def _page(
    request: ApiRequest, audience: Audience, page: list[Member], total: int, path: str
) -> bytes:
    request.members = len(page)
    rest: dict[str, Any] = {
        "list_id": audience.id,
        "total_items": total,
        "_links": [
            render.link("self", f"{request.world.url}/3.0/lists/{audience.id}/{path}"),
            render.link("parent", f"{request.world.url}/3.0/lists/{audience.id}"),
        ],
    }
    fields, exclude = request.query.get("fields"), request.query.get("exclude_fields")
    if not fields and not exclude:
        people = render.array(render.member_json(request.world, audience, m) for m in page)
        return b'{"members":' + people + b"," + orjson.dumps(rest)[1:]
    if fields and "_links" not in fields:  # the usual cut, and half a member's cost is its links
        shown = [render.member_facts(audience, member) for member in page]
    else:
        shown = [orjson.loads(render.member_json(request.world, audience, m)) for m in page]
    return request.cut({"members": shown, **rest})


def one(request: ApiRequest, audience_id: str, key: str) -> bytes:
    """GET /lists/{list_id}/members/{subscriber_hash}."""
    audience = request.audience(audience_id)
    with audience.lock:
        return _shown(request, audience, _find(audience, key))


def activity(request: ApiRequest, audience_id: str, key: str) -> bytes:
    """GET /lists/{list_id}/members/{subscriber_hash}/activity-feed: only that a person unsubscribed."""
    audience = request.audience(audience_id)
    with audience.lock:
        member = _find(audience, key)
        found = []
        if member.status == "unsubscribed":
            left = {
                "activity_type": "unsub",
                "created_at_timestamp": render.moment(member.changed),
                "campaign_id": member.campaign,
            }
            found.append(left)
        digest = render.member_facts(audience, member)["id"]
    return request.cut(
        {"activity": found, "email_id": digest, "list_id": audience.id, "_links": []}
    )


def create(request: ApiRequest, audience_id: str) -> bytes:
    """POST /lists/{list_id}/members."""
    audience = request.audience(audience_id)
    body = request.body()
    shape = Shape()
    shape.required(body, "email_address", "string")
    shape.required(body, "status", "string")
    check_member(shape, body)
    shape.check()
    with audience.lock:
        known = audience.members.get(digest(body["email_address"]))
        if known is not None and known.status != "archived":
            raise Problem("MemberExists", "member.exists_single", email=body["email_address"])
        member = _write(request, audience, body["email_address"], body["status"], body)
        tags = {
            audience.tag(tag, request.world.segment_id, request.world.seconds())
            for tag in body.get("tags", [])
        }
        audience.set_tags(member, set(member.tags) | tags, request.world.seconds())
        return _shown(request, audience, member)


def upsert(request: ApiRequest, audience_id: str, key: str) -> bytes:
    """PUT /lists/{list_id}/members/{subscriber_hash}; `tags` are ignored, as Mailchimp does."""
    audience = request.audience(audience_id)
    body = request.body()
    shape = Shape()
    shape.required(body, "email_address", "string")
    shape.required(body, "status_if_new", "string")
    check_member(shape, body)
    shape.check()
    with audience.lock:
        known = audience.find(key)
        address = known.address if known else body["email_address"]
        new = known is None or known.status == "archived"
        wanted = body.get("status") or (body["status_if_new"] if new else None)
        return _shown(request, audience, _write(request, audience, address, wanted, body))


def patch(request: ApiRequest, audience_id: str, key: str) -> bytes:
    """PATCH /lists/{list_id}/members/{subscriber_hash}."""
    audience = request.audience(audience_id)
    body = request.body()
    shape = Shape()
    check_member(shape, body)
    shape.check()
    with audience.lock:
        member = _find(audience, key)
        member = _write(request, audience, member.address, body.get("status"), body)
        return _shown(request, audience, member)


def archive(request: ApiRequest, audience_id: str, key: str) -> None:
    """DELETE /lists/{list_id}/members/{subscriber_hash}: 204, or 405 where it is not possible."""
    audience = request.audience(audience_id)
    with audience.lock:
        member = _find(audience, key)
        if member.status in ("cleaned", "pending", "archived"):
            raise Problem("MethodNotAllowed", "archive")
        request.world.calls.status_sent(member.status, "archived", "archived")
        before = member.status
        audience.set_status(member, "archived", member.cause, request.world.seconds())
        webhooks.changed(request.world, audience, member, before, "api")


def delete_permanently(request: ApiRequest, audience_id: str, key: str) -> None:
    """POST .../actions/delete-permanent: 204; the person can never be imported again."""
    audience = request.audience(audience_id)
    with audience.lock:
        audience.remove(_find(audience, key), request.world.seconds())


def tags(request: ApiRequest, audience_id: str, key: str) -> bytes:
    """GET .../members/{subscriber_hash}/tags."""
    audience = request.audience(audience_id)
    count, offset = request.page()
    with audience.lock:
        member = _find(audience, key)
        page = member.tags[offset : offset + count]
        answer = {
            "tags": [
                {
                    "id": tag,
                    "name": audience.segments[tag].name,
                    "date_added": render.moment(member.changed),
                }
                for tag in page
            ],
            "total_items": len(member.tags),
            "_links": [],
        }
        return orjson.dumps(answer)


def change_tags(request: ApiRequest, audience_id: str, key: str) -> None:
    """POST .../members/{subscriber_hash}/tags: 204; unknown tags are created."""
    audience = request.audience(audience_id)
    body = request.body()
    shape = Shape()
    shape.required(body, "tags", "array")
    shape.optional(body, "is_syncing", "boolean")
    shape.check()
    for number, tag in enumerate(body["tags"]):
        at = f"tags.item:{number}"
        if not isinstance(tag, dict):
            shape.add_wrong_kind(at, "object", tag)
            continue
        shape.required(tag, "name", "string", at=f"{at}.")
        shape.required(tag, "status", "string", at=f"{at}.")
        shape.one_of(tag, "status", ("active", "inactive"), f"{at}.")
    shape.check()
    now = request.world.seconds()
    with audience.lock:
        member = _find(audience, key)
        ids = set(member.tags)
        for tag in body["tags"]:
            if tag["status"] == "active":
                ids.add(audience.tag(tag["name"], request.world.segment_id, now))
            else:
                ids.discard(audience.names.get(tag["name"].strip().casefold(), -1))
        audience.set_tags(member, ids, now)


def _find(audience: Audience, key: str) -> Member:
    member = audience.find(key)
    if member is None:
        raise Problem("ResourceNotFound", "missing")
    return member


def _write(
    request: ApiRequest, audience: Audience, address: str, wanted: str | None, body: dict[str, Any]
) -> Member:
    request.members = 1
    try:
        member, _ = subscribe.write(
            request.world,
            audience,
            address,
            subscribe.checked_address(request.world, audience, address),
            wanted=wanted,
            merge_fields=body.get("merge_fields", {}),
            skip_required=request.flag("skip_merge_validation"),
        )
    except subscribe.RefusedMember as refused:
        raise refused.problem() from None
    return member


def _shown(request: ApiRequest, audience: Audience, member: Member) -> bytes:
    whole = render.member_json(request.world, audience, member)
    if not request.query.get("fields") and not request.query.get("exclude_fields"):
        return whole
    return request.cut(orjson.loads(whole))
