"""Records who has a tag of others before a run takes it over, so that an undo can give it back.

From then on the tag follows the segment: other contacts lose it, and no ledger shows that they had it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shared.mailchimp.session import MailchimpSession


_SQL = SqlFile.of(__file__)


def read_former_holders(
    db: DuckDBPyConnection, session: MailchimpSession, audience_id: str, tag_id: int
) -> None:
    """Fill `former_holders` with the contacts that have this tag, in all statuses."""
    _SQL.run(db, "create")
    for page in session.members_with_tag(audience_id, tag_id):
        _SQL.run(db, "add", tag_id=tag_id, addresses=[contact.address for contact in page])


def write_former_holders(db: DuckDBPyConnection, target: Path) -> None:
    """Write `former_holders` to a Parquet file, without people who must not be sent. Needs `do_not_send` and `excluded`."""
    _SQL.write(db, "write", target)
