"""Send people again whom Mailchimp refused, and who have subscribed since.

Mailchimp never accepts some people as new contacts: those who were deleted permanently, and those who
unsubscribed. They can subscribe again themselves, with a form. Then they are contacts of the audience, and
the refusal, which would hold until their row changes, no longer applies to them, nor to their other
addresses. The statuses that the last sweep stored (consent_updates/sweep.py) show who they are.
"""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

from shared.model.clocks import CLOCK_TOLERANCE
from shared.model.ids import moment_of
from shared.people.stored_contacts import open_contacts
from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


_SQL = SqlFile.of(__file__)


def forget_refusals(db: DuckDBPyConnection, ledger: Path, contacts: Path) -> None:
    """Remove refusals from `ledger` of people who subscribed after the run that was refused.

    `ledger` and `contacts` are local files: the ledger, and the contacts of the audience. Without contacts,
    nothing changes. Reads `not_subscribed`.
    """
    if not contacts.exists():
        return
    runs = [run for (run,) in _SQL.rows(db, "runs", ledger=str(ledger))]
    if not runs:
        return
    open_contacts(db, contacts)
    times = [(moment_of(run) - CLOCK_TOLERANCE).astimezone(UTC).isoformat() for run in runs]
    _SQL.run(db, "forget", runs=runs, times=times)
