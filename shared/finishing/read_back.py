"""What a run of one person sent, beside what Mailchimp has now.

Mailchimp changes some values when it stores them (dates, numbers, addresses), so both sides are shown
as they are, and no difference is reported as a fault.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from shared.fields.evidence import EVIDENCE, plain_tags
from shared.fields.merge_fields import choices_with_fields
from shared.finishing.shown_values import shown_values, value_text
from shared.mailchimp.session import MailchimpSession
from shared.memory import waiting_for_network
from shared.model.chunk import Chunk
from shared.model.one_person import SentField, SentPerson
from shared.model.plan import Plan
from shared.sending.chunk_payload import ChunkPayloads
from shared.sending.result import Person
from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


MOST_CONTACTS = 20
"""How many contacts of one person are read; a profile has hardly more addresses."""

# The reason of a value that no attribute of the export replaces.
_NOT_MAPPED = "notMapped"
_SQL = SqlFile.of(__file__)


def read_back(
    db: DuckDBPyConnection,
    session: MailchimpSession,
    plan: Plan,
    payloads: ChunkPayloads,
    chunks: Sequence[Chunk],
) -> list[SentPerson]:
    """Read the contacts of `outcomes` from the audience. Needs `removals` as well."""
    sent = {person.address: person for person in payloads.planned_people(chunks)}
    names = plan.tag_names
    contacts = []
    for address, customer_id, outcome, code, field, is_contact, removed in _SQL.rows(
        db, "contacts", most=MOST_CONTACTS
    ):
        person, state = None, None
        if is_contact:
            person = sent.get(address)
            with waiting_for_network(db):
                state = session.member(plan.audience_id, address)
        contacts.append(
            SentPerson(
                address=address,
                customer_id=customer_id or "",
                outcome=outcome,
                code=code or "",
                field=plain_tags(field or ""),
                fields=_fields(plan, person, shown_values(plan, state)),
                tags_sent=person.tags if person else (),
                tags_removed=tuple(names[tag] for tag in removed or () if tag in names),
                status=state.status if state else "",
                tags=tuple(sorted(state.tags)) if state else (),
            )
        )
    return contacts


def _fields(
    plan: Plan, person: Person | None, current: Mapping[str, object]
) -> tuple[SentField, ...]:
    """The merge fields that were sent or not sent of a person, or that the contact has (`current`)."""
    sent = person.fields if person else {}
    reasons = dict(person.dropped) if person else {}
    if person:
        mapped = {field.tag for _, field in choices_with_fields(plan.mapping, plan.merge_fields)}
        others = {field.tag for field in plan.merge_fields} - mapped
        reasons |= dict.fromkeys(others & current.keys() - sent.keys(), _NOT_MAPPED)
    return tuple(
        SentField(
            EVIDENCE.get(tag, tag),
            value_text(sent[tag]) if tag in sent else None,
            value_text(current.get(tag)),
            reasons.get(tag, ""),
        )
        for tag in sorted({*current, *sent, *reasons})
    )
