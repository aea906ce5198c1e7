"""A session: everything the export asks of one Mailchimp account, over one connection.

Implements MailchimpSession of model/ports.py; the calls are in audiences.py, members.py,
pages.py and persons.py. A session belongs to one thread: a lane of an export, or one request of a page.
https://mailchimp.com/developer/marketing/api/
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shared.mailchimp import audiences, pages, persons
from shared.mailchimp import members as batches
from shared.mailchimp.transport import Transport
from shared.model.audience import (
    Account,
    Audience,
    BatchAnswer,
    CallCounts,
    Contact,
    ContactStatus,
    Member,
    MemberState,
    MergeField,
    StatusChange,
    Tag,
    TagAnswer,
)

__all__ = ["Session"]


class Session:
    """One account over one kept-alive connection; implements the Protocol MailchimpSession."""

    def __init__(self, transport: Transport) -> None:
        self.calls: CallCounts = transport.calls
        self._transport = transport

    def ping(self) -> None:
        """Ask whether Mailchimp answers and the grant works; Disconnected when it does not."""
        audiences.ping(self._transport)

    def account(self) -> Account:
        """Whose account this is."""
        return audiences.account(self._transport)

    def audiences(self) -> list[Audience]:
        """Every audience of the account."""
        return audiences.audiences(self._transport)

    def audience(self, audience_id: str) -> Audience:
        """One audience; NotFound names an ID that is not there."""
        return audiences.audience(self._transport, audience_id)

    def merge_fields(self, audience_id: str) -> list[MergeField]:
        """Every merge field of an audience."""
        return audiences.merge_fields(self._transport, audience_id)

    def create_merge_field(
        self, audience_id: str, tag: str, name: str, field_type: str
    ) -> MergeField:
        """Create a merge field; its tag may come back shorter or counted up."""
        return audiences.create_merge_field(self._transport, audience_id, tag, name, field_type)

    def tags(self, audience_id: str) -> list[Tag]:
        """Every tag of an audience."""
        return audiences.tags(self._transport, audience_id)

    def tag(self, audience_id: str, tag_id: int) -> Tag | None:
        """One tag as it is now, or None."""
        return audiences.tag(self._transport, audience_id, tag_id)

    def saved_segments(self, audience_id: str) -> list[str]:
        """The names of the saved segments of an audience."""
        return audiences.saved_segments(self._transport, audience_id)

    def create_tag(self, audience_id: str, name: str) -> Tag:
        """Create an empty tag; Conflict when the name is taken."""
        return audiences.create_tag(self._transport, audience_id, name)

    def rename_tag(self, audience_id: str, tag_id: int, name: str) -> Tag:
        """Give a tag another name; Conflict when the name is taken."""
        return audiences.rename_tag(self._transport, audience_id, tag_id, name)

    def subscribe(
        self,
        audience_id: str,
        members: Sequence[Member],
        *,
        update_existing: bool,
        skip_merge_validation: bool = False,
        resend: bool = True,
    ) -> BatchAnswer:
        """One batch call of at most 500 members."""
        return batches.subscribe(
            self._transport,
            audience_id,
            members,
            update_existing=update_existing,
            skip_merge_validation=skip_merge_validation,
            resend=resend,
        )

    def untag(
        self, audience_id: str, tag_id: int, addresses: Sequence[str], *, resend: bool = True
    ) -> TagAnswer:
        """Take a tag away from at most 500 members."""
        return batches.change_tag(
            self._transport, audience_id, tag_id, remove=addresses, resend=resend
        )

    def retag(self, audience_id: str, tag_id: int, addresses: Sequence[str]) -> TagAnswer:
        """Give a tag to at most 500 existing members."""
        return batches.change_tag(self._transport, audience_id, tag_id, add=addresses)

    def count(self, audience_id: str, status: str | None) -> int:
        """How many members have a status, now; None for all but the archived ones."""
        return batches.count(self._transport, audience_id, status)

    def members_with_status(
        self, audience_id: str, status: str, changed_since: str | None = None
    ) -> Iterator[list[ContactStatus]]:
        """Members in a status, page by page, each once."""
        return pages.members_with_status(self._transport, audience_id, status, changed_since)

    def status_changes(
        self, audience_id: str, since: str, status: str | None = None
    ) -> Iterator[list[StatusChange]]:
        """Members that changed since a time, the longest unchanged first, page by page, each once."""
        return pages.status_changes(self._transport, audience_id, since, status)

    def contacts(self, audience_id: str, changed_since: str) -> Iterator[list[Contact]]:
        """Subscribers who changed since a time, as they are now, page by page, each once."""
        return pages.contacts(self._transport, audience_id, changed_since)

    def members_with_tag(self, audience_id: str, tag_id: int) -> Iterator[list[ContactStatus]]:
        """Members with a tag in every status, page by page, each once."""
        return pages.members_with_tag(self._transport, audience_id, tag_id)

    def status_of(self, audience_id: str, address: str) -> str | None:
        """The status of one person, now; None when the audience does not know them."""
        return persons.status(self._transport, audience_id, address)

    def member(self, audience_id: str, address: str) -> MemberState | None:
        """One person as the audience has them now; None when it does not."""
        return persons.member(self._transport, audience_id, address)

    def archive(self, audience_id: str, address: str) -> bool:
        """Archive one person; False when they are not there."""
        return persons.archive(self._transport, audience_id, address)

    def delete_for_good(self, audience_id: str, address: str) -> bool:
        """Delete one person so that no import brings them back; False when they are not there."""
        return persons.delete_for_good(self._transport, audience_id, address)

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()
