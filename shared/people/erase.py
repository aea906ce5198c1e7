"""Erases a person from all stored data, and stores only that the person must not be exported again.

The person is erased under all addresses of their contacts in Mailchimp (other_addresses.py), as one erasure for each
address. The erasures are recorded first, so that later runs omit the person. Then the person is deleted in Mailchimp
if that was requested, and removed from all data of the app, even if Mailchimp failed. An erasure may be killed at
any point and requested again: it returns the same receipt with updated counts. The timer completes erasures that
were killed, or that had to wait for active runs.

The first record names the others, because the other addresses are unknown as soon as the first one is purged. While
contacts could not be deleted in Mailchimp, the records have their ids, so that a repeated request finds them under
whatever address they have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from shared.errors import Conflict, NotFound, TimeUp, Unavailable
from shared.mailchimp.session import MailchimpSession
from shared.model.export import Export
from shared.model.finding import Reason
from shared.model.names import audience_in
from shared.model.ports import Records, Stored, readable, split_unreadable, update
from shared.model.run import Run, RunStatus
from shared.people.all_audiences import AllAudiences, Unreached
from shared.people.erasures import (
    Erasure,
    Erasures,
    MarkErased,
    address_key,
    marker_for_addresses,
)
from shared.people.other_addresses import FoundPerson, OtherAddresses, audience_of_contact
from shared.people.purge import Purge, Purged
from shared.request_time import OWN_STORAGE, calls_until
from shared.runs.transitions import Transitions

# An entry in `waits_for` until the data of the app is purged. It is not the id of a run.
_UNFINISHED = "unfinished"
# Seconds to wait for a connection: to delete the person in Mailchimp, or only to look up their addresses.
_PATIENCE_TO_DELETE = 60.0
_PATIENCE = 5.0


@dataclass(frozen=True)
class Eraser:
    """Erases people."""

    exports: Records[Export]
    other_addresses: OtherAddresses
    audiences: AllAudiences
    runs: Records[Run]
    transitions: Transitions
    erasures: Erasures
    purge: Purge
    now: Callable[[], datetime]
    token: Callable[[], str]

    def erase(self, email: str, in_mailchimp: bool, by: str) -> Erasure:
        """Erase a person, also under the other addresses of their contacts. Returns the receipt.

        Without `in_mailchimp`, an audience that cannot be reached is left out of the search for other addresses.

        Raises:
            Conflict: names the exports whose audience could not be reached to delete the person in
                Mailchimp. The data of the app is purged.
            Unavailable: Mailchimp or storage is temporarily unavailable; request the erasure again. If
                it was Mailchimp, the data of the app is purged, by the timer if there was too much for one request.
            ConnectorError: a newer version of the app wrote a record. The person is removed from
                everything else, and the timer repeats the purge until all records are readable.
        """
        stored_exports, unreadable = split_unreadable(self.exports.all())
        exports = [stored.value for stored in stored_exports]
        person = self._find(address_key(email), exports, in_mailchimp)
        keys = [self.erasures.token(address) for address in person.addresses]
        for key in keys:
            self._create_record(key, by, in_mailchimp, keys, person)
        unreached = Unreached()
        if in_mailchimp:
            deleted, unreached = self._delete(person, exports)
            # Now, because another request would not find these contacts, and could not count them.
            self._record_deleted(keys, person, deleted, unreached)
        mark = marker_for_addresses(person.addresses)
        self._close_waiting(mark)
        purged = self._purge(mark, unreached)
        for key in keys[1:]:
            self._record_result(key, replace(purged, records=0))
        receipt = self._record_result(keys[0], purged)
        if unreached.unavailable is not None:
            raise unreached.unavailable
        if unreached.audiences:
            raise Conflict("notDeletedInMailchimp", exports=", ".join(unreached.audiences.values()))
        if in_mailchimp and unreadable:
            raise unreadable
        if purged.unreadable:
            raise purged.unreadable
        return receipt

    def _find(self, address: str, exports: Sequence[Export], in_mailchimp: bool) -> FoundPerson:
        before = self.erasures.records.read(self.erasures.token(address))
        earlier = before.value.contacts if before else ()
        patience = _PATIENCE_TO_DELETE if in_mailchimp else _PATIENCE
        return self.other_addresses.find(address, exports, earlier, patience)

    def _purge(self, mark: MarkErased, unreached: Unreached) -> Purged:
        """Purge the data of the app. If there is too much for one request, the timer continues."""
        try:
            # The landing account has files with people as well, and Mailchimp may have been silent before.
            with calls_until(OWN_STORAGE):
                return self.purge.everywhere(mark)
        except TimeUp as error:
            raise unreached.unavailable or Unavailable("erasureContinues") from error

    def complete(self) -> int:
        """Continue erasures whose run has ended or whose process was killed. Returns their number."""
        self._create_missing_records()
        erasures = readable(self.erasures.records.all())
        waiting = [stored for stored in erasures if stored.value.waits_for]
        ready = [stored for stored in waiting if self._can_continue(stored)]
        if not ready:
            return 0
        mark = self.erasures.marker_for_tokens([stored.key for stored in ready])
        if any(_UNFINISHED in stored.value.waits_for for stored in ready):
            self._close_waiting(mark)
        purged = self.purge.everywhere(mark)
        for stored in ready:
            update(
                self.erasures.records,
                stored.key,
                # Also for runs that have begun since: until they end, earlier ledgers of their exports are not purged.
                lambda erasure: replace(erasure, waits_for=_remaining(purged.active_runs, purged)),
            )
        return len(ready)

    def _close_waiting(self, mark: MarkErased) -> None:
        """Close runs that contain the person and wait for a confirmation, which may take weeks."""

        reason = Reason("erasedMeanwhile")
        waiting = self.runs.all(where={"status": RunStatus.AWAITING_CONFIRMATION.value})
        for stored in list(readable(waiting)):
            if self.purge.run_contains(stored.value, mark):
                self.transitions.close_waiting(stored.key, RunStatus.CANCELED, reason)

    def _create_record(
        self, key: str, by: str, in_mailchimp: bool, keys: Sequence[str], person: FoundPerson
    ) -> None:
        """Create the record of an erasure, or add to the record of an earlier one. `keys` are those of the person."""
        others = {one for one in keys if one != key}
        contacts = set(person.contacts) if in_mailchimp else set()
        try:
            begun = Erasure(
                self.token(),
                self.now(),
                by,
                waits_for=(_UNFINISHED,),
                in_mailchimp=in_mailchimp,
                others=tuple(sorted(others)),
                contacts=tuple(sorted(contacts)),
            )
            self.erasures.records.create(key, begun)
        except Conflict:
            # The person was erased before: there is one receipt.
            update(
                self.erasures.records,
                key,
                lambda erasure: replace(
                    erasure,
                    waits_for=tuple(sorted({*erasure.waits_for, _UNFINISHED})),
                    in_mailchimp=erasure.in_mailchimp or in_mailchimp,
                    others=tuple(sorted({*erasure.others, *others})),
                    contacts=tuple(sorted({*erasure.contacts, *contacts})),
                ),
            )

    def _create_missing_records(self) -> None:
        """Create the records of other addresses that a killed process could not create."""
        stored = {one.key: one.value for one in readable(self.erasures.records.all())}
        for erasure in list(stored.values()):
            for key in set(erasure.others) - set(stored) if erasure.waits_for else ():
                begun = replace(erasure, id=self.token(), waits_for=(_UNFINISHED,), others=())
                with suppress(Conflict):
                    self.erasures.records.create(key, begun)
                stored[key] = begun

    def _delete(self, person: FoundPerson, exports: Sequence[Export]) -> tuple[int, Unreached]:
        """Delete the contacts of a person permanently in the audiences of these exports.

        Returns the number of contacts, and the audiences that were not reached.
        """
        deleted: list[bool] = []

        def delete(session: MailchimpSession, key: str) -> None:
            for address in person.addresses:
                deleted.append(session.delete_for_good(audience_in(key), address))

        # Where the contacts could not be looked up, their addresses are not known.
        unknown = person.unreached
        found = self.audiences.each(exports, delete, _PATIENCE_TO_DELETE, without=unknown.audiences)
        return sum(deleted), Unreached(
            {**unknown.audiences, **found.audiences}, found.unavailable or unknown.unavailable
        )

    def _record_deleted(
        self, keys: Sequence[str], person: FoundPerson, count: int, unreached: Unreached
    ) -> None:
        """Record the number of contacts that were deleted in Mailchimp, and remove their ids from the records."""
        deleted = {
            one for one in person.contacts if audience_of_contact(one) not in unreached.audiences
        }

        def without(erasure: Erasure) -> Erasure:
            return replace(
                erasure, contacts=tuple(one for one in erasure.contacts if one not in deleted)
            )

        def counted(erasure: Erasure) -> Erasure:
            return replace(
                without(erasure), deleted_in_mailchimp=erasure.deleted_in_mailchimp + count
            )

        others = set(update(self.erasures.records, keys[0], counted).value.others)
        for key in keys[1:]:
            others.update(update(self.erasures.records, key, without).value.others)
        # Records of addresses that an earlier request found, and the contact had then.
        for key in sorted(others - set(keys)):
            with suppress(NotFound):
                update(self.erasures.records, key, without)

    def _record_result(self, key: str, purged: Purged) -> Erasure:
        def add(erasure: Erasure) -> Erasure:
            return replace(
                erasure,
                exports=max(erasure.exports, len(purged.exports)),
                records=erasure.records + purged.records,
                waits_for=_remaining({*erasure.waits_for, *purged.active_runs}, purged),
            )

        return update(self.erasures.records, key, add).value

    def _can_continue(self, stored: Stored[Erasure]) -> bool:
        """Whether a run that the erasure waits for has ended, or the erasure was interrupted."""
        for run_id in stored.value.waits_for:
            run = self.runs.read(run_id)
            if run is None or run.value.is_over:
                return True
        return False


def _remaining(runs: Iterable[str], purged: Purged) -> tuple[str, ...]:
    """Return what an erasure waits for: these runs, and records that only a newer version can purge."""
    unfinished = {_UNFINISHED} if purged.unreadable else set()
    return tuple(sorted(set(runs) - {_UNFINISHED} | unfinished))
