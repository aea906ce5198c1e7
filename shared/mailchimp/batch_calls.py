"""Batch calls: subscribe members, change their tags, count them.

A batch call returns 200 even if members were refused. A member of the call is assigned to one part
of the response by its address, compared case-insensitively. `sync_tags` is never true: it would remove
tags that users made in Mailchimp.
https://mailchimp.com/developer/marketing/api/lists/batch-subscribe-or-unsubscribe/
https://mailchimp.com/developer/marketing/api/list-members/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypedDict

import msgspec
import orjson

from shared.errors import Unavailable
from shared.fields.address import mail_form
from shared.fields.evidence import EVIDENCE, without_evidence
from shared.mailchimp.calls import Calls, audience_path, within
from shared.mailchimp.error_responses import refusal
from shared.mailchimp.refusal_text import refusal_text
from shared.mailchimp.response_values import (
    objects_in,
    opted_in_at,
    status_in,
    total_in,
    whole_number_in,
)
from shared.model.audience import BatchAnswer, Member, Refusal, TagAnswer

MOST_MEMBERS = 500
# The parts of the response to a batch call, and the counter of each.
_PARTS = {
    "new_members": "total_created",
    "updated_members": "total_updated",
    "errors": "error_count",
}


class _Contact(TypedDict, total=False):
    email_address: Any
    status: Any
    timestamp_opt: Any
    timestamp_signup: Any


class _BatchResponse(TypedDict, total=False):
    new_members: list[_Contact]
    updated_members: list[_Contact]
    errors: Any
    total_created: Any
    total_updated: Any
    error_count: Any


_BATCH_RESPONSE = msgspec.json.Decoder(_BatchResponse)


class BatchCalls(Calls):
    """Calls that write or count many members."""

    def subscribe(
        self,
        audience_id: str,
        members: Sequence[Member],
        *,
        update_existing: bool,
        skip_merge_validation: bool = False,
        resend: bool = True,
    ) -> BatchAnswer:
        """Write at most 500 members in one call.

        Members that exist while `update_existing` is false are refused with the code `contactExists` and
        stay as they are. With `skip_merge_validation`, required merge fields may be missing. With `resend`,
        a call whose response is lost is sent once more before it fails.
        """
        _check_number(members)
        if not members:
            return BatchAnswer({}, {}, {})
        body = {
            "members": [_body(member) for member in members],
            "update_existing": update_existing,
            "sync_tags": False,
        }
        query = {
            "skip_merge_validation": "true" if skip_merge_validation else "false",
            "skip_duplicate_check": "true",
        }
        with within(audience_id) as path:
            answer = self._transport.write(
                "POST", path, body, query, about_members=True, resend=resend, parse=_parse_batch
            )
        return _assigned(members, answer)

    def untag(
        self, audience_id: str, tag_id: int, addresses: Sequence[str], *, resend: bool = True
    ) -> TagAnswer:
        """Remove a tag from at most 500 members. Unknown addresses are ignored."""
        return self._change_tag(audience_id, tag_id, "members_to_remove", addresses, resend)

    def retag(self, audience_id: str, tag_id: int, addresses: Sequence[str]) -> TagAnswer:
        """Add a tag to at most 500 existing members. Unknown addresses are ignored."""
        return self._change_tag(audience_id, tag_id, "members_to_add", addresses)

    def _change_tag(
        self,
        audience_id: str,
        tag_id: int,
        change: str,
        addresses: Sequence[str],
        resend: bool = True,
    ) -> TagAnswer:
        _check_number(addresses)
        if not addresses:
            return TagAnswer(0, 0)
        path = f"{audience_path(audience_id)}/segments/{int(tag_id)}"
        answer = self._transport.write("POST", path, {change: list(addresses)}, resend=resend)
        if not ("total_added" in answer or "total_removed" in answer):
            raise Unavailable("answerBroken", maybe_applied=True)
        added, removed = (whole_number_in(answer, f"total_{what}") for what in ("added", "removed"))
        return TagAnswer(added, removed)

    def count(
        self, audience_id: str, status: str | None, changed_before: datetime | None = None
    ) -> int:
        """Count the members with a status, optionally those unchanged since a time; None for all but
        the archived ones.

        The statistics of the audience may be minutes old.
        """
        query = {"count": "1", "fields": "total_items"}
        if status:
            query["status"] = status
        if changed_before is not None:
            query["before_last_changed"] = changed_before.isoformat(timespec="seconds")
        with within(audience_id) as path:
            total = total_in(self._transport.get(f"{path}/members", query))
        if total is None:
            raise Unavailable("answerBroken")
        return total


def _check_number(members: Sequence[object]) -> None:
    if len(members) > MOST_MEMBERS:
        message = f"A call takes at most {MOST_MEMBERS} members."
        raise ValueError(message)


def _body(member: Member) -> dict[str, object]:
    fields = member.merge_fields
    body: dict[str, object] = {"email_address": member.address, "merge_fields": fields}
    if not EVIDENCE.keys().isdisjoint(fields):
        body["merge_fields"] = without_evidence(fields)
        body |= {EVIDENCE[tag]: value for tag, value in fields.items() if tag in EVIDENCE}
    if member.tags:
        body["tags"] = member.tags
    if member.status is not None:
        body["status"] = member.status
    return body


def _parse_batch(content: bytearray) -> object:
    """Parse the parts of a response that `_assigned` reads.

    The response with 500 members has 2 MB, most of which are links. Reading all of it takes seven times as long.
    """
    try:
        return _BATCH_RESPONSE.decode(content)
    except (msgspec.DecodeError, ValueError, RecursionError):
        # A part has an unexpected type, or the response is not JSON.
        return orjson.loads(content)


def _assigned(members: Sequence[Member], answer: Mapping[str, Any]) -> BatchAnswer:
    """Assign each member of the call to a part of the response.

    A part that has no entries may be missing. A member that the response omits is in no part of the result, unless the
    response has a reason without an address that must be about it.
    """
    parts = [answer.get(name) for name in _PARTS]
    if not all(part is None or isinstance(part, list) for part in parts):
        raise Unavailable("answerBroken", maybe_applied=True)
    sent = {_key(member.address): member for member in members}
    created: dict[str, str] = {}
    updated: dict[str, str] = {}
    opted_in: dict[str, str] = {}
    refused: dict[str, Refusal] = {}
    unknown: list[tuple[Mapping[str, Any], dict[str, str]]] = []

    def assign(item: Mapping[str, Any], into: dict[str, str], address: str) -> None:
        into[address] = status_in(item)
        if into is updated:
            since = opted_in_at(item)
            if since:
                opted_in[address] = since

    for name, into in (("new_members", created), ("updated_members", updated)):
        for item in objects_in(answer.get(name)):
            address = item.get("email_address")
            # Most addresses come back as they were sent.
            member = sent.get(address) if isinstance(address, str) else None
            member = member or sent.get(_key(address))
            if member is None:
                unknown.append((item, into))
            else:
                assign(item, into, member.address)
    without_address: list[Refusal] = []
    for error in objects_in(answer.get("errors")):
        member = sent.get(_key(error.get("email_address")))
        reason = refusal(error, member.merge_fields if member else None)
        if member is None:
            # Its text may be about any member, so no text of it is kept.
            without_address.append(reason)
        elif member.address not in created and member.address not in updated:
            words = refusal_text(error, member.address, member.merge_fields)
            refused[member.address] = replace(reason, answer=words)
    # The response omits these members, or names them by an address that Mailchimp changed.
    assigned = created.keys() | updated.keys() | refused.keys()
    omitted = [member.address for member in members if member.address not in assigned]
    if len(omitted) == len(unknown) == 1 and not without_address:
        ((renamed, into),) = unknown
        assign(renamed, into, omitted.pop())
    # Unless everyone has the same reason, only smaller calls show whose reason each is.
    ambiguous = len(members) > 1 and (
        len(set(without_address)) > 1 or 0 < len(without_address) < len(omitted)
    )
    if omitted and (unknown or ambiguous or not _is_complete(answer)):
        raise Unavailable("answerBroken", maybe_applied=True)
    if without_address:
        refused.update(dict.fromkeys(omitted, without_address[0]))
    return BatchAnswer(created, updated, refused, opted_in)


def _is_complete(answer: Mapping[str, Any]) -> bool:
    """Whether each part has as many entries as its counter; a part with 0 may be missing."""
    return all(
        answer.get(counter) in (0, "0")
        if (part := answer.get(name)) is None
        else len(part) >= whole_number_in(answer, counter)
        for name, counter in _PARTS.items()
    )


def _key(address: object) -> str:
    """Normalize an address for comparison: lower case, no quotes, the domain as it was sent (`xn--`)."""
    text = address.strip(" \t\"'<>").lower() if isinstance(address, str) else ""
    return text if text.isascii() else mail_form(text)
