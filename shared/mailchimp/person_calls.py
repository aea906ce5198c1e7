"""Calls for one member, identified by the MD5 of the lower-case address.

The hash is personal data like the address. It is used in the paths of these calls only. Mailchimp may have an
international domain as people write it, so a person who is not found in the `xn--` form is looked for in that form.
https://mailchimp.com/developer/marketing/docs/methods-parameters/#path-parameters
https://mailchimp.com/developer/marketing/api/list-members/delete-list-member/
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from shared.errors import NotFound, Unavailable
from shared.fields.address import international_form
from shared.fields.evidence import EVIDENCE
from shared.mailchimp.calls import Calls, audience_path
from shared.mailchimp.response_values import (
    address_in,
    id_in,
    object_in,
    objects_in,
    opted_in_at,
    status_in,
    text_in,
)
from shared.model.audience import ContactStatus, MemberState

_CONTACT = {"fields": "email_address,contact_id,status"}


class PersonCalls(Calls):
    """Calls for one member."""

    def status_of(self, audience_id: str, address: str) -> str | None:
        """Read the status of a person; None when the audience does not contain them."""
        answer = self._read(audience_id, address, "", {"fields": "status"})
        return None if answer is None else _status(answer)

    def member(self, audience_id: str, address: str) -> MemberState | None:
        """Read a person; None when the audience does not contain them."""
        wanted = ",".join(("status", "merge_fields", "tags", *EVIDENCE.values()))
        answer = self._read(audience_id, address, "", {"fields": wanted})
        if answer is None:
            return None
        return MemberState(
            _status(answer),
            object_in(answer, "merge_fields"),
            tuple(text_in(tag, "name") for tag in objects_in(answer.get("tags"))),
            opted_in_at(answer),
            {tag: text_in(answer, name) for tag, name in EVIDENCE.items()},
        )

    def contact(self, audience_id: str, contact_id: str) -> ContactStatus | None:
        """Read a contact by its id, under whatever address it has; None when the audience does not contain it."""
        path = f"{audience_path(audience_id)}/members/{quote(contact_id, safe='')}"
        try:
            answer = self._transport.get(path, _CONTACT)
        except NotFound:
            return None
        return ContactStatus(address_in(answer), _status(answer), contact_id)

    def contact_of(self, audience_id: str, address: str) -> ContactStatus | None:
        """Read the contact that has an address; None when the audience does not contain it."""
        answer = self._read(audience_id, address, "", _CONTACT)
        if answer is None:
            return None
        return ContactStatus(address_in(answer), _status(answer), id_in(answer, "contact_id"))

    def unsubscribe_campaign(self, audience_id: str, address: str) -> str:
        """Read the ID of the campaign by which a person unsubscribed last; empty when it is unknown."""
        query = {"activity_filters": "unsub", "count": "10"}
        answer = self._read(audience_id, address, "/activity-feed", query) or {}
        left = (
            item
            for item in objects_in(answer.get("activity"))
            if item.get("activity_type") == "unsub"
        )
        newest = max(left, key=lambda item: text_in(item, "created_at_timestamp"), default={})
        return id_in(newest, "campaign_id")

    def archive(self, audience_id: str, address: str) -> bool:
        """Archive a person; False when the audience does not know them (any more).

        Refused (status 405) for people that Mailchimp does not allow to archive.
        """
        # Only the first contact found: one with the other form of the address may have a status that must be kept.
        return any(self._write_if_known("DELETE", path) for path in _paths(audience_id, address))

    def delete_for_good(self, audience_id: str, address: str) -> bool:
        """Delete a person so that no import brings them back; False when the audience does not contain them."""
        part = "/actions/delete-permanent"
        deleted = [
            self._write_if_known("POST", f"{path}{part}") for path in _paths(audience_id, address)
        ]
        return any(deleted)

    def _read(
        self, audience_id: str, address: str, part: str, query: Mapping[str, str]
    ) -> dict[str, Any] | None:
        """Read a person by the first form of the address that the audience has."""
        for path in _paths(audience_id, address):
            try:
                return self._transport.get(f"{path}{part}", query)
            except NotFound:
                continue
        return None

    def _write_if_known(self, method: str, path: str) -> bool:
        """Make a call about a person. False when the audience does not contain them."""
        try:
            self._transport.write(method, path, None)
        except NotFound:
            return False
        return True


def _status(answer: Mapping[str, Any]) -> str:
    """Return the status of a member that exists. Unavailable when the response is about something else."""
    status = status_in(answer)
    if not status:
        raise Unavailable("answerBroken")
    return status


def _paths(audience_id: str, address: str) -> Iterator[str]:
    for form in dict.fromkeys((address.lower(), international_form(address.lower()))):
        digest = hashlib.md5(form.encode(), usedforsecurity=False).hexdigest()
        yield f"{audience_path(audience_id)}/members/{digest}"
