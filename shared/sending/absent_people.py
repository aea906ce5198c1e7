"""Finds people who look deleted, but whose contact got another address in Mailchimp during the run.

A plan knows the addresses that changed before it was made (planning/changed_addresses.py). A person may change the
address later and unsubscribe. So people who are missing from the audience are looked up by their contact id before
they are added again (record 92).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.errors import Disconnected, Refused
from shared.mailchimp.session import MailchimpSession
from shared.model.audience import NOT_SUBSCRIBED, ContactStatus, changes_since
from shared.sending.isolate import Interrupted

# With more people, the audience was probably emptied. Then only contacts that are not subscribed are looked up,
# in a few calls.
MOST_LOOKUPS = 20


class ContactsOf(Protocol):
    """Returns the contacts of people who are not in the audience under their address, by this address.

    With `each`, all of them are looked up, whatever their number.
    """

    def __call__(  # noqa: D102 - described above
        self, addresses: Sequence[str], /, *, each: bool
    ) -> Mapping[str, Sequence[ContactStatus]]: ...


@dataclass(frozen=True)
class AbsentPeople:
    """Looks up people of an audience. `contact_ids` returns the stored ids of the contacts of addresses.

    With many people, only contacts whose status changed after `since` are read.
    """

    session: MailchimpSession
    audience_id: str
    contact_ids: Callable[[Sequence[str]], Mapping[str, Sequence[str]]]
    since: datetime
    may_continue: Callable[[], bool]

    def contacts(self, addresses: Sequence[str], *, each: bool) -> dict[str, list[ContactStatus]]:
        """Return the contacts of these people that are in the audience, by the address that they had.

        Several contacts may have had an address, one after the other. With `each`, all people are looked up, whatever
        their number. A contact that Mailchimp refuses to show has no status.
        """
        ids = self.contact_ids(addresses) if addresses else {}
        wanted = sorted({contact_id for of_person in ids.values() for contact_id in of_person})
        if len(wanted) > MOST_LOOKUPS and not each:
            # Someone may have archived most of the audience, so only the wanted ones are kept in memory.
            among = frozenset(wanted)
            found = {
                one.contact_id: one for one in self._not_subscribed() if one.contact_id in among
            }
        else:
            found = {}
            for number, contact_id in enumerate(wanted):
                if number and not self.may_continue():
                    raise Interrupted
                contact = self._contact(contact_id)
                if contact is not None:
                    found[contact_id] = contact
        contacts = {
            address: [found[one] for one in of_person if one in found]
            for address, of_person in ids.items()
        }
        return {address: of_person for address, of_person in contacts.items() if of_person}

    def _contact(self, contact_id: str) -> ContactStatus | None:
        try:
            return self.session.contact(self.audience_id, contact_id)
        except Disconnected:
            raise
        except Refused:
            # The other people of the run are not concerned.
            return ContactStatus("", "", contact_id)

    def _not_subscribed(self) -> Iterator[ContactStatus]:
        since = changes_since(self.since)
        for status in NOT_SUBSCRIBED:
            for page in self.session.members_with_status(self.audience_id, status, since):
                yield from page
                if not self.may_continue():
                    raise Interrupted
