"""The parts of the app that the web interface uses.

A part that is not configured is None; its routes are then neither served nor described.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from shared.capacity.on_demand import OnDemandSessions
from shared.connections.connections import Connections
from shared.connections.sign_in import SignIns
from shared.consent_updates.updates import ConsentUpdates
from shared.exports.definitions import Definitions
from shared.mailchimp.api_keys import MailchimpApiKeys
from shared.model.export import Schedule
from shared.model.ports import Records
from shared.people.erase import Eraser
from shared.people.exclusion_lists import ExclusionLists
from shared.people.search import Search
from shared.planning.archiving.contact_use import UnusedContacts
from shared.previews.differences import Differences
from shared.runs.commands import RunCommands
from shared.runs.history import History
from shared.runs.one_person import OnePerson
from shared.runs.outcomes import OutcomeReader
from shared.runs.start import Starter
from shared.runs.undo import Undo
from shared.segments.choosing.catalogue import Catalogue
from shared.segments.choosing.described_catalogue import DescribedCatalogue
from shared.segments.customer_insights_api import CustomerInsightsApi
from shared.web.audit_entry import AuditEntry
from shared.web.authentication import Authenticator


@dataclass(frozen=True)
class Services:
    """Everything the web interface works with. The parts raise the errors of errors.py."""

    authenticator: Authenticator
    audit_records: Records[AuditEntry]
    clock: Callable[[], datetime]
    monotonic: Callable[[], float]
    new_id: Callable[[], str]
    public_url: str
    max_profiles: int

    connections: Connections
    api_keys: MailchimpApiKeys
    sign_ins: SignIns | None
    sessions: OnDemandSessions
    consent_updates: ConsentUpdates
    unused_contacts: UnusedContacts

    definitions: Definitions
    exclusions: ExclusionLists
    schedule_records: Records[Schedule]
    catalogue: Catalogue | DescribedCatalogue
    customer_insights: CustomerInsightsApi | None

    starter: Starter
    runs: RunCommands
    history: History
    undo: Undo
    one_person: OnePerson
    outcomes: OutcomeReader
    differences: Differences

    search: Search
    eraser: Eraser
