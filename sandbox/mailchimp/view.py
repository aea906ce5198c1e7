"""An audience without the API: to fill it before a test, and to check its content afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from sandbox.mailchimp import webhooks
from sandbox.mailchimp.state import STATUSES, Audience, Member, digest
from sandbox.mailchimp.world import World


@dataclass(frozen=True, slots=True)
class MemberView:
    """One person as an audience holds them. `merge_fields` has only the values that are set."""

    email_address: str
    status: str
    cause: str
    merge_fields: dict[str, Any]
    tags: frozenset[str]


class AudienceView:
    """One audience, to fill and to inspect; nothing here counts as a call."""

    def __init__(self, world: World, audience: Audience) -> None:
        """Wrap an audience of this world."""
        self._world = world
        self.state = audience
        self.id = audience.id
        self.name = audience.name

    def add(
        self,
        address: str,
        *,
        status: str = "subscribed",
        cause: str = "",
        merge_fields: dict[str, Any] | None = None,
        tags: Iterable[str] = (),
        campaign: str = "",
    ) -> None:
        """Add or change a contact. `cause`: "self", "admin", "bounce", "review" or "".

        A phone number as `address` makes a contact that has no address, as SMS marketing does.
        A person who was deleted permanently can return like this, with a form. `campaign` is the id of the
        campaign that led to the status.
        """
        if status not in STATUSES:
            message = f"unknown status {status}"
            raise ValueError(message)
        now = self._world.seconds()
        with self.state.lock:
            member = self.state.members.get(digest(address))
            before = ""
            self.state.forgotten.discard(digest(address))
            if member is None:
                member = Member(address, self._world.member_number(), now)
                self.state.add(member, status, cause)
            else:
                before = member.status
                self.state.set_status(member, status, cause, now)
            member.campaign = campaign
            if merge_fields is not None:
                values = orjson.loads(member.merge) | merge_fields
                member.merge = orjson.dumps({k: v for k, v in values.items() if v != ""})
            ids = {self.state.tag(tag, self._world.segment_id, now) for tag in tags}
            if ids:
                self.state.set_tags(member, ids | set(member.tags), now)
            source = "admin" if cause == "admin" else "user"
            webhooks.changed(self._world, self.state, member, before, source)

    def unsubscribe(self, address: str, *, by: str = "self") -> None:
        """Unsubscribe a contact: `cause` is "self" or "admin"."""
        self.add(address, status="unsubscribed", cause=by)

    def change_address(self, old: str, new: str) -> None:
        """Give a contact another address, as a person can in their profile. Its contact id stays."""
        now = self._world.seconds()
        with self.state.lock:
            member = self.state.members.pop(digest(old))
            for kept in (self.state.history, self.state.evidence):
                if digest(old) in kept:
                    kept[digest(new)] = kept.pop(digest(old))  # type: ignore[assignment]
            member.address = new
            member.changed = now
            self.state.members[digest(new)] = member
            self.state.version += 1
            webhooks.moved(self._world, self.state, member, old, "user")

    def history(self, address: str) -> list[tuple[int, str, str]]:
        """The changes of a contact's status since it was added: time, status and cause."""
        with self.state.lock:
            return list(self.state.history.get(digest(address), ()))

    def forget(self, address: str) -> None:
        """Delete a contact permanently, as delete-permanent does."""
        with self.state.lock:
            self.state.remove(self.state.members[digest(address)], self._world.seconds())

    def members(self) -> dict[str, MemberView]:
        """All contacts with archived ones, by lower-cased address."""
        return {view.email_address.lower(): view for view in self.each()}

    def each(self) -> Iterator[MemberView]:
        """All contacts, one at a time, as of the call."""
        with self.state.lock:
            people = list(self.state.members.values())
        for member in people:
            yield self._view(member)

    def _view(self, member: Member) -> MemberView:
        return MemberView(
            member.address,
            member.status,
            member.cause,
            orjson.loads(member.merge),
            frozenset(self.state.segments[tag].name for tag in member.tags),
        )

    def member(self, address: str) -> MemberView | None:
        """One contact, or None."""
        with self.state.lock:
            found = self.state.members.get(digest(address))
            return None if found is None else self._view(found)

    def statuses(self) -> dict[str, int]:
        """The number of contacts by status."""
        return {status: n for status, n in self.state.counts.items() if n}

    def tags(self) -> dict[str, int]:
        """Tag name -> number of contacts of any status."""
        with self.state.lock:
            return {s.name: s.counts.total() for s in self.state.segments.values()}

    def merge_tags(self) -> list[str]:
        """The merge tags, in order."""
        return [field.tag for field in self.state.merge_fields.values()]
