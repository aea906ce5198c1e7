"""Removes people from all data of the app that contains their address.

    ledgers          a new version without them replaces the current one by a conditional write;
                     older versions are overwritten
    runs/*           the outcomes keep their rows without address and profile; the files of a plan
                     are deleted, because they are not read after the run; so is the name of the
                     person that a run of one person sends. The files that record who had a tag before
                     the run are overwritten, also while it is active, because an undo needs them
    audiences/*      new lists of people who are not subscribed replace the current ones
    exclusions/*     the lists of excluded people are rewritten without them
    outcome files    the rows with their profile ids are removed (runs/outcome_file.py)
    consent/*        new lists of statuses replace the current ones
    consent table    the rows with their profile ids are removed (consent_updates/table.py)

Files that an active run still reads are kept. If they contain these people, the result names the run,
which may store these people again. So the purge is repeated after the run has ended. Every step may run
twice, and at the same time as another purge: a file is overwritten only if no one has written it since it was
read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from shared.errors import Changed, ConnectorError, NotFound
from shared.model.audience import NotSubscribedPointer
from shared.model.consent import ConsentSweep
from shared.model.ledger import LedgerPointer
from shared.model.names import (
    contacts_blob,
    contacts_folder,
    former_holders_folder,
    ledger_blob,
    ledger_folder,
    not_subscribed_blob,
    not_subscribed_folder,
    outcomes_table,
    person_blob,
    plan_blob,
    run_folder,
)
from shared.model.ports import (
    Files,
    Records,
    exists,
    repeat_if_changed,
    split_unreadable,
    update,
)
from shared.model.run import Mode, Run, RunStatus, Stage
from shared.people.erased_rows import (
    CONTACTS,
    WITH_ADDRESS,
    WITH_EMAIL,
    ErasedRows,
    FileKind,
    open_erased_rows,
)
from shared.people.erasures import MarkErased
from shared.people.exclusion_lists import ExclusionLists
from shared.people.stored_contacts import count_contacts
from shared.request_time import RequestThreads
from shared.runs.outcome_file import OutcomeFile

PointerT = TypeVar("PointerT", LedgerPointer, NotSubscribedPointer, ConsentSweep)

_AT_ONCE = 2


@dataclass(frozen=True)
class Purged:
    """The exports whose data contained these people, and the number of removed rows.

    `active_runs` are the runs whose files still contain these people. `unreadable` is the error if a newer
    version of the app wrote a record, or a list of excluded people is damaged; these are not purged.
    """

    exports: frozenset[str]
    records: int
    active_runs: tuple[str, ...]
    unreadable: ConnectorError | None


@dataclass(frozen=True)
class Purge:
    """Removes people. The argument `mark` fills the table `erased_addresses` with them (`MarkErased`).

    `token` returns new random text. `remove_consent_rows` removes profiles from the consent table of an audience.
    """

    runs: Records[Run]
    ledgers: Records[LedgerPointer]
    not_subscribed: Records[NotSubscribedPointer]
    files: Files
    token: Callable[[], str]
    outcome_file: OutcomeFile
    exclusions: ExclusionLists
    consent_sweeps: Records[ConsentSweep]
    remove_consent_rows: Callable[[str, Collection[str]], int]

    def everywhere(self, mark: MarkErased) -> Purged:
        """Remove people from all data that no active run needs."""
        runs, unreadable_run = self._runs_with_files()
        ledgers, unreadable_ledger = self._purge_ledgers(mark, runs, all_known=not unreadable_run)
        lists, unreadable_list = split_unreadable(self.not_subscribed.all())
        sweeps, unreadable_sweep = split_unreadable(self.consent_sweeps.all())
        of_audiences = [
            *(self._purge_not_subscribed(stored.key, mark) for stored in lists),
            *(self._purge_contacts(stored.key, mark) for stored in sweeps),
        ]
        excluded = self.exclusions.purge(mark)
        outcomes = self._purge_runs(runs, mark)
        # The sum of counters has only the exports from which something was removed.
        removed = ledgers + Counter(excluded.removed) + outcomes
        return Purged(
            frozenset(removed),
            removed.total() + sum(of_audiences),
            tuple(run.id for run in runs if not run.is_over and self.run_contains(run, mark)),
            unreadable_run
            or unreadable_ledger
            or unreadable_list
            or unreadable_sweep
            or excluded.damaged,
        )

    def _runs_with_files(self) -> tuple[list[Run], ConnectorError | None]:
        found: list[Run] = []
        unreadable = None
        for stage in (Stage.ACTIVE, Stage.WAITING, Stage.STORED):
            stored, error = split_unreadable(self.runs.all(where={"stage": stage}))
            found += [each.value for each in stored]
            unreadable = unreadable or error
        return found, unreadable

    def _purge_ledgers(
        self, mark: MarkErased, runs: Sequence[Run], *, all_known: bool
    ) -> tuple[Counter[str], ConnectorError | None]:
        """Purge the ledgers. Returns the number of removed rows by export.

        `all_known`: `runs` has all runs with files. Any other run may be active and use an older version.
        """
        active_exports = {run.export_id for run in runs if self._has_read_ledger(run)}
        ledgers, unreadable = split_unreadable(self.ledgers.all())
        removed = Counter[str]()
        for pointer in ledgers:
            count = self._purge_ledger(pointer.key, mark)
            if all_known and pointer.key not in active_exports:
                # An older version usually contains the same people; count them once.
                count = max(count, self._purge_older_ledgers(pointer.key, mark))
            removed[pointer.key] += count
        return removed, unreadable

    def _purge_runs(self, runs: Sequence[Run], mark: MarkErased) -> Counter[str]:
        """Purge the files of runs. Returns the number of removed rows by export."""
        for run in runs:
            if run.mode is Mode.ONE_PERSON:
                # It may be one of these people. A run that has not read it yet sends no one.
                self.files.delete(person_blob(run.id))
        removed = Counter[str]()
        with RequestThreads(_AT_ONCE) as pool:
            counts = pool.map(lambda run: self._purge_run(run, mark), runs)
            for run, count in zip(runs, counts, strict=True):
                removed[run.export_id] += count
        return removed

    def run_contains(self, run: Run, mark: MarkErased) -> bool:
        """Whether the files of an active run contain these people, or planning may be reading them."""
        if not self._has_read_ledger(run):
            return False  # planning will omit them
        if not exists(self.files, plan_blob(run.id)):
            return True
        ledgers = [(name, WITH_ADDRESS) for name in self.files.names(ledger_folder(run.export_id))]
        plan = [
            (name, WITH_EMAIL if name.endswith("/rows.parquet") else WITH_ADDRESS)
            for name in self.files.names(f"{run_folder(run.id)}plan-")
            if name.endswith(".parquet")
        ]
        return any(self._contains(name, mark, kind) for name, kind in (*ledgers, *plan))

    def _has_read_ledger(self, run: Run) -> bool:
        """Whether a run that is not over may still use a ledger that it has read. A queued run reads it later, like one that
        waits for a confirmation without a plan.
        """
        if run.is_over or run.status is RunStatus.QUEUED:
            return False
        return run.is_active or exists(self.files, plan_blob(run.id))

    def _contains(self, blob: str, mark: MarkErased, kind: FileKind) -> bool:
        with open_erased_rows(self.files, blob, mark, kind) as erased:
            return erased is not None

    def _purge_ledger(self, export_id: str, mark: MarkErased) -> int:
        def without(pointer: LedgerPointer, erased: ErasedRows) -> LedgerPointer:
            # The consent table comes first, because afterwards the profile ids are unknown.
            self.remove_consent_rows(pointer.audience, erased.customers())
            blob = ledger_blob(export_id, f"{pointer.run_id}-{self.token()}")
            return replace(pointer, blob=blob, people=pointer.people - erased.count)

        return self._rewrite(self.ledgers, export_id, mark, without, WITH_ADDRESS)

    def _rewrite(
        self,
        records: Records[PointerT],
        key: str,
        mark: MarkErased,
        without: Callable[[PointerT, ErasedRows], PointerT],
        kind: FileKind,
    ) -> int:
        """Point a record to a file without these people. Returns the number of removed rows.

        `without` returns the record with the name of the new file, which has been written to `ErasedRows.target`.
        """
        written = ""
        removed = 0

        def rewritten(pointer: PointerT) -> PointerT | None:
            nonlocal written, removed
            if written and pointer.blob != written:
                self.files.delete(written)  # a run replaced the record in the meantime
                removed = 0
            with open_erased_rows(self.files, pointer.blob, mark, kind) as erased:
                if erased is None:
                    return None
                local = erased.write_without()
                changed = without(pointer, erased)
                self.files.upload(local, changed.blob)
                written, removed = changed.blob, erased.count
                return changed

        try:
            while True:
                stored = update(records, key, rewritten)
                # If the record has changed since, another erasure may have deleted the file before it was read here.
                current = records.read(key)
                if removed or current is None or current.etag == stored.etag:
                    break
        except NotFound:
            if written:
                self.files.delete(written)
            return 0
        return removed

    def _purge_older_ledgers(self, export_id: str, mark: MarkErased) -> int:
        """Purge earlier versions, which only an undo still reads."""
        stored = self.ledgers.read(export_id)
        current = stored.value.blob if stored is not None else ""
        names = list(self.files.names(ledger_folder(export_id)))
        return sum(self._overwrite(name, mark) for name in names if name != current)

    def _overwrite(self, name: str, mark: MarkErased) -> int:
        """Overwrite a file with addresses by one without these people. Returns the number of removed rows."""

        def rewrite() -> int:
            with open_erased_rows(self.files, name, mark, WITH_ADDRESS) as erased:
                if erased is None:
                    return 0
                self.files.upload(erased.write_without(), name, erased.etag)
                return erased.count

        return repeat_if_changed(rewrite)

    def _purge_not_subscribed(self, key: str, mark: MarkErased) -> int:
        def without(pointer: NotSubscribedPointer, _: ErasedRows) -> NotSubscribedPointer:
            blob = not_subscribed_blob(key, f"erased-{self.token()}")
            return replace(pointer, blob=blob)

        removed = self._rewrite(self.not_subscribed, key, mark, without, WITH_ADDRESS)
        self._delete_older_lists(key, mark)
        return removed

    def _purge_contacts(self, key: str, mark: MarkErased) -> int:
        def without(sweep: ConsentSweep, erased: ErasedRows) -> ConsentSweep:
            blob = contacts_blob(key, f"erased-{self.token()}")
            counts = count_contacts(erased.db, erased.target)
            return replace(
                sweep,
                blob=blob,
                stored=counts.not_archived,
                stored_archived=counts.archived,
                unidentified=None if sweep.unidentified is None else counts.unidentified,
            )

        names = list(self.files.names(contacts_folder(key)))
        removed = self._rewrite(self.consent_sweeps, key, mark, without, CONTACTS)
        # A sweep that read the person before the erasure began must not store them afterwards: its conditional write
        # fails. What it has uploaded is deleted.
        current = self._write_again(self.consent_sweeps, key)
        for name in names:
            if current is not None and name != current.blob:
                self.files.delete(name)
        return removed

    def _write_again(self, records: Records[PointerT], key: str) -> PointerT | None:
        """Write a record unchanged, so that conditional writes of others fail. Returns it, or None if it is gone."""
        while True:
            stored = records.read(key)
            if stored is None:
                return None
            try:
                return records.replace(key, stored.value, stored.etag).value
            except Changed:
                continue

    def _delete_older_lists(self, key: str, mark: MarkErased) -> None:
        """Delete outdated lists that contain these people. A run that is reading one retries."""
        stored = self.not_subscribed.read(key)
        for name in list(self.files.names(not_subscribed_folder(key))):
            if stored is not None and name == stored.value.blob:
                continue
            with open_erased_rows(self.files, name, mark, WITH_ADDRESS) as erased:
                if erased is not None:
                    self.files.delete(name)

    def _purge_run(self, run: Run, mark: MarkErased) -> int:
        former_holders = former_holders_folder(run.id)
        for name in list(self.files.names(f"{run_folder(run.id)}plan-")):
            if name.startswith(former_holders):
                # A run that is not over does not read them, and may wait for weeks.
                self._overwrite(name, mark)
            elif run.is_over:
                self.files.delete(name)
        if not run.is_over:
            return 0
        blob = outcomes_table(run.id)
        in_file = 0

        def rewrite() -> int:
            nonlocal in_file
            with open_erased_rows(self.files, blob, mark, WITH_EMAIL) as erased:
                if erased is None:
                    return 0
                customers = erased.customers()
                # The outcome file comes first, because afterwards the profile ids are unknown.
                in_file += self.outcome_file.remove_profiles(run.export_id, run.id, customers)
                self.files.upload(erased.write_without(), blob, erased.etag)
                return erased.count

        return repeat_if_changed(rewrite) + in_file
