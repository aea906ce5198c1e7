"""Deletes people from the audience who were erased while a run was sending them.

Mailchimp refuses people that it has deleted permanently. But a person who was not in the audience yet when they were
erased could not be deleted there, and is added by a run that was planned before.
"""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.capacity.on_demand import NO_SLOT, OnDemandSessions
from shared.errors import ConnectorError, Unavailable
from shared.memory import waiting_for_network
from shared.model.finding import Finding, Severity
from shared.model.plan import Plan
from shared.people.erasures import Erasures
from shared.people.suppression import erased_people_sent

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class ErasedContacts:
    """Deletes contacts of people whose erasure included Mailchimp."""

    erasures: Erasures
    sessions: OnDemandSessions

    def delete(
        self, db: DuckDBPyConnection, plan: Plan, other_calls: Future[Any]
    ) -> tuple[Finding, ...]:
        """Delete the erased people that the run sent. `outcomes` must still have their addresses.

        Waits for `other_calls` of the run first, because they may use the only free connection, and raises their error.
        Returns a finding if some people could not be deleted. Unavailable when no connection is free.
        """
        addresses = erased_people_sent(db, self.erasures.marker_for_mailchimp())
        if not addresses:
            return ()
        left = len(addresses)
        with waiting_for_network(db):
            other_calls.result()
        try:
            with (
                waiting_for_network(db),
                self.sessions.session(plan.connection_id, plan.account_id, 0.0) as session,
            ):
                for address in addresses:
                    session.delete_for_good(plan.audience_id, address)
                    left -= 1
        except ConnectorError as error:
            if isinstance(error, Unavailable) and error.code == NO_SLOT:
                raise
            return (Finding(Severity.WARNING, "erasedNotDeleted", values={"people": str(left)}),)
        return ()
