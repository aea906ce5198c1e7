"""Erases a person from all stored data, and stores only that the person must not be exported again.

The erasure is recorded first, so that later runs omit the person. Then the person is deleted in Mailchimp if
that was requested, and removed from all data of the app, even if Mailchimp failed. An erasure may be killed at
any point and requested again: it returns the same receipt with updated counts. The timer completes erasures that
were killed, or that had to wait for active runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shared.capacity.on_demand import OnDemandSessions
from shared.errors import ConfigError, Conflict, ConnectorError, NotFound, Refused, Unavailable
from shared.model.export import Export
from shared.model.ports import Records, Stored, readable, split_unreadable, update
from shared.model.run import Reason, Run, RunStatus
from shared.people.erasures import Erasure, Erasures, MarkErased, address_key, marker_for_address
from shared.people.purge import Purge, Purged
from shared.people.stored_contacts import StoredContacts
from shared.runs.transitions import Transitions

# An entry in `waits_for` until the data of the app is purged. It is not the id of a run.
_UNFINISHED = "unfinished"


@dataclass(frozen=True)
class Eraser:
    """Erases people. `account_of` returns the id of the Mailchimp account of a connection."""

    exports: Records[Export]
    contacts: StoredContacts
    runs: Records[Run]
    transitions: Transitions
    erasures: Erasures
    purge: Purge
    sessions: OnDemandSessions
    account_of: Callable[[str], str]
    now: Callable[[], datetime]
    token: Callable[[], str]

    def erase(self, email: str, in_mailchimp: bool, by: str) -> Erasure:
        """Erase a person, also under the other addresses of their contacts. Returns the receipt.

        Raises:
            Conflict: names the exports whose audience could not be reached to delete the person in
                Mailchimp. The data of the app is purged.
            Unavailable: Mailchimp or storage is temporarily unavailable; request the erasure again. If
                it was Mailchimp, the data of the app is purged.
            ConnectorError: a newer version of the app wrote a record. The person is removed from
                everything else, and the timer repeats the purge until all records are readable.
        """
        address = address_key(email)
        # First, because afterwards the other addresses are unknown.
        failed: ConnectorError | None = None
        for other in self.contacts.other_addresses(address):
            try:
                self._erase(other, in_mailchimp, by)
            except ConnectorError as error:
                failed = failed or error
        receipt = self._erase(address, in_mailchimp, by)
        if failed is not None:
            raise failed
        return receipt

    def _erase(self, address: str, in_mailchimp: bool, by: str) -> Erasure:
        key = self._create_record(address, by, in_mailchimp)
        exports, unreadable = split_unreadable(self.exports.all()) if in_mailchimp else ([], None)
        deleted, unreached, unavailable = self._delete(address, exports)
        mark = marker_for_address(address)
        self._close_waiting(mark)
        purged = self.purge.everywhere(mark)
        receipt = self._record_result(key, purged, deleted)
        if unavailable is not None:
            raise unavailable
        if unreached:
            raise Conflict("notDeletedInMailchimp", exports=", ".join(unreached))
        if unreadable := unreadable or purged.unreadable:
            raise unreadable
        return receipt

    def complete(self) -> int:
        """Continue erasures whose run has ended or whose process was killed. Returns their number."""
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
                lambda erasure: replace(erasure, waits_for=_still_waits_for(erasure, purged)),
            )
        return len(ready)

    def _close_waiting(self, mark: MarkErased) -> None:
        """Close runs that contain the person and wait for a confirmation, which may take weeks."""

        reason = Reason("erasedMeanwhile")
        waiting = self.runs.all(where={"status": RunStatus.AWAITING_CONFIRMATION.value})
        for stored in list(readable(waiting)):
            if self.purge.run_contains(stored.value, mark):
                self.transitions.close_waiting(stored.key, RunStatus.CANCELED, reason)

    def _create_record(self, address: str, by: str, in_mailchimp: bool) -> str:
        key = self.erasures.token(address)
        try:
            begun = Erasure(
                self.token(), self.now(), by, waits_for=(_UNFINISHED,), in_mailchimp=in_mailchimp
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
                ),
            )
        return key

    def _delete(
        self, address: str, stored_exports: Sequence[Stored[Export]]
    ) -> tuple[int, list[str], Unavailable | None]:
        """Delete the person permanently in the audiences of these exports.

        Returns the number of audiences, the exports that could not be reached, and the error if it
        is temporary.
        """
        deleted = 0
        unavailable: Unavailable | None = None
        done: set[str] = set()
        unavailable_accounts: set[str] = set()  # each is called only once
        unreached: dict[str, str] = {}
        exports = [stored.value for stored in stored_exports]
        for export in sorted(exports, key=lambda one: one.sort_key):
            audience = export.audience_id
            if audience in done:
                continue
            account_id = ""
            try:
                account_id = self._account_of(export)
                if account_id in unavailable_accounts:
                    continue
                with self.sessions.session(export.connection_id or "", account_id) as session:
                    deleted += session.delete_for_good(audience, address)
            except (ConfigError, Refused):
                unreached.setdefault(audience, export.display_name)
                continue
            except Unavailable as error:
                unavailable = error
                unavailable_accounts.add(account_id)
                continue
            done.add(audience)
        missed = [name for audience, name in unreached.items() if audience not in done]
        return deleted, missed, unavailable

    def _account_of(self, export: Export) -> str:
        if not export.connection_id:
            raise NotFound("noConnection")
        return self.account_of(export.connection_id)

    def _record_result(self, key: str, purged: Purged, deleted: int) -> Erasure:
        def add(erasure: Erasure) -> Erasure:
            return replace(
                erasure,
                exports=max(erasure.exports, len(purged.exports)),
                records=erasure.records + purged.records,
                deleted_in_mailchimp=erasure.deleted_in_mailchimp + deleted,
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


def _still_waits_for(erasure: Erasure, purged: Purged) -> tuple[str, ...]:
    """Return the runs that an erasure waits for after a purge that found these active runs.

    A killed process had not recorded its runs, so the erasure then waits for all of them.
    """
    if _UNFINISHED in erasure.waits_for:
        return _remaining(purged.active_runs, purged)
    return _remaining(set(erasure.waits_for) & set(purged.active_runs), purged)


def _remaining(runs: Iterable[str], purged: Purged) -> tuple[str, ...]:
    """Return what an erasure waits for: these runs, and records that only a newer version can purge."""
    unfinished = {_UNFINISHED} if purged.unreadable else set()
    return tuple(sorted(set(runs) - {_UNFINISHED} | unfinished))
