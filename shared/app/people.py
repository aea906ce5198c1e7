"""Finding and erasing people, and the retention of their data."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from shared.people.all_audiences import AllAudiences
from shared.people.erase import Eraser
from shared.people.erasures import Erasure, Erasures
from shared.people.exclusion_lists import ExclusionLists
from shared.people.other_addresses import OtherAddresses
from shared.people.purge import Purge
from shared.people.retention import Retention
from shared.people.search import Search
from shared.people.stored_contacts import StoredContacts
from shared.storage.keys import stored_key

if TYPE_CHECKING:
    from shared.app import App


def search(app: App) -> Search:
    """Finds people."""
    return Search(
        exports=app.exports,
        runs=app.runs,
        ledgers=app.ledgers,
        owners=app.tag_owners,
        files=app.files,
        sessions=app.sessions,
        account_of=app.mailchimp_accounts.account_of,
        erasures=app.erasures,
        exclusions=app.exclusion_lists,
        contacts=app.stored_contacts,
    )


def eraser(app: App) -> Eraser:
    """Erases people."""
    purge = Purge(
        app.runs,
        app.ledgers,
        app.not_subscribed,
        app.files,
        app.runtime.token,
        app.outcome_file,
        app.exclusion_lists,
        app.consent_sweeps,
        app.consent_table.remove_profiles,
    )
    audiences = AllAudiences(app.sessions, app.mailchimp_accounts.account_of)
    return Eraser(
        exports=app.exports,
        other_addresses=OtherAddresses(app.stored_contacts, audiences),
        audiences=audiences,
        runs=app.runs,
        transitions=app.transitions,
        erasures=app.erasures,
        purge=purge,
        now=app.runtime.now,
        token=app.runtime.token,
    )


def erasures(app: App) -> Erasures:
    """The people who were erased."""
    key = partial(stored_key, app.secrets, app.leases, "erased-people-key")
    return Erasures(app.table("erasures", Erasure), key)


def stored_contacts(app: App) -> StoredContacts:
    """The contacts of all audiences as the last sweeps stored them."""
    return StoredContacts(app.consent_sweeps, app.files)


def exclusion_lists(app: App) -> ExclusionLists:
    """The lists of people that exports never send."""
    return ExclusionLists(app.files)


def retention(app: App) -> Retention:
    """Deletes data that is older than the retention period."""
    return Retention(
        runs=app.runs,
        transitions=app.transitions,
        chunks=app.chunks,
        sequences=app.sequence_states,
        exports=app.exports,
        not_subscribed=app.not_subscribed,
        nonces=app.used_nonces,
        files=app.files,
        keep=timedelta(days=app.settings.retention_days),
        now=app.runtime.now,
        outcome_file=app.outcome_file,
    )
