"""Reads lists of members page by page, without gaps while the audience changes.

Pages are addressed by offset. When a member leaves the list, all later members move up by one, and the next page
would skip one. So every page begins with the last member of the previous page; if it begins with an unknown
member, the reader goes back until it finds a known one. The order of members is stable, so each member who stays
on the list is read exactly once. When Mailchimp cannot deliver a page (504), the page size is reduced.

A list of changes is sorted by their time, so a contact that changes again moves to its end. There, a page may begin only
with a member that has not changed since it was read: all members before it have been read as well.

Contacts with only a phone number are listed as well. They have no address, so they are left out, and the next page
begins with the last member that has one.
https://mailchimp.com/developer/marketing/docs/methods-parameters/#pagination
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from shared.errors import Unavailable
from shared.mailchimp.calls import Calls, audience_path, within
from shared.mailchimp.response_values import (
    address_in,
    id_in,
    list_in,
    object_in,
    objects_in,
    opted_in_at,
    status_in,
    text_in,
    total_in,
    whole_number_in,
)
from shared.mailchimp.transport import Transport
from shared.model.audience import Contact, ContactStatus, StatusChange

T = TypeVar("T")

PAGE_SIZES = (1000, 500, 250, 100)
# With more steps back, or more pages of known members in a row, the list changes too fast to be read.
_MOST_REPEATED_PAGES = 50
_MOST_REPEATED_AFTER_TOTAL = 3

_STATUS_FIELDS = "members.email_address,members.contact_id,members.status,total_items"
_CONTACT_FIELDS = (
    "members.email_address,members.merge_fields,members.tags,members.tags_count,"
    "members.last_changed,total_items"
)

# Parts of the reasons on Mailchimp's unsubscribe page, and of those that Mailchimp sets itself.
_REASONS = (
    ("admin", "unsubscribedByAdmin"),
    ("compliance", "complianceReview"),
    ("no longer", "noLongerInterested"),
    ("never signed up", "neverSignedUp"),
    ("inappropriate", "inappropriateContent"),
    ("spam", "spam"),
)
_CHANGE_FIELDS = (
    "members.email_address,members.contact_id,members.status,members.last_changed,"
    "members.timestamp_opt,members.timestamp_signup,members.unsubscribe_reason,total_items"
)


class MemberListCalls(Calls):
    """Calls that read lists of members in pages of up to 1,000."""

    def status_changes(
        self, audience_id: str, since: str, status: str | None = None
    ) -> Iterator[list[StatusChange]]:
        """Read the members that changed since a time (ISO 8601; empty: all), each once, from the oldest change.

        Archived members are read only with the status `archived`.
        """
        query = {"sort_field": "last_changed", "sort_dir": "ASC", "fields": _CHANGE_FIELDS}
        if since:
            query["since_last_changed"] = since
        if status:
            query["status"] = status
        return self._members(audience_id, query, _status_change)

    def members_with_status(
        self, audience_id: str, status: str, changed_since: str | None = None
    ) -> Iterator[list[ContactStatus]]:
        """Read the members in a status, each once; `changed_since` is ISO 8601."""
        query = {"status": status, "fields": _STATUS_FIELDS}
        if changed_since:
            query["since_last_changed"] = changed_since

        def contact(item: Mapping[str, Any]) -> ContactStatus:
            # Only members with this status are listed, also where the response does not repeat it.
            return ContactStatus(
                address_in(item), status_in(item) or status, id_in(item, "contact_id")
            )

        return self._members(audience_id, query, contact)

    def contacts(self, audience_id: str, changed_since: str) -> Iterator[list[Contact]]:
        """Read subscribers changed since a time (ISO 8601), each once, with values and tags."""
        query = {
            "status": "subscribed",
            "since_last_changed": changed_since,
            "fields": _CONTACT_FIELDS,
        }
        return self._members(audience_id, query, _contact)

    def members_with_tag(self, audience_id: str, tag_id: int) -> Iterator[list[ContactStatus]]:
        """Read the members with a tag in any status, each once. NotFound when the tag is gone."""
        query = {
            "include_cleaned": "true",
            "include_transactional": "true",
            "include_unsubscribed": "true",
            "fields": _STATUS_FIELDS,
        }
        path = f"{audience_path(audience_id)}/segments/{int(tag_id)}/members"
        return self._people(path, query, _contact_status)

    def _members(
        self,
        audience_id: str,
        query: Mapping[str, str],
        make: Callable[[Mapping[str, Any]], T],
    ) -> Iterator[list[T]]:
        """Read members of an audience. NotFound with its ID when it does not exist."""
        with within(audience_id) as path:
            yield from self._people(f"{path}/members", query, make)

    def _people(
        self,
        path: str,
        query: Mapping[str, str],
        make: Callable[[Mapping[str, Any]], T],
    ) -> Iterator[list[T]]:
        pages = _Pages(self._transport, path, query)
        offset, step, steps_back, without_new, read_until = 0, 1, 0, 0, 0
        while True:
            items, total = pages.page(offset)
            if max(steps_back, without_new) > _MOST_REPEATED_PAGES:
                raise Unavailable("audienceMoves")
            if offset and not (items and pages.knows(items[0])):
                steps_back += 1
                step *= 32
                offset = max(0, offset - step)
                continue
            step = 1
            people = [make(item) for item in items if pages.is_new(item)]
            if people:
                yield people
            end = offset + len(items)
            last = _last_with_address(items)
            # Members without an address cannot be recognized; after the end of all earlier pages they are new.
            has_unrecognized = end > read_until and last < len(items) - 1
            # Steps back lead to pages of known members only, as expected.
            is_repeated = not people and last > 0 and end > read_until
            without_new = without_new + 1 if is_repeated else 0
            page = _Page(offset, len(items), total, bool(people), has_unrecognized)
            if pages.is_last(page, without_new):
                return
            read_until = max(read_until, end)
            offset = offset + last if last > 0 else end - 1


@dataclass(frozen=True)
class _Page:
    """A page that was read.

    `total` is that of its response, which may be missing. `has_people`: it has people who are new. `has_unrecognized`:
    it has members without an address that may be new.
    """

    offset: int
    length: int
    total: int | None
    has_people: bool
    has_unrecognized: bool

    @property
    def end(self) -> int:
        """The offset after its last member."""
        return self.offset + self.length

    @property
    def may_have_new(self) -> bool:
        """Whether someone on the page may be new."""
        return self.has_people or self.has_unrecognized


class _Pages:
    """The pages of a list of members.

    Known members are stored as 64-bit hashes: a million take about 70 MB. For a list of changes, `_seen_changes` has
    hashes of member and time of change.
    """

    def __init__(self, transport: Transport, path: str, query: Mapping[str, str]) -> None:
        self._seen: set[int] = set()
        self._seen_changes: set[int] = set()
        self._is_of_changes = query.get("sort_field") == "last_changed"
        self._transport = transport
        self._path = path
        self._query = dict(query)
        self._sizes = list(PAGE_SIZES)
        self._longest = 1

    def knows(self, item: Mapping[str, Any]) -> bool:
        """Whether this member was read before. A member without an address cannot be recognized.

        In a list of changes, it must not have changed since.
        """
        if self._is_of_changes:
            return _change_hash(item) in self._seen_changes
        address = address_in(item)
        return not address or hash(address) in self._seen

    def is_new(self, item: Mapping[str, Any]) -> bool:
        """Whether this member is read for the first time. Records it as read."""
        if self._is_of_changes:
            self._seen_changes.add(_change_hash(item))
        address = address_in(item)
        address_hash = hash(address)
        if not address or address_hash in self._seen:
            return False
        self._seen.add(address_hash)
        return True

    def page(self, offset: int) -> tuple[list[dict[str, Any]], int | None]:
        """Read the page at an offset, and the total; None when it is missing."""
        while True:
            smaller = len(self._sizes) > 1
            try:
                answer = self._transport.get(
                    self._path,
                    {**self._query, "count": str(self._sizes[0]), "offset": str(offset)},
                    tries=2 if smaller else None,
                )
            except Unavailable as error:
                if not smaller or error.throttled or error.code == "unreachable":
                    raise
                del self._sizes[0]
                continue
            items = list_in(answer, "members")
            self._longest = max(self._longest, len(items))
            return items, total_in(answer)

    def is_last(self, page: _Page, without_new: int) -> bool:
        """Whether a page is the last one.

        `without_new` counts the last pages that only had known members. The total may be missing, too
        small, or count members that are not listed, and Mailchimp may deliver fewer members than requested.
        """
        size = self._sizes[0]
        if page.length == 0:
            return True
        if page.length == 1 and not page.may_have_new:
            # The next page would begin at the same offset.
            return True
        if page.total is not None and page.end < page.total:
            return not page.may_have_new and page.length < min(size, self._longest)
        if without_new >= _MOST_REPEATED_AFTER_TOTAL:
            # Servers that imitate Mailchimp may ignore the offset.
            return True
        if page.length >= size:
            return False
        return not page.has_people or page.end == page.total


def _change_hash(item: Mapping[str, Any]) -> int:
    return hash((address_in(item), id_in(item, "contact_id"), text_in(item, "last_changed")))


def _last_with_address(items: Sequence[Mapping[str, Any]]) -> int:
    """The position of the last member that has an address; -1 if there is none."""
    positions = range(len(items) - 1, -1, -1)
    return next((position for position in positions if address_in(items[position])), -1)


def _contact_status(item: Mapping[str, Any]) -> ContactStatus:
    return ContactStatus(address_in(item), status_in(item), id_in(item, "contact_id"))


def _status_change(item: Mapping[str, Any]) -> StatusChange:
    return StatusChange(
        address_in(item),
        status_in(item),
        text_in(item, "last_changed"),
        opted_in_at(item),
        _reason(text_in(item, "unsubscribe_reason")),
        id_in(item, "contact_id"),
    )


def _reason(given: str) -> str:
    """Return the code of a reason. The text is not kept, because a person may have written it."""
    text = given.casefold()
    return next((code for part, code in _REASONS if part in text), "other" if text else "")


def _contact(item: Mapping[str, Any]) -> Contact:
    ids = (whole_number_in(tag, "id") for tag in objects_in(item.get("tags")))
    tags = tuple(tag_id for tag_id in ids if tag_id)
    return Contact(
        address_in(item),
        object_in(item, "merge_fields"),
        tags,
        whole_number_in(item, "tags_count") or len(tags),
        text_in(item, "last_changed"),
    )
