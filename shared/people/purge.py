"""Removes people from all data of the app that contains their address.

    ledgers          a new version without them replaces the current one by a conditional write;
                     older versions are overwritten
    runs/*           the outcomes keep their rows without address and profile; the files of a plan
                     are deleted, because they are not read after the run; so is the name of the
                     person that a run of one person sends
    audiences/*      new lists of people who are not subscribed replace the current ones
    exclusions/*     the lists of excluded people are rewritten without them
    outcome files    the rows with their profile ids are removed (runs/outcome_file.py)
    consent/*        new lists of statuses replace the current ones
    consent table    the rows with their profile ids are removed (consent_updates/table.py)

Files that an active run still reads are kept. If they contain these people, the result names the run,
which may store these people again. So the purge is repeated after the run has ended. Every step may run
twice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from duckdb import DuckDBPyConnection

from shared.errors import Changed, ConnectorError, NotFound
from shared.model.audience import NotSubscribedPointer
from shared.model.consent import ConsentSweep, statuses_folder
from shared.model.ledger import LedgerPointer
from shared.model.names import (
    ledger_blob,
    ledger_folder,
    not_subscribed_blob,
    not_subscribed_folder,
    outcomes_table,
    person_blob,
    plan_blob,
    run_folder,
)
from shared.model.ports import Files, Records, delete_all, exists, split_unreadable, update
from shared.model.run import Mode, Run, RunStatus, Stage
from shared.people.erasures import MarkErased
from shared.people.exclusion_lists import ExclusionLists
from shared.runs.outcome_file import OutcomeFile
from shared.workspace import SqlFile, small_workspace

PointerT = TypeVar("PointerT", LedgerPointer, NotSubscribedPointer, ConsentSweep)

_AT_ONCE = 2
_SQL = SqlFile.of(__file__)


@dataclass(frozen=True)
class Purged:
    """The exports whose data contained these people, and the number of removed rows.

    `active_runs` are the runs whose files still contain these people. `unreadable` is the error if a newer
    version of the app wrote a record, or a list of excluded people is damaged; these are not purged.
    """

    exports: frozenset[str]
    records: int
    active_runs: tuple[str, ...]
    unreadable: ConnectorError | None = None


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
        # Runs in other stages have no files.
        stages = [
            split_unreadable(self.runs.all(where={"stage": stage}))
            for stage in (Stage.ACTIVE, Stage.WAITING, Stage.STORED)
        ]
        runs = [stored.value for readable_runs, _ in stages for stored in readable_runs]
        ledgers, no_ledger = split_unreadable(self.ledgers.all())
        lists, no_list = split_unreadable(self.not_subscribed.all())
        unreadable_run = next((error for _, error in stages if error), None)
        active_exports = {run.export_id for run in runs if not run.is_over}
        exports = set()
        records = 0
        for pointer in ledgers:
            count = self._purge_ledger(pointer.key, mark)
            # An unreadable run may be active and read an older version.
            if unreadable_run is None and pointer.key not in active_exports:
                # An older version usually contains the same people; count them once.
                count = max(count, self._purge_older_ledgers(pointer.key, mark))
            records += count
            if count:
                exports.add(pointer.key)
        for stored in lists:
            records += self._purge_not_subscribed(stored.key, mark)
        sweeps, no_sweep = split_unreadable(self.consent_sweeps.all())
        for sweep in sweeps:
            records += self._purge_statuses(sweep.key, mark)
        excluded = self.exclusions.purge(mark)
        for export_id, count in excluded.removed.items():
            records += count
            exports.add(export_id)
        for run in runs:
            if run.mode is Mode.ONE_PERSON:
                # It may be one of these people. A run that has not read it yet sends no one.
                self.files.delete(person_blob(run.id))
        over = [run for run in runs if run.is_over]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for run, count in zip(
                over, pool.map(lambda run: self._purge_run(run, mark), over), strict=True
            ):
                records += count
                if count:
                    exports.add(run.export_id)
        active_runs = tuple(
            run.id for run in runs if not run.is_over and self.run_contains(run, mark)
        )
        unreadable = unreadable_run or no_ledger or no_list or no_sweep or excluded.damaged
        return Purged(frozenset(exports), records, active_runs, unreadable)

    def run_contains(self, run: Run, mark: MarkErased) -> bool:
        """Whether the files of an active run contain these people, or planning may be reading them."""
        if run.status is RunStatus.QUEUED:
            return False  # planning will omit them
        if not exists(self.files, plan_blob(run.id)):
            return run.is_active
        names = [(name, "address") for name in self.files.names(ledger_folder(run.export_id))]
        for name in self.files.names(f"{run_folder(run.id)}plan-"):
            if name.endswith(".parquet"):
                column = "email" if name.endswith("/rows.parquet") else "address"
                names.append((name, column))
        return any(self._contains(name, column, mark) for name, column in names)

    def _contains(self, blob: str, column: str, mark: MarkErased) -> bool:
        with self._open_erased_rows(blob, mark, column) as found:
            return found is not None

    def _purge_ledger(self, export_id: str, mark: MarkErased) -> int:
        def without(pointer: LedgerPointer, erased: _ErasedRows) -> LedgerPointer:
            # The consent table comes first, because afterwards the profile ids are unknown.
            self.remove_consent_rows(pointer.audience, erased.customers())
            blob = ledger_blob(export_id, f"{pointer.run_id}-{self.token()}")
            return replace(pointer, blob=blob, people=pointer.people - erased.row_count)

        return self._rewrite(self.ledgers, export_id, mark, without)

    def _rewrite(
        self,
        records: Records[PointerT],
        key: str,
        mark: MarkErased,
        without: Callable[[PointerT, _ErasedRows], PointerT],
        column: str = "address",
    ) -> int:
        """Point a record to a file without these people. Returns the number of removed rows.

        `without` returns the record with the name of the new file.
        """
        written = ""
        removed = 0

        def rewritten(pointer: PointerT) -> PointerT | None:
            nonlocal written, removed
            if written and pointer.blob != written:
                self.files.delete(written)  # a run replaced the record in the meantime
                removed = 0
            with self._open_erased_rows(pointer.blob, mark, column) as found:
                if found is None:
                    return None
                changed = without(pointer, found)
                self.files.upload(found.write_without(), changed.blob)
                written, removed = changed.blob, found.row_count
                return changed

        try:
            update(records, key, rewritten)
        except NotFound:
            if written:
                self.files.delete(written)
            return 0
        return removed

    def _purge_older_ledgers(self, export_id: str, mark: MarkErased) -> int:
        """Purge earlier versions, which only an undo still reads."""
        count = 0
        stored = self.ledgers.read(export_id)
        for name in list(self.files.names(ledger_folder(export_id))):
            if stored is not None and name == stored.value.blob:
                continue
            with self._open_erased_rows(name, mark) as found:
                if found is not None:
                    self.files.upload(found.write_without(), name)
                    count += found.row_count
        return count

    def _purge_not_subscribed(self, key: str, mark: MarkErased) -> int:
        account_id, _, audience_id = key.partition("/")

        def without(pointer: NotSubscribedPointer, _: _ErasedRows) -> NotSubscribedPointer:
            blob = not_subscribed_blob(account_id, audience_id, f"erased-{self.token()}")
            return replace(pointer, blob=blob)

        removed = self._rewrite(self.not_subscribed, key, mark, without)
        self._delete_older_lists(key, mark)
        return removed

    def _purge_statuses(self, key: str, mark: MarkErased) -> int:
        def without(sweep: ConsentSweep, erased: _ErasedRows) -> ConsentSweep:
            blob = f"{statuses_folder(key)}erased-{self.token()}.parquet"
            active, archived, unidentified = erased.remaining_statuses()
            return replace(
                sweep,
                blob=blob,
                stored=active,
                stored_archived=archived,
                unidentified=None if sweep.unidentified is None else unidentified,
            )

        names = list(self.files.names(statuses_folder(key)))
        removed = self._rewrite(self.consent_sweeps, key, mark, without, "former")
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
        for name in list(self.files.names(not_subscribed_folder(*key.split("/")))):
            if stored is not None and name == stored.value.blob:
                continue
            with self._open_erased_rows(name, mark) as found:
                if found is not None:
                    self.files.delete(name)

    def _purge_run(self, run: Run, mark: MarkErased) -> int:
        delete_all(self.files, f"{run_folder(run.id)}plan-")
        blob = outcomes_table(run.id)
        with self._open_erased_rows(blob, mark, "email") as found:
            if found is None:
                return 0
            count = found.row_count
            # The outcome file comes first, because afterwards the profile ids are unknown.
            count += self.outcome_file.remove_profiles(run.export_id, run.id, found.customers())
            self.files.upload(found.write_blanked(), blob)
            return count

    @contextmanager
    def _open_erased_rows(
        self, blob: str, mark: MarkErased, column: str = "address"
    ) -> Iterator[_ErasedRows | None]:
        """Download a Parquet blob and yield the rows of these people, or None when it has none.

        `column` has the addresses; `former` is for statuses, which have former addresses as well.
        """
        if not blob:
            yield None
            return
        with small_workspace() as (db, folder):
            local = folder / "found.parquet"
            try:
                self.files.download(blob, local)
            except NotFound:
                yield None
                return
            opened = {"email": "open_outcomes", "former": "open_statuses"}
            _SQL.run(db, opened.get(column, "open"), file=str(local))
            mark(db)
            group = "count_statuses" if column == "former" else "count"
            found = _ErasedRows(db, folder / "without.parquet", _SQL.number(db, group), column)
            yield found if found.row_count else None


@dataclass(frozen=True)
class _ErasedRows:
    """The rows to remove: those of `candidates` whose address is in `erased_addresses`."""

    db: DuckDBPyConnection
    target: Path
    row_count: int
    column: str = "address"

    def customers(self) -> list[str]:
        """Return the profile ids in these rows."""
        return [customer for (customer,) in _SQL.rows(self.db, "customers")]

    def remaining_statuses(self) -> tuple[int, int, int]:
        """Count the contacts that remain: active ones, archived ones, and those of both without a contact id."""
        active, archived, unidentified = _SQL.row(self.db, "remaining_statuses")
        return int(active), int(archived), int(unidentified)

    def write_without(self) -> Path:
        """Write a copy of the file without these rows."""
        group = "write_statuses_without" if self.column == "former" else "write_without"
        _SQL.run(self.db, group, file=str(self.target))
        return self.target

    def write_blanked(self) -> Path:
        """Write a copy of the outcomes in which the identifying columns of these rows are empty."""
        _SQL.run(self.db, "write_blanked", file=str(self.target))
        return self.target
