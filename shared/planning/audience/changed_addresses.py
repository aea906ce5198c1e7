"""Find people whose contact got another address in Mailchimp, so that no run adds the former address again.

A person may change the address in Mailchimp and then unsubscribe. The segment still has the former address, which
is not in the audience any more. The sweep (consent_updates/sweep.py) stores the contact id and the former addresses
of each contact, and a contact that is not subscribed is read with its id before every run. So the status of the
contact applies to its former addresses (record 92).

The sweep also stores whether an archived contact was unsubscribed before. Archiving is no decision of the person, but
unsubscribing is, and Mailchimp shows only the last status.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from shared.model.finding import Finding, Severity
from shared.people.stored_contacts import StoredContacts, open_contacts
from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


STORED_CONTACTS = "contacts.parquet"
"""The local file of the stored contacts, in the folder of the plan."""

_SQL = SqlFile.of(__file__)


def find_changed_addresses(
    db: DuckDBPyConnection, contacts: StoredContacts, key: str, scratch: Path
) -> list[Finding]:
    """Fill `changed_addresses` with former addresses of contacts.

    If the contact is not subscribed, its former addresses are added to `not_subscribed`. Contacts in it that were
    archived after they had unsubscribed get the status `unsubscribed`. `key` is that of the audience. Unavailable
    when the stored statuses cannot be read.
    """
    _SQL.run(db, "create")
    local = scratch / STORED_CONTACTS
    stored = contacts.download(key, local)
    if stored is None:
        return []
    open_contacts(db, local)
    _SQL.run(db, "former")
    if _SQL.number(db, "count"):
        _SQL.run(db, "strictest")
    if stored.unidentified == 0:
        return []
    return [Finding(Severity.INFO, "contactIdsMissing")]


def changed_address_findings(db: DuckDBPyConnection) -> list[Finding]:
    """Return a finding about people of the segments whose contact has another address."""
    people = _SQL.number(db, "people")
    if not people:
        return []
    return [Finding(Severity.INFO, "addressChangedInMailchimp", values={"people": str(people)})]
