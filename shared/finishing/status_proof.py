"""The proof of a run: Mailchimp's own counts by status before and after it, beside what it did.

A difference that the run did not cause was caused by others: people who unsubscribed meanwhile, other
exports, other apps. Mailchimp caches the statistics of an audience for minutes, so each status is
counted with a call of its own.
https://mailchimp.com/developer/marketing/api/list-members/list-members-info/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.model.chunk import ARCHIVE_TAG, FORMER_TAG, UNSUBSCRIBE_TAG
from shared.model.figures import StatusProof
from shared.model.plan import Plan
from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shared.finishing.mailchimp_counts import MailchimpCounts


_SQL = SqlFile.of(__file__)


def prove(db: DuckDBPyConnection, counts: MailchimpCounts, plan: Plan) -> tuple[StatusProof, ...]:
    """Compare the contacts by status with the plan. Empty for a run without chunks."""
    if not counts.statuses:
        return ()
    changed = dict(
        _SQL.rows(
            db,
            "changed",
            archive_tags=[ARCHIVE_TAG, FORMER_TAG],
            unsubscribe_tag=UNSUBSCRIBE_TAG,
            # An undo archives transactional contacts only if the run created them as such.
            archived_from="transactional" if plan.status == "transactional" else "subscribed",
        )
    )
    return tuple(
        StatusProof(status, plan.contacts_before.get(status, 0), counted, changed.get(status, 0))
        for status, counted in counts.statuses.items()
    )
