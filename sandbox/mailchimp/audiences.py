# ruff: noqa: TRY301 - what is raised are keys of texts.py, and refusals end the call right there
"""Calls about the account and its audiences, and the batch subscribe call.

https://mailchimp.com/developer/marketing/api/lists/batch-subscribe-or-unsubscribe/
"""

from __future__ import annotations

from datetime import datetime
from ipaddress import ip_address
from typing import Any

import orjson

from sandbox.mailchimp import render, subscribe, values
from sandbox.mailchimp.problems import Problem, invalid
from sandbox.mailchimp.request import ApiRequest, Shape
from sandbox.mailchimp.state import WRITABLE, Audience, Member, digest

MOST_MEMBERS = 500


def root(request: ApiRequest) -> bytes:
    """GET /: the account."""
    answer = render.account(request.world, request.account)
    return request.cut(answer)


def ping(request: ApiRequest) -> bytes:
    """GET /ping."""
    return orjson.dumps({"health_status": "Everything's Chimpy!"})


def listing(request: ApiRequest) -> bytes:
    """GET /lists."""
    count, offset = request.page()
    total = request.flag("include_total_contacts")
    found = sorted(request.account.audiences.values(), key=lambda a: (a.created, a.web_id))
    if email := request.query.get("email"):
        found = [audience for audience in found if digest(email) in audience.members]
    if request.choice("sort_dir", ("ASC", "DESC")) == "DESC":
        found.reverse()
    answer = {
        "lists": [
            render.audience(request.world, audience, total_contacts=total)
            for audience in found[offset : offset + count]
        ],
        "total_items": len(found),
        "constraints": {
            "may_create": True,
            "max_instances": 5,
            "current_total_instances": len(found),
        },
        "_links": [render.link("self", f"{request.world.url}/3.0/lists")],
    }
    return request.cut(answer)


def one(request: ApiRequest, audience_id: str) -> bytes:
    """GET /lists/{list_id}."""
    audience = request.audience(audience_id)
    total = request.flag("include_total_contacts")
    return request.cut(render.audience(request.world, audience, total_contacts=total))


def batch(request: ApiRequest, audience_id: str) -> bytes:
    """POST /lists/{list_id}: up to 500 members; 200 even when all of them are refused."""
    audience = request.audience(audience_id)
    skip_required = request.flag("skip_merge_validation")
    skip_duplicates = request.flag("skip_duplicate_check")
    body = request.body()
    entries = _checked(body)
    request.members = len(entries)
    if body.get("sync_tags"):
        request.world.calls.synced_tags()
    done = _Batch(
        request, audience, body.get("update_existing", False), body.get("sync_tags", False)
    )
    with audience.lock:
        done.refuse_whole_call(entries)
        seen: set[bytes] = set()
        for entry in entries:
            key = digest(entry["email_address"])
            if key in seen:
                if not skip_duplicates:
                    done.refuse(
                        entry,
                        subscribe.RefusedMember("member.duplicate", email=entry["email_address"]),
                    )
                continue
            seen.add(key)
            done.write(entry, skip_required)
        return done.answer()


class _Batch:
    """The state of one batch call."""

    def __init__(
        self, request: ApiRequest, audience: Audience, update: bool, sync_tags: bool
    ) -> None:
        self.world = request.world
        self.audience = audience
        self.update = update
        self.sync_tags = sync_tags
        self.new: list[Member] = []
        self.updated: list[Member] = []
        self.errors: list[dict[str, Any]] = []

    def refuse_whole_call(self, entries: list[dict[str, Any]]) -> None:
        """The checks that refuse the whole call before anything is written."""
        options = self.world.options
        if options.plan_limit is not None and options.plan_limit_answer == "call":
            keys = {digest(entry["email_address"]) for entry in entries}
            new = sum(1 for key in keys if key not in self.audience.members)
            if new and self.audience.contacts() + new > options.plan_limit:
                raise Problem("Forbidden", "plan")
        if options.wrong_kind == "call":
            fields = {field.tag: field for field in self.audience.merge_fields.values()}
            for number, entry in enumerate(entries):
                for tag, value in entry.get("merge_fields", {}).items():
                    try:
                        values.accepted(fields[tag], value) if tag in fields else None
                    except values.WrongKind:
                        where = f"members.item:{number}.merge_fields.{tag}"
                        raise invalid(where, "schema.anyof") from None
                    except values.WrongValue:
                        continue

    def write(self, entry: dict[str, Any], skip_required: bool) -> None:
        address = entry["email_address"]
        tags = entry.get("tags", [])
        try:
            key = subscribe.checked_address(self.world, self.audience, address)
            known = self.audience.members.get(key)
            if known is not None and known.status != "archived" and not self.update:
                raise subscribe.RefusedMember(
                    "member.exists", code="ERROR_CONTACT_EXISTS", email=address
                )
            if any(len(tag.strip()) > 100 or not tag.strip() for tag in tags):
                raise subscribe.RefusedMember("member.tag")
            evidence = check_evidence(entry)
            member, new = subscribe.write(
                self.world,
                self.audience,
                address,
                key,
                wanted=entry.get("status"),
                merge_fields=entry.get("merge_fields", {}),
                skip_required=skip_required,
                in_batch=True,
            )
        except subscribe.RefusedMember as refused:
            self.refuse(entry, refused)
            return
        if evidence:
            self.audience.evidence.setdefault(key, {}).update(evidence)
        if tags or self.sync_tags:
            now = self.world.seconds()
            match_case = self.world.options.batch_tags_match_case
            ids = {
                self.audience.tag(tag, self.world.segment_id, now, match_case=match_case)
                for tag in tags
            }
            if not self.sync_tags:
                ids.update(member.tags)
            self.audience.set_tags(member, ids, now)
        (self.new if new else self.updated).append(member)

    def refuse(self, entry: dict[str, Any], refused: subscribe.RefusedMember) -> None:
        sentence = self.world.sentence
        field = refused.field
        if not field and self.world.options.refusals_name_field:
            field = "status" if refused.key == "member.status" else "email_address"
        self.errors.append(
            {
                "email_address": entry["email_address"],
                "error": sentence(refused.key, **refused.facts),
                "error_code": refused.code,
                "field": field,
                "field_message": sentence(refused.field_key) if refused.field_key else "",
            }
        )

    def answer(self) -> bytes:
        show = [
            render.array(render.member_json(self.world, self.audience, m) for m in members)
            for members in (self.new, self.updated)
        ]
        rest = orjson.dumps(
            {
                "errors": self.errors,
                "total_created": len(self.new),
                "total_updated": len(self.updated),
                "error_count": len(self.errors),
                "_links": [
                    render.link("self", f"{self.world.url}/3.0/lists/{self.audience.id}", "POST")
                ],
            }
        )
        return b'{"new_members":' + show[0] + b',"updated_members":' + show[1] + b"," + rest[1:]


def _checked(body: dict[str, Any]) -> list[dict[str, Any]]:
    shape = Shape()
    shape.required(body, "members", "array")
    shape.optional(body, "update_existing", "boolean")
    shape.optional(body, "sync_tags", "boolean")
    shape.check()
    entries: list[Any] = body["members"]
    if len(entries) > MOST_MEMBERS:
        raise invalid("members", "members.many")
    for number, entry in enumerate(entries):
        at = f"members.item:{number}"
        if not isinstance(entry, dict):
            shape.add_wrong_kind(at, "object", entry)
            continue
        check_member(shape, entry, f"{at}.")
        if entry.get("email_address") is None:
            shape.required(entry, "email_address", "string", at=f"{at}.")
    shape.check()
    return entries


EVIDENCE = ("ip_signup", "timestamp_signup", "ip_opt", "timestamp_opt")


def check_evidence(entry: dict[str, Any]) -> dict[str, str]:
    """The evidence of consent of a member; RefusedMember for a value that is not a time or an IP address."""
    given = {name: entry[name] for name in EVIDENCE if entry.get(name)}
    for name, value in given.items():
        try:
            ip_address(value) if name.startswith("ip") else datetime.fromisoformat(value)
        except ValueError:
            raise subscribe.RefusedMember(
                "merge.invalid", field=name, field_key="schema.anyof"
            ) from None
    return given


def check_member(shape: Shape, entry: dict[str, Any], at: str = "") -> None:
    """The JSON kinds of a member in any writing call."""
    shape.optional(entry, "email_address", "string", at=at)
    shape.optional(entry, "merge_fields", "object", at=at)
    shape.optional(entry, "interests", "object", at=at)
    shape.optional(entry, "vip", "boolean", at=at)
    shape.optional(entry, "language", "string", at=at)
    for name in EVIDENCE:
        shape.optional(entry, name, "string", at=at)
    shape.strings(entry, "tags", at=at)
    shape.one_of(entry, "status", WRITABLE, at)
    shape.one_of(entry, "status_if_new", WRITABLE, at)
