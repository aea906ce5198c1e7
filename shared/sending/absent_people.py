"""Finds out whether people who look deleted may be added again: they may have been archived, or have another address now.

A plan knows the contacts that were archived and the addresses that changed before it was made
(planning/audience/changed_addresses.py). A person may change the address later and unsubscribe, and a call with a status would
subscribe an archived contact. So people who are missing from the audience are looked up by their contact id, and by
their address, before they are added again (record 92).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Protocol

from shared.errors import Disconnected, Refused
from shared.mailchimp.session import MailchimpSession
from shared.model.audience import NOT_SUBSCRIBED, ContactStatus, changes_since
from shared.model.outcome import Code, Outcome
from shared.sending.isolate import Interrupted
from shared.sending.result import UNKNOWN, Person, Result

# With more people, the audience was probably emptied. Then only contacts that are not subscribed are looked up,
# in a few calls.
MOST_LOOKUPS = 20

HIDDEN = "hidden"
"""The status of a contact that Mailchimp refuses to show."""

_STRICTEST_FIRST = ("unsubscribed", "pending", "cleaned", "archived")


class ContactsOf(Protocol):
    """The signature of `AbsentPeople.contacts`."""

    def __call__(  # noqa: D102 - described there
        self, addresses: Sequence[str], /, *, by_id_only: bool
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

    def contacts(
        self, addresses: Sequence[str], *, by_id_only: bool
    ) -> dict[str, list[ContactStatus]]:
        """Return the contacts of these people that are in the audience, by the address that they had.

        Several contacts may have had an address, one after the other. With `by_id_only`, each person is looked up by
        contact id, however many there are, and none by address. A contact that Mailchimp refuses to show is `HIDDEN`.
        """
        ids = self.contact_ids(addresses) if addresses else {}
        wanted = sorted({contact_id for of_person in ids.values() for contact_id in of_person})
        found: dict[str, ContactStatus] = {}
        at_address: dict[str, ContactStatus] = {}
        is_many = not by_id_only and max(len(wanted), len(addresses)) > MOST_LOOKUPS
        if is_many:
            # Someone may have archived most of the audience, so only the wanted ones are kept in memory.
            among, among_addresses = frozenset(wanted), frozenset(addresses)
            for one in self._not_subscribed():
                if one.contact_id in among:
                    found[one.contact_id] = one
                if one.address in among_addresses:
                    at_address[one.address] = one
        else:
            found = self._look_up(wanted, partial(self.session.contact, self.audience_id))
        contacts = {
            address: [found[one] for one in of_person if one in found]
            for address, of_person in ids.items()
        }
        contacts = {address: of_person for address, of_person in contacts.items() if of_person}
        if not (is_many or by_id_only):
            unknown = [address for address in addresses if address not in contacts]
            by_address = partial(self.session.contact_of, self.audience_id)
            at_address = self._look_up(unknown, by_address)
        # Mailchimp may write an address in another form.
        return {a: [replace(one, address=a)] for a, one in at_address.items()} | contacts

    def _look_up(
        self, keys: Sequence[str], read: Callable[[str], ContactStatus | None]
    ) -> dict[str, ContactStatus]:
        """Read contacts one by one, by id or by address."""
        found = {}
        for number, key in enumerate(keys):
            if number and not self.may_continue():
                raise Interrupted
            try:
                contact = read(key)
            except Disconnected:
                raise
            except Refused:
                # The other people of the run are not concerned.
                contact = ContactStatus("", HIDDEN)
            if contact is not None:
                found[key] = contact
        return found

    def _not_subscribed(self) -> Iterator[ContactStatus]:
        since = changes_since(self.since)
        for status in NOT_SUBSCRIBED:
            for page in self.session.members_with_status(self.audience_id, status, since):
                yield from page
                if not self.may_continue():
                    raise Interrupted


def result_if_kept(person: Person, contacts: Sequence[ContactStatus]) -> Result | None:
    """The result of a person who must not be added because of these contacts; None if they may be added.

    The strictest status counts, as in planning/audience/sql/changed_addresses.sql.
    """
    statuses = {one.status for one in contacts} - {"subscribed", "transactional", HIDDEN}
    for status in (*_STRICTEST_FIRST, *sorted(statuses)):
        if status in statuses:
            return Result(Outcome.KEPT, status, status=status)
    if any(one.status == HIDDEN for one in contacts):
        return UNKNOWN
    for contact in contacts:
        if contact.address != person.address:
            return Result(Outcome.KEPT, Code.ADDRESS_CHANGED_IN_MAILCHIMP, status=contact.status)
    # The contact was not absent: it was refused for another reason.
    return None
