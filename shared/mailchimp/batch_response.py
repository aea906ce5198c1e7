"""Reads the response to a batch call: what Mailchimp did with each member of the call.

The response is 200 even if members were refused. A member is assigned to one part of the response by its address, compared
case-insensitively.
https://mailchimp.com/developer/marketing/api/lists/batch-subscribe-or-unsubscribe/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypedDict

import msgspec
import orjson

from shared.errors import Unavailable
from shared.fields.address import mail_form
from shared.mailchimp.error_responses import refusal
from shared.mailchimp.refusal_text import refusal_text
from shared.mailchimp.response_values import objects_in, opted_in_at, status_in, whole_number_in
from shared.model.audience import BatchAnswer, Member, Refusal

# The parts of the response, and the counter of each.
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


def parse_batch(content: bytearray) -> object:
    """Parse the parts of a response that `assigned` reads.

    The response with 500 members has 2 MB, most of which are links. Reading all of it takes seven times as long.
    """
    try:
        return _BATCH_RESPONSE.decode(content)
    except (msgspec.DecodeError, ValueError, RecursionError):
        # A part has an unexpected type, or the response is not JSON.
        return orjson.loads(content)


def assigned(members: Sequence[Member], response: Mapping[str, Any]) -> BatchAnswer:
    """Assign each member of a call to a part of its response.

    A part that has no entries may be missing. A member that the response omits is in no part of the result, unless the
    response has a reason without an address that must be about it. Unavailable when it is unclear what happened to a
    member.
    """
    parts = [response.get(name) for name in _PARTS]
    if not all(part is None or isinstance(part, list) for part in parts):
        raise _broken()
    assignment = _Assignment(members)
    assignment.add_written(objects_in(response.get("new_members")), assignment.created)
    assignment.add_written(objects_in(response.get("updated_members")), assignment.updated)
    assignment.add_refused(objects_in(response.get("errors")))
    assignment.add_omitted(is_complete=_is_complete(response))
    return BatchAnswer(
        assignment.created, assignment.updated, assignment.refused, assignment.opted_in
    )


class _Assignment:
    """The members of one call, by what Mailchimp did with them. The parts of its response are added in their order."""

    def __init__(self, members: Sequence[Member]) -> None:
        self.created: dict[str, str] = {}
        self.updated: dict[str, str] = {}
        self.opted_in: dict[str, str] = {}
        self.refused: dict[str, Refusal] = {}
        self._members = members
        # A quote may also belong to an address: `'ann@example.org` is another person than `ann@example.org`.
        self._sent = {_unquoted(member.address): member for member in members}
        self._sent |= {member.address: member for member in members}
        # Entries with an address that was not sent, and the part that each belongs to.
        self._unknown: list[tuple[Mapping[str, Any], dict[str, str]]] = []
        self._without_address: list[Refusal] = []

    def add_written(self, items: Iterable[Mapping[str, Any]], into: dict[str, str]) -> None:
        """Add the members that were created or updated."""
        for item in items:
            member = self._member_with(item.get("email_address"))
            if member is None:
                self._unknown.append((item, into))
            else:
                self._add(item, into, member.address)

    def add_refused(self, errors: Iterable[Mapping[str, Any]]) -> None:
        """Add the members that were refused."""
        for error in errors:
            member = self._member_with(error.get("email_address"))
            reason = refusal(error, member.merge_fields if member else None)
            if member is None:
                # Its text may be about any member, so no text of it is kept.
                self._without_address.append(reason)
            elif member.address not in self.created and member.address not in self.updated:
                words = refusal_text(error, member.address, member.merge_fields)
                self.refused[member.address] = replace(reason, answer=words)

    def add_omitted(self, *, is_complete: bool) -> None:
        """Add members that the response names by another address, or refuses without an address.

        `is_complete`: each part of the response has as many entries as its counter.
        """
        known = self.created.keys() | self.updated.keys() | self.refused.keys()
        omitted = [member.address for member in self._members if member.address not in known]
        if len(omitted) == len(self._unknown) == 1 and not self._without_address:
            # Mailchimp changed the address.
            ((item, into),) = self._unknown
            self._add(item, into, omitted.pop())
        if not omitted:
            return
        reasons = self._without_address
        # Unless everyone has the same reason, only smaller calls show whose reason each is.
        is_ambiguous = len(self._members) > 1 and (
            len(set(reasons)) > 1 or 0 < len(reasons) < len(omitted)
        )
        if self._unknown or is_ambiguous or not is_complete:
            raise _broken()
        if reasons:
            self.refused.update(dict.fromkeys(omitted, reasons[0]))

    def _member_with(self, address: object) -> Member | None:
        """Return the member with an address of the response; None if it was not sent."""
        if not isinstance(address, str):
            return None
        # Most addresses come back as they were sent.
        return (
            self._sent.get(address)
            or self._sent.get(_normal(address))
            or self._sent.get(_unquoted(address))
        )

    def _add(self, item: Mapping[str, Any], into: dict[str, str], address: str) -> None:
        into[address] = status_in(item)
        if into is self.updated:
            since = opted_in_at(item)
            if since:
                self.opted_in[address] = since


def _broken() -> Unavailable:
    return Unavailable("answerBroken", maybe_applied=True)


def _is_complete(response: Mapping[str, Any]) -> bool:
    """Whether each part has as many entries as its counter; a part with 0 may be missing."""
    return all(
        response.get(counter) in (0, "0")
        if (part := response.get(name)) is None
        else len(part) >= whole_number_in(response, counter)
        for name, counter in _PARTS.items()
    )


def _normal(address: str) -> str:
    """Normalize an address for comparison: without blanks, in lower case, the domain as it was sent (`xn--`)."""
    text = address.strip().lower()
    return text if text.isascii() else mail_form(text)


def _unquoted(address: str) -> str:
    """Normalize an address that the response has in quotes or angle brackets."""
    return _normal(address.strip(" \t\"'<>"))
