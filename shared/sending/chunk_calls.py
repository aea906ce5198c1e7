"""Makes the calls of a chunk, as its kind needs them: add or update people, remove a tag, unsubscribe or archive contacts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from shared.errors import Unavailable
from shared.mailchimp.session import MailchimpSession
from shared.model.audience import ContactStatus
from shared.model.chunk import ChunkKind
from shared.model.names import audience_key
from shared.model.plan import Plan
from shared.model.run import Run
from shared.people.stored_contacts import StoredContacts
from shared.sending.absent_people import AbsentPeople
from shared.sending.chunk_payload import ChunkPayload
from shared.sending.contact_changes import ContactChanges
from shared.sending.isolate import Isolation
from shared.sending.result import Result
from shared.sending.write import Writer


@dataclass(frozen=True)
class ChunkCalls:
    """Sends chunks of a run over one session.

    `contacts` are the stored contacts of all audiences. `may_continue` is called between two calls; `has_answers`
    returns whether Mailchimp has answered any call of the run.
    """

    session: MailchimpSession
    run: Run
    plan: Plan
    contacts: StoredContacts
    now: Callable[[], datetime]
    may_continue: Callable[[], bool]
    has_answers: Callable[[], bool]

    def write(self, payload: ChunkPayload, results: dict[str, Result]) -> None:
        """Make the calls of a chunk. `results` gets the results so far, also before an error."""
        chunk, session, audience_id = payload.chunk, self.session, self.plan.audience_id
        isolation = Isolation(
            self._is_up, self.may_continue, self.has_answers, lambda: session.calls.retried
        )
        writer = Writer(
            session,
            audience_id,
            self.plan.status,
            self.run.sending_at or self.now(),
            isolation,
            self._contacts_of,
            results,
        )
        changes = ContactChanges(session, audience_id, isolation, self._contacts_of, results)
        if chunk.kind in (ChunkKind.ARCHIVE, ChunkKind.ARCHIVE_FORMER):
            # An undo archives what its run created, also with the status transactional.
            changes.archive(
                payload.addresses,
                [tag.tag for tag in self.plan.tags],
                transactional=chunk.kind is ChunkKind.ARCHIVE,
            )
        elif chunk.kind is ChunkKind.UNSUBSCRIBE:
            changes.unsubscribe(payload.addresses, maybe_applied=chunk.attempts > 1)
        elif chunk.tag_id is not None:
            writer.untag(chunk.tag_id, payload.addresses, maybe_applied=chunk.attempts > 1)
        else:
            writer.write(chunk.kind, payload.people, maybe_applied=chunk.attempts > 1)

    def _contacts_of(
        self, addresses: Sequence[str], *, by_id_only: bool
    ) -> dict[str, list[ContactStatus]]:
        key = audience_key(self.plan.account_id, self.plan.audience_id)
        absent = AbsentPeople(
            self.session,
            self.plan.audience_id,
            partial(self.contacts.ids, key),
            self.run.queued_at or self.run.sending_at or self.now(),
            self.may_continue,
        )
        return absent.contacts(addresses, by_id_only=by_id_only)

    def _is_up(self) -> bool:
        try:
            self.session.ping()
        except Unavailable:
            return False
        return True
