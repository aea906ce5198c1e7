"""What others have done since a run to the people whom it wrote, so that an undo does not undo that too.

Mailchimp is asked for the subscribers who changed since the run began, 1,000 a call: no more calls
than the run itself has made. Table made here, from `ledger`:

    seen    address, others (carries a tag that is not this export's), edited (a mapped value is
            no longer what the export sent, and the person changed after the run had ended)
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from duckdb import DuckDBPyConnection

from shared.fields.contact import Converter
from shared.model.audience import Contact
from shared.model.ports import MailchimpSession

__all__ = ["EditWindow", "find_manual_edits"]

# Mailchimp's clock and ours may differ.
_OVERLAP = timedelta(minutes=15)


@dataclass(frozen=True)
class EditWindow:
    """When a run was started and had ended (None: not known), and what turns its rows into fields."""

    began: datetime
    ended: datetime | None
    convert: Converter


def find_manual_edits(
    db: DuckDBPyConnection, session: MailchimpSession, audience_id: str, since: EditWindow
) -> None:
    """Make `seen`."""
    db.execute("CREATE OR REPLACE TABLE seen (address VARCHAR, others BOOLEAN, edited BOOLEAN)")
    ours = {
        tag for (tag,) in db.execute("SELECT DISTINCT unnest(tags) AS tag FROM ledger").fetchall()
    }
    began = (since.began - _OVERLAP).isoformat(timespec="seconds")
    for page in session.contacts(audience_id, began):
        sent = _sent(db, [contact.address for contact in page])
        rows = [
            (
                contact.address,
                contact.tag_count > len(contact.tags) or not ours.issuperset(contact.tags),
                _is_edited(contact, sent.get(contact.address), since),
            )
            for contact in page
        ]
        told = [row for row in rows if row[1] or row[2]]
        if told:
            db.execute(
                "INSERT INTO seen SELECT unnest(?::VARCHAR[]), unnest(?::BOOLEAN[]), "
                "unnest(?::BOOLEAN[])",
                [list(column) for column in zip(*told, strict=True)],
            )


def _sent(db: DuckDBPyConnection, addresses: Sequence[str]) -> dict[str, str]:
    return dict(
        db.execute(
            "SELECT address, fields FROM ledger WHERE fields IS NOT NULL "
            "AND address IN (SELECT unnest(?::VARCHAR[]))",
            [list(addresses)],
        ).fetchall()
    )


def _is_edited(contact: Contact, sent: str | None, since: EditWindow) -> bool:
    if sent is None or since.ended is None or not _is_after(contact.changed, since.ended):
        return False
    values = json.loads(sent)
    if len(values) != len(since.convert.columns):
        return False  # sent under another mapping: the earlier values are not known anyway
    fields, _ = since.convert.convert(values, clear=True)
    return any(_plain(contact.fields.get(tag)) != _plain(value) for tag, value in fields.items())


def _is_after(changed: str, ended: datetime) -> bool:
    """Whether something changed after a moment; Mailchimp tells whole seconds."""
    try:
        moment = datetime.fromisoformat(changed)
    except ValueError:
        return False
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment >= ended.replace(microsecond=0)


def _plain(value: object) -> object:
    """A value as Mailchimp may give it back: numbers as text or number, empty parts left out."""
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items() if part not in (None, "")}
    text = "" if value is None else str(value).strip()
    try:
        return float(text)
    except ValueError:
        return text
