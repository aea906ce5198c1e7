"""Calls about merge fields: tags of at most ten characters, and a limit per audience.

https://mailchimp.com/developer/marketing/api/list-merges/
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from sandbox.mailchimp import render
from sandbox.mailchimp.problems import Problem, invalid
from sandbox.mailchimp.request import ApiRequest, Shape
from sandbox.mailchimp.state import Audience, MergeField

TYPES = (
    "text",
    "number",
    "address",
    "phone",
    "date",
    "url",
    "imageurl",
    "radio",
    "dropdown",
    "birthday",
    "zip",
)
_OPTIONS: dict[str, dict[str, Any]] = {
    "text": {"size": 25},
    "address": {"default_country": 164},
    "phone": {"phone_format": "none"},
    "date": {"date_format": "MM/DD/YYYY"},
    "birthday": {"date_format": "MM/DD"},
}


def listing(request: ApiRequest, audience_id: str) -> bytes:
    """GET /lists/{list_id}/merge-fields."""
    audience = request.audience(audience_id)
    count, offset = request.page()
    kind = request.query.get("type")
    with audience.lock:
        latest = request.world.now() - request.world.options.fields_listed_after_seconds
        found = [
            field
            for field in audience.merge_fields.values()
            if kind in (None, field.type) and field.created <= latest
        ]
        if "required" in request.query:
            required = request.flag("required")
            found = [field for field in found if field.required == required]
        answer = {
            "merge_fields": [
                render.merge_field(request.world, audience, field)
                for field in found[offset : offset + count]
            ],
            "list_id": audience.id,
            "total_items": len(found),
            "_links": [],
        }
    return request.cut(answer)


def one(request: ApiRequest, audience_id: str, merge_id: str) -> bytes:
    """GET /lists/{list_id}/merge-fields/{merge_id}."""
    audience = request.audience(audience_id)
    return orjson.dumps(render.merge_field(request.world, audience, _find(audience, merge_id)))


def create(request: ApiRequest, audience_id: str) -> bytes:
    """POST /lists/{list_id}/merge-fields; a tag is generated when it is missing."""
    audience = request.audience(audience_id)
    body = request.body()
    shape = _checked(body)
    shape.required(body, "name", "string")
    shape.required(body, "type", "string")
    shape.one_of(body, "type", TYPES)
    shape.check()
    with audience.lock:
        if len(audience.merge_fields) >= request.world.options.merge_field_limit:
            raise Problem("BadRequest", "field.limit")
        tag = _tag(audience, body["tag"]) if body.get("tag") else _made_up(audience)
        kind = body["type"]
        options = dict(_OPTIONS.get(kind, {}), **body.get("options", {}))
        if kind in ("radio", "dropdown") and not options.get("choices"):
            raise invalid("options.choices", "field.choices")
        number = audience.next_merge_id
        audience.next_merge_id += 1
        field = MergeField(
            merge_id=number,
            tag=tag,
            name=body["name"],
            type=kind,
            required=body.get("required", False),
            default_value=body.get("default_value", ""),
            public=body.get("public", False),
            display_order=body.get("display_order", number + 1),
            help_text=body.get("help_text", ""),
            options=options,
            created=request.world.now(),
        )
        audience.merge_fields[number] = field
        return orjson.dumps(render.merge_field(request.world, audience, field))


def patch(request: ApiRequest, audience_id: str, merge_id: str) -> bytes:
    """PATCH: everything but the type."""
    audience = request.audience(audience_id)
    body = request.body()
    _checked(body).check()
    with audience.lock:
        field = _find(audience, merge_id)
        if body.get("tag") and body["tag"] != field.tag:
            old, field.tag = field.tag, _tag(audience, body["tag"])
            for member in audience.members.values():
                values = orjson.loads(member.merge)
                if old in values:
                    values[field.tag] = values.pop(old)
                    member.merge = orjson.dumps(values)
        for name in ("name", "required", "default_value", "public", "display_order", "help_text"):
            if name in body:
                setattr(field, name, body[name])
        field.options.update(body.get("options", {}))
        return orjson.dumps(render.merge_field(request.world, audience, field))


def delete(request: ApiRequest, audience_id: str, merge_id: str) -> None:
    """DELETE: 204; the values of the field go with it."""
    audience = request.audience(audience_id)
    with audience.lock:
        field = _find(audience, merge_id)
        del audience.merge_fields[field.merge_id]
        for member in audience.members.values():
            values = orjson.loads(member.merge)
            if values.pop(field.tag, None) is not None:
                member.merge = orjson.dumps(values)


def _find(audience: Audience, merge_id: str) -> MergeField:
    number = int(merge_id) if merge_id.isascii() and merge_id.isdigit() else -1
    found = audience.merge_fields.get(number)
    if found is None:
        raise Problem("ResourceNotFound", "missing")
    return found


def _checked(body: dict[str, Any]) -> Shape:
    shape = Shape()
    for name in ("tag", "name", "default_value", "help_text"):
        shape.optional(body, name, "string")
    for name in ("required", "public"):
        shape.optional(body, name, "boolean")
    shape.optional(body, "options", "object")
    if isinstance(body.get("options"), dict):
        shape.strings(body["options"], "choices", at="options.")
    return shape


def _tag(audience: Audience, wanted: str) -> str:
    """The tag as Mailchimp stores it: upper case, 1-10 of A-Z 0-9 _, and unique."""
    tag = wanted.upper()
    if not re.fullmatch(r"[A-Z0-9_]{1,10}", tag):
        raise invalid("tag", "field.tag")
    if tag == "EMAIL" or any(field.tag == tag for field in audience.merge_fields.values()):
        raise invalid("tag", "field.taken", tag=tag)
    return tag


def _made_up(audience: Audience) -> str:
    taken = {field.tag for field in audience.merge_fields.values()}
    number = audience.next_merge_id
    while f"MMERGE{number}" in taken:
        number += 1
    return f"MMERGE{number}"
