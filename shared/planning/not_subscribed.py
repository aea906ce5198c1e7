"""Whom the audience holds without a subscription: read before the first write of every run.

These people are never sent anything and never asked to subscribe again. The list is kept per
audience, so that later runs read only what changed. What left a state (someone signed up again)
does not show in "what changed to this state"; the exact number of people in the state does: where
it disagrees, that state is read anew.

Table made here: `held` (address VARCHAR, status VARCHAR), one row an address.
https://mailchimp.com/developer/marketing/api/list-members/list-members-info/
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from duckdb import DuckDBPyConnection

from shared.errors import Changed, Conflict, NotFound
from shared.model.audience import NOT_SUBSCRIBED, ContactStatus, NotSubscribedPointer
from shared.model.names import not_subscribed_blob
from shared.model.ports import Files, MailchimpSession, Records, Stored

__all__ = ["read_not_subscribed"]

# Mailchimp's clock and ours may differ, and a change may become visible late.
_OVERLAP = timedelta(minutes=15)


def read_not_subscribed(
    db: DuckDBPyConnection,
    session: MailchimpSession,
    pointers: Records[NotSubscribedPointer],
    files: Files,
    account_id: str,
    audience_id: str,
    version: str,
    now: datetime,
    scratch: Path,
    anew: bool = False,
) -> None:
    """Make `held`, and remember it for the next run. `anew` forgets what earlier runs read."""
    db.execute("CREATE OR REPLACE TABLE held (address VARCHAR PRIMARY KEY, status VARCHAR)")
    key = f"{account_id}/{audience_id}"
    known = pointers.read(key)
    since = None
    if known is not None and not anew:
        local = scratch / "held-before.parquet"
        try:
            files.download(known.value.blob, local)
        except NotFound:
            pass  # cleared away: everything is read anew
        else:
            db.execute("INSERT INTO held SELECT address, status FROM read_parquet(?)", [str(local)])
            since = (known.value.read_at - _OVERLAP).isoformat(timespec="seconds")
    for status in NOT_SUBSCRIBED:
        _insert(db, session.held(audience_id, status, since))
    if since is not None:
        for status in NOT_SUBSCRIBED:
            if session.count(audience_id, status) != _known(db, status):
                db.execute("DELETE FROM held WHERE status = ?", [status])
                _insert(db, session.held(audience_id, status, None))
    _remember(
        db,
        pointers,
        files,
        known,
        key,
        not_subscribed_blob(account_id, audience_id, version),
        now,
        scratch,
    )


def _insert(db: DuckDBPyConnection, pages: Iterable[list[ContactStatus]]) -> None:
    for page in pages:
        if page:
            db.execute(
                "INSERT OR REPLACE INTO held SELECT unnest(?::VARCHAR[]), unnest(?::VARCHAR[])",
                [[one.address for one in page], [one.status for one in page]],
            )


def _known(db: DuckDBPyConnection, status: str) -> int:
    row = db.execute("SELECT count(*) FROM held WHERE status = ?", [status]).fetchone()
    return int(row[0]) if row else 0


def _remember(
    db: DuckDBPyConnection,
    pointers: Records[NotSubscribedPointer],
    files: Files,
    known: Stored[NotSubscribedPointer] | None,
    key: str,
    blob: str,
    now: datetime,
    scratch: Path,
) -> None:
    local = scratch / "held.parquet"
    quoted = str(local).replace("'", "''")
    db.execute(f"COPY held TO '{quoted}' (FORMAT parquet, COMPRESSION zstd)")
    files.upload(local, blob)
    pointer = NotSubscribedPointer(blob, now)
    try:
        if known is None:
            pointers.create(key, pointer)
        else:
            pointers.replace(key, pointer, known.etag)
    except (Conflict, Changed):
        files.delete(blob)  # another run of this audience was quicker; its list is as good
        return
    if known is not None and known.value.blob != blob:
        files.delete(known.value.blob)
