"""Writes one member: what Mailchimp accepts and refuses, and which status results.

The rules about people who unsubscribed: https://mailchimp.com/developer/marketing/api/list-members/
"""

from __future__ import annotations

from typing import Any

import orjson

from sandbox.mailchimp import values, webhooks
from sandbox.mailchimp.problems import Problem
from sandbox.mailchimp.state import Audience, Member, MergeField, digest
from sandbox.mailchimp.world import World


class RefusedMember(Exception):
    """A member is refused. `key` and `facts` make the text; `field` and `field_key` the merge field's part."""

    def __init__(
        self,
        key: str,
        *,
        code: str = "ERROR_GENERIC",
        field: str = "",
        field_key: str = "",
        **facts: object,
    ) -> None:
        """Create it from a text key and its facts."""
        super().__init__(key)
        self.key = key
        self.code = code
        self.field = field
        self.field_key = field_key
        self.facts = facts

    def problem(self) -> Problem:
        """The same refusal as the answer to a call about this one member."""
        name = {
            "member.compliance": "MemberInComplianceState",
            "member.forgotten": "ForgottenEmail",
            "member.exists_single": "MemberExists",
            "member.plan": "Forbidden",
        }.get(self.key, "InvalidResource")
        errors: list[tuple[str, str, dict[str, object]]] = []
        if self.field:
            errors.append((self.field, self.field_key, {}))
        return Problem(name, self.key, errors=errors, **self.facts)


def checked_address(world: World, audience: Audience, address: str) -> bytes:
    """The key of an address that Mailchimp accepts; raises RefusedMember."""
    options = world.options
    folded = address.lower()
    if not values.address_is_valid(address):
        raise RefusedMember("member.address")
    if folded in options.refused_addresses:
        raise RefusedMember("member.fake", email=address)
    domain = folded.rpartition("@")[2]
    if domain in options.refused_domains:
        raise RefusedMember("member.domain", domain=domain)
    key = digest(address)
    if key in audience.forgotten:
        raise RefusedMember("member.forgotten", email=address)
    if folded in options.throttled_addresses and key not in audience.members:
        raise RefusedMember("member.throttled", email=address)
    return key


def in_compliance_state(member: Member) -> bool:
    """Whether this person can only come back by confirming an opt-in mail."""
    return member.status == "cleaned" or (
        member.status == "unsubscribed" and member.cause in ("self", "review")
    )


def next_status(world: World, audience: Audience, member: Member | None, wanted: str | None) -> str:
    """The status after a write that carries `wanted` (None: no status), or RefusedMember."""
    if member is None or member.status == "archived":
        if wanted is None:
            if world.options.missing_status == "refuse":
                raise RefusedMember("member.status", email=member.address if member else "")
            wanted = "subscribed" if world.options.missing_status == "subscribe" else "pending"
        if (
            wanted == "subscribed"
            and audience.double_optin
            and world.options.double_optin_forces_pending
        ):
            return "pending"
        return wanted
    if wanted is None:
        return member.status
    if in_compliance_state(member) and wanted in ("subscribed", "transactional"):
        raise RefusedMember("member.compliance", email=member.address)
    return wanted


def merged_values(
    world: World,
    audience: Audience,
    member: Member | None,
    given: dict[str, Any],
    *,
    skip_required: bool,
) -> bytes:
    """The member's merge values after this write as JSON, or RefusedMember."""
    values: dict[str, Any] = orjson.loads(member.merge) if member else {}
    fields = {field.tag: field for field in audience.merge_fields.values()}
    for tag, value in given.items():
        field = fields.get(tag)
        if field is None:
            if world.options.unknown_merge_tags == "refuse":
                raise RefusedMember("merge.invalid", field=tag, field_key="merge.unknown")
            continue
        value = _value(world, field, value)
        if value == "":
            values.pop(tag, None)
        else:
            values[tag] = value
    if not skip_required:
        for field in fields.values():
            if field.required and field.tag not in values:
                raise RefusedMember("merge.invalid", field=field.tag, field_key="merge.required")
    # A copy of the right size: what orjson returns sits in a kilobyte, and a million of those would be one gigabyte.
    return orjson.dumps(values)[:-1] + b"}"


def _value(world: World, field: MergeField, value: Any) -> Any:
    try:
        return values.accepted(field, value, truncate=world.options.long_text == "truncate")
    except values.WrongKind:
        raise RefusedMember("merge.invalid", field=field.tag, field_key="schema.anyof") from None
    except values.WrongValue as wrong:
        raise RefusedMember("merge.invalid", field=field.tag, field_key=wrong.key) from None


def write(
    world: World,
    audience: Audience,
    address: str,
    key: bytes,
    *,
    wanted: str | None,
    merge_fields: dict[str, Any],
    skip_required: bool,
    in_batch: bool = False,
) -> tuple[Member, bool]:
    """Create or update the member with this key; the member, and whether it is new (or back from the archive).

    Nothing is changed when it raises RefusedMember. Call it under the audience's lock.
    """
    now = world.seconds()
    member = audience.members.get(key)
    untouched = False
    try:
        status = next_status(world, audience, member, wanted)
    except RefusedMember as refused:
        if not (
            in_batch
            and refused.key == "member.compliance"
            and world.options.compliance_in_batch == "silent"
            and member is not None
        ):
            if member is not None and wanted is not None:
                world.calls.status_sent(member.status, wanted, member.status)
            if refused.key == "member.status":
                refused.facts["email"] = address
            raise
        status, untouched = member.status, True
    merge = merged_values(world, audience, member, merge_fields, skip_required=skip_required)
    if member is None or member.status == "archived":
        limit = world.options.plan_limit
        if limit is not None and audience.contacts() >= limit:
            raise RefusedMember("member.plan")
    cause = {"unsubscribed": "admin", "cleaned": "bounce"}.get(status, "")
    if member is None:
        member = Member(address, world.member_number(), now)
        member.merge = merge
        audience.add(member, status, cause)
        webhooks.changed(world, audience, member, "", "api")
        return member, True
    before = member.status
    if wanted is not None:
        world.calls.status_sent(before, wanted, status)
    member.merge = merge
    same = untouched or status == before
    audience.set_status(member, status, member.cause if same else cause, now)
    webhooks.changed(world, audience, member, before, "api")
    return member, before == "archived"
