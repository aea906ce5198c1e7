"""Finds the other addresses of a person: those that their contacts in Mailchimp have or had.

The last sweeps stored the addresses of each contact. A person may have changed the address since, so Mailchimp is
asked which contact has the address now, and which address each contact of the person has. An address that another
contact has now belongs to someone else.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from shared.mailchimp.session import MailchimpSession
from shared.model.export import Export
from shared.model.names import audience_in
from shared.model.ports import readable
from shared.people.all_audiences import AllAudiences, Unreached
from shared.people.stored_contacts import StoredContacts


@dataclass(frozen=True)
class FoundPerson:
    """The addresses of a person, the given one first, and the keys of their contacts (`contact_key`).

    `unreached` are the audiences of which only the last sweep is known.
    """

    addresses: tuple[str, ...]
    contacts: tuple[str, ...]
    unreached: Unreached


@dataclass(frozen=True)
class OtherAddresses:
    """Finds the addresses of people."""

    contacts: StoredContacts
    audiences: AllAudiences

    def find(
        self, address: str, exports: Sequence[Export], earlier: Collection[str], patience: float
    ) -> FoundPerson:
        """Find a person in the audiences of these exports, and in all stored contacts.

        `earlier` are keys of further contacts of the person. A call waits `patience` seconds for a connection.
        """
        addresses: set[str] = set()
        contacts = set(earlier)
        reached: set[str] = set()

        def look_up(session: MailchimpSession, key: str) -> None:
            with self.contacts.keep(key):
                ids, others = self._look_up(session, key, address, earlier)
            addresses.update(others)
            contacts.update(contact_key(key, one) for one in ids)
            reached.add(key)

        unreached = self.audiences.each(exports, look_up, patience)
        for sweep in readable(self.contacts.sweeps.all()):
            if sweep.key not in reached:
                with self.contacts.keep(sweep.key):
                    stored_ids = self.contacts.ids(sweep.key, [address]).get(address, ())
                    addresses |= self.contacts.addresses(sweep.key, stored_ids)
                contacts.update(contact_key(sweep.key, one) for one in stored_ids)
        others = sorted(addresses - {address})
        return FoundPerson((address, *others), tuple(sorted(contacts)), unreached)

    def _look_up(
        self, session: MailchimpSession, key: str, address: str, earlier: Collection[str]
    ) -> tuple[set[str], set[str]]:
        """Return the ids of the person's contacts in an audience, and all addresses of these contacts."""
        audience_id = audience_in(key)
        current = session.contact_of(audience_id, address)
        if current is not None:
            ids = {current.contact_id}
        else:
            # The person's contacts are those that had the address.
            ids = set(self.contacts.ids(key, [address]).get(address, ()))
        ids |= {one.rpartition("/")[2] for one in earlier if one.startswith(f"{key}/")}
        ids.discard("")
        found = {address}
        for contact_id in sorted(ids - {current.contact_id if current else ""}):
            contact = session.contact(audience_id, contact_id)
            if contact is not None:
                found.add(contact.address)
        for other in sorted(self.contacts.addresses(key, ids) - found):
            owner = session.contact_of(audience_id, other)
            if owner is None or owner.contact_id in ids:
                found.add(other)
        return ids, found


def contact_key(key: str, contact_id: str) -> str:
    """The key of a contact in an audience with this key."""
    return f"{key}/{contact_id}"


def audience_of_contact(contact: str) -> str:
    """The audience (id) of a contact, by its key."""
    return contact.split("/")[1]
