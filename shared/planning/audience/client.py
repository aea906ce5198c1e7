"""The calls to Mailchimp for a plan: read the audience, then create what is missing.

Reading changes nothing and runs in parallel with reading the segments. Merge fields and tags are
created after every check that could stop the run, except the contact budget.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from duckdb import DuckDBPyConnection

from shared.capacity.parallel_calls import ParallelCalls
from shared.errors import ConnectorError
from shared.mailchimp.session import MailchimpSession
from shared.model.audience import Automation, CallCounts
from shared.model.finding import Finding
from shared.model.names import audience_key
from shared.model.ports import readable
from shared.model.tag import same_name
from shared.planning.audience.already_subscribed import (
    find_all_subscribed,
    find_already_subscribed,
    saves_calls,
)
from shared.planning.audience.audience_overlap import compare_samples, has_foreign_members
from shared.planning.audience.changed_addresses import find_changed_addresses
from shared.planning.audience.former_holders import read_former_holders
from shared.planning.audience.found_audience import FoundAudience
from shared.planning.audience.merge_fields import create_fields, field_findings, limit_findings
from shared.planning.audience.not_subscribed import NotSubscribedList
from shared.planning.audience.tags import FoundTags, TagPreparation
from shared.planning.dependencies import PlanDependencies
from shared.planning.request import PlanRequest


class AudienceClient:
    """Reads and changes the audience of one plan. `calls` counts the calls to Mailchimp so far."""

    def __init__(
        self, dependencies: PlanDependencies, request: PlanRequest, audience_id: str
    ) -> None:
        self.calls = CallCounts()
        self._dependencies = dependencies
        self._request = request
        self._id = audience_id
        self._automations: Future[list[Automation]] | None = None

    def inspect(self, db: DuckDBPyConnection, scratch: Path) -> FoundAudience:
        """Read the audience, its contacts that are not subscribed, and who has another address now.

        Fills `not_subscribed` and `changed_addresses`.
        """
        with self.parallel() as parallel:
            reading = parallel.submit(lambda session: session.audience(self._id))
            fields = parallel.submit(lambda session: session.merge_fields(self._id))
            tags = parallel.submit(lambda session: self._tags(session))
            try:
                contacts = self.read_not_subscribed(parallel, db, scratch)
            except ConnectorError:
                # An audience that does not exist explains all other errors.
                reading.result()
                raise
            audience = reading.result()
            merge_fields = tuple(fields.result())
            findings, found = field_findings(self._request.export, merge_fields), tags.result()
            if self._request.is_preview:
                findings += limit_findings(self._request.export, merge_fields)
        changed = self.find_changed_addresses(db, scratch)
        return FoundAudience(
            audience, merge_fields, found, (*findings, *found.findings, *changed), contacts
        )

    def read_not_subscribed(
        self, calls: ParallelCalls, db: DuckDBPyConnection, scratch: Path
    ) -> dict[str, int]:
        """Fill `not_subscribed` with the contacts that are not subscribed.

        Returns the number of contacts by status.
        """
        dependencies, request = self._dependencies, self._request
        stored = NotSubscribedList(
            dependencies.not_subscribed,
            dependencies.files,
            request.account_id,
            self._id,
            f"{request.run.id}-{dependencies.token()}",
            dependencies.now(),
        )
        return stored.read(db, calls, scratch, whole=request.is_full)

    def find_changed_addresses(self, db: DuckDBPyConnection, scratch: Path) -> list[Finding]:
        """Fill `changed_addresses` with the people whose contact has another address now."""
        key = audience_key(self._request.account_id, self._id)
        return find_changed_addresses(db, self._dependencies.contacts, key, scratch)

    def take_over_replaced(self, db: DuckDBPyConnection, found: FoundAudience) -> FoundAudience:
        """Take over tags that were deleted and exist again, if only people of their segments have them.

        A call of a run creates a tag that was deleted meanwhile. Needs `people`, and `ledger` with the deleted tags.
        """
        replaced: dict[str, int] = {}
        with self._session() as session:
            for segment, choice in enumerate(self._request.export.segments):
                name, tag = choice.tag_name, found.tags.tags[segment]
                former_id = found.tags.former_ids.get(name)
                if former_id and not has_foreign_members(
                    db, session, self._id, tag, segment, former_id
                ):
                    replaced[name] = tag.id
        foreign = {
            name: tag_id for name, tag_id in found.tags.foreign.items() if name not in replaced
        }
        taken_over_ids = (*found.tags.taken_over_ids, *replaced.values())
        tags = replace(found.tags, foreign=foreign, taken_over_ids=taken_over_ids)
        return replace(found, tags=tags, taken_over_names=frozenset(replaced))

    def create_missing(self, found: FoundAudience) -> FoundAudience:
        """Create missing merge fields and tags. Reads the automations meanwhile, which `automations` then returns."""
        with self.parallel() as parallel:
            self._automations = parallel.submit(lambda session: session.automations(self._id))
            fields = parallel.submit(
                lambda session: create_fields(session, self._request.export, found.merge_fields)
            )
            tags = parallel.submit(
                lambda session: self._tags(
                    session, create=True, taken_over_names=found.taken_over_names
                )
            )
            return replace(found, merge_fields=fields.result(), tags=tags.result())

    def read_former_holders(self, db: DuckDBPyConnection, tag_id: int) -> None:
        """Fill `former_holders` with the contacts that have a tag of others, before the run takes it over."""
        with self._session() as session:
            read_former_holders(db, session, self._id, tag_id)

    def compare_samples(self, db: DuckDBPyConnection) -> tuple[int, int]:
        """Compare samples of the audience and the people of a run (see audience_overlap.py)."""
        with self._session() as session:
            return compare_samples(db, session, self._id)

    def find_already_subscribed(self, db: DuckDBPyConnection, subscribed: int) -> bool:
        """Find the new people who are already subscribed, when that can save calls.

        The audience has `subscribed` subscribers. Returns whether all of them are known now.
        """
        if not saves_calls(db, subscribed):
            return not subscribed
        with self._session() as session:
            find_already_subscribed(db, session, self._id)
        return True

    def find_all_subscribed(self, db: DuckDBPyConnection, subscribed: int) -> None:
        """Find all new people who are already subscribed; the audience has `subscribed` subscribers."""
        with self._session() as session:
            find_all_subscribed(db, session, self._id, subscribed)

    def automations(self) -> list[Automation]:
        """Read the active classic automations of the audience."""
        if self._automations is not None:
            return self._automations.result()
        with self._session() as session:
            return session.automations(self._id)

    def contact_budget(self) -> int | None:
        """The smallest contact budget that an export sets for the audience."""
        exports = (stored.value for stored in readable(self._dependencies.exports.all()))
        budgets = [export.contact_budget for export in exports if export.audience_id == self._id]
        return min((budget for budget in budgets if budget is not None), default=None)

    @contextmanager
    def parallel(self) -> Iterator[ParallelCalls]:
        """Make calls at the same time. They are not counted if the work fails."""
        sessions, request = self._dependencies.sessions, self._request
        with sessions.parallel(request.connection_id, request.account_id) as parallel:
            yield parallel
            self.calls += parallel.calls

    @contextmanager
    def _session(self) -> Iterator[MailchimpSession]:
        """Open a session. Its calls are not counted if the work fails."""
        sessions, request = self._dependencies.sessions, self._request
        with sessions.session(request.connection_id, request.account_id) as session:
            yield session
            self.calls += session.calls

    def _tags(
        self,
        session: MailchimpSession,
        *,
        create: bool = False,
        taken_over_names: Collection[str] = (),
    ) -> FoundTags:
        preparation = TagPreparation(
            session,
            self._dependencies.owners,
            self._request.export,
            self._request.account_id,
            create=create,
            take_over=lambda name: self._request.takes_over_tags or name in taken_over_names,
            still_uses=self._still_uses,
        )
        return preparation.prepare()

    def _still_uses(self, export_id: str, tag_name: str) -> bool:
        """Whether an export still sends a tag to this audience."""
        stored = self._dependencies.exports.read(export_id)
        return (
            stored is not None
            and stored.value.audience_id == self._id
            and any(same_name(choice.tag_name, tag_name) for choice in stored.value.segments)
        )
