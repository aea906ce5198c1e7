"""Writes one chunk to Mailchimp and finds the outcome of every person in it.

The calls never change the status of an existing contact:

* People who are not in the ledger are sent with a status and `update_existing` off. Mailchimp refuses those who are in
  the audience after all (`contactExists`), and does not change them.
* People who are in the audience are sent without a status and with `update_existing` on. Mailchimp does not document that
  such a call creates no contact. If it creates one with another status than that of new people, the contact is archived,
  and the person is added with the status of new people. Mailchimp archives no pending contact, so a pending one stays.

A call that fails as a whole is divided until the bad rows are found (isolate.py).
https://mailchimp.com/developer/marketing/api/lists/batch-subscribe-or-unsubscribe/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shared.errors import NotFound, Unavailable
from shared.mailchimp.session import MailchimpSession
from shared.model.audience import Member, MemberState, Refusal
from shared.model.chunk import ChunkKind
from shared.model.outcome import TAG_ABSENT, Code, Outcome
from shared.sending.absent_people import ContactsOf, result_if_kept
from shared.sending.contact_changes import archive
from shared.sending.isolate import Failure, Isolation
from shared.sending.lost_responses import is_added_by_run, is_subscribed_by_run, result_if_applied
from shared.sending.result import UNKNOWN, Person, Result, refused, rejected, with_values

_PENDING = "pending"
# Refusals of an update that mean that the person may not be in the audience. The missing field may be the
# status.
_PERHAPS_ABSENT = frozenset(
    {Code.NOT_IN_AUDIENCE, Code.REFUSED, Code.ADDRESS_REFUSED, Code.FIELD_REQUIRED}
)
# If the response to a call omits more people, the others are reported as failed, and the next run sends them again.
_MOST_LOOKUPS_OF_A_CALL = 50
_NOT_IN_AUDIENCE = Result(Outcome.KEPT, Code.NOT_IN_AUDIENCE)


@dataclass
class Writer:
    """Writes people of one audience over one session.

    `status` is the status of new people; `since` is when the run began to send. `results` contains
    the final results so far by address, also after an error. Other results are unknown.
    `_to_archive` has the addresses of contacts that a call without a status created, until they are archived.
    """

    session: MailchimpSession
    audience_id: str
    status: str
    since: datetime
    isolation: Isolation
    contacts_of: ContactsOf
    results: dict[str, Result]
    _to_archive: set[str] = field(default_factory=set)

    def write(self, kind: ChunkKind, people: Sequence[Person], *, maybe_applied: bool) -> None:
        """Send people. `maybe_applied`: an earlier, unfinished attempt may have been applied."""
        if kind is ChunkKind.ADD:
            self._add(people, maybe_applied)
        elif kind is ChunkKind.RESTORE:
            self._restore(people, maybe_applied)
        else:
            self._update(people)

    def untag(self, tag_id: int, addresses: Sequence[str], *, maybe_applied: bool) -> None:
        """Remove a tag from people. When the tag was deleted in Mailchimp, no one has it any more.

        People who did not have the tag get the code TAG_ABSENT, unless an earlier call may have removed it.
        """

        def call(part: Sequence[str], *, resend: bool) -> None:
            without: frozenset[str] = frozenset()
            try:
                without = self.session.untag(self.audience_id, tag_id, part, resend=resend).without
            except NotFound:
                # Raises NotFound when the audience itself was deleted.
                self.session.audience(self.audience_id)
            if maybe_applied or self.isolation.lost_response:
                without = frozenset()
            for address in part:
                code = TAG_ABSENT if address in without else ""
                self.results[address] = Result(Outcome.REMOVED, code)

        def reject(address: str, failure: Failure) -> None:
            self.results[address] = rejected(failure)

        self.isolation.send(addresses, call, reject)

    def _add(self, people: Sequence[Person], maybe_applied: bool) -> None:
        existing: list[Person] = []

        def add(part: Sequence[Person], *, resend: bool) -> None:
            results, _ = self._call(part, added=True, resend=resend)
            for person in part:
                if results[person.address].code == Code.CONTACT_EXISTS:
                    existing.append(person)
                else:
                    self._record(person, results[person.address])

        self.isolation.send(people, add, self._reject_added)
        if not existing:
            return
        # A call that failed may have been applied in part, so its rows may exist already.
        maybe_applied = maybe_applied or self.isolation.lost_response
        archived: list[Person] = []

        def update(part: Sequence[Person], *, resend: bool) -> None:
            results, opted_in = self._call(part, added=False, resend=resend)
            for person in part:
                address, result = person.address, results[person.address]
                by_run = maybe_applied and is_added_by_run(
                    person, opted_in.get(address), self.since
                )
                is_updated = result.outcome is Outcome.UPDATED
                if by_run and is_updated and address not in self._to_archive:
                    self._record(person, result._replace(outcome=Outcome.CREATED))
                else:
                    self._record_or_archive(person, result, archived)

        self.isolation.send(existing, update, self._reject_updated)
        self._add_absent(archived, {})

    def _restore(self, people: Sequence[Person], maybe_applied: bool) -> None:
        """Restore people to what they were before a run that is undone. No one is added."""

        def restore(part: Sequence[Person], *, resend: bool) -> None:
            # A field that became required since the run must not prevent its undo.
            results, opted_in = self._call(
                part, added=False, resend=resend, skip_merge_validation=True
            )
            repeated = maybe_applied or self.isolation.lost_response
            for person in part:
                address, result = person.address, results[person.address]
                by_run = repeated and is_subscribed_by_run(
                    person, result, opted_in.get(address), self.since
                )
                is_created = address in self._to_archive or result.outcome is Outcome.CREATED
                if is_created or by_run:
                    done = self._archive(address)
                    result = _NOT_IN_AUDIENCE if done.outcome is Outcome.REMOVED else done
                self._record(person, result)

        self.isolation.send(people, restore, self._reject_updated)

    def _update(self, people: Sequence[Person]) -> None:
        """Update people who are in the audience, and add those who were deleted from it.

        People whose contact has another address now are not added.
        """
        absent: list[tuple[Person, Result]] = []
        archived: list[Person] = []

        def update(part: Sequence[Person], *, resend: bool) -> None:
            results, _ = self._call(part, added=False, resend=resend)
            for person in part:
                result = results[person.address]
                if result.code in _PERHAPS_ABSENT:
                    absent.append((person, result))
                else:
                    self._record_or_archive(person, result, archived)

        self.isolation.send(people, update, self._reject_updated)
        contacts = self.contacts_of([person.address for person, _ in absent], by_id_only=False)
        to_add = {}
        for person, result in absent:
            kept = result_if_kept(person, contacts.get(person.address, ()))
            if kept:
                self._record(person, kept)
            else:
                to_add[person.address] = result

        # They were deleted in Mailchimp, or are in the audience and were refused for another reason.
        deleted = [person for person, _ in absent if person.address in to_add]
        self._add_absent([*deleted, *archived], to_add)

    def _record_or_archive(self, person: Person, result: Result, archived: list[Person]) -> None:
        """Record the result of a call without a status; a new contact with a wrong status is archived instead.

        `archived` gets the people to add again. Whether they were deleted or archived before the call is unknown now.
        """
        # A pending contact cannot be archived, and receives no campaign.
        accepted = (self.status, _PENDING)
        has_wrong_status = result.outcome is Outcome.CREATED and result.status not in accepted
        if has_wrong_status or person.address in self._to_archive:
            result = self._archive(person.address)
            if result.outcome is Outcome.REMOVED:
                archived.append(person)
                return
        self._record(person, result)

    def _archive(self, address: str) -> Result:
        """Archive a contact that a call without a status created. If this fails, a repeated call archives it."""
        self._to_archive.add(address)
        result = archive(self.session, self.audience_id, address)
        if result.outcome is Outcome.REMOVED:
            self._to_archive.discard(address)
        return result

    def _add_absent(self, people: Sequence[Person], refusals: Mapping[str, Result]) -> None:
        """Add people who are not in the audience.

        A person who is in it after all gets the result in `refusals`, or UNKNOWN.
        """

        def add(part: Sequence[Person], *, resend: bool) -> None:
            results, _ = self._call(part, added=True, resend=resend)
            for person in part:
                result = results[person.address]
                if result.code == Code.CONTACT_EXISTS:
                    result = refusals.get(person.address, UNKNOWN)
                self._record(person, result)

        self.isolation.send(people, add, self._reject_added)

    def _call(
        self,
        people: Sequence[Person],
        *,
        added: bool,
        resend: bool,
        skip_merge_validation: bool = False,
    ) -> tuple[dict[str, Result], dict[str, str]]:
        """Make a call that adds people with the status of new people, or one that updates people without a status.

        Returns the result of each person, and the times of opt-ins by address, as far as they are known. Looks up the
        contacts of people that the response omits.
        """
        status = self.status if added else None
        members = [Member(p.address, p.fields, p.tags, status) for p in people]
        answer = self.session.subscribe(
            self.audience_id,
            members,
            update_existing=not added,
            skip_merge_validation=skip_merge_validation,
            resend=resend,
        )
        results = {}
        for person in people:
            address = person.address
            if address in answer.created:
                results[address] = Result(Outcome.CREATED, status=answer.created[address])
            elif address in answer.updated:
                current = answer.updated[address]
                results[address] = Result(Outcome.UPDATED, status=current, status_sent=added)
            elif address in answer.refused:
                results[address] = refused(answer.refused[address])
        omitted = [person for person in people if person.address not in results]
        opted_in = dict(answer.opted_in)
        for person in omitted[:_MOST_LOOKUPS_OF_A_CALL]:
            contact = self.session.member(self.audience_id, person.address)
            if contact is not None and contact.opted_in:
                opted_in[person.address] = contact.opted_in
            results[person.address] = self._result_of_omitted(person, contact, added=added)
        results.update((person.address, UNKNOWN) for person in omitted[_MOST_LOOKUPS_OF_A_CALL:])
        return results, opted_in

    def _reject_added(self, person: Person, failure: Failure) -> None:
        self._reject(person, failure, added=True)

    def _reject_updated(self, person: Person, failure: Failure) -> None:
        self._reject(person, failure, added=False)

    def _result_of_omitted(
        self, person: Person, contact: MemberState | None, *, added: bool
    ) -> Result:
        """The result of a person that the response omits without a reason. `added`: the call adds people."""
        applied = result_if_applied(person, contact, self.since, added=added)
        if applied is not None:
            return applied
        exists = added and contact is not None and contact.status != Code.ARCHIVED
        return refused(Refusal(Code.CONTACT_EXISTS if exists else Code.REFUSED))

    def _reject(self, person: Person, failure: Failure, *, added: bool) -> None:
        """Record a person whose separate call failed, unless Mailchimp applied it anyway."""
        result = rejected(failure)
        if isinstance(failure, Unavailable) and person.address not in self._to_archive:
            contact = self.session.member(self.audience_id, person.address)
            result = result_if_applied(person, contact, self.since, added=added) or result
        self._record(person, result)

    def _record(self, person: Person, result: Result) -> None:
        self.results[person.address] = with_values(person, result)
