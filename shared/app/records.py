"""The records in tables, by kind. Records that only one part uses are created with that part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.messaging.sequence import SequenceState
from shared.model.audience import NotSubscribedPointer
from shared.model.chunk import Chunk
from shared.model.connection import Connection, UsedNonce
from shared.model.consent import ConsentSweep, PublishedConsent
from shared.model.export import Export, Schedule
from shared.model.ledger import LedgerPointer
from shared.model.ports import Records
from shared.model.run import Run, run_columns
from shared.model.tag import TagOwner
from shared.runs.lookup import NewestRun

if TYPE_CHECKING:
    from shared.app import App


def connections(app: App) -> Records[Connection]:
    """Connections to Mailchimp accounts."""
    return app.table("connections", Connection)


def exports(app: App) -> Records[Export]:
    """Export definitions."""
    return app.table("exports", Export)


def runs(app: App) -> Records[Run]:
    """Runs, newest first."""
    return app.table("runs", Run, run_columns)


def newest_runs(app: App) -> Records[NewestRun]:
    """The newest run of each export."""
    return app.table("activeruns", NewestRun)


def chunks(app: App) -> Records[Chunk]:
    """Chunks, by run."""
    return app.table("chunks", Chunk)


def sequence_states(app: App) -> Records[SequenceState]:
    """The newest number of each message sequence, by run."""
    return app.table("sequences", SequenceState)


def ledgers(app: App) -> Records[LedgerPointer]:
    """The current ledger of each export."""
    return app.table("ledgers", LedgerPointer)


def not_subscribed(app: App) -> Records[NotSubscribedPointer]:
    """The stored list of contacts who are not subscribed, by audience."""
    return app.table("held", NotSubscribedPointer)


def tag_owners(app: App) -> Records[TagOwner]:
    """The export that owns each tag."""
    return app.table("tagowners", TagOwner)


def schedules(app: App) -> Records[Schedule]:
    """The refresh schedule."""
    return app.table("schedules", Schedule)


def used_nonces(app: App) -> Records[UsedNonce]:
    """Sign-in states that were redeemed."""
    return app.table("usednonces", UsedNonce)


def consent_sweeps(app: App) -> Records[ConsentSweep]:
    """How far the statuses of each audience were read."""
    return app.table("consentsweeps", ConsentSweep)


def published_consent(app: App) -> Records[PublishedConsent]:
    """The published version of each audience's consent table."""
    return app.table("consenttables", PublishedConsent)
