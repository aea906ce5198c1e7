"""Reading members page by page while the audience moves: nobody on it is missed.

Pages are cut by offset, so a member who leaves the list while it is read moves all that follow
up by one, and the next page would skip somebody. Every page therefore begins with the last
member of the page before. When it begins with somebody unknown there may be a gap, and the
reading steps back until it meets someone it knows. Members keep their order, so whoever is on
the list from beginning to end is seen, and each once. A page that Mailchimp cannot deliver (504)
is asked for in smaller ones.
https://mailchimp.com/developer/marketing/docs/methods-parameters/#pagination
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from shared.errors import Unavailable
from shared.mailchimp.audiences import checked_id
from shared.mailchimp.parts import (
    list_in,
    status_in,
    text_in,
    things_in,
    total_in,
    whole_number_in,
)
from shared.mailchimp.transport import Transport
from shared.model.audience import Contact, ContactStatus

__all__ = ["contacts", "held", "tagged"]

T = TypeVar("T")

PAGE_SIZES = (1000, 500, 250, 100)
MOST_STEPS_BACK = 50

_WHO = "members.email_address,members.status,total_items"
_ALL_OF_IT = (
    "members.email_address,members.merge_fields,members.tags,members.tags_count,"
    "members.last_changed,total_items"
)


def held(
    transport: Transport, audience_id: str, status: str, changed_since: str | None = None
) -> Iterator[list[ContactStatus]]:
    """Members in a status, each once; `changed_since` is ISO 8601."""
    query = {"status": status}
    if changed_since:
        query["since_last_changed"] = changed_since
    path = f"/lists/{checked_id(audience_id)}/members"
    return _people(transport, path, {**query, "fields": _WHO}, _held)


def contacts(transport: Transport, audience_id: str, changed_since: str) -> Iterator[list[Contact]]:
    """Subscribers who changed since a time (ISO 8601), each once, with their values and tags."""
    query = {"status": "subscribed", "since_last_changed": changed_since, "fields": _ALL_OF_IT}
    return _people(transport, f"/lists/{checked_id(audience_id)}/members", query, _contact)


def tagged(transport: Transport, audience_id: str, tag_id: int) -> Iterator[list[ContactStatus]]:
    """Members with a tag, each once, whatever their status. NotFound when the tag is gone."""
    query = {
        "include_cleaned": "true",
        "include_transactional": "true",
        "include_unsubscribed": "true",
        "fields": _WHO,
    }
    path = f"/lists/{checked_id(audience_id)}/segments/{int(tag_id)}/members"
    return _people(transport, path, query, _held)


def _people(
    transport: Transport,
    path: str,
    query: Mapping[str, str],
    make: Callable[[Mapping[str, Any]], T],
) -> Iterator[list[T]]:
    reading = _Reading(transport, path, query)
    offset, back, steps_back = 0, 1, 0
    while True:
        items, total = reading.page(offset)
        if offset and not (items and reading.knows(items[0])):
            steps_back += 1
            if steps_back > MOST_STEPS_BACK:
                raise Unavailable("audienceMoves")
            back *= 32
            offset = max(0, offset - back)
            continue
        back = 1
        people = [make(item) for item in items if reading.is_new(item)]
        if people:
            yield people
        reached = offset + len(items)
        # Mailchimp's total may count people whom it does not list: nobody new is the end, too.
        if not items or reached >= total or not (people or len(items) >= reading.size):
            return
        offset = reached - 1


class _Reading:
    """A list that is read page by page.

    `seen` remembers people by a hash of 64 bits: a million of them take about 70 MB.
    """

    def __init__(self, transport: Transport, path: str, query: Mapping[str, str]) -> None:
        self._seen: set[int] = set()
        self._transport = transport
        self._path = path
        self._query = dict(query)
        self._sizes = list(PAGE_SIZES)

    @property
    def size(self) -> int:
        """How many people a page has at most, at present."""
        return self._sizes[0]

    def knows(self, item: Mapping[str, Any]) -> bool:
        """Whether this person was seen before."""
        return hash(_address(item)) in self._seen

    def is_new(self, item: Mapping[str, Any]) -> bool:
        """Whether this is a person who is seen for the first time."""
        address = _address(item)
        mark = hash(address)
        if not address or mark in self._seen:
            return False
        self._seen.add(mark)
        return True

    def page(self, offset: int) -> tuple[list[dict[str, Any]], int]:
        """The page at an offset, and Mailchimp's total."""
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
            return list_in(answer, "members"), total_in(answer)


def _address(item: Mapping[str, Any]) -> str:
    return text_in(item, "email_address").strip().lower()


def _held(item: Mapping[str, Any]) -> ContactStatus:
    return ContactStatus(_address(item), status_in(item))


def _contact(item: Mapping[str, Any]) -> Contact:
    ids = (whole_number_in(tag, "id") for tag in things_in(item.get("tags")))
    tags = tuple(tag_id for tag_id in ids if tag_id)
    fields = item.get("merge_fields")
    return Contact(
        _address(item),
        dict(fields) if isinstance(fields, dict) else {},
        tags,
        whole_number_in(item, "tags_count") or len(tags),
        text_in(item, "last_changed"),
    )
