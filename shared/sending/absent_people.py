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
        if not by_id_only and max(len(wanted), len(addresses)) > MOST_LOOKUPS:
            by_id, by_address = self._read_not_subscribed(wanted, addresses)
            return _at_address(by_address) | _by_person(ids, by_id)
        by_id = self._look_up(wanted, partial(self.session.contact, self.audience_id))
        contacts = _by_person(ids, by_id)
        if by_id_only:
            return contacts
        unknown = [address for address in addresses if address not in contacts]
        by_address = self._look_up(unknown, partial(self.session.contact_of, self.audience_id))
        return contacts | _at_address(by_address)

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

    def _read_not_subscribed(
        self, contact_ids: Sequence[str], addresses: Sequence[str]
    ) -> tuple[dict[str, ContactStatus], dict[str, ContactStatus]]:
        """Read the contacts that are not subscribed. Returns those with these ids, and those with these addresses."""
        # Someone may have archived most of the audience, so only the wanted ones are kept in memory.
        wanted_ids, wanted_addresses = frozenset(contact_ids), frozenset(addresses)
        by_id, by_address = {}, {}
        for contact in self._not_subscribed():
            if contact.contact_id in wanted_ids:
                by_id[contact.contact_id] = contact
            if contact.address in wanted_addresses:
                by_address[contact.address] = contact
        return by_id, by_address

    def _not_subscribed(self) -> Iterator[ContactStatus]:
        since = changes_since(self.since)
        for status in NOT_SUBSCRIBED:
            for page in self.session.members_with_status(self.audience_id, status, since):
                yield from page
                if not self.may_continue():
                    raise Interrupted


def _by_person(
    ids: Mapping[str, Sequence[str]], contacts: Mapping[str, ContactStatus]
) -> dict[str, list[ContactStatus]]:
    """The contacts of each person, by the address of the person; `ids` are those of the person's contacts."""
    found = {
        address: [contacts[one] for one in of_person if one in contacts]
        for address, of_person in ids.items()
    }
    return {address: of_person for address, of_person in found.items() if of_person}


def _at_address(contacts: Mapping[str, ContactStatus]) -> dict[str, list[ContactStatus]]:
    """The contact at each address. Mailchimp may write the address in another form."""
    return {address: [replace(one, address=address)] for address, one in contacts.items()}


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
