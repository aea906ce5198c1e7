"""Calls about tags, which are static segments.

https://mailchimp.com/developer/marketing/api/list-segments/
"""

from __future__ import annotations

from typing import Any

import orjson

from sandbox.mailchimp import render
from sandbox.mailchimp.problems import Problem, invalid
from sandbox.mailchimp.request import ApiRequest, Shape
from sandbox.mailchimp.state import Audience, Member, Segment, digest

MOST_MEMBERS = 500
_INCLUDE = ("cleaned", "transactional", "unsubscribed")


def included(request: ApiRequest) -> set[str]:
    """The statuses that count: active subscribers, and those of the `include_*` flags."""
    found = {status for status in _INCLUDE if request.flag(f"include_{status}")}
    if request.world.options.pending_in_segments:
        found.add("pending")
    return found | {"subscribed"}


def find(audience: Audience, segment_id: str) -> Segment:
    """The segment with this id, or 404."""
    number = int(segment_id) if segment_id.isascii() and segment_id.isdigit() else -1
    found = audience.segments.get(number)
    if found is None:
        raise Problem("ResourceNotFound", "missing")
    return found


def listing(request: ApiRequest, audience_id: str) -> bytes:
    """GET /lists/{list_id}/segments."""
    audience = request.audience(audience_id)
    count, offset = request.page()
    include = included(request)
    kind = request.choice("type", ("saved", "static", "fuzzy"))
    since = request.time("since_updated_at")
    with audience.lock:
        found = [
            segment
            for segment in audience.segments.values()
            if kind in (None, segment.type) and (since is None or segment.updated >= since)
        ]
        answer = {
            "segments": [
                render.segment(request.world, audience, segment, include)
                for segment in found[offset : offset + count]
            ],
            "list_id": audience.id,
            "total_items": len(found),
            "_links": [],
        }
    return request.cut(answer)


def one(request: ApiRequest, audience_id: str, segment_id: str) -> bytes:
    """GET /lists/{list_id}/segments/{segment_id}."""
    audience = request.audience(audience_id)
    include = included(request)
    with audience.lock:
        return request.cut(
            render.segment(request.world, audience, find(audience, segment_id), include)
        )


def create(request: ApiRequest, audience_id: str) -> bytes:
    """POST /lists/{list_id}/segments: a tag from `static_segment`, or a saved segment from `options`."""
    audience = request.audience(audience_id)
    body = request.body()
    shape = _checked(body)
    shape.required(body, "name", "string")
    shape.check()
    if "static_segment" not in body and "options" not in body:
        raise Problem("InvalidResource", "segment.kind")
    world = request.world
    now = world.seconds()
    name = body["name"].strip()
    _check_name(name)
    with audience.lock:
        if name.casefold() in audience.names:
            raise Problem("BadRequest", "segment.exists")
        if "static_segment" in body:
            segment = audience.segments[audience.tag(name, world.segment_id, now)]
            _add(audience, segment, body["static_segment"], now)
            request.members = len(body["static_segment"])
        else:
            segment = Segment(
                world.segment_id(), name, "saved", now, now, conditions=body["options"]
            )
            audience.segments[segment.id] = segment
            audience.names[name.casefold()] = segment.id
        return orjson.dumps(render.segment(world, audience, segment, included(request)))


def patch(request: ApiRequest, audience_id: str, segment_id: str) -> bytes:
    """PATCH: rename; `static_segment` [] empties it, anything else adds and does not replace."""
    audience = request.audience(audience_id)
    body = request.body()
    shape = _checked(body)
    shape.required(body, "name", "string")
    shape.check()
    name = body["name"].strip()
    _check_name(name)
    now = request.world.seconds()
    with audience.lock:
        segment = find(audience, segment_id)
        other = audience.names.get(name.casefold())
        if other not in (None, segment.id):
            raise Problem("BadRequest", "segment.exists")
        del audience.names[segment.name.casefold()]
        audience.names[name.casefold()] = segment.id
        segment.name = name
        segment.updated = now
        if "static_segment" in body:
            _need_static(segment)
            if body["static_segment"]:
                _add(audience, segment, body["static_segment"], now)
                request.members = len(body["static_segment"])
            else:
                audience.empty_segment(segment, now)
        audience.version += 1
        return orjson.dumps(render.segment(request.world, audience, segment, included(request)))


def delete(request: ApiRequest, audience_id: str, segment_id: str) -> None:
    """DELETE: 204."""
    audience = request.audience(audience_id)
    with audience.lock:
        audience.drop_segment(find(audience, segment_id), request.world.seconds())


def change_members(request: ApiRequest, audience_id: str, segment_id: str) -> bytes:
    """POST /lists/{list_id}/segments/{segment_id}: add and remove, at most 500 each."""
    audience = request.audience(audience_id)
    body = request.body()
    shape = Shape()
    shape.strings(body, "members_to_add")
    shape.strings(body, "members_to_remove")
    shape.check()
    add, remove = body.get("members_to_add", []), body.get("members_to_remove", [])
    if len(add) > MOST_MEMBERS or len(remove) > MOST_MEMBERS:
        raise Problem("InvalidResource", "segment.many")
    request.members = len(add) + len(remove)
    now = request.world.seconds()
    with audience.lock:
        segment = find(audience, segment_id)
        _need_static(segment)
        added, outside = _add(audience, segment, add, now)
        removed, not_there = _remove(audience, segment, remove, now)
        errors = []
        if (outside or not_there) and request.world.options.ignored_segment_members == "report":
            text = request.world.sentence("segment.outside")
            errors.append({"email_addresses": outside + not_there, "error": text})
        show = [
            render.array(render.member_json(request.world, audience, m) for m in people)
            for people in (added, removed)
        ]
        rest = orjson.dumps(
            {
                "errors": errors,
                "total_added": len(added),
                "total_removed": len(removed),
                "error_count": len(errors),
                "_links": [],
            }
        )
    return b'{"members_added":' + show[0] + b',"members_removed":' + show[1] + b"," + rest[1:]


def add_member(request: ApiRequest, audience_id: str, segment_id: str) -> bytes:
    """POST .../segments/{segment_id}/members: one person, who must be in the audience."""
    audience = request.audience(audience_id)
    body = request.body()
    shape = Shape()
    shape.required(body, "email_address", "string")
    shape.check()
    with audience.lock:
        segment = find(audience, segment_id)
        _need_static(segment)
        added, _ = _add(audience, segment, [body["email_address"]], request.world.seconds())
        member = audience.members.get(digest(body["email_address"]))
        if member is None or (not added and segment.id not in member.tags):
            raise invalid("email_address", "segment.outside")
        return render.member_json(request.world, audience, member)


def remove_member(request: ApiRequest, audience_id: str, segment_id: str, key: str) -> None:
    """DELETE .../segments/{segment_id}/members/{subscriber_hash}: 204."""
    audience = request.audience(audience_id)
    with audience.lock:
        segment = find(audience, segment_id)
        member = audience.find(key)
        if member is None or segment.id not in member.tags:
            raise Problem("ResourceNotFound", "missing")
        audience.set_tags(member, set(member.tags) - {segment.id}, request.world.seconds())


def tag_search(request: ApiRequest, audience_id: str) -> bytes:
    """GET /lists/{list_id}/tag-search: tags whose name begins with `name`; all without it."""
    audience = request.audience(audience_id)
    prefix = request.query.get("name", "").strip().casefold()
    with audience.lock:
        found = [
            {"id": segment.id, "name": segment.name}
            for segment in audience.segments.values()
            if segment.type == "static" and segment.name.casefold().startswith(prefix)
        ]
    return orjson.dumps({"tags": found, "total_items": len(found)})


def _checked(body: dict[str, Any]) -> Shape:
    shape = Shape()
    shape.strings(body, "static_segment")
    shape.optional(body, "options", "object")
    return shape


def _check_name(name: str) -> None:
    if not name or len(name) > 100:
        raise invalid("name", "segment.name")


def _need_static(segment: Segment) -> None:
    if segment.type != "static":
        raise Problem("BadRequest", "segment.not_static", id=segment.id)


def _add(
    audience: Audience, segment: Segment, addresses: list[str], now: int
) -> tuple[list[Member], list[str]]:
    """Who was added, and which addresses are not in the audience."""
    added, outside = [], []
    for address in addresses:
        member = audience.members.get(digest(address))
        if member is None or member.status == "archived":
            outside.append(address)
        elif segment.id not in member.tags:
            audience.set_tags(member, {*member.tags, segment.id}, now)
            added.append(member)
    return added, outside


def _remove(
    audience: Audience, segment: Segment, addresses: list[str], now: int
) -> tuple[list[Member], list[str]]:
    """Who was removed, and which addresses are not in the audience."""
    removed, outside = [], []
    for address in addresses:
        member = audience.members.get(digest(address))
        if member is None or member.status == "archived":
            outside.append(address)
        elif segment.id in member.tags:
            audience.set_tags(member, set(member.tags) - {segment.id}, now)
            removed.append(member)
    return removed, outside
