"""Writes one chunk to Mailchimp and finds the outcome of every person in it.

The way people are written protects consent:

* People who are not in the ledger are sent with a status and `update_existing` off. Mailchimp
  refuses people who are in the audience (`contactExists`) and does not change them. So the status of
  an existing contact never changes, even if the contact was added after planning.
* People who are in the audience are sent without a status and with `update_existing` on. Mailchimp does not document that
  such a call creates no contact. If it creates one with another status than that of new people, the contact is
  archived, and the person is added with the status of new people. A pending contact cannot be archived, and stays.

A call that fails as a whole is divided until the bad rows are found (isolate.py).
https://mailchimp.com/developer/marketing/api/lists/batch-subscribe-or-unsubscribe/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shared.errors import NotFound, Unavailable
from shared.fields.evidence import sends_times, without_evidence
from shared.mailchimp.session import MailchimpSession
from shared.model.audience import CLOCK_TOLERANCE, ContactStatus, Member, MemberState, Refusal
from shared.model.chunk import ChunkKind
from shared.model.outcome import Code, Outcome
from shared.model.tag import folded
from shared.sending.absent_people import HIDDEN, ContactsOf
from shared.sending.archive import archive
from shared.sending.isolate import Failure, Isolation
from shared.sending.result import UNKNOWN, Person, Result, refused, rejected, with_values

_SUBSCRIBED, _TRANSACTIONAL, _PENDING = "subscribed", "transactional", "pending"
_STRICTEST_FIRST = ("unsubscribed", _PENDING, "cleaned", "archived")

# Refusals of an update that mean that the person may not be in the audience. The missing field may be the
# status.
_PERHAPS_ABSENT = frozenset(
    {Code.NOT_IN_AUDIENCE, Code.REFUSED, Code.ADDRESS_REFUSED, Code.FIELD_REQUIRED}
)
# Of a call. The next run sends the others whom its response omits.
_MOST_LOOKUPS = 50
_NOT_IN_AUDIENCE = Result(Outcome.KEPT, Code.NOT_IN_AUDIENCE)


def _no_contacts(_: Sequence[str], /, *, by_id_only: bool) -> Mapping[str, Sequence[ContactStatus]]:
    return {}


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
    contacts_of: ContactsOf = _no_contacts
    results: dict[str, Result] = field(default_factory=dict)
    _to_archive: set[str] = field(default_factory=set)

    def write(self, kind: ChunkKind, people: Sequence[Person], *, maybe_applied: bool) -> None:
        """Send people. `maybe_applied`: an earlier, unfinished attempt may have been applied."""
        if kind is ChunkKind.ADD:
            self._add(people, maybe_applied)
        elif kind is ChunkKind.RESTORE:
            self._restore(people, maybe_applied)
        else:
            self._update(people)

    def untag(self, tag_id: int, addresses: Sequence[str]) -> None:
        """Remove a tag from people. When the tag was deleted in Mailchimp, no one has it any more."""

        def call(part: Sequence[str], *, resend: bool) -> None:
            try:
                self.session.untag(self.audience_id, tag_id, part, resend=resend)
            except NotFound:
                # Raises NotFound when the audience itself was deleted.
                self.session.audience(self.audience_id)
            self.results.update((address, Result(Outcome.REMOVED)) for address in part)

        def reject(address: str, failure: Failure) -> None:
            self.results[address] = rejected(failure)

        self.isolation.send(addresses, call, reject)

    def _add(self, people: Sequence[Person], maybe_applied: bool) -> None:
        existing: list[Person] = []

        def add(part: Sequence[Person], *, resend: bool) -> None:
            answer = self._call(part, self.status, update=False, resend=resend)
            for person in part:
                if answer[person.address].code == Code.CONTACT_EXISTS:
                    existing.append(person)
                else:
                    self._record(person, answer[person.address])

        self.isolation.send(people, add, self._reject_added)
        if not existing:
            return
        # A call that failed may have been applied in part, so its rows may exist already.
        maybe_applied = maybe_applied or self.isolation.lost_answer
        archived: list[Person] = []

        def update(part: Sequence[Person], *, resend: bool) -> None:
            opted_in: dict[str, str] = {}
            answer = self._call(part, None, update=True, resend=resend, opted_in=opted_in)
            for person in part:
                result = answer[person.address]
                by_run = maybe_applied and self._is_added_by_run(
                    person, opted_in.get(person.address)
                )
                is_updated = result.outcome is Outcome.UPDATED
                if by_run and is_updated and person.address not in self._to_archive:
                    self._record(person, result._replace(outcome=Outcome.CREATED))
                else:
                    self._record_or_archive(person, result, archived)

        self.isolation.send(existing, update, self._reject_updated)
        self._add_absent(archived, {})

    def _restore(self, people: Sequence[Person], maybe_applied: bool) -> None:
        """Restore people to what they were before a run that is undone. No one is added."""

        def restore(part: Sequence[Person], *, resend: bool) -> None:
            opted_in: dict[str, str] = {}
            # A field that became required since the run must not prevent its undo.
            answer = self._call(
                part,
                None,
                update=True,
                resend=resend,
                skip_merge_validation=True,
                opted_in=opted_in,
            )
            repeated = maybe_applied or self.isolation.lost_answer
            for person in part:
                address, result = person.address, answer[person.address]
                by_run = repeated and self._is_subscribed_by_run(
                    person, result, opted_in.get(address)
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
            answer = self._call(part, None, update=True, resend=resend)
            for person in part:
                result = answer[person.address]
                if result.code in _PERHAPS_ABSENT:
                    absent.append((person, result))
                else:
                    self._record_or_archive(person, result, archived)

        self.isolation.send(people, update, self._reject_updated)
        contacts = self.contacts_of([person.address for person, _ in absent], by_id_only=False)
        to_add = {}
        for person, result in absent:
            kept = _kept(person, contacts.get(person.address, ()))
            if kept:
                self._record(person, kept)
            else:
                to_add[person.address] = result

        # Deleted in Mailchimp since: add them as new people, or get the reason of the refusal.
        deleted = [person for person, _ in absent if person.address in to_add]
        self._add_absent([*deleted, *archived], to_add)

    def _record_or_archive(self, person: Person, result: Result, archived: list[Person]) -> None:
        """Record the result of a call without a status; a new contact with a wrong status is archived instead.

        `archived` gets the people to add again. Whether they were deleted or archived before is unknown now.
        """
        # Mailchimp archives no pending contact, and a pending one receives no campaign.
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
            answer = self._call(part, self.status, update=False, resend=resend)
            for person in part:
                result = answer[person.address]
                if result.code == Code.CONTACT_EXISTS:
                    result = refusals.get(person.address, UNKNOWN)
                self._record(person, result)

        self.isolation.send(people, add, self._reject_added)

    def _call(
        self,
        people: Sequence[Person],
        status: str | None,
        *,
        update: bool,
        resend: bool,
        skip_merge_validation: bool = False,
        opted_in: dict[str, str] | None = None,
    ) -> dict[str, Result]:
        members = [Member(p.address, p.fields, p.tags, status) for p in people]
        answer = self.session.subscribe(
            self.audience_id,
            members,
            update_existing=update,
            skip_merge_validation=skip_merge_validation,
            resend=resend,
        )
        if opted_in is not None:
            opted_in.update(answer.opted_in)
        results = {}
        for person in people:
            address = person.address
            if address in answer.created:
                results[address] = Result(Outcome.CREATED, status=answer.created[address])
            elif address in answer.updated:
                now = answer.updated[address]
                results[address] = Result(
                    Outcome.UPDATED, status=now, status_sent=status is not None
                )
            elif address in answer.refused:
                results[address] = refused(answer.refused[address])
        omitted = [person for person in people if person.address not in results]
        for person in omitted[:_MOST_LOOKUPS]:
            results[person.address] = self._omitted(person, opted_in, added=status is not None)
        results.update((person.address, UNKNOWN) for person in omitted[_MOST_LOOKUPS:])
        return results

    def _reject_added(self, person: Person, failure: Failure) -> None:
        self._reject(person, failure, added=True)

    def _reject_updated(self, person: Person, failure: Failure) -> None:
        self._reject(person, failure, added=False)

    def _omitted(self, person: Person, opted_in: dict[str, str] | None, *, added: bool) -> Result:
        """The result of a person whom the response to a call with others omits without a reason.

        `opted_in` gets the time of the opt-in, which the response would have.
        """
        now = self.session.member(self.audience_id, person.address)
        if opted_in is not None and now is not None and now.opted_in:
            opted_in[person.address] = now.opted_in
        found = self._applied(person, now, added=added)
        if found is not None:
            return found
        exists = added and now is not None and now.status != Code.ARCHIVED
        return refused(Refusal(Code.CONTACT_EXISTS if exists else Code.REFUSED))

    def _reject(self, person: Person, failure: Failure, *, added: bool) -> None:
        """Record a person whose separate call failed, unless Mailchimp applied it anyway."""
        result = rejected(failure)
        if isinstance(failure, Unavailable) and person.address not in self._to_archive:
            now = self.session.member(self.audience_id, person.address)
            result = self._applied(person, now, added=added) or result
        self._record(person, result)

    def _applied(self, person: Person, now: MemberState | None, *, added: bool) -> Result | None:
        """The result of a call that was applied although its response does not say so; None if it was not.

        `added`: the call adds people. A contact that the run added has its values, also where Mailchimp writes them
        in another form. An archived contact has the values and tags from before, and a call does not change it.
        """
        if now is None or now.status == Code.ARCHIVED or not _has_tags(person, now):
            return None
        created = added and self._is_added_by_run(person, now.opted_in)
        if not (created and now.opted_in) and not _has_values(person, now):
            return None
        return Result(Outcome.CREATED if created else Outcome.UPDATED, status=now.status)

    def _record(self, person: Person, result: Result) -> None:
        self.results[person.address] = with_values(person, result)

    def _is_added_by_run(self, person: Person, opted_in: str | None) -> bool:
        """Whether a contact was added by an earlier attempt of this run.

        An update also sets the times of the evidence, so with them the time in Mailchimp may be from
        the run although the contact is older. Undo archives contacts that the run added, so such a
        contact does not count as added.
        """
        if sends_times(person.fields):
            return False
        moment = _moment(opted_in)
        return moment is None or moment >= self.since - CLOCK_TOLERANCE

    def _is_subscribed_by_run(self, person: Person, result: Result, opted_in: str | None) -> bool:
        """Whether an earlier attempt of this run has probably created a contact by a call without a status.

        Without a time it does not count: the contact may be older.
        """
        moment = _moment(opted_in)
        return (
            result.outcome is Outcome.UPDATED
            and result.status == _SUBSCRIBED
            and not sends_times(person.fields)
            and moment is not None
            # Mailchimp's times are whole seconds.
            and moment >= self.since.replace(microsecond=0)
        )


def _moment(opted_in: str | None) -> datetime | None:
    """The time of an opt-in; None if there is none, or it has no time zone."""
    try:
        moment = datetime.fromisoformat(opted_in or "")
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _kept(person: Person, contacts: Sequence[ContactStatus]) -> Result | None:
    """The result of a person who must not be added because of a contact; None if they may be added.

    The strictest status counts, as in planning/audience/sql/changed_addresses.sql.
    """
    statuses = {one.status for one in contacts} - {_SUBSCRIBED, _TRANSACTIONAL, HIDDEN}
    for status in (*_STRICTEST_FIRST, *sorted(statuses)):
        if status in statuses:
            return Result(Outcome.KEPT, status, status=status)
    if any(one.status == HIDDEN for one in contacts):
        return UNKNOWN
    for contact in contacts:
        if contact.address != person.address:
            return Result(Outcome.KEPT, Code.ADDRESS_CHANGED_IN_MAILCHIMP, status=contact.status)
    # The contact was not absent: it was refused for another reason.
    return None


def _has_tags(person: Person, now: MemberState) -> bool:
    """Whether a contact has all the tags that were sent."""
    tags = set(map(folded, now.tags))
    return all(folded(tag) in tags for tag in person.tags)


def _has_values(person: Person, now: MemberState) -> bool:
    """Whether a contact has all the values that were sent."""
    return all(
        _text(now.fields.get(name)) == _text(value)
        for name, value in without_evidence(person.fields).items()
    )


def _text(value: object) -> object:
    """A value in the form in which Mailchimp returns it: 5, 5.0 and "5" are the same."""
    if isinstance(value, dict):
        return {name: part for name, part in value.items() if part}
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value).strip()
