"""Changes contacts themselves: unsubscribes people who withdrew consent, and archives contacts.

The status is read directly before each change, because the plan is old by then. Contacts that are not subscribed stay
as they are, and no contact is created (records 71, 72 and 86).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from shared.errors import Disconnected, Refused
from shared.mailchimp.session import MailchimpSession
from shared.model.audience import BatchAnswer, ContactStatus, Member, Refusal
from shared.model.outcome import Code, Outcome
from shared.model.source import plain_name
from shared.sending.absent_people import HIDDEN, ContactsOf
from shared.sending.isolate import Failure, Interrupted, Isolation
from shared.sending.result import UNKNOWN, Result, refused, rejected

_SUBSCRIBED, _UNSUBSCRIBED, _TRANSACTIONAL = "subscribed", "unsubscribed", "transactional"
# Which outcome counts if a withdrawal concerns several contacts.
_WORST_FIRST = (Outcome.REJECTED, Outcome.REMOVED, Outcome.KEPT)


@dataclass
class ContactChanges:
    """Changes contacts of one audience over one session.

    `results` gets the final results so far by address, also before an error. Other results are unknown.
    """

    session: MailchimpSession
    audience_id: str
    isolation: Isolation
    contacts_of: ContactsOf
    results: dict[str, Result]

    def unsubscribe(self, addresses: Sequence[str], *, maybe_applied: bool) -> None:
        """Unsubscribe people who are subscribed; contacts in another status stay as they are.

        A first call without a status changes no contact, and its response has the present status of each. A second call
        sends `unsubscribed` for the subscribers. A contact whose address was changed in Mailchimp is unsubscribed under
        its new address; if several contacts had the address, all of them are.
        Mailchimp does not document that a call without a status creates no contact. If it creates one, the new contact
        is archived at once, or unsubscribed if Mailchimp refuses to archive it, as it does while a contact is pending.
        `maybe_applied`: an earlier, unfinished attempt may have been applied.
        """

        def call(part: Sequence[str], *, resend: bool) -> None:
            before = self._send_status(part, None, resend=resend)
            not_archived = self._archive_created(before)
            absent = [a for a in part if a not in before.updated]
            found = self.contacts_of(absent, by_id_only=True)
            contacts = {
                a: found.get(a) or [ContactStatus(a, self._status_before(a, before))] for a in part
            }
            subscribed = [
                one.address
                for of_person in contacts.values()
                for one in of_person
                if one.status == _SUBSCRIBED and one.address
            ]
            to_unsubscribe = list(dict.fromkeys([*subscribed, *not_archived]))
            after = self._send_status(to_unsubscribe, _UNSUBSCRIBED, resend=resend)
            maybe_by_run = maybe_applied or self.isolation.lost_response
            # People who were archived, deleted or renamed between the two calls must not become contacts again.
            self._archive_created(after)
            again = []
            for address, of_person in contacts.items():
                if any(one.address in after.created for one in of_person):
                    again.append(address)
                    continue
                results = [
                    self._unsubscribed(one, before, after, maybe_by_run) for one in of_person
                ]
                # The next run repeats what failed for one of the contacts.
                self.results[address] = min(
                    results, key=lambda one: _WORST_FIRST.index(one.outcome)
                )
            if again:
                # The contact may have another address now, under which it is still subscribed.
                call(again, resend=resend)

        def reject(address: str, failure: Failure) -> None:
            self.results[address] = rejected(failure)

        self.isolation.send(addresses, call, reject)

    def _archive_created(self, answer: BatchAnswer) -> list[str]:
        """Archive the contacts that a call created. Returns the addresses of those that Mailchimp refuses to archive."""
        return [
            address
            for address in answer.created
            if archive(self.session, self.audience_id, address).outcome is not Outcome.REMOVED
        ]

    def _status_before(self, address: str, before: BatchAnswer) -> str:
        """The status that a contact had before it is unsubscribed; "" for a person who is not in the audience.

        `before` is the response to the call without a status. If it omits the person, the contact is looked up.
        """
        if address in before.refused or address in before.created:
            return ""
        known = before.updated.get(address)
        return known or self.session.status_of(self.audience_id, address) or ""

    def _unsubscribed(
        self, contact: ContactStatus, before: BatchAnswer, after: BatchAnswer, maybe_by_run: bool
    ) -> Result:
        """The result of unsubscribing a contact; without a status, it was not subscribed under this address."""
        address = contact.address
        if contact.status == HIDDEN:
            return UNKNOWN
        if address in after.refused:
            return refused(after.refused[address])
        if address in after.updated:
            return Result(Outcome.REMOVED, status=after.updated[address])
        # The status is read again if the first call refused the contact (because it is archived or deleted, which
        # Mailchimp does not say clearly), or if the response to the second call does not mention the subscriber.
        is_omitted = contact.status == _SUBSCRIBED
        known = "" if is_omitted else contact.status
        status = known or self.session.status_of(self.audience_id, address)
        if status == _UNSUBSCRIBED and (maybe_by_run or is_omitted):
            return Result(Outcome.REMOVED, status=status)
        if status == _SUBSCRIBED:
            return refused(before.refused.get(address) or Refusal(Code.CALL_FAILED))
        return Result(Outcome.KEPT, status or Code.NOT_IN_AUDIENCE)

    def _send_status(
        self, addresses: Sequence[str], status: str | None, *, resend: bool
    ) -> BatchAnswer:
        # Required merge fields must not keep a person from being unsubscribed.
        members = [Member(address, {}, (), status) for address in addresses]
        return self.session.subscribe(
            self.audience_id,
            members,
            update_existing=True,
            skip_merge_validation=True,
            resend=resend,
        )

    def archive(
        self, addresses: Sequence[str], own_tags: Sequence[str], *, transactional: bool
    ) -> None:
        """Archive contacts one by one that are subscribed and have only tags in `own_tags`.

        With `transactional`, contacts with this status are archived as well.
        """
        own = set(map(plain_name, own_tags))
        statuses = (_SUBSCRIBED, _TRANSACTIONAL) if transactional else (_SUBSCRIBED,)
        for number, address in enumerate(addresses):
            if number and not self.isolation.may_continue():
                raise Interrupted
            self.results[address] = self._archive(address, own, statuses)

    def _archive(self, address: str, own_tags: set[str], statuses: Collection[str]) -> Result:
        """Archive a contact that has one of these statuses, and only tags in `own_tags`.

        The result is rejected if Mailchimp refuses to archive it. Archiving loses the status, so a contact with another
        one is left alone: a later call with a status would subscribe it.
        """
        contact = self.session.member(self.audience_id, address)
        if contact is None:
            return Result(Outcome.KEPT, Code.NOT_IN_AUDIENCE)
        if contact.status == Code.ARCHIVED:  # by an earlier attempt, or by someone else
            return Result(Outcome.REMOVED)
        if contact.status not in statuses:
            return Result(Outcome.KEPT, contact.status)
        if set(map(plain_name, contact.tags)) - own_tags:
            return Result(Outcome.KEPT, Code.TAGGED_BY_OTHERS)
        return archive(self.session, self.audience_id, address)


def archive(session: MailchimpSession, audience_id: str, address: str) -> Result:
    """Archive a contact. The result is `REMOVED`, or rejected if Mailchimp refuses to archive it."""
    try:
        session.archive(audience_id, address)
    except Disconnected:
        raise
    except Refused as refusal:
        # An earlier try whose response was lost may have archived the contact.
        if session.status_of(audience_id, address) != Code.ARCHIVED:
            return rejected(refusal)
    return Result(Outcome.REMOVED)
