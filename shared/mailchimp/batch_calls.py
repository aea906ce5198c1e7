"""Batch calls: subscribe members, change their tags, count them.

`sync_tags` is never true: it would remove tags that users made in Mailchimp.
https://mailchimp.com/developer/marketing/api/lists/batch-subscribe-or-unsubscribe/
https://mailchimp.com/developer/marketing/api/list-members/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from shared.errors import Unavailable
from shared.fields.evidence import EVIDENCE, without_evidence
from shared.mailchimp.batch_response import assigned, parse_batch
from shared.mailchimp.calls import Calls, audience_path, within
from shared.mailchimp.response_values import address_in, total_in, whole_number_in
from shared.model.audience import BatchAnswer, Member, TagAnswer

MOST_MEMBERS = 500
_REMOVE = "members_to_remove"


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
                "POST", path, body, query, about_members=True, resend=resend, parse=parse_batch
            )
        return assigned(members, answer)

    def untag(
        self, audience_id: str, tag_id: int, addresses: Sequence[str], *, resend: bool = True
    ) -> TagAnswer:
        """Remove a tag from at most 500 members. Unknown addresses are ignored."""
        return self._change_tag(audience_id, tag_id, _REMOVE, addresses, resend)

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
        without = _without_tag(answer, addresses, removed) if change == _REMOVE else frozenset()
        return TagAnswer(added, removed, without)

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


def _without_tag(
    answer: Mapping[str, Any], addresses: Sequence[str], removed: int
) -> frozenset[str]:
    """The addresses that did not have the tag that a call removed; empty if the response does not list all that had it."""
    listed = answer.get("members_removed")
    if removed >= len(addresses) or not isinstance(listed, list):
        return frozenset()
    had_it = {address_in(member) for member in listed if isinstance(member, dict)}
    without = frozenset(addresses) - had_it
    return without if len(without) == len(addresses) - removed else frozenset()


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
