"""Find the changes that others made to people after a run wrote them, so that an undo keeps them.

The subscribers who changed since the run began are read from Mailchimp, 1,000 a call. This takes no
more calls than the run itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared.fields.contact import Converter
from shared.fields.evidence import without_evidence
from shared.model.audience import Contact, changes_since
from shared.planning.writing.fields_to_send import define_fields_to_send
from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shared.mailchimp.session import MailchimpSession


_SQL = SqlFile.of(__file__)


@dataclass(frozen=True)
class EditWindow:
    """When a run began and ended (None: not known), its converter and its merge fields."""

    began: datetime
    ended: datetime | None
    convert: Converter
    merge_tags: tuple[str, ...]


def find_manual_edits(
    db: DuckDBPyConnection, session: MailchimpSession, audience_id: str, window: EditWindow
) -> None:
    """Fill `manual_edits` from Mailchimp, `ledger` and `before`.

    A person counts as edited when a value differs from the one that the export sent and the contact
    changed after the run ended.
    """
    define_fields_to_send(db)
    _SQL.run(db, "create")
    own_tags = {tag for (tag,) in _SQL.rows(db, "own_tags")}
    for page in session.contacts(audience_id, changes_since(window.began)):
        addresses = [contact.address for contact in page]
        sent: dict[str, str] = dict(
            _SQL.rows(db, "sent", merge_tags=list(window.merge_tags), addresses=addresses)
        )
        found = [
            (
                contact.address,
                contact.tag_count > len(contact.tags) or not own_tags.issuperset(contact.tags),
                _is_edited(contact, sent.get(contact.address), window),
            )
            for contact in page
        ]
        edits = [edit for edit in found if edit[1] or edit[2]]
        _SQL.run(
            db,
            "add",
            addresses=[address for address, _, _ in edits],
            others=[others for _, others, _ in edits],
            edited=[edited for _, _, edited in edits],
        )


def _is_edited(contact: Contact, sent: str | None, window: EditWindow) -> bool:
    if sent is None or window.ended is None or not _is_after(contact.changed, window.ended):
        return False
    converted, _ = window.convert.convert(json.loads(sent), clear=True)
    fields = without_evidence(converted)
    return any(
        _comparable(contact.fields.get(tag)) != _comparable(value) for tag, value in fields.items()
    )


def _is_after(changed: str, ended: datetime) -> bool:
    """Whether a contact changed after a moment; Mailchimp gives whole seconds."""
    try:
        moment = datetime.fromisoformat(changed)
    except ValueError:
        return False
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment >= ended.replace(microsecond=0)


def _comparable(value: object) -> object:
    """A value as Mailchimp may return it: numbers as text or number, without empty parts."""
    if isinstance(value, Mapping):
        return {key: _comparable(part) for key, part in value.items() if part not in (None, "")}
    text = "" if value is None else str(value).strip()
    try:
        return float(text)
    except ValueError:
        return text
