"""Calls for one member, identified by the MD5 of the lower-case address.

The hash is personal data like the address. It is used in the paths of these calls only.
https://mailchimp.com/developer/marketing/docs/methods-parameters/#path-parameters
https://mailchimp.com/developer/marketing/api/list-members/delete-list-member/
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from shared.errors import NotFound, Unavailable
from shared.fields.evidence import EVIDENCE
from shared.mailchimp.calls import Calls, audience_path
from shared.mailchimp.parts import object_in, objects_in, status_in, text_in
from shared.model.audience import MemberState

__all__ = ["PersonCalls"]


_LONGEST_ID = 64


class PersonCalls(Calls):
    """Calls for one member."""

    def status_of(self, audience_id: str, address: str) -> str | None:
        """Read the status of a person; None when the audience does not contain them."""
        try:
            answer = self._transport.get(_path(audience_id, address), {"fields": "status"})
        except NotFound:
            return None
        return _status(answer)

    def member(self, audience_id: str, address: str) -> MemberState | None:
        """Read a person; None when the audience does not contain them."""
        wanted = ",".join(("status", "merge_fields", "tags", *EVIDENCE.values()))
        try:
            answer = self._transport.get(_path(audience_id, address), {"fields": wanted})
        except NotFound:
            return None
        return MemberState(
            _status(answer),
            object_in(answer, "merge_fields"),
            tuple(text_in(tag, "name") for tag in objects_in(answer.get("tags"))),
            text_in(answer, "timestamp_opt") or text_in(answer, "timestamp_signup"),
            {tag: text_in(answer, name) for tag, name in EVIDENCE.items()},
        )

    def unsubscribe_campaign(self, audience_id: str, address: str) -> str:
        """Read the ID of the campaign by which a person unsubscribed last; empty when it is unknown."""
        query = {"activity_filters": "unsub", "count": "10"}
        try:
            answer = self._transport.get(f"{_path(audience_id, address)}/activity-feed", query)
        except NotFound:
            return ""
        left = (
            item
            for item in objects_in(answer.get("activity"))
            if item.get("activity_type") == "unsub"
        )
        newest = max(left, key=lambda item: text_in(item, "created_at_timestamp"), default={})
        return text_in(newest, "campaign_id")[:_LONGEST_ID]

    def archive(self, audience_id: str, address: str) -> bool:
        """Archive a person; False when the audience does not know them (any more).

        Refused (status 405) for people that Mailchimp does not allow to archive.
        """
        try:
            self._transport.write("DELETE", _path(audience_id, address), None)
        except NotFound:
            return False
        return True

    def delete_for_good(self, audience_id: str, address: str) -> bool:
        """Delete a person so that no import brings them back; False when the audience does not contain them."""
        try:
            self._transport.write(
                "POST", f"{_path(audience_id, address)}/actions/delete-permanent", None
            )
        except NotFound:
            return False
        return True


def _status(answer: Mapping[str, Any]) -> str:
    """Return the status of a member that exists. Unavailable when the response is about something else."""
    status = status_in(answer)
    if not status:
        raise Unavailable("answerBroken")
    return status


def _path(audience_id: str, address: str) -> str:
    digest = hashlib.md5(address.lower().encode(), usedforsecurity=False).hexdigest()
    return f"{audience_path(audience_id)}/members/{digest}"
