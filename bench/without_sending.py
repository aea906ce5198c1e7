"""Calls that change contacts, answered in this process as Mailchimp would, so that runs of any size need no audience.

All other calls, such as those that create fields and tags, go to the sandbox. The app's own code claims, reads and
records every chunk. Everyone is accepted, and only numbers are kept: the contacts, and the members of each tag.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from shared.mailchimp.gateway import MailchimpGateway
from shared.mailchimp.session import MailchimpSession
from shared.mailchimp.transport import Transport
from shared.model.audience import BatchAnswer, Member, Tag, TagAnswer

_SUBSCRIBED = "subscribed"


class CountedAudience:
    """How many contacts an audience would have, and how many members its tags, by id and by name."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.contacts = 0
        self._members: Counter[str] = Counter()
        self._names: dict[int, str] = {}

    def add(self, members: Sequence[Member]) -> None:
        """Count new contacts. Those that were updated are in the audience, and have the tags already."""
        with self._lock:
            self.contacts += len(members)
            self._members.update(tag.casefold() for member in members for tag in member.tags)

    def remove(self, tag_id: int, people: int) -> None:
        """Count people who lose a tag."""
        with self._lock:
            self._members[self._names[tag_id]] -= people

    def counted(self, tag: Tag) -> Tag:
        """The tag with its number of members."""
        with self._lock:
            self._names[tag.id] = tag.name.casefold()
            return replace(tag, member_count=self._members[self._names[tag.id]])


class CountingSession(MailchimpSession):
    """A session that sends no contacts."""

    def __init__(self, transport: Transport, counted: CountedAudience) -> None:
        super().__init__(transport)
        self._counted = counted

    def subscribe(
        self,
        audience_id: str,
        members: Sequence[Member],
        *,
        update_existing: bool,
        skip_merge_validation: bool = False,
        resend: bool = True,
    ) -> BatchAnswer:
        """Accept the members: new ones, or with `update_existing` those that were added before."""
        accepted = {member.address: _SUBSCRIBED for member in members}
        if update_existing:
            return BatchAnswer({}, accepted, {})
        self._counted.add(members)
        return BatchAnswer(accepted, {}, {})

    def untag(
        self, audience_id: str, tag_id: int, addresses: Sequence[str], *, resend: bool = True
    ) -> TagAnswer:
        """Remove a tag from members; all of them have it."""
        self._counted.remove(tag_id, len(addresses))
        return TagAnswer(0, len(addresses))

    def count(
        self, audience_id: str, status: str | None, changed_before: datetime | None = None
    ) -> int:
        """Count the contacts; all of them are subscribed."""
        return self._counted.contacts if status in (None, _SUBSCRIBED) else 0

    def tag(self, audience_id: str, tag_id: int) -> Tag | None:
        """Read a tag, with its counted members."""
        tag = super().tag(audience_id, tag_id)
        return None if tag is None else self._counted.counted(tag)

    def tags(self, audience_id: str) -> list[Tag]:
        """Read all tags, with their counted members."""
        return [self._counted.counted(tag) for tag in super().tags(audience_id)]

    def create_tag(self, audience_id: str, name: str) -> Tag:
        """Create a tag."""
        return self._counted.counted(super().create_tag(audience_id, name))


def send_no_contacts(mailchimp: MailchimpGateway) -> CountedAudience:
    """Let the sessions of a gateway send no contacts. They must all be of one audience."""
    counted = CountedAudience()
    open_session = mailchimp.open

    def open_counting(
        connection_id: str,
        on_throttled: Callable[[float], None] | None = None,
    ) -> MailchimpSession:
        session = open_session(connection_id, on_throttled)
        return CountingSession(session._transport, counted)

    mailchimp.open = open_counting  # type: ignore[method-assign]
    return counted
