"""The calls to Mailchimp for a plan: read the audience, then create what is missing.

Reading changes nothing and runs in parallel with reading the segments. Merge fields and tags are
created after every check that could stop the run, except the contact budget.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from duckdb import DuckDBPyConnection

from shared.capacity.on_demand import OnDemandSessions
from shared.capacity.parallel_calls import ParallelCalls
from shared.mailchimp.session import MailchimpSession
from shared.model.audience import Automation, CallCounts, NotSubscribedPointer
from shared.model.export import Export
from shared.model.names import audience_key
from shared.model.ports import Files, Records, readable
from shared.model.tag import TagOwner, same_name
from shared.people.stored_contacts import StoredContacts
from shared.planning.already_subscribed import (
    find_already_subscribed,
    saves_calls,
    start_already_subscribed,
)
from shared.planning.audience import PreparedAudience, create_fields, field_findings
from shared.planning.audience_size import find_all_subscribed
from shared.planning.changed_addresses import find_changed_addresses
from shared.planning.guards import shared_with_audience
from shared.planning.not_subscribed import NotSubscribedList
from shared.planning.request import PlanRequest
from shared.planning.tags import FoundTags, prepare_tags


@dataclass(frozen=True)
class AudiencePreparation:
    """Prepares an audience for a run. `calls` receives the calls that were made."""

    exports: Records[Export]
    owners: Records[TagOwner]
    not_subscribed: Records[NotSubscribedPointer]
    contacts: StoredContacts
    files: Files
    sessions: OnDemandSessions
    now: Callable[[], datetime]
    token: Callable[[], str]

    def inspect(
        self, request: PlanRequest, db: DuckDBPyConnection, scratch: Path, calls: list[CallCounts]
    ) -> PreparedAudience:
        """Read the audience, its contacts that are not subscribed, and who has another address now.

        Fills `not_subscribed` and `changed_addresses`.
        """
        export = request.export
        with self._parallel(request, calls) as parallel:
            reading = parallel.submit(lambda session: session.audience(export.audience_id))
            fields = parallel.submit(lambda session: session.merge_fields(export.audience_id))
            tags = parallel.submit(lambda session: self._tags(session, request, create=False))
            # First, because an audience that does not exist explains all other errors.
            audience = reading.result()
            contacts = self.read_not_subscribed(request, export.audience_id, parallel, db, scratch)
            merge_fields = tuple(fields.result())
            findings, found = field_findings(export, merge_fields), tags.result()
        key = audience_key(request.account_id, export.audience_id)
        changed = find_changed_addresses(db, self.contacts, key, scratch)
        return PreparedAudience(
            audience, merge_fields, found, (*findings, *found.findings, *changed), contacts
        )

    def read_not_subscribed(
        self,
        request: PlanRequest,
        audience_id: str,
        calls: ParallelCalls,
        db: DuckDBPyConnection,
        scratch: Path,
    ) -> dict[str, int]:
        """Fill `not_subscribed` with the contacts of an audience that are not subscribed.

        Returns the number of contacts by status.
        """
        stored = NotSubscribedList(
            self.not_subscribed,
            self.files,
            request.account_id,
            audience_id,
            f"{request.run.id}-{self.token()}",
            self.now(),
        )
        return stored.read(db, calls, scratch, whole=request.is_full)

    def create_missing(
        self, request: PlanRequest, found: PreparedAudience, calls: list[CallCounts]
    ) -> PreparedAudience:
        """Create missing merge fields and tags."""
        with self._parallel(request, calls) as parallel:
            fields = parallel.submit(
                lambda session: create_fields(session, request.export, found.merge_fields)
            )
            tags = parallel.submit(lambda session: self._tags(session, request, create=True))
            return replace(found, merge_fields=fields.result(), tags=tags.result())

    def shared_with_audience(
        self, request: PlanRequest, db: DuckDBPyConnection, calls: list[CallCounts]
    ) -> tuple[int, int]:
        """Compare samples of the audience and the people of a run (see guards.py)."""
        with self._session(request, calls) as session:
            return shared_with_audience(db, session, request.export.audience_id)

    def find_already_subscribed(
        self, request: PlanRequest, db: DuckDBPyConnection, subscribed: int, calls: list[CallCounts]
    ) -> bool:
        """Find the new people who are already subscribed, when that can save calls.

        The audience has `subscribed` subscribers. Returns whether all of them are known now.
        """
        start_already_subscribed(db)
        if not saves_calls(db, subscribed):
            return not subscribed
        with self._session(request, calls) as session:
            find_already_subscribed(db, session, request.export.audience_id)
        return True

    def find_all_subscribed(
        self, request: PlanRequest, db: DuckDBPyConnection, subscribed: int, calls: list[CallCounts]
    ) -> None:
        """Find all new people who are already subscribed; the audience has `subscribed` subscribers."""
        with self._session(request, calls) as session:
            find_all_subscribed(db, session, request.export.audience_id, subscribed)

    def automations(self, request: PlanRequest, calls: list[CallCounts]) -> list[Automation]:
        """Read the active classic automations of the audience."""
        with self._session(request, calls) as session:
            return session.automations(request.export.audience_id)

    def contact_budget(self, audience_id: str) -> int | None:
        """The smallest contact budget that an export sets for an audience."""
        budgets = [
            stored.value.contact_budget
            for stored in readable(self.exports.all())
            if stored.value.audience_id == audience_id and stored.value.contact_budget is not None
        ]
        return min(budgets, default=None)

    def _tags(self, session: MailchimpSession, request: PlanRequest, *, create: bool) -> FoundTags:
        return prepare_tags(
            session,
            self.owners,
            request.export,
            request.account_id,
            create=create,
            take_over=request.takes_over_tags,
            still_uses=self._still_uses(request.export.audience_id),
        )

    @contextmanager
    def _parallel(self, request: PlanRequest, calls: list[CallCounts]) -> Iterator[ParallelCalls]:
        """Make calls at the same time, and add them to `calls` unless the work fails."""
        with self.sessions.parallel(request.connection_id, request.account_id) as parallel:
            yield parallel
            calls.append(parallel.calls)

    @contextmanager
    def _session(self, request: PlanRequest, calls: list[CallCounts]) -> Iterator[MailchimpSession]:
        """Open a session, and add its calls to `calls` unless the work fails."""
        with self.sessions.session(request.connection_id, request.account_id) as session:
            yield session
            calls.append(session.calls)

    def _still_uses(self, audience_id: str) -> Callable[[str, str], bool]:
        """Return a function that checks whether an export still sends a tag to this audience."""

        def still_uses(export_id: str, tag_name: str) -> bool:
            stored = self.exports.read(export_id)
            return (
                stored is not None
                and stored.value.audience_id == audience_id
                and any(same_name(choice.tag_name, tag_name) for choice in stored.value.segments)
            )

        return still_uses
