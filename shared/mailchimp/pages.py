"""Reading members page by page while the audience moves: nobody on it is missed.

Pages are cut by offset, so a member who leaves the list while it is read moves all that follow
up by one, and the next page skips somebody. Distinct people are therefore compared with
Mailchimp's own total, and the list is read again until nobody is missing, or until a whole
reading found nobody new. A page that Mailchimp cannot deliver (504) is asked for in smaller ones.
https://mailchimp.com/developer/marketing/docs/methods-parameters/#pagination
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from shared.errors import Unavailable
from shared.exports.audience import Held
from shared.mailchimp.audiences import checked_id
from shared.mailchimp.transport import Transport

__all__ = ["held", "tagged"]

PAGE_SIZES = (1000, 500, 250, 100)
MOST_READINGS = 5


def held(
    transport: Transport, audience_id: str, status: str, changed_since: str | None = None
) -> Iterator[list[Held]]:
    """Members in a status, each once; `changed_since` is ISO 8601."""
    query = {"status": status}
    if changed_since:
        query["since_last_changed"] = changed_since
    return _people(transport, f"/lists/{checked_id(audience_id)}/members", query)


def tagged(transport: Transport, audience_id: str, tag_id: int) -> Iterator[list[Held]]:
    """Members with a tag, each once, whatever their status. NotFound when the tag is gone."""
    query = {
        "include_cleaned": "true",
        "include_transactional": "true",
        "include_unsubscribed": "true",
    }
    path = f"/lists/{checked_id(audience_id)}/segments/{int(tag_id)}/members"
    return _people(transport, path, query)


def _people(transport: Transport, path: str, query: Mapping[str, str]) -> Iterator[list[Held]]:
    reading = _Reading(transport, path, query)
    for number in range(MOST_READINGS):
        before = len(reading.seen)
        yield from reading.once()
        if len(reading.seen) >= reading.total or (number and len(reading.seen) == before):
            return
    message = "The audience changes faster than it can be read."
    raise Unavailable(message, code="audienceMoves")


class _Reading:
    """A list that is read from its beginning to its end, perhaps several times.

    `seen` remembers people by a hash of 64 bits: a million of them take about 70 MB.
    """

    def __init__(self, transport: Transport, path: str, query: Mapping[str, str]) -> None:
        self.seen: set[int] = set()
        self.total = 0
        self._transport = transport
        self._path = path
        self._query = {
            **query,
            "fields": "members.email_address,members.status,total_items",
        }
        self._sizes = list(PAGE_SIZES)

    def once(self) -> Iterator[list[Held]]:
        """Every page from the first to the last, without those seen before."""
        offset = 0
        while True:
            answer = self._page(offset)
            items = answer["members"]
            self.total = int(answer.get("total_items") or 0)
            people = [person for item in items if (person := self._new(item))]
            if people:
                yield people
            offset += len(items)
            if not items or offset >= self.total:
                return

    def _new(self, item: Mapping[str, Any]) -> Held | None:
        address = str(item.get("email_address") or "").strip().lower()
        mark = hash(address)
        if not address or mark in self.seen:
            return None
        self.seen.add(mark)
        return Held(address, str(item.get("status") or ""))

    def _page(self, offset: int) -> dict[str, Any]:
        while True:
            smaller = len(self._sizes) > 1
            try:
                answer = self._transport.get(
                    self._path,
                    {**self._query, "count": str(self._sizes[0]), "offset": str(offset)},
                    tries=2 if smaller else None,
                )
            except Unavailable as error:
                if not smaller or error.throttled or error.code == "noConnection":
                    raise
                del self._sizes[0]
                continue
            if isinstance(answer.get("members"), list):
                return answer
            message = "Mailchimp gave no usable answer."
            raise Unavailable(message, code="answerBroken")
